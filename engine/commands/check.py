"""`lightwork check`: one line for everything that work needs."""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import click

from engine.catalog import Catalog, load_catalog
from engine.check import (
    Finding,
    blobs_finding,
    database_finding,
    frontend_findings,
    model_findings,
    module_findings,
    place_findings,
    trouble_findings,
    wait_findings,
)
from engine.decoder import Decoder
from engine.errors import SettingsError
from engine.paths import is_there
from engine.providers import Surroundings, builders
from engine.settings import Settings, find_config, load_settings
from engine.store import Store, blobs_at


def run(config: Path | None) -> int:
    """Check with the settings, environment and folder of this process; see `check`."""
    return check(config, os.environ, Path.cwd(), click.echo)


def check(config: Path | None, environ: Mapping[str, str], cwd: Path, say: Callable[[str], object]) -> int:
    """Say what was found. Returns 0 if all is well, 1 if something is not, 2 if the settings cannot be read."""
    try:
        settings = load_settings(config, environ, cwd)
        catalog = load_catalog(settings.models, settings.modules)
    except SettingsError as error:
        for line in str(error).splitlines():
            say(str(Finding(False, "settings", line)))
        return 2
    findings = [_settings_finding(find_config(config, environ, cwd)), *place_findings(settings)]
    findings += frontend_findings(settings) + module_findings(settings, catalog)
    has_database = bool(settings.engine.database) or is_there(settings.engine.data_dir) is not False
    findings += asyncio.run(_answers(settings, catalog, has_database))
    for finding in findings:
        say(str(finding))
    return int(any(finding.needed and not finding.ok for finding in findings))


def _settings_finding(config: Path | None) -> Finding:
    return Finding(True, "settings", str(config) if config else 'no file, so the defaults; "lightwork init" writes one')


async def _answers(settings: Settings, catalog: Catalog, has_database: bool) -> list[Finding]:
    async with AsyncExitStack() as closing:
        decoder = Decoder()
        closing.push_async_callback(decoder.aclose)
        surroundings = Surroundings(
            gemini_api_key=settings.secrets.gemini_api_key.get_secret_value(),
            gemini_base_url=settings.gemini.base_url,
            now=lambda: datetime.now(UTC),
            decoder=decoder,
        )
        providers = {name: build(surroundings) for name, build in builders().items()}
        for provider in providers.values():
            closing.push_async_callback(provider.aclose)
        rows = await _rows(settings, catalog) if has_database else [_NO_DATABASE_YET]
        blobs = await _blobs(settings) if settings.engine.blobs else []
        return [*rows, *blobs, *await model_findings(settings, catalog, providers)]


_NO_DATABASE_YET = Finding(True, "database", "will be made by the first run")


async def _blobs(settings: Settings) -> list[Finding]:
    try:
        blobs = blobs_at(settings.engine.blobs, settings.engine.data_dir, settings.secrets)
        return [await blobs_finding(blobs)]
    except SettingsError as error:
        return [Finding(False, "blobs", str(error))]


async def _rows(settings: Settings, catalog: Catalog) -> list[Finding]:
    store = Store.of(settings)
    try:
        database = await database_finding(store.open)
        if not database.ok:
            return [database]
        waits = await wait_findings(store, catalog, datetime.now(UTC))
        return [database, *waits, *await trouble_findings(store)]
    finally:
        await store.aclose()
