"""M-Bus devices behind a meter (water, heat, gas): ET14 who is there, ET16 what they said last.

Data records are decoded by pyMeterBus (extra `osgp[mbus]`); without it, and where a telegram is
encrypted or of an unknown structure, the bytes are shown.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from osgp.errors import DecodeError, UsageError
from osgp.session import Exchange
from osgp.session.reader import DeviceReader
from osgp.spec.tables.mbus import (
    DEVICE_STATES,
    M_BUS_DEVICES,
    BillingRead,
    FixedRead,
    MBusDeviceConfig,
    MepRead,
    VariableRead,
)
from osgp.wire import NO_DIMS, bind

from .survey import Surveyor
from .telegram import Decoded, Value, values_of

STATUS, DATA = "ET14", "ET16"
EMPTY: Final = 0
DOWN: Final = DEVICE_STATES[2]
BUSY: Final = 1
REVERSED: Final = "most significant byte first: records are not decoded"
MEDIA: Final = {
    0: "other",
    2: "electricity",
    3: "gas",
    4: "heat",
    6: "hot water",
    7: "water",
    8: "heat cost allocator",
    10: "cooling",
    12: "heat",
    13: "heat and cooling",
    21: "hot water",
    22: "cold water",
}
"""Medium of an M-Bus device (EN 13757-3, table 3, as the MEP guide and public decoders have it)."""


class MBusDevice(msgspec.Struct, frozen=True, omit_defaults=True):
    """One slot in use. `read_at` is the meter's local time; `raw` what was not decoded."""

    slot: int
    state: str
    handle: int = 0
    serial: str = ""
    manufacturer: str = ""
    medium: str = ""
    customer: str = ""
    read_at: datetime | None = None
    values: tuple[Value, ...] = ()
    raw: str = ""
    remarks: tuple[str, ...] = ()


def read_mbus(reader: DeviceReader) -> Exchange[list[MBusDevice]]:
    """Devices in slots that are not empty. Raises UsageError where the meter knows no M-Bus."""
    if not (yield from reader.has(STATUS)):
        raise UsageError("this meter has no M-Bus devices: its BT00 does not list ET14")
    status = yield from reader.table(STATUS)
    data = None
    surveyor = Surveyor(reader)
    if (yield from reader.has(DATA)):
        data = yield from reader.table(DATA)
    customers = yield from surveyor.optional("ET13")
    return [
        device_of(slot, entry, None if data is None else data.devices[slot], customers)
        for slot, entry in enumerate(status.devices)
        if entry.device_status != EMPTY
    ]


def device_of(slot: int, entry: Any, read: BillingRead | None, customers: Any) -> MBusDevice:
    """What an entry of ET14, one of ET16 and ET13 (where the key opens it) come to. Never fails."""
    state = DEVICE_STATES.get(entry.device_status, f"state {entry.device_status}")
    found = MBusDevice(slot, state, entry.device_handle, customer=_customer(slot, customers))
    if read is None or not entry.billing_read_length:
        return msgspec.structs.replace(found, remarks=("no billing read yet",))
    remarks = tuple(_remarks(entry, read))
    found = msgspec.structs.replace(found, read_at=_moment(read.timestamp), remarks=remarks)
    try:
        return _decoded(found, slot, read)
    except DecodeError as error:
        raw = read.data[: entry.billing_read_length].hex()
        return msgspec.structs.replace(found, raw=raw, remarks=(*remarks, str(error)))


def _customer(slot: int, configuration: Any) -> str:
    """The customer's id of an M-Bus device, where the key opens ET13."""
    if configuration is None or slot >= M_BUS_DEVICES:
        return ""
    details, _ = bind(MBusDeviceConfig, NO_DIMS).decode_from(configuration.devices[slot].details)
    return str(details.customer_id).strip("\0 ")


def _remarks(entry: Any, read: Any) -> list[str]:
    flags = {
        "the last read failed": entry.failed_comms_on_read,
        "the last read did not fit": entry.billing_read_overflow,
        "another serial number than registered": entry.serial_number_mismatch,
        "authentication failed": read.security_status,
    }
    return [remark for remark, is_set in flags.items() if is_set]


def _ailments(telegram: Any) -> list[str]:
    """What a device says of itself in its status byte."""
    flags = {
        "application busy": getattr(telegram, "application", 0) == BUSY,
        "application error": getattr(telegram, "application", 0) > BUSY,
        "power is low": telegram.power_low,
        "permanent error": telegram.permanent_error,
        "temporary error": telegram.temporary_error,
    }
    return [ailment for ailment, is_set in flags.items() if is_set]


def _decoded(found: MBusDevice, slot: int, read: Any) -> MBusDevice:
    if slot >= M_BUS_DEVICES:
        mep, _ = bind(MepRead, NO_DIMS).decode_from(read.data)
        return msgspec.structs.replace(found, medium="MEP client", raw=mep.data.hex())
    telegram = bind(FixedRead if read.response_type else VariableRead, NO_DIMS)
    return (_fixed if read.response_type else _variable)(
        found, telegram.decode_from(read.data)[0], bool(read.data_order)
    )


def _fixed(found: MBusDevice, telegram: Any, reverse: bool) -> MBusDevice:
    """Two counters whose medium and unit are in one word; shown as they are."""
    raw = f"{telegram.counter_1:08x} {telegram.counter_2:08x} {telegram.medium_and_unit:04x}"
    serial = number_of(telegram.serial_number, reverse=reverse)
    remarks = (*found.remarks, *_ailments(telegram))
    return msgspec.structs.replace(found, serial=serial, raw=raw, remarks=remarks)


def _variable(found: MBusDevice, telegram: Any, reverse: bool) -> MBusDevice:
    manufacturer = telegram.manufacturer.to_bytes(2, "big" if reverse else "little")
    values, raw, remark = _records(telegram, reverse)
    return msgspec.structs.replace(
        found,
        serial=number_of(telegram.serial_number, reverse=reverse),
        manufacturer=letters(int.from_bytes(manufacturer, "little")),
        medium=MEDIA.get(telegram.medium, f"medium {telegram.medium}"),
        values=values,
        raw=raw,
        remarks=(*found.remarks, *_ailments(telegram), *([remark] if remark else [])),
    )


def _records(telegram: Any, reverse: bool) -> Decoded:
    if reverse:
        return (), telegram.records.hex(), REVERSED
    return values_of(telegram.records, encrypted=bool(telegram.signature))


def number_of(stored: str, *, reverse: bool = False) -> str:
    """A serial number, most significant digit first.

    The guide prints 'packed BCD' and no byte order, but the header is the device's own (EN 13757-3,
    5.4 and 5.5): least significant byte first, unless the device speaks mode 2 (`reverse`).
    """
    if reverse:
        return stored
    return "".join(stored[at : at + 2] for at in range(len(stored) - 2, -1, -2))


def letters(packed: int) -> str:
    """The three letters of a manufacturer, five bits each (EN 13757-3)."""
    return "".join(chr(64 + (packed >> shift & 31)) for shift in (10, 5, 0))


def _moment(stamp: Any) -> datetime | None:
    """Local time, without a zone: the meter does not say which."""
    try:
        moment: datetime = stamp.to_datetime()
    except DecodeError:
        return None
    return moment.replace(tzinfo=None)
