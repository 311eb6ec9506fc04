"""What `lightwork check` says about watched folders."""

from pathlib import Path

import pytest

from engine.check import Finding
from engine.settings import EngineSettings, Settings, WatchSettings
from watcher.check import findings, watching_finding

SHARE = "photos lies on an NFS share, which does not tell about new files: it is looked through regularly."


def folder_of(polling: str, path: Path = Path("photos")) -> WatchSettings:
    return WatchSettings(path=path, polling=polling)


def test_every_folder_of_a_watch_is_told_and_nothing_is_made(tmp_path: Path) -> None:
    settings = Settings(engine=EngineSettings(data_dir=tmp_path), watch=[folder_of("auto", tmp_path / "photos")])
    found = findings(settings)
    assert [finding.subject for finding in found] == [
        "disk of data_dir",
        "inbox of photos",
        "outbox of photos",
        "done of photos",
        "failed of photos",
        "watching photos",
    ]
    assert all(finding.ok for finding in found[1:])
    assert list(tmp_path.iterdir()) == []


def test_an_outbox_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file")
    settings = Settings(engine=EngineSettings(data_dir=tmp_path), watch=[folder_of("auto", tmp_path)])
    (bad,) = (finding for finding in findings(settings) if finding.subject.startswith("outbox"))
    assert (bad.ok, bad.found) == (False, f"{tmp_path}/outbox cannot be written: Not a directory.")


def test_no_watched_folder_is_no_fault(tmp_path: Path) -> None:
    (none,) = findings(Settings(engine=EngineSettings(data_dir=tmp_path)))[1:]
    assert str(none).startswith("○ watched folders: none")
    assert not none.needed


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system, /dev/shm")  # noqa: S108
def test_originals_that_leave_their_disk_are_told(tmp_path: Path) -> None:
    watch = WatchSettings(path=tmp_path, done="/dev/shm/lightwork-done")  # noqa: S108 - nothing is written there
    if tmp_path.stat().st_dev == Path("/dev/shm").stat().st_dev:  # noqa: S108
        pytest.skip("temporary files lie on /dev/shm, too")
    found = findings(Settings(engine=EngineSettings(data_dir=tmp_path), watch=[watch]))
    assert any("copied instead of moved" in finding.found and not finding.needed for finding in found)


@pytest.mark.parametrize(
    ("polling", "reason", "finding"),
    [
        ("auto", None, Finding(True, "watching photos", "the system tells about new files")),
        ("auto", SHARE, Finding(True, "watching photos", SHARE)),
        ("never", SHARE, Finding(False, "watching photos", SHARE, 'Set polling = "auto" for it.')),
        (
            "always",
            SHARE,
            Finding(True, "watching photos", 'looked through regularly, as polling = "always" says'),
        ),
    ],
)
def test_how_new_files_are_noticed_is_told(polling: str, reason: str | None, finding: Finding) -> None:
    assert watching_finding(folder_of(polling), reason, 8192) == finding


def test_more_folders_than_the_system_watches_are_told(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / "inbox" / str(number)).mkdir(parents=True)
    few = watching_finding(folder_of("auto", tmp_path), None, 4)
    assert not few.ok
    assert "Raise fs.inotify.max_user_watches" in few.found
    assert watching_finding(folder_of("auto", tmp_path), None, 6).ok
