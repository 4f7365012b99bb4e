"""The answering side of the table services (clause 9).

`TableServer` opens a request, checks it against port limits, hands it to the device's tables and
seals the response. Tables answer with bytes or raise ServiceError; any other outcome of a request
is a refusal that says no more than its code.

Before a request is executed, the number that it used up is in non-volatile memory: a power cut in
between loses the request, and nobody can have it executed by playing it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from osgp.errors import (
    DecodeError,
    OperationNotPossible,
    ServiceError,
    ServiceNotSupported,
)
from osgp.security.suite import OpenedRequest, Outcome, ServerSecurity
from osgp.spec.services import (
    PLC_LIMITS,
    READ_RESPONSE,
    REQUESTS,
    WRITE_RESPONSE,
    Command,
    FullReadRequest,
    FullWriteRequest,
    Limits,
    PartialReadRequest,
    PartialWriteRequest,
    ReadResponse,
    ResponseCode,
    WriteResponse,
)
from osgp.wire import Record

from .states import SERVER, Event, Machine


class Tables(Protocol):
    """A device's tables as its ports see them. `key` names the key that opened the request.

    `read` with `count` None gives the whole table. Both raise ServiceError.
    """

    def read(self, table: int, offset: int, count: int | None, key: str, now: float) -> bytes: ...

    def write(self, table: int, offset: int | None, data: bytes, key: str, now: float) -> None: ...


Service = Callable[[bytes, str, float], bytes]
"""A service beside the tables: what follows its code, the key that opened it, `now`; its response.

It may raise ServiceError.
"""


class TableServer:
    """One port of a device: sealed requests in, sealed responses out.

    `keep` writes `security.export_state()` to non-volatile memory; it is called before a request is
    executed, whenever the state `must_persist`. None: the caller does not care about power cuts.
    `services`: services beside those of the tables, by code.
    """

    def __init__(
        self,
        security: ServerSecurity,
        tables: Tables,
        *,
        limits: Limits = PLC_LIMITS,
        head: bytes = b"\x00",
        keep: Callable[[], None] | None = None,
        services: Mapping[int, Service] | None = None,
    ) -> None:
        self.security = security
        self._tables, self._limits, self._head, self._keep = tables, limits, head, keep
        self._services = services or {}
        self.outcomes: dict[Outcome, int] = dict.fromkeys(Outcome, 0)

    def receive(self, apdu: bytes, now: float) -> bytes | None:
        """The response to a sealed request; None where the suite keeps silent.

        Sealing counts too: where the state `must_persist` afterwards, the caller writes it before
        it sends the response.
        """
        machine = Machine(SERVER)
        machine.fire(Event.REQUEST)
        opened = self.security.open_request(apdu, now)
        self.outcomes[opened.outcome] += 1
        if self._keep is not None and self.security.must_persist:
            self._keep()
        if opened.outcome is not Outcome.ACCEPTED:
            repeated = opened.outcome is Outcome.REPEATED
            machine.fire(Event.REPEATED if repeated else Event.REFUSED)
            return opened.reply
        machine.fire(Event.ACCEPTED)
        response = self._head + self._execute(opened, now)
        machine.fire(Event.EXECUTED)
        return self.security.seal_response(opened, response)

    def _execute(self, opened: OpenedRequest, now: float) -> bytes:
        body = opened.apdu[len(self._head) :]
        service = self._services.get(body[0]) if body else None
        try:
            if service is not None:
                return service(body[1:], opened.key, now)
            return self._serve(_decoded(body), opened.key, now)
        except ServiceError as refusal:
            return WRITE_RESPONSE.encode(WriteResponse(refusal.response_code))

    def _serve(self, request: Record, key: str, now: float) -> bytes:
        match request:
            case FullReadRequest():
                return self._read(request.table, 0, None, key, now)
            case PartialReadRequest():
                return self._read(request.table, request.offset, request.count, key, now)
            case FullWriteRequest():
                return self._write(request.table, None, request.data, key, now)
            case PartialWriteRequest():
                return self._write(request.table, request.offset, request.data, key, now)
        raise ServiceNotSupported

    def _read(self, table: int, offset: int, count: int | None, key: str, now: float) -> bytes:
        if count is not None and count > self._limits.read:
            raise OperationNotPossible("longer than the port's buffer")
        data = self._tables.read(table, offset, count, key, now)
        if len(data) > self._limits.read:
            raise OperationNotPossible("longer than the port's buffer")
        return READ_RESPONSE.encode(ReadResponse(ResponseCode.OK, len(data), data))

    def _write(self, table: int, offset: int | None, data: bytes, key: str, now: float) -> bytes:
        if len(data) > self._limits.write:
            raise OperationNotPossible("longer than the port's buffer")
        self._tables.write(table, offset, data, key, now)
        return WRITE_RESPONSE.encode(WriteResponse(ResponseCode.OK))


def _decoded(body: bytes) -> Record:
    layout = REQUESTS.get(body[0]) if body else None
    if layout is None:
        raise ServiceNotSupported
    try:
        return layout.decode(body)
    except DecodeError as error:
        raise OperationNotPossible(str(error)) from error


__all__ = ["Command", "Service", "TableServer", "Tables"]
