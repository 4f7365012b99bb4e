"""How a virtual meter is dimensioned: one small set-up, from which every dimension table follows.

The tables are made once for each set-up and shared by all meters that have it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec

from osgp.errors import UsageError
from osgp.meter.measuring import PRESENT_SOURCES, SOURCES
from osgp.spec.codes import DAY_INTERVAL
from osgp.spec.declare import tables
from osgp.spec.dimensions import MOST_DATA_SETS
from osgp.spec.source_ids import PRESENT_VALUES, SUMMATIONS
from osgp.spec.tables.configuration import DimensionLn
from osgp.spec.tables.dimensions import ManufacturerDimensions
from osgp.spec.tables.general import GeneralConfiguration
from osgp.spec.tables.load_profile import (
    ActualLoadProfile,
    DataSetSize,
    DimensionLoadProfile,
    LoadProfileBlock,
)
from osgp.spec.tables.logs import ActualLog, DimensionLog
from osgp.spec.tables.mbus import M_BUS_DEVICES
from osgp.spec.tables.registers import ActualRegister, DimensionRegister
from osgp.wire import Dims, Field, Layout, Record, Version, bind
from osgp.wire.kinds import BitSet

DAY_MINUTES: Final = 1440
TWO_PORTS: Final = (4, 0)
"""Firmware from which meters may have a second MEP port."""
LN_SETTINGS: Final = (4, 2)
"""Firmware from which ET97 says which ports require TLS."""
FIRST_DATA_SET: Final = 64
"""Number of the table with data set 1."""
ROLLOVER_DIGITS: Final = 9
ROLLOVER: Final = 10**ROLLOVER_DIGITS
"""Registers count modulo this: nine digits fit every INT32."""

_FIRST_PRESENT_VALUES: Final = 41
_MOST: Final = {"number_of_self_reads": 253, "number_of_demands": 8} | {
    "number_of_coincident_values": 16,
    "number_of_occurrences": 1,
    "number_of_tiers": 8,
    "number_of_present_demands": 8,
    "number_of_present_values": len(PRESENT_VALUES),
    "number_of_summations": len(SUMMATIONS),
}
"""BT20 of firmware 4.x (optical guide p20)."""
_MOST_BLOCKS: Final = 9530
_MOST_CHANNELS: Final = 16
_LONGEST_INTERVAL: Final = 255
_MEMORY: Final = 104_832
"""BT60 of a meter with 128 KiB (MEP guide p231)."""
_MOST_ENTRIES: Final = 200

R = TypeVar("R", bound=Record)


class DataSet(msgspec.Struct, frozen=True):
    """A load profile data set: source of each channel, interval in minutes, blocks of one day."""

    sources: tuple[int, ...] = (0, 1, 2, 3)
    interval: int = 15
    blocks: int = 10

    def __post_init__(self) -> None:
        if self.interval < 1 or DAY_MINUTES % self.interval or 60 < self.interval < DAY_MINUTES:
            raise UsageError(f"no load profile interval of {self.interval} minutes")
        if not 1 <= self.blocks <= _MOST_BLOCKS or not 1 <= len(self.sources) <= _MOST_CHANNELS:
            raise UsageError("a data set has 1 to 9530 blocks and 1 to 16 channels")
        if not set(self.sources) <= set(SOURCES):
            raise UsageError("a load profile channel records an energy register")

    @property
    def intervals(self) -> int:
        """Intervals in a block."""
        return DAY_MINUTES // self.interval

    @property
    def size(self) -> DataSetSize:
        code = DAY_INTERVAL if self.interval == DAY_MINUTES else self.interval
        return DataSetSize(self.blocks, self.intervals, len(self.sources), code)


class SetUp(msgspec.Struct, frozen=True):
    """Everything that sizes a meter's tables.

    `m_bus`: it has a port for M-Bus devices. `mep_ports`: MEP ports in use, 0 to 2; their clients
    share tables with M-Bus devices, so that such a meter has those as well.
    """

    firmware: Version = (4, 30, 0)
    tiers: int = 4
    data_sets: tuple[DataSet, ...] = (DataSet(),)
    log_entries: int = 100
    summations: tuple[int, ...] = tuple(source.number for source in SUMMATIONS)
    present_values: tuple[int, ...] = tuple(
        source.number for source in PRESENT_VALUES[:_FIRST_PRESENT_VALUES]
    )
    m_bus: bool = False
    mep_ports: int = 0

    def __post_init__(self) -> None:
        if self.mep_ports and not self.m_bus:
            raise UsageError("MEP clients share tables with M-Bus devices: m_bus must be true")
        if not 0 <= self.mep_ports <= 2:
            raise UsageError("a meter has at most two MEP ports")
        if self.mep_ports == 2 and self.firmware < TWO_PORTS:
            raise UsageError("a second MEP port needs firmware 4.0 or later")
        if not 1 <= len(self.data_sets) <= MOST_DATA_SETS:
            raise UsageError(f"a meter has 1 to {MOST_DATA_SETS} load profile data sets")
        if not 1 <= self.log_entries <= _MOST_ENTRIES:
            raise UsageError(f"an event log has 1 to {_MOST_ENTRIES} entries")
        if not set(self.present_values) <= set(PRESENT_SOURCES):
            raise UsageError("a present value that this meter does not measure")

    @property
    def several(self) -> bool:
        """Whether there are several data sets: the tables then describe four."""
        return len(self.data_sets) > 1


def declared(record: type[R], dims: Dims, **values: Any) -> R:
    """A record of declared defaults, zero where there are none, and `values`.

    For layouts of fixed size. Raises DimensionError for others.
    """
    template: R = _template(record, dims)
    return filled(template, **values)


def filled(blank: R, **values: Any) -> R:
    """`blank` with `values`, less those that this firmware's layout does not have."""
    there = {name: value for name, value in values.items() if getattr(blank, name) is not None}
    made: R = blank.with_(**there)
    return made


@lru_cache(maxsize=512)
def _template(record: type[R], dims: Dims) -> R:
    blank = bind(record, dims).blank()
    defaults = {
        field.name: field.default
        for field in record.wire_fields
        if field.default is not None and getattr(blank, field.name) is not None
    }
    return blank.with_(**defaults)


@lru_cache(maxsize=64)
def dimensions(set_up: SetUp) -> Dims:
    """The dimension tables of a set-up, shared by all meters that have it."""
    dims = Dims({"BT00": _formats()}, firmware=set_up.firmware)
    if set_up.several:
        dims = dims.with_table("ET54", {"multiple_load_profile_data_sets": True})
    dims = dims.with_table("BT20", {"number_of_tiers": _MOST["number_of_tiers"]})
    for table, made in (
        ("ET11", declared(ManufacturerDimensions, dims, number_of_devices=_devices(set_up))),
        ("BT21", _registers(set_up, dims)),
        ("BT61", _load_profile(set_up, dims)),
        ("BT71", declared(ActualLog, dims, number_of_history_entries=set_up.log_entries)),
        *_ln(set_up, dims),
    ):
        dims = dims.with_table(table, made)
    return dims


def _ln(set_up: SetUp, dims: Dims) -> list[tuple[str, Record]]:
    """ET90, which sizes ET97: meters with MEP ports and firmware that has it."""
    there = set_up.mep_ports and set_up.firmware >= LN_SETTINGS
    return [("ET90", declared(DimensionLn, dims))] if there else []


def _devices(set_up: SetUp) -> int:
    """M-Bus devices and MEP clients: ET11.0, 5 before 4.0."""
    return M_BUS_DEVICES + (2 if set_up.firmware >= TWO_PORTS else 1)


def maxima(set_up: SetUp) -> tuple[DimensionRegister, DimensionLoadProfile, DimensionLog]:
    """BT20, BT60 and BT70."""
    dims = dimensions(set_up)
    largest = DataSetSize(_MOST_BLOCKS, DAY_MINUTES, _MOST_CHANNELS, _LONGEST_INTERVAL)
    sets = (largest,) * (MOST_DATA_SETS if set_up.several else 1)
    return (
        declared(DimensionRegister, dims, self_read_sequence_number=True, **_MOST),
        declared(DimensionLoadProfile, dims, memory_length=_MEMORY, data_sets=sets),
        declared(DimensionLog, dims, number_of_history_entries=_MOST_ENTRIES),
    )


def block_layout(set_up: SetUp, index: int) -> Layout[LoadProfileBlock]:
    """The layout of one block of data set `index` (0 is the first)."""
    layout = tables[FIRST_DATA_SET + index].bind(dimensions(set_up))
    block: Layout[LoadProfileBlock] = layout.element("blocks[0]")
    return block


def _formats() -> GeneralConfiguration:
    """The fixed part of BT00; its sets follow when the tables are known."""
    given = {field.name: _given(field) for field in GeneralConfiguration.wire_fields}
    return GeneralConfiguration(**given)


def _given(field: Field) -> Any:
    if isinstance(field.kind, BitSet):
        return frozenset()
    return 0 if field.default is None else field.default


def _registers(set_up: SetUp, dims: Dims) -> ActualRegister:
    return declared(
        ActualRegister,
        dims,
        number_of_summations=len(set_up.summations),
        number_of_occurrences=1,
        number_of_tiers=set_up.tiers,
        number_of_present_values=len(set_up.present_values),
    )


def _load_profile(set_up: SetUp, dims: Dims) -> ActualLoadProfile:
    absent = DataSetSize(0, 0, 0, 0)
    sets = [data_set.size for data_set in set_up.data_sets]
    if set_up.several:
        sets += [absent] * (MOST_DATA_SETS - len(sets))
    sized = declared(ActualLoadProfile, dims, data_sets=tuple(sets))
    known = dims.with_table("BT61", sized)
    layouts = [tables[FIRST_DATA_SET + index].bind(known) for index in range(len(set_up.data_sets))]
    return sized.with_(memory_length=sum(layout.size or 0 for layout in layouts))


__all__ = ["DataSet", "SetUp", "declared", "dimensions"]
