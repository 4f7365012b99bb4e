"""Frames of EN 14908-1 in UDP/IP packets, as Wireshark decodes them: CN/IP (EIA-852).

    IPv4 | UDP 1628, urgent 1629 | CN/IP header (20) | LPDU with its CRC

    CN/IP  length(2) version(1) type(1) extension words(1) flags(1) vendor(2)
           session(4) sequence number(4) time stamp in ms(4)

Wireshark 4.0 has its `lon` dissector behind `cnip.protocol` 0 and nowhere else. It does not look
at the CRC, which it shows as the last two bytes of data. Whether EIA-852 carries the CRC is not
known here; frames without it are read too.

IP addresses are made of the frame's own (192.168.subnet.node), so that address columns say
something. Numbers are big-endian.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address
from typing import Final

import msgspec

PORT: Final = 1628
URGENT_PORT: Final = 1629
LON_IP_PORT: Final = 2541
"""LON/IP of `osgp.lon.udp`, which Wireshark does not know but this package reads."""

CNIP_HEADER: Final = struct.Struct(">HBBBBHIII")
DATA_PACKET: Final = 0x01
_VERSION = 1
_PROTOCOL_MASK = 0x1F
_LON = 0

_IP = struct.Struct(">BBHHHBBH4s4s")
_IP_VERSION = 0x45
_FRAGMENT_MASK = 0x3FFF
_UDP = struct.Struct(">HHHH")
_UDP_PROTOCOL = 17
_TIME_TO_LIVE = 64

_UNICAST = (192, 168)
_MULTICAST = (239, 192)


class Datagram(msgspec.Struct, frozen=True):
    """A UDP datagram that may carry a frame: addresses are dotted."""

    source: str
    destination: str
    port: int
    payload: bytes


def wrap(lpdu: bytes, sequence: int, milliseconds: int) -> bytes:
    """The IPv4 packet of a frame."""
    header = CNIP_HEADER.pack(
        CNIP_HEADER.size + len(lpdu), _VERSION, DATA_PACKET, 0, _LON, 0, 0,
        sequence & 0xFFFFFFFF, milliseconds & 0xFFFFFFFF,
    )  # fmt: skip
    source, destination = addresses(lpdu)
    port = URGENT_PORT if lpdu[:1] >= b"\x80" else PORT
    return _ipv4(source, destination, _udp(port, header + lpdu))


def addresses(lpdu: bytes) -> tuple[bytes, bytes]:
    """IPv4 addresses that stand for a frame's source and destination."""
    padded = lpdu[:8].ljust(8, b"\0")
    form, source_node = padded[1] >> 2 & 3, padded[3]
    source = bytes((*_UNICAST, padded[2], source_node & 0x7F))
    if form == 2:
        return source, bytes((*_UNICAST, padded[4], padded[5] & 0x7F))
    return source, bytes((*_MULTICAST, form, padded[4]))


def _udp(port: int, data: bytes) -> bytes:
    return _UDP.pack(port, port, _UDP.size + len(data), 0) + data


def _ipv4(source: bytes, destination: bytes, data: bytes) -> bytes:
    def header(checksum: int) -> bytes:
        return _IP.pack(
            _IP_VERSION, 0, _IP.size + len(data), 0, 0, _TIME_TO_LIVE, _UDP_PROTOCOL, checksum,
            source, destination,
        )  # fmt: skip

    return header(_checksum(header(0))) + data


def _checksum(data: bytes) -> int:
    """RFC 791: ones' complement of the ones' complement sum."""
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def unwrap(packet: bytes) -> Datagram | None:
    """The UDP datagram in an IPv4 packet; None for anything else, fragments too."""
    if len(packet) < _IP.size or packet[0] >> 4 != 4:
        return None
    _, _, length, _, fragment, _, protocol, _, source, destination = _IP.unpack_from(packet)
    start = 4 * (packet[0] & 15)
    if protocol != _UDP_PROTOCOL or fragment & _FRAGMENT_MASK or start < _IP.size:
        return None
    data = packet[start:length] if length else packet[start:]
    if len(data) < _UDP.size:
        return None
    from_port, to_port, size, _ = _UDP.unpack_from(data)
    port = from_port if _is_ours(from_port) and not _is_ours(to_port) else to_port
    payload = data[_UDP.size : max(size, _UDP.size)]
    return Datagram(str(IPv4Address(source)), str(IPv4Address(destination)), port, payload)


def _is_ours(port: int) -> bool:
    return port in (PORT, URGENT_PORT, LON_IP_PORT)


def frame_in(datagram: Datagram) -> bytes | None:
    """The frame in a CN/IP data packet; None where there is none."""
    if datagram.port not in (PORT, URGENT_PORT) or len(datagram.payload) < CNIP_HEADER.size:
        return None
    size, _, kind, words, flags, *_ = CNIP_HEADER.unpack_from(datagram.payload)
    if kind != DATA_PACKET or flags & _PROTOCOL_MASK != _LON:
        return None
    return datagram.payload[CNIP_HEADER.size + 4 * words : size] or None
