"""What a report writes to disk: the manifest, the pages' text, and when they appear."""

import json
import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

import engine.report
from engine.money import dollars
from engine.page import duration, link
from engine.report import Entry, Report, write_report

BEFORE, AFTER = b"\xff\xd8before", b"\xff\xd8after"
EDITED = Entry(
    name="garden/terrace.jpg",
    status="COMPLETED",
    module="real_estate",
    model="nano_banana",
    provider="gemini",
    provider_model="gemini-nano-banana-2.1",
    prompt="Brighten the terrace.",
    seconds=4.2,
    cost_microusd=39_000,
    attempts=1,
    before=BEFORE,
    after=AFTER,
    width=900,
    height=600,
    before_href="../../done/garden/terrace.jpg",
    after_href="../../garden/terrace.jpg",
    input_sha256=("a1" * 32,),
    result_sha256="b2" * 32,
    fingerprint="c3" * 32,
)
FAILED = replace(EDITED, name="bad.jpg", status="FAILED", error="It is damaged.", advice="Copy it again.", after=None)
REPORT = Report(
    job_id="0195a7d0-1111-7000-8000-3f2a9b7c1d20",
    short_id="3f2a9b7c",
    title="Spring shoot",
    created_at=datetime(2026, 3, 18, 14, 5, tzinfo=UTC),
    finished_at=datetime(2026, 3, 18, 14, 8, 5, tzinfo=UTC),
    version="0.1.0",
    entries=(),
)
DIES_HALFWAY = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_manifest import EDITED, REPORT
from engine.report import write_report

def entries():
    yield EDITED
    os.kill(os.getpid(), signal.SIGKILL)

write_report(Path(sys.argv[2]), replace(REPORT, entries=entries()))
"""


def write(folder: Path, *entries: Entry) -> None:
    write_report(folder, replace(REPORT, entries=entries))


def manifest(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_bytes().splitlines()]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_manifest_line_says_everything_about_an_image(tmp_path: Path) -> None:
    write(tmp_path / "report", EDITED)
    assert manifest(tmp_path / "report") == [
        {
            "job": "0195a7d0-1111-7000-8000-3f2a9b7c1d20",
            "index": 1,
            "name": "garden/terrace.jpg",
            "status": "COMPLETED",
            "module": "real_estate",
            "model": "nano_banana",
            "provider": "gemini",
            "provider_model": "gemini-nano-banana-2.1",
            "prompt": "Brighten the terrace.",
            "seconds": 4.2,
            "cost_microusd": 39_000,
            "attempts": 1,
            "waited_for": [],
            "error": "",
            "advice": "",
            "width": 900,
            "height": 600,
            "original": "../../done/garden/terrace.jpg",
            "result": "../../garden/terrace.jpg",
            "before_preview": "_previews/0001-before.jpg",
            "after_preview": "_previews/0001-after.jpg",
            "input_sha256": ["a1" * 32],
            "result_sha256": "b2" * 32,
            "fingerprint": "c3" * 32,
        }
    ]


def test_the_page_says_once_what_a_job_had_to_wait_for(tmp_path: Path) -> None:
    waited = replace(EDITED, waited_for=("The quota for today is used up.",))
    write(tmp_path / "report", waited, waited, EDITED)
    head, details = (tmp_path / "report" / "report.html").read_text("utf-8").split("<main>")
    assert head.count("The quota for today is used up.") == 1
    assert details.count("The quota for today is used up.") == 2


def test_every_key_of_the_manifest_is_documented(tmp_path: Path) -> None:
    write(tmp_path / "report", EDITED)
    documented = (engine.report.__doc__ or "").replace(",", " ").split()
    assert [key for key in manifest(tmp_path / "report")[0] if key not in documented] == []


def test_the_manifest_keeps_the_jobs_order_and_names_the_previews_that_exist(tmp_path: Path) -> None:
    write(tmp_path / "report", EDITED, FAILED, replace(EDITED, before=None))
    lines = manifest(tmp_path / "report")
    assert [(line["index"], line["status"]) for line in lines] == [(1, "COMPLETED"), (2, "FAILED"), (3, "COMPLETED")]
    named = {str(line[key]) for line in lines for key in ("before_preview", "after_preview")} - {""}
    assert named == {name for name in files(tmp_path / "report") if name.startswith("_previews")}
    assert (tmp_path / "report" / "_previews" / "0001-after.jpg").read_bytes() == AFTER


def test_money_in_the_manifest_is_an_integer(tmp_path: Path) -> None:
    write(tmp_path / "report", EDITED)
    assert b'"cost_microusd": 39000,' in (tmp_path / "report" / "manifest.jsonl").read_bytes()


@pytest.mark.parametrize(
    "name", ["a\nb.jpg", 'say "hi".jpg', "写真\u2028.jpg", "\u202egpj.exe", os.fsdecode(b"caf\xe9.jpg"), "\x00\x1b"]
)
def test_any_name_comes_back_from_the_manifest_as_it_was(tmp_path: Path, name: str) -> None:
    write(tmp_path / "report", replace(EDITED, name=name, prompt=name), EDITED)
    first, second = manifest(tmp_path / "report")
    assert (first["name"], first["prompt"], second["name"]) == (name, name, EDITED.name)


def test_texts_are_escaped_in_the_page(tmp_path: Path) -> None:
    hostile = "\"><script>alert(1)</script>&'{{ 7 * 7 }}"
    fields = ("name", "module", "model", "provider", "provider_model", "prompt", "error", "advice")
    everywhere = replace(EDITED, waited_for=(hostile,), **dict.fromkeys(fields, hostile))
    report = replace(REPORT, title=hostile, job_id=hostile, short_id=hostile, version=hostile)
    write_report(tmp_path / "report", replace(report, entries=[everywhere, replace(everywhere, status="FAILED")]))
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert "<script>alert" not in page
    assert "&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;&#39;{{ 7 * 7 }}" in page


def test_the_page_names_no_other_host(tmp_path: Path) -> None:
    write(tmp_path / "report", EDITED, FAILED)
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert "https:" not in page
    assert page.count("http:") == page.count("http://www.w3.org/2000/svg") == 1


@pytest.mark.parametrize(
    ("path", "href"),
    [
        ("../../done/a b.jpg", "./../../done/a%20b.jpg"),
        ("100% #1?.jpg", "./100%25%20%231%3F.jpg"),
        ("a\nb.jpg", "./a%0Ab.jpg"),
        ("é.jpg", "./%C3%A9.jpg"),
        ("javascript:alert(1)", "./javascript%3Aalert%281%29"),
        ("//evil.example/x", ".///evil.example/x"),
        ("/etc/passwd", ".//etc/passwd"),
    ],
)
def test_a_link_is_always_a_relative_path(path: str, href: str) -> None:
    assert link(path) == href


def test_a_link_keeps_bytes_that_are_no_utf8() -> None:
    assert unquote_to_bytes(link(os.fsdecode(b"caf\xe9.jpg"))) == b"./caf\xe9.jpg"


@pytest.mark.parametrize(
    ("microusd", "text"),
    [
        (0, "$0.00"),
        (1, "$0.000001"),
        (39_000, "$0.039"),
        (500_000, "$0.50"),
        (12_000_000, "$12.00"),
        (1_234_567_890, "$1,234.56789"),
    ],
)
def test_dollars_are_exact_and_show_at_least_cents(microusd: int, text: str) -> None:
    assert dollars(microusd) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (4.24, "4.2 s"),
        (59.97, "1 min 0 s"),
        (185, "3 min 5 s"),
        (3599.6, "1 h 0 min"),
        (8040, "2 h 14 min"),
    ],
)
def test_durations_read_naturally(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_writing_a_report_twice_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "report", EDITED, FAILED)
    first = files(tmp_path / "report")
    write(tmp_path / "report", EDITED, FAILED)
    assert files(tmp_path / "report") == first
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_new_report_replaces_the_old_one_and_leaves_other_files_alone(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    write(folder, *[replace(EDITED, before=None)] * 201)
    (folder / "terrace.jpg").write_bytes(b"result")
    (folder / "_previews" / "mine.jpg").write_bytes(b"mine")
    write(folder, replace(EDITED, name="other.jpg"))
    assert sorted(files(folder)) == [
        "_previews/0001-after.jpg",
        "_previews/0001-before.jpg",
        "_previews/mine.jpg",
        "manifest.jsonl",
        "report.html",
        "terrace.jpg",
    ]
    assert "other.jpg" in (folder / "report.html").read_text("utf-8")


def test_a_report_that_cannot_be_finished_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "report", EDITED, replace(EDITED, before=tmp_path / "vanished.jpg"))
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_report_stays_whole_when_the_next_cannot_be_finished(tmp_path: Path) -> None:
    write(tmp_path / "report", EDITED)
    before = files(tmp_path / "report")
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "report", FAILED, replace(EDITED, before=tmp_path / "vanished.jpg"))
    assert files(tmp_path / "report") == before


def test_a_killed_process_leaves_no_half_report_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "report"
    command = [sys.executable, "-c", DIES_HALFWAY, str(Path(__file__).parent), str(folder)]
    killed = subprocess.run(command, check=False, timeout=30)
    assert killed.returncode == -signal.SIGKILL
    assert not folder.exists()
    assert [path.name for path in folder.parent.iterdir()] == [".report.partial"]
    write(folder, EDITED)
    assert [path.name for path in folder.parent.iterdir()] == ["report"]
    assert len(manifest(folder)) == 1


def test_previews_can_be_files_and_are_copied(tmp_path: Path) -> None:
    preview = tmp_path / "preview.jpg"
    preview.write_bytes(BEFORE)
    write(tmp_path / "report", replace(EDITED, before=preview))
    assert (tmp_path / "report" / "_previews" / "0001-before.jpg").read_bytes() == BEFORE
    assert preview.exists()


def test_a_large_job_is_written_without_holding_its_previews_in_memory(tmp_path: Path) -> None:
    def entries() -> Iterator[Entry]:
        for number in range(300):
            yield replace(EDITED, name=f"{number}.jpg", before=bytes(100_000), after=bytes(100_000))

    tracemalloc.start()
    write_report(tmp_path / "report", replace(REPORT, entries=entries()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(manifest(tmp_path / "report")) == 300
    assert peak < 6_000_000


def test_what_is_missing_stands_before_the_pictures(tmp_path: Path) -> None:
    write(tmp_path / "report", *[replace(EDITED, before=None, after=None)] * 200, FAILED)
    first, second = ((tmp_path / "report" / name).read_text("utf-8") for name in ("report.html", "report-2.html"))
    assert "It is damaged." in first
    assert first.index("It is damaged.") < first.index("<figure>")
    assert (first.count("<figure>"), second.count("<figure>")) == (199, 1)
