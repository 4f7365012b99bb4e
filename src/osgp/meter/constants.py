"""Tables that the set-up alone decides: made once for all meters that share it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from osgp.meter.dims import ROLLOVER_DIGITS, SetUp, block_layout, declared, dimensions, maxima
from osgp.meter.mbus import LOGGED as M_BUS_LOGGED
from osgp.meter.parts import LOGGED
from osgp.spec.declare import EXTENDED
from osgp.spec.events import MANUFACTURER_EVENTS
from osgp.spec.tables.interface import DataSetInterface, InterfaceDefinition
from osgp.spec.tables.load_profile import ChannelSetting, DataSetControl, LoadProfileControl
from osgp.spec.tables.logs import EventsIdentification
from osgp.spec.tables.pending import PendingStatus
from osgp.spec.tables.registers import (
    CurrentRegisterData,
    DataSelection,
    PresentRegisterSelection,
    PreviousDemandResetData,
    PreviousSeasonData,
    SelfReadData,
)
from osgp.wire import Record, Version
from osgp.wire.kinds import Integer

Constant = Callable[[SetUp], Record]

_MANUFACTURER_BITS: Final = 19 * 8
_FIXED_SECTION: Final = 41
_REQUIRED_SECTION: Final = "required_section_length"


def _dimension(name: str) -> Constant:
    return lambda set_up: dimensions(set_up)[name]


def _maximum(place: int) -> Constant:
    return lambda set_up: maxima(set_up)[place]


def _blank(table: type[Record]) -> Constant:
    return lambda set_up: declared(table, dimensions(set_up))


def _bt22(set_up: SetUp) -> Record:
    summations = set_up.summations
    return declared(DataSelection, dimensions(set_up), summation_sources=summations)


def _bt27(set_up: SetUp) -> Record:
    present = set_up.present_values
    return declared(PresentRegisterSelection, dimensions(set_up), present_value_sources=present)


def _bt62(set_up: SetUp) -> Record:
    controls = [_control(data_set.sources) for data_set in set_up.data_sets]
    absent = len(dimensions(set_up)["BT61"].data_sets) - len(controls)
    return LoadProfileControl.make(data_sets=(*controls, *[_control(())] * absent))


def _control(sources: tuple[int, ...]) -> DataSetControl:
    channels = tuple(
        ChannelSetting.make(end_reading=False, interval_source=source, end_reading_source=0)
        for source in sources
    )
    return DataSetControl.make(channels=channels, format=32)


def _bt72(set_up: SetUp) -> Record:
    manufacturer = range(MANUFACTURER_EVENTS, MANUFACTURER_EVENTS + _MANUFACTURER_BITS)
    logged = LOGGED | (M_BUS_LOGGED if set_up.m_bus else frozenset())
    return EventsIdentification.make(
        standard_events_supported=logged - set(manufacturer),
        manufacturer_events_supported=frozenset(
            event - MANUFACTURER_EVENTS for event in logged if event in manufacturer
        ),
    )


def _et42(set_up: SetUp) -> Record:
    table = _interface(set_up)
    length = len(InterfaceDefinition.bind(dimensions(set_up)).encode(table))
    return table.with_(table_length=length)


def _interface(set_up: SetUp) -> InterfaceDefinition:
    registers, log = dimensions(set_up)["BT21"], dimensions(set_up)["BT71"]
    first = set_up.data_sets[0]
    zero = {field.name: 0 for field in InterfaceDefinition.wire_fields}
    same = {name: getattr(registers, name) for name in zero if hasattr(registers, name)}
    given = (
        zero
        | same
        | _sizes(set_up, 0)
        | {
            "fixed_section_length": _FIXED_SECTION,
            "tier_size": _tier_size(set_up),
            "date_time": log.history_date_time,
            "sequence_number": log.history_sequence_number,
            "history_log_count": log.number_of_history_entries,
            "history_log_entry_size": log.history_data_length,
            "fixed_section_reserved": b"",
            "log_list": (),
            "demand_sources": (),
            "coincident_sources": (),
            "load_profile_extended_sources": first.sources,
            "mdtt_entries": (),
            _REQUIRED_SECTION: _required_section(set_up),
            "energy_register_unit": 1,
            "accumulator_rollover_digit": ROLLOVER_DIGITS,
            "additions": b"",
        }
        | _other_sets(set_up)
    )
    absent = dict.fromkeys(_not_in(set_up.firmware))
    return InterfaceDefinition(**given | absent)


def _not_in(firmware: Version) -> list[str]:
    """Fields of ET42 that the firmware does not have."""
    fields = InterfaceDefinition.wire_fields
    return [field.name for field in fields if field.since and not firmware >= field.since]


def _required_section(set_up: SetUp) -> int:
    """Bytes from the section's length to the end."""
    names = [field.name for field in InterfaceDefinition.wire_fields]
    section = set(names[names.index(_REQUIRED_SECTION) :]) - set(_not_in(set_up.firmware))
    kinds = [field.kind for field in InterfaceDefinition.wire_fields if field.name in section]
    return sum(kind.size for kind in kinds if isinstance(kind, Integer))


def _sizes(set_up: SetUp, index: int) -> dict[str, Any]:
    size, block = set_up.data_sets[index].size, block_layout(set_up, index)
    return {
        "block_size": block.size,
        "number_of_blocks": size.number_of_blocks,
        "number_of_channels": size.number_of_channels,
        "interval_duration": size.interval_time,
        "interval_size": block.span("intervals[0]").size,
        "intervals_per_block": size.number_of_intervals,
    }


def _other_sets(set_up: SetUp) -> dict[str, Any]:
    if not set_up.several:
        flags = ("set_2_active", "set_3_active", "set_4_active")
        return dict.fromkeys((*flags, "data_sets"))
    others = [_interface_of(set_up, index) for index in range(1, len(set_up.data_sets))]
    active = {f"set_{n + 2}_active": n < len(others) for n in range(3)}
    return active | {"data_sets": tuple(others)}


def _interface_of(set_up: SetUp, index: int) -> DataSetInterface:
    zero = dict.fromkeys((field.name for field in DataSetInterface.wire_fields), 0)
    sources = {"extended_sources": set_up.data_sets[index].sources}
    return DataSetInterface(**zero | _sizes(set_up, index) | sources)


def _tier_size(set_up: SetUp) -> int:
    layout = CurrentRegisterData.bind(dimensions(set_up))
    return layout.span("total_data_block").size


CONSTANT: Final[dict[int, Constant]] = {
    4: _blank(PendingStatus),
    20: _maximum(0),
    21: _dimension("BT21"),
    22: _bt22,
    24: _blank(PreviousSeasonData),
    25: _blank(PreviousDemandResetData),
    26: _blank(SelfReadData),
    27: _bt27,
    60: _maximum(1),
    61: _dimension("BT61"),
    62: _bt62,
    70: _maximum(2),
    71: _dimension("BT71"),
    72: _bt72,
    EXTENDED + 11: _dimension("ET11"),
    EXTENDED + 42: _et42,
}
"""Tables that the set-up alone decides, besides BT00."""
