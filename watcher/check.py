"""What `lightwork check` says about watched folders, and about the kind of disk that work lies on."""

from collections.abc import Iterator
from pathlib import Path

from engine.check import Finding, folder_finding
from engine.settings import Settings, WatchSettings
from watcher.mounts import (
    filesystem_of,
    inotify_limit,
    needs_polling,
    same_filesystem,
    too_many_folders,
    why_polling,
)


def findings(settings: Settings) -> list[Finding]:
    """All findings about `data_dir` and about every `[[watch]]`; nothing is changed or left behind."""
    found = [_database_disk(settings.engine.data_dir, filesystem_of(settings.engine.data_dir))]
    if not settings.watch:
        advice = '"lightwork init" sets one up; "lightwork process" needs none.'
        found.append(Finding(False, "watched folders", "none", advice, needed=False))
    return found + [finding for watch in settings.watch for finding in _watch_findings(watch)]


def _database_disk(data_dir: Path, filesystem: str) -> Finding:
    share = why_polling(filesystem)
    if share:
        advice = (
            "A database on a share breaks sooner or later: set engine.data_dir to a folder on a disk of this computer."
        )
        return Finding(False, "disk of data_dir", f"{data_dir} lies on {share}", advice)
    return Finding(True, "disk of data_dir", f"a local disk ({filesystem or 'of unknown kind'})")


def _watch_findings(watch: WatchSettings) -> Iterator[Finding]:
    folders = watch.folders()
    for name, folder in folders.items():
        yield folder_finding(f"{name} of {watch.path.name}", folder)
    for name in ("done", "failed"):
        if not same_filesystem(folders["inbox"], folders[name]):
            found = f"{folders[name]} is on another disk than the inbox, so that originals are copied instead of moved"
            yield Finding(False, f"{name} of {watch.path.name}", found, "It works, but takes longer.", needed=False)
    yield watching_finding(watch, needs_polling(folders["inbox"]), inotify_limit())


def watching_finding(watch: WatchSettings, reason_to_poll: str | None, limit: int | None) -> Finding:
    """How new files are noticed. `reason_to_poll` is None where the system tells, `limit` as of `inotify_limit`."""
    subject = f"watching {watch.path.name}"
    if watch.polling == "always":
        return Finding(True, subject, 'looked through regularly, as polling = "always" says')
    if reason_to_poll:
        advice = 'Set polling = "auto" for it.' if watch.polling == "never" else ""
        return Finding(watch.polling == "auto", subject, reason_to_poll, advice)
    if too_many := too_many_folders(watch.folders()["inbox"], limit):
        return Finding(False, subject, too_many)
    return Finding(True, subject, "the system tells about new files")
