"""What Prometheus reads: counts of this process, and of what waits in the database. No label holds data of people.

Reading is cheap: the database is asked at most every few seconds, by one question at a time.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from importlib.metadata import version
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from engine.app import Engine
from engine.health import Health
from engine.money import MICROUSD
from engine.store import Figures
from engine.tally import BOUNDS, Durations, Tally

FRESH_FOR = 5.0
PATIENCE = 2.0


class Latest:
    """The latest figures of the database. They are waited for `PATIENCE` seconds, by all who ask meanwhile together."""

    def __init__(self, engine: Engine, monotonic: Callable[[], float]) -> None:
        self._engine = engine
        self._monotonic = monotonic
        self._reading: asyncio.Task[Figures] | None = None
        self._figures: Figures | None = None
        self._read_at = self._asked_at = 0.0

    async def get(self) -> Figures | None:
        """Figures that are at most `FRESH_FOR` seconds old; None while the database does not answer."""
        if self._figures is None or self._monotonic() - self._read_at > FRESH_FOR:
            await self._refresh()
        return self._figures

    async def _refresh(self) -> None:
        # One that asks in vain goes on asking: its answer is taken by whoever comes next.
        if self._reading is None:
            self._reading = asyncio.create_task(self._engine.store.backlog.figures(self._engine.now()))
            self._asked_at = self._monotonic()
        reading = self._reading
        await asyncio.wait({reading}, timeout=max(0.0, self._asked_at + PATIENCE - self._monotonic()))
        if not reading.done():
            self._figures = None
        elif self._reading is reading:
            self._figures = None if reading.cancelled() or reading.exception() else reading.result()
            self._read_at, self._reading = self._monotonic(), None

    async def aclose(self) -> None:
        if self._reading:
            self._reading.cancel()
            await asyncio.wait({self._reading})


class Exposition:
    """All metrics, in Prometheus' text format. A registry of its own: nothing else of the process is in it."""

    def __init__(self, engine: Engine, latest: Latest, lag: Callable[[], float]) -> None:
        self._engine = engine
        self._latest = latest
        self._lag = lag

    async def text(self) -> bytes:
        """The exposition, with `# HELP` and `# TYPE`."""
        snapshot = _Snapshot(self._engine, await self._latest.get(), self._lag())
        registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=registry)
        registry.register(snapshot)
        return generate_latest(registry)


class _Snapshot:
    """A collector of one scrape."""

    def __init__(self, engine: Engine, figures: Figures | None, lag: float) -> None:
        self._engine = engine
        self._figures = figures
        self._lag = lag

    def collect(self) -> Iterator[Metric]:
        now = self._engine.now()
        yield InfoMetricFamily("lightwork", "The version at work.", {"version": version("lightwork")})
        yield _gauge("loop_lag_seconds", "The longest that the event loop was held up in the last minute.", self._lag)
        yield _gauge("database_up", "1 if the database answers, else 0.", float(self._figures is not None))
        yield from _of_health(self._engine.health)
        yield from _of_lanes(self._engine)
        yield from _of_tally(self._engine.tally)
        if self._figures:
            yield from _of_figures(self._figures, now)


def _of_health(health: Health) -> Iterator[Metric]:
    yield _gauge("settings_ok", "0 if the settings file cannot be used as it is now.", float(health.settings_ok))
    yield _counter("reloads", "How often changed settings were taken over.", (), {(): health.reloads})


def _of_lanes(engine: Engine) -> Iterator[Metric]:
    labels = ("provider", "model_id")
    lanes = engine.claims.lanes()
    flying = {key: lane.calls.taken for key, lane in lanes.items()}
    limits = {key: lane.limit for key, lane in lanes.items()}
    claimed = {key: lane.claimed for key, lane in lanes.items()}
    yield _gauges("calls_in_flight", "Calls that wait for the service's answer.", labels, flying)
    yield _gauges("calls_limit", "How many calls may be in flight now; it halves on overload.", labels, limits)
    yield _gauges("images_in_hand", "Images that this process has claimed.", labels, claimed)


def _of_tally(tally: Tally) -> Iterator[Metric]:
    dollars = {(model,): cost / MICROUSD for model, cost in tally.microusd.items()}
    by_outcome, by_state = ("model", "outcome"), ("model", "state")
    yield _counter("attempts", "Attempts by how they ended.", by_outcome, tally.attempts)
    yield _counter("images_finished", "Images by how they ended.", by_state, tally.finished)
    yield _counter("cost_dollars", "What was paid, by the catalog's prices.", ("model",), dollars)
    yield _histogram("call_seconds", "How long the service took to answer.", tally.calls)


def _of_figures(figures: Figures, now: datetime) -> Iterator[Metric]:
    def age(moment: datetime | None) -> float:
        return max(0.0, (now - moment).total_seconds()) if moment else 0.0

    waiting = [owed for (state, _), owed in figures.images.items() if state != "PROCESSING"]
    number = {key: owed.number for key, owed in figures.images.items()}
    oldest = max((age(owed.since) for owed in waiting), default=0.0)
    owed = {(frontend,): owed.number for frontend, owed in figures.deliveries.items()}
    since = {(frontend,): age(owed.since) for frontend, owed in figures.deliveries.items()}
    closed = {(g.provider, g.model_id, g.kind): (g.closed_until - now).total_seconds() for g in figures.gates}
    yield _gauges("images", "Unfinished images in the database.", ("state", "model"), number)
    yield _gauge("oldest_waiting_seconds", "The age of the oldest image that waits.", oldest)
    yield _gauges("deliveries_owed", "Results and reports that are to be handed over.", ("frontend",), owed)
    yield _gauges("oldest_delivery_seconds", "The age of the oldest that is tried soon.", ("frontend",), since)
    labels = ("provider", "model_id", "kind")
    yield _gauges("gate_closed_seconds", "How long a model will not be asked yet; closed gates only.", labels, closed)


def _gauge(name: str, help: str, value: float) -> Metric:
    return GaugeMetricFamily(f"lightwork_{name}", help, value)


def _gauges(name: str, help: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Metric:
    return _filled(GaugeMetricFamily(f"lightwork_{name}", help, labels=labels), values)


def _counter(name: str, help: str, labels: tuple[str, ...], values: Counter[Any] | Mapping[Any, float]) -> Metric:
    return _filled(CounterMetricFamily(f"lightwork_{name}", help, labels=labels), values)


def _filled(family: Any, values: Mapping[Any, float]) -> Metric:
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    metric: Metric = family
    return metric


def _histogram(name: str, help: str, calls: Mapping[str, Durations]) -> Metric:
    family = HistogramMetricFamily(f"lightwork_{name}", help, labels=("model",))
    bounds = [*map(str, BOUNDS), "+Inf"]
    for model, durations in sorted(calls.items()):
        buckets = list(zip(bounds, accumulate(durations.counts), strict=True))
        family.add_metric((model,), buckets, durations.total)
    return family
