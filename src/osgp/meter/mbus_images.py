"""The producers of the M-Bus tables, for meters that have a port for such devices."""

from __future__ import annotations

from typing import Any, Final

from osgp.meter.clockwork import ltime
from osgp.meter.dims import declared, filled
from osgp.meter.mbus import MBus
from osgp.meter.mbus_state import MULTICAST, Entry
from osgp.meter.parts import Parts
from osgp.spec.declare import EXTENDED
from osgp.spec.tables.mbus import (
    M_BUS_DEVICES,
    BillingRead,
    DeviceData,
    DeviceStatus,
    DeviceStatusExtension,
    MBusDeviceConfig,
    OnDemandRequests,
)
from osgp.wire import NO_DIMS, Record, bind

ALARMS: Final = (
    "billing_data_collected",
    "app_error_response",
    "new_device_alarm",
    "billing_read_overflow",
    "failed_comms_on_read",
    "serial_number_mismatch",
    "firmware_switchover_success",
    "firmware_switchover_failure",
)
"""Alarms of an entry of ET14, bit 0 first."""

HIDDEN: Final = 8
"""Bytes of a security key that read as 0 (MEP guide, ET13)."""

LINE_RATE: Final = 4
"""2400 baud (`osgp.spec.codes.BAUD_RATES`): what these devices speak."""


def _bus(parts: Parts) -> MBus:
    assert parts.m_bus is not None
    return parts.m_bus


def _et13(parts: Parts, now: float) -> Record:
    """Keys keep their first bytes to themselves; alert flags are the meter's."""
    bus = _bus(parts)
    table = bus.settings.record("ET13")
    start = bind(MBusDeviceConfig, NO_DIMS).span("security_key").offset
    shown = [
        _patched(one, start, bytes(HIDDEN))
        if slot < M_BUS_DEVICES
        else _patched(one, 0, bytes((bus.alerts(slot),)))
        for slot, one in enumerate(table.devices)
    ]
    made: Record = table.with_(devices=tuple(shown))
    return made


def _patched(entry: Any, start: int, patch: bytes) -> Any:
    """An entry of ET13 with `patch` at byte `start` of its details."""
    details = entry.details
    return entry.with_(details=details[:start] + patch + details[start + len(patch) :])


def _et14(parts: Parts, now: float) -> Record:
    blank: Any = declared(DeviceStatus, parts.dims)
    entries = _bus(parts).state.entries
    rates = [one.baud_rate for one in _bus(parts).settings.record("ET13").devices]
    shown = [
        _entry(zero, slot, entry, rates[slot])
        for slot, (zero, entry) in enumerate(zip(blank.devices, entries, strict=True))
    ]
    occupied = sum(1 << slot for slot, entry in enumerate(entries) if entry.handle)
    made: Record = blank.with_(device_occupancy=occupied, devices=tuple(shown))
    return made


def _entry(zero: Any, slot: int, entry: Entry, line_rate: int) -> Any:
    if not entry.handle:
        return zero
    times = {
        "status_read_timestamp": entry.status_read,
        "last_read_attempt": entry.last_attempt,
    }
    return filled(
        zero,
        device_handle=entry.handle,
        device_status=entry.state,
        baud_rate=LINE_RATE if slot < M_BUS_DEVICES else line_rate,
        billing_read_length=entry.length,
        read_attempts=entry.attempts,
        read_answers=entry.answers,
        m_bus_primary_address=slot + 1 if slot < M_BUS_DEVICES else 0,
        device_alarms=entry.device_alarms,
        **{name: bool(entry.alarms >> bit & 1) for bit, name in enumerate(ALARMS)},
        **{name: ltime(time) for name, time in times.items() if time is not None},
    )


def _et15(parts: Parts, now: float) -> Record:
    blank: Any = declared(OnDemandRequests, parts.dims)
    state = _bus(parts).state
    queue = [
        zero.with_(
            transaction_number=one.number,
            device_handle=one.device,
            request_type=one.kind,
            result=one.result,
        )
        for zero, one in zip(blank.requests, state.requests, strict=True)
    ]
    writes = [
        _written(zero, b"" if one.kind == MULTICAST else one.data)
        for zero, one in zip(blank.writes, state.requests, strict=True)
    ]
    made: Record = blank.with_(
        write_pointer=state.write,
        read_pointer=state.read,
        requests=tuple(queue),
        writes=tuple(writes),
        multicast_length=len(state.multicast),
        multicast=_fitted(state.multicast, blank.multicast),
    )
    return made


def _written(zero: Any, data: bytes) -> Any:
    return zero.with_(length=min(len(data), len(zero.data)), data=_fitted(data, zero.data))


def _fitted(data: bytes, zero: bytes) -> bytes:
    return data[: len(zero)].ljust(len(zero), b"\0")


def _et16(parts: Parts, now: float) -> Record:
    """Every slot's newest billing read, zeros where there is none."""
    size = parts.dims["ET11"].data_entry_size
    layout = bind(BillingRead, parts.dims)
    devices = range(parts.dims["ET11"].number_of_devices)
    reads = [layout.decode(_bus(parts).billing_read(slot).ljust(size, b"\0")) for slot in devices]
    return DeviceData.make(devices=tuple(reads))


def _et34(parts: Parts, now: float) -> Record:
    made: Record = _bus(parts).settings.record("ET34")
    return made


def _et57(parts: Parts, now: float) -> Record:
    made: Record = _bus(parts).settings.record("ET57")
    return made


def _et58(parts: Parts, now: float) -> Record:
    blank: Any = declared(DeviceStatusExtension, parts.dims)
    entries = zip(blank.devices, _bus(parts).state.entries, strict=True)
    shown = tuple(zero.with_(control_status=entry.control) for zero, entry in entries)
    return DeviceStatusExtension.make(devices=shown)


M_BUS_PRODUCERS: Final = {
    EXTENDED + 13: _et13,
    EXTENDED + 14: _et14,
    EXTENDED + 15: _et15,
    EXTENDED + 16: _et16,
    EXTENDED + 34: _et34,
    EXTENDED + 57: _et57,
    EXTENDED + 58: _et58,
}
"""Tables of meters with an M-Bus port."""
