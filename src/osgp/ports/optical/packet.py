"""Packets of ANSI C12.18: their bytes, and how to find them in a stream.

    EE | identity | control | sequence | length 2 | data | CRC 2

Control: bit 7 part of several packets, bit 6 the first of them, bit 5 toggles with every new
packet. The sequence number counts down to 0, the last packet. Length is big-endian; the CRC
(polynomial 1021, reflected, as HDLC) covers everything before it and goes low byte first. Each
packet is answered with ACK (06) or NAK (15); some meters answer 00 where ACK is due.
Source: ANSI C12.18-1996 as public decoders know it.
"""

from __future__ import annotations

from binascii import crc_hqx
from enum import Enum
from typing import Final

import msgspec

START: Final = 0xEE
HEADER: Final = 6
TRAILER: Final = 2
OVERHEAD: Final = HEADER + TRAILER
MAX_DATA: Final = 8183
MULTIPLE: Final = 0x80
FIRST: Final = 0x40
TOGGLE: Final = 0x20

_MIRRORED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in the opposite order."""


def crc16(data: bytes) -> int:
    """CRC-16/X-25 of `data`, 0..0xFFFF.

    It takes bits lowest first; the library's takes them highest first, over mirrored bytes.
    """
    crc = crc_hqx(data.translate(_MIRRORED), 0xFFFF) ^ 0xFFFF
    return _MIRRORED[crc & 0xFF] << 8 | _MIRRORED[crc >> 8]


class Signal(Enum):
    """A single byte between packets."""

    ACK = 0x06
    NAK = 0x15
    ZERO = 0x00


class Packet(msgspec.Struct, frozen=True):
    """One packet; `sequence` packets of the same message follow it."""

    data: bytes
    sequence: int = 0
    multiple: bool = False
    first: bool = False
    toggle: bool = False
    identity: int = 0

    def encode(self) -> bytes:
        """The packet with header and CRC."""
        control = self.multiple * MULTIPLE | self.first * FIRST | self.toggle * TOGGLE
        head = bytes((START, self.identity, control, self.sequence))
        body = head + len(self.data).to_bytes(2, "big") + self.data
        return body + crc16(body).to_bytes(2, "little")


class Damaged(msgspec.Struct, frozen=True):
    """A packet began and did not end well."""

    reason: str


Item = Packet | Signal | Damaged


class PacketParser:
    """Finds packets and signals in a stream; holds one packet of at most `max_data` bytes.

    After a damaged packet it is `deaf` until told to `listen`: what follows may be the packet's
    rest, and a rest may look like anything.
    """

    def __init__(self, max_data: int) -> None:
        self.max_data = min(max_data, MAX_DATA)
        self.deaf = False
        self._buffer = bytearray()

    @property
    def inside(self) -> bool:
        """A packet has begun and not ended."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[Item]:
        """Packets and signals that `data` completes; noise between them is dropped."""
        items: list[Item] = []
        position = 0
        while position < len(data) and not self.deaf:
            if self._buffer or data[position] == START:
                position = self._grow(data, position, items)
            else:
                if data[position] in _SIGNALS:
                    items.append(Signal(data[position]))
                position += 1
        return items

    def listen(self) -> None:
        """Hears again, from a new packet on."""
        self._buffer.clear()
        self.deaf = False

    def _grow(self, data: bytes, position: int, items: list[Item]) -> int:
        wanted = self._wanted() - len(self._buffer)
        self._buffer += data[position : position + wanted]
        if self._length > self.max_data:
            items.append(self._abandon(f"a packet of {self._length} bytes"))
        elif len(self._buffer) == self._wanted():
            items.append(self._complete())
        return position + wanted

    @property
    def _length(self) -> int:
        return int.from_bytes(self._buffer[4:6], "big") if len(self._buffer) >= HEADER else 0

    def _wanted(self) -> int:
        return HEADER if len(self._buffer) < HEADER else self._length + OVERHEAD

    def _abandon(self, reason: str) -> Damaged:
        self._buffer.clear()
        self.deaf = True
        return Damaged(reason)

    def _complete(self) -> Item:
        body = bytes(self._buffer)
        if crc16(body[:-2]) != int.from_bytes(body[-2:], "little"):
            return self._abandon("a wrong CRC")
        self._buffer.clear()
        control = body[2]
        return Packet(
            body[HEADER:-TRAILER],
            sequence=body[3],
            multiple=bool(control & MULTIPLE),
            first=bool(control & FIRST),
            toggle=bool(control & TOGGLE),
            identity=body[1],
        )


_SIGNALS: Final = frozenset(signal.value for signal in Signal)
