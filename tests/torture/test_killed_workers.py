"""However often workers are killed while they claim and finish, no row is lost and none is doubled."""

import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest
from killed_workers import Witness
from store.soundness import Rows, check, rows_of

from engine.store import Store

PROGRAM = Path(__file__).with_name("killed_workers.py")
CYCLES = {False: 200, True: 10_000}
SEED = 20261121


@pytest.mark.torture
async def test_killed_workers_lose_no_row_and_double_none(tmp_path: Path, torture: bool) -> None:
    started = time.monotonic()
    subprocess.run([sys.executable, PROGRAM, tmp_path, str(CYCLES[torture]), str(SEED)], check=True)  # noqa: ASYNC221
    store = Store(tmp_path)
    await store.open()
    rows = await rows_of(store)
    await store.aclose()

    witness = Witness(tmp_path)
    check(rows)
    check_all_is_done_once(rows)
    check_what_was_confirmed_is_there(rows, witness)
    check_the_file_is_sound(tmp_path / "lightwork.sqlite3")
    print(figures(rows, witness, CYCLES[torture], time.monotonic() - started))


def check_all_is_done_once(rows: Rows) -> None:
    done = Counter(attempt.image_id for attempt in rows.attempts if attempt.outcome == "complete")
    assert all(image.finished_at for image in rows.images.values())
    assert all(job.finished_at for job in rows.jobs.values())
    assert all(duty.delivered_at for duty in rows.deliveries)
    assert done == Counter(image.id for image in rows.images.values() if image.status == "COMPLETED")


def check_what_was_confirmed_is_there(rows: Rows, witness: Witness) -> None:
    taken, delivered = witness.of("taken"), witness.of("delivered")
    assert taken.keys() <= rows.images.keys()
    assert delivered.keys() <= {duty.id for duty in rows.deliveries}
    for step, status in (("complete", "COMPLETED"), ("fail", "FAILED")):
        assert {rows.images[image_id].status for image_id in witness.of(step)} == {status}
    for confirmed_once in (taken, delivered, witness.of("complete") + witness.of("fail")):
        assert max(confirmed_once.values()) == 1


def check_the_file_is_sound(path: Path) -> None:
    with closing(connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def figures(rows: Rows, witness: Witness, cycles: int, seconds: float) -> str:
    outcomes = Counter(attempt.outcome for attempt in rows.attempts)
    return (
        f"\n{cycles:,} kills in {seconds:.0f} s: {len(rows.images):,} images, {outcomes.total():,} attempts, of which "
        f"{outcomes['lost']:,} were lost and {witness.of('late').total():,} came too late; none lost, none doubled"
    )
