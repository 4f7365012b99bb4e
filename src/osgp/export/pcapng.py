"""Captures of power line frames as files: pcapng written, pcapng and classic pcap read.

Frames are written as `osgp.export.cnip` wraps them. Nothing here opens a file: bytes go in and
out, so that a capture can be written while a simulation runs and read from anywhere.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from osgp.errors import DecodeError, Truncated

from .cnip import LON_IP_PORT, Datagram, frame_in, unwrap, wrap

SECTION: Final = 0x0A0D0D0A
INTERFACE: Final = 1
PACKET: Final = 6
SIMPLE_PACKET: Final = 3
BYTE_ORDER: Final = 0x1A2B3C4D

ETHERNET, RAW, LINUX_COOKED, IPV4, LINUX_COOKED_2 = 1, 101, 113, 228, 276
"""Link types of tcpdump.org that IP packets are found in."""

_COMMENT = 1
_NAME = 2
_TIME_RESOLUTION = 9
_MICROSECONDS = 1_000_000
_CLASSIC: Final = {
    b"\xd4\xc3\xb2\xa1": ("<", _MICROSECONDS),
    b"\xa1\xb2\xc3\xd4": (">", _MICROSECONDS),
    b"\x4d\x3c\xb2\xa1": ("<", 1_000_000_000),
    b"\xa1\xb2\x3c\x4d": (">", 1_000_000_000),
}
_IP_TYPE = b"\x08\x00"
_VLAN_TYPE = b"\x81\x00"


class Frame(msgspec.Struct, frozen=True):
    """A frame of the power line. `time` in seconds since 1970; `comment` is for people."""

    time: float
    lpdu: bytes
    comment: str = ""


class Captured(NamedTuple):
    """What a packet of a capture held: a frame (LPDU), or a LON/IP datagram still to be read."""

    number: int
    time: float
    lpdu: bytes | None
    datagram: Datagram
    comment: str


class Writer:
    """Makes a pcapng file, piece by piece: `header`, then `frame` for each frame."""

    def __init__(self) -> None:
        self._written = 0

    def header(self) -> bytes:
        """What stands in front of all frames."""
        section = struct.pack("<IHHq", BYTE_ORDER, 1, 0, -1)
        name = b"power line"
        options = struct.pack("<HH", _NAME, len(name)) + _padded(name) + bytes(4)
        interface = struct.pack("<HHI", IPV4, 0, 0) + options
        return _block(SECTION, section) + _block(INTERFACE, interface)

    def frame(self, frame: Frame) -> bytes:
        """The block of one frame."""
        packet = wrap(frame.lpdu, self._written, int(frame.time * 1000))
        self._written += 1
        stamp = round(frame.time * _MICROSECONDS)
        fixed = struct.pack("<IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(packet), len(packet))
        return _block(PACKET, fixed + _padded(packet) + _commented(frame.comment))


def capture(frames: Iterable[Frame]) -> bytes:
    """A whole pcapng file."""
    writer = Writer()
    return writer.header() + b"".join(writer.frame(frame) for frame in frames)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _commented(text: str) -> bytes:
    data = text.encode("utf-8")[:0xFFF0]
    return struct.pack("<HH", _COMMENT, len(data)) + _padded(data) + bytes(4) if data else b""


def read(data: bytes) -> Iterator[Captured]:
    """Frames in a capture, in its order; packets of other protocols are passed over.

    Raises DecodeError where the file is no capture or is damaged.
    """
    packets = _classic(data) if data[:4] in _CLASSIC else _blocks(data)
    for number, packet in enumerate(packets, 1):
        datagram = unwrap(_ip_packet(packet.link, packet.data))
        if datagram is None:
            continue
        lpdu = frame_in(datagram)
        if lpdu is not None or datagram.port == LON_IP_PORT:
            yield Captured(number, packet.time, lpdu, datagram, packet.comment)


class _Packet(NamedTuple):
    link: int
    time: float
    data: bytes
    comment: str = ""


class _Interface(NamedTuple):
    link: int
    ticks: int


def _blocks(data: bytes) -> Iterator[_Packet]:
    """Packets of a pcapng file."""
    order, interfaces, at = "<", list[_Interface](), 0
    while at < len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order, interfaces = _section_order(data, at), []
        elif at == 0:
            raise DecodeError("is neither pcapng nor pcap", offset=0)
        kind, body, at = _next_block(data, at, order)
        if kind == INTERFACE:
            interfaces.append(_interface(body, order, at))
        elif kind in _PACKETS:
            yield _PACKETS[kind](body, order, interfaces, at)


def _section_order(data: bytes, at: int) -> str:
    magic = data[at + 8 : at + 12]
    for order in "<>":
        if magic == struct.pack(f"{order}I", BYTE_ORDER):
            return order
    raise DecodeError("a section without byte order", offset=at)


def _next_block(data: bytes, at: int, order: str) -> tuple[int, bytes, int]:
    """Type, body and end of the block at a place."""
    if len(data) - at < 12:
        raise Truncated("ends in a block", offset=at)
    kind, length = struct.unpack_from(f"{order}II", data, at)
    if length < 12 or length % 4:
        raise DecodeError(f"a block of {length} bytes", offset=at)
    if at + length > len(data):
        raise Truncated("ends in a block", offset=at)
    return kind, data[at + 8 : at + length - 4], at + length


def _interface(body: bytes, order: str, at: int) -> _Interface:
    if len(body) < 8:
        raise DecodeError("a short interface block", offset=at)
    (link,) = struct.unpack_from(f"{order}H", body)
    resolution = _options(body[8:], order).get(_TIME_RESOLUTION, b"\x06")[:1]
    code = resolution[0] if resolution else 6
    base, power = (2, code & 0x7F) if code & 0x80 else (10, code)
    return _Interface(link, base ** min(power, 64))


def _options(data: bytes, order: str) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        code, length = struct.unpack_from(f"{order}HH", data, at)
        if code == 0:
            break
        found.setdefault(code, data[at + 4 : at + 4 + length])
        at += 4 + length + -length % 4
    return found


def _enhanced(body: bytes, order: str, interfaces: list[_Interface], at: int) -> _Packet:
    if len(body) < 20:
        raise DecodeError("a short packet block", offset=at)
    number, high, low, length, _ = struct.unpack_from(f"{order}IIIII", body)
    if number >= len(interfaces) or 20 + length > len(body):
        raise DecodeError("a packet without interface, or longer than its block", offset=at)
    interface = interfaces[number]
    options = _options(body[20 + length + -length % 4 :], order)
    comment = options.get(_COMMENT, b"").decode("utf-8", "replace")
    seconds = (high << 32 | low) / interface.ticks
    return _Packet(interface.link, seconds, body[20 : 20 + length], comment)


def _simple(body: bytes, order: str, interfaces: list[_Interface], at: int) -> _Packet:
    if len(body) < 4 or not interfaces:
        raise DecodeError("a packet without interface or length", offset=at)
    (length,) = struct.unpack_from(f"{order}I", body)
    return _Packet(interfaces[0].link, 0.0, body[4 : 4 + length])


_PACKETS: Final[dict[int, Callable[[bytes, str, list[_Interface], int], _Packet]]] = {
    PACKET: _enhanced,
    SIMPLE_PACKET: _simple,
}


def _classic(data: bytes) -> Iterator[_Packet]:
    """Packets of a pcap file."""
    order, ticks = _CLASSIC[data[:4]]
    if len(data) < 24:
        raise Truncated("ends in the header", offset=len(data))
    (link,) = struct.unpack_from(f"{order}I", data, 20)
    at = 24
    while at < len(data):
        if at + 16 > len(data):
            raise Truncated("ends in a packet", offset=at)
        seconds, fraction, length, _ = struct.unpack_from(f"{order}IIII", data, at)
        at += 16
        if at + length > len(data):
            raise Truncated("ends in a packet", offset=at)
        yield _Packet(link & 0xFFFF, seconds + fraction / ticks, data[at : at + length])
        at += length


def _ip_packet(link: int, data: bytes) -> bytes:
    """The IP packet in a packet of a link type; empty where there is none."""
    match link:
        case 101 | 228:
            return data
        case 113:
            return data[16:] if data[14:16] == _IP_TYPE else b""
        case 276:
            return data[20:] if data[:2] == _IP_TYPE else b""
        case 1:
            start = 16 if data[12:14] == _VLAN_TYPE else 12
            return data[start + 2 :] if data[start : start + 2] == _IP_TYPE else b""
    return b""
