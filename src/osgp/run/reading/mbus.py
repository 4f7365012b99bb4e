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
    MepRead,
    VariableRead,
)
from osgp.wire import NO_DIMS, bind

from .survey import Surveyor
from .telegram import Value, values_of

STATUS, DATA = "ET14", "ET16"
EMPTY: Final = 0
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
        _device(slot, entry, None if data is None else data.devices[slot], customers)
        for slot, entry in enumerate(status.devices)
        if entry.device_status != EMPTY
    ]


def _device(slot: int, entry: Any, read: BillingRead | None, customers: Any) -> MBusDevice:
    state = DEVICE_STATES.get(entry.device_status, f"state {entry.device_status}")
    found = MBusDevice(slot, state, entry.device_handle)
    if read is None or not entry.billing_read_length:
        return msgspec.structs.replace(found, remarks=("no billing read yet",))
    remarks = tuple(_remarks(entry, read))
    found = msgspec.structs.replace(found, read_at=_moment(read.timestamp), remarks=remarks)
    try:
        return _decoded(found, slot, read)
    except DecodeError as error:
        raw = read.data[: entry.billing_read_length].hex()
        return msgspec.structs.replace(found, raw=raw, remarks=(*remarks, str(error)))


def _remarks(entry: Any, read: Any) -> list[str]:
    flags = {
        "the last read failed": entry.failed_comms_on_read,
        "the last read did not fit": entry.billing_read_overflow,
        "another serial number than registered": entry.serial_number_mismatch,
        "authentication failed": read.security_status,
    }
    return [remark for remark, is_set in flags.items() if is_set]


def _decoded(found: MBusDevice, slot: int, read: Any) -> MBusDevice:
    if slot >= M_BUS_DEVICES:
        mep, _ = bind(MepRead, NO_DIMS).decode_from(read.data)
        return msgspec.structs.replace(found, medium="MEP client", raw=mep.data.hex())
    if read.response_type:
        return _fixed(found, bind(FixedRead, NO_DIMS).decode_from(read.data)[0])
    return _variable(found, bind(VariableRead, NO_DIMS).decode_from(read.data)[0])


def _fixed(found: MBusDevice, telegram: Any) -> MBusDevice:
    """Two counters whose medium and unit are in one word; shown as they are."""
    raw = f"{telegram.counter_1:08x} {telegram.counter_2:08x} {telegram.medium_and_unit:04x}"
    return msgspec.structs.replace(found, serial=number_of(telegram.serial_number), raw=raw)


def _variable(found: MBusDevice, telegram: Any) -> MBusDevice:
    values, raw, remark = values_of(telegram.records, encrypted=bool(telegram.signature))
    return msgspec.structs.replace(
        found,
        serial=number_of(telegram.serial_number),
        manufacturer=letters(telegram.manufacturer),
        medium=MEDIA.get(telegram.medium, f"medium {telegram.medium}"),
        values=values,
        raw=raw,
        remarks=(*found.remarks, *([remark] if remark else [])),
    )


def number_of(stored: str) -> str:
    """A serial number whose digits are stored least significant byte first."""
    return "".join(stored[at : at + 2] for at in range(len(stored) - 2, -1, -2))


def letters(packed: int) -> str:
    """The three letters of a manufacturer, five bits each (EN 13757-3)."""
    return "".join(chr(64 + (packed >> shift & 31)) for shift in (10, 5, 0))


def _moment(stamp: Any) -> datetime | None:
    try:
        moment: datetime = stamp.to_datetime()
    except DecodeError:
        return None
    return moment
