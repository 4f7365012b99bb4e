"""The asking side of the table services (clause 9): reads, writes, procedures.

`TableClient` knows a port's limits and its security; every method is a conversation (see
`exchange`). Silence is answered by sending the same bytes again, so that a device that did
execute the request repeats its stored response; only then does TransportError reach the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from osgp.errors import (
    EncodeError,
    RemoteProtocolError,
    SecurityError,
    ServiceError,
    TransportError,
)
from osgp.security.suite import ClientSecurity
from osgp.spec.services import (
    PLC_LIMITS,
    READ_RESPONSE,
    REQUESTS,
    Command,
    FullReadRequest,
    FullWriteRequest,
    Limits,
    PartialReadRequest,
    PartialWriteRequest,
    ResponseCode,
)
from osgp.wire import Record

from .exchange import Exchange, Send
from .states import CLIENT, Event, Machine, State

REPEATS = 2
"""How often a request that nobody answered is sent again, byte for byte."""

WRITE_STEP = 8
"""Bytes by which a write gets shorter where the way has no room for it."""

MESSAGE_CODE = b"\x00"
"""EN 14908-1 message code of clause 9 messages on PLC."""


class Statistics:
    """What a session's talking cost."""

    __slots__ = ("failures", "repeats", "requests", "resyncs", "unverified")

    def __init__(self) -> None:
        self.requests = self.repeats = self.resyncs = self.unverified = self.failures = 0


class TableClient:
    """Reads and writes one device's tables.

    `persist` is called with the security state whenever it must survive a power cut, before
    anything is sent. `head` is what the port puts in front of a request. `mep_port`: 1 or 2, where
    this is a MEP port.
    """

    mep_port: int | None = None

    def __init__(
        self,
        security: ClientSecurity,
        *,
        limits: Limits = PLC_LIMITS,
        persist: Callable[[bytes], None] | None = None,
        head: bytes = MESSAGE_CODE,
        repeats: int = REPEATS,
    ) -> None:
        self.limits, self.statistics = limits, Statistics()
        self._security, self._persist, self._head = security, persist, head
        self._repeats = repeats

    def read(self, table: int, offset: int, count: int) -> Exchange[bytes]:
        """`count` bytes of a table from `offset`, in as many requests as the port needs.

        Raises ServiceError (the device refuses), SecurityError, RemoteProtocolError (fewer bytes
        than asked for), TransportError (silence).
        """
        parts = []
        for start, size in _chunks(offset, count, self.limits.read, self.limits.step):
            parts.append((yield from self._read_chunk(table, start, size)))
        return b"".join(parts)

    def read_whole(self, table: int) -> Exchange[bytes]:
        """A table in one full read. Raises as `read`; OperationNotPossible where it is too long."""
        request = FullReadRequest(Command.FULL_READ, table)
        response = yield from self._request(request)
        return READ_RESPONSE.decode(response).data

    def write(self, table: int, data: bytes, offset: int = 0) -> Exchange[None]:
        """Writes `data` at `offset`, in as many requests as the port and the way to it need.

        A long chain of repeaters leaves less room than the port; which chain a request takes is
        known only when it is sent. Raises as `read`, and EncodeError where there is no room at all.
        """
        done, size = 0, self.limits.write
        while done < len(data):
            chunk, start = data[done : done + size], offset + done
            try:
                yield from self._request(
                    PartialWriteRequest(Command.PARTIAL_WRITE, table, start, len(chunk), chunk)
                )
            except EncodeError:
                size = min(size, len(chunk)) - WRITE_STEP
                if size <= 0:
                    raise
            else:
                done += len(chunk)

    def write_whole(self, table: int, data: bytes) -> Exchange[None]:
        """Writes a whole table in one request; procedures need this. Raises as `read`."""
        yield from self._request(FullWriteRequest(Command.FULL_WRITE, table, len(data), data))

    def _read_chunk(self, table: int, offset: int, count: int) -> Exchange[bytes]:
        request = PartialReadRequest(Command.PARTIAL_READ, table, offset, count)
        response = yield from self._request(request)
        data = READ_RESPONSE.decode(response).data
        if len(data) != count:
            raise RemoteProtocolError(f"{count} bytes asked for, {len(data)} received")
        return data

    def _request(self, request: Record) -> Exchange[bytes]:
        """One request and its response: the verified response from its code on.

        Raises the ServiceError of any code other than OK.
        """
        layout = REQUESTS[request.command]  # type: ignore[attr-defined]  # every request has it
        apdu = self._head + layout.encode(request)
        response = yield from self._exchange(apdu)
        code = response[0]
        if code != ResponseCode.OK:
            raise ServiceError.from_code(code)
        return response

    def _exchange(self, apdu: bytes) -> Exchange[bytes]:
        """Asks, and asks again once if the device expected another sequence number."""
        machine = Machine(CLIENT)
        while True:
            self.statistics.requests += 1
            machine.fire(Event.ASK)
            response = yield from self._answered(self._seal(apdu), machine)
            resync = response[0] == ResponseCode.SEQUENCE_NUMBER_ERROR
            state = machine.fire(Event.OUT_OF_SEQUENCE if resync else Event.ANSWER)
            if state is State.IDLE:
                return response
            self.statistics.resyncs += 1

    def _seal(self, apdu: bytes) -> bytes:
        sealed = self._security.seal_request(apdu)
        if self._security.must_persist and self._persist is not None:
            self._persist(self._security.export_state())
        return sealed

    def _answered(self, sealed: bytes, machine: Machine) -> Exchange[bytes]:
        """The verified response to `sealed`, which is sent again after silence."""
        for attempt in range(self._repeats + 1):
            try:
                response = yield Send(sealed)
                return self._verified(sealed, response)
            except TransportError as error:
                if attempt == self._repeats or not error.retryable:
                    self.statistics.failures += 1
                    machine.fire(Event.NO_ANSWER)
                    raise
                self.statistics.repeats += 1
            except SecurityError:
                self.statistics.unverified += 1
                machine.fire(Event.UNVERIFIED)
                raise
        raise AssertionError("unreachable")

    def _verified(self, sealed: bytes, response: bytes) -> bytes:
        plain = self._security.open_response(sealed, response)
        body = plain[len(self._head) :]
        if not body:
            raise RemoteProtocolError("an empty response")
        return body


def _chunks(
    offset: int, count: int, limit: int, step: int | None = None
) -> Iterator[tuple[int, int]]:
    """(offset, size) of the pieces that the port's buffer allows, `step` each but for the last."""
    end = offset + count
    while offset < end:
        left = end - offset
        size = left if left <= limit else step or limit
        yield offset, size
        offset += size
