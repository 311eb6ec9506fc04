"""The Bot API server of the tests when all is not well."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable

import aiohttp
import pytest
from bot_clients import CLIENTS, Client, ask, jpeg, python_telegram_bot, updates
from servers.telegram import TelegramServer
from servers.telegram_behaviours import BAD_GATEWAY, BROKEN, Cut, Flood, Hang, Raw, Slow, flood
from telebot.asyncio_helper import RequestTimeout
from telegram.error import BadRequest, ChatMigrated, NetworkError, RetryAfter, TimedOut

# python-telegram-bot warns with each RetryAfter that its type will change
pytestmark = pytest.mark.filterwarnings("ignore:.*retry_after:telegram.warnings.PTBDeprecationWarning")


# Refusals


@pytest.fixture(params=CLIENTS)
async def client(request: pytest.FixtureRequest, telegram: TelegramServer) -> AsyncIterator[Client]:
    async with CLIENTS[request.param](telegram) as client:
        yield client


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_a_planned_429_is_read_as_retry_after_and_the_next_call_is_done(
    telegram: TelegramServer, client: Client
) -> None:
    telegram.user(7)
    telegram.plan("sendMessage", flood(17))
    refusal = await client.refusal(client.bot.send_message(7, "x"))
    assert (refusal.kind, refusal.wait) == ("RetryAfter", 17)
    await client.bot.send_message(7, "y")
    assert [message.text for message in telegram.chat(7).messages] == ["y"]
    assert len(telegram.called("sendMessage")) == 2


async def test_a_user_who_blocks_the_bot_is_out_of_reach_until_unblocking(
    telegram: TelegramServer, client: Client
) -> None:
    anna = telegram.user(7)
    anna.blocks_bot()
    refusal = await client.refusal(client.bot.send_photo(7, jpeg()))
    assert (refusal.kind, refusal.words) == ("Forbidden", "Forbidden: bot was blocked by the user")
    anna.unblocks_bot()
    await client.bot.send_photo(7, jpeg())
    statuses = [update.my_chat_member.new_chat_member.status for update in await updates(client)]
    assert statuses == ["kicked", "member"]


async def test_a_deleted_account_and_a_group_that_threw_the_bot_out_are_forbidden(
    telegram: TelegramServer, client: Client
) -> None:
    anna = telegram.user(7)
    group = telegram.group(-1001000000001, anna)
    anna.removes_bot(group)
    assert "kicked from the supergroup" in (await client.refusal(client.bot.send_message(group.id, "x"))).words
    anna.adds_bot(group)
    await client.bot.send_message(group.id, "x")
    anna.deletes_account()
    assert "user is deactivated" in (await client.refusal(client.bot.send_message(7, "x"))).words


async def test_a_group_that_became_a_supergroup_names_its_new_id(telegram: TelegramServer, client: Client) -> None:
    anna = telegram.user(7)
    group = telegram.group(-500, anna, privacy=False)
    upgraded = anna.upgrades(group, to=-1001000000500)
    assert "supergroup" in (await client.refusal(client.bot.send_message(-500, "x"))).words
    moved, arrived = [update.message for update in await updates(client)]
    assert (moved.migrate_to_chat_id, arrived.migrate_from_chat_id) == (upgraded.id, -500)
    await client.bot.send_message(upgraded.id, "x")
    assert [message.text for message in upgraded.messages] == ["x"]


async def test_the_new_id_is_in_the_error(telegram: TelegramServer) -> None:
    anna = telegram.user(7)
    anna.upgrades(telegram.group(-500, anna), to=-1001000000500)
    async with python_telegram_bot(telegram) as client:
        with pytest.raises(ChatMigrated) as caught:
            await client.bot.send_message(-500, "x")
    assert caught.value.new_chat_id == -1001000000500


async def test_errors_of_the_service_are_network_errors(telegram: TelegramServer) -> None:
    telegram.user(7)
    telegram.plan("sendMessage", BROKEN, BAD_GATEWAY, Raw())
    async with python_telegram_bot(telegram) as client:
        for words in ("Internal Server Error", "Bad Gateway", "502"):
            with pytest.raises(NetworkError, match=words) as caught:
                await client.bot.send_message(7, "x")
            assert not isinstance(caught.value, BadRequest)
    assert telegram.chat(7).messages == []


async def test_a_wrong_token_and_an_unknown_method_are_told_apart(
    telegram: TelegramServer, http: aiohttp.ClientSession
) -> None:
    unauthorized = {"ok": False, "error_code": 401, "description": "Unauthorized"}
    assert await ask(http, f"{telegram.base_url}1:WRONG/getMe") == (401, unauthorized)
    status, told = await ask(http, f"{telegram.base_url}{telegram.token}/sendPizza")
    assert (status, told) == (404, {"ok": False, "error_code": 404, "description": "Not Found: method not found"})
    async with http.get(f"{telegram.base_file_url}{telegram.token}/photos/file_1.jpg") as response:
        assert response.status == 404
    assert telegram.calls[0].method == "download"


# Lines


async def test_a_call_that_was_accepted_before_the_line_was_cut_is_done(telegram: TelegramServer) -> None:
    telegram.user(7)
    telegram.plan("sendMessage", Cut(), Cut(accepted=False))
    async with python_telegram_bot(telegram) as client:
        for text in ("heard", "not heard"):
            with pytest.raises(NetworkError):
                await client.bot.send_message(7, text)
    assert [message.text for message in telegram.chat(7).messages] == ["heard"]


async def test_a_slow_answer_and_none_at_all_time_out_but_only_the_slow_one_is_done(telegram: TelegramServer) -> None:
    telegram.user(7)
    telegram.plan("sendMediaGroup", Slow(5), Hang())
    async with python_telegram_bot(telegram, media_write_timeout=0.2, read_timeout=0.2) as client:
        for caption in ("done", "never"):
            with pytest.raises(TimedOut):
                await client.bot.send_media_group(7, [client.photo(jpeg(), caption), client.photo(jpeg(), caption)])
    assert [message.text for message in telegram.chat(7).messages] == ["done", "done"]


async def test_a_download_can_break_off(telegram: TelegramServer) -> None:
    telegram.user(7).sends_photo(jpeg())
    telegram.plan("download", Cut())
    async with python_telegram_bot(telegram) as client:
        (update,) = await updates(client)
        with pytest.raises(NetworkError):
            await client.fetch(update.message.photo[-1].file_id)
        assert await client.fetch(update.message.photo[-1].file_id) == jpeg()


async def test_while_it_is_down_nobody_connects_and_afterwards_nothing_is_forgotten(
    telegram: TelegramServer, client: Client
) -> None:
    anna = telegram.user(7)
    await client.bot.send_message(7, "before")
    await telegram.goes_down()
    anna.writes("anybody there?")
    with pytest.raises((NetworkError, RequestTimeout)):
        await client.bot.send_message(7, "meanwhile")
    await telegram.comes_up()
    assert [update.message.text for update in await updates(client)] == ["anybody there?"]
    await client.bot.send_message(7, "after")
    assert [message.text for message in telegram.chat(7).messages] == ["before", "after"]


async def test_a_poll_that_its_client_left_is_no_conflict_and_loses_nothing(
    telegram: TelegramServer, http: aiohttp.ClientSession
) -> None:
    poll = f"{telegram.base_url}{telegram.token}/getUpdates"
    left = asyncio.create_task(ask(http, poll, data={"timeout": 30}))
    await telegram.until(lambda: telegram.called("getUpdates"))
    left.cancel()
    await telegram.until(lambda: not telegram.world.updates.is_polled)
    telegram.user(7).writes("hello")
    status, told = await ask(http, poll, json={"timeout": 30})
    assert status == 200
    assert "hello" in json.dumps(told)


# Flood


class Hand:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_chat_is_flooded_by_more_messages_than_its_pace() -> None:
    clock = Hand()
    async with TelegramServer(flood=Flood(), clock=clock) as telegram, python_telegram_bot(telegram) as client:
        telegram.user(7)
        telegram.user(8)
        sent = await client.bot.send_message(7, "one")
        edit = client.bot.edit_message_text("two", chat_id=7, message_id=sent.message_id)
        assert (await client.refusal(edit)).wait == 1
        await client.bot.send_message(8, "another chat")
        clock.now = 1.0
        await client.bot.send_media_group(7, [client.photo(jpeg())] * 5)
        clock.now = 2.0
        assert (await client.refusal(client.bot.send_message(7, "too early"))).wait == 4
        clock.now = 6.0
        await client.bot.send_message(7, "now")
        assert [message.text for message in telegram.chat(7).messages] == ["one", "", "", "", "", "", "now"]


async def test_a_group_has_twenty_messages_a_minute_and_all_chats_together_thirty_a_second() -> None:
    clock = Hand()
    flood = Flood(private=((100, 100),))
    async with TelegramServer(flood=flood, clock=clock) as telegram, python_telegram_bot(telegram) as client:
        group = telegram.group(-1001000000001, telegram.user(7))
        got = []
        for second in range(60):
            clock.now = float(second)
            got.append(await is_taken(client.bot.send_message(group.id, "x")))
        assert got[:20] == [True] * 20
        assert got.count(True) == 20 + 59 // 3
        clock.now = 100.0
        assert [await is_taken(client.bot.send_message(7, "x")) for _ in range(31)] == [True] * 30 + [False]


async def is_taken(call: Awaitable[object]) -> bool:
    try:
        await call
    except RetryAfter:
        return False
    return True
