"""What `lightwork check` says about the bot."""

import asyncio
from collections.abc import Iterator

from telegram import User, WebhookInfo
from telegram.error import InvalidToken, TelegramError

from bot.app import telegram_bot
from engine.check import Finding
from engine.errors import SettingsError
from engine.settings import Settings, TelegramSettings

SUBJECT = "Telegram"


def findings(settings: Settings) -> list[Finding]:
    """Token, name, privacy mode and who may use the bot; one line if it is not enabled."""
    if not settings.telegram.enabled:
        advice = "Set [telegram] enabled = true and TELEGRAM_BOT_TOKEN to use the bot."
        return [Finding(False, SUBJECT, "not enabled", advice, needed=False)]
    return [*_bot(settings), *_lists(settings.telegram)]


def _bot(settings: Settings) -> Iterator[Finding]:
    try:
        me, webhook = asyncio.run(_asked(settings))
    except SettingsError as error:
        yield Finding(False, f"{SUBJECT} token", str(error))
        return
    except InvalidToken:
        yield Finding(False, f"{SUBJECT} token", "Telegram does not know it", "Copy it from @BotFather.")
        return
    except TelegramError as error:
        found = f"Telegram cannot be reached ({type(error).__name__})"
        yield Finding(False, f"{SUBJECT} token", found, "Check the network, and telegram.base_url if it is set.")
        return
    yield Finding(True, f"{SUBJECT} token", f"belongs to @{me.username} ({me.first_name})")
    if me.can_read_all_group_messages:
        found = "off: in groups the bot is sent everything that is written"
        yield Finding(False, "privacy mode", found, "Switch it on: @BotFather, /setprivacy.", needed=False)
    else:
        yield Finding(True, "privacy mode", "on: in groups the bot gets only what is meant for it")
    if webhook.url:
        found = "another program gets this bot's messages through a webhook; `lightwork run` takes it away"
        yield Finding(False, "webhook", found, "End that program, or use a bot of its own for it.", needed=False)


async def _asked(settings: Settings) -> tuple[User, WebhookInfo]:
    async with telegram_bot(settings) as bot:
        return bot.bot, await bot.get_webhook_info()


def _lists(telegram: TelegramSettings) -> Iterator[Finding]:
    people, chats = len({*telegram.allowed_users, *telegram.admins}), len(telegram.allowed_chats)
    if not people and not chats:
        advice = "Write to the bot: it answers with your number. Put that into telegram.allowed_users or admins."
        yield Finding(False, "who may use the bot", "nobody", advice)
        return
    yield Finding(True, "who may use the bot", f"people: {people}, groups: {chats}, admins: {len(telegram.admins)}")
    if not telegram.admins:
        yield Finding(
            False, "admins", "none: nobody has /stats, /allow, /deny and /queue", "Set telegram.admins.", needed=False
        )
