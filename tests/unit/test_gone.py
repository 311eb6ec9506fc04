"""When a photo counts as taken away, and when the drive or share below it."""

from pathlib import Path

import pytest

from engine.job import Original
from engine.settlement import _is_gone


@pytest.mark.parametrize(
    ("there", "is_gone"),
    [
        ({"marker"}, True),
        ({"marker", "photo"}, False),  # the share has come back since the photo could not be read
        ({"photo"}, False),
        (set(), False),
    ],
    ids=["taken away", "back already", "marker away", "share away"],
)
def test_a_photo_is_gone_only_from_a_place_that_is_there(tmp_path: Path, there: set[str], is_gone: bool) -> None:
    for name in there:
        (tmp_path / name).touch()
    photo = Original(str(tmp_path / "photo"), "", 0, 0)
    assert _is_gone([photo], [str(tmp_path / "marker")]) is is_gone


@pytest.mark.parametrize(("photo", "marker"), [("photo", "failing"), ("failing", "marker")])
def test_a_share_that_fails_says_nothing_about_what_lies_on_it(tmp_path: Path, photo: str, marker: str) -> None:
    (tmp_path / "marker").touch()
    names = {"failing": "too long a name fails, as a share does".ljust(300)}  # ENAMETOOLONG
    photo, marker = (str(tmp_path / names.get(name, name)) for name in (photo, marker))
    assert not _is_gone([Original(photo, "", 0, 0)], [marker])


def test_a_photo_in_a_bucket_is_gone_when_the_bucket_says_so() -> None:
    assert _is_gone([Original("blob:photos/job/image", "", 0, 0)], [])
