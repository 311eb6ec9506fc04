"""Changed settings taken over while work goes on: modules, models, and who may use the bot.

Guarantees:
1. An image in work ends with the rows that it began with; what is claimed afterwards gets the new ones.
2. A file that cannot be used changes nothing; what is wrong with it is said once.
3. Keys that need a new start are named, never half taken over.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.app import Engine, usable_catalog
from engine.catalog import Catalog
from engine.errors import LightWorkError, SettingsError
from engine.settings import Settings
from engine.waiting import first_of, unless

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
TAKEN_OVER = {"telegram": {"allowed_users", "allowed_chats", "admins"}}

Signature = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class Source:
    """Where settings come from: `read` reads them anew and raises SettingsError; `path` is None without a file."""

    path: Path | None
    read: Callable[[], Settings]

    def signature(self) -> Signature:
        """Differs when the file does; None where there is none."""
        try:
            stat = self.path.stat() if self.path else None
        except OSError:
            return None
        return (stat.st_ino, stat.st_size, stat.st_mtime_ns) if stat else None


class Reload:
    """Takes changed settings over."""

    def __init__(self, engine: Engine, source: Source) -> None:
        self._engine = engine
        self._source = source

    async def run(self, stop: asyncio.Event, asked: asyncio.Event) -> None:
        """Take over the file when it has changed, and whenever `asked` is set, until `stop` is."""
        taken = seen = await self._look()
        while not stop.is_set():
            await first_of((stop, asked), LOOK_EVERY)
            now = await self._look()
            # A file that changes between two looks is still being written.
            if asked.is_set() or now == seen != taken:
                asked.clear()
                taken = now
                await unless(stop, self._take_over())
            seen = now

    async def _look(self) -> Signature:
        return await asyncio.to_thread(self._source.signature)

    async def _take_over(self) -> None:
        health = self._engine.health
        try:
            settings = await asyncio.to_thread(self._source.read)
            catalog = usable_catalog(settings)
            _check_names(self._engine.settings, catalog)
        except LightWorkError as error:
            health.settings_ok = False
            log.warning("The changed settings cannot be used, the old ones stay: %s", self._placed(error))
            return
        except Exception:
            health.settings_ok = False
            log.exception("The changed settings cannot be read, the old ones stay: an error of LightWork's own")
            return
        self._engine.catalog.adopt(catalog)
        self._engine.changes.tell(settings)
        health.settings_ok, health.reloads = True, health.reloads + 1
        log.info("settings read again: modules, models and who may use the bot")
        if waiting := sorted(_for_next_start(self._engine.settings, settings)):
            log.warning("takes effect at the next start: %s", ", ".join(waiting))
        await self._engine.claims.catalog_changed()

    def _placed(self, error: LightWorkError) -> str:
        path = str(self._source.path)
        return str(error) if path in str(error) else f"{path}: {error}"


def _check_names(running: Settings, catalog: Catalog) -> None:
    """What the settings in force name must stay: everything that asks for nothing else gets it."""
    modules = {running.engine.module, *(watch.module for watch in running.watch if watch.module)}
    models = {running.engine.model, *running.models_named()}
    for kind, names, rows in (("module", modules, catalog.modules), ("model", models, catalog.models)):
        if gone := sorted(names - rows.keys()):
            raise SettingsError(f'The {kind} "{gone[0]}" is in use as a default and cannot go before the next start.')


def _for_next_start(running: Settings, changed: Settings) -> Iterator[str]:
    for section in type(running).model_fields.keys() - {"models", "modules", "secrets", "watch"}:
        old, new = getattr(running, section), getattr(changed, section)
        for key in type(old).model_fields.keys() - TAKEN_OVER.get(section, set()):
            if getattr(old, key) != getattr(new, key):
                yield f"[{section}] {key}"
    if running.watch != changed.watch:
        yield "[[watch]]"
    for key in type(running.secrets).model_fields:
        if getattr(running.secrets, key) != getattr(changed.secrets, key):
            yield key.upper()
