"""The bot sends what is finished before it ends."""

from pathlib import Path

from conversation import ANNA, BEN, said, talking
from hot_folder import photo
from servers.gemini import GeminiServer
from servers.gemini_behaviours import Answer, Hang
from servers.telegram import TelegramServer
from servers.telegram_behaviours import Slow


async def test_results_get_the_grace_time_for_themselves_when_the_pictures_have_had_theirs(
    telegram: TelegramServer, tmp_path: Path
) -> None:
    telegram.plan("sendPhoto", Slow(3.5))
    async with GeminiServer(echo=False) as gemini:
        gemini.default = Hang()
        async with talking(tmp_path, telegram, gemini=gemini.url, model="nano_banana", grace="3s"):
            telegram.user(BEN).sends_photo(photo(1), caption="Warmer.")
            await gemini.arrived.wait()
            gemini.default = Answer()
            telegram.user(ANNA).sends_photo(photo(2), caption="Colder.")
            await telegram.until(lambda: telegram.called("sendPhoto"), 30)
    assert said(telegram, ANNA, "Done.")
