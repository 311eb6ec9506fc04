"""All rows and all files."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Self

from engine.job import Seen
from engine.obstacles import BLOBS, DATABASE
from engine.settings import Settings
from engine.store.backlog import Backlog, Figures, Owed
from engine.store.blob_choice import blobs_at
from engine.store.blobs import Away, Blobs, key_of
from engine.store.database import Topic, database_of
from engine.store.deliveries import Deliveries
from engine.store.folder_blobs import FolderBlobs
from engine.store.gates import Gate, Gates
from engine.store.images import Images
from engine.store.jobs import Jobs
from engine.store.messages import Messages
from engine.store.needs import Needs, Standing
from engine.store.outages import Outages
from engine.store.seen import OUR_RESULTS, SeenFiles
from engine.store.staging import NO_CHANGES, Staging
from engine.store.statistics import Statistics
from engine.store.users import Users

__all__ = [
    "NO_CHANGES",
    "OUR_RESULTS",
    "Away",
    "Backlog",
    "Blobs",
    "Deliveries",
    "Figures",
    "FolderBlobs",
    "Gate",
    "Gates",
    "Images",
    "Jobs",
    "Messages",
    "Needs",
    "Outages",
    "Owed",
    "Seen",
    "SeenFiles",
    "Staging",
    "Standing",
    "Statistics",
    "Store",
    "Users",
    "blobs_at",
    "key_of",
    "source_of",
]


class Store:
    """The database and the blobs of one data folder.

    An `address` is that of a PostgreSQL database to use instead of a file in the folder; `password` goes with it.
    `blobs` are in the folder, too, unless others are given.
    """

    @classmethod
    def of(cls, settings: Settings, blobs: Blobs | None = None) -> Self:
        """The store whose rows are where the settings say."""
        password = settings.secrets.pgpassword.get_secret_value()
        return cls(settings.engine.data_dir, settings.engine.database, password, blobs=blobs)

    def __init__(self, data_dir: Path, address: str = "", password: str = "", *, blobs: Blobs | None = None) -> None:
        self._database = database_of(data_dir, address, password)
        self.jobs = Jobs(self._database)
        self.staging = Staging(self._database)
        self.images = Images(self._database)
        self.deliveries = Deliveries(self._database)
        self.messages = Messages(self._database)
        self.users = Users(self._database)
        self.statistics = Statistics(self._database)
        self.backlog = Backlog(self._database)
        self.needs = Needs(self._database)
        self.gates = Gates(self._database)
        self.outages = Outages(self._database)
        self.seen = SeenFiles(self._database)
        self.blobs = blobs or FolderBlobs(data_dir / "blobs")

    async def open(self) -> None:
        """Create or migrate the database. Raises `StoreError`."""
        await self._database.open()

    async def listen(self, *, queued: Callable[[], None], ended: Callable[[], None]) -> None:
        """Call `queued` and `ended` when another process may have given reason to, until cancelled.

        Only processes on one PostgreSQL server hear of each other; with a file this ends at once.
        """
        await self._database.listen({Topic.QUEUE: queued, Topic.ENDED: ended})

    def report_trouble(self, listener: Callable[[str, str], None]) -> None:
        """Have `listener` told which part cannot be used and why, and the part with "" when it can be used again."""
        self._database.report_trouble(partial(listener, DATABASE))
        self.blobs.report_trouble(partial(listener, BLOBS))

    async def aclose(self) -> None:
        await self.blobs.aclose()
        await self._database.aclose()
