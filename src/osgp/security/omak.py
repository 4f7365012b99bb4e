"""The OMAK/RC4 suite's messages: which bytes the digest covers and which are encrypted (Annex E).

On PLC a message is ``00 ‖ body ‖ [sequence 4] ‖ digest 8``; on MEP the code 00 is absent and the
length in front belongs to the port.  Requests carry the sequence number, responses do not.

Encryption on PLC: the base encryption key (BEK) follows from the first 48 bits of the OMAK; a
message's RC4 key is the BEK with its first 8 bytes exclusive-or'ed with that message's digest; the
digest covers the plain text and is sent in clear (after Jovanovic and Neves, ePrint 2015/428).
How an encrypted message is marked is not public.  **Source.PROJECT, version 1**: the message code
is 01 instead of 00 and everything between the code and the digest is encrypted, each direction
under its own digest; the digest is computed with code 00.

Encryption on MEP (MEP guide v1.1, Appendix B): nothing marks it, so the server tries both; the
response continues the key stream of its request; code 0B is never encrypted, 0C is.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

from osgp.errors import LocalProtocolError, SecurityError
from osgp.security import oma
from osgp.security.rc4 import rc4
from osgp.security.secret import KeyLike, key_bytes

PLAIN: Final = 0x00
ENCRYPTED: Final = 0x01
"""Source.PROJECT: the EN 14908-1 message code of an encrypted PLC message."""

_BEK_STATES: Final = (bytes.fromhex("813f529a7be389ba"), bytes.fromhex("72b0918d4405aa57"))
_MEP_CONSTANT: Final = bytes.fromhex("388b8fbc36a8558587afc90fb23a3b99")


def base_encryption_key(omak: bytes) -> bytes:
    """The BEK (16 bytes) of a 12-byte `omak`; only its first six bytes matter."""
    if len(omak) != oma.OMAK_SIZE:
        raise LocalProtocolError("an OMAK has 12 bytes")
    lon_key = oma.OmaKey(omak[: oma.LON_KEY_SIZE])
    return b"".join(lon_key.digest(bytes(lon_key.block_size), state) for state in _BEK_STATES)


def mep_encryption_key(mep_key: bytes) -> bytes:
    """The `mep_EncryptKey` (16 bytes) of a 16-byte MEP key (MEP guide v1.1, Appendix B)."""
    return rc4(mep_key, _MEP_CONSTANT)


def message_key(base_key: bytes, digest: bytes) -> bytes:
    """The RC4 key of one message: bytes 0..7 of the base key are exclusive-or'ed with `digest`."""
    mixed = int.from_bytes(base_key[: len(digest)], "big") ^ int.from_bytes(digest, "big")
    return mixed.to_bytes(len(digest), "big") + base_key[len(digest) :]


class LegacyKey:
    """One OMAK or MEP key with its name ('OMAK', 'MAK', 'MBK') and what derives from it."""

    def __init__(self, key: KeyLike, name: str = "OMAK") -> None:
        self.name = name
        self._key = key_bytes(key)
        self.oma = oma.OmaKey(self._key)

    @cached_property
    def base(self) -> bytes:
        """The base encryption key, made when the first encrypted message needs it."""
        derive = base_encryption_key if len(self._key) == oma.OMAK_SIZE else mep_encryption_key
        return derive(self._key)

    def verifies(self, covered: bytes, digest: bytes) -> bool:
        """True if `digest` is the digest of `covered`; the comparison takes constant time."""
        return hmac.compare_digest(self.oma.digest(covered), digest)

    def __repr__(self) -> str:
        return f"<LegacyKey {self.name}>"


@dataclass(frozen=True, slots=True)
class Asked:
    """The request that a response answers: plain `body`, its `digest`, and 'was encrypted'."""

    body: bytes
    digest: bytes
    encrypted: bool


class Scope(Protocol):
    """A port's rules: what a digest covers and how a message is encrypted."""

    @property
    def key_size(self) -> int: ...
    @property
    def head(self) -> bytes:
        """What stands before command or response code: the message code 00 on PLC."""
        ...

    def request_input(self, body: bytes) -> bytes: ...
    def response_input(self, request: bytes, response: bytes) -> bytes: ...
    def conceal_request(self, key: LegacyKey, body: bytes, digest: bytes) -> bytes: ...
    def request_bodies(self, key: LegacyKey, sealed: bytes) -> Iterator[tuple[bytes, bool]]:
        """The plain bodies that the sealed request may stand for, each with 'was encrypted'."""
        ...

    def conceal_response(
        self, key: LegacyKey, body: bytes, digest: bytes, asked: Asked
    ) -> bytes: ...
    def reveal_response(
        self, key: LegacyKey, body: bytes, digest: bytes, asked: Asked
    ) -> bytes: ...


@dataclass(frozen=True, slots=True)
class PlcScope:
    """PLC: the digest also covers the device's subnet and node, and the response's length."""

    subnet: int
    node: int
    key_size: int = oma.OMAK_SIZE
    head: bytes = bytes((PLAIN,))

    def request_input(self, body: bytes) -> bytes:
        return oma.plc_request_input(self.subnet, self.node, body)

    def response_input(self, request: bytes, response: bytes) -> bytes:
        return oma.plc_response_input(self.subnet, self.node, request, response)

    def conceal_request(self, key: LegacyKey, body: bytes, digest: bytes) -> bytes:
        return bytes((ENCRYPTED,)) + rc4(message_key(key.base, digest), body[1:])

    def request_bodies(self, key: LegacyKey, sealed: bytes) -> Iterator[tuple[bytes, bool]]:
        body, digest = sealed[: -oma.DIGEST_SIZE], sealed[-oma.DIGEST_SIZE :]
        encrypted = sealed[0] == ENCRYPTED
        yield (self._reveal(key, body, digest) if encrypted else body), encrypted

    def conceal_response(self, key: LegacyKey, body: bytes, digest: bytes, asked: Asked) -> bytes:
        return self.conceal_request(key, body, digest)

    def reveal_response(self, key: LegacyKey, body: bytes, digest: bytes, asked: Asked) -> bytes:
        if body[0] != ENCRYPTED:
            raise SecurityError
        return self._reveal(key, body, digest)

    def _reveal(self, key: LegacyKey, body: bytes, digest: bytes) -> bytes:
        return bytes((PLAIN,)) + rc4(message_key(key.base, digest), body[1:])


@dataclass(frozen=True, slots=True)
class MepScope:
    """MEP: plain concatenation; the response continues the request's key stream."""

    key_size: int = oma.MEP_KEY_SIZE
    head: bytes = b""

    def request_input(self, body: bytes) -> bytes:
        return body

    def response_input(self, request: bytes, response: bytes) -> bytes:
        return request + response

    def conceal_request(self, key: LegacyKey, body: bytes, digest: bytes) -> bytes:
        return rc4(message_key(key.base, digest), body)

    def request_bodies(self, key: LegacyKey, sealed: bytes) -> Iterator[tuple[bytes, bool]]:
        body, digest = sealed[: -oma.DIGEST_SIZE], sealed[-oma.DIGEST_SIZE :]
        yield body, False
        yield self.conceal_request(key, body, digest), True

    def conceal_response(self, key: LegacyKey, body: bytes, digest: bytes, asked: Asked) -> bytes:
        return rc4(message_key(key.base, asked.digest), body, skip=len(asked.body))

    reveal_response = conceal_response
