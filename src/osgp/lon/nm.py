"""Network management and diagnostics, asking side: request APDUs and readers of their responses.

Codes 50-5F are diagnostics, 60-7F management. A response repeats the low bits of the code with
20 (management) or 30 (diagnostics) above them when it is positive, 00 or 10 when negative.
`parse_*` raise RemoteProtocolError for a negative response, DecodeError for a malformed one.
The expanded command (60) carries a sub-code, which its response repeats.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec

from osgp.errors import DecodeError, EncodeError, RemoteProtocolError, Truncated
from osgp.lon.config import (
    ADDRESS_RECORD_LENGTH,
    KEY_LENGTH,
    KEYLESS_RECORD_LENGTH,
    OMA_KEY_LENGTH,
    AddressEntry,
    DomainEntry,
    NodeState,
)
from osgp.lon.xcvr import REGISTERS, SignalQuality

SERVICE_PIN = 0x7F

_NEURON_ID = 6
_IDENTITY = _NEURON_ID + 8
_DIAGNOSTIC_BITS = 0x0F
_MANAGEMENT_BITS = 0x1F


class Code(IntEnum):
    """Requests that this package sends or answers."""

    QUERY_STATUS = 0x51
    CLEAR_STATUS = 0x53
    TRANSCEIVER_STATUS = 0x54
    QUERY_STATUS_FLEX = 0x56
    SIGNAL_STRENGTH = 0x57
    PHASE = 0x58
    FULL_VERSION = 0x59
    EXPANDED = 0x60
    QUERY_ID = 0x61
    RESPOND_TO_QUERY = 0x62
    UPDATE_DOMAIN = 0x63
    LEAVE_DOMAIN = 0x64
    UPDATE_KEY = 0x65
    UPDATE_ADDRESS = 0x66
    QUERY_ADDRESS = 0x67
    UPDATE_GROUP_ADDRESS = 0x69
    QUERY_DOMAIN = 0x6A
    SET_NODE_MODE = 0x6C
    READ_MEMORY = 0x6D
    WINK = 0x70


class Expanded(IntEnum):
    """Sub-codes of EXPANDED."""

    QUERY_VERSION = 0x01
    JOIN_DOMAIN = 0x07
    QUERY_DOMAIN = 0x08
    QUERY_OMA_KEY = 0x09
    UPDATE_OMA_KEY = 0x0A
    INIT_CONFIG = 0x0F
    ANNOUNCE_ADDRESS = 0x15
    ANNOUNCE_SUBNETS = 0x16
    SET_ANNOUNCEMENTS = 0x17


class Selector(IntEnum):
    """Which nodes a query id addresses."""

    UNCONFIGURED = 0
    SELECTED = 1
    SELECTED_UNCONFIGURED = 2


class Memory(IntEnum):
    """What an offset of read memory and of a memory match counts from."""

    ABSOLUTE = 0
    READ_ONLY = 1
    CONFIGURATION = 2
    STATISTICS = 3


class Mode(IntEnum):
    """Node modes of set node mode."""

    OFFLINE = 0
    ONLINE = 1
    RESET = 2
    CHANGE_STATE = 3


class Capability(IntEnum):
    """Bits of the low capability byte of query version."""

    OMA = 0x01
    ENHANCED_PROXY = 0x02
    PHASE = 0x04
    SIGNAL_STRENGTH = 0x08
    INIT_CONFIG = 0x10
    MEMORY_MAP = 0x20
    NV_BY_INDEX = 0x40


class MemoryMatch(msgspec.Struct, frozen=True):
    """Only nodes whose memory holds `data` at `offset` answer a query id."""

    mode: Memory
    offset: int
    data: bytes


class Identity(msgspec.Struct, frozen=True):
    """Neuron ID (6 bytes) and program ID (8 bytes)."""

    neuron_id: bytes
    program_id: bytes


class NodeStatus(msgspec.Struct, frozen=True):
    """Response to query status. Counters are 16 bits wide and stop at 65535."""

    transmission_errors: int
    timeouts: int
    receive_full: int
    lost: int
    missed: int
    reset_cause: int
    state: int
    firmware: int
    error_log: int
    model: int


def response_code(code: int, success: bool = True) -> int:
    """The code of the response to a request `code` (50..7F)."""
    if code < Code.EXPANDED:
        return (0x30 if success else 0x10) | code & _DIAGNOSTIC_BITS
    return (0x20 if success else 0x00) | code & _MANAGEMENT_BITS


def expect(code: int, apdu: bytes, length: int = 0, *, sub: int | None = None) -> bytes:
    """The data of a positive response `apdu` to `code`: at least `length` bytes after `sub`.

    Raises RemoteProtocolError for a negative response, DecodeError for any other.
    """
    if not apdu:
        raise Truncated("no code", table="response", offset=0)
    if apdu[0] == response_code(code, success=False):
        raise RemoteProtocolError(f"the node refused network management request {code:02X}")
    if apdu[0] != response_code(code):
        raise DecodeError(f"code {apdu[0]:02X} answers no {code:02X}", table="response", offset=0)
    data = apdu[1:]
    if sub is not None:
        if data[:1] != bytes((sub,)):
            raise DecodeError("another sub-code", table="response", offset=1)
        data = data[1:]
    if len(data) < length:
        raise Truncated(f"{len(data)} of {length} bytes", table="response", offset=len(apdu))
    return data


def _expanded(sub: Expanded, data: bytes = b"") -> bytes:
    return bytes((Code.EXPANDED, sub)) + data


# --- identity --------------------------------------------------------------------------------


def query_id(selector: Selector = Selector.UNCONFIGURED, match: MemoryMatch | None = None) -> bytes:
    """Asks who is there. A node that is not meant, or does not match, stays silent."""
    request = bytes((Code.QUERY_ID, selector))
    if match is None:
        return request
    place = bytes((match.mode,)) + match.offset.to_bytes(2, "big") + bytes((len(match.data),))
    return request + place + match.data


def parse_query_id(apdu: bytes) -> Identity:
    data = expect(Code.QUERY_ID, apdu, _IDENTITY)
    return Identity(data[:_NEURON_ID], data[_NEURON_ID:_IDENTITY])


def respond_to_query(selected: bool) -> bytes:
    """Marks a node as selected (or not) for later query ids."""
    return bytes((Code.RESPOND_TO_QUERY, selected))


def service_pin(neuron_id: bytes, program_id: bytes) -> bytes:
    """The announcement a node broadcasts when its service pin is pressed."""
    return bytes((SERVICE_PIN,)) + neuron_id + program_id


def parse_service_pin(apdu: bytes) -> tuple[bytes, bytes]:
    """Neuron ID and program ID."""
    if apdu[:1] != bytes((SERVICE_PIN,)) or len(apdu) < 1 + _IDENTITY:
        raise DecodeError("no service pin message", table="service pin")
    return apdu[1 : 1 + _NEURON_ID], apdu[1 + _NEURON_ID : 1 + _IDENTITY]


# --- domains and keys ------------------------------------------------------------------------


def update_domain(index: int, entry: DomainEntry) -> bytes:
    """Writes a domain table record with its key: for authenticated or local use."""
    return bytes((Code.UPDATE_DOMAIN, index)) + entry.to_record()


def leave_domain(index: int) -> bytes:
    """Not answered on the domain that is left."""
    return bytes((Code.LEAVE_DOMAIN, index))


def query_domain(index: int) -> bytes:
    return bytes((Code.QUERY_DOMAIN, index))


def parse_query_domain(apdu: bytes) -> DomainEntry:
    """The key in it is all FF unless the request was authenticated."""
    return DomainEntry.from_record(expect(Code.QUERY_DOMAIN, apdu))


def join_domain(index: int, entry: DomainEntry) -> bytes:
    """Writes a domain table record but its key."""
    record = entry.to_record()[:KEYLESS_RECORD_LENGTH]
    return _expanded(Expanded.JOIN_DOMAIN, bytes((index,)) + record)


def query_domain_no_key(index: int) -> bytes:
    return _expanded(Expanded.QUERY_DOMAIN, bytes((index,)))


def parse_query_domain_no_key(apdu: bytes) -> DomainEntry:
    record = expect(Code.EXPANDED, apdu, KEYLESS_RECORD_LENGTH, sub=Expanded.QUERY_DOMAIN)
    return DomainEntry.from_record(record, key=bytes(KEY_LENGTH))


def update_key(index: int, increments: bytes) -> bytes:
    """Adds 6 increments to the key, byte by byte modulo 256. Raises EncodeError."""
    if len(increments) != KEY_LENGTH:
        raise EncodeError("6 bytes", field="increments")
    return bytes((Code.UPDATE_KEY, index)) + increments


def update_oma_key(key: bytes, *, increment: bool = False) -> bytes:
    """Writes, or increments, the 12-byte OMA key. Raises EncodeError."""
    if len(key) != OMA_KEY_LENGTH:
        raise EncodeError("12 bytes", field="key")
    return _expanded(Expanded.UPDATE_OMA_KEY, bytes((increment,)) + key)


def query_oma_key() -> bytes:
    """Answered to authenticated requests only."""
    return _expanded(Expanded.QUERY_OMA_KEY)


def parse_query_oma_key(apdu: bytes) -> bytes:
    data = expect(Code.EXPANDED, apdu, OMA_KEY_LENGTH, sub=Expanded.QUERY_OMA_KEY)
    return data[:OMA_KEY_LENGTH]


# --- addresses -------------------------------------------------------------------------------


def update_address(index: int, entry: AddressEntry) -> bytes:
    return bytes((Code.UPDATE_ADDRESS, index)) + entry.record


def query_address(index: int) -> bytes:
    return bytes((Code.QUERY_ADDRESS, index))


def parse_query_address(apdu: bytes) -> AddressEntry:
    data = expect(Code.QUERY_ADDRESS, apdu, ADDRESS_RECORD_LENGTH)
    return AddressEntry(data[:ADDRESS_RECORD_LENGTH])


def update_group_address(entry: AddressEntry) -> bytes:
    """Sent to a group: every member takes over its size and timers."""
    return bytes((Code.UPDATE_GROUP_ADDRESS,)) + entry.record


# --- state and memory ------------------------------------------------------------------------


def set_node_mode(mode: Mode, state: NodeState | None = None) -> bytes:
    """`state` belongs to CHANGE_STATE. A node that resets does not answer."""
    return bytes((Code.SET_NODE_MODE, mode, *(() if state is None else (state,))))


def init_config() -> bytes:
    """Clears the address table."""
    return _expanded(Expanded.INIT_CONFIG, b"\0")


def read_memory(mode: Memory, offset: int, count: int) -> bytes:
    return bytes((Code.READ_MEMORY, mode)) + offset.to_bytes(2, "big") + bytes((count,))


def parse_read_memory(apdu: bytes) -> bytes:
    return expect(Code.READ_MEMORY, apdu)


def wink() -> bytes:
    return bytes((Code.WINK,))


# --- diagnostics -----------------------------------------------------------------------------


def query_status() -> bytes:
    return bytes((Code.QUERY_STATUS,))


def parse_query_status(apdu: bytes) -> NodeStatus:
    data = expect(Code.QUERY_STATUS, apdu, 15)
    counters = (int.from_bytes(data[at : at + 2], "big") for at in range(0, 10, 2))
    return NodeStatus(*counters, *data[10:15])


def clear_status() -> bytes:
    return bytes((Code.CLEAR_STATUS,))


def transceiver_status() -> bytes:
    """Asks for the signal quality of this very request at the other node."""
    return bytes((Code.TRANSCEIVER_STATUS,))


def parse_transceiver_status(apdu: bytes) -> SignalQuality:
    return SignalQuality.from_registers(expect(Code.TRANSCEIVER_STATUS, apdu, REGISTERS))


def signal_strength(*, attenuate: bool = False) -> bytes:
    """Asks for the signal quality in both directions, on request attenuated."""
    return bytes((Code.SIGNAL_STRENGTH, attenuate))


def parse_signal_strength(apdu: bytes) -> SignalQuality:
    """Quality of the request at the other node; the way back is the response's `margin_db`."""
    return SignalQuality.from_registers(expect(Code.SIGNAL_STRENGTH, apdu, REGISTERS))


def phase(own_phase: int = 0) -> bytes:
    """Asks for the phase of the other node, given that of this one (0 unknown, 1..6)."""
    return bytes((Code.PHASE, own_phase))


def parse_phase(apdu: bytes) -> int:
    """0 unknown, else 1..6: 0, 60, ... 300 degrees."""
    return expect(Code.PHASE, apdu, 1)[0]


def full_version() -> bytes:
    return bytes((Code.FULL_VERSION,))


def parse_full_version(apdu: bytes) -> bytes:
    """Version, variant, ROM version, minor version, build, code: one byte each."""
    return expect(Code.FULL_VERSION, apdu, 6)[:6]


def query_version() -> bytes:
    """Asks what a node's network management is capable of."""
    return _expanded(Expanded.QUERY_VERSION)


def parse_query_version(apdu: bytes) -> tuple[int, int]:
    """Version, and capabilities as 16 bits (low byte: see `Capability`)."""
    data = expect(Code.EXPANDED, apdu, 3, sub=Expanded.QUERY_VERSION)
    return data[0], data[1] << 8 | data[2]
