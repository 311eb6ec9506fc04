"""Progress where nobody looks at a terminal."""

import io
from dataclasses import replace

from rich.console import Console

from engine.commands.progress import lines
from engine.job import Job, JobStatus
from engine.store.schema import EPOCH

BEGUN = Job("id", "me", "folder", "key", "photos", JobStatus.PROCESSING, False, 40, 0, 0, 0, 0, {}, EPOCH, None)


def test_a_line_is_written_now_and_then_and_not_for_every_look() -> None:
    out, seconds = io.StringIO(), iter(range(1000))
    with lines(Console(file=out), lambda: next(seconds) / 2) as show:
        for done in range(40):
            show(replace(BEGUN, completed=done - done // 20, failed=done // 20, cost_microusd=done * 33_600))
    assert out.getvalue() == "19 of 40 finished, $0.6384\n39 of 40 finished, 1 of them failed, $1.3104\n"
