"""Sequence numbers: what a server accepts, what a client sends, and what survives a power cut.

Numbers are 32 bits wide and wrap.  A server that last accepted N accepts N+1 … N+8 and answers
anything else with code 0C and N; a client that reads N goes on with N+1 (MEP guide v1.1, 'RC4
Authentication' and its example 1; the rule is taken to be the same on PLC, where ET04.0 holds N).

Non-volatile memory wears, so it does not hold N itself but a number reserved ahead of N.  It is
written before N reaches it.  After a power cut the reserved number is taken for N: some numbers
are lost, none is ever good twice.
"""

from __future__ import annotations

from typing import Final

from osgp.errors import DecodeError, LocalProtocolError

SEQUENCE_SIZE: Final = 4
MODULUS: Final = 1 << 32
AHEAD: Final = 8
RESERVE: Final = 64


class _Reserved:
    """A number that only moves forward, with a persisted number at or ahead of it."""

    __slots__ = ("_dirty", "_reserve", "_reserved", "last")

    def __init__(self, last: int, reserve: int = RESERVE) -> None:
        if not 0 <= last < MODULUS:
            raise LocalProtocolError("a sequence number has 32 bits")
        if not 0 <= reserve < MODULUS // 2:
            raise LocalProtocolError("a reserve is less than half of the numbers")
        self.last, self._reserve, self._reserved = last, reserve, last
        self._dirty = False

    @property
    def must_persist(self) -> bool:
        """True when `export` gives bytes that were not yet asked for: write them, then send."""
        return self._dirty

    def export(self) -> bytes:
        """Four bytes for non-volatile memory: the number to go on from after a power cut."""
        self._dirty = False
        return self._reserved.to_bytes(SEQUENCE_SIZE, "big")

    def _advance(self, number: int) -> None:
        left = (self._reserved - self.last) % MODULUS
        self.last, step = number, (number - self.last) % MODULUS
        if step > left:
            self._reserved = (number + self._reserve) % MODULUS
            self._dirty = True


def _number(stored: bytes) -> int:
    if len(stored) != SEQUENCE_SIZE:
        raise DecodeError("a stored sequence number has 4 bytes")
    return int.from_bytes(stored, "big")


class SequenceWindow(_Reserved):
    """The server's side: `last` is the number last accepted."""

    __slots__ = ()

    @classmethod
    def restore(cls, stored: bytes, reserve: int = RESERVE) -> SequenceWindow:
        """From the bytes of `export`; raises DecodeError for another length."""
        return cls(_number(stored), reserve)

    def accept(self, number: int) -> bool:
        """True, and `last` becomes `number`, if it is 1 to 8 ahead of `last`."""
        if not 1 <= (number - self.last) % MODULUS <= AHEAD:
            return False
        self._advance(number)
        return True


class SequenceCounter(_Reserved):
    """The client's side: `last` is the number last sent."""

    __slots__ = ()

    @classmethod
    def restore(cls, stored: bytes, reserve: int = RESERVE) -> SequenceCounter:
        """From the bytes of `export`; raises DecodeError for another length."""
        return cls(_number(stored), reserve)

    def take(self) -> int:
        """The next number to send; each message takes one, a repetition of its bytes none."""
        self._advance((self.last + 1) % MODULUS)
        return self.last

    def resynchronise(self, expected: int) -> None:
        """Go on after the number that an authenticated 0C response named."""
        self.last = self._reserved = expected % MODULUS
        self._dirty = True
