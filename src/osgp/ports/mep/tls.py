"""TLS on the MEP port: codes, identity, and the states of a session in both roles.

A request's first byte says what follows: 58 begins a handshake (and ends any other session), 59
goes on with it, 80 carries a table request as a TLS record, 57 ends the session. A response begins
with 00, 01 (TLS error) or 03 (invalid identity or key); 0A says that there is no session.

TLS 1.2 with TLS_PSK_WITH_AES_256_GCM_SHA384 and the first 16 bytes of MAK or MBK; the PSK identity
is a client id (two bytes, least significant first) and a key id (0 = MBK, 1 = MAK). Sessions are
not resumed. Source: MEP guide v1.1, 'Using TLS Security', tables 2.1 to 2.3.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final, Protocol

import msgspec

from osgp.errors import DecodeError
from osgp.security.machine import Transitions
from osgp.wire import NO_DIMS, bind, uint8, uint16
from osgp.wire.record import Record

CIPHER_SUITE: Final = "TLS_PSK_WITH_AES_256_GCM_SHA384"
PSK_SIZE: Final = 16


class Code(IntEnum):
    """First byte of a request."""

    TERMINATE = 0x57
    HANDSHAKE = 0x58
    HANDSHAKE_CONTINUED = 0x59
    TABLE = 0x80


class Answer(IntEnum):
    """First byte of a response outside of a TLS record."""

    SUCCESS = 0x00
    TLS_ERROR = 0x01
    INVALID_IDENTITY_OR_KEY = 0x03
    NO_SESSION = 0x0A


TERMINATE: Final = bytes((Code.TERMINATE, 0))
"""The request that ends a session; its byte of data means nothing."""

RECORD_TYPES: Final = {
    Code.HANDSHAKE: frozenset({0x16}),
    Code.HANDSHAKE_CONTINUED: frozenset({0x14, 0x15, 0x16}),
    Code.TABLE: frozenset({0x15, 0x17}),
}
"""First byte of the TLS records that a code may carry; second is always 03."""


class KeyId(IntEnum):
    """Which key a session uses; the name is the key's."""

    MBK = 0
    MAK = 1


class Identity(Record):
    """The PSK identity; `client` appears in the meter's events and is not checked."""

    client = uint16("number of the client, least significant byte first")
    key = uint8("key id", enum=KeyId)


IDENTITY: Final = bind(Identity, NO_DIMS)


def key_name(identity: bytes) -> str | None:
    """'MBK' or 'MAK'; None for an identity that names neither."""
    try:
        return KeyId(IDENTITY.decode(identity).key).name
    except (DecodeError, ValueError):
        return None


class TlsEngine(Protocol):
    """One side of one TLS session, over memory. Every method may raise SecurityError."""

    @property
    def established(self) -> bool:
        """The handshake is over, and both sides have proved the key."""
        ...

    @property
    def identity(self) -> bytes:
        """The PSK identity: what a client presents, what a server was shown (b"" before)."""
        ...

    def advance(self, records: bytes) -> bytes:
        """Goes on with the handshake: the peer's records in, own records out."""
        ...

    def seal(self, plain: bytes) -> bytes:
        """The record that carries `plain`."""
        ...

    def open(self, record: bytes) -> bytes:
        """What a record carries."""
        ...


class Session(Enum):
    DOWN = "no session"
    SHAKING = "handshake"
    UP = "session"


class Step(Enum):
    HELLO = "hello"
    ESTABLISHED = "established"
    LOST = "lost"


SESSION: Final[Transitions[Session, Step]] = {
    (Session.DOWN, Step.HELLO): Session.SHAKING,
    (Session.SHAKING, Step.HELLO): Session.SHAKING,
    (Session.UP, Step.HELLO): Session.SHAKING,
    (Session.SHAKING, Step.ESTABLISHED): Session.UP,
    (Session.DOWN, Step.LOST): Session.DOWN,
    (Session.SHAKING, Step.LOST): Session.DOWN,
    (Session.UP, Step.LOST): Session.DOWN,
}


class TlsKeys(msgspec.Struct, frozen=True):
    """Keys by name ('MAK', 'MBK'), 16 bytes each, as the engines need them."""

    by_name: dict[str, bytes]

    def of(self, identity: bytes) -> bytes | None:
        """The key that an identity names."""
        name = key_name(identity)
        return None if name is None else self.by_name.get(name)

    def __repr__(self) -> str:
        return f"<TlsKeys {', '.join(self.by_name)}>"
