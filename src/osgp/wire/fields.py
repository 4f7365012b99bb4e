"""Constructors of fields, one for each wire type.

Their return types are those of the decoded values, so that type checkers know what an attribute
of a decoded record is; what they return is a `Field`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, Unpack, cast

from .expr import Operand, Ref, lift
from .kinds import Array, Bcd, Bits, BitSet, Integer, Kind, Nested, NonInteger, Octets, Rest, Text
from .limits import MAX_ARRAY_ELEMENTS
from .record import Field, Meta, Record

R = TypeVar("R", bound=Record)
T = TypeVar("T")


def field_of(kind: Kind, meaning: str, meta: Meta) -> Any:
    return Field(kind=kind, meaning=meaning, **meta)


def _integer(size: int, signed: bool) -> Callable[..., int]:
    def declare(meaning: str = "", **meta: Unpack[Meta]) -> int:
        return cast(int, field_of(Integer(size, signed), meaning, meta))

    return declare


uint8, uint16, uint24, uint32, uint40, uint48, uint64 = (
    _integer(size, False) for size in (1, 2, 3, 4, 5, 6, 8)
)
int8, int16, int24, int32, int40, int48, int64 = (
    _integer(size, True) for size in (1, 2, 3, 4, 5, 6, 8)
)


def bits(
    lo: int,
    hi: int,
    meaning: str = "",
    *,
    word: int = 8,
    starts: bool = False,
    **meta: Unpack[Meta],
) -> int:
    """An unsigned number in bits `lo`..`hi` (0 = LSB) of a word of `word` bits.

    `starts` opens a new word where `lo` alone does not show it.
    """
    return cast(int, field_of(_bits(lo, hi, word, False, starts), meaning, meta))


def flag(
    bit: int, meaning: str = "", *, word: int = 8, starts: bool = False, **meta: Unpack[Meta]
) -> bool:
    """One bit, False or True."""
    return cast(bool, field_of(_bits(bit, bit, word, True, starts), meaning, meta))


def _bits(lo: int, hi: int, word: int, boolean: bool, starts: bool) -> Bits:
    if not 0 <= lo <= hi < word or word not in (8, 16, 24, 32, 40, 48):
        raise ValueError(f"no bits {lo}..{hi} in a word of {word}")
    return Bits(lo, hi, word, boolean, starts)


def octets(size: Operand, meaning: str = "", **meta: Unpack[Meta]) -> bytes:
    return cast(bytes, field_of(Octets(lift(size)), meaning, meta))


def text(size: Operand, meaning: str = "", **meta: Unpack[Meta]) -> str:
    return cast(str, field_of(Text(lift(size)), meaning, meta))


def bcd(size: Operand, meaning: str = "", **meta: Unpack[Meta]) -> str:
    return cast(str, field_of(Bcd(lift(size)), meaning, meta))


def bitset(size: Operand, meaning: str = "", **meta: Unpack[Meta]) -> frozenset[int]:
    """SET of `size` bytes."""
    return cast(frozenset[int], field_of(BitSet(lift(size)), meaning, meta))


def rest(meaning: str = "", **meta: Unpack[Meta]) -> bytes:
    return cast(bytes, field_of(Rest(), meaning, meta))


def nested(record: type[R], meaning: str = "", **meta: Unpack[Meta]) -> R:
    return cast(R, field_of(Nested(record), meaning, meta))


def array(
    element: T,
    count: Operand,
    meaning: str = "",
    *,
    cap: int = MAX_ARRAY_ELEMENTS,
    **meta: Unpack[Meta],
) -> tuple[T, ...]:
    """`count` elements; `cap` bounds a count that a peer gives."""
    if not isinstance(element, Field):
        raise TypeError("an array's element is declared with one of these functions")
    return cast("tuple[T, ...]", field_of(Array(element, lift(count), cap), meaning, meta))


_BT00 = Ref("BT00")


def ni_fmat1(meaning: str = "", **meta: Unpack[Meta]) -> int:
    """Non-integer format 1; INT32 unless BT00 says otherwise."""
    kind = NonInteger(1, _BT00.ni_format_1.or_else(8))
    return cast(int, field_of(kind, meaning, meta))


def ni_fmat2(meaning: str = "", **meta: Unpack[Meta]) -> int:
    """Non-integer format 2; INT32 unless BT00 says otherwise."""
    kind = NonInteger(2, _BT00.ni_format_2.or_else(8))
    return cast(int, field_of(kind, meaning, meta))
