"""What can be asked of a store about its devices and their records.

Iterators go device by device in the order of their registration and, within a device, forward in
time; each device is read at once, so nothing stays locked while the caller works. Periods are
seconds since 1970-01-01 UTC; None leaves a side open. Every method may raise StoreError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Engine, Select, func, select
from sqlalchemy.engine import URL

from osgp.concentrator.sink import (
    Cursor,
    Device,
    LoggedEvent,
    ProfileChannels,
    RegisterValue,
    TableImage,
)
from osgp.errors import StoreError
from osgp.headend.database import place_of, refusing
from osgp.headend.results import Series, Stored, StoredInterval
from osgp.headend.rows import (
    EVENTS,
    IMAGES,
    INTERVALS,
    REGISTERS,
    Kind,
    unpack_channels,
    unpack_interval,
    unpack_values,
)
from osgp.headend.schema import cursors, devices, profile_channels

R = TypeVar("R")
Row = tuple[Any, ...]
Rows = Sequence[Row]

_CHANNELS: Final = [profile_channels.c[name] for name in ProfileChannels.__struct_fields__]
_INTERVAL_SIZE: Final = len(INTERVALS.columns)


class Queries:
    """The reading half of a store."""

    def __init__(self, engine: Engine, url: URL) -> None:
        self._engine = engine
        self._url = url
        self._closed = False

    @contextmanager
    def _open(self) -> Iterator[None]:
        if self._closed:
            raise StoreError(f"{place_of(self._url)}: it has been closed")
        with refusing(self._url):
            yield

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._open(), self._engine.connect() as connection:
            yield connection

    def _fetch(self, statement: Select[Any]) -> Rows:
        with self._reading() as connection:
            rows: Any = connection.execute(statement).all()
            return cast(Rows, rows)

    def devices(self) -> list[Device]:
        """All devices in the order in which they were saved first."""
        columns = [devices.c[name] for name in Device.__struct_fields__]
        return [Device(*row) for row in self._fetch(select(*columns).order_by(devices.c.id))]

    def cursor(self, neuron_id: bytes) -> Cursor:
        """How far the device's lists are stored; an empty one for a device without."""
        columns = [cursors.c[name] for name in Cursor.__struct_fields__]
        statement = select(*columns).join_from(cursors, devices)
        rows = self._fetch(statement.where(devices.c.neuron_id == neuron_id))
        return Cursor(*rows[0]) if rows else Cursor()

    def channels(self, neuron_id: bytes, data_set: int = 1) -> ProfileChannels | None:
        """The device's load-profile configuration that was seen last."""
        profiles = profile_channels.c
        statement = select(*_CHANNELS).join_from(profile_channels, devices)
        statement = statement.where(
            devices.c.neuron_id == neuron_id, profiles.data_set == data_set
        ).order_by(profiles.read_at.desc(), profiles.id.desc())
        rows = self._fetch(statement.limit(1))
        return unpack_channels(*rows[0]) if rows else None

    def intervals(
        self, device: bytes | None = None, start: float | None = None, end: float | None = None
    ) -> Iterator[StoredInterval]:
        """Load-profile intervals that lie within the period: start < interval.end <= end."""
        statement = select(*INTERVALS.columns, *_CHANNELS).outerjoin_from(
            INTERVALS.table, profile_channels
        )
        statement = statement.where(*_ending_within(start, end))
        for neuron_id, rows in self._by_device(INTERVALS, statement, device):
            for row in rows:
                yield self._interval(neuron_id, row)

    def _interval(self, neuron_id: bytes, row: Row) -> StoredInterval:
        interval, channels = row[:_INTERVAL_SIZE], row[_INTERVAL_SIZE:]
        with self._open():
            known = unpack_channels(*channels) if channels[0] is not None else None
            return StoredInterval(neuron_id, unpack_interval(*interval), known)

    def series(
        self,
        source: int,
        *,
        data_set: int = 1,
        start: float | None = None,
        end: float | None = None,
    ) -> Iterator[Series]:
        """The channel of source id `source` of every device that logs it.

        A device whose load profile was configured anew has one series for each configuration.
        """
        table = INTERVALS.table.c
        columns = (table["end"], table["values"], table["status"], table.channels_id)
        in_set = (table.data_set == data_set, table.channels_id.is_not(None))
        statement = select(*columns).where(*in_set, *_ending_within(start, end))
        known = self._configurations()
        for neuron_id, rows in self._by_device(INTERVALS, statement, None):
            for channels_id, group in _grouped(rows, 3).items():
                if source in known[channels_id].sources:
                    yield _series(neuron_id, known[channels_id], source, group)

    def _configurations(self) -> dict[int, ProfileChannels]:
        rows = self._fetch(select(profile_channels.c.id, *_CHANNELS))
        with self._open():
            return {row[0]: unpack_channels(*row[1:]) for row in rows}

    def registers(
        self,
        device: bytes | None = None,
        start: float | None = None,
        end: float | None = None,
        *,
        table: int | None = None,
    ) -> Iterator[Stored[RegisterValue]]:
        """Registers read within the period: start <= read_at < end."""
        return self._records(
            REGISTERS, RegisterValue, device, _within(REGISTERS, start, end, table)
        )

    def latest_registers(
        self, device: bytes | None = None, *, table: int | None = None
    ) -> Iterator[Stored[RegisterValue]]:
        """The newest value of each register of each device, by table and path."""
        columns = REGISTERS.table.c
        same = (columns.device_id, columns.table, columns.path)
        age = func.row_number().over(partition_by=same, order_by=columns.read_at.desc())
        aged = select(*REGISTERS.columns, age).where(*_within(REGISTERS, None, None, table))
        for neuron_id, device_id in self._ids(device):
            ranked = aged.where(columns.device_id == device_id).subquery()
            *fields, newest = ranked.c
            newest_first = select(*fields).where(newest == 1).order_by(fields[0], fields[1])
            for row in self._fetch(newest_first):
                yield Stored(neuron_id, RegisterValue(*row))

    def events(
        self, device: bytes | None = None, start: float | None = None, end: float | None = None
    ) -> Iterator[Stored[LoggedEvent]]:
        """Entries of the event logs that were made within the period: start <= at < end."""
        return self._records(EVENTS, LoggedEvent, device, _within(EVENTS, start, end))

    def images(
        self,
        device: bytes | None = None,
        start: float | None = None,
        end: float | None = None,
        *,
        table: int | None = None,
    ) -> Iterator[Stored[TableImage]]:
        """Bytes of tables as received within the period: start <= read_at < end."""
        return self._records(IMAGES, TableImage, device, _within(IMAGES, start, end, table))

    def _records(
        self,
        kind: Kind,
        record: Callable[..., R],
        device: bytes | None,
        conditions: list[ColumnElement[bool]],
    ) -> Iterator[Stored[R]]:
        statement = select(*kind.columns).where(*conditions)
        for neuron_id, rows in self._by_device(kind, statement, device):
            for row in rows:
                yield Stored(neuron_id, record(*row))

    def _by_device(
        self, kind: Kind, statement: Select[Any], device: bytes | None
    ) -> Iterator[tuple[bytes, Rows]]:
        columns = kind.table.c
        ordered = statement.order_by(*(columns[name] for name in kind.key))
        for neuron_id, device_id in self._ids(device):
            yield neuron_id, self._fetch(ordered.where(columns.device_id == device_id))

    def _ids(self, device: bytes | None) -> Rows:
        statement = select(devices.c.neuron_id, devices.c.id).order_by(devices.c.id)
        if device is not None:
            statement = statement.where(devices.c.neuron_id == device)
        return self._fetch(statement)


def _within(
    kind: Kind, start: float | None, end: float | None, table: int | None = None
) -> list[ColumnElement[bool]]:
    time = kind.table.c[kind.times[0]]
    conditions: list[ColumnElement[bool]] = [] if table is None else [kind.table.c.table == table]
    if start is not None:
        conditions.append(time >= start)
    if end is not None:
        conditions.append(time < end)
    return conditions


def _ending_within(start: float | None, end: float | None) -> list[ColumnElement[bool]]:
    time = INTERVALS.table.c.end
    conditions = [] if start is None else [time > start]
    return conditions if end is None else [*conditions, time <= end]


def _grouped(rows: Iterable[Row], column: int) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[column], []).append(row)
    return groups


def _series(device: bytes, known: ProfileChannels, source: int, rows: list[Row]) -> Series:
    at = known.sources.index(source)
    rows = [row for row in rows if len(row[2]) > at]
    return Series(
        device,
        known.units[at] if at < len(known.units) else "",
        known.interval_minutes * 60,
        np.array([row[0] for row in rows], dtype=np.int64),
        _column([row[1] for row in rows], [len(row[2]) for row in rows], at),
        np.array([row[2][at] for row in rows], dtype=np.uint8),
    )


def _column(packed: list[bytes], channels: list[int], at: int) -> NDArray[np.int64]:
    """Channel number `at` of rows of packed values; at once where all rows are of one shape."""
    if len({len(values) for values in packed}) == len(set(channels)) == 1:
        values = np.frombuffer(b"".join(packed), dtype=f"<i{len(packed[0]) // channels[0]}")
        return values.reshape(len(packed), channels[0])[:, at].astype(np.int64)
    rows = zip(packed, channels, strict=True)
    return np.array([unpack_values(values, count)[at] for values, count in rows], dtype=np.int64)
