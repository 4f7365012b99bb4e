"""One visit to a device: what is read, in which order, and what is told to the device after.

`gather` reads and changes nothing in the device. Its `Reading` is stored before `acknowledge`
lets the device move its list pointers, so that a power cut at any point loses nothing and the
store's keys keep anything from being stored twice.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from osgp.session import Exchange
from osgp.session.reader import DeviceReader
from osgp.spec import Table
from osgp.spec.source_ids import SOURCES, SUMMATIONS
from osgp.wire import Layout
from osgp.wire.walk import Leaf, values, walk

from .conversation import Clock
from .eventlog import new_events, update_event_pointer
from .profile import ProfileReading, new_intervals, update_profile_pointer
from .sink import Cursor, LoggedEvent, Reading, RegisterValue, TableImage

REGISTERS = ("BT23", "BT28")
IDENTITY = ("BT00", "BT01")
"""Read once for each session: what the device is and declares."""

_SOURCED_PATH = re.compile(r"(?:summations|values)\[(\d+)\]$")
_SUMMATIONS = {quantity.number: quantity for quantity in SUMMATIONS}


class Visit:
    """Reads one device from where `cursor` stopped. `identify`: also who it is."""

    def __init__(
        self,
        neuron_id: bytes,
        reader: DeviceReader,
        cursor: Cursor,
        clock: Clock,
        *,
        identify: bool,
    ) -> None:
        self._neuron_id, self._reader, self._clock = neuron_id, reader, clock
        self._cursor, self.identify = cursor, identify
        self._images: list[TableImage] = []
        self._registers: list[RegisterValue] = []
        self._profile: ProfileReading | None = None
        self._events: list[LoggedEvent] = []
        reader.on_image = self._keep

    def gather(self) -> Exchange[Reading]:
        """Everything that is new. Raises what `DeviceReader.table` raises."""
        if self.identify:
            for name in IDENTITY:
                yield from self._reader.table(name)
        for name in REGISTERS:
            yield from self._read_registers(name)
        self._profile = yield from new_intervals(self._reader, self._cursor, self._clock)
        self._events = yield from new_events(self._reader, self._cursor.event_sequence)
        return self.reading()

    def acknowledge(self) -> Exchange[None]:
        """Tells the device what is stored. Raises ProcedureError and what `gather` raises."""
        if self._profile is not None and self._profile.blocks_completed:
            count = self._profile.blocks_completed
            yield from update_profile_pointer(self._reader.client, count, self._next_sequence())
        if self._events:
            count = len(self._events)
            yield from update_event_pointer(self._reader.client, count, self._next_sequence())

    def _next_sequence(self) -> int:
        """Tells a call from every other of this session: the device refuses to run one twice."""
        return self._reader.next_call(int(self._clock.now))

    def _keep(self, table: int, offset: int, data: bytes) -> None:
        self._images.append(TableImage(table, offset, data, self._clock.now))

    def _read_registers(self, name: str) -> Exchange[None]:
        record = yield from self._reader.table(name)
        sources = yield from named_sources(self._reader, name)
        layout = yield from self._reader.layout(name)
        number, now = record.info.number, self._clock.now
        self._registers += (
            RegisterValue(number, named.path, value, named.unit, now, named.source)
            for named, value in zip(registers_of(layout, sources), values(record), strict=True)
            if isinstance(value, int)
        )

    @property
    def reader(self) -> DeviceReader:
        """For what else is looked at; its images belong to the reading."""
        return self._reader

    def reading(self) -> Reading:
        """What was read so far."""
        profile = self._profile
        events = tuple(self._events)
        cursor = profile.cursor if profile else self._cursor
        newest = events[-1].sequence if events else self._cursor.event_sequence
        return Reading(
            self._neuron_id,
            self._clock.now,
            images=tuple(self._images),
            registers=tuple(self._registers),
            channels=profile.channels if profile else (),
            blocks=profile.blocks if profile else (),
            intervals=profile.intervals if profile else (),
            events=events,
            cursor=Cursor(cursor.block_sequence, cursor.intervals, newest),
        )


def named_sources(reader: DeviceReader, name: str) -> Exchange[tuple[int, ...]]:
    """Source ids of the values of BT23 or BT28, as the device selects them."""
    sources: tuple[int, ...]
    if name == "BT23":
        sources = (yield from reader.once("BT22")).summation_sources
    else:
        sources = (yield from reader.once("BT27")).present_value_sources
    return sources


class Named(NamedTuple):
    """A register's path, unit, and source id if the device selects it by one."""

    path: str
    unit: str
    source: int | None


@lru_cache(maxsize=64)
def registers_of(layout: Layout[Table], sources: tuple[int, ...]) -> tuple[Named, ...]:
    """What the values of a table are, in order; the same for all devices of one kind."""
    return tuple(_named(leaf, sources) for leaf in walk(layout.blank()))


def _named(leaf: Leaf, sources: tuple[int, ...]) -> Named:
    found = _SOURCED_PATH.search(leaf.path)
    source = sources[int(found[1])] if found else None
    return Named(leaf.path, leaf.field.unit or "" if source is None else unit_of(source), source)


def unit_of(source: int) -> str:
    """Unit of a source id's values; '' for one that is not known."""
    found = _SUMMATIONS.get(source) or SOURCES.get(source)
    return found.unit if found else ""
