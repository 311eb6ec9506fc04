"""The Bot API server of the tests, driven by two independent clients: what comes in."""

import asyncio
import io
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from bot_clients import CLIENTS, Client, ask, jpeg, updates
from PIL import Image
from servers.telegram import TelegramServer
from telegram import Update
from telegram.ext import ApplicationBuilder, ContextTypes, ExtBot, MessageHandler, filters

TESTS = Path(__file__).resolve().parent.parent


@pytest.fixture(params=CLIENTS)
async def client(request: pytest.FixtureRequest, telegram: TelegramServer) -> AsyncIterator[Client]:
    async with CLIENTS[request.param](telegram) as client:
        yield client


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_the_bot_learns_who_it_is(client: Client) -> None:
    me = await client.bot.get_me()
    assert (me.is_bot, me.username) == (True, "lightwork_test_bot")


async def test_an_album_comes_as_separate_updates_with_one_group_id(telegram: TelegramServer, client: Client) -> None:
    anna = telegram.user(7, language="de")
    sent = await anna.sends_album([jpeg(1), jpeg(2), jpeg(3)], "Brighter.", order=(2, 0, 1))
    messages = [update.message for update in await updates(client)]
    assert [message.message_id for message in messages] == [3, 1, 2]
    assert {message.media_group_id for message in messages} == {sent[0].media_group_id}
    assert [message.caption for message in messages] == [None, "Brighter.", None]
    assert {(message.from_user.id, message.from_user.language_code) for message in messages} == {(7, "de")}


async def test_an_album_of_files_comes_as_slowly_as_it_is_sent(telegram: TelegramServer, client: Client) -> None:
    anna = telegram.user(7)
    sending = asyncio.create_task(anna.sends_album([b"1", b"2"], ["a", "b"], gap=0.1, as_documents=True))
    (first,) = await updates(client, wait=10)
    (second,) = await updates(client, first.update_id + 1, wait=10)
    await sending
    assert [update.message.caption for update in (first, second)] == ["a", "b"]
    assert first.message.media_group_id == second.message.media_group_id
    assert await client.fetch(second.message.document.file_id) == b"2"


async def test_a_photo_is_fetched_byte_for_byte_and_in_smaller_sizes(telegram: TelegramServer, client: Client) -> None:
    data = jpeg(9, (2000, 1500))
    telegram.user(7).sends_photo(data)
    (update,) = await updates(client)
    sizes = update.message.photo
    assert [(size.width, size.height) for size in sizes] == [
        (90, 68),
        (320, 240),
        (800, 600),
        (1280, 960),
        (2000, 1500),
    ]
    assert await client.fetch(sizes[-1].file_id) == data
    assert Image.open(io.BytesIO(await client.fetch(sizes[1].file_id))).size == (320, 240)


async def test_a_document_keeps_its_name_type_and_bytes(telegram: TelegramServer, client: Client) -> None:
    telegram.user(7).sends_document(b"II*\0raw", name="Küche.tif", mime="image/tiff", caption="as it is")
    (update,) = await updates(client)
    document = update.message.document
    assert (document.file_name, document.mime_type, document.file_size) == ("Küche.tif", "image/tiff", 7)
    assert await client.fetch(document.file_id) == b"II*\0raw"


async def test_a_file_over_20_mb_cannot_be_fetched(telegram: TelegramServer, client: Client) -> None:
    telegram.user(7).sends_document(b"", name="big.png", mime="image/png", size=(20 << 20) + 1)
    (update,) = await updates(client)
    assert update.message.document.file_size == (20 << 20) + 1
    refusal = await client.refusal(client.fetch(update.message.document.file_id))
    assert refusal.words.lower() == "file is too big"


async def test_commands_and_mentions_are_marked_in_utf_16_units(telegram: TelegramServer, client: Client) -> None:
    telegram.user(7).writes("😀 /start food @lightwork_test_bot")
    (update,) = await updates(client)
    marks = [(entity.type, entity.offset, entity.length) for entity in update.message.entities]
    assert marks == [("bot_command", 3, 6), ("mention", 15, 19)]


async def test_replies_edits_forwards_and_channel_posts_are_told(telegram: TelegramServer, client: Client) -> None:
    anna = telegram.user(7)
    photo = anna.sends_photo(jpeg(), "one")
    anna.writes("warmer", reply_to=photo)
    anna.edits(photo, "two")
    anna.forwards(photo)
    anna.sends_photo(jpeg(), forwarded_from="Ben")
    telegram.posts(telegram.channel(-1001000000009), "News")
    first, reply, edit, forward, hidden, post = await updates(client)
    assert first.message.caption == "one"
    assert reply.message.reply_to_message.message_id == photo.id
    assert (edit.message, edit.edited_message.caption) == (None, "two")
    assert forward.message.forward_origin.sender_user.id == 7
    assert hidden.message.forward_origin.sender_user_name == "Ben"
    assert (post.channel_post.text, post.channel_post.from_user) == ("News", None)


async def test_in_a_group_with_privacy_the_bot_gets_only_what_is_addressed_to_it(
    telegram: TelegramServer, client: Client
) -> None:
    anna = telegram.user(7)
    group = telegram.group(-1001000000001, anna, forum=True)
    food = anna.opens_topic(group, "Food")
    anna.sends_photo(jpeg(), "just so", chat=group, thread=food)
    anna.sends_photo(jpeg(), "@lightwork_test_bot brighter", chat=group, thread=food)
    anna.writes("/help@another_bot", chat=group)
    anna.writes("/help", chat=group)
    _, photo, command = await updates(client)
    assert (photo.message.chat.type, photo.message.message_thread_id) == ("supergroup", food)
    assert command.message.text == "/help"
    answer = await client.bot.send_message(group.id, "Done", message_thread_id=food)
    assert (answer.message_thread_id, group.messages[0].thread) == (food, food)
    anna.writes("thanks", chat=group, reply_to=group.messages[0])
    assert (await updates(client))[-1].message.text == "thanks"
    refusal = await client.refusal(client.bot.send_message(group.id, "Done", message_thread_id=999))
    assert refusal.words.lower() == "message thread not found"


async def test_a_poll_returns_as_soon_as_an_update_comes(telegram: TelegramServer, client: Client) -> None:
    anna = telegram.user(7)
    polling = asyncio.create_task(updates(client, wait=30))
    await telegram.until(lambda: telegram.called("getUpdates"))
    anna.writes("hello")
    async with asyncio.timeout(2):
        (update,) = await polling
    assert update.message.text == "hello"


async def test_updates_come_again_until_they_are_confirmed(telegram: TelegramServer, client: Client) -> None:
    anna = telegram.user(7)
    anna.writes("one")
    anna.writes("two")
    first, second = await updates(client)
    assert [update.update_id for update in await updates(client)] == [first.update_id, second.update_id]
    assert [update.message.text for update in await updates(client, first.update_id + 1)] == ["two"]
    assert not await updates(client, second.update_id + 1)
    assert telegram.world.updates.confirmed == 2


async def test_allowed_updates_are_remembered(telegram: TelegramServer, client: Client) -> None:
    anna = telegram.user(7)
    await client.bot.get_updates(timeout=0, allowed_updates=["callback_query", "my_chat_member"])
    anna.writes("unwanted")
    anna.blocks_bot()
    assert [update.my_chat_member.new_chat_member.status for update in await updates(client)] == ["kicked"]


async def test_of_two_polls_at_once_the_older_ends_with_a_conflict(telegram: TelegramServer, client: Client) -> None:
    older = asyncio.create_task(client.refusal(updates(client, wait=30)))
    await telegram.until(lambda: telegram.called("getUpdates"))
    newer = asyncio.create_task(updates(client, wait=30))
    assert (await older).kind == "Conflict"
    telegram.user(7).writes("hello")
    assert len(await newer) == 1


async def test_a_wait_in_vain_tells_the_last_calls(telegram: TelegramServer, client: Client) -> None:
    await client.bot.get_me()
    with pytest.raises(AssertionError, match=r"not so within 0\.01 s; the last calls were .*getMe"):
        await telegram.until(lambda: False, within=0.01)


async def answer(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.message
    await update.message.reply_text(f"got {update.message.caption}", do_quote=True)


@asynccontextmanager
async def polling_application(telegram: TelegramServer) -> AsyncIterator[None]:
    bot = ExtBot(telegram.token, base_url=telegram.base_url, base_file_url=telegram.base_file_url)
    async with ApplicationBuilder().bot(bot).build() as app:
        app.add_handler(MessageHandler(filters.PHOTO, answer))
        assert app.updater
        await app.updater.start_polling()
        await app.start()
        yield
        await app.updater.stop()
        await app.stop()


async def test_an_application_polls_answers_and_stops(telegram: TelegramServer) -> None:
    anna = telegram.user(7)
    async with polling_application(telegram):
        photo = anna.sends_photo(jpeg(), "Brighter.")
        await telegram.until(lambda: telegram.chat(7).messages and telegram.world.updates.confirmed)
    (told,) = telegram.chat(7).messages
    assert (told.text, told.reply_to) == ("got Brighter.", photo)


async def test_it_runs_in_a_process_of_its_own_and_is_told_what_to_do(http: aiohttp.ClientSession) -> None:
    command = [sys.executable, "-m", "servers.telegram"]
    process = await asyncio.create_subprocess_exec(*command, cwd=TESTS, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout
        url = (await process.stdout.readline()).decode().strip()
        await ask(http, f"{url}/_people/7/photo?caption=Brighter.&album=1", data=jpeg())
        await ask(http, f"{url}/_plan", json={"method": "sendMessage", "plan": [{"do": "raw", "status": 500}]})
        bot = f"{url}/bot4242:TEST"
        _, told = await ask(http, f"{bot}/getUpdates")
        assert told["result"][0]["message"]["caption"] == "Brighter."  # type: ignore[index]
        async with http.post(f"{bot}/sendMessage", json={"chat_id": 7, "text": "x"}) as response:
            assert response.status == 500
        await ask(http, f"{bot}/sendMessage", json={"chat_id": 7, "text": "y"})
        async with http.get(f"{url}/_chats/7") as response:
            assert [message["text"] for message in (await response.json())["messages"]] == ["y"]
    finally:
        process.terminate()
        await process.wait()
