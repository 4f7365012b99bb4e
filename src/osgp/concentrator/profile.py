"""Reading what is new in the load profile, with the arithmetic of ET21 (clause 8.3.2).

BT61 gives the dimensions, BT62 the sources, BT63 which blocks are valid. Block b of the circular
list starts at b * ET21 block size; its interval i at block header size + i * interval size. A
block's header says which of its intervals hold data and when the newest of them ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec

from osgp.errors import RemoteProtocolError
from osgp.session import Exchange, TableClient
from osgp.session.procedures import call
from osgp.session.reader import DeviceReader
from osgp.spec import tables
from osgp.spec.codes import DAY_INTERVAL
from osgp.spec.procedures.basic import UpdateLastReadEntry
from osgp.spec.source_ids import SOURCES
from osgp.wire import Layout, Ring
from osgp.wire.rings import Entry

from .conversation import Clock
from .sink import Cursor, Interval, ProfileBlock, ProfileChannels

LOAD_PROFILE_1 = 3
"""The list of data set 1 in BP05."""

DATA_SET = 0
"""The primary data set is the one that is collected."""

MINUTES_A_DAY = 24 * 60
TABLE = "BT64"


class ProfileReading(msgspec.Struct, frozen=True):
    """What one visit found in the load profile. `blocks_completed` may be marked as read."""

    channels: tuple[ProfileChannels, ...]
    blocks: tuple[ProfileBlock, ...]
    intervals: tuple[Interval, ...]
    cursor: Cursor
    blocks_completed: int


class Geometry(msgspec.Struct, frozen=True):
    """Where blocks and intervals are in BT64, and the layouts that decode them."""

    table: int
    block: Layout[Any]
    interval: Layout[Any]
    block_size: int
    header_size: int
    interval_size: int
    minutes: int

    def block_at(self, element: int) -> int:
        return element * self.block_size

    def interval_at(self, element: int, number: int) -> int:
        return self.block_at(element) + self.header_size + number * self.interval_size


def new_intervals(
    reader: DeviceReader, cursor: Cursor, clock: Clock
) -> Exchange[ProfileReading | None]:
    """Every interval that `cursor` has not seen; None where the device has no load profile.

    Raises what `DeviceReader.table` raises, RemoteProtocolError where ET21 contradicts BT61.
    """
    if not (yield from reader.has(TABLE)):
        return None
    geometry = yield from _geometry(reader)
    channels = yield from _channels(reader, geometry)
    status = (yield from reader.table("BT63")).data_sets[DATA_SET]
    collected = _Collected(reader, geometry, cursor, clock)
    size = reader.dims["BT61"].data_sets[DATA_SET]
    ring = Ring(
        size.number_of_blocks,
        status.number_of_valid_blocks,
        status.last_block,
        status.last_block_sequence_number,
    )
    for entry in list(ring.entries(after=_before(cursor))):
        yield from collected.read(entry, newest=status.last_block_sequence_number)
    return collected.reading(channels, status)


def update_profile_pointer(client: TableClient, blocks: int, sequence: int) -> Exchange[None]:
    """Marks the oldest `blocks` unread blocks as read (BP05)."""
    update = UpdateLastReadEntry(LOAD_PROFILE_1, blocks)
    yield from call(client, update, sequence)


def _before(cursor: Cursor) -> int | None:
    """Blocks after this sequence number are looked at: the newest stored one may have grown."""
    return None if cursor.block_sequence is None else cursor.block_sequence - 1


def _geometry(reader: DeviceReader) -> Exchange[Geometry]:
    layout: Layout[Any] = yield from reader.layout(TABLE)
    inside = (yield from reader.once("ET21")).data_sets[DATA_SET]
    size = reader.dims["BT61"].data_sets[DATA_SET]
    block, interval = layout.element("blocks[0]"), layout.element("blocks[0].intervals[0]")
    told: tuple[int, int, int] = (inside.block_size, inside.block_header_size, inside.interval_size)
    bound = (block.size, layout.span("blocks[0].intervals[0]").offset, interval.size)
    if told != bound:
        raise RemoteProtocolError(f"ET21 says block, header, interval {told}, BT61 gives {bound}")
    minutes = MINUTES_A_DAY if size.interval_time == DAY_INTERVAL else size.interval_time
    if not minutes:
        raise RemoteProtocolError("intervals of no length")
    number = tables[TABLE].info.number
    return Geometry(number, block, interval, *told, minutes=minutes)


def _channels(reader: DeviceReader, geometry: Geometry) -> Exchange[tuple[ProfileChannels, ...]]:
    control = (yield from reader.once("BT62")).data_sets[DATA_SET]
    sources = tuple(channel.interval_source for channel in control.channels)
    units = tuple(SOURCES[source].unit if source in SOURCES else "" for source in sources)
    return (ProfileChannels(DATA_SET + 1, sources, units, geometry.minutes),)


class _Collected:
    """What has been read so far, and where the cursor has come to."""

    def __init__(
        self, reader: DeviceReader, geometry: Geometry, cursor: Cursor, clock: Clock
    ) -> None:
        self._reader, self._geometry, self._clock = reader, geometry, clock
        self._start = cursor
        self._cursor = cursor
        self._blocks: list[ProfileBlock] = []
        self._intervals: list[Interval] = []

    def read(self, entry: Entry, newest: int) -> Exchange[None]:
        """The intervals of one block that are new."""
        seen = self._start.intervals if entry.sequence == self._start.block_sequence else 0
        header = yield from self._header(entry)
        valid = max(header.simple_status, default=-1) + 1
        if valid > seen:
            yield from self._read_intervals(entry, header, seen, valid)
        self._cursor = Cursor(entry.sequence, max(valid, seen), self._start.event_sequence)

    def _header(self, entry: Entry) -> Exchange[Any]:
        """End time and simple status: the block, decoded with no interval in it."""
        place = self._geometry
        data = yield from self._fetch(entry, place.block_at(entry.element), place.header_size)
        padding = bytes(place.block_size - place.header_size)
        return place.block.decode(data + padding)

    def _read_intervals(self, entry: Entry, header: Any, first: int, valid: int) -> Exchange[None]:
        place = self._geometry
        count = (valid - first) * place.interval_size
        data = yield from self._fetch(entry, place.interval_at(entry.element, first), count)
        ended = header.end_time.to_datetime()
        for number in sorted(n for n in header.simple_status if first <= n < valid):
            record, _ = place.interval.decode_from(data, (number - first) * place.interval_size)
            end = ended - timedelta(minutes=place.minutes * (valid - 1 - number))
            self._intervals.append(_interval(record, int(end.timestamp())))

    def _fetch(self, entry: Entry, offset: int, count: int) -> Exchange[bytes]:
        declaration = tables[self._geometry.table]
        data = yield from self._reader.bytes_at(declaration, offset, count)
        start = offset - self._geometry.block_at(entry.element)
        self._blocks.append(
            ProfileBlock(DATA_SET + 1, entry.sequence, start, data, self._clock.now)
        )
        return data

    def reading(self, channels: tuple[ProfileChannels, ...], status: Any) -> ProfileReading:
        return ProfileReading(
            channels,
            tuple(self._blocks),
            tuple(self._intervals),
            self._cursor,
            self._completed(status),
        )

    def _completed(self, status: Any) -> int:
        """Unread blocks that are stored whole: all but the one that is still filling."""
        stored = self._cursor.block_sequence
        if stored is None:
            return 0
        behind = status.last_block_sequence_number - stored
        return max(0, int(status.number_of_unread_blocks - behind - 1))


def _interval(record: Any, end: int) -> Interval:
    nibbles = list(_nibbles(record.extended_status or b""))
    common, channels = (nibbles[0], nibbles[1:]) if nibbles else (0, [])
    status = tuple(channels[: len(record.values)])
    return Interval(DATA_SET + 1, end, record.values, status, common)


def _nibbles(data: bytes) -> Iterator[int]:
    """High nibble first: the first is common to all channels."""
    for byte in data:
        yield byte >> 4
        yield byte & 15
