"""Source of decoders."""

from __future__ import annotations

from collections.abc import Callable

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
from osgp.wire.kinds import Form
from osgp.wire.limits import MAX_FIELD_BYTES
from osgp.wire.record import Order

from .elements import Elements
from .program import STRUCT_SIZES, Program, array_code, code_of, flat, indented

Values = dict[str, str]
"""Expressions of struct members, by name."""


class Decoder:
    def __init__(self, built: Program) -> None:
        self.built = built

    def function(self, node: BoundNode, order: Order) -> str:
        """A function (data, p) -> value where the size is fixed, else -> (value, position)."""
        name = self.built.function("_d")
        order = node.record.wire_order if isinstance(node, BoundRecord) else order
        self.built.define(name, "data, p", _Body(self, order).lines(node))
        return name


class _Body:
    """Lines of one function. What is decoded next stands at `_offset` from the variable `p`.

    Leaves gather in a run until something else comes; `_flush` ends it with one struct call. An
    expression that refers to the run's items holds from then on.
    """

    def __init__(self, decoder: Decoder, order: Order) -> None:
        self.decoder, self.built, self.order = decoder, decoder.built, order
        self._lines: list[str] = []
        self._values: Values = {}
        self._offset = 0
        self._run: list[str] = []
        self._run_offset = 0
        self._run_items = 0
        self._runs = 0

    def lines(self, node: BoundNode) -> list[str]:
        result = self._fields(node) if isinstance(node, BoundRecord) else self._value(node, "v")
        self._flush()
        end = f", {self._here}" if node.size is None else ""
        return [*self._lines, f"return {result}{end}"]

    # --- records ------------------------------------------------------------------------------

    def _fields(self, node: BoundRecord) -> str:
        """The expression of the function's own record."""
        for member in node.members:
            if member.when is not None:
                self._conditional(member)
            else:
                self._values |= self._member(member)
        return self._made(node, self._values)

    def _made(self, node: BoundRecord, values: Values) -> str:
        members = ", ".join(values[name] for name in node.record.__struct_fields__)
        return f"{self.built.constant('_c', node.record)}({members})"

    def _member(self, member: Member) -> Values:
        match member.node:
            case None:
                return _nothing(member)
            case BoundWord() as word:
                return self._word(word)
            case node:
                return {member.name: self._value(node, f"v_{member.name}")}

    def _conditional(self, member: Member) -> None:
        """A field that is there if earlier fields say so."""
        assert member.when is not None
        self._rebase()
        condition = member.when.source(self._field)
        present = self._block(lambda: self._assign(self._member(member)))
        missing = [f"v_{name} = {value}" for name, value in _nothing(member).items()]
        self._lines += [f"if {condition}:", *present, "else:", *indented(missing)]
        self._values |= {name: f"v_{name}" for name in member.names}

    def _assign(self, values: Values) -> None:
        self._flush()
        pairs = ((f"v_{name}", value) for name, value in values.items())
        self._lines += [f"{name} = {value}" for name, value in pairs if name != value]

    def _block(self, emit: Callable[[], None]) -> list[str]:
        """Indented lines of what `emit` writes; `p` is up to date before and after."""
        outer, self._lines = self._lines, []
        emit()
        self._rebase()
        inner, self._lines = self._lines, outer
        return indented(inner)

    # --- runs ---------------------------------------------------------------------------------

    def _value(self, node: BoundNode, variable: str) -> str:
        """Expression of a node's value; what is no part of a run is decoded into `variable`."""
        if not flat(node, self.order):
            self._flush()
            return self._statement(node, variable)
        if isinstance(node, BoundRecord):
            parts: Values = {}
            for member in node.members:
                parts |= self._member(member)
            return self._made(node, parts)
        if isinstance(node, BoundArray):
            return self._plain_array(node)
        return _leaf(node, self._item(node))

    def _item(self, node: BoundNode) -> str:
        item = f"t{self._runs}[{self._run_items}]"
        self._take(code_of(node), 1, node.size)
        return item

    def _take(self, code: str, items: int, size: int | None) -> None:
        assert size is not None
        self._run.append(code)
        self._run_items += items
        self._offset += size

    def _word(self, node: BoundWord) -> Values:
        item = self._item(node)
        if node.size not in STRUCT_SIZES:
            item = f"_from({item}, {node.order!r})"
        return {slot.name: _bits(item, slot.lo, slot.mask, slot.boolean) for slot in node.slots}

    def _plain_array(self, node: BoundArray) -> str:
        assert isinstance(node.count, Const)
        count, element, start = node.count.value, node.elements[0], self._run_items
        if count == 0:
            return "()"
        self._take(array_code(element, count), count, node.size)
        items = f"t{self._runs}[{start}:{start + count}]"
        value = _leaf(element, "x")
        return items if value == "x" else f"tuple([{value} for x in {items}])"

    def _flush(self) -> None:
        """Ends the current run: one struct call at its place."""
        if self._run:
            name = self.built.structure(self.order, self._run)
            call = f"t{self._runs} = {name}.unpack_from(data, {_at(self._run_offset)})"
            self._lines.append(call)
            self._runs += 1
        self._run, self._run_items, self._run_offset = [], 0, self._offset

    # --- what is no part of a run -------------------------------------------------------------

    def _statement(self, node: BoundNode, variable: str) -> str:
        match node:
            case BoundArray(count=Const(value=0)):
                return "()"
            case BoundArray(uniform=False):
                return self._varied(node, variable)
            case BoundArray():
                return self._array(node, node.elements[0], variable)
            case BoundRest():
                self._lines.append(f"{variable} = data[{self._here}:]")
                self._move("len(data)")
            case BoundBytes(form, length):
                self._bytes(form, length, variable)
            case _:
                self._call(node, variable)
        return variable

    def _call(self, node: BoundNode, variable: str) -> None:
        call = f"{self.decoder.function(node, self.order)}(data, {self._here})"
        if node.size is None:
            self._lines.append(f"{variable}, p = {call}")
            self._start()
        else:
            self._lines.append(f"{variable} = {call}")
            self._skip(node.size)

    def _bytes(self, form: Form, length: Expr, variable: str) -> None:
        here, count = self._here, self._capped(length, MAX_FIELD_BYTES)
        self._lines += [
            f"e = {here} + {count}",
            "_need(data, e)",
            f"b = data[{here}:e]",
            f"{variable} = {_leaf(BoundBytes(form, length), 'b')}",
        ]
        self._move("e")

    def _varied(self, node: BoundArray, variable: str) -> str:
        values = [
            self._value(element, f"{variable}_{n}") for n, element in enumerate(node.elements)
        ]
        return f"({''.join(value + ', ' for value in values)})"

    def _array(self, node: BoundArray, element: BoundNode, variable: str) -> str:
        fixed = isinstance(node.count, Const)
        count = str(node.count) if fixed else self._capped(node.count, node.cap)
        if element.size is None:
            self._loop(element, count, variable)
        elif element.size == 0:
            function = self.decoder.function(element, self.order)
            calls = f"{function}(data, {self._here}) for _ in range({count})"
            self._lines.append(f"{variable} = tuple([{calls}])")
        else:
            here = self._here
            self._lines += [f"e = {here} + {count} * {element.size}", "_need(data, e)"]
            self._lines.append(f"{variable} = {self._elements(node, element, here)}")
            self._skip(node.size) if node.size is not None else self._move("e")
        return variable

    def _loop(self, element: BoundNode, count: str, variable: str) -> None:
        """Elements whose length the data decides, one after another."""
        found = f"{variable}_found"
        self._rebase()
        self._lines += [f"{found} = []", f"for _ in range({count}):"]
        self._lines += self._block(lambda: self._append(element, found, variable))
        self._lines.append(f"{variable} = tuple({found})")

    def _append(self, element: BoundNode, found: str, variable: str) -> None:
        value = self._value(element, f"{variable}_one")
        self._flush()
        self._lines.append(f"{found}.append({value})")

    def _elements(self, node: BoundArray, element: BoundNode, start: str) -> str:
        """Expression of the elements of fixed size between `start` and `e`."""
        order = element.record.wire_order if isinstance(element, BoundRecord) else self.order
        if not flat(element, order):
            function = self.decoder.function(element, order)
            return f"tuple([{function}(data, q) for q in range({start}, e, {element.size})])"
        if isinstance(element, BoundRecord):
            count = node.count.value if isinstance(node.count, Const) else None
            plain = Elements(element, order, start, count).source(self.built)
            if plain is not None:
                return plain
        one = _Body(self.decoder, order)
        value = one._value(element, "")
        name = self.built.structure(order, one._run)
        return f"tuple([{value} for t0 in {name}.iter_unpack(data[{start}:e])])"

    def _capped(self, formula: Expr, cap: int) -> str:
        return f"_number({formula.source(self._field)}, {cap})"

    def _field(self, name: str) -> str:
        return f"({self._values[name]})"

    # --- the position -------------------------------------------------------------------------

    @property
    def _here(self) -> str:
        return _at(self._offset)

    def _skip(self, size: int) -> None:
        self._offset += size
        self._run_offset = self._offset

    def _move(self, expression: str) -> None:
        self._lines.append(f"p = {expression}")
        self._start()

    def _start(self) -> None:
        """`p` itself is where the next field stands."""
        self._offset = self._run_offset = 0

    def _rebase(self) -> None:
        self._flush()
        if self._offset:
            self._move(self._here)


def _at(offset: int) -> str:
    return f"p + {offset}" if offset else "p"


def _nothing(member: Member) -> Values:
    return {name: repr(value) for name, value in member.nothing.items()}


def _bits(item: str, lo: int, mask: int, boolean: bool) -> str:
    if boolean:
        return f"({item} & {mask << lo}) != 0"
    return f"({item} >> {lo}) & {mask}" if lo else f"{item} & {mask}"


def _leaf(node: BoundNode, item: str) -> str:
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
