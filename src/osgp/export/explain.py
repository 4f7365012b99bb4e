"""A decoded table in words: every value with its place, unit and name.

Codes, source ids, events with their arguments, alarms and times come out as people read them;
the stored number stays beside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from osgp.spec.events import EVENT_NAMES, MANUFACTURER_EVENTS, occurrence
from osgp.spec.source_ids import Quantity, extended_source
from osgp.spec.units import in_base
from osgp.wire import Layout, Record
from osgp.wire.kinds import NonInteger, Sized
from osgp.wire.places import Place, places
from osgp.wire.record import Field

from .describe import names_of
from .plain import iso, plain_value
from .quantities import quantity_at, tier_at

_SOURCE_LISTS = re.compile(r"(?:^|\.)(?:\w*extended_sources)\[\d+\]$")
_STEP = re.compile(r"(\w+)|\[(\d+)\]")


class Explained(msgspec.Struct, frozen=True):
    """A field of an image. `raw` is what is stored, `value` the same in `unit`.

    `text` says it in words; `name` is the quantity where another table (or the default order)
    tells which it is.
    """

    path: str
    offset: int
    size: int
    bits: tuple[int, int] | None
    raw: Any
    value: Any
    unit: str | None
    name: str | None
    text: str
    meaning: str


def explain(
    table: str, layout: Layout[Any], record: Record, images: Mapping[str, Any]
) -> Iterator[Explained]:
    """Every field of `record`. `images`: other decoded tables of the device, by name."""
    for place in places(layout, record):
        yield _explained(table, place, record, images)


def _explained(table: str, place: Place, record: Record, images: Mapping[str, Any]) -> Explained:
    field = place.field
    named = quantity_at(table, place.path, images) if _is_number(field) else None
    unit = field.unit or (named.unit or None if isinstance(named, Quantity) else None)
    value = scaled(field, place.value)
    return Explained(
        path=place.path,
        offset=place.offset,
        size=place.size,
        bits=place.bits,
        raw=plain_value(place.value),
        value=plain_value(value),
        unit=unit,
        name=None if named is None else _titled(str(getattr(named, "name", named)), place.path),
        text=_special(table, place, record) or in_words(field, place.value, unit),
        meaning=field.meaning,
    )


def _is_number(field: Field) -> bool:
    return isinstance(field.kind, NonInteger) or field.enum is None


def _titled(name: str, path: str) -> str:
    tier = tier_at(path)
    return name if tier is None else f"T{tier} {name}"


def scaled(field: Field, value: Any) -> Any:
    """A stored number in the field's unit."""
    return value if field.scale is None or value is None else round(value * field.scale, 9)


def in_words(field: Field, value: Any, unit: str | None) -> str:
    """A value as people read it."""
    match value:
        case bool():
            return "yes" if value else "no"
        case Record():
            return iso(value) or _parts(value)
        case frozenset():
            return _members(value, names_of(field.enum) or {})
        case bytes():
            return value.hex(" ")
        case str():
            return value.strip("\0 ") if _is_text(field) else value
    codes = names_of(field.enum)
    if codes is not None:
        return codes.get(value, "?")
    return quantity_text(scaled(field, value), unit) if unit else ""


def _is_text(field: Field) -> bool:
    return isinstance(field.kind, Sized) and field.kind.form == "text"


def quantity_text(value: float, unit: str) -> str:
    """`230000, "mV"` as `230 V`."""
    shown, base = in_base(value, unit)
    number = f"{shown:.6f}".rstrip("0").rstrip(".") if isinstance(shown, float) else str(shown)
    return number if base == "1" else f"{number} {base}"


def _parts(record: Record) -> str:
    """A date or time that does not exist."""
    values = [getattr(record, field.name) for field in record.wire_fields]
    return "not set" if len(set(values)) == 1 else "/".join(str(value) for value in values)


def _members(members: frozenset[int], names: Mapping[int, str]) -> str:
    return ", ".join(names.get(member, str(member)) for member in sorted(members)) or "none"


def _special(table: str, place: Place, record: Record) -> str | None:
    """What only its neighbourhood explains: events, extended sources, sets of events."""
    name = place.field.name
    if name == "event" and isinstance(place.value, int):
        argument = getattr(parent(record, place.path), "argument", b"")
        return str(occurrence(place.value, argument or b""))
    if name.startswith("manufacturer_event") and isinstance(place.value, frozenset):
        shifted = {number - MANUFACTURER_EVENTS: text for number, text in EVENT_NAMES.items()}
        return _members(place.value, shifted)
    if _SOURCE_LISTS.search(place.path) or (table, name) == ("ET71", "source"):
        named = extended_source(place.value)
        return named.name if isinstance(named, Quantity) else str(named)
    return None


def parent(record: Record, path: str) -> Any:
    """The record that holds the field at `path`."""
    value: Any = record
    for name, index in _STEP.findall(path.rpartition(".")[0]):
        value = getattr(value, name) if name else value[int(index)]
    return value
