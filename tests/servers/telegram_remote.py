"""What a test or a benchmark tells a Bot API server that runs in a process of its own.

POST /_people/7/photo?caption=Brighter.&album=1    the body is the picture
POST /_people/7/document?name=a.jpg                the body is the file
POST /_people/7/text                               the body is the text
POST /_plan {"method": "sendPhoto", "plan": [{"do": "slow", "seconds": 2}]}
GET  /_chats/7   the bot's messages there;   GET /_calls   the calls, with their moments
"""

from typing import TYPE_CHECKING, Any

from aiohttp import web

from servers.telegram_behaviours import from_json

if TYPE_CHECKING:
    from servers.telegram import TelegramServer

SERVER: "web.AppKey[TelegramServer]" = web.AppKey("server")


def add_routes(app: web.Application, server: "TelegramServer") -> None:
    app[SERVER] = server
    app.router.add_post("/_people/{id}/{what:photo|document|text}", _act)
    app.router.add_post("/_plan", _plan)
    app.router.add_get("/_chats/{id}", _chat)
    app.router.add_get("/_calls", _calls)


async def _act(request: web.Request) -> web.Response:
    server, user_id = request.app[SERVER], int(request.match_info["id"])
    person = server.people.get(user_id) or server.user(user_id)
    body = await request.read()
    options: dict[str, Any] = dict(request.query)
    match request.match_info["what"]:
        case "photo":
            message = person.sends_photo(body, **options)
        case "document":
            message = person.sends_document(body, **options)
        case _:
            message = person.writes(body.decode(), **options)
    return web.json_response({"message_id": message.id})


async def _plan(request: web.Request) -> web.Response:
    spec = await request.json()
    request.app[SERVER].plan(spec["method"], *map(from_json, spec["plan"]))
    return web.json_response({})


async def _chat(request: web.Request) -> web.Response:
    chat = request.app[SERVER].chat(int(request.match_info["id"]))
    messages = [{"kind": message.kind, "edits": message.edits} | message.told() for message in chat.messages]
    reactions = {str(message_id): emojis for message_id, emojis in chat.reactions.items()}
    return web.json_response({"messages": messages, "reactions": reactions})


async def _calls(request: web.Request) -> web.Response:
    calls = request.app[SERVER].calls
    return web.json_response([{"method": call.method, "at": call.at, "chat_id": call.chat_id} for call in calls])
