"""The asking side of TLS on the MEP port: a port over a `MepPort`.

It shakes hands when the first request needs a session, and again when the meter has lost it. A
request that may have been executed is only repeated if it reads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from osgp.errors import OsgpError, RemoteProtocolError, SecurityError, TransportError
from osgp.ports.events import Answered, Failed, PortEvent
from osgp.security.machine import Machine
from osgp.spec.services import Command

from .client import MepPort
from .frame import MAX_MESSAGE
from .tls import SESSION, TERMINATE, Answer, Code, Session, Step, TlsEngine

REPEATS: Final = 2
"""How often the same bytes are sent again after silence."""

HANDSHAKES: Final = 3
"""Sessions begun for one request: the line may spoil a handshake, or a session's records."""

MAX_FLIGHTS: Final = 3
"""Answers in one handshake; the meter needs two."""

READS: Final = frozenset({Command.FULL_READ, Command.PARTIAL_READ})


class TlsPort:
    """A client's MEP port with TLS; `engine` makes a fresh client side for each handshake.

    Requests are table requests without any digest. The request `TERMINATE` ends the session.
    """

    def __init__(self, port: MepPort, engine: Callable[[], TlsEngine]) -> None:
        self._port, self._make = port, engine
        self._engine: TlsEngine | None = None
        self._machine = Machine(SESSION, Session.DOWN)
        self._events: deque[PortEvent] = deque()
        self._request: bytes | None = None
        self._sent = b""
        self._repeats = self._handshakes = self._flights = 0

    @property
    def established(self) -> bool:
        return self._machine.state is Session.UP

    def request(self, message: bytes, now: float) -> None:
        """Asks inside the session; ends with Answered or Failed."""
        self._request, self._handshakes = message, 0
        self._proceed(now)

    def receive(self, data: bytes, now: float) -> None:
        self._port.receive(data, now)
        self._digest(now)

    def data_to_send(self, now: float) -> bytes:
        return self._port.data_to_send(now)

    def next_timer(self) -> float | None:
        return self._port.next_timer()

    def handle_timer(self, now: float) -> None:
        self._port.handle_timer(now)
        self._digest(now)

    def next_event(self) -> PortEvent | None:
        return self._events.popleft() if self._events else None

    def _proceed(self, now: float) -> None:
        """Sends the request, or shakes hands first."""
        assert self._request is not None
        if self._request == TERMINATE:
            self._send(TERMINATE, now)
        elif self._engine is not None and self.established:
            record = self._engine.seal(self._request)
            self._send(bytes((Code.TABLE,)) + record, now)
        else:
            self._shake(now)

    def _shake(self, now: float) -> None:
        self._handshakes += 1
        self._flights = 0
        self._machine.fire(Step.HELLO)
        self._engine = self._make()
        self._send(bytes((Code.HANDSHAKE,)) + self._engine.advance(b""), now)

    def _send(self, message: bytes, now: float) -> None:
        if len(message) > MAX_MESSAGE:
            self._fail(RemoteProtocolError("a handshake message longer than the port carries"))
            return
        self._sent, self._repeats = message, 0
        self._port.request(message, now)

    def _digest(self, now: float) -> None:
        while (event := self._port.next_event()) is not None:
            match event:
                case Answered(message):
                    self._answer(message, now)
                case Failed(error):
                    self._silence(error, now)
                case _:
                    self._events.append(event)

    def _silence(self, error: OsgpError, now: float) -> None:
        if self._repeats < REPEATS:
            self._repeats += 1
            self._port.request(self._sent, now)
        else:
            self._fail(error)

    def _answer(self, message: bytes, now: float) -> None:
        code, data = message[0], message[1:]
        try:
            if self._request == TERMINATE:
                self._done(message[:1], Step.LOST)
            elif code == Answer.INVALID_IDENTITY_OR_KEY and not data:
                raise SecurityError("the meter refuses the client id or the key")
            elif self.established:
                self._table(code, data, now)
            else:
                self._handshake(code, data, now)
        except SecurityError as error:
            self._fail(error)

    def _handshake(self, code: int, data: bytes, now: float) -> None:
        self._flights += 1
        try:
            if code != Answer.SUCCESS or not data or self._flights > MAX_FLIGHTS:
                raise SecurityError("the meter broke the TLS handshake off")
            assert self._engine is not None
            flight = self._engine.advance(data)
        except SecurityError as error:
            self._again(error, now, executed=False)
            return
        if flight and not self._engine.established:
            self._send(bytes((Code.HANDSHAKE_CONTINUED,)) + flight, now)
        elif self._engine.established:
            self._machine.fire(Step.ESTABLISHED)
            self._proceed(now)
        else:
            raise SecurityError("the meter answers the TLS handshake with nothing")

    def _table(self, code: int, data: bytes, now: float) -> None:
        assert self._engine is not None
        if code in (Answer.NO_SESSION, Answer.TLS_ERROR) and not data:
            self._again(SecurityError("the meter has no TLS session"), now, executed=False)
            return
        if code != Answer.SUCCESS:
            self._fail(RemoteProtocolError(f"code {code:02X} outside of TLS"))
            return
        try:
            plain = self._engine.open(data)
        except SecurityError as error:
            self._again(error, now, executed=True)
            return
        self._done(plain, None)

    def _again(self, error: OsgpError, now: float, *, executed: bool) -> None:
        """A new session for the same request, a few times."""
        assert self._request is not None
        self._machine.fire(Step.LOST)
        repeatable = not executed or self._request[0] in READS
        if self._handshakes >= HANDSHAKES or not repeatable:
            self._fail(error)
        else:
            self._shake(now)

    def _done(self, message: bytes, step: Step | None) -> None:
        if step is not None:
            self._machine.fire(step)
        self._request = None
        self._events.append(Answered(message))

    def _fail(self, error: OsgpError) -> None:
        """No answer; what the session is worth after silence or an error is not known."""
        self._machine.fire(Step.LOST)
        self._engine, self._request = None, None
        if isinstance(error, TransportError):
            error.retryable = False
        self._events.append(Failed(error))
