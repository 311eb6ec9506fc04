"""The Bot API server of the tests, driven by two independent clients: what goes out."""

import io
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from bot_clients import CLIENTS, Client, ask, jpeg, keyboard, python_telegram_bot, updates
from servers.telegram import TelegramServer
from servers.telegram_chats import Button
from servers.telegram_methods import REACTIONS
from telegram import BotCommand, BotCommandScopeChat
from telegram.constants import ReactionEmoji
from telegram.error import BadRequest

NOT_MODIFIED = "message is not modified"


@pytest.fixture(params=CLIENTS)
async def client(request: pytest.FixtureRequest, telegram: TelegramServer) -> AsyncIterator[Client]:
    async with CLIENTS[request.param](telegram) as client:
        yield client


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_a_photo_goes_out_with_caption_buttons_and_reply(telegram: TelegramServer, client: Client) -> None:
    anna, data = telegram.user(7), jpeg(3)
    asked = anna.sends_photo(jpeg())
    told = await client.bot.send_photo(
        7,
        data,
        caption="<b>1/2</b> &lt;nice&gt;",
        parse_mode="HTML",
        reply_markup=keyboard(client, [("Redo", "v1:7:redo")], [("ZIP", "v1:7:zip")]),
        reply_to_message_id=asked.id,
    )
    (message,) = telegram.chat(7).messages
    assert (message.kind, message.data, message.text, message.reply_to) == ("photo", data, "1/2 <nice>", asked)
    assert message.buttons == [Button("Redo", "v1:7:redo"), Button("ZIP", "v1:7:zip")]
    assert told.caption_entities[0].type == "bold"
    assert told.photo[-1].width == 640
    again = await client.bot.send_photo(7, told.photo[-1].file_id)
    assert again.photo[-1].file_unique_id == told.photo[-1].file_unique_id
    assert telegram.chat(7).messages[1].data == data


async def test_albums_go_out_as_photos_and_as_documents(telegram: TelegramServer, client: Client) -> None:
    telegram.user(7)
    pictures = [jpeg(1), jpeg(2), jpeg(3)]
    told = await client.bot.send_media_group(7, [client.photo(data, f"no. {n}") for n, data in enumerate(pictures)])
    assert len({message.media_group_id for message in told}) == 1
    sent = telegram.chat(7).messages
    assert [(message.data, message.text) for message in sent] == [(d, f"no. {n}") for n, d in enumerate(pictures)]
    await client.bot.send_media_group(7, [client.document(data, f"{n}.png") for n, data in enumerate(pictures)])
    files = telegram.chat(7).messages[3:]
    assert [(message.kind, message.name, message.data) for message in files] == [
        ("document", f"{number}.png", data) for number, data in enumerate(pictures)
    ]
    assert {message.media_group_id for message in files} != {told[0].media_group_id}
    again = await client.bot.send_media_group(7, [client.photo(message.photo[-1].file_id) for message in told])
    assert [message.photo[-1].file_unique_id for message in again] == [m.photo[-1].file_unique_id for m in told]


async def test_albums_that_break_the_rules_are_refused_whole(telegram: TelegramServer, client: Client) -> None:
    telegram.user(7)
    albums = {
        "document can't be mixed with other media types": [client.photo(jpeg()), client.document(b"x", "x.png")],
        "too many messages to send as an album": [client.photo(jpeg())] * 11,
        "an album must include 2-10 items": [client.photo(jpeg())],
        "image_process_failed": [client.photo(jpeg()), client.photo(b"no picture")],
    }
    for words, album in albums.items():
        assert (await client.refusal(client.bot.send_media_group(7, album))).words.lower() == words
    assert telegram.chat(7).messages == []


async def test_limits_are_refused_in_the_words_of_the_service(telegram: TelegramServer, client: Client) -> None:
    telegram.user(7)
    bot = client.bot
    cases = {
        "message is too long": lambda: bot.send_message(7, "x" * 4097),
        "message caption is too long": lambda: bot.send_photo(7, jpeg(), caption="x" * 1025),
        "button_data_invalid": lambda: bot.send_message(7, "x", reply_markup=keyboard(client, [("Go", "ü" * 33)])),
        "photo_invalid_dimensions": lambda: bot.send_photo(7, jpeg(size=(2100, 100))),
        "wrong file identifier/http url specified": lambda: bot.send_photo(7, "AgACw-unknown"),
        "can't parse entities: unclosed start tag": lambda: bot.send_message(7, "a < b", parse_mode="HTML"),
        "can't parse entities: unsupported start tag": lambda: bot.send_message(7, "<x>", parse_mode="HTML"),
        "can't parse entities: can't find end tag": lambda: bot.send_message(7, "<b>bold", parse_mode="HTML"),
        "message text is empty": lambda: bot.send_message(7, " "),
        "chat not found": lambda: bot.send_message(8, "x"),
    }
    for words, call in cases.items():
        assert (await client.refusal(call())).words.lower().startswith(words)
    assert telegram.chat(7).messages == []


async def test_what_just_fits_is_taken(telegram: TelegramServer, client: Client) -> None:
    telegram.user(7)
    await client.bot.send_message(7, "😀" * 4096)
    await client.bot.send_photo(7, jpeg(), caption="я" * 1024)
    await client.bot.send_message(7, "x", reply_markup=keyboard(client, [("Go", "ü" * 32)]))
    assert [len(message.text) for message in telegram.chat(7).messages] == [4096, 1024, 1]


async def test_uploads_that_are_too_large_are_refused(telegram: TelegramServer, client: Client) -> None:
    telegram.user(7)
    photo = jpeg() + bytes(10 << 20)
    too_big = await client.refusal(client.bot.send_photo(7, io.BytesIO(photo)))
    assert too_big.words.lower().startswith(f"file of size {len(photo)} bytes is too big for a photo; the maximum")
    too_big = await client.refusal(client.bot.send_document(7, io.BytesIO(bytes((50 << 20) + 1))))
    assert too_big.words.lower() == "request entity too large"
    await client.bot.send_document(7, io.BytesIO(photo))
    assert [len(message.data) for message in telegram.chat(7).messages] == [len(photo)]


async def test_a_message_is_edited_and_deleted(telegram: TelegramServer, client: Client) -> None:
    telegram.user(7)
    sent = await client.bot.send_message(7, "1/4", reply_markup=keyboard(client, [("Cancel", "c")]))
    edit = {"chat_id": 7, "message_id": sent.message_id}
    await client.bot.edit_message_text("2/4", **edit, reply_markup=keyboard(client, [("Cancel", "c")]))
    unchanged = client.bot.edit_message_text("2/4", **edit, reply_markup=keyboard(client, [("Cancel", "c")]))
    assert NOT_MODIFIED in (await client.refusal(unchanged)).words.lower()
    await client.bot.edit_message_reply_markup(**edit, reply_markup=keyboard(client, [("Redo", "r")]))
    (message,) = telegram.chat(7).messages
    assert (message.text, message.edits, message.labels) == ("2/4", 2, [["Redo"]])
    await client.bot.delete_message(7, sent.message_id)
    assert telegram.chat(7).messages == []
    gone = await client.refusal(client.bot.edit_message_text("3/4", **edit))
    assert gone.words.lower() == "message to edit not found"
    gone = await client.refusal(client.bot.delete_message(7, sent.message_id))
    assert gone.words.lower() == "message to delete not found"


async def test_a_reply_to_what_is_gone_needs_leave(telegram: TelegramServer, client: Client) -> None:
    anna = telegram.user(7)
    photo = anna.sends_photo(jpeg())
    anna.deletes(photo)
    refusal = await client.refusal(client.bot.send_message(7, "x", reply_to_message_id=photo.id))
    assert refusal.words.lower() == "message to be replied not found"
    await client.bot.send_message(7, "y", reply_to_message_id=photo.id, allow_sending_without_reply=True)
    assert [(message.text, message.reply_to) for message in telegram.chat(7).messages] == [("y", None)]


async def test_a_pressed_button_is_answered_and_an_old_one_is_not(telegram: TelegramServer, client: Client) -> None:
    anna = telegram.user(7)
    await client.bot.send_message(7, "Ready?", reply_markup=keyboard(client, [("Start", "v1:7:start")]))
    (message,) = telegram.chat(7).messages
    press = anna.presses(message, "Start")
    late = anna.presses(message, "v1:7:start")
    late.expires()
    anna.forges_press(message, "v1:8:start")
    queries = [update.callback_query for update in await updates(client)]
    assert [query.data for query in queries] == ["v1:7:start", "v1:7:start", "v1:8:start"]
    assert queries[0].message.message_id == message.id
    await client.bot.answer_callback_query(queries[0].id, "Started", show_alert=True)
    assert [(answer.text, answer.alert) for answer in press.answers] == [("Started", True)]
    refusal = await client.refusal(client.bot.answer_callback_query(queries[1].id))
    assert refusal.words.lower() == "query is too old and response timeout expired or query id is invalid"
    with pytest.raises(AssertionError, match="no button 'Stop'"):
        anna.presses(message, "Stop")


async def test_a_caption_is_edited_and_a_button_of_a_deleted_message_is_told_without_it(
    telegram: TelegramServer, client: Client
) -> None:
    anna = telegram.user(7)
    sent = await client.bot.send_photo(7, jpeg(), caption="1/2", reply_markup=keyboard(client, [("Redo", "r")]))
    await client.bot.edit_message_caption(chat_id=7, message_id=sent.message_id, caption="2/2")
    (message,) = telegram.chat(7).messages
    assert (message.text, message.buttons, message.edits) == ("2/2", [], 1)
    refusal = await client.refusal(client.bot.edit_message_text("x", chat_id=7, message_id=sent.message_id))
    assert refusal.words.lower() == "there is no text in the message to edit"
    await client.bot.delete_messages(7, [sent.message_id])
    anna.forges_press(message, "r")
    (update,) = await updates(client)
    gone = update.callback_query.message
    assert (gone.message_id, gone.chat.id, bool(getattr(gone, "photo", None))) == (sent.message_id, 7, False)


async def test_reactions_are_set_if_the_service_has_them(telegram: TelegramServer, client: Client) -> None:
    photo = telegram.user(7).sends_photo(jpeg())
    await client.react(7, photo.id, "👀")
    assert telegram.chat(7).reactions == {photo.id: ["👀"]}
    assert (await client.refusal(client.react(7, photo.id, "🥑"))).words.lower() == "reaction_invalid"
    assert (await client.refusal(client.react(7, 99, "👀"))).words.lower() == "message to react not found"


async def test_what_a_chat_is_and_who_is_in_it(telegram: TelegramServer, client: Client) -> None:
    anna, ben = telegram.user(7, name="Anna"), telegram.user(8, name="Ben")
    group = telegram.group(-1001000000001, anna, title="Kitchen")
    assert (await client.bot.get_chat(group.id)).title == "Kitchen"
    assert (await client.bot.get_chat(7)).first_name == "Anna"
    assert (await client.bot.get_chat_member(group.id, anna.id)).status == "member"
    assert (await client.bot.get_chat_member(group.id, ben.id)).status == "left"
    await client.bot.send_chat_action(7, "upload_photo")
    assert telegram.chat(7).actions == ["upload_photo"]


async def test_a_method_is_called_by_query_form_and_json_alike(
    telegram: TelegramServer, http: aiohttp.ClientSession
) -> None:
    telegram.user(7)
    send = f"{telegram.base_url}{telegram.token}/sendMessage"
    markup = {"inline_keyboard": [[{"text": "Go", "callback_data": "g"}]]}
    async with http.get(send, params={"chat_id": 7, "text": "query"}) as response:
        assert response.status == 200
    await ask(http, send, data={"chat_id": "7", "text": "form", "reply_markup": json.dumps(markup)})
    await ask(http, send, json={"chat_id": 7, "text": "json", "reply_markup": markup})
    status, told = await ask(http, send, data={"chat_id": "7", "text": "bad", "reply_markup": "{"})
    assert (status, told["description"]) == (400, "Bad Request: can't parse reply keyboard markup JSON object")  # type: ignore[index]
    sent = telegram.chat(7).messages
    assert [(message.text, message.labels) for message in sent] == [
        ("query", []),
        ("form", [["Go"]]),
        ("json", [["Go"]]),
    ]
    assert [call.params["chat_id"] for call in telegram.called("sendMessage")] == [7, 7, 7]


async def test_commands_are_kept_for_each_scope_and_language(telegram: TelegramServer) -> None:
    telegram.user(7)
    async with python_telegram_bot(telegram) as client:
        await client.bot.set_my_commands([BotCommand("start", "Los")], language_code="de")
        await client.bot.set_my_commands([BotCommand("stats", "Numbers")], scope=BotCommandScopeChat(7))
        assert [one.description for one in await client.bot.get_my_commands(language_code="de")] == ["Los"]
        assert [one.command for one in await client.bot.get_my_commands(scope=BotCommandScopeChat(7))] == ["stats"]
        assert await client.bot.get_my_commands() == ()
        with pytest.raises(BadRequest, match=r"(?i)bot_command_invalid"):
            await client.bot.set_my_commands([BotCommand("Start", "x")])


def test_the_reactions_are_those_that_the_service_has() -> None:
    assert {emoji.value.replace("\ufe0f", "") for emoji in ReactionEmoji} == REACTIONS
