"""`osgp up`: a neighbourhood is found, commissioned, read and stored, as often as it is called.

Every run covers a window of simulated time: the first begins at the world's beginning, the next
where the last ended. A run that was interrupted is finished before a new window begins. After
the window's end everybody is visited once more, so that its last intervals are stored too.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from osgp.channel import scenario as scenarios
from osgp.concentrator.happenings import Notice, Visited
from osgp.concentrator.plan import Plan
from osgp.concentrator.vault import Vault
from osgp.errors import StoreError, UsageError
from osgp.headend.store import Store
from osgp.meter.identity import neighbourhood
from osgp.meter.nvm import FileStore
from osgp.security.secret import Secret
from osgp.topology import Life

from .firmware import Loaded, loaded
from .suites import Knows, equipped, knows, spoken
from .world import MasterKey, Watcher, World, time_of

BEGINNING = datetime(2026, 1, 5, tzinfo=UTC).timestamp()
"""A Monday; the first window's start unless the caller says otherwise."""

DAY = 86_400.0
INTERVAL = 900.0
SETTLE = 60.0
"""Seconds after a window's end until its last intervals are read."""

EXPECTED_ANSWERS = 10
"""Of one discovery query, so that most of them are understood."""

CLOSING = 12 * 3600.0
"""At most this long is waited for stragglers after a window."""

YOUNG_OBJECTS = 100_000
"""Allocations between two looks for garbage; frames and messages make little of it."""

DEMO_MASTER = b"virtual meters!!"
"""Not a secret: key of simulated meters, which exist nowhere else."""


class UpOptions(msgspec.Struct, frozen=True):
    """What the user asked for; None: as in the run before, or the default."""

    store: str
    memory: Path | None = None
    meters: int | None = None
    seed: int | None = None
    scenario: str | None = None
    days: float = 1.0
    capture: Path | None = None
    suite: str | None = None
    firmware: Path | None = None


class Window(msgspec.Struct, frozen=True):
    """What one run is about; kept in the store, where the next run finds it."""

    meters: int
    seed: int
    scenario: str
    begin: float
    end: float
    suite: str = Knows.OMA.value

    @property
    def intervals(self) -> int:
        """Load-profile intervals that end in the window, of one meter."""
        return int(self.end // INTERVAL) - int(self.begin // INTERVAL)


class Summary(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a run came to; `osgp up --json` prints it. `firmware`: where an image was given."""

    meters: int
    discovered: int
    commissioned: int
    read: int
    intervals_expected: int
    intervals_stored: int
    intervals_missing: int
    sim_seconds: float
    airtime_seconds: float
    retries: int
    wall_seconds: float
    suites: dict[str, int]
    firmware: Loaded | None = None

    @property
    def complete(self) -> bool:
        return self.intervals_missing == 0 and self.read == self.meters


class Run:
    """One window from begin to summary."""

    def __init__(
        self, store: Store, memory: FileStore, window: Window, vault: Vault | None = None
    ) -> None:
        self.window, self._store = window, store
        keys, suite = MasterKey(Secret(DEMO_MASTER)), knows(window.suite)
        profiles = equipped(neighbourhood(window.meters, window.seed, keys.omak), suite, keys)
        self.able = len(keys.able)
        """Meters that know OSGP-AES-128-PSK."""
        seen = [device.last_contact or 0.0 for device in store.devices()]
        now = max([time_of(memory) or window.begin, *seen])
        self.world = World(
            scenarios.load(window.scenario),
            profiles,
            memory,
            store,
            keys,
            seed=_mixed(window.seed, now),
            now=now,
            plan=Plan(ranges=max(4, window.meters // EXPECTED_ANSWERS), suite=suite.plan),
            vault=vault,
        )
        self._began_at, self._wall = now, time.monotonic()
        self._late: set[bytes] = set()

    def load(self, image: bytes) -> None:
        """A firmware image for all meters. Raises LocalProtocolError for bytes that are none."""
        for concentrator in self.world.concentrators:
            concentrator.load(image)

    def go(self, watcher: Watcher) -> Summary:
        """The window, then the last visits. Raises StoreError."""
        self._store.begin_run(msgspec.to_builtins(self.window))
        with _long_lived():
            self.world.run(self.window.end + SETTLE, watcher)
            self._close(watcher)
        summary = self.summary()
        self._store.finish_run(msgspec.to_builtins(summary))
        return summary

    def summary(self) -> Summary:
        """Counts meters that there are: anybody can answer a query under a made-up id."""
        meters = {meter.profile.neuron_id for meter in self.world.meters}
        devices = [each for each in self._store.devices() if each.neuron_id in meters]
        coverage = self._store.interval_coverage(self.window.begin, self.window.end)
        expected = self.window.meters * self.window.intervals
        stored = sum(one.stored for one in coverage)
        return Summary(
            meters=self.window.meters,
            discovered=len(devices),
            commissioned=sum(device.commissioned_at is not None for device in devices),
            read=sum(device.state == Life.OPERATING for device in devices),
            intervals_expected=expected,
            intervals_stored=stored,
            intervals_missing=expected - stored,
            sim_seconds=round(self.world.now - self._began_at, 3),
            airtime_seconds=round(self.world.medium.counts.airtime, 3),
            retries=self.world.concentrator.stack.statistics.retries,
            wall_seconds=round(time.monotonic() - self._wall, 3),
            suites=spoken(self.world.concentrators),
            firmware=loaded(self.world.concentrators),
        )

    def _close(self, watcher: Watcher) -> None:
        """Visits everybody after the window's end; waits for stragglers, but not for ever."""
        begun = self.world.now
        self.world.visit_all(begun)
        closing = _Closing(watcher, self._late)
        self.world.run_while(self._unfinished, begun + CLOSING, closing)

    def _unfinished(self) -> bool:
        return len(self._late) < self.window.meters


@contextmanager
def _long_lived() -> Iterator[None]:
    """What exists now lives as long as the run: the garbage collector need not look at it."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


class _Closing:
    """Passes everything on to a watcher, and notes who was visited."""

    chunk = 10.0

    def __init__(self, watcher: Watcher, visited: set[bytes]) -> None:
        self._watcher, self._visited = watcher, visited

    def notice(self, event: Notice) -> None:
        if isinstance(event, Visited):
            self._visited.add(event.neuron_id)
        self._watcher.notice(event)

    def tick(self, now: float) -> None:
        self._watcher.tick(now)


def plan_window(options: UpOptions, store: Store) -> Window:
    """The window that this run covers. Raises UsageError where the store holds another world."""
    runs = store.runs()
    if not runs:
        if store.devices():
            raise UsageError("the store holds devices of no simulated neighbourhood; use another")
        return _first_window(options)
    last = _window_of(runs[-1].meta)
    _check_same_world(options, last)
    if runs[-1].summary is None:
        return last
    return msgspec.structs.replace(last, begin=last.end, end=last.end + options.days * DAY)


def _first_window(options: UpOptions) -> Window:
    """Where the user does not say what meters know, the scenario does."""
    scenario = options.scenario or scenarios.DEFAULT
    suite = options.suite or scenarios.load(scenario).suite or Knows.OMA.value
    return Window(
        options.meters or 50,
        1 if options.seed is None else options.seed,
        scenario,
        BEGINNING,
        BEGINNING + options.days * DAY,
        knows(suite).value,
    )


def memory_path(options: UpOptions, store_path: Path | None) -> Path:
    """Where the meters' memories are kept: beside an SQLite store."""
    if options.memory is not None:
        return options.memory
    if store_path is None:
        return Path("osgp-meters.db")
    return store_path.with_suffix(".meters" + (store_path.suffix or ".db"))


def keys_path(store_path: Path | None) -> Path:
    """Where the concentrators keep device keys: beside an SQLite store."""
    if store_path is None:
        return Path("osgp-keys.db")
    return store_path.with_suffix(".keys" + (store_path.suffix or ".db"))


def check_pair(store: Store, path: Path) -> None:
    """Store and meter memories belong together. Raises StoreError where one is missing."""
    if bool(store.runs()) and not path.exists():
        raise StoreError(f"{path}: the memories of this store's meters are missing")
    if path.exists() and not store.runs():
        raise StoreError(f"{path}: these meters belong to another store; remove it or name another")


def _window_of(meta: dict[str, Any]) -> Window:
    try:
        return msgspec.convert(meta, Window)
    except msgspec.ValidationError as error:
        raise UsageError("the store's last run was no simulation; use another store") from error


def _check_same_world(options: UpOptions, last: Window) -> None:
    for name in ("meters", "seed", "scenario", "suite"):
        value = getattr(options, name)
        stored = getattr(last, name)
        if value is not None and value != stored:
            raise UsageError(f"this store's neighbourhood has {name} {stored}, not {value}")


def _mixed(seed: int, now: float) -> int:
    """A different course of events after each restart, the same one for the same restart."""
    return seed * 1_000_003 + int(now)
