"""The M-Bus side of a virtual meter: which devices it has, when it reads them, what they said.

Billing reads follow ET13 (local time), status reads its interval; requests wait in ET15's queue
until they are carried out. Every scheduled read goes to ET16: this meter has no ET45, which is the
'compatibility' that the MEP guide describes. What no source says is `Source.PROJECT`: a device is
asked hourly until ET13 says otherwise, a request takes `TAKES` seconds, what a device does with
what is written to it stays unknown, and a device that was removed stays away.

Times are true time (unix s) or readings of the meter's clock; cells are put, not committed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from osgp.errors import DecodeError, InvalidParameter, ProcedureConflict, ProcedureError
from osgp.meter.clockwork import ClockState, Clockwork, ltime, moment
from osgp.meter.dims import declared
from osgp.meter.mbus_units import MBusUnit, telegram
from osgp.meter.nvm import Nvm
from osgp.spec.events import MANUFACTURER_EVENTS
from osgp.spec.tables.mbus import BillingRead, DeviceConfiguration, DeviceConfiguration2
from osgp.wire import Dims, bind

CELL: Final = "mbus"
CONFIGURED: Final = {"ET13": DeviceConfiguration, "ET34": DeviceConfiguration2}
"""Tables that are written; each has a cell of its own."""

HOUR, DAY = 3600, 86_400
TAKES: Final = 2
"""Seconds until a request has been carried out."""

INSTALLED, ALARM = 16, 17
"""Manufacturer alarms: device installed or removed, M-Bus alarm."""

STATUS_EVENT: Final = 96
COMMISSIONED, REMOVED = 0, 4
"""Event of a device that came or went, and its values."""

LOGGED: Final = frozenset({STATUS_EVENT, MANUFACTURER_EVENTS + ALARM})
"""Events that an M-Bus port adds (BT72)."""

COLLECTED, NEW_ALARM, FAILED = 0, 2, 4
"""Bits of an entry's alarms (ET14); the M-Bus event's values are the same numbers."""

UP, DOWN = 1, 2
RESET, BILLING, STATUS, WRITE, SYNCHRONISE, MULTICAST, BY_INDEX = 1, 2, 3, 4, 5, 6, 10
SINGLE: Final = frozenset({RESET, BILLING, STATUS, WRITE, SYNCHRONISE})
"""Request types (`osgp.spec.codes.REQUEST_TYPES`)."""

PENDING, SUCCESS, SILENT = 0, 1, 2
EVERYBODY: Final = 0xFFFF
QUEUE_FULL: Final = 7
HEADER: Final = 8
"""Bytes of ET16's entry before the telegram."""

HOURLY, DAILY, WEEKLY, MONTHLY = 0, 1, 2, 3
SUNDAY: Final = 32
_FARTHEST: Final = 32
"""Days in which a monthly read comes by."""

T = TypeVar("T")
Report = Callable[[float, int, int, int], None]
"""Gets true time, an alarm, an event, its argument."""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """State of one device, as ET14 has it; handle 0: nothing there. Times are local, s.

    `billed` and `asked`: readings of the clock at the last billing and status read that was due.
    """

    handle: int = 0
    state: int = 0
    length: int = 0
    attempts: int = 0
    answers: int = 0
    alarms: int = 0
    device_alarms: int = 0
    access: int = 0
    billed: int = 0
    asked: int = 0
    status_read: int | None = None
    last_attempt: int | None = None


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of ET15. `due`: true time at which it is carried out."""

    number: int = 0
    device: int = 0
    kind: int = 0
    result: int = PENDING
    data: bytes = b""
    due: float = math.inf


class BusState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything but configuration and billing reads. `write`, `read`: pointers into the queue."""

    entries: tuple[Entry, ...]
    requests: tuple[Request, ...]
    write: int = 0
    read: int = 0
    multicast: bytes = b""


class MBus:
    """Devices of one meter. Raises DecodeError for a damaged memory."""

    def __init__(
        self,
        units: Sequence[MBusUnit],
        nvm: Nvm,
        clock: Clockwork,
        dims: Dims,
        report: Report,
        now: float,
    ) -> None:
        self._units, self._nvm, self._clock, self._dims = units, nvm, clock, dims
        self._report = report
        self._scheduled: tuple[ClockState, float] | None = None
        stored = nvm.get(CELL)
        if stored is None:
            self._install(now)
            return
        try:
            self.state = msgspec.msgpack.decode(stored, type=BusState)
        except msgspec.MsgspecError as error:
            raise DecodeError(f"no saved M-Bus: {error}") from error

    # --- the agenda --------------------------------------------------------------------------

    def next_due(self) -> float:
        """When `run` has something to do next; never, where nothing is connected."""
        known = self._scheduled
        if known is None or known[0] is not self._clock.state:
            known = self._scheduled = self._clock.state, self._find_due()
        return known[1]

    def run(self, now: float, *, powered: bool) -> None:
        """Do what is due at `now`; a meter without power leaves reads out."""
        reading = int(self._clock.reading(now))
        for slot, entry in enumerate(self.state.entries):
            billing, status = self._due_reads(slot, entry)
            if billing <= reading:
                self._change(slot, billed=reading, asked=reading)
                self._read(slot, now, BILLING, powered=powered)
            elif status <= reading:
                self._change(slot, asked=reading)
                self._read(slot, now, STATUS, powered=powered)
        for index, request in enumerate(self.state.requests):
            if request.due <= now:
                self._carry_out(index, request, now)
        self._keep()

    # --- what others want of it --------------------------------------------------------------

    def post(self, number: int, device: int, kind: int, data: bytes, now: float) -> int:
        """Queue a request (EP19); its index in the queue. Raises ProcedureError."""
        size = len(self.state.requests)
        if kind not in SINGLE | {MULTICAST, BY_INDEX}:
            raise InvalidParameter(f"no request of type {kind}")
        request = Request(number, device, kind, PENDING, data, math.floor(now) + TAKES)
        if not self._addressed(request):
            raise ProcedureConflict("no such device")
        index = self.state.write
        if self.state.requests[index].due < math.inf:
            raise ProcedureError("the queue is full", result=QUEUE_FULL)
        requests = _replaced(self.state.requests, index, request)
        self._set(requests=requests, write=(index + 1) % size)
        if kind == MULTICAST:
            self._set(multicast=data)
        self._keep()
        return index

    def remove(self, handle: int, now: float) -> None:
        """Forget a device, or all (EP17). Raises ProcedureConflict for a handle unknown here."""
        slots = self._slots(handle)
        for slot in slots:
            self._set(entries=_replaced(self.state.entries, slot, Entry()))
            self._nvm.put(f"{CELL}/{slot}", b"")
            self._report(now, INSTALLED, STATUS_EVENT, slot << 13 | REMOVED)
        self._keep()

    def clear(self, handle: int, alarms: int, device_alarms: int) -> None:
        """Clear latched alarms (EP18), masks of bits. Raises ProcedureConflict."""
        for slot in self._slots(handle):
            entry = self.state.entries[slot]
            self._change(
                slot,
                alarms=entry.alarms & ~alarms,
                device_alarms=entry.device_alarms & ~device_alarms,
            )
        self._keep()

    def configure(self, table: str, offset: int, data: bytes) -> None:
        """Write into ET13 or ET34. Raises DecodeError for bytes that say nothing."""
        image = self.configuration_image(table)
        changed = image[:offset] + data + image[offset + len(data) :]
        CONFIGURED[table].bind(self._dims).decode(changed)
        self._nvm.put(f"{CELL}/{table}", changed)
        self._keep()

    # --- what the tables show ----------------------------------------------------------------

    def configuration_image(self, table: str) -> bytes:
        """ET13 or ET34 as it was written, keys and all."""
        stored = self._nvm.get(f"{CELL}/{table}")
        if stored is not None:
            return stored
        declaration = CONFIGURED[table]
        return declaration.bind(self._dims).encode(declared(declaration, self._dims))

    def configuration(self, table: str) -> Any:
        """ET13 or ET34 as a record."""
        return CONFIGURED[table].bind(self._dims).decode(self.configuration_image(table))

    def billing_read(self, slot: int) -> bytes:
        """The newest billing read of a device; nothing where there is none."""
        return self._nvm.get(f"{CELL}/{slot}") or b""

    # --- reading devices ---------------------------------------------------------------------

    def _read(self, slot: int, now: float, kind: int, *, powered: bool) -> bool:
        """Ask a device; whether it answered."""
        if not powered:
            return False
        local = int(self._clock.local(self._clock.reading(now)))
        entry = self.state.entries[slot]
        asked: dict[str, Any] = {"attempts": entry.attempts + 1}
        if kind == BILLING:
            asked["last_attempt"] = local
        self._change(slot, **asked)
        if slot >= len(self._units) or not self._units[slot].answers(now):
            self._change(slot, state=DOWN)
            self._latch(slot, FAILED, now)
            return False
        self._change(slot, state=UP, answers=entry.answers + 1, access=entry.access + 1)
        if kind == BILLING:
            self._take_billing(slot, now, local)
        if kind in (BILLING, STATUS):
            self._take_status(slot, now, local)
        return True

    def _take_billing(self, slot: int, now: float, local: int) -> None:
        unit, entry = self._units[slot], self.state.entries[slot]
        body = telegram(unit, now, moment(local), entry.access)
        read = bind(BillingRead, self._dims).encode(
            declared(
                BillingRead,
                self._dims,
                timestamp=ltime(local),
                data=_padded(bytes((len(body) + 1,)) + body, self._dims),
            )
        )
        length = HEADER + len(body) + 1
        self._nvm.put(f"{CELL}/{slot}", read[:length])
        self._change(slot, length=length)
        self._latch(slot, COLLECTED, now)

    def _take_status(self, slot: int, now: float, local: int) -> None:
        entry, status = self.state.entries[slot], self._units[slot].status(now)
        new = status & ~entry.device_alarms
        self._change(slot, status_read=local, device_alarms=entry.device_alarms | status)
        if new:
            self._latch(slot, NEW_ALARM, now)

    def _latch(self, slot: int, alarm: int, now: float) -> None:
        """A new alarm bit sets the meter's alarm, and is logged."""
        entry = self.state.entries[slot]
        if not entry.alarms >> alarm & 1:
            self._change(slot, alarms=entry.alarms | 1 << alarm)
            self._report(now, ALARM, MANUFACTURER_EVENTS + ALARM, slot << 13 | alarm)

    # --- requests ----------------------------------------------------------------------------

    def _carry_out(self, index: int, request: Request, now: float) -> None:
        slots = self._addressed(request)
        answered = [self._read(slot, now, request.kind, powered=True) for slot in slots]
        result = SUCCESS if answered and all(answered) else SILENT
        done = msgspec.structs.replace(request, result=result, due=math.inf)
        size = len(self.state.requests)
        requests = _replaced(self.state.requests, index, done)
        self._set(requests=requests, read=(index + 1) % size)

    def _addressed(self, request: Request) -> list[int]:
        """Slots that a request concerns."""
        there = [slot for slot, entry in enumerate(self.state.entries) if entry.handle]
        if request.kind == BY_INDEX:
            return [slot for slot in there if request.device >> slot & 1][:1]
        if request.kind != MULTICAST:
            return [slot for slot in there if self.state.entries[slot].handle == request.device]
        masks = [one.group_mask for one in self.configuration("ET34").devices]
        everybody = request.device == EVERYBODY
        return [slot for slot in there if everybody or masks[slot] & request.device]

    def _slots(self, handle: int) -> list[int]:
        entries = enumerate(self.state.entries)
        slots = [slot for slot, entry in entries if entry.handle and handle == entry.handle]
        if handle == EVERYBODY:
            slots = [slot for slot, entry in enumerate(self.state.entries) if entry.handle]
        if not slots:
            raise ProcedureConflict("no device has this handle")
        return slots

    # --- when --------------------------------------------------------------------------------

    def _find_due(self) -> float:
        reads = [
            min(self._due_reads(slot, entry))
            for slot, entry in enumerate(self.state.entries)
            if entry.handle
        ]
        first = min(reads, default=math.inf)
        read = self._clock.when(int(first)) if first < math.inf else math.inf
        return min([read, *(request.due for request in self.state.requests)])

    def _due_reads(self, slot: int, entry: Entry) -> tuple[float, float]:
        """Readings at which a device's billing and status reads are due."""
        if not entry.handle:
            return math.inf, math.inf
        config = self.configuration("ET13").devices[slot]
        minutes = config.status_read_frequency
        status = entry.asked + 60 * minutes if minutes else math.inf
        return self._next_billing(config, entry.billed), status

    def _next_billing(self, config: Any, after: int) -> float:
        """The first reading after `after` at which local time is what ET13 asks for."""
        local = int(self._clock.local(after))
        wanted = _next_local(config, local)
        if wanted is None:
            return math.inf
        reading = after + wanted - local
        return max(reading - (self._clock.local(reading) - wanted), after + 1)

    # --- state -------------------------------------------------------------------------------

    def _install(self, now: float) -> None:
        """Every device is found and read for the first time."""
        size = self._dims["ET11"].on_demand_request_queue_size
        reading = int(self._clock.reading(now))
        entries = [
            Entry(handle=slot + 1, state=UP, billed=reading, asked=reading)
            for slot in range(len(self._units))
        ]
        absent = [Entry()] * (self._dims["ET11"].number_of_devices - len(entries))
        self.state = BusState((*entries, *absent), (Request(),) * size)
        for slot in range(len(self._units)):
            self._report(now, INSTALLED, STATUS_EVENT, slot << 13 | COMMISSIONED)
            self._read(slot, now, BILLING, powered=True)
        self._keep()

    def _change(self, slot: int, **changes: Any) -> None:
        changed = msgspec.structs.replace(self.state.entries[slot], **changes)
        self._set(entries=_replaced(self.state.entries, slot, changed))

    def _set(self, **changes: Any) -> None:
        self.state = msgspec.structs.replace(self.state, **changes)

    def _keep(self) -> None:
        self._scheduled = None
        self._nvm.put(CELL, msgspec.msgpack.encode(self.state))


def _replaced(items: tuple[T, ...], index: int, item: T) -> tuple[T, ...]:
    return (*items[:index], item, *items[index + 1 :])


def _padded(data: bytes, dims: Dims) -> bytes:
    return data.ljust(dims["ET11"].data_entry_size - HEADER + 1, b"\0")


def _next_local(config: Any, local: int) -> int | None:
    """The next local time (s) of a schedule; None where it is off."""
    minute = 60 * config.billing_read_minute
    if config.billing_read_frequency == HOURLY:
        due: int = local // HOUR * HOUR + minute
        return due if due > local else due + HOUR
    of_day = HOUR * config.billing_read_hour + minute
    for ahead in range(_FARTHEST):
        midnight = local // DAY * DAY + ahead * DAY
        if midnight + of_day > local and _is_day(config, midnight):
            return int(midnight + of_day)
    return None


def _is_day(config: Any, midnight: int) -> bool:
    frequency, wanted = config.billing_read_frequency, config.billing_read_day
    day = moment(midnight)
    if frequency == WEEKLY:
        return bool(wanted == SUNDAY + day.isoweekday() % 7)
    if frequency == MONTHLY:
        return bool(day.day == max(wanted, 1))
    return bool(frequency == DAILY)


__all__ = ["BusState", "Entry", "MBus", "Request"]
