"""A meter's tables as its ports see them: rights, slices, writes, and images that hold still.

A table that changes by the second is read in several parts on a slow line. Its image is therefore
made when a part is asked for that does not continue the last one, and kept for a reader that goes
on where it stopped (or asks again) within a minute: `Source.PROJECT`; no source says what real
meters do. Load profile blocks are never kept: their cells do not change once written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Final, Protocol, TypeVar

import msgspec

from osgp.errors import (
    DecodeError,
    InappropriateActionRequested,
    OperationNotPossible,
)
from osgp.meter.constants import CONSTANT
from osgp.meter.dims import FIRST_DATA_SET, SetUp, dimensions
from osgp.meter.images import PRODUCERS
from osgp.meter.mbus_images import M_BUS_PRODUCERS
from osgp.meter.mbus_settings import CONFIGURED
from osgp.meter.mep_images import MEP_IMAGES, mep_tables, mep_written
from osgp.meter.parts import Parts
from osgp.meter.procedures import HANDLERS, M_BUS_HANDLERS, MEP_HANDLERS, Procedures
from osgp.spec.declare import EXTENDED, Table, table_name, tables
from osgp.spec.tables.configuration import MeterConfiguration
from osgp.spec.tables.general import (
    GeneralConfiguration,
    ProcedureInitiate,
    ProcedureResponse,
)
from osgp.spec.tables.identity import DeviceIdentification
from osgp.spec.tables.time_tou import TimeOffset
from osgp.wire import Dims, Record

KEPT_FOR: Final = 60.0
_LOCKOUT: Final = ("plc_lockout_threshold", "plc_lockout_duration")
_SETTABLE: Final = ("plc_active_timeout", *_LOCKOUT)
_ZONES: Final = range(-12 * 60, 14 * 60 + 1)


WRITTEN: Final = (
    DeviceIdentification.info.number,
    ProcedureInitiate.info.number,
    TimeOffset.info.number,
    MeterConfiguration.info.number,
)
"""Tables that can be written."""

M_BUS_WRITTEN: Final = {table.info.number: name for name, table in CONFIGURED.items()}
"""Those that only meters with an M-Bus port have besides."""

ALL_PRODUCERS: Final = PRODUCERS | M_BUS_PRODUCERS

T = TypeVar("T", bound=Table)


class Writing(msgspec.Struct, frozen=True):
    """Who writes, and when."""

    key: str
    now: float


Writer = Callable[[int | None, bytes, Writing], None]


class Image(Protocol):
    """Bytes, or something that makes the bytes it is asked for."""

    def __len__(self) -> int: ...
    def __getitem__(self, part: slice) -> bytes: ...


class Kept(msgspec.Struct):
    """An image that was made at `time`; the last part of it was `offset` to `end`."""

    image: bytes
    time: float
    offset: int
    end: int

    def serves(self, offset: int, now: float) -> bool:
        """Whether a reader at `offset` goes on, or asks again, soon enough."""
        fresh = 0 <= now - self.time <= KEPT_FOR
        return fresh and offset > 0 and offset in (self.offset, self.end)


class MeterTables:
    """Implements `osgp.session.server.Tables`. What a write changes is put, not committed."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._set_up = parts.profile.set_up
        self._constants = constants(self._set_up)
        self.procedures = Procedures(parts)
        self._kept: dict[int, Kept] = {}
        self._writers: dict[int, Writer] = {
            DeviceIdentification.info.number: self._write_identification,
            ProcedureInitiate.info.number: self._initiate,
            TimeOffset.info.number: self._write_time_offset,
            MeterConfiguration.info.number: self._write_configuration,
        }
        if self._set_up.m_bus:
            for number, name in M_BUS_WRITTEN.items():
                self._writers[number] = partial(self._configure_m_bus, name)
        for number in mep_written(self._set_up):
            self._writers[number] = partial(self._write_mep, number)

    def read(self, table: int, offset: int, count: int | None, key: str, now: float) -> bytes:
        """`count` bytes from `offset`; None for everything after it. Raises ServiceError.

        InappropriateActionRequested: no such table; InsufficientSecurityClearance: not with this
        key, or held by the hardware lock; OperationNotPossible: beyond the table's end.
        """
        if table not in readable(self._set_up):
            raise InappropriateActionRequested(f"{table_name(table)} cannot be read")
        self._parts.access.check_read(tables[table].info, key)
        image = self._image(table, offset, now)
        end = len(image) if count is None else offset + count
        if not 0 <= offset <= end <= len(image):
            raise OperationNotPossible(f"{table_name(table)} has {len(image)} bytes")
        kept = self._kept.get(table)
        if kept is not None:
            kept.offset, kept.end = offset, end
        return image[offset:end]

    def write(self, table: int, offset: int | None, data: bytes, key: str, now: float) -> None:
        """Replace bytes from `offset`, or the whole table.

        Raises ServiceError: as `read`, and OperationNotPossible for bytes that say nothing.
        """
        writer = self._writers.get(table)
        if writer is None:
            raise InappropriateActionRequested(f"{table_name(table)} cannot be written")
        self._parts.access.check_write(tables[table].info, key)
        try:
            writer(offset, data, Writing(key, now))
        except DecodeError as error:
            raise OperationNotPossible(str(error)) from error
        self._kept.clear()

    def image(self, table: int, now: float) -> Image:
        """The table as it is now, whoever asks. KeyError where this meter has none."""
        constant = self._constants.get(table)
        if constant is not None:
            return constant
        if table == ProcedureResponse.info.number:
            return self.procedures.response
        if table in mep_tables(self._set_up):
            return MEP_IMAGES[table](self._parts)
        if table in data_set_tables(self._set_up):
            return self._parts.recorders[table - FIRST_DATA_SET]
        return _encoded(table, ALL_PRODUCERS[table](self._parts, now), self._parts.dims)

    def last_image(self, table: int) -> bytes | None:
        """The image that the last reader got parts of, for tables that change by themselves."""
        kept = self._kept.get(table)
        return None if kept is None else kept.image

    # --- inside ------------------------------------------------------------------------------

    def _image(self, table: int, offset: int, now: float) -> Image:
        if table not in ALL_PRODUCERS:
            return self.image(table, now)
        kept = self._kept.get(table)
        if kept is not None and kept.serves(offset, now):
            return kept.image
        made = bytes(self.image(table, now)[:])
        self._kept[table] = Kept(made, now, offset, offset)
        return made

    def _whole(self, table: type[T], offset: int | None, data: bytes, now: float) -> T:
        """The table's record after a write. Raises DecodeError, OperationNotPossible."""
        image = self.image(table.info.number, now)[:]
        changed = _changed(table.info.name, image, offset, data)
        return table.bind(self._parts.dims).decode(changed)

    def _record(self, table: type[T], now: float) -> T:
        return table.bind(self._parts.dims).decode(self.image(table.info.number, now)[:])

    def _initiate(self, offset: int | None, data: bytes, writing: Writing) -> None:
        if offset:
            raise OperationNotPossible("a procedure is written as a whole")
        request = ProcedureInitiate.bind(self._parts.dims).decode(data)
        self.procedures.initiate(request, writing.key, writing.now)

    def _write_identification(self, offset: int | None, data: bytes, writing: Writing) -> None:
        table = self._whole(DeviceIdentification, offset, data, writing.now)
        self._parts.identify(table.identification)

    def _write_time_offset(self, offset: int | None, data: bytes, writing: Writing) -> None:
        table = self._whole(TimeOffset, offset, data, writing.now)
        if table.time_zone_offset not in _ZONES:
            raise OperationNotPossible("zones go from -12 to +14 hours")
        self._parts.clock.set_zone(table.time_zone_offset, table.daylight_saving_time_adjustment)

    def _write_configuration(self, offset: int | None, data: bytes, writing: Writing) -> None:
        """ET55: only what `_SETTABLE` names can be set here; the rest must stay as it is."""
        before: MeterConfiguration = self._record(MeterConfiguration, writing.now)
        table = self._whole(MeterConfiguration, offset, data, writing.now)
        wanted = {name: getattr(table, name) for name in _SETTABLE}
        set_lockout = self._parts.link.set_lockout
        locks = any(wanted[name] != getattr(before, name) for name in _LOCKOUT)
        if table != before.with_(**wanted) or (locks and set_lockout is None):
            raise OperationNotPossible("only the power line's timeout and lockout can be set")
        self._parts.set_active_timeout(table.plc_active_timeout)
        if set_lockout is not None:
            set_lockout(table.plc_lockout_threshold, table.plc_lockout_duration)

    def _configure_m_bus(
        self, name: str, offset: int | None, data: bytes, writing: Writing
    ) -> None:
        bus = self._parts.m_bus
        assert bus is not None
        changed = _changed(name, bus.settings.image(name), offset, data)
        if name == "ET13" and self._parts.mep is not None:
            self._parts.mep.check_speeds(changed)
        bus.configure(name, changed)

    def _write_mep(self, number: int, offset: int | None, data: bytes, writing: Writing) -> None:
        clients = self._parts.mep
        assert clients is not None
        changed = _changed(table_name(number), MEP_IMAGES[number](self._parts), offset, data)
        tables[number].bind(self._parts.dims).decode(changed)
        clients.write(number, changed, writing.now)


def _changed(name: str, image: bytes, offset: int | None, data: bytes) -> bytes:
    """A table's image with `data` written at `offset`, or in its place (None).

    Raises OperationNotPossible for data that do not fit.
    """
    start = offset or 0
    if start + len(data) > len(image) or (offset is None and len(data) != len(image)):
        raise OperationNotPossible(f"{name} has {len(image)} bytes")
    return image[:start] + data + image[start + len(data) :]


def data_set_tables(set_up: SetUp) -> range:
    """BT64 and so on, as many as there are data sets."""
    return range(FIRST_DATA_SET, FIRST_DATA_SET + len(set_up.data_sets))


@lru_cache(maxsize=64)
def readable(set_up: SetUp) -> frozenset[int]:
    """Numbers of the tables that can be read."""
    others = (GeneralConfiguration.info.number, ProcedureResponse.info.number)
    m_bus = M_BUS_PRODUCERS if set_up.m_bus else ()
    mep = mep_tables(set_up)
    return frozenset((*CONSTANT, *PRODUCERS, *m_bus, *mep, *data_set_tables(set_up), *others))


@lru_cache(maxsize=64)
def constants(set_up: SetUp) -> dict[int, bytes]:
    """Images of the tables that the set-up alone decides, shared by all meters that have it."""
    dims = dimensions(set_up)
    made = {number: _encoded(number, make(set_up), dims) for number, make in CONSTANT.items()}
    general = _general_configuration(set_up, dims)
    return made | {general.info.number: _encoded(general.info.number, general, dims)}


def _general_configuration(set_up: SetUp, dims: Dims) -> GeneralConfiguration:
    """BT00, with the sets of what there really is."""
    m_bus = M_BUS_WRITTEN if set_up.m_bus else ()
    written = frozenset((*WRITTEN, *m_bus, *mep_written(set_up)))
    there = readable(set_up) | written
    called = HANDLERS | (M_BUS_HANDLERS if set_up.m_bus else {})
    called |= MEP_HANDLERS if set_up.mep_ports else {}
    general: GeneralConfiguration = dims["BT00"]
    return general.with_(
        basic_tables_used=_basic(there),
        extended_tables_used=_extended(there),
        basic_procedures_used=_basic(called),
        extended_procedures_used=_extended(called),
        basic_tables_write=_basic(written),
        extended_tables_write=_extended(written),
    )


def _basic(members: Iterable[int]) -> frozenset[int]:
    return frozenset(number for number in members if number < EXTENDED)


def _extended(members: Iterable[int]) -> frozenset[int]:
    return frozenset(number - EXTENDED for number in members if number >= EXTENDED)


def _encoded(table: int, record: Record, dims: Dims) -> bytes:
    return tables[table].bind(dims).encode(record)  # type: ignore[arg-type]
