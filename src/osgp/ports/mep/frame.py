"""Messages of the MEP port: two bytes of length, most significant first, then as many bytes.

A length of zero is the alert sequence. There is no check value: digests and TLS records prove
what arrived, and only silence tells where the next message begins.
Source: MEP guide v1.1, 'MEP Protocol Overview', 'Alert Sequence', 'MEP Protocol Timing'.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec

from osgp.errors import LocalProtocolError

LENGTH: Final = 2
MAX_MESSAGE: Final = 476
"""Bytes of a message without its length field."""

ALERT_SEQUENCE: Final = bytes(LENGTH)


class Mark(Enum):
    """What a stream may hold besides messages."""

    ALERT = "alert sequence"
    TOO_LONG = "a length beyond 476"


Item = bytes | Mark


class MepTiming(msgspec.Struct, frozen=True):
    """Seconds and bytes, as the guide has them.

    `response`: from the request's last byte to the response's length. `gap`: silence inside a
    response that ends it. `longest`: what a whole response may take beyond its time on the line.
    `byte_gap`: silence inside a request that ends it, at the meter. `spacing`: between requests,
    and between responses. `segment`, `segment_pause`: how the meter cuts responses. `alert_every`:
    period of alerts, and their distance from the last request.
    """

    response: float = 0.5
    gap: float = 0.25
    longest: float = 1.0
    byte_gap: float = 0.05
    spacing: float = 0.1
    segment: int = 117
    segment_pause: float = 0.025
    alert_every: float = 1.0


STANDARD: Final = MepTiming()
UNHURRIED: Final = MepTiming(
    response=2.0,
    gap=1.0,
    longest=5.0,
    byte_gap=0.5,
    spacing=0.0,
    segment=MAX_MESSAGE + LENGTH,
    segment_pause=0.0,
)
"""For pty, TCP and memory: nothing to spare the other side from, but schedulers in between."""


def frame(message: bytes) -> bytes:
    """A message with its length; LocalProtocolError if it is empty or too long."""
    if not 0 < len(message) <= MAX_MESSAGE:
        raise LocalProtocolError(f"a MEP message of {len(message)} bytes")
    return len(message).to_bytes(LENGTH, "big") + message


class FrameParser:
    """Cuts a stream into messages; holds at most one.

    After an impossible length it is `deaf` until told to `listen`.
    """

    def __init__(self) -> None:
        self.deaf = False
        self._buffer = bytearray()

    @property
    def inside(self) -> bool:
        """A message, or its length field, has begun and not ended."""
        return bool(self._buffer)

    @property
    def begun(self) -> bool:
        """A length other than zero has arrived."""
        return len(self._buffer) >= LENGTH

    def listen(self) -> None:
        """Hears again, from a new message on."""
        self._buffer.clear()
        self.deaf = False

    def feed(self, data: bytes) -> list[Item]:
        """What `data` completes."""
        items: list[Item] = []
        position = 0
        while position < len(data) and not self.deaf:
            missing = self._missing()
            self._buffer += data[position : position + missing]
            position += missing
            if not self._missing():
                items.append(self._complete())
        return items

    def _missing(self) -> int:
        have = len(self._buffer)
        if have < LENGTH:
            return LENGTH - have
        length = int.from_bytes(self._buffer[:LENGTH], "big")
        return 0 if length > MAX_MESSAGE else LENGTH + length - have

    def _complete(self) -> Item:
        message = bytes(self._buffer)
        self._buffer.clear()
        if len(message) > LENGTH:
            return message[LENGTH:]
        if message == ALERT_SEQUENCE:
            return Mark.ALERT
        self.deaf = True
        return Mark.TOO_LONG
