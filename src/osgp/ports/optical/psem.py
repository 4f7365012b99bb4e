"""The services of ANSI C12.18 besides reading and writing, and in which state each is served.

The states of a session (1996 edition): BASE, until identification; IDENTIFIED, where packet size
and speed are negotiated and a user logs on; SESSION, where tables are read and written, with the
rights of the key that the security service presented. Silence ends any of them.

Beyond the table, as meters do: identification is repeated without harm, for the first one after
idle is often lost. Everything else gets 0A, invalid service sequence state.
Source: ANSI C12.18-1996 as public decoders know it; keys: OSGP optical guide v1.1, 'Security'.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final

from osgp.security.machine import Transitions
from osgp.wire import NO_DIMS, bind, octets, rest, this, uint8, uint16
from osgp.wire.record import Record

PASSWORD_SIZE: Final = 20
USER_SIZE: Final = 10


class Service(IntEnum):
    """First byte of a request; reads and writes are in `osgp.spec.services`."""

    IDENTIFY = 0x20
    TERMINATE = 0x21
    LOGON = 0x50
    SECURITY = 0x51
    LOGOFF = 0x52
    NEGOTIATE = 0x60
    WAIT = 0x70


MAX_SPEEDS: Final = 11
"""60 negotiates without speeds, 61 to 6B with one to eleven."""

SPEEDS: Final = {
    1: 300,
    2: 600,
    3: 1200,
    4: 2400,
    5: 4800,
    6: 9600,
    7: 14400,
    8: 19200,
    9: 28800,
    10: 57600,
}
"""Code of a speed → bits a second; code 0 is 'externally defined'."""

SPEED_CODES: Final = {speed: code for code, speed in SPEEDS.items()}


class State(Enum):
    BASE = "base"
    IDENTIFIED = "identified"
    SESSION = "session"


class Kind(Enum):
    """Requests as far as the state cares."""

    IDENTIFY = "identify"
    NEGOTIATE = "negotiate"
    LOGON = "log on"
    SECURITY = "security"
    TABLE = "read or write"
    WAIT = "wait"
    LOGOFF = "log off"
    TERMINATE = "terminate"
    SILENCE = "silence"


STATES: Final[Transitions[State, Kind]] = {
    (State.BASE, Kind.IDENTIFY): State.IDENTIFIED,
    (State.IDENTIFIED, Kind.IDENTIFY): State.IDENTIFIED,
    (State.IDENTIFIED, Kind.NEGOTIATE): State.IDENTIFIED,
    (State.IDENTIFIED, Kind.WAIT): State.IDENTIFIED,
    (State.IDENTIFIED, Kind.LOGON): State.SESSION,
    (State.IDENTIFIED, Kind.TERMINATE): State.BASE,
    (State.IDENTIFIED, Kind.SILENCE): State.BASE,
    (State.SESSION, Kind.SECURITY): State.SESSION,
    (State.SESSION, Kind.TABLE): State.SESSION,
    (State.SESSION, Kind.WAIT): State.SESSION,
    (State.SESSION, Kind.LOGOFF): State.IDENTIFIED,
    (State.SESSION, Kind.TERMINATE): State.BASE,
    (State.SESSION, Kind.SILENCE): State.BASE,
}


class Identification(Record, byte_order="big"):
    """Response to IDENTIFY."""

    code = uint8("response code")
    standard = uint8("0 = ANSI C12.18")
    version = uint8("version of the standard")
    revision = uint8("revision of the standard")
    features = rest("features, ended by 00")


class Negotiate(Record, byte_order="big"):
    """NEGOTIATE with the speeds that its code counts."""

    service = uint8("60 + number of speeds")
    packet_size = uint16("bytes of a packet, header and CRC included")
    packets = uint8("packets of a message")
    speeds = octets(this.service - int(Service.NEGOTIATE), "codes of speeds")


class Negotiated(Record, byte_order="big"):
    """Response to NEGOTIATE: what holds from now on."""

    code = uint8("response code")
    packet_size = uint16("bytes of a packet")
    packets = uint8("packets of a message")
    speed = uint8("code of the speed")


class Logon(Record, byte_order="big"):
    """Meters ask for both fields and check neither."""

    service = uint8("50")
    user_id = uint16("number of the user")
    user = octets(USER_SIZE, "name of the user, padded with blanks")


class Security(Record, byte_order="big"):
    """The password is one of the meter's keys, padded with zeros."""

    service = uint8("51")
    password = octets(PASSWORD_SIZE, "password")


class Wait(Record, byte_order="big"):
    """Asks for patience: silence ends the session only after this time, once."""

    service = uint8("70")
    seconds = uint8("seconds")


IDENTIFICATION: Final = bind(Identification, NO_DIMS)
NEGOTIATE: Final = bind(Negotiate, NO_DIMS)
NEGOTIATED: Final = bind(Negotiated, NO_DIMS)
LOGON: Final = bind(Logon, NO_DIMS)
SECURITY: Final = bind(Security, NO_DIMS)
WAIT: Final = bind(Wait, NO_DIMS)


def password_of(key: bytes) -> bytes:
    """A key of up to 20 bytes as the security service carries it."""
    return key.ljust(PASSWORD_SIZE, b"\0")


def user_name(name: str) -> bytes:
    """A user's name as the logon service carries it; what does not fit is cut off."""
    return name.encode("ascii", "replace")[:USER_SIZE].ljust(USER_SIZE)
