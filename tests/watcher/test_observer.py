"""What the system tells about a folder: real watchdog, real files."""

import asyncio
import logging
import mmap
import os
import shutil
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.errors import PlaceError
from watcher import observer
from watcher.mounts import needs_polling
from watcher.observer import FolderObserver
from watcher.tree import hash_file, scan

pytestmark = pytest.mark.skipif(
    not Path("/proc/sys/fs/inotify").exists(), reason="these are guarantees about inotify, which only Linux has"
)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    assert needs_polling(folder) is None
    return folder


@pytest.fixture
async def observed(inbox: Path) -> AsyncIterator[FolderObserver]:
    observed = FolderObserver(inbox)
    await observed.start()
    assert observed.take() == (frozenset(), True)
    yield observed
    await observed.stop()


def make(folder: Path) -> None:
    folder.mkdir()


def log_lost_events() -> None:
    message = "Inotify queue overflowed; filesystem events were lost"
    logging.getLogger("watchdog.observers.inotify_c").warning(message)


async def told(observed: FolderObserver, *expected: Path, within: float = 10) -> set[str]:
    """Everything that is told until all of `expected` was."""
    paths: set[str] = set()
    async with asyncio.timeout(within):
        while not {str(path) for path in expected} <= paths:
            await observed.wait(None)
            paths |= observed.take().paths
    return paths


async def asks_for_a_scan(observed: FolderObserver, within: float = 10) -> bool:
    async with asyncio.timeout(within):
        while True:
            await observed.wait(None)
            if observed.take().rescan:
                return True


async def test_after_the_start_a_scan_is_asked_for_since_files_may_have_come_before(inbox: Path) -> None:
    (inbox / "a.jpg").write_bytes(b"x")
    observed = FolderObserver(inbox)
    await observed.start()
    try:
        assert await asks_for_a_scan(observed)
    finally:
        await observed.stop()


async def test_a_file_is_told_however_it_comes(observed: FolderObserver, inbox: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"x")
    shutil.copy(outside, inbox / "copied.jpg")
    os.link(outside, inbox / "linked.jpg")
    outside.rename(inbox / "moved.jpg")
    (inbox / "renamed.jpg.part").write_bytes(b"x")
    (inbox / "renamed.jpg.part").rename(inbox / "renamed.jpg")
    await told(observed, *(inbox / name for name in ("copied.jpg", "linked.jpg", "moved.jpg", "renamed.jpg")))


async def test_a_file_in_folders_that_are_made_with_it_is_told(
    observed: FolderObserver, inbox: Path, tmp_path: Path
) -> None:
    for number in range(30):
        folder = tmp_path / "album" / f"{number % 3}" / f"{number}"
        folder.mkdir(parents=True)
        (folder / "a.jpg").write_bytes(b"x")
    shutil.copytree(tmp_path / "album", inbox / "copied")
    (tmp_path / "album").rename(inbox / "moved")
    expected = [inbox / album / f"{n % 3}" / f"{n}" / "a.jpg" for n in range(30) for album in ("copied", "moved")]
    await told(observed, *expected)


async def test_an_inbox_that_a_link_leads_to_is_listened_to(inbox: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(inbox)
    observed = FolderObserver(link)
    await observed.start()
    try:
        assert observed.alive()
        (inbox / "a.jpg").write_bytes(b"x")
        await told(observed, link / "a.jpg")
    finally:
        await observed.stop()


async def test_every_chunk_of_a_slow_copy_is_told(observed: FolderObserver, inbox: Path) -> None:
    with (inbox / "a.jpg").open("wb") as file:
        for _ in range(3):
            file.write(b"x" * 1000)
            file.flush()
            await told(observed, inbox / "a.jpg")


async def test_names_of_any_bytes_are_told_as_they_are(observed: FolderObserver, inbox: Path) -> None:
    paths = [inbox / os.fsdecode(name) for name in (b"inv\xffalid.jpg", b"new\nline.jpg", "cafe\u0301.jpg".encode())]
    for path in paths:
        path.write_bytes(b"x")
    await told(observed, *paths)


async def test_reading_a_photo_is_no_event(observed: FolderObserver, inbox: Path) -> None:
    (inbox / "a.jpg").write_bytes(b"x")
    await told(observed, inbox / "a.jpg")
    (inbox / "before.jpg").write_bytes(b"x")
    await told(observed, inbox / "before.jpg")
    observed.take()
    assert hash_file(inbox / "a.jpg")
    assert scan(inbox, set()).found
    (inbox / "after.jpg").write_bytes(b"x")
    assert str(inbox / "a.jpg") not in await told(observed, inbox / "after.jpg")


async def test_many_events_are_one_waking_up(observed: FolderObserver, inbox: Path) -> None:
    for number in range(300):
        (inbox / f"{number}.jpg").write_bytes(b"x")
    (inbox / "last.jpg").write_bytes(b"x")
    woken, paths = 0, set()
    async with asyncio.timeout(10):
        while str(inbox / "last.jpg") not in paths:
            await observed.wait(None)
            time.sleep(0.05)  # noqa: ASYNC251 - a loop that is busy while hundreds of events arrive
            woken += 1
            paths |= observed.take().paths
    assert len(paths) == 301
    assert woken < 100


async def test_waiting_ends_when_its_time_is_over(observed: FolderObserver) -> None:
    async with asyncio.timeout(5):
        await observed.wait(0.01)
    assert observed.take() == (frozenset(), False)


async def test_a_deleted_inbox_is_noticed_and_listened_to_again_when_it_is_back(
    observed: FolderObserver, inbox: Path
) -> None:
    assert observed.alive()
    shutil.rmtree(inbox)
    assert await asks_for_a_scan(observed)
    assert not observed.alive()
    with pytest.raises(PlaceError, match=r"does not tell about new files in .*No such file or directory"):
        await observed.restart()
    assert not observed.alive()
    make(inbox)
    await observed.restart()
    assert observed.alive()
    (inbox / "a.jpg").write_bytes(b"x")
    await told(observed, inbox / "a.jpg")


async def test_an_inbox_that_was_renamed_and_made_anew_is_noticed(observed: FolderObserver, inbox: Path) -> None:
    shutil.move(inbox, inbox.with_name("old"))
    assert not observed.alive()
    make(inbox)
    assert not observed.alive()
    await observed.restart()
    (inbox / "a.jpg").write_bytes(b"x")
    await told(observed, inbox / "a.jpg")


async def test_when_the_system_loses_events_a_scan_is_asked_for(observed: FolderObserver) -> None:
    log_lost_events()
    assert await asks_for_a_scan(observed)
    assert not observed.alive()


async def test_lost_events_are_noticed_also_where_warnings_are_not_logged(inbox: Path) -> None:
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    observed = FolderObserver(inbox)
    try:
        await observed.start()
        observed.take()
        log_lost_events()
        assert await asks_for_a_scan(observed)
    finally:
        logging.getLogger().setLevel(level)
        await observed.stop()


async def test_a_burst_that_overflows_the_systems_queue_is_followed_by_a_scan(
    observed: FolderObserver, inbox: Path, tmp_path: Path
) -> None:
    limit = queue_length()
    assert observed.alive()
    write_while_nobody_reads(inbox, limit // 2, tmp_path / "done")
    assert await asks_for_a_scan(observed)
    assert not observed.alive()
    await observed.restart()
    assert observed.alive()
    assert await asks_for_a_scan(observed)
    (inbox / "after.jpg").write_bytes(b"x")
    await told(observed, inbox / "after.jpg")


BURST = """
import sys
from pathlib import Path
for number in range(int(sys.argv[2])):
    (Path(sys.argv[1]) / f"{number % 50}.jpg").write_bytes(b"x")
Path(sys.argv[3]).open("r+b").write(b"1")
"""


def queue_length() -> int:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 20_000:
        pytest.skip(f"this system's queue holds {limit} events: too many to overflow it quickly")
    return limit


def write_while_nobody_reads(folder: Path, number: int, done: Path) -> None:
    done.write_bytes(b"\0")
    with done.open("r+b") as file, mmap.mmap(file.fileno(), 1) as flag, too_busy_for_other_threads():
        writer = subprocess.Popen([sys.executable, "-c", BURST, folder, str(number), done])
        deadline = time.monotonic() + 30
        while not flag[0] and time.monotonic() < deadline:
            pass
    assert writer.wait(5) == 0


@contextmanager
def too_busy_for_other_threads() -> Iterator[None]:
    """What runs in here and calls no system function keeps watchdog's threads from reading events."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


async def test_more_paths_than_a_scan_is_worth_become_a_scan(inbox: Path) -> None:
    mailbox = observer._Mailbox(asyncio.get_running_loop(), "/inbox")
    for number in range(observer.MAX_PATHS + 1):
        mailbox.put([f"/inbox/{number}.jpg"], rescan=False)
    assert mailbox.take() == (frozenset(), True)
    assert mailbox.take() == (frozenset(), False)


async def test_watchdogs_endless_warnings_are_not_let_through(observed: FolderObserver, inbox: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        observer._quieten_watchdog()
        warnings.warn(
            "Callback with id '1' already exists for watch <bound method Watch...>", RuntimeWarning, stacklevel=1
        )
        warnings.warn("something else", RuntimeWarning, stacklevel=1)
    assert [str(one.message) for one in caught] == ["something else"]


async def test_nothing_is_left_running_after_the_end(inbox: Path) -> None:
    before = set(threading.enumerate())
    observed = FolderObserver(inbox)
    for _ in range(3):
        await observed.restart()
    await observed.stop()
    await observed.stop()
    assert not observed.alive()
    assert {thread for thread in set(threading.enumerate()) - before if "asyncio" not in thread.name} == set()
    assert not logging.getLogger("watchdog.observers.inotify_c").filters


async def test_the_loop_is_free_while_a_large_tree_is_taken_under_watch(inbox: Path) -> None:
    for number in range(2_000):
        (inbox / str(number)).mkdir()
    observed = FolderObserver(inbox)
    starting = asyncio.create_task(observed.start())
    turns = 0
    while not starting.done():
        await asyncio.sleep(0)
        turns += 1
    try:
        assert turns > 10
        assert observed.alive()
    finally:
        await observed.stop()
