"""Counting what is unfinished must not look at what is finished."""

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from engine.catalog import load_catalog
from engine.job import NewImage, NewJob
from engine.prompt import final_prompt
from engine.store import Store

ALLOWED = re.compile(r"SEARCH|SCAN \w+ USING (COVERING )?INDEX ix_\w+|USE TEMP B-TREE|SCAN gates")


async def test_each_count_walks_an_index_of_unfinished_rows_only(tmp_path: Path) -> None:
    store, asked = Store(tmp_path), list[tuple[str, Any]]()
    await store.open()

    def keep(_connection: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        asked.append((statement, values))

    reader = store._database._reader.sync_engine
    sa.event.listen(reader, "before_cursor_execute", keep)
    try:
        await store.backlog.figures(datetime.now(UTC))
    finally:
        await store.aclose()
    counts = [(statement, values) for statement, values in asked if "count(" in statement]
    assert len(counts) == 4
    with closing(sqlite3.connect(tmp_path / "lightwork.sqlite3")) as database:
        for statement, values in counts:
            plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
            assert all(ALLOWED.match(step) for step in plan), (statement, plan)
            assert any("ix_" in step for step in plan), (statement, plan)


async def test_what_waits_is_counted_by_model_with_the_age_of_the_oldest(tmp_path: Path) -> None:
    store, begun = Store(tmp_path), datetime.now(UTC)
    catalog = load_catalog({}, {})
    await store.open()
    try:
        job = await store.jobs.open(NewJob("me", "folder", "key", "title"), begun)
        new = [NewImage(f"{number}.jpg", (), "enhance", "local") for number in range(3)]
        prompted = [(image, final_prompt(catalog.module("enhance"), "")) for image in new]
        await store.jobs.add(job.id, prompted, models=catalog.models, seen=(), now=begun)
        figures = await store.backlog.figures(begun)
    finally:
        await store.aclose()
    (key, owed), *more = figures.images.items()
    assert (key, owed.number, more, figures.deliveries) == (("PENDING", "local"), 3, [], {})
    assert owed.since is not None
    assert abs(owed.since - begun) < timedelta(seconds=30)
