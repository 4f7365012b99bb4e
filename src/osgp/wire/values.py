"""Bytes to values of a record and back, for the interpreter and for generated code."""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import lru_cache
from operator import index
from typing import Any

from .kinds import Form

_BIT_POSITIONS = tuple(tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256))


@lru_cache(maxsize=1024)  # statuses and lists of tables repeat from image to image
def decode_set(data: bytes) -> frozenset[int]:
    """SET as the numbers of its set bits, bit 0 = LSB of the first byte."""
    return frozenset(
        8 * index + bit for index, byte in enumerate(data) for bit in _BIT_POSITIONS[byte]
    )


def encode_set(members: Collection[int], size: int) -> bytes:
    """ValueError if a member lies outside `size` bytes."""
    number = 0
    for member in members:
        if not 0 <= member < 8 * size:
            raise ValueError(f"{member} is outside a SET of {size} bytes")
        number |= 1 << member
    return number.to_bytes(size, "little")


def decode_bytes(form: Form, data: bytes) -> Any:
    match form:
        case "text":
            return data.decode("latin-1")
        case "bcd":
            return data.hex()
        case "set":
            return decode_set(data)
    return data


def encode_bytes(form: Form, value: Any, size: int) -> bytes:
    """ValueError, TypeError or AttributeError if `value` is not of this form and size."""
    match form:
        case "text":
            data = value.encode("latin-1")
        case "bcd":
            data = bytes.fromhex(value)
        case "set":
            return encode_set(value, size)
        case _:
            data = octets(value)
    return fixed(data, size)


def octets(value: Any) -> bytes:
    """`value` as bytes; TypeError for numbers, texts and anything else that is no buffer."""
    return value if isinstance(value, bytes) else bytes(memoryview(value))


def fixed(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise ValueError(f"{len(data)} bytes, not {size}")
    return data


def counted(values: Collection[Any], count: int) -> Collection[Any]:
    if len(values) != count:
        raise ValueError(f"{len(values)} elements, not {count}")
    return values


def capped(number: Any, cap: int) -> int:
    """A count or length that data gave; ValueError beyond its cap."""
    if not isinstance(number, int) or not 0 <= number <= cap:
        raise ValueError(f"{number!r} is outside 0..{cap}")
    return number


def need(data: bytes, end: int) -> None:
    """ValueError if `data` ends before `end`."""
    if end > len(data):
        raise ValueError("too short")


def masked(value: Any, mask: int) -> int:
    """The number in a bit field; TypeError or ValueError for what it cannot hold."""
    number = index(value)
    if not 0 <= number <= mask:
        raise ValueError(f"outside 0..{mask}")
    return number


def ranged(value: Any, size: int, signed: bool) -> int:
    """A number of `size` bytes; TypeError or ValueError for what it cannot hold."""
    number, span = index(value), 1 << 8 * size
    low = -span // 2 if signed else 0
    if not low <= number < low + span:
        raise ValueError(f"outside {low}..{low + span - 1}")
    return number


def finite(value: float) -> float:
    """A quantity: not-a-number and infinities are refused."""
    if not math.isfinite(value):
        raise ValueError("not a finite number")
    return value


def absent(value: Any) -> None:
    if value is not None:
        raise ValueError("this layout has no such field")
