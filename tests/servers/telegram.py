"""A server that speaks the Bot API on loopback, plays the people in the chats, and misbehaves on request.

In a test:   async with TelegramServer() as server:
                 anna = server.user(7, language="de")
                 anna.sends_photo(jpeg, caption="Brighter.")
                 await server.until(lambda: server.chat(7).messages)
On its own:  python -m servers.telegram --port 0     (from tests/; prints its address first; see telegram_remote)

Each call takes the next behaviour that `plan` holds for its method; when there is none, `rule` decides. Downloads of
files count as calls of the method "download".
"""

import argparse
import asyncio
import inspect
import time
from collections import defaultdict, deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from servers import telegram_remote
from servers.telegram_behaviours import (
    NO_SUCH_METHOD,
    NO_SUCH_PATH,
    UNAUTHORIZED,
    Behaviour,
    Cut,
    Flood,
    Hang,
    Raw,
    Refuse,
    Refused,
    Slow,
)
from servers.telegram_chats import Chat, Message
from servers.telegram_people import Person, post
from servers.telegram_sending import Sending, weight
from servers.telegram_wire import Call, read_body, refused, succeeded
from servers.telegram_world import BOT, Answer, World

TOKEN = f"{BOT['id']}:TEST"


class TelegramServer:
    """One server with one bot. With `flood` it counts messages and answers 429 as the service does.

    `calls` holds every call that was read, in order. `clock` counts seconds for flood control and for `Call.at`.
    """

    def __init__(
        self,
        *,
        rule: Callable[[Call], Behaviour | None] = lambda _: None,
        flood: Flood | None = None,
        port: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rule, self.flood = rule, flood
        self.token = TOKEN
        self.calls: list[Call] = []
        self.world = World(self._ring)
        self.people: dict[int, Person] = {}
        self.port = port
        self._clock = clock
        self._plans: dict[str, deque[Behaviour]] = defaultdict(deque)
        self._rung = asyncio.Event()
        self._methods = Sending(self.world)
        self._names = {name.lower(): name for name in dir(Sending) if not name.startswith("_")}
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """For clients: the token and "/method" follow."""
        return f"{self.url}/bot"

    @property
    def base_file_url(self) -> str:
        """For clients: the token and "/path" follow."""
        return f"{self.url}/file/bot"

    async def __aenter__(self) -> Self:
        await self.comes_up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.goes_down()

    async def comes_up(self) -> None:
        """Listen, after the first time on the same port again."""
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/bot{token:[^/]*}/{method}", self._call)
        app.router.add_get("/file/bot{token:[^/]*}/{path:.+}", self._download)
        telegram_remote.add_routes(app, self)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def goes_down(self) -> None:
        """Close every line and refuse new ones; what the service knows stays."""
        if self._runner:
            await self._runner.cleanup()
        self._runner = None

    # People and their chats

    def user(self, user_id: int, *, name: str = "Anna", username: str = "", language: str = "en") -> Person:
        """Somebody who has started the bot."""
        person = Person(self.world, user_id, name=name, username=username, language=language)
        self.people[user_id] = person
        return person

    def group(
        self, chat_id: int, *members: Person, title: str = "Kitchen", forum: bool = False, privacy: bool = True
    ) -> Chat:
        """A group with the bot in it; ids from -1000000000000 down are supergroups."""
        info = {"id": chat_id, "title": title, "type": "supergroup" if chat_id <= -(10**12) else "group"}
        roles = {member.id: "member" for member in members} | {BOT["id"]: "member"}
        chat = Chat(info | ({"is_forum": True} if forum else {}), members=roles, privacy=privacy)
        return self.world.chats.setdefault(chat_id, chat)

    def channel(self, chat_id: int, *, title: str = "News") -> Chat:
        """A channel whose administrator the bot is."""
        chat = Chat({"id": chat_id, "title": title, "type": "channel"}, members={BOT["id"]: "administrator"})
        return self.world.chats.setdefault(chat_id, chat)

    def posts(self, channel: Chat, text: str = "", *, photo: bytes = b"") -> Message:
        """A post appears in a channel."""
        return post(self.world, channel, text, photo)

    # What the bot did

    def chat(self, chat_id: int) -> Chat:
        return self.world.chats[chat_id]

    @property
    def answers(self) -> list[Answer]:
        """The answers to pressed buttons."""
        return self.world.answers

    def called(self, method: str) -> list[Call]:
        """The calls of one method, also those that were refused."""
        return [call for call in self.calls if call.method == method]

    async def until(self, condition: Callable[[], Any], within: float = 10.0) -> None:
        """Wait until the condition holds. It is looked at whenever a call came or ended and whenever people act."""
        try:
            async with asyncio.timeout(within):
                while not condition():
                    await self._rung.wait()
        except TimeoutError:
            last = [(call.method, call.params) for call in self.calls[-5:]]
            raise AssertionError(f"not so within {within} s; the last calls were {last}") from None

    def _ring(self) -> None:
        self._rung.set()
        self._rung = asyncio.Event()

    # Misbehaviour

    def plan(self, method: str, *behaviours: Behaviour) -> None:
        """What the next calls of a method meet, one behaviour each."""
        self._plans[method].extend(behaviours)

    def _behaviour(self, call: Call) -> Behaviour | None:
        left = self._plans[call.method]
        return left.popleft() if left else self.rule(call)

    # Calls

    async def _call(self, request: web.Request) -> web.StreamResponse:
        method = self._names.get(request.match_info["method"].lower())
        try:
            params, uploads = await read_body(request)
            if request.match_info["token"] != self.token:
                return refused(UNAUTHORIZED)
            if method is None:
                return refused(NO_SUCH_METHOD)
        except Refused as error:
            return refused(error.why)
        call = Call(method, params, self._clock(), uploads)
        self.calls.append(call)
        self._ring()
        try:
            return await self._behave(request, call, self._behaviour(call))
        finally:
            self._ring()

    async def _behave(self, request: web.Request, call: Call, do: Behaviour | None) -> web.StreamResponse:
        if early := await _instead(request, do):
            return early
        answer = await self._answer(call)
        self._ring()
        if isinstance(do, Cut):
            return _cut(request)
        if isinstance(do, Slow):
            await asyncio.sleep(do.seconds)
        return answer

    async def _answer(self, call: Call) -> web.Response:
        try:
            if self.flood and (count := weight(call)):
                self.flood.check(call.chat_id, count, self._clock())
            result = getattr(self._methods, call.method)(call)
            return succeeded(await result if inspect.isawaitable(result) else result)
        except Refused as error:
            return refused(error.why)

    async def _download(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["token"] != self.token:
            return refused(UNAUTHORIZED)
        path = request.match_info["path"]
        call = Call("download", {"path": path}, self._clock())
        self.calls.append(call)
        self._ring()
        try:
            return await self._hand_out(request, path, self._behaviour(call))
        finally:
            self._ring()

    async def _hand_out(self, request: web.Request, path: str, do: Behaviour | None) -> web.StreamResponse:
        if early := await _instead(request, do):
            return early
        try:
            file, letter = self.world.files.at(path)
        except KeyError:
            return refused(NO_SUCH_PATH)
        data = await asyncio.to_thread(file.bytes_of, letter)
        if isinstance(do, Slow):
            await asyncio.sleep(do.seconds)
        return await _half(request, data) if isinstance(do, Cut) else web.Response(body=data)


async def _instead(request: web.Request, do: Behaviour | None) -> web.StreamResponse | None:
    """What comes instead of doing the call; None: it is done."""
    match do:
        case Refuse():
            return refused(do)
        case Raw():
            return web.Response(text=do.body, status=do.status, content_type=do.content_type)
        case Hang():
            await asyncio.Event().wait()
        case Cut(accepted=False):
            return _cut(request)
    return None


def _cut(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _half(request: web.Request, data: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(len(data))})
    await response.prepare(request)
    await response.write(data[: len(data) // 2])
    return _cut(request)


async def _serve(port: int) -> None:
    async with TelegramServer(port=port) as server:
        print(server.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The Bot API server in its own process.")
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(_serve(parser.parse_args().port))
