"""Types and formulas as overlays write them, read into declarations; nothing is evaluated.

type      UINT8..UINT64, INT8..INT64, BOOL(3), UINT(0..2), NI_FMAT1, NI_FMAT2, TIME, DATE, RDATE,
          STIME_DATE, LTIME_DATE, REST, SET(size), ARRAY[size] OF UINT8 | CHAR | BCD,
          LIST[count] OF type, the name of a record of the same overlay
formula   numbers, ET11.data_entry_size, BT61.data_sets[n].number_of_channels, earlier fields of
          the same record by name, n (the index of the list around), + - * // % max(a, b),
          comparisons, and, or, not
"""

from __future__ import annotations

import ast
import keyword
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from osgp.wire import (
    INDEX,
    Date,
    Expr,
    LTimeDate,
    RDate,
    Record,
    Ref,
    STimeDate,
    Time,
    array,
    bcd,
    bits,
    bitset,
    flag,
    int8,
    int16,
    int24,
    int32,
    int40,
    int48,
    int64,
    nested,
    ni_fmat1,
    ni_fmat2,
    octets,
    rest,
    text,
    this,
    uint8,
    uint16,
    uint24,
    uint32,
    uint40,
    uint48,
    uint64,
)
from osgp.wire.expr import lift
from osgp.wire.kinds import Bcd, Bits, Integer, Kind, NonInteger, Text

LONGEST: Final = 400
"""Characters of a type or formula."""

_FORMULA = re.compile(r"[\w\s.\[\]()+*/%<>=!,-]*", re.ASCII)
_NUMBER_AND_NAME = re.compile(r"(?<!\w)\d+[A-Za-z_]")
_TABLE = re.compile(r"[BE]T\d{2,4}")
_BOOL = re.compile(r"BOOL\((\d+)\)")
_BITS = re.compile(r"UINT\((\d+)\.\.(\d+)\)")
_SET = re.compile(r"SET\((.+)\)")
_ARRAY = re.compile(r"ARRAY\[(.+)\] OF (UINT8|CHAR|BCD)")
_LIST = re.compile(r"LIST\[(.+?)\] OF (.+)")

_PLAIN: Final[dict[str, Callable[..., Any]]] = {
    "UINT8": uint8,
    "UINT16": uint16,
    "UINT24": uint24,
    "UINT32": uint32,
    "UINT40": uint40,
    "UINT48": uint48,
    "UINT64": uint64,
    "INT8": int8,
    "INT16": int16,
    "INT24": int24,
    "INT32": int32,
    "INT40": int40,
    "INT48": int48,
    "INT64": int64,
    "NI_FMAT1": ni_fmat1,
    "NI_FMAT2": ni_fmat2,
    "REST": rest,
}
_TIMES: Final[dict[str, type[Record]]] = {
    "TIME": Time,
    "DATE": Date,
    "RDATE": RDate,
    "STIME_DATE": STimeDate,
    "LTIME_DATE": LTimeDate,
}
_ARRAYS: Final[dict[str, Callable[..., Any]]] = {"UINT8": octets, "CHAR": text, "BCD": bcd}

_OPERATORS: Final[dict[type[ast.AST], Callable[[Expr, Expr], Expr]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: Expr.eq,
    ast.NotEq: Expr.ne,
}


class NotationError(ValueError):
    """A type or formula that is not written as it should be."""


def field_of(
    written: str, records: Mapping[str, type[Record]], meta: Mapping[str, Any], word: int = 8
) -> Any:
    """The field of a type; `records` by name, `meta` as of `osgp.wire.record.Meta`."""
    if len(written) > LONGEST:
        raise NotationError(f"a type of {len(written)} characters")
    meaning, others = (
        str(meta.get("meaning", "")),
        {k: v for k, v in meta.items() if k != "meaning"},
    )
    if written in _PLAIN:
        return _PLAIN[written](meaning, **others)
    record = _TIMES.get(written) or records.get(written)
    if record is not None:
        return nested(record, meaning, **others)
    made = _bits(written, meaning, word, others) or _sized(written, meaning, others)
    if made is not None:
        return made
    match = _LIST.fullmatch(written)
    if match is None:
        raise NotationError(f"{written!r} is no type")
    element = field_of(match[2], records, {})
    if isinstance(element.kind, Bits):
        raise NotationError(f"a list has no elements of type {match[2]}")
    return array(element, formula_of(match[1]), meaning, **others)


def _bits(written: str, meaning: str, word: int, meta: dict[str, Any]) -> Any:
    match = _BOOL.fullmatch(written)
    if match:
        return flag(int(match[1]), meaning, word=word, **meta)
    match = _BITS.fullmatch(written)
    if match:
        return bits(int(match[1]), int(match[2]), meaning, word=word, **meta)
    return None


def _sized(written: str, meaning: str, meta: dict[str, Any]) -> Any:
    match = _SET.fullmatch(written)
    if match:
        return bitset(formula_of(match[1]), meaning, **meta)
    match = _ARRAY.fullmatch(written)
    if match:
        return _ARRAYS[match[2]](formula_of(match[1]), meaning, **meta)
    return None


def is_name(text: Any) -> bool:
    """Whether a field or record may have this name: it becomes an identifier."""
    return isinstance(text, str) and text.isidentifier() and not keyword.iskeyword(text)


def is_field_name(text: str) -> bool:
    """In lower case, as paths are looked up; `_` begins hidden members."""
    return is_name(text) and text == text.lower() and text[0] != "_"


def fits(kind: Kind, value: Any) -> bool:
    """Whether a field of this kind can hold a default: a number, a text, or true and false."""
    match kind, value:
        case Bits(boolean=True), _:
            return isinstance(value, bool)
        case _, bool():
            return False
        case Bits(lo, hi), int():
            return 0 <= value < 1 << (hi - lo + 1)
        case Integer(size, signed), int():
            low = -(1 << (8 * size - 1)) if signed else 0
            return low <= value < low + (1 << 8 * size)
        case NonInteger(), int() | float():
            return True
        case Text() | Bcd(), str():
            return True
    return False


def formula_of(written: str | int) -> Expr:
    """The formula of a size, count or condition. Raises NotationError."""
    if isinstance(written, int):
        return lift(written)
    if len(written) > LONGEST:
        raise NotationError(f"a formula of {len(written)} characters")
    if not _FORMULA.fullmatch(written) or _NUMBER_AND_NAME.search(written):
        raise NotationError(f"{written!r} is no formula")
    try:
        tree = ast.parse(written.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise NotationError(f"{written!r} is no formula") from None
    return _formula(tree.body, written)


def _formula(node: ast.expr, written: str) -> Expr:
    match node:
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            return lift(number)
        case ast.Name(id="n"):
            return INDEX
        case ast.Name() | ast.Attribute() | ast.Subscript():
            return _reference(node, written)
        case ast.BinOp(left, sign, right) if type(sign) in _OPERATORS:
            return _OPERATORS[type(sign)](_formula(left, written), _formula(right, written))
        case ast.Compare(left, [sign], [right]) if type(sign) in _OPERATORS:
            return _OPERATORS[type(sign)](_formula(left, written), _formula(right, written))
        case ast.BoolOp(sign, values):
            return _truths(sign, [_formula(value, written) for value in values])
        case ast.UnaryOp(ast.Not(), operand):
            return ~_formula(operand, written)
        case ast.Call(ast.Name(id="max"), [left, right], []):
            return _formula(left, written).max(_formula(right, written))
    raise NotationError(f"{ast.unparse(node)!r} has no place in the formula {written!r}")


def _truths(sign: ast.boolop, values: list[Expr]) -> Expr:
    first, *others = (value.ne(0) for value in values)
    for value in others:
        first = first & value if isinstance(sign, ast.And) else first | value
    return first


def _reference(node: ast.expr, written: str) -> Expr:
    match node:
        case ast.Name(id=name) if _TABLE.fullmatch(name):
            return Ref(name)
        case ast.Name(id=name) if not name.startswith("_"):
            return getattr(this, name)  # type: ignore[no-any-return]  # a field is any name
        case ast.Attribute(value, name) if not name.startswith("_"):
            return getattr(_reference(value, written), name)  # type: ignore[no-any-return]  # a field is any name
        case ast.Subscript(value, index):
            base = _reference(value, written)
            if isinstance(base, Ref):
                return base[_formula(index, written)]
    raise NotationError(f"{ast.unparse(node)!r} has no place in the formula {written!r}")
