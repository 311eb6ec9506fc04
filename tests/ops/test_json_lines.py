"""The log for programs."""

import json
import logging
from pathlib import Path
from typing import Any

from hot_folder import photo
from service import service

from engine.json_log import JsonLines
from engine.log_context import about

SECRET = "".join(('k"ey', "\\12345", "ü"))


def written(message: str, *args: object, error: BaseException | None = None) -> tuple[str, dict[str, Any]]:
    trouble = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("engine.any", logging.WARNING, __file__, 1, message, args, trouble)
    line = JsonLines([SECRET, "plain-secret"]).format(record)
    return line, json.loads(line)


def test_a_line_says_when_how_grave_where_and_what() -> None:
    _, line = written("a photo, no. %d", 3)
    assert (line["event"], line["level"], line["logger"]) == ("a photo, no. 3", "warning", "engine.any")
    assert line["timestamp"].endswith("Z")
    assert line.keys() == {"event", "level", "logger", "timestamp"}


def test_lines_name_what_they_are_about_and_only_as_long_as_they_are() -> None:
    with about(job="j", image="i", attempt=2):
        _, inside = written("x")
    assert {key: inside[key] for key in ("job", "image", "attempt")} == {"job": "j", "image": "i", "attempt": 2}
    assert "job" not in written("x")[1]


def test_no_secret_is_written_however_json_spells_it() -> None:
    for said in (SECRET, "plain-secret"):
        line, told = written("a %s b", said, error=RuntimeError(said))
        assert told["event"] == "a … b"
        assert "RuntimeError: …" in told["exception"]
        assert said not in line
        assert said not in repr(told)


async def test_a_service_writes_nothing_but_json_with_ids(tmp_path: Path) -> None:
    async with service(tmp_path, ops='log = "json"') as process:
        process.drop("a.jpg", photo(1))
        process.drop("broken.jpg", b"no photo at all")
        await process.until(lambda: process.results() and process.manifests() and process.log().endswith("\n"))
        lines = [json.loads(line) for line in process.log().splitlines()]
        done = [line for line in lines if line["event"].startswith("✓")]
    assert [line["attempt"] for line in done] == [1]
    assert all(len(line[key]) == 36 for line in done for key in ("job", "image"))
    assert all({"timestamp", "level", "logger"} <= line.keys() for line in lines)
