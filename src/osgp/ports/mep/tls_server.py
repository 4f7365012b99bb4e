"""The meter's side of TLS on the MEP port: requests with their code in, responses out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from osgp.errors import SecurityError
from osgp.security.machine import Machine
from osgp.session import Tables, TableServer

from .dialect import TLS_LIMITS, MepServerDialect, PlainServer
from .tls import IDENTITY, RECORD_TYPES, SESSION, Answer, Code, Session, Step, TlsEngine, key_name

RECORD_VERSION: Final = 0x03
RECORD_HEADER: Final = 5


class TlsServer:
    """TLS sessions of one MEP port, one at a time.

    `engine` makes a fresh server side for each handshake. A request that comes twice, byte for
    byte, gets the same response twice and is executed once.
    """

    def __init__(self, tables: Tables, engine: Callable[[], TlsEngine]) -> None:
        self._tables, self._make = tables, engine
        self._machine = Machine(SESSION, Session.DOWN)
        self._engine: TlsEngine | None = None
        self._server: TableServer | None = None
        self._last: tuple[bytes, bytes] | None = None
        self.client: int | None = None

    @property
    def established(self) -> bool:
        return self._machine.state is Session.UP

    def speaks(self, message: bytes) -> bool:
        """Is this a TLS request? An encrypted RC4 request may begin with the same byte."""
        if message[0] == Code.TERMINATE:
            return self.established and len(message) > 1
        types = RECORD_TYPES.get(Code(message[0])) if message[0] in _CODES else None
        if types is None or len(message) < 1 + RECORD_HEADER:
            return False
        return message[1] in types and message[2] == RECORD_VERSION

    def receive(self, message: bytes, now: float) -> bytes:
        """The response to a request that `speaks` TLS."""
        if self._last is not None and self._last[0] == message:
            return self._last[1]
        try:
            response = self._serve(Code(message[0]), message[1:], now)
        except SecurityError:
            self._lose()
            response = bytes((_FAILURES[Code(message[0])],))
        self._last = message, response
        return response

    def _serve(self, code: Code, data: bytes, now: float) -> bytes:
        match code:
            case Code.TERMINATE:
                self._lose()
                return bytes((Answer.SUCCESS,))
            case Code.HANDSHAKE:
                return self._hello(data)
            case Code.HANDSHAKE_CONTINUED:
                return self._continue(data)
            case Code.TABLE:
                return self._table(data, now)

    def _hello(self, data: bytes) -> bytes:
        self._lose()
        self._machine.fire(Step.HELLO)
        self._engine = self._make()
        return bytes((Answer.SUCCESS,)) + self._engine.advance(data)

    def _continue(self, data: bytes) -> bytes:
        if self._engine is None or self._machine.state is not Session.SHAKING:
            return bytes((Answer.NO_SESSION,))
        flight = self._engine.advance(data)
        if self._engine.established:
            self._machine.fire(Step.ESTABLISHED)
            self._admit(self._engine.identity)
        return bytes((Answer.SUCCESS,)) + flight

    def _admit(self, identity: bytes) -> None:
        name = key_name(identity)
        if name is None:
            raise SecurityError
        self.client = IDENTITY.decode(identity).client
        suite = MepServerDialect(PlainServer(name))
        self._server = TableServer(suite, self._tables, limits=TLS_LIMITS, head=b"")

    def _table(self, data: bytes, now: float) -> bytes:
        if self._engine is None or self._server is None or not self.established:
            return bytes((Answer.NO_SESSION,))
        response = self._server.receive(self._engine.open(data), now)
        assert response is not None, "every request inside TLS is answered"
        return bytes((Answer.SUCCESS,)) + self._engine.seal(response)

    def _lose(self) -> None:
        self._machine.fire(Step.LOST)
        self._engine = self._server = self.client = None


_CODES: Final = frozenset(Code)
_FAILURES: Final = {
    Code.TERMINATE: Answer.TLS_ERROR,
    Code.HANDSHAKE: Answer.TLS_ERROR,
    Code.HANDSHAKE_CONTINUED: Answer.INVALID_IDENTITY_OR_KEY,
    Code.TABLE: Answer.TLS_ERROR,
}
"""What a failure says: in the second flight the key is proved, or is not."""
