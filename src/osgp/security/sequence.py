"""Sequence numbers: what a server accepts, what a client sends, and what survives a power cut.

Numbers are 32 bits wide and wrap.  A server that last accepted N accepts N+1 … N+8 and answers
anything else with code 0C and N; a client that reads N goes on with N+1 (MEP guide v1.1, 'RC4
Authentication' and its example 1; the rule is taken to be the same on PLC, where ET04.0 holds N).

The AES suite moves forward only: a server accepts any greater number, nobody ever goes back, and
the numbers end with the channel (`ForwardNumber`).

Non-volatile memory wears, so it does not hold N itself but a number reserved ahead of N, written
eight numbers before N reaches it.  After a power cut the reserved number is taken for N: some
numbers are lost, none is ever good twice.
"""

from __future__ import annotations

from typing import Final

from osgp.errors import DecodeError, LocalProtocolError

SEQUENCE_SIZE: Final = 4
MODULUS: Final = 1 << 32
AHEAD: Final = 8
RESERVE: Final = 64
CLIENT_RESERVE: Final = 256
"""A client writes to a database of many devices, and pays one resynchronisation for any leap."""


class _Reserved:
    """A number that moves round the circle of 2^32, with a persisted number ahead of it."""

    __slots__ = ("_reserve", "_reserved", "last", "must_persist")

    def __init__(self, last: int, reserve: int = RESERVE) -> None:
        if not 0 <= last < MODULUS:
            raise LocalProtocolError("a sequence number has 32 bits")
        if not AHEAD < reserve < MODULUS // 2:
            raise LocalProtocolError("a reserve is more than 8 and less than half of the numbers")
        self._reserve = reserve
        self._set(last)

    def _set(self, last: int) -> None:
        self.last, self._reserved = last, (last + self._reserve) % MODULUS
        self.must_persist = True

    def export(self) -> bytes:
        """Four bytes for non-volatile memory: the number to go on from after a power cut.

        Due whenever `must_persist` is true, which this call ends.
        """
        self.must_persist = False
        return self._reserved.to_bytes(SEQUENCE_SIZE, "big")

    def _advance(self, number: int) -> None:
        self.last = number
        if not AHEAD <= (self._reserved - number) % MODULUS <= self._reserve:
            self._set(number)


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

    def skip(self, count: int) -> None:
        """`last` moves on without a message."""
        self._set((self.last + count) % MODULUS)


class SequenceCounter(_Reserved):
    """The client's side: `last` is the number last sent."""

    __slots__ = ()

    def __init__(self, last: int, reserve: int = CLIENT_RESERVE) -> None:
        super().__init__(last, reserve)

    @classmethod
    def restore(cls, stored: bytes, reserve: int = CLIENT_RESERVE) -> SequenceCounter:
        """From the bytes of `export`; raises DecodeError for another length."""
        return cls(_number(stored), reserve)

    def take(self) -> int:
        """The next number to send; each message takes one, a repetition of its bytes none."""
        self._advance((self.last + 1) % MODULUS)
        return self.last

    def resynchronise(self, expected: int) -> None:
        """Go on after the number that an authenticated 0C response named."""
        self._set(expected % MODULUS)


class ForwardNumber:
    """A number that only grows, in either role of the AES suite.

    It is exhausted at 2^32 - 1; no channel lives that long, for its key's uses end earlier.
    """

    __slots__ = ("_mark", "_reserve", "_reserved", "last", "must_persist")

    def __init__(self, last: int = 0, reserve: int = RESERVE) -> None:
        self._reserve = reserve
        self._reach(last)

    def _reach(self, number: int) -> None:
        if number >= MODULUS:
            raise LocalProtocolError("this channel's sequence numbers are used up: renew its keys")
        self.last = number
        self._reserved = min(number + self._reserve, MODULUS - 1)
        self._mark = self._reserved - AHEAD
        self.must_persist = True

    def take(self) -> int:
        """The next number to send; LocalProtocolError when there is none left."""
        number = self.last + 1
        self.advance(number)
        return number

    def accept(self, number: int) -> bool:
        """True, and `last` becomes `number`, if it is greater than `last`."""
        if number <= self.last:
            return False
        self.advance(number)
        return True

    def advance(self, number: int) -> None:
        """Go on to `number`, which must not be smaller than `last`."""
        if number > self._mark:
            self._reach(number)
        else:
            self.last = number

    def export(self) -> int:
        """The number to go on from after a power cut; due whenever `must_persist` is true."""
        self.must_persist = False
        return self._reserved
