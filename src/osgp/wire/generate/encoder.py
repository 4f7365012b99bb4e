"""Source of encoders."""

from __future__ import annotations

from osgp.wire.bound import (
    BoundArray,
    BoundBytes,
    BoundFloat,
    BoundInteger,
    BoundNode,
    BoundRecord,
    BoundRest,
    BoundWord,
    Member,
)
from osgp.wire.expr import Const, Expr
from osgp.wire.limits import MAX_FIELD_BYTES
from osgp.wire.record import HIDDEN, Order

from .program import STRUCT_SIZES, Program, array_code, code_of, flat, indented


class Encoder:
    def __init__(self, built: Program) -> None:
        self.built = built

    def function(self, node: BoundRecord) -> str:
        """A function (record) -> bytes."""
        name = self.built.function("_e")
        self.built.define(name, "r", _Body(self, node).lines())
        return name


class _Body:
    """Lines of one record's encoder: runs become `pack` calls, joined at the end."""

    def __init__(self, encoder: Encoder, node: BoundRecord) -> None:
        self.encoder, self.built, self.node = encoder, encoder.built, node
        self.order: Order = node.record.wire_order
        self._lines: list[str] = []
        self._codes: list[str] = []
        self._arguments: list[str] = []

    def lines(self) -> list[str]:
        for member in self.node.members:
            if member.when is not None:
                self._conditional(member)
            else:
                self._member(member, "r")
        self._flush()
        return ["o = []", *self._lines, "return b''.join(o)"]

    def _member(self, member: Member, record: str) -> None:
        match member.node:
            case None:
                self._lines += _must_be_absent(member, record)
            case BoundWord() as word:
                self._word(word, record)
            case node if flat(node, self.order):
                self._inline(node, f"{record}.{member.name}")
            case node:
                self._flush()
                self._lines.append(f"o.append({self._bytes(node, f'{record}.{member.name}')})")

    def _word(self, node: BoundWord, record: str) -> None:
        parts = [f"_mask({record}.{slot.name}, {slot.mask}) << {slot.lo}" for slot in node.slots]
        word = " | ".join(parts)
        if node.size not in STRUCT_SIZES:
            word = f"({word}).to_bytes({node.size}, {node.order!r})"
        self._argument(code_of(node), word)

    def _inline(self, node: BoundNode, value: str) -> None:
        if isinstance(node, BoundRecord):
            for member in node.members:
                self._member(member, value)
        elif isinstance(node, BoundArray):
            self._plain_array(node, value)
        else:
            self._argument(code_of(node), _leaf(node, value))

    def _plain_array(self, node: BoundArray, value: str) -> None:
        assert isinstance(node.count, Const)
        count, element = node.count.value, node.elements[0]
        items, item = f"_count({value}, {count})", _leaf(element, "x")
        argument = f"*{items}" if item == "x" else f"*[{item} for x in {items}]"
        self._argument(array_code(element, count), argument)

    def _argument(self, code: str, source: str) -> None:
        self._codes.append(code)
        self._arguments.append(source)

    def _flush(self) -> None:
        if self._codes:
            name = self.built.structure(self.order, self._codes)
            self._lines.append(f"o.append({name}.pack({', '.join(self._arguments)}))")
        self._codes, self._arguments = [], []

    def _bytes(self, node: BoundNode, value: str) -> str:
        """Expression of the bytes of a node that is no part of a run."""
        match node:
            case BoundRest():
                return f"_bytes({value})"
            case BoundBytes(form, length):
                return _fixed(form, value, self._number(length, MAX_FIELD_BYTES))
            case BoundRecord():
                return f"{self.encoder.function(node)}({value})"
            case BoundArray():
                return self._array(node, value)
        return f"{self.built.structure(self.order, [code_of(node)])}.pack({_leaf(node, value)})"

    def _array(self, node: BoundArray, value: str) -> str:
        if not node.uniform:
            return self._varied(node, value)
        items = f"_count({value}, {self._number(node.count, node.cap)})"
        return f"b''.join([{self._bytes(node.elements[0], 'x')} for x in {items}])"

    def _varied(self, node: BoundArray, value: str) -> str:
        """A function of its own, for the names of the elements."""
        function = self.built.function("_e")
        names = [f"a{n}" for n in range(len(node.elements))]
        parts = [self._bytes(e, name) for e, name in zip(node.elements, names, strict=True)]
        taken = f"({''.join(name + ', ' for name in names)}) = a"
        self.built.define(function, "a, r", [taken, f"return b''.join([{', '.join(parts)}])"])
        return f"{function}({value}, r)"

    def _number(self, formula: Expr, cap: int) -> str:
        source = formula.source(lambda name: f"r.{name}")
        return source if isinstance(formula, Const) else f"_number({source}, {cap})"

    def _conditional(self, member: Member) -> None:
        assert member.when is not None
        self._flush()
        outer, self._lines = self._lines, []
        self._member(member, "r")
        self._flush()
        present, self._lines = self._lines, outer
        condition = member.when.source(lambda name: f"r.{name}")
        missing = _must_be_absent(member, "r")
        self._lines += [f"if {condition}:", *indented(present or ["pass"])]
        self._lines += ["else:", *indented(missing)]


def _must_be_absent(member: Member, record: str) -> list[str]:
    names = [name for name in member.names if not name.startswith(HIDDEN)]
    return [f"_absent({record}.{name})" for name in names]


def _leaf(node: BoundNode, value: str) -> str:
    """Expression of a leaf's struct item, given the expression of its value."""
    match node:
        case BoundInteger(size, signed, order) if size not in STRUCT_SIZES:
            return f"{value}.to_bytes({size}, {order!r}, signed={signed})"
        case BoundFloat():
            return f"_finite({value})"
        case BoundBytes(form, Const() as length):
            return _fixed(form, value, str(length))
    return value


def _fixed(form: str, value: str, size: str) -> str:
    """Expression of exactly `size` bytes."""
    match form:
        case "set":
            return f"_setb({value}, {size})"
        case "text":
            return f"_fixed({value}.encode('latin-1'), {size})"
        case "bcd":
            return f"_fixed(bytes.fromhex({value}), {size})"
    return f"_fixed(_bytes({value}), {size})"
