"""What `lightwork check` says about the bot."""

import asyncio
import json
from pathlib import Path

import pytest
from servers.telegram import TelegramServer
from servers.telegram_behaviours import BAD_GATEWAY, NO_SUCH_PATH, Raw
from servers.telegram_methods import ABILITIES
from servers.telegram_world import BOT

from bot.check import findings
from engine.commands.check import check
from engine.settings import Settings


async def checked(folder: Path, server: TelegramServer, *settings: str, token: str | None = None) -> tuple[int, str]:
    """The exit code and what is said, with further lines of the section [telegram]."""
    config = folder / "config.toml"
    lines = [
        f'engine = {{ data_dir = "{folder / "data"}", model = "local" }}',
        "[telegram]",
        "enabled = true",
        f'base_url = "{server.base_url}"',
        f'base_file_url = "{server.base_file_url}"',
        *settings,
    ]
    await asyncio.to_thread(config.write_text, "\n".join(lines))
    said: list[str] = []
    environ = {"TELEGRAM_BOT_TOKEN": server.token if token is None else token}
    code = await asyncio.to_thread(check, config, environ, folder, said.append)
    return code, "\n".join(said)


def answer(**result: object) -> Raw:
    return Raw(200, json.dumps({"ok": True, "result": result}), "application/json")


async def test_a_bot_that_is_set_up_well_is_named_with_who_may_use_it(telegram: TelegramServer, tmp_path: Path) -> None:
    code, said = await checked(
        tmp_path, telegram, "allowed_users = [7, 8]", "allowed_chats = [-100]", "admins = [1, 7]"
    )
    assert "✓ Telegram token: belongs to @lightwork_test_bot (LightWork)" in said
    assert "✓ privacy mode: on" in said
    assert "✓ who may use the bot: people: 3, groups: 1, admins: 2" in said
    assert "webhook" not in said
    assert code == 0


async def test_privacy_mode_that_is_off_is_told_but_is_no_fault(telegram: TelegramServer, tmp_path: Path) -> None:
    telegram.plan("getMe", answer(**BOT, **ABILITIES | {"can_read_all_group_messages": True}))
    code, said = await checked(tmp_path, telegram, "admins = [1]")
    assert "○ privacy mode: off: in groups the bot is sent everything" in said
    assert "/setprivacy" in said
    assert code == 0


async def test_a_webhook_of_another_program_is_told(telegram: TelegramServer, tmp_path: Path) -> None:
    webhook = {"url": "https://hook.example/x", "has_custom_certificate": False, "pending_update_count": 3}
    telegram.plan("getWebhookInfo", answer(**webhook))
    code, said = await checked(tmp_path, telegram, "admins = [1]")
    assert "○ webhook: another program gets this bot's messages" in said
    assert "hook.example" not in said, "such an address often holds a secret"
    assert code == 0


async def test_a_check_only_looks(telegram: TelegramServer, tmp_path: Path) -> None:
    await checked(tmp_path, telegram, "admins = [1]")
    assert {call.method for call in telegram.calls} == {"getMe", "getWebhookInfo"}


async def test_a_bot_that_nobody_may_use_is_a_fault(telegram: TelegramServer, tmp_path: Path) -> None:
    code, said = await checked(tmp_path, telegram)
    assert "✗ who may use the bot: nobody" in said
    assert "it answers with your number" in said
    assert code == 1


async def test_a_bot_without_admins_is_told_but_is_no_fault(telegram: TelegramServer, tmp_path: Path) -> None:
    code, said = await checked(tmp_path, telegram, "allowed_users = [7]")
    assert "○ admins: none" in said
    assert code == 0


async def test_a_missing_token_is_asked_for(telegram: TelegramServer, tmp_path: Path) -> None:
    code, said = await checked(tmp_path, telegram, "admins = [1]", token="")
    assert "✗ Telegram token: " in said
    assert "TELEGRAM_BOT_TOKEN" in said
    assert "@BotFather" in said
    assert code == 1
    assert telegram.calls == []


@pytest.mark.parametrize(
    "token", ["nonsense", "1:2:3", "4242:", "42 42:TEST", "4242:TÉST🍰", "../getMe", "4242:A/B?C#D"]
)
async def test_a_token_that_is_none_is_told_and_not_shown(telegram: TelegramServer, tmp_path: Path, token: str) -> None:
    code, said = await checked(tmp_path, telegram, "admins = [1]", token=token)
    assert "✗ Telegram token: " in said
    assert "@BotFather" in said
    assert token not in said
    assert "Traceback" not in said
    assert code == 1


async def test_a_token_that_telegram_does_not_know_is_told_and_not_shown(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    unknown = ":".join(("4242", "ANOTHERsecretONE"))
    code, said = await checked(tmp_path, telegram, "admins = [1]", token=unknown)
    assert "✗ Telegram token: Telegram does not know it\n    Copy it from @BotFather." in said
    assert "ANOTHERsecretONE" not in said
    assert code == 1


async def test_a_server_that_is_away_is_told(telegram: TelegramServer, tmp_path: Path) -> None:
    await telegram.goes_down()
    code, said = await checked(tmp_path, telegram, "admins = [1]")
    assert "✗ Telegram token: Telegram cannot be reached (NetworkError)" in said
    assert "telegram.base_url" in said
    assert telegram.token not in said
    assert "✓ who may use the bot" in said, "the rest is checked all the same"
    assert code == 1


@pytest.mark.parametrize("trouble", [BAD_GATEWAY, Raw(), Raw(200, "<html>Sign in to the hotel's network</html>")])
async def test_what_is_no_answer_of_telegrams_is_told(telegram: TelegramServer, tmp_path: Path, trouble: Raw) -> None:
    telegram.plan("getMe", trouble)
    code, said = await checked(tmp_path, telegram, "admins = [1]")
    assert "✗ Telegram token: Telegram cannot be reached" in said
    assert "html" not in said
    assert code == 1


async def test_an_address_where_no_bot_api_is_found_is_told(telegram: TelegramServer, tmp_path: Path) -> None:
    telegram.plan("getMe", NO_SUCH_PATH)
    code, said = await checked(tmp_path, telegram, "admins = [1]")
    assert "✗ Telegram token: " in said
    assert code == 1


def test_a_bot_that_is_not_enabled_is_one_line_and_no_fault() -> None:
    (finding,) = findings(Settings())
    assert str(finding).startswith("○ Telegram: not enabled\n")
    assert not finding.needed
