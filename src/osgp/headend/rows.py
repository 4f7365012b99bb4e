"""What a reading's records look like as rows, declared once for each kind of record.

Channel values of an interval are packed little-endian, all 4 bytes wide where they fit (INT32, the
load profile's own format) and else 8; one status byte for each channel says how many there are.
Source: project.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Table

from osgp.concentrator.sink import (
    Interval,
    LinkSample,
    LoggedEvent,
    ProfileBlock,
    ProfileChannels,
    Reading,
    RegisterValue,
    TableImage,
)
from osgp.errors import StoreError
from osgp.headend import schema

Row = dict[str, Any]

FIRST_SECOND: Final = -62135596800
"""0001-01-01; with the next it bounds the times that can be written as a date."""
LAST_SECOND: Final = 253402300799
_WIDTHS: Final = {4: "i", 8: "q"}


@dataclass(frozen=True, slots=True)
class Kind:
    """How the records of one field of `Reading` are kept.

    `key` names a record of a device; its first part is what the table is sorted by, and readings
    bring a range of it. Two records of one key are in conflict unless all of `compared` agree;
    what is left out of both is wording (units, names) that another version may choose otherwise.
    """

    name: str
    table: Table
    record: type[msgspec.Struct]
    key: tuple[str, ...]
    compared: tuple[str, ...]
    times: tuple[str, ...]
    pack: Callable[[Any], Row] = msgspec.structs.asdict

    @property
    def columns(self) -> list[ColumnElement[Any]]:
        """The columns of `table` in the order of the record's fields."""
        return [self.table.c[field] for field in self.record.__struct_fields__]

    def rows(self, reading: Reading) -> list[Row]:
        """One row per record, without `device_id`. Raises StoreError for a time that is none."""
        field = getattr(reading, self.name)
        records = field if isinstance(field, tuple) else () if field is None else (field,)
        return [self._row(record) for record in records]

    def _row(self, record: msgspec.Struct) -> Row:
        row = self.pack(record)
        for name in self.times:
            check_time(row[name], f"{self.name}.{name}")
        return row


def check_time(seconds: float, name: str) -> None:
    """Raises StoreError where `seconds` is no date of the years 1 to 9999."""
    if not FIRST_SECOND <= seconds <= LAST_SECOND:
        raise StoreError(f"{name}: {seconds!r} seconds since 1970 is no date")


def pack_interval(interval: Interval) -> Row:
    """The row of an interval. Raises StoreError where values and status do not pair up."""
    if len(interval.values) != len(interval.status):
        raise StoreError(f"intervals.status: needs one for each of {len(interval.values)} values")
    return {
        "data_set": interval.data_set,
        "end": interval.end,
        "values": pack_values(interval.values),
        "status": _pack_status(interval.status),
        "common_status": interval.common_status,
    }


def pack_values(values: Sequence[int]) -> bytes:
    """Channel values side by side. Raises StoreError for one of more than 64 bits."""
    for code in _WIDTHS.values():
        try:
            return struct.pack(f"<{len(values)}{code}", *values)
        except struct.error:
            continue
    raise StoreError("intervals.values: a number of more than 64 bits cannot be stored")


def _pack_status(status: Sequence[int]) -> bytes:
    try:
        return bytes(status)
    except ValueError:
        raise StoreError("intervals.status: a channel's status must be 0..255") from None


def unpack_interval(
    data_set: int, end: int, values: bytes, status: bytes, common_status: int
) -> Interval:
    """The interval of a row, its columns in the order of the record's fields."""
    return Interval(data_set, end, unpack_values(values, len(status)), tuple(status), common_status)


def unpack_values(packed: bytes, channels: int) -> tuple[int, ...]:
    """What `pack_values` packed for `channels` channels."""
    code = _WIDTHS[len(packed) // channels] if channels else "i"
    return struct.unpack(f"<{channels}{code}", packed)


def pack_channels(channels: ProfileChannels) -> Row:
    """The row of a load-profile configuration; its lists as JSON."""
    return {
        "data_set": channels.data_set,
        "interval_minutes": channels.interval_minutes,
        "sources": msgspec.json.encode(channels.sources).decode(),
        "units": msgspec.json.encode(channels.units).decode(),
    }


def unpack_channels(
    data_set: int, sources: str, units: str, interval_minutes: int
) -> ProfileChannels:
    """The configuration of a row, its columns in the order of the record's fields."""
    return ProfileChannels(
        data_set,
        msgspec.json.decode(sources, type=tuple[int, ...]),
        msgspec.json.decode(units, type=tuple[str, ...]),
        interval_minutes,
    )


IMAGES: Final = Kind(
    name="images",
    table=schema.table_images,
    record=TableImage,
    key=("read_at", "table", "offset"),
    compared=("data",),
    times=("read_at",),
)
REGISTERS: Final = Kind(
    name="registers",
    table=schema.registers,
    record=RegisterValue,
    key=("read_at", "table", "path"),
    compared=("value",),
    times=("read_at",),
)
BLOCKS: Final = Kind(
    name="blocks",
    table=schema.profile_blocks,
    record=ProfileBlock,
    key=("read_at", "data_set", "sequence", "offset"),
    compared=("data",),
    times=("read_at",),
)
INTERVALS: Final = Kind(
    name="intervals",
    table=schema.intervals,
    record=Interval,
    key=("end", "data_set"),
    compared=("values", "status", "common_status"),
    times=("end",),
    pack=pack_interval,
)
EVENTS: Final = Kind(
    name="events",
    table=schema.events,
    record=LoggedEvent,
    key=("sequence",),
    compared=("at", "number", "argument", "user"),
    times=("at",),
)
LINK: Final = Kind(
    name="link",
    table=schema.link_samples,
    record=LinkSample,
    key=("at",),
    compared=("requests", "responses", "retries", "failures"),
    times=("at",),
)
KINDS: Final = (IMAGES, REGISTERS, BLOCKS, INTERVALS, EVENTS, LINK)
