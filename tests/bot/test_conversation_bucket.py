"""A conversation with the bot while blobs are in a bucket."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conversation import ANNA, heard, kept, said, sent, talking
from hot_folder import files, photo
from PIL import Image as Picture
from servers.bucket import KEY_ID, REGION, SECRET, Bucket, moto
from servers.telegram import TelegramServer


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket that the environment leads to."""
    with moto() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_REGION", REGION)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        bucket = Bucket(url, "chats")
        bucket.make()
        yield bucket


async def test_a_conversation_with_album_comparison_redo_refining_and_zip(
    telegram: TelegramServer, bucket: Bucket, tmp_path: Path
) -> None:
    anna = telegram.user(ANNA)
    async with talking(tmp_path, telegram, blobs=f"s3://{bucket.name}/bot") as engine:
        await anna.sends_album([photo(1, (600, 400)), photo(2, (600, 400))], caption="Warmer.")
        control = await heard(telegram, ANNA, "Done: all 2.")
        assert (len(sent(telegram, ANNA, "photo")), len(sent(telegram, ANNA, "document"))) == (2, 2)
        assert len(bucket.listed("bot/photos/")) == len(bucket.listed("bot/kept/")) == 2

        anna.presses(control, "Before / After")
        await telegram.until(lambda: len(sent(telegram, ANNA, "photo")) == 4)
        cards = sent(telegram, ANNA, "photo")[-2:]
        assert [Picture.open(io.BytesIO(card.data)).size for card in cards] == [(828, 1200)] * 2

        anna.presses(control, "ZIP")
        await telegram.until(lambda: len(sent(telegram, ANNA, "document")) == 3)
        with zipfile.ZipFile(io.BytesIO(sent(telegram, ANNA, "document")[-1].data)) as archive:
            assert (len(archive.namelist()), archive.testzip()) == (2, None)

        anna.presses(control, "Redo all")
        await telegram.until(lambda: len(said(telegram, ANNA, "Done: all 2.")) == 2)
        result = sent(telegram, ANNA, "document")[-1]
        await kept(engine, result)
        anna.writes("Colder.", reply_to=result)
        await heard(telegram, ANNA, "Done.")
    assert len(bucket.listed("bot/kept/")) == 5
    assert files(tmp_path / "data" / "copies") == set()
    assert not (tmp_path / "data" / "blobs").exists()
