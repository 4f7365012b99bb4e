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
from osgp.wire.record import Order

from .program import STRUCT_SIZES, Program, code_of, fits, leaves


class Encoder:
    def __init__(self, built: Program) -> None:
        self.built = built

    def record(self, node: BoundRecord) -> str:
        """A function (record) -> bytes."""
        name = self.built.function("_e")
        self.built.define(name, "r", _Body(self, node).lines())
        return name


class _Body:
    """Lines of one record's encoder: runs become `pack` calls, joined at the end."""

    def __init__(self, encoder: Encoder, node: BoundRecord) -> None:
        self.encoder, self.built, self.node = encoder, encoder.built, node
        self.order: Order = node.record.wire_order
        self._lines: list[str] = ["o = []"]
        self._codes: list[str] = []
        self._arguments: list[str] = []

    def lines(self) -> list[str]:
        for member in self.node.members:
            self._member(member)
        self._flush()
        return [*self._lines, "return b''.join(o)"]

    def _member(self, member: Member) -> None:
        if member.node is None:
            self._lines += _must_be_absent(member)
        elif member.when is not None:
            self._conditional(member, member.node)
        else:
            self._present(member, member.node, "r")

    def _present(self, member: Member, node: BoundNode, record: str) -> None:
        value = f"{record}.{member.name}"
        if isinstance(node, BoundWord):
            self._word(node, record)
        elif leaves(node) is not None and fits(node, self.order):
            self._inline(node, value)
        else:
            self._flush()
            self._lines.append(f"o.append({self._bytes(node, value)})")

    def _word(self, node: BoundWord, record: str) -> None:
        parts = [f"_mask({record}.{slot.name}, {slot.mask}) << {slot.lo}" for slot in node.slots]
        word = " | ".join(parts)
        if node.size not in STRUCT_SIZES:
            word = f"({word}).to_bytes({node.size}, {node.order!r})"
        self._codes.append(code_of(node))
        self._arguments.append(word)

    def _inline(self, node: BoundNode, value: str) -> None:
        if isinstance(node, BoundRecord):
            for member in node.members:
                if member.node is None:
                    self._flush()
                    self._lines += _must_be_absent(member, value)
                else:
                    self._present(member, member.node, value)
        elif isinstance(node, BoundArray):
            self._plain_array(node, value)
        else:
            self._codes.append(code_of(node))
            self._arguments.append(_argument(node, value))

    def _plain_array(self, node: BoundArray, value: str) -> None:
        assert isinstance(node.count, Const)
        count, element = node.count.value, node.elements[0]
        items = f"_count({value}, {count})"
        argument = _argument(element, "x")
        code = code_of(element)
        self._codes.append(f"{count}{code}" if not code.endswith("s") else code * count)
        plain = argument == "x"
        self._arguments.append(f"*{items}" if plain else f"*[{argument} for x in {items}]")

    def _flush(self) -> None:
        if self._codes:
            name, _ = self.built.structure(self.order, self._codes)
            self._lines.append(f"o.append({name}.pack({', '.join(self._arguments)}))")
        self._codes, self._arguments = [], []

    def _bytes(self, node: BoundNode, value: str) -> str:
        """Expression of the bytes of a node that is no part of a run."""
        match node:
            case BoundRest():
                return f"bytes(memoryview({value}))"
            case BoundBytes(form, length):
                return self._variable_bytes(form, length, value)
            case BoundRecord():
                return f"{self.encoder.record(node)}({value})"
            case BoundArray():
                return self._array(node, value)
        name, _ = self.built.structure(self.order, [code_of(node)])
        return f"{name}.pack({_argument(node, value)})"

    def _variable_bytes(self, form: str, length: Expr, value: str) -> str:
        size = length.source(lambda name: f"r.{name}")
        match form:
            case "set":
                return f"_setb({value}, {size})"
            case "text":
                return f"_fixed({value}.encode('latin-1'), {size})"
            case "bcd":
                return f"_fixed(bytes.fromhex({value}), {size})"
        return f"_fixed({value}, {size})"

    def _array(self, node: BoundArray, value: str) -> str:
        count = node.count.source(lambda name: f"r.{name}")
        items = f"_count({value}, {count})"
        if not node.uniform:
            parts = [self._bytes(e, f"{value}[{n}]") for n, e in enumerate(node.elements)]
            return f"b''.join([{', '.join([f'bytes(0 * len({items}))', *parts])}])"
        return f"b''.join([{self._bytes(node.elements[0], 'x')} for x in {items}])"

    def _conditional(self, member: Member, node: BoundNode) -> None:
        assert member.when is not None
        self._flush()
        before, self._lines = self._lines, []
        self._present(member, node, "r")
        self._flush()
        self._lines = [
            *before,
            f"if {member.when.source(lambda name: f'r.{name}')}:",
            *(f"    {line}" for line in self._lines),
            "else:",
            *(f"    {line}" for line in _must_be_absent(member) or ["pass"]),
        ]


def _must_be_absent(member: Member, record: str = "r") -> list[str]:
    names = [name for name in member.absent if not name.startswith("_fill")]
    return [f"_absent({record}.{name})" for name in names]


def _argument(node: BoundNode, value: str) -> str:
    """Expression of a leaf's struct item, given the expression of its value."""
    match node:
        case BoundInteger(size, signed, order) if size not in STRUCT_SIZES:
            return f"{value}.to_bytes({size}, {order!r}, signed={signed})"
        case BoundFloat():
            return f"_finite({value})"
        case BoundBytes("text", Const() as length):
            return f"_fixed({value}.encode('latin-1'), {length.value})"
        case BoundBytes("bcd", Const() as length):
            return f"_fixed(bytes.fromhex({value}), {length.value})"
        case BoundBytes("set", Const() as length):
            return f"_setb({value}, {length.value})"
        case BoundBytes("octets", Const() as length):
            return f"_fixed({value}, {length.value})"
    return value
