"""The M-Bus side of a virtual meter: which devices it has, when it reads them, what they said.

Billing reads follow ET13 (local time), status reads its interval; requests wait in ET15's queue
until they are carried out. Every scheduled read goes to ET16: this meter has no ET45, which is the
'compatibility' that the MEP guide describes. MEP clients (`osgp.meter.mep`) share schedule, queue
and reads with the devices, in slots of their own. What no source says is `Source.PROJECT`: a device
is asked hourly until ET13 says otherwise, a request takes `TAKES` seconds, a device does nothing
with what is written to it unless it has a valve, control states (ET58) are looked at in billing and
status reads, and a device that was removed stays away.

Times are true time (unix s) or readings of the meter's clock; cells are put, not committed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec

from osgp.errors import DecodeError, InvalidParameter, ProcedureConflict, ProcedureError
from osgp.meter.clockwork import ClockState, Clockwork, ltime, moment
from osgp.meter.dims import declared
from osgp.meter.mbus_schedule import next_billing
from osgp.meter.mbus_settings import DeviceSettings
from osgp.meter.mbus_state import (
    ALARM,
    BILLING,
    BY_INDEX,
    CLIENT_KINDS,
    CLIENT_TAKES,
    CLIENT_UP,
    COLLECTED,
    COMMISSIONED,
    DOWN,
    EVERYBODY,
    FAILED,
    HEADER,
    INSTALLED,
    M_BUS_TYPE,
    MULTICAST,
    NEW_ALARM,
    ON_DEMAND,
    QUEUE_FULL,
    REMOVED,
    SCHEDULED,
    SILENT,
    SINGLE,
    STATUS,
    STATUS_EVENT,
    SUCCESS,
    UP,
    WRITE,
    BusState,
    Entry,
    Request,
)
from osgp.meter.mbus_units import MBusUnit, control_value, switched, telegram
from osgp.meter.nvm import Nvm
from osgp.spec.events import MANUFACTURER_EVENTS
from osgp.spec.tables.mbus import (
    M_BUS_DEVICES,
    BillingRead,
)
from osgp.wire import Dims, bind

CELL: Final = "mbus"
TAKES: Final = 2
"""Seconds until a request has been carried out."""

LOGGED: Final = frozenset({STATUS_EVENT, MANUFACTURER_EVENTS + ALARM})
"""Events that an M-Bus port adds (BT72)."""

T = TypeVar("T")
Report = Callable[[float, int, int, int], None]
"""Gets true time, an alarm, an event, its argument."""


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
        self._report, self.settings = report, DeviceSettings(nvm, dims)
        self.on_change: Callable[[], None] = lambda: None
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
        request = Request(number, device, kind, data=data)
        slots = self._addressed(request)
        if not slots:
            raise ProcedureConflict("no such device")
        of_client = slots[0] >= M_BUS_DEVICES
        if of_client and kind not in CLIENT_KINDS:
            raise InvalidParameter(f"no request of type {kind} for a MEP client")
        takes = CLIENT_TAKES if of_client else TAKES
        request = msgspec.structs.replace(request, due=math.floor(now) + takes)
        index = self.state.write
        if self.state.requests[index].due < math.inf:
            raise ProcedureError("the queue is full", result=QUEUE_FULL)
        requests = _replaced(self.state.requests, index, request)
        self._set(requests=requests, write=(index + 1) % size)
        if kind == MULTICAST:
            self._set(multicast=data)
        self._keep()
        return index

    def remove(self, handle: int, now: float) -> list[int]:
        """Forget a device, or all (EP17); their slots. ProcedureConflict for an unknown handle."""
        slots = self._slots(handle)
        for slot in slots:
            self._set(entries=_replaced(self.state.entries, slot, Entry()))
            self._nvm.put(f"{CELL}/{slot}", b"")
            self._report(now, INSTALLED, STATUS_EVENT, slot << 13 | REMOVED)
        self._drop_requests()
        self._keep()
        return slots

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

    def configure(self, table: str, image: bytes) -> None:
        """Replace a configured table. Raises DecodeError for bytes that say nothing."""
        self.settings.write(table, image)
        self._keep()

    # --- MEP clients, which have the slots from `M_BUS_DEVICES` on ------------------------------

    def register(self, slot: int, handle: int, now: float) -> None:
        """A client is there: it gets its entry."""
        reading = int(self._clock.reading(now))
        entry = Entry(handle=handle, state=CLIENT_UP, billed=reading, asked=reading)
        self._set(entries=_replaced(self.state.entries, slot, entry))
        self._report(now, INSTALLED, STATUS_EVENT, slot << 13 | COMMISSIONED)
        self._keep()

    def alert(self, slot: int, *, add: int = 0, clear: int = 0) -> None:
        """Change a client's alert flags."""
        before = self.state.entries[slot].alerts
        if before != (after := (before | add) & ~clear):
            self._change(slot, alerts=after)
            self._keep()

    def alerts(self, slot: int) -> int:
        """A client's alert flags, as ET13 has them."""
        entry = self.state.entries[slot]
        asked = any(self.state.requests[n].device == entry.handle for n in self.waiting())
        return entry.alerts | (ON_DEMAND if entry.handle and asked else 0)

    def waiting(self) -> list[int]:
        """Indexes of requests that are pending, the oldest first."""
        size = len(self.state.requests)
        order = [(self.state.write + step) % size for step in range(size)]
        return [index for index in order if self.state.requests[index].due < math.inf]

    def deliver(self, slot: int, data: bytes, now: float) -> None:
        """What a client posts, as its newest read (ET16)."""
        local = int(self._clock.local(self._clock.reading(now)))
        entry = self.state.entries[slot]
        self._change(slot, answers=entry.answers + 1)
        self._store(slot, now, local, data)
        self._keep()

    def complain(self, slot: int, alarms: int, now: float) -> None:
        """Alarms that a client posts."""
        self._change(slot, device_alarms=self.state.entries[slot].device_alarms | alarms)
        if alarms:
            self._latch(slot, NEW_ALARM, now)
        self._keep()

    def complete(self, slot: int, number: int) -> None:
        """A client has done the oldest request to clients. Raises ProcedureConflict for others."""
        handle = self.state.entries[slot].handle
        handles = {entry.handle for entry in self.state.entries[M_BUS_DEVICES:]}
        pending = [n for n in self.waiting() if self.state.requests[n].device in handles]
        oldest = self.state.requests[pending[0]] if pending else Request()
        if not pending or (oldest.device, oldest.number) != (handle, number):
            raise ProcedureConflict("not the oldest request in ET15")
        self._finish(pending[0], SUCCESS)
        self._keep()

    # --- what the tables show ----------------------------------------------------------------

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
        if slot >= M_BUS_DEVICES:
            self.alert(slot, add=SCHEDULED)
            return True
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
        body = telegram(unit, now, moment(local), entry.access, entry.switched)
        self._store(slot, now, local, bytes((len(body) + 1,)) + body)

    def _store(self, slot: int, now: float, local: int, data: bytes) -> None:
        """What a device gave, as its newest read (ET16)."""
        read = bind(BillingRead, self._dims).encode(
            declared(
                BillingRead,
                self._dims,
                timestamp=ltime(local),
                data=data.ljust(self._dims["ET11"].data_entry_size - HEADER + 1, b"\0"),
            )
        )
        length = HEADER + len(data)
        self._nvm.put(f"{CELL}/{slot}", read[:length])
        self._change(slot, length=length)
        self._latch(slot, COLLECTED, now)

    def _take_status(self, slot: int, now: float, local: int) -> None:
        entry, status = self.state.entries[slot], self._units[slot].status(now)
        new = status & ~entry.device_alarms
        self._change(slot, status_read=local, device_alarms=entry.device_alarms | status)
        if new:
            self._latch(slot, NEW_ALARM, now)
        self._take_control(slot, now, moment(local))

    def _take_control(self, slot: int, now: float, local: datetime) -> None:
        """ET58: the value of ET34's control data type, where the device gives one."""
        wanted = self.settings.record("ET34").devices[slot].control_mdt
        types = self.settings.record("ET57").entries if wanted else ()
        headers = [one.drh for one in types if (one.entry_type, one.mdt) == (M_BUS_TYPE, wanted)]
        entry = self.state.entries[slot]
        value = control_value(self._units[slot], now, local, entry.switched, headers)
        if value is not None and value != entry.control:
            self._change(slot, control=value)
            self.on_change()

    def _latch(self, slot: int, alarm: int, now: float) -> None:
        """A new alarm bit sets the meter's alarm, and is logged."""
        entry = self.state.entries[slot]
        if not entry.alarms >> alarm & 1:
            self._change(slot, alarms=entry.alarms | 1 << alarm)
            self._report(now, ALARM, MANUFACTURER_EVENTS + ALARM, slot << 13 | alarm)

    # --- requests ----------------------------------------------------------------------------

    def _carry_out(self, index: int, request: Request, now: float) -> None:
        slots = [slot for slot in self._addressed(request) if slot < M_BUS_DEVICES]
        answered = [self._read(slot, now, request.kind, powered=True) for slot in slots]
        for slot in slots:
            self._switch(slot, request)
        self._finish(index, SUCCESS if answered and all(answered) else SILENT)

    def _switch(self, slot: int, request: Request) -> None:
        """A valve does what is written to it."""
        wanted = switched(request.data) if request.kind in (WRITE, BY_INDEX, MULTICAST) else None
        if wanted is not None and slot < len(self._units) and self._units[slot].valve:
            self._change(slot, switched=wanted)

    def _finish(self, index: int, result: int) -> None:
        request = self.state.requests[index]
        done = msgspec.structs.replace(request, result=result, due=math.inf)
        self._set(requests=_replaced(self.state.requests, index, done))
        waiting = self.waiting()
        self._set(read=waiting[0] if waiting else self.state.write)

    def _drop_requests(self) -> None:
        """Those of devices that are gone end without a response."""
        for index in self.waiting():
            if not self._addressed(self.state.requests[index]):
                self._finish(index, SILENT)

    def _addressed(self, request: Request) -> list[int]:
        """Slots that a request concerns."""
        there = [slot for slot, entry in enumerate(self.state.entries) if entry.handle]
        if request.kind not in (BY_INDEX, MULTICAST):
            return [slot for slot in there if self.state.entries[slot].handle == request.device]
        there = [slot for slot in there if slot < M_BUS_DEVICES]
        if request.kind == BY_INDEX:
            return [slot for slot in there if request.device >> slot & 1][:1]
        masks = [one.group_mask for one in self.settings.record("ET34").devices]
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
        config = self.settings.record("ET13").devices[slot]
        minutes = config.status_read_frequency if slot < M_BUS_DEVICES else 0
        status = entry.asked + 60 * minutes if minutes else math.inf
        return next_billing(self._clock, config, entry.billed), status

    # --- state -------------------------------------------------------------------------------

    def _install(self, now: float) -> None:
        """Every device is found and read for the first time."""
        self.settings.watch_valves([slot for slot, unit in enumerate(self._units) if unit.valve])
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


__all__ = ["BusState", "Entry", "MBus", "Request"]
