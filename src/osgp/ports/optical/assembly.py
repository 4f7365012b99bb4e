"""Messages cut into packets and put together again."""

from __future__ import annotations

from typing import Final

import msgspec

from osgp.errors import RemoteProtocolError

from .packet import OVERHEAD, Packet


class Size(msgspec.Struct, frozen=True):
    """What a side can take: `packets` packets of `packet` bytes each, header and CRC included."""

    packet: int = 64
    packets: int = 1

    @property
    def data(self) -> int:
        """Bytes of data in one packet."""
        return self.packet - OVERHEAD

    @property
    def message(self) -> int:
        """Bytes of a whole message."""
        return self.data * self.packets


DEFAULT_SIZE: Final = Size()
"""Before anything is negotiated."""


def split(message: bytes, size: Size) -> list[Packet]:
    """The packets of a message, without toggle bits."""
    pieces = [message[at : at + size.data] for at in range(0, len(message), size.data)] or [b""]
    if len(pieces) == 1:
        return [Packet(message)]
    return [
        Packet(piece, sequence=len(pieces) - 1 - index, multiple=True, first=index == 0)
        for index, piece in enumerate(pieces)
    ]


class Assembler:
    """Puts packets together; holds at most `size.message` bytes.

    The countdown says what belongs together; some meters count down without the control bits.
    """

    def __init__(self, size: Size) -> None:
        self.size = size
        self._parts: list[bytes] = []
        self._next = -1
        self._multiple = False

    def reset(self) -> None:
        """Forgets an unfinished message."""
        self._parts, self._next = [], -1

    def add(self, packet: Packet) -> bytes | None:
        """The message that `packet` completes; None while more are to come.

        Raises RemoteProtocolError for a countdown with a gap, or one too long to hold.
        """
        if not self._continues(packet):
            self._begin(packet)
        self._parts.append(packet.data)
        self._next = packet.sequence - 1
        if packet.sequence:
            return None
        message = b"".join(self._parts)
        self.reset()
        return message

    def _continues(self, packet: Packet) -> bool:
        if self._next < 0 or packet.first or packet.multiple != self._multiple:
            return False
        if packet.sequence == self._next:
            return True
        expected = self._next
        self.reset()
        raise RemoteProtocolError(f"packet {packet.sequence} came, {expected} was due")

    def _begin(self, packet: Packet) -> None:
        self.reset()
        if packet.multiple and not packet.first:
            raise RemoteProtocolError(f"packet {packet.sequence} of a message without beginning")
        if packet.sequence >= self.size.packets:
            raise RemoteProtocolError(f"a message of {packet.sequence + 1} packets")
        self._multiple = packet.multiple
