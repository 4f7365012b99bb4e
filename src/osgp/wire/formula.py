"""Formulas as documentation prints them: `4 + 2*BT21.number_of_tiers`.

Sums of products with constants folded and like terms gathered. A condition is 1 where it holds
and 0 elsewhere, written in brackets: `5*[BT21.date_time]`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from .dims import Binding, Dims
from .expr import Const, Expr, Index, Operation, Ref, Reference, This, reference
from .kinds import Array, Kind, Nested, NonInteger, Sized
from .record import Field, Record, Version

_COMPARISONS = {"<", "<=", ">", ">=", "==", "!="}


class Factor(NamedTuple):
    """Something that cannot be taken apart; `open` needs parentheses in a product."""

    text: str
    open: bool = False


class Context(msgspec.Struct, frozen=True):
    """How names are written at some place of a declaration.

    `index` is the letter of the enclosing array, `prefix` the path in front of earlier fields of
    the same record. `firmware` None is the newest.
    """

    index: str = "n"
    prefix: str = ""
    firmware: Version | None = None


PLAIN = Context()


class Formula(msgspec.Struct, frozen=True):
    """Factors to their coefficient; no factors: the constant."""

    terms: tuple[tuple[tuple[Factor, ...], int], ...] = ()

    @property
    def number(self) -> int | None:
        """Its value where that depends on nothing."""
        if not self.terms:
            return 0
        (factors, coefficient), *others = self.terms
        return None if factors or others else coefficient

    def __add__(self, other: Formula) -> Formula:
        sums = dict(self.terms)
        for factors, coefficient in other.terms:
            sums[factors] = sums.get(factors, 0) + coefficient
        return Formula(tuple((f, c) for f, c in sums.items() if c))

    def __mul__(self, other: Formula) -> Formula:
        for one, another in ((self, other), (other, self)):
            number = one.number
            if number is not None:
                return Formula(tuple((f, c * number) for f, c in another.terms if number))
        (left, a), (right, b) = self._product(), other._product()
        return Formula((((*left, *right), a * b),))

    def _product(self) -> tuple[tuple[Factor, ...], int]:
        """One term that it is equal to."""
        if len(self.terms) == 1:
            return self.terms[0]
        return (Factor(str(self), open=True),), 1

    def __str__(self) -> str:
        constants = [term for term in self.terms if not term[0]]
        others = [term for term in self.terms if term[0]]
        leading = [term for term in constants if term[1] > 0]
        ordered = [*leading, *others, *(term for term in constants if term[1] <= 0)]
        text = ""
        for factors, coefficient in ordered:
            sign = " - " if coefficient < 0 else " + "
            text += (sign if text else sign.strip(" +")) + _product(factors, abs(coefficient))
        return text or "0"


def _product(factors: tuple[Factor, ...], coefficient: int) -> str:
    if not factors:
        return str(coefficient)
    if coefficient == 1 and len(factors) == 1:
        return factors[0].text
    texts = [f"({factor.text})" if factor.open else factor.text for factor in factors]
    return "*".join(texts if coefficient == 1 else [str(coefficient), *texts])


def constant(number: int) -> Formula:
    return Formula((((), number),)) if number else Formula()


def atom(text: str, *, open: bool = False) -> Formula:
    return Formula((((Factor(text, open),), 1),))


def formula(expr: Expr, at: Context = PLAIN) -> Formula:
    """`expr` in normal form."""
    match expr:
        case Const():
            return constant(expr.value)
        case Ref():
            return atom(_reference(expr, at))
        case This():
            return atom(at.prefix + str(expr))
        case Index():
            return atom(at.index)
        case Operation():
            return _operation(expr, at)
    return formula(expr.bind(Binding(Dims(firmware=at.firmware))), at)


def condition(expr: Expr, at: Context = PLAIN) -> Formula:
    """1 where `expr` holds, else 0."""
    value = formula(expr, at)
    number = value.number
    if number is not None:
        return constant(int(bool(number)))
    text = str(value)
    return value if _is_bracketed(value) else atom(f"[{text}]")


def _is_bracketed(value: Formula) -> bool:
    if not value.terms:
        return False
    factors, coefficient = value.terms[0]
    return len(value.terms) == len(factors) == coefficient == 1 and factors[0].text[0] == "["


def _operation(expr: Operation, at: Context) -> Formula:
    left, right = formula(expr.left, at), formula(expr.right, at)
    symbol = expr.symbol
    if left.number is not None and right.number is not None:
        return constant(
            int(Operation(symbol, Const(left.number), Const(right.number)).evaluate({}))
        )
    match symbol:
        case "+":
            return left + right
        case "-":
            return left + right * constant(-1)
        case "*":
            return left * right
        case "!=" if right.number == 0 and _is_bracketed(left):
            return left
        case "max":
            return atom(f"max({left}, {right})")
    text = f"{_operand(left)} {symbol} {_operand(right)}"
    return atom(f"[{text}]") if symbol in _COMPARISONS else atom(text, open=True)


def _operand(value: Formula) -> str:
    text = str(value)
    return f"({text})" if " " in text and not text.endswith("]") else text


def _reference(ref: Ref, at: Context) -> str:
    table, path, _ = reference(ref)
    steps = (f"[{formula(step, at)}]" if isinstance(step, Expr) else f".{step}" for step in path)
    return table + "".join(steps)


def references(expr: Expr) -> Iterator[Reference]:
    """Every field of another table that `expr` reads."""
    if isinstance(expr, Ref):
        named = reference(expr)
        yield named
        for step in named.path:
            if isinstance(step, Expr):
                yield from references(step)
    elif isinstance(expr, Operation):
        yield from references(expr.left)
        yield from references(expr.right)


def expressions(record: type[Record]) -> Iterator[Expr]:
    """Every size, count and condition of a declaration and of the records in it."""
    for field in record.wire_fields:
        yield from expressions_of(field)


def expressions_of(field: Field) -> Iterator[Expr]:
    """Those of one field."""
    if field.when is not None:
        yield field.when
    yield from _of_kind(field.kind)


def _of_kind(kind: Kind) -> Iterator[Expr]:
    match kind:
        case Sized(size):
            yield size
        case NonInteger(_, reference):
            yield reference
        case Nested(record):
            yield from expressions(record)
        case Array(element, count, _):
            yield count
            yield from _of_kind(element.kind)


def record_references(record: type[Record]) -> Iterator[Reference]:
    """Every field of another table that the layout of `record` depends on."""
    for expr in expressions(record):
        yield from references(expr)


def needed_tables(record: type[Record]) -> set[str]:
    """Tables without which `record` cannot be bound."""
    return {one.table for one in record_references(record) if not one.optional}
