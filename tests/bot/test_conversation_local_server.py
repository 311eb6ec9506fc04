"""A Bot API server of one's own: it hands out paths on this computer instead of bytes, and larger files."""

import json
from pathlib import Path

from conversation import ANNA, heard, sent, talking
from hot_folder import photo
from servers.telegram import TelegramServer
from servers.telegram_behaviours import Raw


def hands_out(path: Path) -> Raw:
    """The answer to getFile of a server that was started with --local."""
    file = {"file_id": "BQACBIG", "file_unique_id": "AgADBIG", "file_size": path.stat().st_size, "file_path": str(path)}
    return Raw(200, json.dumps({"ok": True, "result": file}), "application/json")


async def test_a_file_of_more_than_20_mb_is_read_from_the_servers_disk(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)
    path = tmp_path / "from telegram.jpg"
    path.write_bytes(photo(1, (300, 200)))
    telegram.plan("getFile", hands_out(path))
    async with talking(tmp_path, telegram, telegram={"local_files": True}):
        anna.sends_document(b"", name="huge.jpg", mime="image/jpeg", size=30_000_000, caption="Warmer.")
        await heard(telegram, ANNA, "Done.")
        assert [one.name for one in sent(telegram, ANNA, "document")] == ["huge.jpg"]
    assert telegram.called("download") == []


async def test_the_limit_of_the_settings_still_holds(telegram: TelegramServer, tmp_path: Path) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram, telegram={"local_files": True}):
        anna.sends_document(b"", name="huge.jpg", mime="image/jpeg", size=60_000_000, caption="Warmer.")
        await heard(telegram, ANNA, "huge.jpg: The file is larger than Telegram lets me have.")
    assert telegram.called("getFile") == []
