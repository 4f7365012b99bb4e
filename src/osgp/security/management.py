"""Key management inside a secure channel (F.10): commands that the suite itself executes.

They are sealed unicast requests whose service code 78 no table service has; keys in them are
wrapped once more (AES-CCM under the handshake's wrapping key, nonce with the request's own
sequence number, associated data: the command before the wrapped key).  Source.PROJECT, version 1.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from osgp.errors import DecodeError
from osgp.security.profile import ID_SIZE, WRAPPED_SIZE, R
from osgp.wire import NO_DIMS, Record, bind, octets, uint8, uint16, uint32

SERVICE: Final = 0x78
NETWORK_SERVICE: Final = 0x79
"""Service code of network management inside the channel: ``00 79 ‖ request``, answered with
``00 00 ‖ response``.  The session hands it on (`osgp.session.managing`)."""
OK: Final = 0x00


class Command(IntEnum):
    LONG_TERM_KEY = 1
    DOMAIN_KEY = 2
    MODE = 3
    STATUS = 4


class LongTermKeyUpdate(Record, byte_order="big"):
    """A new long-term key (F.10.3); the old one stays valid until a handshake proves the new."""

    code = uint8("message code 00")
    service = uint8("service 78")
    command = uint8("01")
    version = uint16("version of the new key: the present one plus one")
    wrapped = octets(WRAPPED_SIZE, "the wrapped key")


class DomainKeyUpdate(Record, byte_order="big"):
    """A new domain key (F.10.2); the old one stays valid until a broadcast uses the new."""

    code = uint8("message code 00")
    service = uint8("service 78")
    command = uint8("02")
    generation = uint16("generation of the new key")
    domain = octets(ID_SIZE, "id of the domain, part of the nonces")
    base = uint32("B, the number before the first that is accepted")
    delta = uint16("D, how far ahead of B a number may be")
    wrapped = octets(WRAPPED_SIZE, "the wrapped key")


class ModeChange(Record, byte_order="big"):
    """The only way to another security mode, also back to RC4 (ET04.127)."""

    code = uint8("message code 00")
    service = uint8("service 78")
    command = uint8("03")
    mode = uint8("0 RC4, 2 OSGP-AES-128-PSK")


class StatusRequest(Record, byte_order="big"):
    """Asks which keys the device holds."""

    code = uint8("message code 00")
    service = uint8("service 78")
    command = uint8("04")


class CommandResponse(Record, byte_order="big"):
    """Answer to a change: a response code of clause 9.8."""

    code = uint8("message code 00")
    response = uint8("response code")


class StatusResponse(Record, byte_order="big"):
    """Answer to StatusRequest."""

    code = uint8("message code 00")
    response = uint8("response code 00")
    key_version = uint16("version of the long-term key")
    next_key_version = uint16("version of the unproven long-term key; as key_version if none")
    generation = uint16("newest generation of the domain key; 0 if none")
    base = uint32("B of that generation")
    mode = uint8("security mode")
    handshakes = uint8("handshakes begun today")
    unicast_uses = uint32("uses of the unicast key")
    broadcast_uses = uint32("uses of the broadcast key")


COMMANDS: Final[dict[int, type[Record]]] = {
    Command.LONG_TERM_KEY: LongTermKeyUpdate,
    Command.DOMAIN_KEY: DomainKeyUpdate,
    Command.MODE: ModeChange,
    Command.STATUS: StatusRequest,
}
RESPONSES: Final[tuple[type[Record], ...]] = (CommandResponse, StatusResponse)
_LAYOUTS: Final = {record: bind(record, NO_DIMS) for record in (*COMMANDS.values(), *RESPONSES)}


def encode(message: Record) -> bytes:
    """The bytes of a command or response."""
    return _LAYOUTS[type(message)].encode(message)


def is_command(apdu: bytes) -> bool:
    """Is this opened request one that the suite executes itself?"""
    return apdu[1:2] == bytes((SERVICE,))


def decode_command(apdu: bytes) -> Record | None:
    """The command in an opened request; None for bytes that are none."""
    layout = _LAYOUTS.get(COMMANDS.get(apdu[2] if len(apdu) > 2 else 0, Record))
    try:
        return layout.decode(apdu) if layout else None
    except DecodeError:
        return None


def decode_response(expected: type[R], body: bytes) -> R:
    """A response; DecodeError for bytes that are none."""
    message = _LAYOUTS[expected].decode(body)
    assert isinstance(message, expected)
    return message


def header(command: bytes) -> bytes:
    """The part of a command before its wrapped key: what the wrapping is bound to."""
    return command[:-WRAPPED_SIZE]
