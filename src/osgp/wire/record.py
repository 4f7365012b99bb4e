"""Records: a class whose fields are one line each, and whose instances are the decoded values.

    class ClockState(Record, byte_order="little"):
        time = nested(LTimeDate, "local time")
        day_of_week = bits(0, 2, "0 = Sunday")
        dst = flag(3, "daylight saving time in effect")

Instances are frozen msgspec structs: hashable, comparable, ready for JSON. A field that a layout
lacks (its condition is false, the firmware has it not) is None. Bits that no field names are
kept in hidden `_fillN` members, so that encoding what was decoded gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal, Self, TypedDict

import msgspec

from .expr import Expr
from .kinds import Bits, Kind, Rest

Version = tuple[int, ...]
Order = Literal["little", "big"]


class Meta(TypedDict, total=False):
    """What a declaration may say of a field besides its wire type."""

    unit: str
    scale: float
    enum: Any
    when: Expr
    since: Version
    until: Version
    in_place: bool
    default: Any
    vci: str
    source: str
    note: str
    name: str


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One declared field. `since` is the first firmware that has it, `until` the first without.

    `in_place`: other firmware has its bytes too, without this meaning, so nothing shifts.
    `scale` turns the stored integer into `unit` (stored * scale). `enum` names codes: a mapping
    or an enumeration. `vci` is the value control identifier (clause 5.4).
    """

    kind: Kind
    name: str = ""
    meaning: str = ""
    unit: str | None = None
    scale: float | None = None
    enum: Any = None
    when: Expr | None = None
    since: Version | None = None
    until: Version | None = None
    in_place: bool = False
    default: Any = None
    vci: str | None = None
    source: str | None = None
    note: str | None = None


class Word(msgspec.Struct, frozen=True):
    """Bit fields that share one word of `size` bytes, with the hidden members for unused bits."""

    fields: tuple[Field, ...]
    size: int
    fills: tuple[tuple[str, int, int], ...]


Item = Field | Word

HIDDEN = "_fill"
"""How the names of hidden members begin."""


def _group(fields: tuple[Field, ...]) -> Iterator[Item]:
    """Fields in order, bit fields gathered into their words."""
    pending: list[Field] = []
    fill_count = 0
    for field in fields:
        if pending and not _continues(pending, field):
            yield _word(pending, fill_count)
            fill_count += len(_gaps(pending))
            pending = []
        if isinstance(field.kind, Bits):
            pending.append(field)
        else:
            yield field
    if pending:
        yield _word(pending, fill_count)


def _continues(pending: list[Field], field: Field) -> bool:
    last, kind = pending[-1].kind, field.kind
    return (
        isinstance(kind, Bits)
        and isinstance(last, Bits)
        and kind.lo > last.hi
        and kind.word == last.word
        and not kind.starts
    )


def _gaps(fields: list[Field]) -> list[tuple[int, int]]:
    """Runs of bits (lo, hi) of the word that no field names."""
    gaps, position = [], 0
    word = 8
    for field in fields:
        kind = field.kind
        assert isinstance(kind, Bits)
        if kind.lo > position:
            gaps.append((position, kind.lo - 1))
        position, word = kind.hi + 1, kind.word
    if position < word:
        gaps.append((position, word - 1))
    return gaps


def _word(fields: list[Field], fill_count: int) -> Word:
    kind = fields[0].kind
    assert isinstance(kind, Bits)
    fills = tuple((f"{HIDDEN}{fill_count + n}", lo, hi) for n, (lo, hi) in enumerate(_gaps(fields)))
    return Word(tuple(fields), kind.word // 8, fills)


def _fills(items: tuple[Item, ...]) -> list[str]:
    """Names of the hidden members."""
    return [name for item in items if isinstance(item, Word) for name, _, _ in item.fills]


def _declared(bases: tuple[type, ...], namespace: dict[str, Any]) -> tuple[Field, ...]:
    """Fields of a class body, after those of the records that it extends."""
    inherited = {field.name: field for base in bases for field in getattr(base, "wire_fields", ())}
    own = {
        name: msgspec.structs.replace(value, name=name)
        for name, value in namespace.items()
        if isinstance(value, Field)
    }
    hidden = any(_fills(getattr(base, "wire_items", ())) for base in bases)
    if hidden and not own.keys() <= inherited.keys():
        raise TypeError("a record with unused bits cannot be extended; name the bits")
    return tuple((inherited | own).values())


def _check(fields: tuple[Field, ...], items: tuple[Item, ...]) -> None:
    """TypeError for a declaration that no image could follow."""
    known: set[str] = set()
    for field in fields:
        for missing in sorted(_reads(field) - known):
            raise TypeError(f"{field.name}: {missing} is no earlier field")
        known.add(field.name)
    for item in items:
        for field in item.fields[1:] if isinstance(item, Word) else ():
            if field.when is not None:
                raise TypeError(f"{field.name}: its word's first field has the condition")
    for field in fields[:-1]:
        if isinstance(field.kind, Rest):
            raise TypeError(f"{field.name}: nothing can follow the rest of the image")


def _reads(field: Field) -> frozenset[str]:
    """Earlier fields that the presence or the size of `field` depends on."""
    formulas = field.kind.formulas if field.when is None else (*field.kind.formulas, field.when)
    return frozenset[str]().union(*(formula.field_names() for formula in formulas))


class RecordMeta(msgspec.StructMeta):
    """Turns declared fields into struct members, and groups bit fields into words."""

    wire_fields: tuple[Field, ...]
    wire_items: tuple[Item, ...]
    wire_order: Order

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        byte_order: Order | None = None,
        **kwargs: Any,
    ) -> Any:
        fields = _declared(bases, namespace)
        items = tuple(_group(fields))
        _check(fields, items)
        names, hidden = [field.name for field in fields], _fills(items)
        body = {key: value for key, value in namespace.items() if key not in names}
        body |= dict.fromkeys(hidden, 0)
        members = dict.fromkeys(names, Any) | dict.fromkeys(hidden, int)
        body["__annotations__"] = namespace.get("__annotations__", {}) | members
        body["__module__"] = namespace.get("__module__", "")
        cls = super().__new__(
            mcs,
            name,
            bases,
            body,
            frozen=True,
            gc=False,
            repr_omit_defaults=True,
            omit_defaults=True,
            **kwargs,
        )
        inherited: Order = getattr(cls, "wire_order", "little")
        cls.wire_fields = fields
        cls.wire_items = items
        cls.wire_order = byte_order or inherited
        return cls


class Record(msgspec.Struct, metaclass=RecordMeta):
    """Base of every declared table, procedure parameter, message and structure."""

    wire_fields: ClassVar[tuple[Field, ...]]
    wire_items: ClassVar[tuple[Item, ...]]
    wire_order: ClassVar[Order]

    @classmethod
    def make(cls, **values: Any) -> Self:
        """An instance with `values`; fields not given are None."""
        given = {field.name: None for field in cls.wire_fields} | values
        return cls(**given)

    def with_(self, **changes: Any) -> Self:
        """A copy with some fields replaced."""
        return msgspec.structs.replace(self, **changes)
