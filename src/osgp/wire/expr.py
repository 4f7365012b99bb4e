"""Expressions for sizes, counts and conditions.

A declaration says `array(uint8(), BT21.number_of_summations)`: an expression over fields of other
tables (`Ref`), over earlier fields of the same record (`this`), and over the number of the
enclosing array element (`INDEX`). Binding replaces everything but `this` by numbers; what stays
is evaluated while decoding, from the fields already read.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from osgp.errors import DimensionError


class Scope(Protocol):
    """What binding knows: the dimension tables, and which array element it is in."""

    index: int | None

    def resolve(self, table: str, path: tuple[str | Expr, ...]) -> Any: ...


class Expr:
    """A formula. `str()` gives it as documentation prints it."""

    __slots__ = ()

    def bind(self, scope: Scope) -> Expr:
        """The formula with everything known put in."""
        raise NotImplementedError

    def evaluate(self, fields: Mapping[str, Any]) -> Any:
        """Its value, given earlier `fields` of the same record."""
        raise NotImplementedError

    def source(self, field: Callable[[str], str]) -> str:
        """Python source, with `field(name)` for an earlier field."""
        raise NotImplementedError

    def refs(self) -> frozenset[str]:
        """Names of the tables it reads."""
        return frozenset()

    def field_names(self) -> frozenset[str]:
        """Names of the earlier fields of the same record that it reads."""
        return frozenset()

    def uses_index(self) -> bool:
        return False

    def __bool__(self) -> bool:
        """A formula has no truth while it is declared: `and`, `or`, `not`, `0 < x < 5` mislead."""
        raise TypeError(f"use &, | and ~ with {self}; its value is known only when it is bound")

    def __add__(self, other: Operand) -> Expr:
        return Operation("+", self, lift(other))

    def __radd__(self, other: Operand) -> Expr:
        return Operation("+", lift(other), self)

    def __sub__(self, other: Operand) -> Expr:
        return Operation("-", self, lift(other))

    def __rsub__(self, other: Operand) -> Expr:
        return Operation("-", lift(other), self)

    def __mul__(self, other: Operand) -> Expr:
        return Operation("*", self, lift(other))

    def __rmul__(self, other: Operand) -> Expr:
        return Operation("*", lift(other), self)

    def __floordiv__(self, other: Operand) -> Expr:
        return Operation("//", self, lift(other))

    def __mod__(self, other: Operand) -> Expr:
        return Operation("%", self, lift(other))

    def __and__(self, other: Operand) -> Expr:
        return Operation("&", self, lift(other))

    def __or__(self, other: Operand) -> Expr:
        return Operation("|", self, lift(other))

    def __rshift__(self, other: Operand) -> Expr:
        return Operation(">>", self, lift(other))

    def __lt__(self, other: Operand) -> Expr:
        return Operation("<", self, lift(other))

    def __le__(self, other: Operand) -> Expr:
        return Operation("<=", self, lift(other))

    def __gt__(self, other: Operand) -> Expr:
        return Operation(">", self, lift(other))

    def __ge__(self, other: Operand) -> Expr:
        return Operation(">=", self, lift(other))

    def __invert__(self) -> Expr:
        return Operation("==", self, Const(0))

    def eq(self, other: Operand) -> Expr:
        """Equality. `==` stays Python's, so that declarations can be compared and hashed."""
        return Operation("==", self, lift(other))

    def ne(self, other: Operand) -> Expr:
        return Operation("!=", self, lift(other))

    def max(self, other: Operand) -> Expr:
        return Operation("max", self, lift(other))


Operand = Expr | int


def lift(value: Operand) -> Expr:
    """A number as a formula."""
    return value if isinstance(value, Expr) else Const(int(value))


class Const(Expr):
    __slots__ = ("value",)

    def __init__(self, value: int) -> None:
        self.value = value

    def bind(self, scope: Scope) -> Expr:
        return self

    def evaluate(self, fields: Mapping[str, Any]) -> Any:
        return self.value

    def source(self, field: Callable[[str], str]) -> str:
        return repr(self.value)

    def __str__(self) -> str:
        return str(self.value)


class Ref(Expr):
    """A field of another table, by table name and path; no import of that table needed.

    `default` stands in where the table has not been read, or this firmware's lacks the field.
    """

    __slots__ = ("_default", "_path", "_table")

    def __init__(
        self, table: str, path: tuple[str | Expr, ...] = (), default: int | None = None
    ) -> None:
        self._table, self._path, self._default = table, path, default

    def __getattr__(self, name: str) -> Ref:
        if name.startswith("__"):
            raise AttributeError(name)
        return Ref(self._table, (*self._path, name))

    def __getitem__(self, index: Operand) -> Ref:
        number = lift(index)
        if number.field_names():
            raise TypeError(f"{self}[{number}]: the index must be known when it is bound")
        return Ref(self._table, (*self._path, number))

    def or_else(self, default: int) -> Ref:
        return Ref(self._table, self._path, default)

    def bind(self, scope: Scope) -> Expr:
        try:
            value = scope.resolve(self._table, self._path)
        except DimensionError:
            if self._default is None:
                raise
            value = self._default
        if value is None:
            value = self._default
        if not isinstance(value, int):
            raise DimensionError(f"{self} is {value!r}, not a number")
        return Const(int(value))

    def refs(self) -> frozenset[str]:
        inner = (step.refs() for step in self._path if isinstance(step, Expr))
        return frozenset({self._table}).union(*inner)

    def uses_index(self) -> bool:
        return any(isinstance(step, Expr) and step.uses_index() for step in self._path)

    def __str__(self) -> str:
        steps = (f".{step}" if isinstance(step, str) else f"[{step}]" for step in self._path)
        return self._table + "".join(steps)


class Reference(NamedTuple):
    """What a `Ref` names; `optional` where a default stands in."""

    table: str
    path: tuple[str | Expr, ...]
    optional: bool


def reference(ref: Ref) -> Reference:
    """What `ref` names. No attribute of it: those are fields of the table."""
    return Reference(ref._table, ref._path, ref._default is not None)


class This(Expr):
    """An earlier field of the same record."""

    __slots__ = ("_name",)

    def __init__(self, name: str = "") -> None:
        self._name = name

    def __getattr__(self, name: str) -> This:
        if name.startswith("__"):
            raise AttributeError(name)
        return This(f"{self._name}.{name}" if self._name else name)

    def bind(self, scope: Scope) -> Expr:
        return self

    def evaluate(self, fields: Mapping[str, Any]) -> Any:
        first, *rest = self._name.split(".")
        value = fields[first]
        for name in rest:
            value = getattr(value, name, None)
        return value

    def source(self, field: Callable[[str], str]) -> str:
        first, *rest = self._name.split(".")
        return ".".join((field(first), *rest))

    def field_names(self) -> frozenset[str]:
        return frozenset({self._name.partition(".")[0]})

    def __str__(self) -> str:
        return self._name


class Index(Expr):
    """The number of the innermost enclosing array element."""

    __slots__ = ()

    def bind(self, scope: Scope) -> Expr:
        if scope.index is None:
            raise DimensionError("an array index is used outside an array")
        return Const(scope.index)

    def uses_index(self) -> bool:
        return True

    def __str__(self) -> str:
        return "n"


this = This()
INDEX = Index()

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
    "&": operator.and_,
    "|": operator.or_,
    ">>": operator.rshift,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "max": max,
}


class Operation(Expr):
    __slots__ = ("left", "right", "symbol")

    def __init__(self, symbol: str, left: Expr, right: Expr) -> None:
        self.symbol, self.left, self.right = symbol, left, right

    def bind(self, scope: Scope) -> Expr:
        left, right = self.left.bind(scope), self.right.bind(scope)
        bound = Operation(self.symbol, left, right)
        if isinstance(left, Const) and isinstance(right, Const):
            return Const(int(bound.evaluate({})))
        return bound

    def evaluate(self, fields: Mapping[str, Any]) -> Any:
        left, right = self.left.evaluate(fields), self.right.evaluate(fields)
        try:
            return _OPERATORS[self.symbol](left, right)
        except (ZeroDivisionError, TypeError, ValueError) as error:
            raise DimensionError(f"{self} has no value") from error

    def source(self, field: Callable[[str], str]) -> str:
        left, right = self.left.source(field), self.right.source(field)
        if self.symbol == "max":
            return f"max({left}, {right})"
        return f"({left} {self.symbol} {right})"

    def refs(self) -> frozenset[str]:
        return self.left.refs() | self.right.refs()

    def field_names(self) -> frozenset[str]:
        return self.left.field_names() | self.right.field_names()

    def uses_index(self) -> bool:
        return self.left.uses_index() or self.right.uses_index()

    def __str__(self) -> str:
        if self.symbol == "max":
            return f"max({self.left}, {self.right})"
        sides = [f"({s})" if isinstance(s, Operation) else str(s) for s in (self.left, self.right)]
        return f" {self.symbol} ".join(sides)


def set_bytes(bits: Operand) -> Expr:
    """Bytes of a SET that has one bit for each of `bits` things: (bits + 7) // 8."""
    return (lift(bits) + 7) // 8
