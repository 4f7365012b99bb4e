"""The producers: from a meter's state to the record of each table that it has.

One function per table, listed at the end; `osgp.meter.tables` binds, encodes and slices. What the
set-up alone decides is in `osgp.meter.constants`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from osgp.meter.clockwork import ltime, weekday
from osgp.meter.dims import ROLLOVER, SetUp, declared, filled
from osgp.meter.measuring import SOURCES, EnergyRegisters, present_value
from osgp.meter.parts import RATED_VOLTAGE, Parts
from osgp.meter.profile import Recorder, block_start
from osgp.spec.declare import EXTENDED
from osgp.spec.tables.configuration import MeterConfiguration
from osgp.spec.tables.general import EndDeviceModeStatus, GeneralManufacturerIdentification
from osgp.spec.tables.hardware import MOST_PACKETS, CodeBankInfo
from osgp.spec.tables.identity import DeviceIdentification
from osgp.spec.tables.load_profile import DataSetStatus, LoadProfileStatus
from osgp.spec.tables.load_profile_internal import (
    DataSetInternals,
    LoadProfileInternalConfiguration,
)
from osgp.spec.tables.logs import HistoryEntry, HistoryLogData
from osgp.spec.tables.registers import CurrentRegisterData, PresentRegisterData, RegisterBlock
from osgp.spec.tables.status import MeterStatus
from osgp.spec.tables.system import SystemInformation
from osgp.spec.tables.time_tou import Clock, ClockState, TimeOffset
from osgp.wire import Record, Time

Producer = Callable[[Parts, float], Record]

_TOTALS_ONLY: Final = frozenset({4, 5, 26, 27, 28})
"""Summations without a part in any tier: outages, pulse inputs, errors (MEP guide, BT23)."""
_CHANNELS: Final = 8
_SWITCH: Final = (2, 0, 0)
"""Local time at which daylight saving begins in central Europe."""
_RATED_FREQUENCY: Final = 50
_NEURON_PHASE_UNKNOWN: Final = 7
LOG_UNREAD: Final = 28
PROFILE_UNREAD: Final = 30
"""Manufacturer alarms that last as long as there is something unread."""


# --- what the set-up alone decides -----------------------------------------------------------


def _bt01(parts: Parts, now: float) -> Record:
    profile = parts.profile
    major, minor, *build = profile.set_up.firmware
    packed = major << 12 | minor << 5 | (build[0] if build else 0)
    return declared(
        GeneralManufacturerIdentification,
        parts.dims,
        manufacturer=profile.manufacturer.ljust(4)[:4],
        model=profile.model.ljust(8)[:8],
        hardware_version_number=1,
        main_firmware_version_number=packed >> 8,
        firmware_revision_number=packed & 0xFF,
        manufacturer_serial_number=profile.serial,
    )


# --- clock -----------------------------------------------------------------------------------


def _bt52(parts: Parts, now: float) -> Record:
    reading = parts.clock.reading(now)
    return declared(
        Clock,
        parts.dims,
        clock_calendar=ltime(reading),
        day_of_week=weekday(reading),
        daylight_saving_time=parts.clock.summer(reading),
    )


def _bt53(parts: Parts, now: float) -> Record:
    state = parts.clock.state
    return TimeOffset(Time(*_SWITCH), state.dst, state.zone)


def _bt55(parts: Parts, now: float) -> Record:
    reading = parts.clock.reading(now)
    local = parts.clock.local(reading)
    return declared(
        ClockState,
        parts.dims,
        clock_calendar=ltime(local),
        day_of_week=weekday(local),
        daylight_saving_time=parts.clock.summer(reading),
    )


# --- state -----------------------------------------------------------------------------------


def _bt03(parts: Parts, now: float) -> Record:
    condition = parts.condition
    unread = [recorder.state.unread > 0 for recorder in parts.recorders]
    extended = frozenset(n for n, some in enumerate(unread[1:]) if some)
    return declared(
        EndDeviceModeStatus,
        parts.dims,
        unprogrammed=not parts.commissioned,
        power_failure=condition.power_failed,
        low_loss_potential=condition.lost != 0,
        extended_alarms=extended,
        manufacturer_alarms=condition.alarms | _unread_alarms(parts, unread[0]),
    )


def _unread_alarms(parts: Parts, profile: bool) -> set[int]:
    waiting = {LOG_UNREAD: parts.log.state.unread > 0, PROFILE_UNREAD: profile}
    return {alarm for alarm, some in waiting.items() if some}


def _bt05(parts: Parts, now: float) -> Record:
    return DeviceIdentification.make(identification=parts.identification)


def _bt63(parts: Parts, now: float) -> Record:
    sets = [_status_of(recorder, parts) for recorder in parts.recorders]
    absent = len(parts.dims["BT61"].data_sets) - len(sets)
    nothing = _zero(LoadProfileStatus, parts)
    return LoadProfileStatus.make(data_sets=(*sets, *[nothing] * absent))


def _zero(table: type[Record], parts: Parts) -> Any:
    """A data set of which there is nothing to say."""
    blank: Any = declared(table, parts.dims)
    return blank.data_sets[0]


def _status_of(recorder: Recorder, parts: Parts) -> DataSetStatus:
    state, newest = recorder.state, recorder.newest
    status: DataSetStatus = filled(
        _zero(LoadProfileStatus, parts),
        overflow=state.overflow,
        list_type=1,
        active_mode=True,
        number_of_valid_blocks=state.valid,
        last_block=state.element,
        last_block_sequence_number=state.sequence,
        number_of_unread_blocks=state.unread,
        number_of_valid_intervals=newest.processed.bit_count() if newest else 0,
    )
    return status


def _et21(parts: Parts, now: float) -> Record:
    sets = [_internals(recorder, parts) for recorder in parts.recorders]
    absent = len(parts.dims["BT61"].data_sets) - len(sets)
    nothing = _zero(LoadProfileInternalConfiguration, parts)
    return LoadProfileInternalConfiguration.make(data_sets=(*sets, *[nothing] * absent))


def _internals(recorder: Recorder, parts: Parts) -> DataSetInternals:
    """Addresses are offsets into the data set's own table: `Source.PROJECT`."""
    state, newest, size = recorder.state, recorder.newest, recorder.data_set.size
    last = newest.processed.bit_length() - 1 if newest else 0
    block = recorder.layout.size or 0
    address = state.element * block
    sources = (*recorder.data_set.sources, *[0] * (2 * _CHANNELS))[: 2 * _CHANNELS]
    ended = newest.end if newest else state.recorded
    simple = recorder.layout.span("simple_status")
    internals: DataSetInternals = filled(
        _zero(LoadProfileInternalConfiguration, parts),
        current_block_address=address,
        current_interval_address=address + recorder.header_size + last * recorder.interval_size,
        block_size=block,
        block_header_size=recorder.header_size,
        number_of_valid_blocks=state.valid,
        number_of_valid_intervals=newest.processed.bit_count() if newest else 0,
        last_block_index=state.element,
        last_interval_number=last,
        simple_status_offset_from_block=simple.offset,
        simple_status_size=simple.size,
        interval_0_offset_from_block=recorder.header_size,
        interval_size=recorder.interval_size,
        channel_0_offset_from_interval=recorder.values_offset,
        extended_status_common=state.common,
        number_of_channels=size.number_of_channels,
        interval_time=size.interval_time,
        sources=sources[:_CHANNELS],
        sources_expansion=sources[_CHANNELS:],
        block_start_time=ltime(block_start(ended)),
        interval_end_time_utc=ltime(ended),
        interval_end_time_local=ltime(parts.clock.local(ended)),
        max_memory_length=len(recorder),
    )
    return internals


def _bt74(parts: Parts, now: float) -> Record:
    state = parts.log.state
    return declared(
        HistoryLogData,
        parts.dims,
        overflow=state.overflow,
        number_of_valid_entries=state.valid,
        last_entry_element=state.element,
        last_entry_sequence_number=state.sequence,
        number_of_unread_entries=state.unread,
        entries=_entries(parts),
    )


def _entries(parts: Parts) -> tuple[HistoryEntry, ...]:
    empty = declared(HistoryLogData, parts.dims).entries[0]
    size = parts.dims["BT71"].history_data_length
    return tuple(
        empty
        if entry is None
        else filled(
            empty,
            time=ltime(entry.time),
            sequence_number=entry.sequence & 0xFFFF,
            user_id=entry.user,
            event=entry.event,
            argument=entry.argument.to_bytes(size, "little"),
        )
        for entry in parts.log.elements
    )


def _et04(parts: Parts, now: float) -> Record:
    link, phases, security = parts.link, parts.profile.phases, parts.link.security(now)
    return declared(
        SystemInformation,
        parts.dims,
        sequence_number=link.sequence(),
        transceiver_id=parts.profile.neuron_id,
        subnet_id=link.subnet,
        node_id=link.node,
        neuron_phase=_NEURON_PHASE_UNKNOWN,
        rated_frequency=_RATED_FREQUENCY,
        program_id=parts.firmware.program_id,
        rated_voltage=RATED_VOLTAGE,
        voltage_inactive_l2=phases < 2,
        voltage_inactive_l3=phases < 3,
        neuron_state=link.state,
        plc_signal_quality_status=_signal_quality(link.margin),
        **({"broadcast_receipt": ltime(security.broadcast)} if security.broadcast else {}),
        broadcast_base=security.base,
        broadcast_delta=security.delta,
        maximum_key_usage_count=security.limit,
        security_mode=security.mode,
        fcm_message_count=security.handshakes,
        idt_version=(_interface_version(parts.profile.set_up) + parts.firmware.state.switches)
        % 256,
        **_mep_numbers(parts),
    )


def _mep_numbers(parts: Parts) -> dict[str, Any]:
    """Two numbers from 4.0 on, one before."""
    if parts.mep is None:
        return {}
    numbers = parts.mep.sequences()
    return {"mep_sequence_numbers": numbers, "mep_sequence_number": numbers[0]}


@lru_cache(maxsize=64)
def _interface_version(set_up: SetUp) -> int:
    """Another number for another set-up, as far as a byte goes: readers keep what they know of a
    device's tables as long as this stays (`Source.PROJECT`: a real meter counts changes).
    """
    return zlib.crc32(repr(set_up).encode()) % 256


def _et17(parts: Parts, now: float) -> Record:
    firmware = parts.firmware
    blank = declared(CodeBankInfo, parts.dims)
    loaded = len(firmware.received)
    banks = tuple(
        blank.banks[0].with_(
            state=bank.state,
            program_id=bank.program_id,
            image_length=bank.length,
            image_crc=bank.crc,
            packet_size=bank.packet_size,
            packets_received=loaded if bank is firmware.loading else bank.packets,
        )
        for bank in firmware.state.banks
    )
    size = len(blank.verification_bitmap or b"")
    marks = sum(1 << packet for packet in firmware.received)
    bitmap = marks.to_bytes(max(size, MOST_PACKETS // 8), "little")[:size]
    return filled(
        blank,
        active_bank=firmware.state.active,
        banks=banks,
        verification_bitmap=bitmap,
    )


def _et54(parts: Parts, now: float) -> Record:
    security = parts.link.security(now)
    return declared(
        MeterStatus,
        parts.dims,
        multiple_load_profile_data_sets=parts.profile.set_up.several,
        energy_unit_change=False,
        lcd_5_digit_id_codes=False,
        multiple_mep_clients=parts.profile.set_up.mep_ports > 1,
        unicast_key_usage_count=security.unicast_uses,
        broadcast_key_usage_count=security.broadcast_uses,
        supported_security_modes=security.modes,
    )


def _et55(parts: Parts, now: float) -> Record:
    threshold, minutes = parts.link.security(now).lockout
    return declared(
        MeterConfiguration,
        parts.dims,
        plc_active_timeout=parts.link.active_timeout,
        plc_lockout_threshold=threshold,
        plc_lockout_duration=minutes,
    )


def _signal_quality(margin: float | None) -> int:
    """Codes of ET04.90."""
    if margin is None:
        return 0
    return 2 if margin < 12 else 3 if margin < 18 else 4


# --- what is measured ------------------------------------------------------------------------


def _bt23(parts: Parts, now: float) -> Record:
    registers = parts.metering.registers(now)
    total = summations(registers, parts.profile.set_up.summations)
    first = tuple(
        0 if source in _TOTALS_ONLY else value
        for source, value in zip(parts.profile.set_up.summations, total, strict=True)
    )
    blank = declared(CurrentRegisterData, parts.dims)
    block: RegisterBlock = blank.total_data_block
    tiers = [block.with_(summations=first), *blank.tier_data_block[1:]]
    return blank.with_(
        total_data_block=block.with_(summations=total),
        tier_data_block=tuple(tiers[: len(blank.tier_data_block)]),
    )


def summations(registers: EnergyRegisters, sources: tuple[int, ...]) -> tuple[int, ...]:
    """Registers as BT23 shows them; what this meter has no sensor for is 0."""
    measured = [source for source in sources if source in SOURCES]
    values = dict(zip(measured, registers.values(measured), strict=True))
    return tuple(values.get(source, 0) % ROLLOVER for source in sources)


def _bt28(parts: Parts, now: float) -> Record:
    present = parts.metering.present(now)
    values = tuple(present_value(present, source) for source in parts.profile.set_up.present_values)
    return PresentRegisterData.make(demands=(), values=values)


PRODUCERS: Final[dict[int, Producer]] = {
    1: _bt01,
    3: _bt03,
    5: _bt05,
    23: _bt23,
    28: _bt28,
    52: _bt52,
    53: _bt53,
    55: _bt55,
    63: _bt63,
    74: _bt74,
    EXTENDED + 4: _et04,
    EXTENDED + 17: _et17,
    EXTENDED + 21: _et21,
    EXTENDED + 54: _et54,
    EXTENDED + 55: _et55,
}
"""Tables made from the meter's state."""
