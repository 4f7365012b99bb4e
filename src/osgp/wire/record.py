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
from .kinds import Bits, Kind

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
    fills = tuple((f"_fill{fill_count + n}", lo, hi) for n, (lo, hi) in enumerate(_gaps(fields)))
    return Word(tuple(fields), kind.word // 8, fills)


def _fills(items: tuple[Item, ...]) -> Iterator[str]:
    for item in items:
        if isinstance(item, Word):
            yield from (name for name, _, _ in item.fills)


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
        declared = {
            field.name: field for base in bases for field in getattr(base, "wire_fields", ())
        } | {
            key: msgspec.structs.replace(value, name=key)
            for key, value in namespace.items()
            if isinstance(value, Field)
        }
        items = tuple(_group(tuple(declared.values())))
        members = dict.fromkeys(declared, Any) | dict.fromkeys(_fills(items), int)
        body = {key: value for key, value in namespace.items() if key not in declared}
        body |= dict.fromkeys(_fills(items), 0)
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
        cls.wire_fields = tuple(declared.values())
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
