"""The schema: a new database gets it at once, an older one by the revisions of Alembic up to the same."""

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.errors import SchemaTooNew
from engine.store.schema import metadata

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0008"
FOLDER = Path(__file__).parent.parent / "migrations"
# As Alembic makes it.
VERSION = sa.Table("alembic_version", sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True))


def config(connection: sa.Connection) -> "Config":
    """Alembic's settings, working on `connection`."""
    from alembic.config import Config  # takes a third of a second, and is needed for old databases only

    alembic = Config()
    alembic.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    alembic.attributes["connection"] = connection
    return alembic


def current(connection: sa.Connection) -> str:
    """The revision that the database is at, or "" for an empty one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.scalar(sa.select(VERSION.c.version_num)) or "")


def upgrade(connection: sa.Connection) -> None:
    """Make the tables, or migrate them to `HEAD`. Raises `SchemaTooNew` for what a newer LightWork has written."""
    revision = current(connection)
    if revision == HEAD:
        return
    if not revision:
        _create(connection)
        return
    if revision > HEAD:
        raise SchemaTooNew(
            f"The database is at schema {revision}, this LightWork knows up to {HEAD}. "
            "Install the newer LightWork again, or use another engine.data_dir or engine.database."
        )
    from alembic import command

    command.upgrade(config(connection), HEAD)


async def run(connection: AsyncConnection) -> None:
    """`upgrade`, in the transaction of `connection`."""
    await connection.run_sync(upgrade)


def _create(connection: sa.Connection) -> None:
    metadata.create_all(connection)
    VERSION.create(connection)
    connection.execute(sa.insert(VERSION).values(version_num=HEAD))
