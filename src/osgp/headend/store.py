"""The store: keeps readings for good, each of them whole or not at all, and once.

`Store` is the head-end's `Sink` and `TopologyStore` (`osgp.concentrator.sink`). A record whose key
is there already is left out; if it also says something else than the stored one, the stored one
stays, and the refusal is counted and logged.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import structlog
from sqlalchemy import Connection, Engine, Select, bindparam, insert, select, update
from sqlalchemy.engine import URL

from osgp import __version__
from osgp.concentrator.sink import Cursor, Device, Reading
from osgp.errors import LocalProtocolError, StoreError
from osgp.headend.database import (
    insert_new,
    insert_rows,
    open_engine,
    parse_url,
    place_of,
    upsert,
)
from osgp.headend.rows import KINDS, Kind, Row, check_time, pack_channels
from osgp.headend.schema import cursors, devices, meta, profile_channels, runs
from osgp.headend.topology import Topology

log = structlog.get_logger(__name__)

_DEVICE_TIMES: Final = ("first_seen", "commissioned_at", "last_contact", "searched_at")


def open_store(url: str, *, create: bool = True, clock: Callable[[], float] = time.time) -> Store:
    """The store at `url` (`sqlite:///meters.db`, `postgresql://user@host/database`), brought to the
    newest schema; made where there is none, unless `create` is off.

    `clock` dates runs. Raises StoreError in one line, without the URL's password, for everything
    that can be wrong with the place.
    """
    parsed = parse_url(url)
    store = Store(open_engine(parsed, create=create), parsed, clock)
    try:
        store.sign()
    except BaseException:
        store.close()
        raise
    return store


class Store(Topology):
    """Use `open_store`. A context manager; every method may raise StoreError.

    `conflicts` counts records kept out since opening because the store has something else under
    their key, by the name of their field in `Reading`.
    """

    def __init__(self, engine: Engine, url: URL, clock: Callable[[], float] = time.time) -> None:
        super().__init__(engine, url)
        self.conflicts: Counter[str] = Counter()
        self._clock = clock
        self._dialect = engine.dialect.name
        self._device_ids: dict[bytes, int] = {}
        self._run: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the database; closing twice is once."""
        self._closed = True
        self._engine.dispose()

    def sign(self) -> None:
        """Notes in a new store which version of osgp made it."""
        with self._writing() as connection:
            made_by = {"key": "created_with", "value": f"osgp {__version__}"}
            connection.execute(insert_new(self._dialect, meta), made_by)

    def save_device(self, device: Device) -> None:
        """Keeps what is known of a device, instead of what was."""
        row = msgspec.structs.asdict(device)
        for name in _DEVICE_TIMES:
            if row[name] is not None:
                check_time(row[name], f"device.{name}")
        with self._writing() as connection:
            connection.execute(upsert(self._dialect, devices), row)

    def store(self, reading: Reading) -> None:
        """Keeps a reading of a device saved before: all of it, or nothing where this raises.

        The cursor moves in the same transaction, but never back to that of an older reading.
        """
        rows = [(kind, kind.rows(reading)) for kind in KINDS]
        check_time(reading.read_at, "read_at")
        conflicts: Counter[str] = Counter()
        with self._writing() as connection:
            device_id = self._device_id(connection, reading.neuron_id)
            channels_ids = self._store_channels(connection, device_id, reading)
            for kind, new in rows:
                if kind.name == "intervals":
                    _link(new, channels_ids)
                conflicts[kind.name] = self._store_rows(connection, kind, device_id, new)
            if reading.cursor is not None:
                self._store_cursor(connection, device_id, reading.cursor, reading.read_at)
        self._device_ids[reading.neuron_id] = device_id
        self._report(reading.neuron_id, +conflicts)

    def _device_id(self, connection: Connection, neuron_id: bytes) -> int:
        if neuron_id in self._device_ids:
            return self._device_ids[neuron_id]
        statement = select(devices.c.id).where(devices.c.neuron_id == neuron_id)
        device_id: int | None = connection.execute(statement).scalar()
        if device_id is None:
            unknown = f"device {neuron_id.hex()} is not known to it; save the device first"
            raise StoreError(f"{place_of(self._url)}: {unknown}")
        return device_id

    def _store_channels(
        self, connection: Connection, device_id: int, reading: Reading
    ) -> dict[int, int]:
        """Load-profile configurations by data set: those of `reading`, else the last ones seen."""
        seen = upsert(self._dialect, profile_channels, not_older="read_at")
        ours = [pack_channels(channels) for channels in reading.channels]
        for row in ours:
            connection.execute(seen, {"device_id": device_id, "read_at": reading.read_at, **row})
        if not reading.intervals:
            return {}
        known = _configurations(connection, device_id)
        last_seen = {key[0]: channels_id for key, channels_id in known.items()}
        return last_seen | {row["data_set"]: known[tuple(row.values())] for row in ours}

    def _store_rows(
        self, connection: Connection, kind: Kind, device_id: int, rows: list[Row]
    ) -> int:
        """Inserts what is new of `rows`; the number of those in conflict with what is not."""
        if not rows:
            return 0
        ours = [row | {"device_id": device_id} for row in rows]
        if insert_rows(connection, kind.table, ours) == len(rows):
            return 0
        stored = _stored(connection, kind, device_id, rows)
        return sum(
            stored.get(tuple(row[name] for name in kind.key))
            != tuple(row[name] for name in kind.compared)
            for row in rows
        )

    def _store_cursor(
        self, connection: Connection, device_id: int, cursor: Cursor, read_at: float
    ) -> None:
        row = {"device_id": device_id, "read_at": read_at, **msgspec.structs.asdict(cursor)}
        connection.execute(upsert(self._dialect, cursors, not_older="read_at"), row)

    def _report(self, neuron_id: bytes, conflicts: Counter[str]) -> None:
        if conflicts:
            self.conflicts += conflicts
            log.warning("store.conflicts", device=neuron_id.hex(), **conflicts)

    def begin_run(self, meta: Mapping[str, Any]) -> int:
        """Notes that a concentrator starts to run, under what conditions; the run's number."""
        with self._writing() as connection:
            row = {"began_at": self._clock(), "meta": dict(meta)}
            key = connection.execute(insert(runs), row).inserted_primary_key
            number = int(key[0]) if key else 0
        self._run = number
        return number

    def finish_run(self, summary: Mapping[str, Any]) -> None:
        """Notes how the run ended. Raises LocalProtocolError where none was begun."""
        if self._run is None:
            raise LocalProtocolError("no run of this store was begun")
        done = {"finished_at": self._clock(), "summary": dict(summary)}
        with self._writing() as connection:
            connection.execute(update(runs).where(runs.c.id == self._run), done)
        self._run = None


def _configurations(connection: Connection, device_id: int) -> dict[tuple[Any, ...], int]:
    """Ids of a device's load-profile configurations by content, data set first; last seen last."""
    columns = profile_channels.c
    content = (columns.data_set, columns.interval_minutes, columns.sources, columns.units)
    ordered = select(columns.id, *content).order_by(columns.read_at, columns.id)
    rows = connection.execute(ordered.where(columns.device_id == device_id))
    return {tuple(row[1:]): row[0] for row in rows}


def _stored(
    connection: Connection, kind: Kind, device_id: int, rows: list[Row]
) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Compared values by key, of stored records in the range that `rows` span."""
    ours = [row[kind.key[0]] for row in rows]
    span = {"device": device_id, "low": min(ours), "high": max(ours)}
    size = len(kind.key)
    stored = connection.execute(_range_of(kind), span)
    return {tuple(row[:size]): tuple(row[size:]) for row in stored}


@cache
def _range_of(kind: Kind) -> Select[Any]:
    columns = kind.table.c
    names = (*kind.key, *kind.compared)
    return select(*(columns[name] for name in names)).where(
        columns.device_id == bindparam("device"),
        columns[kind.key[0]].between(bindparam("low"), bindparam("high")),
    )


def _link(intervals: list[Row], channels_ids: dict[int, int]) -> None:
    for row in intervals:
        row["channels_id"] = channels_ids.get(row["data_set"])
