"""A claim whose asker is stopped or cancelled half-way is handed back, also where transactions run at the same time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from servers.postgresql import PostgreSQL
from workshop import opened, settings_for

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO attempts%'"


@asynccontextmanager
async def locked(address: str, table: str) -> AsyncIterator[None]:
    connection = await asyncpg.connect(address)
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


@pytest.mark.parametrize("how", ["stopped", "cancelled"])
async def test_a_claim_that_is_committed_after_its_asker_has_left_is_handed_back(
    server: PostgreSQL, tmp_path: Path, how: str
) -> None:
    database = server.new_database()
    settings = settings_for(tmp_path, database=server.address(database))
    async with opened(settings, tmp_path) as shop:
        claims, stop = shop.engine.claims, asyncio.Event()
        job_id = await shop.job(*(shop.photo(f"{number}.jpg") for number in range(4)), model="local")
        async with locked(settings.engine.database, "attempts"):
            claiming = asyncio.ensure_future(anext(aiter(claims.stream(stop)), None))
            await shop.until(lambda: asyncio.to_thread(lambda: server.sql(WAITING, database) == "1"))
            if how == "stopped":
                stop.set()
            else:
                claiming.cancel()
            await asyncio.wait([claiming], timeout=5)
            assert claiming.done()
            handing_back = asyncio.create_task(claims.hand_back())
            await asyncio.wait([handing_back], timeout=0.3)
        await handing_back
        assert set(await shop.statuses(job_id)) == {"PENDING"}
