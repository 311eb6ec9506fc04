"""What is said to be kept is on the disk: bytes before their name, and every name up to the oldest folder."""

from pathlib import Path

import pytest
from power_cut import noted

from engine import publish
from engine.secrets import Secrets
from engine.store import blobs_at


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def test_a_file_that_was_written_is_on_the_disk_with_all_of_its_new_folders(folder: Path) -> None:
    with noted() as power_cut:
        publish.replace(folder / "new" / "deep" / "a.json", b"{}", tag="t")
    assert power_cut.named == [folder / "new", folder / "new" / "deep", folder / "new" / "deep" / "a.json"]
    assert power_cut.would_take() == set()


@pytest.mark.parametrize("place", ["new/deep/a.jpg", "b.jpg"])
def test_a_result_that_was_published_is_on_the_disk_with_all_of_its_new_folders(folder: Path, place: str) -> None:
    with noted() as power_cut:
        publish.replace(folder / "result", b"picture", tag="t")
        published = publish.publish(folder / "result", folder / place, tag="t")
    assert power_cut.named[-1] == published == folder / place
    assert power_cut.would_take() == set()


async def test_blobs_that_were_put_and_moved_are_on_the_disk(folder: Path) -> None:
    blobs = blobs_at("", folder, Secrets())
    with noted() as power_cut:
        await blobs.put(("photos/job/image", b"photo"), ("outputs/image", b"picture"))
        assert power_cut.would_take() == set()
        await blobs.move("outputs/image", "kept/im/image")
    assert {folder / "blobs" / key for key in ("photos/job/image", "outputs/image", "kept/im/image")} <= {
        *power_cut.named
    }
    assert power_cut.would_take() == set()
    await blobs.aclose()
