"""The load profile of a period: which blocks, which bytes of them, and what they say.

BT63 says which blocks are valid; a block's header says when its newest interval ended and which
intervals hold data. Headers are read from the newest block back until one ends before the period
begins; then only the bytes of intervals inside the period are asked for. Blocks that lie inside the
period as a whole, if the meter has recorded without gaps, are fetched together with their headers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from osgp.errors import DecodeError, UsageError
from osgp.export.quantities import source_at
from osgp.session import Exchange
from osgp.session.reader import DeviceReader
from osgp.spec import Table, tables
from osgp.spec.codes import CHANNEL_STATUS, COMMON_STATUS, DAY_INTERVAL
from osgp.spec.source_ids import Quantity
from osgp.wire import Layout, Ring
from osgp.wire.rings import Entry

from .ahead import ReadAhead
from .energy_unit import energy_unit, scale_of
from .wanted import if_open

FIRST_TABLE: Final = 64
MINUTES_A_DAY: Final = 1440
SUMMER: Final = 0
"""Bit of the common status that says nothing about the data."""


class Channel(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a channel records: source id, its name and unit; one count stored is `scale` of it."""

    source: int
    name: str
    unit: str
    scale: int = 1


class ProfileInterval(msgspec.Struct, frozen=True):
    """One interval: its end (UTC), register values at its end, and what was wrong with it."""

    end: datetime
    values: tuple[int, ...]
    status: tuple[str, ...] = ()


class Profile(msgspec.Struct, frozen=True):
    """Intervals of one data set, oldest first; `minutes` is their length."""

    data_set: int
    minutes: int
    channels: tuple[Channel, ...]
    intervals: tuple[ProfileInterval, ...]


class Period(msgspec.Struct, frozen=True):
    """Intervals that end after `since` and not after `until`; None: no limit."""

    since: datetime | None = None
    until: datetime | None = None

    def has(self, end: datetime) -> bool:
        return (self.since is None or end > self.since) and (
            self.until is None or end <= self.until
        )


class Block(msgspec.Struct, frozen=True):
    """A block's header: where it is, when its interval number `newest` ended, which hold data."""

    element: int
    ended: datetime
    newest: int
    processed: frozenset[int]

    def end_of(self, number: int, minutes: int) -> datetime:
        return self.ended - timedelta(minutes=minutes * (self.newest - number))


def read_profile(
    reader: DeviceReader, period: Period, data_set: int = 1, on_size: Any = None
) -> Exchange[Profile]:
    """The intervals of `period`. `on_size` gets the number of bytes that will be read.

    Raises UsageError (no such data set), and as `DeviceReader.table`.
    """
    name = f"BT{FIRST_TABLE + data_set - 1}"
    if not (yield from reader.has(name)):
        raise UsageError(f"this meter has no load profile data set {data_set}")
    layout = yield from reader.layout(name)
    size = reader.dims["BT61"].data_sets[data_set - 1]
    if not size.number_of_blocks or not size.number_of_channels or not size.interval_time:
        raise UsageError(f"load profile data set {data_set} is not in use")
    channels = yield from _channels(reader, data_set)
    minutes = MINUTES_A_DAY if size.interval_time == DAY_INTERVAL else size.interval_time
    return (yield from _Collector(reader, layout, minutes, period).collect(data_set, channels))


class _Collector:
    """Reads blocks of one data set."""

    def __init__(
        self, reader: DeviceReader, layout: Layout[Any], minutes: int, period: Period
    ) -> None:
        self._reader, self._minutes, self._period = reader, minutes, period
        table: type[Table] = tables[layout.name]
        self._ahead = ReadAhead(reader, table)
        self._block: Layout[Any] = layout.element("blocks[0]")
        self._interval: Layout[Any] = layout.element("blocks[0].intervals[0]")
        self._header = self._block.span("intervals").offset
        self._size = self._block.size or 0

    def collect(self, data_set: int, channels: tuple[Channel, ...]) -> Exchange[Profile]:
        blocks = yield from self._blocks(data_set)
        intervals: list[ProfileInterval] = []
        for block in reversed(blocks):
            intervals += yield from self._intervals(block)
        intervals.sort(key=lambda interval: interval.end)
        scales = [channel.scale for channel in channels]
        if set(scales) - {1}:
            intervals = [_scaled(interval, scales) for interval in intervals]
        return Profile(data_set, self._minutes, channels, tuple(intervals))

    def _blocks(self, data_set: int) -> Exchange[list[Block]]:
        """Blocks that may reach into the period, newest first."""
        status = (yield from self._reader.table("BT63")).data_sets[data_set - 1]
        capacity = self._reader.dims["BT61"].data_sets[data_set - 1].number_of_blocks
        valid, newest = status.number_of_valid_blocks, status.last_block
        ring = Ring(capacity, valid, newest, status.last_block_sequence_number)
        blocks: list[Block] = []
        entries = list(reversed(list(ring.entries())))
        for index, entry in enumerate(entries):
            block = yield from self._read_header(entry)
            if block is None:
                continue
            if not blocks:
                yield from self._ahead.fetch(self._foreseen(block, entries[index + 1 :]))
            if self._period.since is not None and block.ended <= self._period.since:
                break
            blocks.append(block)
        return blocks

    def _foreseen(self, newest: Block, earlier: Sequence[Entry]) -> Iterator[tuple[int, int]]:
        """Places of blocks that are inside the period, if no interval is missing."""
        size = self._interval.size or 0
        ended = newest.end_of(0, self._minutes) - timedelta(minutes=self._minutes)
        if self._inside(ended, newest.ended):
            begin = newest.element * self._size
            yield begin, begin + self._header + (newest.newest + 1) * size
        length = timedelta(minutes=self._minutes * ((self._size - self._header) // size))
        for entry in earlier:
            began = ended - length
            if self._period.since is not None and began < self._period.since:
                return
            if self._inside(began, ended):
                yield entry.element * self._size, (entry.element + 1) * self._size
            ended = began

    def _inside(self, began: datetime, ended: datetime) -> bool:
        since, until = self._period.since, self._period.until
        return (since is None or began >= since) and (until is None or ended <= until)

    def _read_header(self, entry: Entry) -> Exchange[Block | None]:
        """The block decoded with no interval in it; None where nothing was recorded."""
        at = entry.element * self._size
        data = yield from self._ahead.bytes_at(at, self._header)
        record = self._block.decode(data + bytes(self._size - self._header))
        processed = record.simple_status or frozenset()
        if not processed:
            return None
        ended = record.end_time.to_datetime().replace(tzinfo=UTC)
        return Block(entry.element, ended, max(processed), processed)

    def _intervals(self, block: Block) -> Exchange[list[ProfileInterval]]:
        numbers = [
            number
            for number in sorted(block.processed)
            if self._period.has(block.end_of(number, self._minutes))
        ]
        if not numbers:
            return []
        size = self._interval.size or 0
        first = numbers[0]
        at = block.element * self._size + self._header + first * size
        count = (numbers[-1] + 1 - first) * size
        data = yield from self._ahead.bytes_at(at, count)
        return [self._one(block, data, number, (number - first) * size) for number in numbers]

    def _one(self, block: Block, data: bytes, number: int, at: int) -> ProfileInterval:
        record, _ = self._interval.decode_from(data, at)
        status = tuple(_status(record.extended_status or b"", len(record.values)))
        return ProfileInterval(block.end_of(number, self._minutes), record.values, status)


def _channels(reader: DeviceReader, data_set: int) -> Exchange[tuple[Channel, ...]]:
    control = yield from reader.once("BT62")
    mapping = yield from if_open(reader, "ET66")
    images = {} if mapping is None else {"ET66": mapping}
    unit = yield from energy_unit(reader)
    sets = control.data_sets
    if data_set > len(sets):
        raise DecodeError("does not describe this data set", table="BT62")
    return tuple(
        _channel(images, channel.interval_source, unit) for channel in sets[data_set - 1].channels
    )


def _channel(images: dict[str, Any], source: int, unit: int) -> Channel:
    named = source_at(images, source)
    if isinstance(named, Quantity):
        return Channel(source, named.name, named.unit, scale_of(named.unit, unit))
    return Channel(source, str(named), "")


def _scaled(interval: ProfileInterval, scales: list[int]) -> ProfileInterval:
    values = (value * scale for value, scale in zip(interval.values, scales, strict=True))
    return msgspec.structs.replace(interval, values=tuple(values))


def _status(extended: bytes, channels: int) -> Iterator[str]:
    """Remarks on an interval: high nibble first, the first is common to all channels."""
    nibbles = [nibble for byte in extended for nibble in (byte >> 4, byte & 15)]
    common, own = (nibbles[0], nibbles[1 : channels + 1]) if nibbles else (0, [])
    for bit, name in COMMON_STATUS.items():
        if bit != SUMMER and common >> bit & 1:
            yield name
    for name in sorted({CHANNEL_STATUS.get(nibble, f"status {nibble}") for nibble in own} - {""}):
        yield name


def differences(profile: Profile, channel: int) -> list[tuple[datetime, int | None]]:
    """For each interval, how much the channel's register grew in it.

    None where the interval before is missing, or the register went back (it rolled over or the
    meter was exchanged): nothing is guessed.
    """
    step = timedelta(minutes=profile.minutes)
    grown: list[tuple[datetime, int | None]] = []
    before: ProfileInterval | None = None
    for interval in profile.intervals:
        follows = before is not None and interval.end - before.end == step
        value = interval.values[channel] - before.values[channel] if before and follows else None
        grown.append((interval.end, value if value is None or value >= 0 else None))
        before = interval
    return grown
