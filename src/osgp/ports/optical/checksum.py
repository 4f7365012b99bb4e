"""Table services inside an optical session: no digests, but a checksum over table data.

Reads and writes carry one byte more than on other ports: the two's complement of the sum of the
data. Both classes stand where other ports have a security suite, so that `TableClient` and
`TableServer` serve the optical port too. What protects the session is the password of its
security service, and nothing protects the bytes: whoever hears the optical head hears it all.
Source: ANSI C12.18-1996 as public decoders know it.
"""

from __future__ import annotations

from typing import Final

from osgp.errors import LocalProtocolError, RemoteProtocolError
from osgp.security.suite import OpenedRequest, Outcome
from osgp.spec.services import Command, ResponseCode

READS: Final = frozenset({Command.FULL_READ, Command.PARTIAL_READ})
DATA_AT: Final = {Command.FULL_WRITE: 5, Command.PARTIAL_WRITE: 8}
"""Where a write's data begins: command, table, offset (partial), count."""

RESPONSE_DATA_AT: Final = 3
"""Response code and count."""


def checksum(data: bytes) -> int:
    """The two's complement of the sum of `data`, 0..255."""
    return -sum(data) & 0xFF


def _checked(message: bytes, data_at: int) -> bytes | None:
    """The message without its checksum, if count and checksum are right."""
    count = int.from_bytes(message[data_at - 2 : data_at], "big")
    data = message[data_at:-1]
    if len(message) <= data_at or len(data) != count or checksum(data) != message[-1]:
        return None
    return message[:-1]


class ChecksumClient:
    """The asking side; see `osgp.security.suite.ClientSecurity`."""

    must_persist = False

    def export_state(self) -> bytes:
        return b""

    def seal_request(self, apdu: bytes) -> bytes:
        """Writes get their checksum."""
        at = DATA_AT.get(Command(apdu[0]))
        return apdu if at is None else apdu + bytes((checksum(apdu[at:]),))

    def open_response(self, request: bytes, response: bytes) -> bytes:
        """The response without its checksum; RemoteProtocolError if that is wrong."""
        if not response or response[0] != ResponseCode.OK or request[0] not in READS:
            return response
        checked = _checked(response, RESPONSE_DATA_AT)
        if checked is None:
            raise RemoteProtocolError("a read response with a wrong count or checksum")
        return checked


class ChecksumServer:
    """The device's side; `key` names the key that the session presented."""

    must_persist = False

    def __init__(self, key: str) -> None:
        self.key = key

    def export_state(self) -> bytes:
        return b""

    def open_request(self, message: bytes, now: float = 0.0) -> OpenedRequest:
        """Writes with a wrong count or checksum are answered with 01, error."""
        at = DATA_AT.get(Command(message[0]))
        apdu = message if at is None else _checked(message, at)
        if apdu is None:
            return OpenedRequest(Outcome.BAD_DIGEST, reply=bytes((ResponseCode.ERROR,)))
        return OpenedRequest(Outcome.ACCEPTED, apdu, key=self.key)

    def seal_response(self, opened: OpenedRequest, body: bytes) -> bytes:
        if not opened.apdu:
            raise LocalProtocolError("only an accepted request has a response")
        if opened.apdu[0] not in READS or body[0] != ResponseCode.OK:
            return body
        return body + bytes((checksum(body[RESPONSE_DATA_AT:]),))
