"""What an error of PostgreSQL or of its driver means, and its words for people."""

import asyncpg
from sqlalchemy.exc import DBAPIError

# https://www.postgresql.org/docs/current/errcodes-appendix.html
STARTING = "57P03"
CONFLICTS = ("40001", "40P01")
CONNECTION_LOST = ("08", "25P03", "57P01", "57P02", STARTING, "57P05")
PASSING = (*CONNECTION_LOST, "25006", "53", "55P03", "58")
TROUBLES = (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


def state_of(error: BaseException) -> str:
    """The SQLSTATE; empty where the server said nothing at all."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) or ""


def passes(error: BaseException) -> bool:
    if state := state_of(error):
        return state.startswith(PASSING)
    return isinstance(error, OSError) or (isinstance(error, DBAPIError) and error.connection_invalidated)


def words(error: BaseException) -> str:
    told = str(getattr(error, "orig", error)) or type(error).__name__
    return told.rpartition(">: ")[2].rstrip(".")


def sentence(server: str, error: BaseException) -> str:
    """What is wrong with a database that does not open, and what to do."""
    if isinstance(error, TimeoutError):
        return f"The database {server} does not answer in time. Start it, or correct engine.database."
    if isinstance(error, OSError):
        return f"The database {server} cannot be reached: {words(error)}. Start it, or correct engine.database."
    advice = next((advice for state, advice in ADVICE.items() if state_of(error).startswith(state)), "")
    return f"The database {server} cannot be opened: {words(error)}. {advice or 'Correct engine.database.'}"


ADVICE = {
    "28": "Correct the user in engine.database, or the password in PGPASSWORD.",
    "3D000": "Make it with createdb, or correct engine.database.",
    "42501": "Make that user the owner of the database.",
    "53300": "Close other programs' connections, or raise max_connections.",
    "25006": "It is a copy that only reads: name the server that may be written to as engine.database.",
}
