"""OSGP-AES-128-PSK, this project's own profile, version 1: codes, messages, key schedule (Annex F).

The annex's byte formats are not public.  Everything here is Source.PROJECT: it follows the annex's
headings and the published side facts, is built on published primitives only, and interoperates
with nothing but itself.  docs/security.md draws its tables from these declarations.

Message codes (first byte of the APDU, in EN 14908-1's application range)::

    10  secured unicast     request   10 ‖ sequence 4 ‖ cipher text ‖ tag
                            response  10 ‖ cipher text ‖ tag
    11  secured broadcast             11 ‖ sequence 4 ‖ cipher text ‖ tag
    12  secure channel initialisation; the records below, in the clear, with 16-byte MACs
    13  error messages; the records below

The cipher text is the ordinary APDU without its leading code 00, so that a sealed request is 12
bytes longer than the plain one and a response 8: the budget of sequence number and digest.

Nonce (13 bytes): purpose 1 ‖ device or domain id 6 ‖ epoch or generation 2 ‖ sequence 4.
Associated data: the message code.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, TypeVar

import msgspec

from osgp.errors import DecodeError, LocalProtocolError, SecurityError
from osgp.security.aes import KEY_SIZE, AeadKey, MacKey, osgp_kdf
from osgp.wire import NO_DIMS, Layout, Record, array, bind, octets, this, uint8, uint16, uint32

VERSION: Final = 1
ID_SIZE: Final = 6
RANDOM_SIZE: Final = 16
MAC_SIZE: Final = 16
ERROR_MAC_SIZE: Final = 8
WRAP_TAG: Final = 8
WRAPPED_SIZE: Final = KEY_SIZE + WRAP_TAG
MAX_SUITES: Final = 8


class Code(IntEnum):
    """First byte of an APDU of this suite."""

    UNICAST = 0x10
    BROADCAST = 0x11
    HANDSHAKE = 0x12
    ERROR = 0x13


class Mode(IntEnum):
    """Security mode of the power line, ET04.127 (MEP guide v1.1)."""

    RC4 = 0
    AES = 2


class Purpose(IntEnum):
    """First byte of a nonce."""

    REQUEST = 0
    RESPONSE = 1
    BROADCAST = 2
    WRAP = 3


class Suite(msgspec.Struct, frozen=True):
    """A cipher suite: `strength` orders the choice, `tag` is the length of a message's tag."""

    number: int
    name: str
    tag: int
    strength: int


SUITES: Final = {
    suite.number: suite
    for suite in (
        Suite(0x02, "OSGP-AES-128-PSK", tag=8, strength=1),
        Suite(0x12, "OSGP-AES-128-PSK-16", tag=16, strength=2),
    )
}
"""0x12 is for ports without the power line's buffer limits."""


def strongest(offered: tuple[int, ...], supported: tuple[int, ...]) -> Suite | None:
    """The strongest suite in both lists."""
    common = [SUITES[n] for n in offered if n in supported and n in SUITES]
    return max(common, key=lambda suite: suite.strength, default=None)


class Challenge(Record, byte_order="big"):
    """Concentrator → device: the first message (after GPSK-1), counted in ET04.128."""

    code = uint8("message code 12")
    kind = uint8("01")
    version = uint8("profile version, 1")
    key_version = uint16("which long-term key is meant; 0 = factory key")
    concentrator = octets(ID_SIZE, "concentrator's id")
    random = octets(RANDOM_SIZE, "concentrator's random number")
    suite_count = uint8("number of suites")
    suites = array(uint8("suite"), this.suite_count, "suites offered", cap=MAX_SUITES)


class ChallengeResponse(Record, byte_order="big"):
    """Device → concentrator: the second message (after GPSK-2)."""

    code = uint8("message code 12")
    kind = uint8("02")
    suite = uint8("suite chosen: the strongest in both lists")
    device = octets(ID_SIZE, "device's id (transceiver id)")
    epoch = uint32("number of this handshake; the device never uses one twice")
    random = octets(RANDOM_SIZE, "device's random number")
    suite_count = uint8("number of suites")
    suites = array(uint8("suite"), this.suite_count, "suites the device has", cap=MAX_SUITES)
    mac = octets(MAC_SIZE, "CMAC over both messages so far, without this field")


class Confirm(Record, byte_order="big"):
    """Concentrator → device: the third message (after GPSK-3)."""

    code = uint8("message code 12")
    kind = uint8("03")
    epoch = uint32("as in the second message")
    mac = octets(MAC_SIZE, "CMAC over all messages so far, without this field")


class Acknowledge(Record, byte_order="big"):
    """Device → concentrator: the fourth message (after GPSK-4)."""

    code = uint8("message code 12")
    kind = uint8("04")
    epoch = uint32("as in the second message")
    mac = octets(MAC_SIZE, "CMAC over all messages so far, without this field")


class AuthenticationFailure(Record, byte_order="big"):
    """Device → concentrator (F.11.2): the same two bytes whatever was wrong."""

    code = uint8("message code 13")
    kind = uint8("01")


class SequenceError(Record, byte_order="big"):
    """Device → concentrator (F.11.3): only after a request whose tag was good."""

    code = uint8("message code 13")
    kind = uint8("02")
    last = uint32("sequence number last accepted")
    mac = octets(ERROR_MAC_SIZE, "CMAC over this message without this field, then the request")


R = TypeVar("R", bound=Record)

MESSAGES: Final[tuple[type[Record], ...]] = (
    Challenge,
    ChallengeResponse,
    Confirm,
    Acknowledge,
    AuthenticationFailure,
    SequenceError,
)
HANDSHAKE_MESSAGES: Final[dict[int, type[Record]]] = {
    1: Challenge,
    2: ChallengeResponse,
    3: Confirm,
    4: Acknowledge,
}
_LAYOUTS: Final[dict[type[Record], Layout[Record]]] = {m: bind(m, NO_DIMS) for m in MESSAGES}

AUTHENTICATION_FAILURE: Final = bytes((Code.ERROR, 1))


def encode(message: Record) -> bytes:
    """The bytes of a declared message."""
    return _LAYOUTS[type(message)].encode(message)


def decode(expected: type[R], data: bytes) -> R:
    """A declared message; SecurityError, which says nothing, for bytes that are none."""
    try:
        message = _LAYOUTS[expected].decode(data)
    except DecodeError:
        raise SecurityError from None
    assert isinstance(message, expected)
    return message


class HandshakeKeys(msgspec.Struct, frozen=True):
    """What one handshake yields: `mac` proves it, `wrap` carries keys, `unicast` is the
    short-term, meter-unique key."""

    mac: bytes
    wrap: bytes
    unicast: bytes

    def __repr__(self) -> str:
        return "<HandshakeKeys>"


def handshake_keys(
    long_term: bytes, challenge: Challenge, answer: ChallengeResponse
) -> HandshakeKeys:
    """Key schedule of the handshake, in the shape of RFC 5433, 3.4.

    ``context = suite ‖ key version 2 ‖ epoch 4 ‖ random_d ‖ device ‖ random_c ‖ concentrator``;
    ``master = OSGP_KDF(long-term key, "OSGP-AES v1 master", context)``; then 48 bytes of
    ``OSGP_KDF(master, "OSGP-AES v1 session", context)``.
    """
    context = b"".join(
        (
            bytes((answer.suite,)),
            challenge.key_version.to_bytes(2, "big"),
            answer.epoch.to_bytes(4, "big"),
            answer.random,
            answer.device,
            challenge.random,
            challenge.concentrator,
        )
    )
    master = osgp_kdf(long_term, b"OSGP-AES v1 master", context)
    keys = osgp_kdf(master, b"OSGP-AES v1 session", context, 3 * KEY_SIZE)
    return HandshakeKeys(*_split(keys))


class ChannelKeys:
    """The keys of one secure channel, one for each direction and purpose.

    48 bytes of ``OSGP_KDF(unicast key, "OSGP-AES v1 channel", suite ‖ device ‖ epoch 4)``:
    requests, responses, error messages.
    """

    __slots__ = ("errors", "request", "response")

    def __init__(self, unicast: bytes, suite: Suite, device: bytes, epoch: int) -> None:
        context = bytes((suite.number,)) + device + epoch.to_bytes(4, "big")
        keys = _split(osgp_kdf(unicast, b"OSGP-AES v1 channel", context, 3 * KEY_SIZE))
        self.request = AeadKey(keys[0], suite.tag)
        self.response = AeadKey(keys[1], suite.tag)
        self.errors = MacKey(keys[2])


def broadcast_key(domain_key: bytes, domain: bytes, generation: int) -> AeadKey:
    """``OSGP_KDF(domain key, "OSGP-AES v1 broadcast", domain ‖ generation 2)``, tag 8."""
    context = domain + generation.to_bytes(2, "big")
    return AeadKey(osgp_kdf(domain_key, b"OSGP-AES v1 broadcast", context))


def firmware_key(long_term: bytes, device: bytes) -> MacKey:
    """``OSGP_KDF(long-term key, "OSGP-AES v1 firmware", device)``."""
    return MacKey(osgp_kdf(long_term, b"OSGP-AES v1 firmware", device))


def nonce_prefix(purpose: Purpose, identity: bytes, epoch: int) -> bytes:
    """The nine bytes of a nonce that stay the same: purpose ‖ id ‖ epoch or generation mod 2^16.

    The whole epoch goes into the keys, so epochs that agree modulo 2^16 have different keys.
    """
    if len(identity) != ID_SIZE:
        raise LocalProtocolError(f"an id has {ID_SIZE} bytes, not {len(identity)}")
    return bytes((purpose,)) + identity + (epoch & 0xFFFF).to_bytes(2, "big")


def _split(keys: bytes) -> tuple[bytes, bytes, bytes]:
    return keys[:16], keys[16:32], keys[32:48]
