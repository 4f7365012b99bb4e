"""Source of decoders."""

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
from osgp.wire.record import Order

from .program import STRUCT_SIZES, Program, absent_sources, code_of, fits, leaves


class Decoder:
    def __init__(self, built: Program) -> None:
        self.built = built

    def record(self, node: BoundRecord) -> str:
        """A function (data, p) -> record where the size is fixed, else -> (record, position)."""
        name = self.built.function("_d")
        body = _Body(self, node)
        self.built.define(name, "data, p", body.lines())
        return name


class _Body:
    """Lines of one record's decoder. `_offset` counts from the variable `p`."""

    def __init__(self, decoder: Decoder, node: BoundRecord) -> None:
        self.decoder, self.built, self.node = decoder, decoder.built, node
        self.order: Order = node.record.wire_order
        self._lines: list[str] = []
        self._values: dict[str, str] = {}
        self._offset = 0
        self._run: list[str] = []
        self._run_offset = 0
        self._run_items = 0
        self._runs = 0

    def lines(self) -> list[str]:
        for member in self.node.members:
            self._member(member)
        self._flush()
        members = ", ".join(self._values[name] for name in self.node.record.__struct_fields__)
        result = f"{self._class(self.node)}({members})"
        if self.node.size is None:
            result = f"{result}, {self._here}"
        return [*self._lines, f"return {result}"]

    def _class(self, node: BoundRecord) -> str:
        return self.built.constant("_c", node.record)

    def _member(self, member: Member) -> None:
        if member.node is None:
            self._values |= absent_sources(member)
        elif member.when is not None:
            self._conditional(member, member.node)
        elif leaves(member.node) is not None and fits(member.node, self.order):
            self._inline(member, member.node)
        else:
            self._flush()
            self._values[member.name] = self._statement(member.node, f"v_{member.name}")

    def _inline(self, member: Member, node: BoundNode) -> None:
        if isinstance(node, BoundWord):
            self._values |= self._word(node)
        else:
            self._values[member.name] = self._in_run(node)

    def _in_run(self, node: BoundNode) -> str:
        """Adds a node to the current run; gives the expression of its value."""
        if isinstance(node, BoundRecord):
            return self._nested(node)
        if isinstance(node, BoundArray):
            return self._plain_array(node)
        return _value(node, self._item(code_of(node), node.size))

    def _item(self, code: str, size: int | None) -> str:
        assert size is not None
        item = f"t{self._runs}[{self._run_items}]"
        self._take(code, 1, size)
        return item

    def _take(self, code: str, items: int, size: int) -> None:
        self._run.append(code)
        self._run_items += items
        self._offset += size

    def _word(self, node: BoundWord) -> dict[str, str]:
        item = self._item(code_of(node), node.size)
        if node.size not in STRUCT_SIZES:
            item = f"_from({item}, {node.order!r})"
        return {slot.name: _bits(item, slot.lo, slot.mask, slot.boolean) for slot in node.slots}

    def _nested(self, node: BoundRecord) -> str:
        parts: dict[str, str] = {}
        for member in node.members:
            if member.node is None:
                parts |= absent_sources(member)
            elif isinstance(member.node, BoundWord):
                parts |= self._word(member.node)
            else:
                parts[member.name] = self._in_run(member.node)
        members = ", ".join(parts[name] for name in node.record.__struct_fields__)
        return f"{self._class(node)}({members})"

    def _plain_array(self, node: BoundArray) -> str:
        assert isinstance(node.count, Const) and node.size is not None
        count, element = node.count.value, node.elements[0] if node.elements else None
        if count == 0 or element is None:
            return "()"
        code, start = code_of(element), self._run_items
        native = not code.endswith("s")
        self._take(f"{count}{code}" if native else code * count, count, node.size)
        items = f"t{self._runs}[{start}:{start + count}]"
        value = _value(element, "x")
        return items if value == "x" else f"tuple([{value} for x in {items}])"

    def _flush(self) -> None:
        """Ends the current run: one struct call at its place."""
        if self._run:
            name, _ = self.built.structure(self.order, self._run)
            call = f"t{self._runs} = {name}.unpack_from(data, {_at(self._run_offset)})"
            self._lines.append(call)
            self._runs += 1
        self._run, self._run_items, self._run_offset = [], 0, self._offset

    def _statement(self, node: BoundNode, variable: str) -> str:
        """Decodes a node that is no part of a run into `variable`."""
        match node:
            case BoundRest():
                self._lines += [f"{variable} = data[{self._here}:]"]
                self._rebase("len(data)")
            case BoundBytes(form, length):
                self._variable_bytes(form, length, variable)
            case BoundRecord(size=None):
                self._advance(variable, self.decoder.record(node))
            case BoundRecord(size=int(size)):
                function = self.decoder.record(node)
                self._lines.append(f"{variable} = {function}(data, {self._here})")
                self._skip(size)
            case BoundArray():
                self._array(node, variable)
            case _:
                self._lines += self._single(node, variable)
        return variable

    def _single(self, node: BoundNode, variable: str) -> list[str]:
        """A leaf by itself, after a condition."""
        value = self._in_run(node)
        self._flush()
        return [f"{variable} = {value}"]

    def _skip(self, size: int) -> None:
        self._offset += size
        self._run_offset = self._offset

    @property
    def _here(self) -> str:
        return _at(self._offset)

    def _rebase(self, expression: str) -> None:
        if expression != "p":
            self._lines.append(f"p = {expression}")
        self._offset = self._run_offset = 0

    def _advance(self, variable: str, function: str) -> None:
        self._lines.append(f"{variable}, p = {function}(data, {self._here})")
        self._offset = self._run_offset = 0

    def _variable_bytes(self, form: str, length: Expr, variable: str) -> None:
        count = self._capped(length, MAX_FIELD_BYTES)
        self._lines += [
            f"n = {count}",
            f"_need(data, {self._here} + n)",
            f"b = data[{self._here}:{self._here} + n]",
            f"{variable} = {_value(BoundBytes(form, length), 'b')}",  # type: ignore[arg-type]
        ]
        self._rebase(f"{self._here} + n")

    def _capped(self, formula: Expr, cap: int) -> str:
        return f"_number({formula.source(self._field)}, {cap})"

    def _field(self, name: str) -> str:
        return f"({self._values[name]})"

    def _array(self, node: BoundArray, variable: str) -> None:
        if not node.uniform:
            self._varied(node, variable)
        elif node.size == 0:
            self._lines.append(f"{variable} = ()")
        elif node.elements[0].size is None:
            self._loop(node, variable)
        else:
            self._fixed_elements(node, node.elements[0], variable)

    def _varied(self, node: BoundArray, variable: str) -> None:
        names = [
            self._statement(element, f"{variable}_{n}") for n, element in enumerate(node.elements)
        ]
        self._lines.append(f"{variable} = ({''.join(name + ', ' for name in names)})")

    def _loop(self, node: BoundArray, variable: str) -> None:
        inner = node.elements[0]
        assert isinstance(inner, BoundRecord), "only records vary in length"
        function = self.decoder.record(inner)
        self._rebase(self._here)
        self._lines += [
            "a = []",
            f"for _ in range({self._capped(node.count, node.cap)}):",
            f"    x, p = {function}(data, p)",
            "    a.append(x)",
            f"{variable} = tuple(a)",
        ]

    def _fixed_elements(self, node: BoundArray, element: BoundNode, variable: str) -> None:
        size = element.size
        fixed = isinstance(node.count, Const)
        count = node.count.source(str) if fixed else self._capped(node.count, node.cap)
        start = self._here
        self._lines += [f"n = {count}", f"e = {start} + n * {size}", "_need(data, e)"]
        self._lines.append(f"{variable} = {self._elements(element, start)}")
        if fixed:
            assert node.size is not None
            self._skip(node.size)
        else:
            self._rebase("e")

    def _elements(self, element: BoundNode, start: str) -> str:
        """Expression for the elements between `start` and `e`."""
        if leaves(element) is None or not fits(element, self.order):
            function = self.decoder.record(element)  # type: ignore[arg-type]
            return f"tuple([{function}(data, q) for q in range({start}, e, {element.size})])"
        inner = _Body(self.decoder, BoundRecord(self.node.record, (), element.size))
        inner.order = self.order
        value = inner._element(element)
        name, _ = self.built.structure(self.order, inner._run)
        return f"tuple([{value} for t0 in {name}.iter_unpack(data[{start}:e])])"

    def _element(self, element: BoundNode) -> str:
        return self._in_run(element)

    def _conditional(self, member: Member, node: BoundNode) -> None:
        """A field that is there if earlier fields say so."""
        assert member.when is not None
        self._flush()
        self._rebase(self._here)
        condition = member.when.source(self._field)
        names = member.absent
        before = self._lines
        self._lines = []
        found = self._present_values(member, node)
        self._flush()
        assigned = [f"v_{name} = {found[name]}" for name in names]
        inside = [*self._lines, *assigned, f"p = {self._here}"]
        absent = absent_sources(member)
        self._lines = [
            *before,
            f"if {condition}:",
            *(f"    {line}" for line in inside),
            "else:",
            *(f"    v_{name} = {absent[name]}" for name in names),
        ]
        self._offset = self._run_offset = 0
        self._values |= {name: f"v_{name}" for name in names}

    def _present_values(self, member: Member, node: BoundNode) -> dict[str, str]:
        if isinstance(node, BoundWord):
            return self._word(node)
        if leaves(node) is not None and fits(node, self.order):
            return {member.name: self._in_run(node)}
        return {member.name: self._statement(node, f"w_{member.name}")}


def _at(offset: int) -> str:
    return f"p + {offset}" if offset else "p"


def _bits(item: str, lo: int, mask: int, boolean: bool) -> str:
    if boolean:
        return f"({item} & {mask << lo}) != 0"
    return f"({item} >> {lo}) & {mask}" if lo else f"{item} & {mask}"


def _value(node: BoundNode, item: str) -> str:
    """Expression of a leaf's value, given the expression of its struct item."""
    match node:
        case BoundInteger(size, signed, order) if size not in STRUCT_SIZES:
            return f"_from({item}, {order!r}, signed={signed})"
        case BoundFloat():
            return f"_finite({item})"
        case BoundBytes("text"):
            return f"{item}.decode('latin-1')"
        case BoundBytes("bcd"):
            return f"{item}.hex()"
        case BoundBytes("set"):
            return f"_set({item})"
    return item
