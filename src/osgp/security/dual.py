"""A device's power-line port with both suites, switched by the security mode (ET04.127).

| mode | OMAK/RC4 messages (codes 00, 01) | AES messages (codes 10 … 13) |
|---|---|---|
| 0 RC4 | legacy suite | handshake and channel work too: that is the way to mode 2 |
| 2 AES | AuthenticationFailure, without exception | AES suite |

Only a command inside a secure channel changes the mode, in either direction.
"""

from __future__ import annotations

from typing import Final

import msgspec

from osgp.errors import DecodeError
from osgp.security import profile
from osgp.security.aes import Entropy
from osgp.security.aes_device import DEFAULT_LIMITS, AesServer, Limits
from osgp.security.omak import ENCRYPTED, PLAIN, Scope
from osgp.security.profile import Mode
from osgp.security.secret import KeyLike
from osgp.security.suite import OmaServer, OpenedRequest, Outcome

_LEGACY: Final = (bytes((PLAIN,)), bytes((ENCRYPTED,)))
_LEGACY_KEY: Final = "OMAK"


class PlcServer:
    """ServerSecurity of a device that knows both suites."""

    def __init__(self, legacy: OmaServer, aes: AesServer) -> None:
        self.legacy, self.aes = legacy, aes

    @classmethod
    def restore(
        cls,
        stored: bytes,
        omak: KeyLike,
        scope: Scope,
        entropy: Entropy,
        limits: Limits = DEFAULT_LIMITS,
    ) -> PlcServer:
        """From the bytes of `export_state`; DecodeError if they are none."""
        try:
            legacy, aes = msgspec.msgpack.decode(stored, type=tuple[bytes, bytes])
        except msgspec.MsgspecError:
            raise DecodeError("this is no stored security state") from None
        return cls(OmaServer(omak, scope, restore=legacy), AesServer.restore(aes, entropy, limits))

    @property
    def must_persist(self) -> bool:
        return self.legacy.must_persist or self.aes.must_persist

    def export_state(self) -> bytes:
        """What must survive a power cut, keys included: for protected memory only."""
        return msgspec.msgpack.encode((self.legacy.export_state(), self.aes.export_state()))

    def open_request(self, message: bytes, now: float = 0.0) -> OpenedRequest:
        """Judge a message under the suite that the mode allows for it."""
        if message[:1] not in _LEGACY:
            return self.aes.open_request(message, now)
        if self.aes.locked(now):
            return OpenedRequest(Outcome.LOCKED_OUT)
        if self.aes.mode is Mode.AES:
            return OpenedRequest(Outcome.BAD_DIGEST, reply=profile.AUTHENTICATION_FAILURE)
        opened = self.legacy.open_request(message, now)
        self.aes.judge(opened.outcome, now)
        return opened

    def seal_response(self, opened: OpenedRequest, body: bytes) -> bytes:
        """The sealed response in the suite of its request."""
        suite = self.legacy if opened.key == _LEGACY_KEY else self.aes
        return suite.seal_response(opened, body)
