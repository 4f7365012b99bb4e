"""Strategies: record classes of every shape, dimensions for them, and values that fit.

Formulas in the generated declarations read dimension table "D" and BT00, earlier fields of the
same record, and the number of the array element, so that every way of giving a size is met.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec
from hypothesis import strategies as st

from osgp.wire import (
    INDEX,
    Dims,
    Expr,
    Layout,
    Record,
    Ref,
    array,
    bcd,
    bind,
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
    set_bytes,
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
from osgp.wire.bound import (
    BoundArray,
    BoundBytes,
    BoundFloat,
    BoundInteger,
    BoundNode,
    BoundRecord,
    BoundRest,
    BoundSlot,
    BoundWord,
)
from osgp.wire.expr import Operand

INTEGERS: tuple[Callable[[], int], ...] = (
    uint8, uint16, uint24, uint32, uint40, uint48, uint64,
    int8, int16, int24, int32, int40, int48, int64, ni_fmat1, ni_fmat2,
)  # fmt: skip
STRINGS: tuple[Callable[[Operand], Any], ...] = (octets, text, bcd, bitset)
WORDS = (8, 16, 24, 32, 40, 48)
VERSIONS = ((1,), (2,), (3,))
D = Ref("D")
MOST = 4
"""Largest count or size that a generated declaration gives."""

_KNOWN_SIZES: tuple[Callable[[], Operand], ...] = (
    lambda: 0,
    lambda: 1,
    lambda: 3,
    lambda: D.a,
    lambda: D.b // 2 + 1,
    lambda: set_bytes(D.a * 5),
    lambda: D.sizes[D.a % MOST],
    lambda: (D.a - D.b).max(0),
    lambda: Ref("UNREAD").some_count.or_else(2),
)
_KNOWN_CONDITIONS: tuple[Callable[[], Expr], ...] = (
    lambda: D.a > 1,
    lambda: D.flags[0],
    lambda: ~D.flags[1],
    lambda: (D.a >= D.b) | D.flags[2],
    lambda: (D.a <= 3) & D.b.ne(0),
)
_INDEXED_SIZES: tuple[Callable[[], Expr], ...] = (lambda: D.sizes[INDEX], lambda: INDEX % 3)
_INDEXED_CONDITIONS: tuple[Callable[[], Expr], ...] = (
    lambda: D.flags[INDEX],
    lambda: INDEX > 0,
    lambda: D.sizes[INDEX] < 2,
)


def _sizes_by(field: Any) -> tuple[Callable[[], Expr], ...]:
    return (
        lambda: field % MOST,
        lambda: field & 3,
        lambda: (field % 5 + 1) // 2,
        lambda: (field % MOST - D.flags[0]).max(0),
        lambda: field.eq(7) + field.ne(9),
    )


def _conditions_by(field: Any) -> tuple[Callable[[], Expr], ...]:
    return (lambda: field & 4, lambda: field.eq(0), lambda: field < 3, lambda: ~(field % 2))


class _Shape:
    """A record under construction; `counts` are earlier fields that others may depend on."""

    def __init__(self, draw: st.DrawFn, indexed: bool) -> None:
        self.draw, self.indexed = draw, indexed
        self.fields: dict[str, Any] = {}
        self.counts: list[Any] = []

    def pick(self, options: tuple[Callable[[], Any], ...]) -> Any:
        return self.draw(st.sampled_from(options))()

    def yes(self) -> bool:
        return self.draw(st.booleans())

    def size(self) -> tuple[Operand, bool]:
        """A size, and whether dimensions alone decide it."""
        if self.counts and self.yes():
            return self.pick(_sizes_by(self.draw(st.sampled_from(self.counts)))), False
        indexed = self.indexed and self.yes()
        return self.pick(_INDEXED_SIZES if indexed else _KNOWN_SIZES), True

    def meta(self) -> dict[str, Any]:
        """Conditions and firmware versions of a field; mostly none."""
        versions = st.sampled_from(VERSIONS)
        match self.draw(st.integers(0, 9)):
            case 0:
                return {"since": self.draw(versions)}
            case 1:
                return {"until": self.draw(versions)}
            case 2 | 3 if self.counts:
                field = self.draw(st.sampled_from(self.counts))
                return {"when": self.pick(_conditions_by(field))}
            case 2 | 3 | 4:
                return {"when": self.pick(_KNOWN_CONDITIONS)}
            case 5 | 6 if self.indexed:
                return {"when": self.pick(_INDEXED_CONDITIONS)}
        return {}

    def add(self, field: Any, count: bool = False) -> None:
        name = f"f{len(self.fields)}"
        self.fields[name] = field
        if count:
            self.counts.append(getattr(this, name))

    def add_one(self, depth: int) -> None:
        kind = self.draw(st.integers(0, 5 if depth else 3))
        if kind == 0:
            self.add(self.draw(st.sampled_from((uint8, uint16)))(), count=True)
        elif kind == 1:
            self._add_word()
        else:
            meta = self.meta()
            field = self._leaf(self.indexed) if kind < 4 else self._inner(kind, depth)
            self.add(msgspec.structs.replace(field, **meta))

    def _add_word(self) -> None:
        """Bit fields with gaps between them; a condition on the first is one on the word."""
        word = self.draw(st.sampled_from(WORDS))
        ends = sorted(self.draw(st.sets(st.integers(0, word - 1), min_size=1, max_size=6)))
        ranges = list(zip([0, *(end + 1 for end in ends)], ends, strict=False))
        kept = [r for r in ranges if self.yes()] or ranges[:1]
        meta = self.meta()
        for number, (lo, hi) in enumerate(kept):
            how = {"word": word, "starts": number == 0, **(meta if number == 0 else {})}
            boolean = lo == hi and self.yes()
            field: Any = flag(lo, **how) if boolean else bits(lo, hi, **how)
            self.add(field, count=not boolean and not meta)

    def _leaf(self, indexed: bool) -> Any:
        if self.yes():
            return self.pick(INTEGERS)
        maker = self.draw(st.sampled_from(STRINGS))
        before, self.indexed = self.indexed, indexed
        size, _ = self.size()
        self.indexed = before
        return maker(size)

    def _inner(self, kind: int, depth: int) -> Any:
        if kind == 4:
            return nested(self.draw(record_types(depth - 1, self.indexed)))
        return self._array(depth)

    def _array(self, depth: int) -> Any:
        count, known = self.size()
        what = self.draw(st.integers(0, 2))
        if what == 0:
            return array(self._leaf(known), count)
        if what == 1:
            return array(nested(self.draw(record_types(depth - 1, known))), count)
        before, self.indexed = self.indexed, known
        inner = self._array(depth) if self.yes() else self._leaf(known)
        self.indexed = before
        return array(inner, count)


@st.composite
def record_types(
    draw: st.DrawFn, depth: int = 2, indexed: bool = False, whole: bool = False
) -> type[Record]:
    """A record class; `indexed`: for elements of an array; `whole`: may end in raw data."""
    shape = _Shape(draw, indexed)
    if draw(st.booleans()):
        shape.add(uint8(), count=True)
    for _ in range(draw(st.integers(1, 5))):
        shape.add_one(depth)
    if whole and draw(st.integers(0, 4)) == 0:
        shape.add(rest())
    order = {"byte_order": draw(st.sampled_from(("little", "big")))}
    return types.new_class("Drawn", (Record,), order, lambda body: body.update(shape.fields))


@st.composite
def dimensions(draw: st.DrawFn) -> Dims:
    small = st.integers(0, MOST)
    table = {
        "a": draw(small),
        "b": draw(small),
        "flags": tuple(draw(st.booleans()) for _ in range(MOST)),
        "sizes": tuple(draw(small) for _ in range(MOST)),
    }
    formats = {f"ni_format_{n}": draw(st.integers(0, 13)) for n in (1, 2)}
    firmware = draw(st.sampled_from((None, *VERSIONS)))
    return Dims({"D": table, "BT00": formats}, firmware=firmware)


class Sample(NamedTuple):
    """A layout, and a record that fits it."""

    layout: Layout[Any]
    value: Any


@st.composite
def layouts(draw: st.DrawFn) -> Layout[Any]:
    return bind(draw(record_types(whole=True)), draw(dimensions()))


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    layout = draw(layouts())
    return Sample(layout, draw(values(layout.tree)))


@st.composite
def values(draw: st.DrawFn, node: BoundNode, scope: dict[str, Any] | None = None) -> Any:
    """Values that fit a bound node, given earlier fields of its record."""
    known = scope or {}
    match node:
        case BoundRecord():
            return _record_value(draw, node)
        case BoundArray(count=count):
            number = count.evaluate(known)
            return tuple(draw(values(node.element(n), known)) for n in range(number))
        case BoundBytes(form, length):
            return draw(_strings(form, length.evaluate(known)))
    return draw(_leaf_values(node))


def _record_value(draw: st.DrawFn, node: BoundRecord) -> Any:
    fields: dict[str, Any] = {}
    for member in node.members:
        if member.node is None or (member.when is not None and not member.when.evaluate(fields)):
            fields |= member.nothing
        elif isinstance(member.node, BoundWord):
            fields |= {s.name: draw(slot_values(s.mask, s.boolean)) for s in member.node.slots}
        else:
            fields[member.name] = draw(values(member.node, fields))
    return node.record(**fields)


def slot_values(mask: int, boolean: bool) -> st.SearchStrategy[Any]:
    return st.booleans() if boolean else st.integers(0, mask)


def _leaf_values(node: BoundNode) -> st.SearchStrategy[Any]:
    match node:
        case BoundInteger(size, signed):
            span = 1 << 8 * size
            return st.integers(-span // 2, span // 2 - 1) if signed else st.integers(0, span - 1)
        case BoundFloat(4):
            return st.floats(width=32, allow_nan=False, allow_infinity=False)
        case BoundFloat():
            return st.floats(allow_nan=False, allow_infinity=False)
        case BoundRest():
            return st.binary(max_size=6)
    raise TypeError(f"no leaf: {node}")


def _strings(form: str, size: int) -> st.SearchStrategy[Any]:
    raw = st.binary(min_size=size, max_size=size)
    match form:
        case "text":
            return raw.map(lambda data: data.decode("latin-1"))
        case "bcd":
            return raw.map(bytes.hex)
        case "set":
            members = st.integers(0, max(0, 8 * size - 1))
            return st.frozensets(members) if size else st.just(frozenset())
    return raw


class Place(NamedTuple):
    """One leaf of a value: its steps and path, the node that codes it, and the value there."""

    steps: tuple[str | int, ...]
    node: BoundNode
    value: Any
    scope: dict[str, Any]

    @property
    def path(self) -> str:
        return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in self.steps)[1:]


def places(
    node: BoundNode,
    value: Any,
    steps: tuple[str | int, ...] = (),
    scope: dict[str, Any] | None = None,
) -> Iterator[Place]:
    """Every leaf of `value`, bit fields by themselves."""
    if isinstance(node, BoundArray):
        for number, item in enumerate(value):
            yield from places(node.element(number), item, (*steps, number), scope)
    elif isinstance(node, BoundRecord):
        yield from _record_places(node, value, steps)
    else:
        yield Place(steps, node, value, scope or {})


def _record_places(node: BoundRecord, value: Any, steps: tuple[str | int, ...]) -> Iterator[Place]:
    scope = {name: getattr(value, name) for name in value.__struct_fields__}
    for member in node.members:
        if member.node is None or (member.when is not None and not member.when.evaluate(scope)):
            continue
        if isinstance(member.node, BoundWord):
            for slot in member.node.slots:
                leaf = BoundSlot(member.node, slot)
                yield Place((*steps, slot.name), leaf, scope[slot.name], scope)
        else:
            inside = (*steps, member.name)
            yield from places(member.node, scope[member.name], inside, scope)


def replaced(value: Any, steps: tuple[str | int, ...], new: Any) -> Any:
    """A copy of `value` with something else at `steps`."""
    if not steps:
        return new
    first, rest_of = steps[0], steps[1:]
    if isinstance(first, int):
        return (*value[:first], replaced(value[first], rest_of, new), *value[first + 1 :])
    return msgspec.structs.replace(value, **{first: replaced(getattr(value, first), rest_of, new)})
