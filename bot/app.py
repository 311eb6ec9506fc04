"""The Telegram frontend: photos come in as messages, results go back as albums."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

from telegram import User
from telegram.error import InvalidToken, TelegramError
from telegram.ext import ExtBot
from telegram.request import HTTPXRequest

from bot.access import Access
from bot.again import Again
from bot.album import Albums
from bot.client import ChatClosed, Client, Rejected, Unreachable
from bot.commands import Commands, menus
from bot.courier import ChatCourier
from bot.desk import Desk
from bot.errand import FRONTEND
from bot.errands import Chores, Errands
from bot.extras import Extras, discard_unsent
from bot.limiter import Haste, Limiter
from bot.notice import Notices
from bot.notifier import Notifier
from bot.pace import Pace
from bot.people import People
from bot.poller import Poller
from bot.preferences import Preferences
from bot.presses import Presses
from bot.updates import Updates
from bot.upload import read_in_threads
from engine.app import Engine
from engine.delivery import Deliveries
from engine.errors import SettingsError
from engine.job import Seen
from engine.obstacles import POLL
from engine.settings import Settings
from engine.trouble import Trouble
from engine.waiting import first_of

log = logging.getLogger(__name__)

# Long enough for a slow line: a call that Telegram has accepted must not be given up before its answer.
TIMEOUT = 60.0
BASE_URL, BASE_FILE_URL = "https://api.telegram.org/bot", "https://api.telegram.org/file/bot"
CONNECT_TIMEOUT = 10.0
CONNECTIONS = 64
FIRST_DELAY, LONGEST_DELAY = 1.0, 30.0
# Duties that wait for their chat cost nothing, and must not hold up those of other chats.
IN_HAND = 2_000
GROUPS = "telegram:groups"
UPDATES, LAST = "telegram:updates", "last"
STRANGER = "Telegram does not know the token in TELEGRAM_BOT_TOKEN; copy it from @BotFather."


async def serve(engine: Engine, stop: asyncio.Event) -> None:
    """Run the bot until `stop` is set; nothing happens where the settings do not enable it."""
    if engine.settings.telegram.enabled:
        engine.health.waits(FRONTEND, "the bot has not reached Telegram yet")
        await talk(engine, stop, monotonic=time.monotonic, sleep=asyncio.sleep)


async def talk(
    engine: Engine,
    stop: asyncio.Event,
    *,
    monotonic: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]],
) -> None:
    """Run the bot with clocks of one's own: `monotonic` seconds and `sleep` keep its pace towards Telegram."""
    async with _client(engine, Limiter(Pace(), monotonic=monotonic, sleep=sleep)) as client:
        me = await _introduced(client, stop)
        if me is not None:
            await _run(engine, client, me, stop, monotonic, sleep)


def telegram_bot(settings: Settings, limiter: Limiter | None = None) -> ExtBot[Haste]:
    """The library's client for the bot of the settings. Raises SettingsError without a token."""
    token = settings.secrets.telegram_bot_token.get_secret_value()
    if not token:
        raise SettingsError(
            "[telegram] enabled = true needs the bot's token: set TELEGRAM_BOT_TOKEN to what @BotFather shows."
        )
    telegram = settings.telegram
    try:
        return ExtBot(
            token,
            base_url=telegram.base_url or BASE_URL,
            base_file_url=telegram.base_file_url or BASE_FILE_URL,
            request=_request(CONNECTIONS),
            get_updates_request=_request(1),
            local_mode=telegram.local_files,
            rate_limiter=limiter,
        )
    except InvalidToken:
        raise SettingsError("TELEGRAM_BOT_TOKEN is not a bot's token; copy it from @BotFather.") from None


def _request(connections: int) -> HTTPXRequest:
    return HTTPXRequest(
        connection_pool_size=connections,
        read_timeout=TIMEOUT,
        write_timeout=TIMEOUT,
        media_write_timeout=2 * TIMEOUT,
        connect_timeout=CONNECT_TIMEOUT,
        pool_timeout=TIMEOUT,
        httpx_kwargs={"event_hooks": {"request": [read_in_threads]}},
    )


@asynccontextmanager
async def _client(engine: Engine, limiter: Limiter) -> AsyncIterator[Client]:
    logging.getLogger("telegram.request.BaseRequest").setLevel(logging.CRITICAL)  # what it tells is raised, too
    bot = telegram_bot(engine.settings, limiter)
    kept = (await engine.store.users.get(GROUPS)).preferences

    async def keep_move(chat: int, to: int) -> None:
        await engine.store.users.prefer(GROUPS, {str(chat): to}, engine.now())

    try:
        yield Client(bot, limiter, {int(chat): to for chat, to in kept.items()}, keep_move)
    finally:
        await bot.shutdown()


async def _introduced(client: Client, stop: asyncio.Event) -> User | None:
    """Who the bot is, asked until Telegram tells it; None if LightWork is to stop before."""
    delay, trouble = FIRST_DELAY, Trouble(log)
    while not stop.is_set():
        try:
            await client.bot.initialize()
            await client.bot.delete_webhook(drop_pending_updates=False)  # else nothing could be fetched
        except InvalidToken:
            raise SettingsError(STRANGER) from None
        except TelegramError as error:
            trouble.began("start", f"Telegram cannot be reached ({type(error).__name__}); the bot waits for it.")
            await first_of((stop,), delay)
            delay = min(LONGEST_DELAY, 2 * delay)
        else:
            return client.bot.bot
    return None


async def _run(
    engine: Engine,
    client: Client,
    me: User,
    stop: asyncio.Event,
    monotonic: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]],
) -> None:
    people, notices = People(engine), Notices(engine, client, monotonic=monotonic)
    deliveries = _deliveries(engine, client, notices, people)
    engine.on_finished.extend((deliveries.wake, notices.wake))
    access, taking = await _access(engine), asyncio.Lock()
    await asyncio.to_thread(discard_unsent, engine.settings.engine.data_dir)
    log.info("the bot @%s answers", me.username)
    engine.health.works(FRONTEND)
    async with asyncio.TaskGroup() as group:
        desk = _desk(
            engine,
            client,
            people=people,
            notices=notices,
            chores=Chores(group),
            access=access,
            taking=taking,
            deliveries_wake=deliveries.wake,
        )
        engine.changes.listen(desk.relist)
        desk.chores.start(_offer_commands(client, engine.settings, sleep))
        delivering = group.create_task(deliveries.run(stop))
        poller = await _poller(engine, client, _updates(desk, me), taking)
        keeping = [
            group.create_task(work)
            for work in (
                poller.run(stop),
                desk.errands.run(stop),
                notices.run(stop),
                Notifier(engine, client, people, admins=lambda: sorted(desk.access.admins), sleep=sleep).run(),
            )
        ]
        await stop.wait()
        await _wind_up(engine, deliveries, delivering)
        for task in (*keeping, delivering):
            task.cancel()
        desk.chores.cancel()


def _deliveries(engine: Engine, client: Client, notices: Notices, people: People) -> Deliveries:
    return Deliveries(
        engine.store,
        FRONTEND,
        ChatCourier(engine, client, notices, people),
        now=engine.now,
        lock=engine.lock("telegram-deliveries"),
        in_hand=IN_HAND,
    )


def _desk(
    engine: Engine,
    client: Client,
    *,
    people: People,
    notices: Notices,
    chores: Chores,
    access: Access,
    taking: asyncio.Lock,
    deliveries_wake: Callable[[], None],
) -> Desk:
    draft_expires = engine.settings.telegram.draft_expires
    return Desk(
        engine=engine,
        client=client,
        people=people,
        albums=Albums(engine),
        errands=Errands(engine, client, notices, chores, taking=taking, draft_expires=draft_expires),
        notices=notices,
        again=Again(engine, random.SystemRandom()),
        chores=chores,
        access=access,
        deliveries_wake=deliveries_wake,
    )


def _updates(desk: Desk, me: User) -> Updates:
    extras, preferences = Extras(desk), Preferences(desk)
    commands = Commands(desk, extras, preferences, lambda: me)
    return Updates(desk, commands, Presses(desk, preferences, extras), lambda: me)


async def _poller(engine: Engine, client: Client, updates: Updates, taking: asyncio.Lock) -> Poller:
    """Which update was the last is kept as what was seen last, with its number for a size."""
    kept = (await engine.store.seen.get(UPDATES, [LAST])).get(LAST)

    async def keep_last(update: int) -> None:
        await engine.store.seen.remember([Seen(UPDATES, LAST, update, 0, "")], engine.now())

    return Poller(
        client.bot,
        updates.keep,
        now=engine.now,
        taking=taking,
        last=kept.size if kept else 0,
        keep_last=keep_last,
        on_rival=partial(engine.obstacles.meet, POLL),
    )


async def _wind_up(engine: Engine, deliveries: Deliveries, delivering: asyncio.Task[None]) -> None:
    """Hand over what is finished, as far as that goes within the grace time; the next start does the rest."""
    await engine.idle.wait()
    try:
        async with asyncio.timeout(engine.settings.engine.grace.total_seconds()):
            await asyncio.shield(delivering)
            while await deliveries.hand_over_due():
                pass
    except TimeoutError:
        log.warning("some results could not be sent in time; that is done at the next start")


async def _access(engine: Engine) -> Access:
    """The lists of the settings, with what admins have changed."""
    access = Access.of(engine.settings.telegram)
    for user in await engine.store.users.list():
        kind, _, number = user.id.partition(":")
        match user.preferences.get("access") if kind == "telegram" and number.lstrip("-").isdecimal() else None:
            case "allowed":
                access = access.allowing(int(number))
            case "denied":
                access = access.denying(int(number))
    return access


async def _offer_commands(client: Client, settings: Settings, sleep: Callable[[float], Awaitable[None]]) -> None:
    """Tell Telegram the commands. An admin who has not written to the bot yet has no chat for them."""
    left, delay = menus(settings.telegram.admins), FIRST_DELAY
    while left:
        scope, language, commands = left[0]
        try:
            with suppress(ChatClosed, Rejected):
                await client.offer(commands, scope, language)
            del left[0]
        except Unreachable as error:
            log.debug("the commands are offered later: %s", error)
            await sleep(delay)
            delay = min(LONGEST_DELAY, 2 * delay)
