"""What a courier may do wrong."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from workshop import opened, settings_for

from engine.delivery import Deliveries
from engine.job import Delivery


class Clumsy:
    """Fails as no courier should."""

    async def hand_over(self, delivery: Delivery) -> None:
        raise KeyError("no answer from /bot123:key/sendPhoto")


async def test_a_mistake_of_a_courier_delays_its_duty_and_the_row_says_no_more_than_its_kind(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(settings_for(tmp_path), tmp_path) as shop:
        job_id = await shop.job(shop.photo("a.jpg"))
        await shop.engine.intake.cancel(job_id)
        duties = Deliveries(shop.engine.store, "folder", Clumsy(), now=shop.clock, lock=shop.engine.lock("test"))
        assert await duties.hand_over_due() == 1
        assert await shop.engine.store.deliveries.owed(job_id)
    with closing(sqlite3.connect(tmp_path / "data" / "lightwork.sqlite3")) as database:
        told = [error for (error,) in database.execute("SELECT error FROM deliveries WHERE attempt > 0")]
    assert told == ["LightWork made a mistake (KeyError); its log says more."]
    assert "/bot123:key/" in caplog.text  # where a filter hides it


async def test_who_is_cancelled_while_looking_for_duties_leaves_them_to_others(tmp_path: Path) -> None:
    async with opened(settings_for(tmp_path), tmp_path) as shop:

        def cancelled_now() -> datetime:
            task = asyncio.current_task()
            assert task
            task.cancel()
            return shop.clock()

        lock = shop.engine.lock("test")
        duties = Deliveries(shop.engine.store, "folder", Clumsy(), now=cancelled_now, lock=lock)
        looking = asyncio.create_task(duties.hand_over_due())
        await asyncio.wait((looking,))
        assert looking.cancelled()
        with shop.engine.lock("test").acquire(timeout=0):
            pass
