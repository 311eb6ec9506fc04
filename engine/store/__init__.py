"""All rows and all files."""

from pathlib import Path
from typing import Self

from engine.job import Seen
from engine.settings import Settings
from engine.store.blobs import Blobs
from engine.store.database import database_of
from engine.store.deliveries import Deliveries
from engine.store.gates import Gate, Gates
from engine.store.images import Images
from engine.store.jobs import Jobs
from engine.store.messages import Messages
from engine.store.outages import Outages
from engine.store.seen import OUR_RESULTS, SeenFiles
from engine.store.staging import NO_CHANGES, Staging
from engine.store.statistics import Statistics
from engine.store.users import Users

__all__ = [
    "NO_CHANGES",
    "OUR_RESULTS",
    "Blobs",
    "Deliveries",
    "Gate",
    "Gates",
    "Images",
    "Jobs",
    "Messages",
    "Outages",
    "Seen",
    "SeenFiles",
    "Staging",
    "Statistics",
    "Store",
    "Users",
    "source_of",
]


class Store:
    """The database and the blobs of one data folder.

    An `address` is that of a PostgreSQL database to use instead of a file in the folder; `password` goes with it.
    """

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The store that the settings name."""
        password = settings.secrets.pgpassword.get_secret_value()
        return cls(settings.engine.data_dir, settings.engine.database, password)

    def __init__(self, data_dir: Path, address: str = "", password: str = "") -> None:
        self._database = database_of(data_dir, address, password)
        self.jobs = Jobs(self._database)
        self.staging = Staging(self._database)
        self.images = Images(self._database)
        self.deliveries = Deliveries(self._database)
        self.messages = Messages(self._database)
        self.users = Users(self._database)
        self.statistics = Statistics(self._database)
        self.gates = Gates(self._database)
        self.outages = Outages(self._database)
        self.seen = SeenFiles(self._database)
        self.blobs = Blobs(data_dir / "blobs")

    async def open(self) -> None:
        """Create or migrate the database. Raises `StoreError`."""
        await self._database.open()

    async def aclose(self) -> None:
        await self._database.aclose()
