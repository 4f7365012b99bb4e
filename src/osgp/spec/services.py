"""The table services of clause 9: requests and responses, without their security trailer.

On PLC an EN 14908-1 message code 00 stands in front; the port or suite adds it. Every number is
big-endian. Requests are followed by a sequence number (4) and a digest (8), responses by a digest.
Sources: public code after GS OSG 001 (framing), the MEP guide (same commands), osgp-facts 3.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import msgspec

from osgp.wire import NO_DIMS, Layout, Record, bind, octets, this, uint8, uint16, uint24


class Command(IntEnum):
    """First byte of a request."""

    FULL_READ = 0x30
    PARTIAL_READ = 0x3F
    FULL_WRITE = 0x40
    PARTIAL_WRITE = 0x4F


class ResponseCode(IntEnum):
    """First byte of a response (clause 9.8); `osgp.errors` has one class for each but OK."""

    OK = 0x00
    ERROR = 0x01
    SERVICE_NOT_SUPPORTED = 0x02
    INSUFFICIENT_SECURITY_CLEARANCE = 0x03
    OPERATION_NOT_POSSIBLE = 0x04
    INAPPROPRIATE_ACTION_REQUESTED = 0x05
    DEVICE_BUSY = 0x06
    DATA_NOT_READY = 0x07
    DATA_LOCKED = 0x08
    RENEGOTIATE_REQUEST = 0x09
    INVALID_SERVICE_SEQUENCE_STATE = 0x0A
    DIGEST_ERROR = 0x0B
    SEQUENCE_NUMBER_ERROR = 0x0C
    INCOMPLETE = 0x1E
    INTERFACE_CHANGE_ALARM = 0x1F


class Limits(msgspec.Struct, frozen=True):
    """Buffer restrictions of a port (clause 9.3), in bytes of table data.

    `step`: what a long read asks for at once, where less than `read` is quicker.
    """

    read: int
    write: int
    message: int
    step: int | None = None


PLC_LIMITS: Final = Limits(read=84, write=75, message=114)
"""APDU of 114 bytes with everything around it."""

MEP_LIMITS: Final = Limits(read=440, write=430, message=476)
"""Messages of 476 bytes (MEP guide); what is left for data is rounded down."""


class FullReadRequest(Record, byte_order="big"):
    """Clause 9.4.1."""

    command = uint8("30", enum=Command)
    table = uint16("table number")


class PartialReadRequest(Record, byte_order="big"):
    """Clause 9.6.1."""

    command = uint8("3F", enum=Command)
    table = uint16("table number")
    offset = uint24("first byte of the table")
    count = uint16("bytes wanted")


class FullWriteRequest(Record, byte_order="big"):
    """Clause 9.5.1."""

    command = uint8("40", enum=Command)
    table = uint16("table number")
    count = uint16("bytes of data")
    data = octets(this.count)


class PartialWriteRequest(Record, byte_order="big"):
    """Clause 9.7.1."""

    command = uint8("4F", enum=Command)
    table = uint16("table number")
    offset = uint24("first byte of the table")
    count = uint16("bytes of data")
    data = octets(this.count)


class ReadResponse(Record, byte_order="big"):
    """Clauses 9.4.2 and 9.6.2, where the code is OK."""

    code = uint8("response code", enum=ResponseCode)
    count = uint16("bytes of data")
    data = octets(this.count)


class WriteResponse(Record, byte_order="big"):
    """Clauses 9.5.2 and 9.7.2; also every refusal."""

    code = uint8("response code", enum=ResponseCode)


REQUESTS: Final[dict[int, Layout[Record]]] = {
    Command.FULL_READ: bind(FullReadRequest, NO_DIMS),
    Command.PARTIAL_READ: bind(PartialReadRequest, NO_DIMS),
    Command.FULL_WRITE: bind(FullWriteRequest, NO_DIMS),
    Command.PARTIAL_WRITE: bind(PartialWriteRequest, NO_DIMS),
}
READ_RESPONSE: Final = bind(ReadResponse, NO_DIMS)
WRITE_RESPONSE: Final = bind(WriteResponse, NO_DIMS)
