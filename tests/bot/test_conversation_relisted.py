"""Who may use the bot, changed in the settings while it runs."""

from pathlib import Path

from conversation import ANNA, OWNER, heard, settings_for, talking
from servers.telegram import TelegramServer

CARL, DORA = 9, 55
PRIVATE = "This bot is private. I"


async def test_changed_lists_are_in_force_at_once_and_what_admins_said_stays(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna, carl, dora, owner = (telegram.user(number) for number in (ANNA, CARL, DORA, OWNER))
    async with talking(tmp_path, telegram) as engine:
        carl.writes("/id")
        await heard(telegram, CARL, PRIVATE)
        owner.writes(f"/allow {DORA}")
        await heard(telegram, OWNER, str(DORA))
        changed = settings_for(tmp_path, telegram, telegram={"allowed_users": [CARL]})
        engine.changes.tell(changed)
        for person in (carl, dora):
            person.writes("/id")
        await heard(telegram, CARL, f"Your number: {CARL}")
        await heard(telegram, DORA, f"Your number: {DORA}")
        anna.writes("/id")
        await heard(telegram, ANNA, PRIVATE)
