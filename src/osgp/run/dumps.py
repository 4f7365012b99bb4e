"""Dumps: every readable table of a device in one JSON file, raw and decoded (`Source.PROJECT`).

    {"osgp_dump": 1, "taken": "2026-01-05T12:00:00Z", "device": "...",
     "tables": {"BT00": {"title": "...", "hex": "...", "decoded": {...}},
                "ET13": {"title": "...", "refused": "response 03: ..."}}}

`hex` alone counts; `decoded` is for people, and may be missing where the image fits no layout.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from osgp.errors import (
    DecodeError,
    InappropriateActionRequested,
    InsufficientSecurityClearance,
    OperationNotPossible,
    UsageError,
)
from osgp.spec import table_name, tables
from osgp.spec.tables.time_tou import Clock, ClockState
from osgp.wire import LTimeDate

VERSION: Final = 1
_CLOCKS: Final = {table.info.number: table for table in (Clock, ClockState)}


class DumpedTable(msgspec.Struct, frozen=True, omit_defaults=True):
    """One table: its image in hex digits, or why there is none."""

    title: str = ""
    hex: str | None = None
    decoded: Any = None
    refused: str | None = None

    @property
    def image(self) -> bytes | None:
        return None if self.hex is None else bytes.fromhex(self.hex)


class Dump(msgspec.Struct, frozen=True):
    """The whole file."""

    taken: datetime
    tables: dict[str, DumpedTable]
    device: str = ""
    key: str = ""
    version: int = msgspec.field(default=VERSION, name="osgp_dump")

    def images(self) -> dict[int, bytes]:
        """Images by table number. UsageError for a table that is not declared."""
        found = {tables[name].info.number: entry.image for name, entry in self.tables.items()}
        return {number: image for number, image in found.items() if image is not None}


def read_dump(path: Path) -> Dump:
    """The dump in a file. Raises UsageError for what is none."""
    try:
        dump = msgspec.json.decode(path.read_bytes(), type=Dump)
        dump.images()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise UsageError(f"{path} is no dump: {error}") from None
    if dump.version != VERSION:
        raise UsageError(f"{path}: a dump of version {dump.version}")
    return dump


def write_dump(path: Path, dump: Dump) -> None:
    """Writes a dump, readable for its owner only. Raises UsageError."""
    text = msgspec.json.format(msgspec.json.encode(dump), indent=1)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(text + b"\n")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


class DumpedTables:
    """Implements `osgp.session.Tables` from a dump: a meter whose clock goes on, and no more.

    `elapsed(now)`: seconds since the dump was taken. Nothing can be written.
    """

    def __init__(self, dump: Dump, clock: Any) -> None:
        self._images = dump.images()
        self._taken = dump.taken.timestamp()
        self._clock = clock

    def read(self, table: int, offset: int, count: int | None, key: str, now: float) -> bytes:
        """Raises ServiceError as a meter does."""
        image = self._images.get(table)
        if image is None:
            raise InappropriateActionRequested(f"{table_name(table)} is not in the dump")
        if key not in tables[table].info.rights.read:
            raise InsufficientSecurityClearance
        if table in _CLOCKS:
            image = _advanced(table, image, self._clock.unix(now) - self._taken)
        end = len(image) if count is None else offset + count
        if end > len(image):
            raise OperationNotPossible(f"{table_name(table)} has {len(image)} bytes")
        return image[offset:end]

    def write(self, table: int, offset: int | None, data: bytes, key: str, now: float) -> None:
        raise InappropriateActionRequested("a dump cannot be written to")


def _advanced(table: int, image: bytes, seconds: float) -> bytes:
    """A clock's image, so much later; one that shows no time stays."""
    layout = _CLOCKS[table].bind()
    try:
        record: Any = layout.decode(image)
        later = record.clock_calendar.to_datetime().timestamp() + seconds
    except DecodeError:
        return image
    moment = datetime.fromtimestamp(int(later), UTC)
    return layout.encode(
        record.with_(clock_calendar=LTimeDate.of(moment), day_of_week=moment.isoweekday() % 7)
    )
