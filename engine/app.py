"""The engine put together: the only place that builds things and passes them to each other."""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock

from engine.backup import discard_killed
from engine.catalog import Catalog, load_catalog
from engine.changes import Changes
from engine.claim import Claims
from engine.decoder import Decoder
from engine.delivery import Deliveries
from engine.errors import SettingsError
from engine.folder import FolderCourier
from engine.health import Health
from engine.intake import Intake
from engine.obstacles import OUTBOX, Obstacles
from engine.outbox import AT_ONCE
from engine.photo import Limits
from engine.presence import Presence, lock_of
from engine.provider import Provider
from engine.providers import Surroundings, builders
from engine.reporter import Reporter
from engine.retry import Policy
from engine.settings import Settings
from engine.store import Away, Blobs, Store, blobs_at
from engine.tally import Tally
from engine.upkeep import Upkeep
from engine.work import Style, Work

log = logging.getLogger(__name__)

SPARE_THREADS = 32
INBOX_THREADS = 2


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Engine:
    """What a frontend gets: take jobs in through `intake`, read rows from `store`, and `run` does the work.

    All in `on_finished` are called whenever an image or a job has ended. `settings` are those of the start,
    `changes` tells what was taken over since. `idle` is set when `run` works no more.
    """

    settings: Settings
    catalog: Catalog
    store: Store
    intake: Intake
    claims: Claims
    work: Work
    folders: Deliveries
    upkeep: Upkeep
    now: Callable[[], datetime]
    on_finished: list[Callable[[], None]]
    tell_finished: Callable[[], None]
    idle: asyncio.Event
    tally: Tally
    health: Health
    obstacles: Obstacles
    changes: Changes

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then let calls in flight end within the grace time and hand the rest back."""
        self.upkeep.start()
        try:
            async with asyncio.TaskGroup() as services:
                renewing = services.create_task(self.claims.renew_forever())
                delivering = services.create_task(self.folders.run(stop))
                listening = services.create_task(self.store.listen(queued=self.claims.wake, ended=self.tell_finished))
                self.health.works("engine")
                await self._work_until(stop)
                self.idle.set()
                await self._hand_over_the_last(delivering)
                renewing.cancel()
                listening.cancel()
        finally:
            self.upkeep.stop()
            await self.claims.hand_back()

    def lock(self, name: str) -> FileLock:
        """A lock among all processes of this data folder; the system lets go of it when its process dies."""
        return lock_of(self.settings.engine.data_dir, name)

    async def _hand_over_the_last(self, delivering: asyncio.Task[None]) -> None:
        """What was finished at the end, as far as that goes within the grace time; the next start does the rest."""
        try:
            async with asyncio.timeout(self.settings.engine.grace.total_seconds()):
                await delivering
                while await self.folders.hand_over_due():
                    pass
        except TimeoutError:
            log.warning("some results could not be handed over in time; that is done at the next start")

    async def _work_until(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as images:
            working: set[asyncio.Task[None]] = set()
            async for image, model in self.claims.stream(stop):
                task = images.create_task(self.work.do(image, model))
                working.add(task)
                task.add_done_callback(working.discard)
            self.work.stop_calling()
            if working:
                grace = self.settings.engine.grace.total_seconds()
                log.info("stopping: pictures in work (%d) get %g s to finish", len(working), grace)
                _, late = await asyncio.wait(working, timeout=grace)
                for task in late:
                    task.cancel()


@asynccontextmanager
async def open_engine(
    settings: Settings,
    *,
    models: Collection[str] = (),
    now: Callable[[], datetime] = _utc_now,
    rng: random.Random | None = None,
    blobs: Blobs | None = None,
) -> AsyncIterator[Engine]:
    """Open the data folder and build everything. Raises `SettingsError` or `StoreError`.

    `models` are those that will be wanted soon; none means those that the settings name. `blobs` replace those of the
    settings.
    """
    catalog = usable_catalog(settings)
    _provide_threads(settings.engine.concurrency, len(settings.watch))
    data_dir = settings.engine.data_dir
    blobs = blobs or blobs_at(settings.engine.blobs, data_dir, settings.secrets)
    store, decoder = Store.of(settings, blobs), Decoder()
    async with contextlib.AsyncExitStack() as closing:
        closing.push_async_callback(decoder.aclose)
        providers = _providers(settings, decoder, now)
        for provider in providers.values():
            closing.push_async_callback(provider.aclose)
        wanted = catalog.models.keys() & (models or settings.models_named())
        soon = {catalog.models[name].provider for name in wanted}
        await closing.enter_async_context(_beside(decoder.warm_up(), *(providers[name].warm_up() for name in soon)))
        closing.push_async_callback(store.aclose)
        await store.open()
        await _look_at(blobs)
        _keep_private(data_dir)
        presence = Presence(data_dir)
        closing.callback(presence.close)
        await asyncio.to_thread(discard_killed, data_dir)
        await _take_over(store, presence, now)
        yield _assemble(
            settings,
            catalog=catalog,
            store=store,
            decoder=decoder,
            providers=providers,
            presence=presence,
            now=now,
            rng=rng or random.SystemRandom(),
        )


def _provide_threads(concurrency: int, watches: int) -> None:
    """Threads for files: asyncio's own few would all hang in a disk or share that hangs, and everything with them."""
    number = SPARE_THREADS + 4 * concurrency + (INBOX_THREADS + AT_ONCE) * watches
    threads = ThreadPoolExecutor(number, thread_name_prefix="files")
    asyncio.get_running_loop().set_default_executor(threads)


@asynccontextmanager
async def _beside(*preparations: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Prepare ahead what is wanted soon; what goes wrong there, the first that wants it will meet and tell."""
    tasks = [asyncio.create_task(preparation) for preparation in preparations]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _look_at(blobs: Blobs) -> None:
    """Refuse to begin what could keep nothing; an outage passes by itself."""
    try:
        await blobs.check()
    except Away as away:
        if away.lasting:
            raise SettingsError(str(away)) from None
        log.warning("%s", away)


def _keep_private(data_dir: Path) -> None:
    """Photos, prompts and costs are nobody else's business, also in a folder that was made by hand.

    Raises SettingsError where there is none and none can be made.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingsError(
            f"The folder {data_dir} cannot be made: {error.strerror}. Name another one as engine.data_dir."
        ) from error
    if data_dir.stat().st_mode & 0o077:
        with contextlib.suppress(PermissionError):  # somebody else's folder, such as a mount of a container
            data_dir.chmod(0o700)


async def _take_over(store: Store, presence: Presence, now: Callable[[], datetime]) -> None:
    """Take back what killed processes of this data folder had claimed, and try again what a new start may mend."""
    for worker in presence.gone():
        if number := await store.images.reclaim(now(), worker=worker):
            log.info("%d images that were in work when LightWork last ended are queued again", number)
    await store.gates.reopen("misconfigured", "gone")


def usable_catalog(settings: Settings) -> Catalog:
    """The catalog of the settings. Raises SettingsError, also for a provider that does not exist."""
    catalog = load_catalog(settings.models, settings.modules)
    for model in catalog.models.values():
        if model.provider not in builders():
            known = " and ".join(builders())
            raise SettingsError(
                f'[models.{model.name}] provider = "{model.provider}" does not exist; there are {known}.'
            )
    return catalog


def _providers(settings: Settings, decoder: Decoder, now: Callable[[], datetime]) -> dict[str, Provider]:
    surroundings = Surroundings(
        gemini_api_key=settings.secrets.gemini_api_key.get_secret_value(),
        gemini_base_url=settings.gemini.base_url,
        now=now,
        decoder=decoder,
    )
    return {name: build(surroundings) for name, build in builders().items()}


def _assemble(
    settings: Settings,
    *,
    catalog: Catalog,
    store: Store,
    decoder: Decoder,
    providers: Mapping[str, Provider],
    presence: Presence,
    now: Callable[[], datetime],
    rng: random.Random,
) -> Engine:
    engine, tally, health = settings.engine, Tally(), Health()
    claims = Claims(store, catalog, presence=presence, now=now, concurrency=engine.concurrency, lease=engine.lease)
    obstacles = Obstacles(now)
    store.report_trouble(obstacles.meet)
    courier = FolderCourier(store, Reporter(store, catalog, version("lightwork")), now=now)
    folders = Deliveries(
        store,
        "folder",
        courier,
        now=now,
        lock=lock_of(engine.data_dir, "folder-deliveries"),
        on_trouble=partial(obstacles.meet, OUTBOX),
    )
    on_finished = [folders.wake]

    def tell() -> None:
        for listener in on_finished:
            listener()

    work = Work(
        store=store,
        catalog=catalog,
        claims=claims,
        providers=providers,
        decoder=decoder,
        style=_style(settings),
        policy=Policy(engine.max_retries, engine.retry_budget),
        now=now,
        rng=rng,
        concurrency=engine.concurrency,
        in_flight_bytes=engine.in_flight_bytes,
        on_finished=tell,
        tally=tally,
    )
    health.waits("engine", "LightWork is starting")
    return Engine(
        settings=settings,
        catalog=catalog,
        store=store,
        intake=Intake(store, catalog, claims, now=now, on_finished=tell),
        claims=claims,
        work=work,
        folders=folders,
        upkeep=Upkeep(store, claims, now=now, retention=engine.retention),
        now=now,
        on_finished=on_finished,
        tell_finished=tell,
        idle=asyncio.Event(),
        tally=tally,
        health=health,
        obstacles=obstacles,
        changes=Changes(),
    )


def _style(settings: Settings) -> Style:
    limits, output = settings.limits, settings.output
    return Style(
        Limits(megapixels=limits.megapixels, bytes=limits.bytes, side=limits.side, min_side=limits.min_side),
        keep_gps=output.gps,
        watermark=output.watermark,
        crop=output.crop,
    )
