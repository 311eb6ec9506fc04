"""Bringing the schema up to date with Alembic."""

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from engine.errors import SchemaTooNew

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0001"
FOLDER = Path(__file__).parent.parent / "migrations"


def config(connection: sa.Connection) -> "Config":
    """Alembic's settings, working on `connection`."""
    from alembic.config import Config  # a third of a second, needed once in a database's life

    alembic = Config()
    alembic.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    alembic.attributes["connection"] = connection
    return alembic


def current(connection: sa.Connection) -> str:
    """The revision that the database is at, or "" for an empty one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.scalar(sa.text("SELECT version_num FROM alembic_version")) or "")


def upgrade(connection: sa.Connection) -> None:
    """Migrate to `HEAD`. Raises `SchemaTooNew` for a database that a newer LightWork has written."""
    revision = current(connection)
    if revision == HEAD:
        return
    if revision > HEAD:
        raise SchemaTooNew(
            f"The database is at schema {revision}, this LightWork knows up to {HEAD}. "
            "Install the newer LightWork again, or use another engine.data_dir."
        )
    from alembic import command

    command.upgrade(config(connection), HEAD)
