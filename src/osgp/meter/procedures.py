"""Procedures: from a write of BT07 to the response in BT08.

A procedure number selects its declaration, its right and its handler; each outcome is a BT08 result
code. A sequence number that repeats the last one is refused with response code 04 and executes
nothing (MEP guide, BT07); the number, the result and the effect are one unit of memory, so what was
executed is known even if the answer was lost in a power cut.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import msgspec

from osgp.errors import (
    DecodeError,
    InsufficientSecurityClearance,
    InvalidParameter,
    NoAuthorization,
    OperationNotPossible,
    ProcedureConflict,
    ProcedureError,
    UnrecognizedProcedure,
)
from osgp.meter.clockwork import READINGS, ltime, moment
from osgp.meter.firmware import SETTLING
from osgp.meter.log import NOBODY
from osgp.meter.mbus import MBus
from osgp.meter.parts import INVALID_PASSWORD, PLC_USER, SOFTWARE_CRC, Parts
from osgp.security.profile import Mode
from osgp.spec.declare import EXTENDED, Procedure, ProcedureInfo, procedures
from osgp.spec.procedures.basic import (
    ClockChange,
    ResetListPointers,
    SetDateAndTime,
    UpdateLastReadEntry,
)
from osgp.spec.procedures.clock import ChangeSystemClockByDelta
from osgp.spec.procedures.device import (
    ClearAlarms,
    DownloadCodePacket,
    EraseCodeMemory,
    SwitchCodeBank,
)
from osgp.spec.procedures.mep import (
    ClearMepAlarm,
    PostedRequest,
    PostOnDemandRequest,
    RemoveMepDevice,
)
from osgp.spec.tables.general import ProcedureInitiate, ProcedureResponse
from osgp.spec.tables.hardware import BankState
from osgp.wire import NO_DIMS, Dims, Record, bind

CELL: Final = "procedure"
COMPLETED: Final = 0
_SECONDS: Final = 60
_DAY: Final = 86_400
C12_EPOCH: Final = 946_684_800
"""2000-01-01 UTC, from which procedures count seconds."""

USERS: Final = {"OMAK": PLC_USER, "AES": PLC_USER, "MAK": 0xFFFD, "MBK": 0xFFFD}
"""User ids by key (`osgp.spec.codes.USERS`)."""

FIRST_SET, LAST_SET, ALL_SETS, HISTORY_LOG, EVERYTHING = 3, 6, 7, 8, 255
"""Lists as BP04 and BP05 number them (`osgp.spec.procedures.basic.LISTS`)."""

ON_COMPLETION, ON_EXCEPTION, AT_ONCE = 0, 1, 3
"""Response handling (`osgp.spec.codes.RESPONSE_HANDLING`); 2 posts no response."""

POWER_FAILURE_BIT: Final = 11
"""Bit of BT03's standard status."""


class Call(msgspec.Struct, frozen=True):
    """One execution: the parameters, the caller's user id, true time, the caller's key."""

    parameters: Any
    user: int
    now: float
    key: str = ""


Handler = Callable[[Parts, Call], Record | None]


class Last(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sequence number last executed (None: none yet), and the image of BT08."""

    sequence: int | None = None
    response: bytes = bytes(4)


# --- handlers --------------------------------------------------------------------------------


def _reset_list_pointers(parts: Parts, call: Call) -> None:
    parameters: ResetListPointers = call.parameters
    for listed in _lists(parts, parameters.list):
        listed.reset_pointers()


def _update_last_read_entry(parts: Parts, call: Call) -> None:
    parameters: UpdateLastReadEntry = call.parameters
    lists = _lists(parts, parameters.list)
    if any(parameters.entries_read > listed.state.unread for listed in lists):
        raise InvalidParameter("more entries than are unread")
    for listed in lists:
        listed.update_last_read(parameters.entries_read)


def _lists(parts: Parts, number: int) -> list[Any]:
    """The recorders and logs that a list number names. Raises InvalidParameter."""
    if FIRST_SET <= number <= LAST_SET and number - FIRST_SET < len(parts.recorders):
        return [parts.recorders[number - FIRST_SET]]
    named: dict[int, list[Any]] = {
        ALL_SETS: [*parts.recorders],
        HISTORY_LOG: [parts.log],
        EVERYTHING: [*parts.recorders, parts.log],
    }
    if number not in named:
        raise InvalidParameter(f"no list {number}")
    return named[number]


def _set_date_and_time(parts: Parts, call: Call) -> Record:
    before = parts.clock.reading(call.now)
    after = _wanted(parts, call.parameters, before)
    _change_clock(parts, call, after)
    return ClockChange(ltime(before), ltime(after))


def _wanted(parts: Parts, asked: SetDateAndTime, before: float) -> float:
    """The reading asked for; parts that are not to be taken stay. Raises InvalidParameter."""
    try:
        given = asked.date_time.to_datetime()
    except DecodeError as error:
        raise InvalidParameter(str(error)) from error
    if asked.set_date and asked.set_time:
        return given.timestamp()
    if not asked.set_date and not asked.set_time:
        return before
    day, time = (given, moment(before)) if asked.set_date else (moment(before), given)
    midnight = day.timestamp() // _DAY * _DAY
    return midnight + time.hour * 3600 + time.minute * _SECONDS + time.second


def _change_by_delta(parts: Parts, call: Call) -> None:
    """At once, where a real meter may slew: `Source.PROJECT`."""
    parameters: ChangeSystemClockByDelta = call.parameters
    _change_clock(parts, call, parts.clock.reading(call.now) + parameters.delta)


def _change_clock(parts: Parts, call: Call, reading: float) -> None:
    if int(reading) not in READINGS:
        raise InvalidParameter("a clock cannot show that")
    parts.set_clock(call.now, reading, call.user)


def _clear_alarms(parts: Parts, call: Call) -> None:
    """Alarms that last as long as their cause, such as unread entries, cannot be cleared."""
    parameters: ClearAlarms = call.parameters
    parts.clear_alarms(
        power_failure=POWER_FAILURE_BIT in parameters.standard_status,
        alarms=parameters.manufacturer_alarms,
    )


def _erase_code_memory(parts: Parts, call: Call) -> None:
    parameters: EraseCodeMemory = call.parameters
    parts.firmware.erase(
        parameters.bank, parameters.image_length, parameters.packet_size, parameters.image_crc
    )


def _download_code_packet(parts: Parts, call: Call) -> None:
    parameters: DownloadCodePacket = call.parameters
    parts.firmware.store(parameters.bank, parameters.packet_number, parameters.data)


def _switch_code_bank(parts: Parts, call: Call) -> None:
    """A refused image is an event: 72 for its MAC, 77 for its CRC (`osgp.meter.firmware`)."""
    parameters: SwitchCodeBank = call.parameters
    proven = parts.link.security(call.now).mode == Mode.AES
    start = parts.link.image_check if proven else None
    try:
        parts.firmware.verify(parameters.bank, start, parameters.image_mac)
    except NoAuthorization:
        parts.raise_alarm(INVALID_PASSWORD, call.now)
        raise
    except ProcedureConflict:
        if parts.firmware.loading.state is BankState.BAD:
            parts.raise_alarm(SOFTWARE_CRC, call.now)
        raise
    at_once = int(parts.clock.reading(call.now)) + SETTLING
    wanted = parameters.switch_time + C12_EPOCH if parameters.switch_time else at_once
    parts.firmware.schedule(wanted, parts.clock)


def _bus(parts: Parts) -> MBus:
    assert parts.m_bus is not None
    return parts.m_bus


def _remove_device(parts: Parts, call: Call) -> None:
    """The address that a removed device gets tells nothing here: it stays away."""
    parameters: RemoveMepDevice = call.parameters
    own = None if parts.mep is None else parts.mep.calling_handle
    if call.key == "MBK" and parameters.device_handle != own:
        raise NoAuthorization("this key removes its own MEP client only")
    if parameters.action not in (0, 1):
        raise InvalidParameter(f"no action {parameters.action}")
    slots = _bus(parts).remove(parameters.device_handle, call.now)
    if parts.mep is not None:
        parts.mep.removed(slots)


def _clear_device_alarms(parts: Parts, call: Call) -> None:
    parameters: ClearMepAlarm = call.parameters
    handle, alarms = parameters.device_handle, parameters.mep_alarms
    _bus(parts).clear(handle, alarms, parameters.device_alarms)


def _post_request(parts: Parts, call: Call) -> Record:
    parameters: PostOnDemandRequest = call.parameters
    data = parameters.write_data or b""
    number, device, kind = (
        parameters.transaction_number,
        parameters.device,
        parameters.request_type,
    )
    return PostedRequest(_bus(parts).post(number, device, kind, data, call.now))


def _post_mep_data(parts: Parts, call: Call) -> None:
    assert parts.mep is not None
    parts.mep.post(call.parameters, call.now)


HANDLERS: Final[dict[int, Handler]] = {
    4: _reset_list_pointers,
    5: _update_last_read_entry,
    10: _set_date_and_time,
    EXTENDED + 3: _clear_alarms,
    EXTENDED + 8: _erase_code_memory,
    EXTENDED + 9: _download_code_packet,
    EXTENDED + 10: _switch_code_bank,
    EXTENDED + 16: _change_by_delta,
}
"""Procedures that every meter has, by number."""

M_BUS_HANDLERS: Final[dict[int, Handler]] = {
    EXTENDED + 17: _remove_device,
    EXTENDED + 18: _clear_device_alarms,
    EXTENDED + 19: _post_request,
}
"""Those that a meter with an M-Bus port has besides."""

MEP_HANDLERS: Final[dict[int, Handler]] = {EXTENDED + 39: _post_mep_data}
"""Those that a meter with MEP ports has besides."""

_ALL: Final = HANDLERS | M_BUS_HANDLERS | MEP_HANDLERS


# --- dispatch --------------------------------------------------------------------------------


class Procedures:
    """The window BT07 / BT08 of one meter. Cells are put, not committed."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._last = _stored(parts)

    @property
    def response(self) -> bytes:
        """The image of BT08."""
        return self._last.response

    def initiate(self, request: ProcedureInitiate, key: str, now: float) -> None:
        """Execute a write of BT07. Raises OperationNotPossible for a repeated number."""
        if request.sequence_number == self._last.sequence:
            raise OperationNotPossible("the sequence number of the procedure before")
        result, data = self._execute(request, key, now)
        response = ProcedureResponse.make(
            procedure_number=request.procedure_number,
            extended=request.extended,
            sequence_number=request.sequence_number,
            result_code=result,
            response_data=data,
        )
        posted = request.response_handling in _POSTED[result == COMPLETED]
        image = _RESPONSE.encode(response) if posted else self._last.response
        self._last = Last(request.sequence_number, image)
        self._parts.nvm.put(CELL, msgspec.msgpack.encode(self._last))

    def _execute(self, request: ProcedureInitiate, key: str, now: float) -> tuple[int, bytes]:
        try:
            return COMPLETED, self._run(request, key, now)
        except ProcedureError as error:
            return error.result_code, b""

    def _run(self, request: ProcedureInitiate, key: str, now: float) -> bytes:
        handler = _ALL.get(request.procedure)
        if handler is None or request.procedure in self._absent():
            raise UnrecognizedProcedure
        declaration = procedures[request.procedure]
        self._check(declaration.info, key)
        parameters = self._parameters(declaration, request.parameters, now)
        answer = handler(self._parts, Call(parameters, USERS.get(key, NOBODY), now, key))
        return b"" if answer is None else bind(type(answer), NO_DIMS).encode(answer)

    def _absent(self) -> set[int]:
        """Procedures for which this meter lacks the port."""
        absent = set(M_BUS_HANDLERS) if self._parts.m_bus is None else set()
        return absent | (set(MEP_HANDLERS) if self._parts.mep is None else set())

    def _check(self, procedure: ProcedureInfo, key: str) -> None:
        """The hardware lock refuses the write of BT07 (MEP guide), a key's rights the procedure."""
        access = self._parts.access
        try:
            access.check_call(procedure, key)
        except InsufficientSecurityClearance:
            if access.holds_call(procedure):
                raise
            raise NoAuthorization from None

    def _parameters(self, declaration: type[Procedure], given: bytes, now: float) -> Record:
        """Two procedures have another layout in another security mode."""
        mode = self._parts.link.security(now).mode
        try:
            return declaration.bind(_in_mode(self._parts.dims, mode)).decode(given)
        except DecodeError as error:
            raise InvalidParameter(str(error)) from error


@lru_cache(maxsize=64)
def _in_mode(dims: Dims, mode: int) -> Dims:
    return dims.with_table("ET04", {"security_mode": mode}) if mode else dims


_RESPONSE: Final = ProcedureResponse.bind()
_POSTED: Final = {
    True: {ON_COMPLETION, AT_ONCE},
    False: {ON_COMPLETION, ON_EXCEPTION, AT_ONCE},
}
"""Response handlings that post an answer, by success."""


def _stored(parts: Parts) -> Last:
    stored = parts.nvm.get(CELL)
    if stored is None:
        return Last()
    try:
        return msgspec.msgpack.decode(stored, type=Last)
    except msgspec.MsgspecError as error:
        raise DecodeError(f"no saved procedure: {error}") from error
