"""What kind of file system a folder lies on."""

from pathlib import Path

import pytest

from watcher.mounts import (
    filesystem_of,
    inotify_limit,
    mount_of,
    mounts,
    needs_polling,
    same_filesystem,
    too_many_folders,
    why_polling,
)

MOUNTINFO = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
40 27 0:50 / /mnt/nas rw,relatime shared:1 master:2 - nfs4 nas:/photos rw,vers=4.2
41 40 0:51 / /mnt/nas/local rw,relatime - xfs /dev/sdb rw
42 27 0:52 / /mnt/My\040Photos\134new rw,relatime - cifs //nas/photos rw
43 27 0:53 / /mnt/over rw,relatime - cifs //nas/old rw
44 27 0:54 / /mnt/over rw,relatime - btrfs /dev/sdc rw
this line is no mount
45 27 0:55 / /mnt/c rw,noatime - 9p drvfs rw,aname=drvfs
"""


@pytest.fixture
def mountinfo(tmp_path: Path) -> Path:
    (tmp_path / "mountinfo").write_text(MOUNTINFO)
    return tmp_path / "mountinfo"


@pytest.mark.parametrize(
    ("path", "type"),
    [
        ("/home/me/photos", "ext4"),
        ("/", "ext4"),
        ("/mnt/nas", "nfs4"),
        ("/mnt/nas/2026/inbox", "nfs4"),
        ("/mnt/nas/local/inbox", "xfs"),
        ("/mnt/nasty", "ext4"),
        ("/mnt/My Photos\\new/inbox", "cifs"),
        ("/mnt/over/inbox", "btrfs"),
        ("/mnt/c/Users", "9p"),
    ],
)
def test_the_innermost_mount_on_top_counts(path: str, type: str) -> None:
    mount = mount_of(path, MOUNTINFO)
    assert mount
    assert mount.type == type


def test_lines_that_cannot_be_understood_are_left_out() -> None:
    assert len(list(mounts(MOUNTINFO))) == 8
    assert list(mounts("garbage\n1 2 3 - ext4\n\n")) == []
    assert mount_of("/", "") is None


@pytest.mark.parametrize(
    "type",
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "fuse.sshfs",
        "fuse.grpcfuse",
        "fuse",
        "9p",
        "drvfs",
        "virtiofs",
        "vboxsf",
        "osxfs",
        "macfuse",
        "davfs",
        "fakeowner",
    ],
)
def test_shares_and_folders_of_other_computers_are_polled(type: str) -> None:
    assert why_polling(type)


@pytest.mark.parametrize("type", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "apfs", "exfat", "fuseblk", ""])
def test_local_file_systems_are_listened_to(type: str) -> None:
    assert why_polling(type) is None


def test_the_reason_for_polling_is_a_sentence_that_names_folder_and_share(mountinfo: Path) -> None:
    reason = needs_polling(Path("/mnt/nas/inbox"), mountinfo)
    assert reason
    assert reason.startswith("/mnt/nas/inbox lies on an NFS share, which does not tell about new files")
    assert needs_polling(Path("/home/me"), mountinfo) is None


def test_a_folder_that_a_link_leads_to_a_share_is_on_the_share(tmp_path: Path) -> None:
    (tmp_path / "nas").mkdir()
    (tmp_path / "photos").symlink_to("nas")
    (tmp_path / "mountinfo").write_text(
        f"1 1 0:1 / / rw - ext4 /dev/vda rw\n2 1 0:2 / {tmp_path}/nas rw - cifs //nas/photos rw\n"
    )
    assert filesystem_of(tmp_path / "photos" / "inbox", tmp_path / "mountinfo") == "cifs"
    assert filesystem_of(tmp_path / "other", tmp_path / "mountinfo") == "ext4"


def test_where_the_system_does_not_say_nothing_is_concluded(tmp_path: Path) -> None:
    assert filesystem_of(tmp_path, tmp_path / "absent") == ""
    assert needs_polling(tmp_path, tmp_path / "absent") is None
    assert inotify_limit(tmp_path / "absent") is None


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="only Linux has mountinfo")
def test_this_machine_says_what_its_own_folders_lie_on() -> None:
    assert filesystem_of(Path("/proc/self")) == "proc"
    limit = inotify_limit()
    assert limit is None or limit > 0


def test_more_folders_than_can_be_watched_are_told(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).mkdir()
    assert too_many_folders(tmp_path, 4) is None
    assert too_many_folders(tmp_path, None) is None
    told = too_many_folders(tmp_path, 3)
    assert told
    assert "more than 3 folders" in told
    assert "fs.inotify.max_user_watches" in told


def test_folders_that_do_not_exist_yet_lie_on_the_file_system_of_those_above_them(tmp_path: Path) -> None:
    assert same_filesystem(tmp_path / "inbox", tmp_path / "done" / "2026")
    assert same_filesystem(tmp_path / "inbox", tmp_path / ("x" * 300))
    if Path("/proc").stat().st_dev != tmp_path.stat().st_dev:
        assert not same_filesystem(tmp_path / "inbox", Path("/proc/absent"))
