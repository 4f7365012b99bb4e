"""Frames of EN 14908-1: link (LPDU) and network (NPDU) layer, and the fast dispatch key.

    LPDU  L2HDR(1) | NPDU | CRC(2)          L2HDR: priority, alternate path, delta backlog(6)
    NPDU  HDR(1) | source(2) | destination(1..7) | domain(0/1/3/6) | enclosed PDU
    HDR   version(2) | PDU type(2) | address format(2) | domain length code(2)

The most significant bit of the source node tells format 2a (set) from 2b (clear).
Multi-byte values are big-endian. Encodings observed from two independent stacks; the vectors
are in tests/vectors/en14908.json.
"""

from __future__ import annotations

from collections.abc import Hashable
from enum import IntEnum

import msgspec

from osgp.errors import DecodeError, EncodeError, Truncated
from osgp.lon.addresses import (
    DOMAIN_CODES,
    DOMAIN_LENGTHS,
    FORMATS,
    MAX_NODE,
    NEURON_ID_LENGTH,
    AddressFormat,
    Broadcast,
    Destination,
    Group,
    GroupMember,
    NeuronId,
    SubnetNode,
)
from osgp.lon.crc import crc16
from osgp.lon.tpdu import Apdu, AuthPdu, Spdu, Tpdu

LEGACY = 0
"""NPDU version with 4-bit transaction numbers, the one of the power line."""
ENHANCED = 2
"""NPDU version with 12-bit transaction numbers."""

MAX_BACKLOG = 0x3F
MIN_FRAME = 7
"""L2HDR, HDR, source, one byte of destination, CRC."""

_SELECTOR = 0x80


class PduType(IntEnum):
    """What an NPDU encloses."""

    TPDU = 0
    SPDU = 1
    AUTH = 2
    APDU = 3


_PDU_TYPES = tuple(PduType)


class Npdu(msgspec.Struct, frozen=True):
    """Network layer PDU; `pdu` holds the enclosed PDU as bytes (see `enclosed`)."""

    pdu_type: PduType
    source: SubnetNode
    destination: Destination
    domain: bytes
    pdu: bytes
    version: int = LEGACY

    def encode(self) -> bytes:
        """The NPDU's bytes. Raises EncodeError for a value that has no place in it."""
        destination = self.destination
        code = DOMAIN_CODES.get(len(self.domain))
        if code is None:
            raise EncodeError(f"{len(self.domain)} bytes is no domain length", field="domain")
        form = FORMATS[type(destination)]
        header = self.version << 6 | self.pdu_type << 4 | form << 2 | code
        source = self.source
        _check_node(source.node)
        selector = 0 if type(destination) is GroupMember else _SELECTOR
        try:
            head = bytes((header, source.subnet, selector | source.node))
            return head + _encode_destination(destination) + self.domain + self.pdu
        except ValueError as error:
            raise EncodeError("address out of range", field="npdu") from error

    @classmethod
    def decode(cls, data: bytes) -> Npdu:
        """Raises DecodeError for anything that is not a whole NPDU of version 0 or 2."""
        return _decode_npdu(bytes(data), 0, len(data))

    def enclosed(self) -> Tpdu | Spdu | AuthPdu | Apdu:
        """The enclosed PDU, decoded. Raises DecodeError."""
        if self.pdu_type is PduType.TPDU:
            return Tpdu.decode(self.pdu, self.version)
        if self.pdu_type is PduType.SPDU:
            return Spdu.decode(self.pdu, self.version)
        if self.pdu_type is PduType.AUTH:
            return AuthPdu.decode(self.pdu, self.version)
        return Apdu.decode(self.pdu)


class Lpdu(msgspec.Struct, frozen=True):
    """Link layer PDU. `delta_backlog` 0..63: answers this frame makes other nodes send."""

    priority: bool
    alternate_path: bool
    delta_backlog: int
    npdu: Npdu

    def encode(self) -> bytes:
        """The frame with its CRC. Raises EncodeError."""
        if not 0 <= self.delta_backlog <= MAX_BACKLOG:
            raise EncodeError("0..63", field="delta_backlog")
        header = self.priority << 7 | self.alternate_path << 6 | self.delta_backlog
        body = bytes((header,)) + self.npdu.encode()
        return body + crc16(body).to_bytes(2, "big")

    @classmethod
    def decode(cls, frame: bytes) -> Lpdu:
        """Raises DecodeError for a bad CRC, a short frame or an unknown version."""
        data = bytes(frame)
        if not valid_crc(data):
            raise DecodeError("CRC differs", table="LPDU", field="crc", offset=len(data) - 2)
        header = data[0]
        return cls(
            header >= 0x80,
            header & 0x40 != 0,
            header & MAX_BACKLOG,
            _decode_npdu(data, 1, len(data) - 2),
        )


def valid_crc(frame: bytes) -> bool:
    """Whether `frame` is long enough for an LPDU and ends in its CRC."""
    return len(frame) >= MIN_FRAME and crc16(frame[:-2]) == frame[-2] << 8 | frame[-1]


def destination_key(frame: bytes) -> Hashable | None:
    """Key of the node or group that `frame` (an encoded LPDU) is addressed to.

    ("n", neuron id), ("s", domain, subnet, node) or ("g", domain, group); None for broadcasts,
    and for bytes too short to say. Nothing is verified: it exists so that a simulated medium can
    pass over the nodes whose `Stack.address_keys()` do not contain the key.
    """
    if len(frame) < MIN_FRAME:
        return None
    header = frame[1]
    form = header >> 2 & 3
    if form == AddressFormat.SUBNET_NODE:
        start = 6 if frame[3] & _SELECTOR else 8
        domain = frame[start : start + DOMAIN_LENGTHS[header & 3]]
        return ("s", domain, frame[4], frame[5] & MAX_NODE)
    if form == AddressFormat.NEURON_ID:
        return ("n", frame[5 : 5 + NEURON_ID_LENGTH])
    if form == AddressFormat.GROUP:
        return ("g", frame[5 : 5 + DOMAIN_LENGTHS[header & 3]], frame[4])
    return None


def broadcast_request(frame: bytes) -> bytes | None:
    """APDU of `frame` if it is a plain broadcast request; None for everything else.

    Nothing is verified: it exists so that a node can pass over questions that are not for it
    before it takes the frame apart.
    """
    if len(frame) < MIN_FRAME or frame[1] & 0xFC != PduType.SPDU << 4:
        return None
    start = 5 + DOMAIN_LENGTHS[frame[1] & 3]
    if len(frame) < start + 3 or frame[start] & 0xF0:
        return None
    return frame[start + 1 : -2]


def _check_node(node: int) -> None:
    if not 0 <= node <= MAX_NODE:
        raise EncodeError("0..127", field="node")


def _encode_destination(to: Destination) -> bytes:
    match to:
        case SubnetNode(subnet, node):
            _check_node(node)
            return bytes((subnet, _SELECTOR | node))
        case NeuronId(neuron, subnet):
            if len(neuron) != NEURON_ID_LENGTH:
                raise EncodeError("6 bytes", field="neuron")
            return bytes((subnet,)) + neuron
        case Broadcast(subnet):
            return bytes((subnet,))
        case Group(group):
            return bytes((group,))
        case GroupMember(subnet, node, group, member):
            _check_node(node)
            return bytes((subnet, _SELECTOR | node, group, member))


def _decode_npdu(data: bytes, start: int, end: int) -> Npdu:
    """The NPDU in `data[start:end]`; destination and domain must lie inside it."""
    if end - start < 4:
        raise Truncated("no room for the header", table="NPDU", offset=end)
    header = data[start]
    version = header >> 6
    if version not in (LEGACY, ENHANCED):
        raise DecodeError(f"version {version}", table="NPDU", field="version", offset=start)
    selected = data[start + 2]
    domain_at = start + 3 + _destination_length(header, selected)
    pdu_at = domain_at + DOMAIN_LENGTHS[header & 3]
    if pdu_at > end:
        raise Truncated("destination or domain cut off", table="NPDU", offset=end)
    return Npdu(
        _PDU_TYPES[header >> 4 & 3],
        SubnetNode(data[start + 1], selected & MAX_NODE),
        _decode_destination(header, selected, data, start + 3),
        data[domain_at:pdu_at],
        data[pdu_at:end],
        version,
    )


def _destination_length(header: int, selected: int) -> int:
    form = header >> 2 & 3
    if form == AddressFormat.SUBNET_NODE:
        return 2 if selected & _SELECTOR else 4
    return 1 + NEURON_ID_LENGTH if form == AddressFormat.NEURON_ID else 1


def _decode_destination(header: int, selected: int, data: bytes, at: int) -> Destination:
    form = header >> 2 & 3
    if form == AddressFormat.SUBNET_NODE:
        subnet, node = data[at], data[at + 1] & MAX_NODE
        if selected & _SELECTOR:
            return SubnetNode(subnet, node)
        return GroupMember(subnet, node, data[at + 2], data[at + 3])
    if form == AddressFormat.NEURON_ID:
        return NeuronId(data[at + 1 : at + 1 + NEURON_ID_LENGTH], data[at])
    return Group(data[at]) if form == AddressFormat.GROUP else Broadcast(data[at])
