"""The report of a job: a page that compares before and after, and a manifest for programs.

    report.html             opens from disk, prints, needs no network; report-2.html … where there are many images
    manifest.jsonl          one JSON object per image, in the job's order
    _previews/0001-before.jpg, 0001-after.jpg …

The keys of a manifest line; those that do not apply are empty or 0, and none is ever absent:

    job              the job's id
    index            1 for the job's first image
    name             what people call the image: its path in the outbox
    status           COMPLETED, FAILED or CANCELLED
    module, model    the names that were chosen
    provider         who made the picture; "local" is ordinary photographic work without an image model
    provider_model   the provider's own name of the model
    prompt           the final prompt
    seconds          how long the last call took, or null
    cost_microusd    what all attempts cost, in integer millionths of a US dollar
    attempts         how many there were
    waited_for       list: why it had to wait for the service or a place, each reason once
    error, advice    why there is no picture, and what to do about it
    width, height    of the result, in pixels
    original         path of the full-size original, relative to the manifest's folder
    result           path of the full-size result, relative to the manifest's folder
    before_preview   path of the small JPEG of the original, relative to the manifest's folder
    after_preview    path of the small JPEG of the result, relative to the manifest's folder
    input_sha256     list: SHA-256 in hex of each input file
    result_sha256    SHA-256 in hex of the result file
    fingerprint      hash of everything that was asked for; equal ones are never paid twice
"""

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

from engine.job import ImageStatus
from engine.page import model_label, render
from engine.publish import sync_folder

PAGE = 200
MOST_REASONS = 3
MANIFEST = "manifest.jsonl"
# No file of the inbox gets this name (`watcher.litter`): with `layout = "job"` results lie beside the report.
PREVIEWS = "_previews"
OWN_PAGE = re.compile(r"report(-\d+)?\.html")
OWN_PREVIEW = re.compile(r"\d{4,}-(before|after)\.jpg")

Preview = bytes | Path | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One image of the report; every text in it may be hostile.

    `before` and `after` are small JPEGs of the same aspect. `before_href` and `after_href` are the paths of the
    full-size files, relative to the report's folder, with forward slashes and *not* percent-encoded, or "". `width`
    and `height` are those of the result.
    """

    name: str
    status: str
    module: str
    model: str
    provider: str
    provider_model: str
    prompt: str
    seconds: float | None
    cost_microusd: int
    attempts: int
    waited_for: tuple[str, ...] = ()
    error: str = ""
    advice: str = ""
    before: Preview = None
    after: Preview = None
    width: int = 0
    height: int = 0
    before_href: str = ""
    after_href: str = ""
    input_sha256: tuple[str, ...] = ()
    result_sha256: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A finished job. `entries` is walked once, so that a generator keeps no more than one image's previews in memory.

    Times are shown in the time zone that they bear.
    """

    job_id: str
    short_id: str
    title: str
    created_at: datetime
    finished_at: datetime | None
    version: str
    entries: Iterable[Entry]


@dataclass(slots=True)
class Summary:
    """What the head of each page says about the whole job."""

    statuses: Counter[str] = field(default_factory=Counter)
    models: dict[str, None] = field(default_factory=dict)
    cost_microusd: int = 0
    waited_for: dict[str, None] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return self.statuses.total()

    @property
    def edited(self) -> int:
        return self.statuses[ImageStatus.COMPLETED]

    def add(self, row: dict[str, Any]) -> None:
        self.statuses[row["status"]] += 1
        self.models[model_label(row)] = None
        self.cost_microusd += row["cost_microusd"]
        for reason in row["waited_for"]:
            if len(self.waited_for) < MOST_REASONS:
                self.waited_for[reason] = None


def write_report(folder: Path, report: Report) -> None:
    """Write the report into `folder`, replacing an earlier one; other files in it are left alone.

    Pages and manifest are on disk before they bear their names, and report.html comes last: where it is, it is whole.
    Blocks. One caller per folder at a time. Raises OSError if the disk or a preview cannot be used.
    """
    stage = folder.with_name(f".{folder.name}.partial")
    _discard(stage)
    try:
        (stage / PREVIEWS).mkdir(parents=True)
        summary = _write_manifest(stage, report)
        _write_pages(stage, report, summary)
        _put_in_place(stage, folder)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _discard(stage: Path) -> None:
    if stage.exists():
        shutil.rmtree(stage)


def _write_manifest(stage: Path, report: Report) -> Summary:
    summary = Summary()
    with (stage / MANIFEST).open("wb") as manifest:
        for index, entry in enumerate(report.entries, start=1):
            row = _row(report.job_id, index, entry)
            row["before_preview"] = _write_preview(stage, f"{index:04}-before.jpg", entry.before)
            row["after_preview"] = _write_preview(stage, f"{index:04}-after.jpg", entry.after)
            summary.add(row)
            manifest.write(_line(row))
        manifest.flush()
        os.fsync(manifest.fileno())
    return summary


def _row(job_id: str, index: int, entry: Entry) -> dict[str, Any]:
    return {
        "job": job_id,
        "index": index,
        "name": entry.name,
        "status": entry.status,
        "module": entry.module,
        "model": entry.model,
        "provider": entry.provider,
        "provider_model": entry.provider_model,
        "prompt": entry.prompt,
        "seconds": entry.seconds,
        "cost_microusd": entry.cost_microusd,
        "attempts": entry.attempts,
        "waited_for": entry.waited_for,
        "error": entry.error,
        "advice": entry.advice,
        "width": entry.width,
        "height": entry.height,
        "original": entry.before_href,
        "result": entry.after_href,
        "before_preview": "",
        "after_preview": "",
        "input_sha256": entry.input_sha256,
        "result_sha256": entry.result_sha256,
        "fingerprint": entry.fingerprint,
    }


def _line(row: dict[str, Any]) -> bytes:
    # A file name that is no UTF-8 arrives as lone surrogates; backslashreplace writes those as JSON's own escapes.
    return (json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def _write_preview(stage: Path, name: str, preview: Preview) -> str:
    if preview is None:
        return ""
    target = stage / PREVIEWS / name
    if isinstance(preview, Path):
        _link_or_copy(preview, target)
    else:
        target.write_bytes(preview)
    return f"{PREVIEWS}/{name}"


def _link_or_copy(source: Path, target: Path) -> None:
    """Both names may stand for the same file: previews are replaced as a whole, never written into."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _write_pages(stage: Path, report: Report, summary: Summary) -> None:
    """The pages show the manifest: what is missing first, then the pictures."""
    manifest = stage / MANIFEST
    rows = chain(_rows(manifest, completed=False), _rows(manifest, completed=True))
    pages = [page_name(number) for number in range(1, max(1, -(-summary.total // PAGE)) + 1)]
    for number, name in enumerate(pages, start=1):
        shown = list(islice(rows, PAGE))
        html = render(
            report=report,
            summary=summary,
            pages=pages,
            number=number,
            missing=[row for row in shown if row["status"] != ImageStatus.COMPLETED],
            pictures=[row for row in shown if row["status"] == ImageStatus.COMPLETED],
        )
        _write_durably(stage / name, html)


def _rows(manifest: Path, *, completed: bool) -> Iterator[dict[str, Any]]:
    with manifest.open(encoding="utf-8", newline="\n") as lines:
        for line in lines:
            row = json.loads(line)
            if (row["status"] == ImageStatus.COMPLETED) == completed:
                yield row


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _put_in_place(stage: Path, folder: Path) -> None:
    if folder.exists():
        _replace_files(stage, folder)
    else:
        stage.rename(folder)
    sync_folder(folder.parent)


def _replace_files(stage: Path, folder: Path) -> None:
    previews = {path.name for path in (stage / PREVIEWS).iterdir()}
    pages = {path.name for path in stage.glob("report*.html")}
    (folder / PREVIEWS).mkdir(exist_ok=True)
    for name in sorted(previews):
        (stage / PREVIEWS / name).replace(folder / PREVIEWS / name)
    for name in (MANIFEST, *sorted(pages - {page_name(1)}), page_name(1)):
        (stage / name).replace(folder / name)
    _remove_others(folder, OWN_PAGE, pages)
    _remove_others(folder / PREVIEWS, OWN_PREVIEW, previews)
    sync_folder(folder)


def _remove_others(folder: Path, own: re.Pattern[str], kept: set[str]) -> None:
    for path in folder.iterdir():
        if own.fullmatch(path.name) and path.name not in kept:
            path.unlink()


def page_name(number: int) -> str:
    """The file name of the report's page `number`, counted from 1."""
    return "report.html" if number == 1 else f"report-{number}.html"
