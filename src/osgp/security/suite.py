"""The session's view of security: one API for both suites, pure, bytes in and bytes out.

Client (concentrator, reader)::

    sealed = client.seal_request(apdu)            # apdu without sequence number and digest
    body = client.open_response(sealed, answer)   # answer without its digest; SecurityError if bad

* `apdu` starts with the EN 14908-1 message code on PLC (``00 30 0003``), with the command on MEP.
* Send `sealed` again, byte for byte, to repeat a request; seal anew only for a new request.
* If the authenticated `body` carries response code 0C, the client has already taken over the
  number in it: seal the same apdu again, once.
* An answer that cannot be verified raises SecurityError and carries nothing.

Server (device)::

    opened = server.open_request(message, now)
    if opened.reply is not None:                  # refused (0B, 0C) or repeated: nothing to execute
        send(opened.reply)
    elif opened.outcome is Outcome.ACCEPTED:
        send(server.seal_response(opened, body))  # body without digest
    # any other outcome without a reply: stay silent

`opened.apdu` is the request without sequence number and digest, `opened.key` names the key that
opened it ('OMAK', 'MAK', 'MBK', 'AES'), for access control.  A repeated request (the same bytes)
is answered from the stored response and never executed again.

Both sides: whenever `must_persist` is true, write `export_state()` to non-volatile memory before
sending anything, and on a device before executing what was opened; it is true at the start already,
so write once before the first message.  After a power cut give these bytes to `restore=`.
"""

from __future__ import annotations

import hmac
from enum import Enum
from typing import Final, Protocol

import msgspec

from osgp.errors import LocalProtocolError, SecurityError
from osgp.security.oma import DIGEST_SIZE
from osgp.security.omak import Asked, LegacyKey, Scope
from osgp.security.secret import KeyLike
from osgp.security.sequence import SEQUENCE_SIZE, SequenceCounter, SequenceWindow

DIGEST_ERROR: Final = 0x0B
SEQUENCE_ERROR: Final = 0x0C
OVERHEAD: Final = SEQUENCE_SIZE + DIGEST_SIZE
"""Bytes that sealing adds to a request in either suite; to a response it adds 8 (clause 9.3)."""


class Outcome(Enum):
    """What opening a request came to."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    BAD_DIGEST = "bad digest"
    BAD_SEQUENCE = "bad sequence number"
    LOCKED_OUT = "locked out"
    KEY_EXHAUSTED = "key exhausted"
    HANDLED = "handled by the suite"


class OpenedRequest(msgspec.Struct, frozen=True, gc=False):
    """An opened request, or the ready reply to one that must not be executed.

    `sealed` and `asked` are the suite's own, for `seal_response`.
    """

    outcome: Outcome
    apdu: bytes = b""
    sequence: int = 0
    key: str = ""
    reply: bytes | None = None
    sealed: bytes = b""
    asked: Asked | None = None


class ClientSecurity(Protocol):
    """The initiating side of either suite; see the module's docstring."""

    @property
    def must_persist(self) -> bool: ...
    def export_state(self) -> bytes: ...
    def seal_request(self, apdu: bytes) -> bytes: ...
    def open_response(self, request: bytes, response: bytes) -> bytes: ...


class ServerSecurity(Protocol):
    """The device's side of either suite; see the module's docstring."""

    @property
    def must_persist(self) -> bool: ...
    def export_state(self) -> bytes: ...
    def open_request(self, message: bytes, now: float = 0.0) -> OpenedRequest: ...
    def seal_response(self, opened: OpenedRequest, body: bytes) -> bytes: ...


class OmaClient:
    """The OMAK/RC4 suite, initiating side.

    `key`: the device's OMAK (with a PlcScope) or MAK / MBK (with a MepScope).  `last`: the number
    last sent, if known; the device corrects it otherwise.  `encrypt`: RC4 on every request.
    """

    def __init__(
        self,
        key: KeyLike,
        scope: Scope,
        *,
        last: int = 0,
        encrypt: bool = False,
        restore: bytes | None = None,
    ) -> None:
        self._key = _legacy_key(key, scope, "")
        self.scope = scope
        self.encrypt = encrypt
        self._counter = (
            SequenceCounter(last) if restore is None else SequenceCounter.restore(restore)
        )
        self._sent: tuple[bytes, Asked] | None = None

    @property
    def last(self) -> int:
        """The number last sent."""
        return self._counter.last

    @property
    def must_persist(self) -> bool:
        return self._counter.must_persist

    def export_state(self) -> bytes:
        """Four bytes; see `osgp.security.sequence`."""
        return self._counter.export()

    def seal_request(self, apdu: bytes) -> bytes:
        """`apdu` ‖ sequence number ‖ digest, encrypted if the client encrypts."""
        body = apdu + self._counter.take().to_bytes(SEQUENCE_SIZE, "big")
        asked = Asked(body, self._key.oma.digest(self.scope.request_input(body)), self.encrypt)
        if self.encrypt:
            body = self.scope.conceal_request(self._key, body, asked.digest)
        self._sent = body + asked.digest, asked
        return self._sent[0]

    def open_response(self, request: bytes, response: bytes) -> bytes:
        """The plain `response` to the sealed `request`, without digest; else SecurityError."""
        if response == self.scope.head + bytes((DIGEST_ERROR,)):
            raise SecurityError("the device refused the digest: another key, or a damaged message")
        body = self._open(self._asked(request), response)
        self._follow(body)
        return body

    def _asked(self, request: bytes) -> Asked:
        if self._sent is not None and self._sent[0] == request:
            return self._sent[1]
        asked = _verified(self._key, self.scope, request)
        if asked is None:
            raise LocalProtocolError("this is no request that this client sealed")
        return asked

    def _open(self, asked: Asked, response: bytes) -> bytes:
        body, digest = response[:-DIGEST_SIZE], response[-DIGEST_SIZE:]
        if len(body) <= len(self.scope.head):
            raise SecurityError
        if asked.encrypted:
            body = self.scope.reveal_response(self._key, body, digest, asked)
        if not self._key.verifies(self.scope.response_input(asked.body, body), digest):
            raise SecurityError
        return body

    def _follow(self, body: bytes) -> None:
        at = len(self.scope.head)
        if body[at] == SEQUENCE_ERROR and len(body) == at + 1 + SEQUENCE_SIZE:
            self._counter.resynchronise(int.from_bytes(body[at + 1 :], "big"))


class OmaServer:
    """The OMAK/RC4 suite, device's side.

    `keys`: one OMAK, or MEP keys by name in the order in which they are tried (MAK before MBK).
    `scope` may be replaced when the device's address changes.  `last` is ET04.0 (PLC) or ET04.103
    (MEP), the number last accepted.
    """

    def __init__(
        self,
        keys: KeyLike | dict[str, KeyLike],
        scope: Scope,
        *,
        last: int = 0,
        restore: bytes | None = None,
    ) -> None:
        named = keys if isinstance(keys, dict) else {"OMAK": keys}
        self._keys = tuple(_legacy_key(key, scope, name) for name, key in named.items())
        self.scope = scope
        self._window = SequenceWindow(last) if restore is None else SequenceWindow.restore(restore)
        self._answered: tuple[bytes, bytes | None] | None = None

    @property
    def last(self) -> int:
        """The number last accepted."""
        return self._window.last

    @property
    def must_persist(self) -> bool:
        return self._window.must_persist

    def export_state(self) -> bytes:
        """Four bytes; see `osgp.security.sequence`."""
        return self._window.export()

    def skip(self, count: int) -> None:
        """Move on by `count` numbers, which the client learns by code 0C."""
        self._window.skip(count)

    def open_request(self, message: bytes, now: float = 0.0) -> OpenedRequest:
        """Judge a sealed request; `now` is not used by this suite."""
        if self._answered is not None and hmac.compare_digest(self._answered[0], message):
            return OpenedRequest(Outcome.REPEATED, reply=self._answered[1], sealed=message)
        for key in self._keys:
            asked = _verified(key, self.scope, message)
            if asked is not None:
                return self._admit(key, asked, message)
        # Code 0B goes without digest: signing what any stranger sent would hand out digests.
        refusal = self.scope.head + bytes((DIGEST_ERROR,))
        return OpenedRequest(Outcome.BAD_DIGEST, reply=refusal, sealed=message)

    def seal_response(self, opened: OpenedRequest, body: bytes) -> bytes:
        """`body` ‖ digest over request and response; kept for a repetition of the request."""
        if opened.asked is None:
            raise LocalProtocolError("only an accepted request has a response")
        sealed = self._seal(self._key(opened.key), opened.asked, body)
        if self._answered is not None and self._answered[0] == opened.sealed:
            self._answered = opened.sealed, sealed
        return sealed

    def _key(self, name: str) -> LegacyKey:
        return next(key for key in self._keys if key.name == name)

    def _seal(self, key: LegacyKey, asked: Asked, body: bytes) -> bytes:
        digest = key.oma.digest(self.scope.response_input(asked.body, body))
        if asked.encrypted:
            body = self.scope.conceal_response(key, body, digest, asked)
        return body + digest

    def _admit(self, key: LegacyKey, asked: Asked, message: bytes) -> OpenedRequest:
        apdu, number = asked.body[:-SEQUENCE_SIZE], asked.body[-SEQUENCE_SIZE:]
        sequence = int.from_bytes(number, "big")
        if not self._window.accept(sequence):
            expected = self._window.last.to_bytes(SEQUENCE_SIZE, "big")
            body = self.scope.head + bytes((SEQUENCE_ERROR,)) + expected
            reply = self._seal(key, asked, body)
            return OpenedRequest(
                Outcome.BAD_SEQUENCE, sequence=sequence, key=key.name, reply=reply, sealed=message
            )
        self._answered = message, None
        return OpenedRequest(Outcome.ACCEPTED, apdu, sequence, key.name, None, message, asked)


def _legacy_key(key: KeyLike, scope: Scope, name: str) -> LegacyKey:
    if len(key) != scope.key_size:
        raise LocalProtocolError(f"this port's key has {scope.key_size} bytes, not {len(key)}")
    return LegacyKey(key, name)


def _verified(key: LegacyKey, scope: Scope, sealed: bytes) -> Asked | None:
    """The plain request if one reading of the sealed bytes bears out the digest."""
    if len(sealed) < len(scope.head) + 1 + OVERHEAD:
        return None
    digest = sealed[-DIGEST_SIZE:]
    for body, encrypted in scope.request_bodies(key, sealed):
        if key.verifies(scope.request_input(body), digest):
            return Asked(body, digest, encrypted)
    return None
