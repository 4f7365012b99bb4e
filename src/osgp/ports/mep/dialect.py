"""How table services differ on the MEP port, as layers around a security suite.

- A full read carries a length, as all requests do (MEP guide v1.1, table 2.6); without one the
  meter reads something indeterminate.
- Nothing but the digest shows that a message was damaged on the line: a response that cannot be
  verified, and a refusal (0B), may be noise. The same bytes are sent again; only the last attempt
  ends with SecurityError.
- Inside TLS there are no digests and no sequence numbers.
"""

from __future__ import annotations

from typing import Final

import msgspec

from osgp.errors import LocalProtocolError, SecurityError, TransportError
from osgp.security.suite import ClientSecurity, OpenedRequest, Outcome, ServerSecurity
from osgp.session.client import REPEATS
from osgp.spec.services import Command, Limits, ResponseCode

from .frame import MAX_MESSAGE

FULL_READ_SIZE: Final = 3
"""Command and table; on this port two bytes of length follow."""

RC4_LIMITS: Final = Limits(read=465, write=456, message=MAX_MESSAGE, step=455)
"""What 476 bytes leave for data next to command, place, sequence number and digest.

A response of 455 bytes fills four segments; longer ones begin a fifth, after another pause.
"""

TLS_LIMITS: Final = Limits(read=440, write=430, message=MAX_MESSAGE, step=433)
"""The same inside a TLS record: 29 bytes of it, and the code in front, are not data."""


class MepDialect:
    """A client's suite on the MEP port; see `osgp.security.suite.ClientSecurity`."""

    def __init__(
        self, suite: ClientSecurity, limits: Limits = RC4_LIMITS, repeats: int = REPEATS
    ) -> None:
        self._suite, self._limits, self._repeats = suite, limits, repeats
        self._unverified = 0

    @property
    def must_persist(self) -> bool:
        return self._suite.must_persist

    def export_state(self) -> bytes:
        return self._suite.export_state()

    def seal_request(self, apdu: bytes) -> bytes:
        self._unverified = 0
        if apdu[0] == Command.FULL_READ and len(apdu) == FULL_READ_SIZE:
            apdu += self._limits.read.to_bytes(2, "big")
        return self._suite.seal_request(apdu)

    def open_response(self, request: bytes, response: bytes) -> bytes:
        """As the suite; TransportError, 'send it again', for the first unverified responses."""
        try:
            return self._suite.open_response(request, response)
        except SecurityError:
            self._unverified += 1
            if self._unverified > self._repeats:
                raise
            raise TransportError("a response that does not verify") from None


class MepServerDialect:
    """A meter's suite on the MEP port; see `osgp.security.suite.ServerSecurity`."""

    def __init__(self, suite: ServerSecurity) -> None:
        self._suite = suite
        self._longest: int | None = None

    @property
    def must_persist(self) -> bool:
        return self._suite.must_persist

    def export_state(self) -> bytes:
        return self._suite.export_state()

    def open_request(self, message: bytes, now: float = 0.0) -> OpenedRequest:
        """A full read is handed on without its length, which is kept for the response."""
        opened = self._suite.open_request(message, now)
        self._longest = None
        if opened.apdu[:1] != bytes((Command.FULL_READ,)) or len(opened.apdu) == FULL_READ_SIZE:
            return opened
        self._longest = int.from_bytes(opened.apdu[FULL_READ_SIZE:][:2], "big")
        return msgspec.structs.replace(opened, apdu=opened.apdu[:FULL_READ_SIZE])

    def seal_response(self, opened: OpenedRequest, body: bytes) -> bytes:
        if self._longest is not None and body[0] == ResponseCode.OK:
            data = body[3 : 3 + self._longest]
            body = body[:1] + len(data).to_bytes(2, "big") + data
        return self._suite.seal_response(opened, body)


class PlainClient:
    """No security of its own: the channel below has it."""

    must_persist = False

    def export_state(self) -> bytes:
        return b""

    def seal_request(self, apdu: bytes) -> bytes:
        return apdu

    def open_response(self, request: bytes, response: bytes) -> bytes:
        return response


class PlainServer:
    """No security of its own; `key` names the key that opened the channel below."""

    must_persist = False

    def __init__(self, key: str) -> None:
        self.key = key

    def export_state(self) -> bytes:
        return b""

    def open_request(self, message: bytes, now: float = 0.0) -> OpenedRequest:
        return OpenedRequest(Outcome.ACCEPTED, message, key=self.key)

    def seal_response(self, opened: OpenedRequest, body: bytes) -> bytes:
        if opened.outcome is not Outcome.ACCEPTED:
            raise LocalProtocolError("only an accepted request has a response")
        return body
