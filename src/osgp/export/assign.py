"""Values as people type them, put into a record: `osgp encode BT52 clock_calendar=...`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from osgp.errors import EncodeError, PathError
from osgp.spec.units import UNITS
from osgp.wire import Layout, Record
from osgp.wire.kinds import Array, Bcd, Bits, Integer, Kind, Nested, NonInteger, Rest, Sized, Text
from osgp.wire.limits import MAX_FIELD_BYTES
from osgp.wire.path import parse
from osgp.wire.places import WHOLE, element_of
from osgp.wire.record import Field
from osgp.wire.resolve import resolve

from .describe import names_of
from .plain import Tree, plain, record_of

_QUANTITY = re.compile(r"(?P<number>[-+]?[\d_]+(?:\.\d+)?)\s*(?P<unit>[^\d\s].*)?")
_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def blank(layout: Layout[Any]) -> Tree:
    """The dictionary of an image of zeros; lists whose length the data gives are empty."""
    record, _ = layout.decode_from(bytes(MAX_FIELD_BYTES if layout.size is None else layout.size))
    rests = [field.name for field in layout.record.wire_fields if isinstance(field.kind, Rest)]
    return plain(record.with_(**dict.fromkeys(rests, b"")))


def assembled(layout: Layout[Any], tree: Any, assignments: Iterable[tuple[str, str]]) -> Record:
    """A record from a (partial) dictionary and `field=value` pairs; the rest is zero.

    Fields are named as `osgp.wire.resolve` allows. Raises EncodeError or PathError.
    """
    base = blank(layout)
    merge(base, tree)
    for name, text in assignments:
        _assign(layout, base, name, text)
    return record_of(layout.record, base)


def merge(base: Tree, changes: Any) -> None:
    """Puts `changes` into `base`; dictionaries element by element, lists by position."""
    if not isinstance(changes, dict):
        raise EncodeError(f"an object is needed, not {changes!r}")
    for name, value in changes.items():
        base[name] = _merged(base.get(name), value)


def _merged(old: Any, new: Any) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        merge(old, new)
        return old
    if isinstance(old, list) and isinstance(new, list):
        kept = old + [None] * (len(new) - len(old))
        return [_merged(kept[index], item) for index, item in enumerate(new)] + old[len(new) :]
    return new


def _assign(layout: Layout[Any], base: Tree, name: str, text: str) -> None:
    path = _path(layout, name)
    steps = parse(path)
    field = _declared(layout.record, steps, path)
    value = parsed(field, text, path)
    holder: Any = base
    for step in steps[:-1]:
        holder = _entered(holder, step, path)
    last: Any = steps[-1]
    if isinstance(holder, list):
        _entered(holder, last, path)
    before = holder[last] if isinstance(holder, list) else holder.get(last)
    holder[last] = _padded(field.kind, value, before)


def _padded(kind: Kind, value: Any, before: Any) -> Any:
    """Texts are as long as their fields, with spaces behind; digits with zeros in front."""
    if isinstance(kind, Text) and isinstance(before, str):
        return str(value).ljust(len(before))
    if isinstance(kind, Bcd) and isinstance(before, str):
        return str(value).rjust(len(before), "0")
    return value


def _path(layout: Layout[Any], name: str) -> str:
    """The path of a field; one whose place depends on the data must be given in full."""
    try:
        return resolve(layout, name).path
    except PathError as error:
        path = name.partition(".")[2] if name.startswith(f"{layout.name}.") else name
        try:
            _declared(layout.record, parse(path), path)
        except (EncodeError, PathError):
            raise error from None
        return path


def _entered(holder: Any, step: Any, path: str) -> Any:
    try:
        return holder.setdefault(step, {}) if isinstance(holder, dict) else holder[step]
    except (IndexError, TypeError, KeyError) as error:
        raise EncodeError("no such element", field=path) from error


def _declared(record: type[Record], steps: list[Any], path: str) -> Field:
    """The declaration of the field at a path."""
    kind: Kind = Nested(record)
    field: Field | None = None
    for step in steps:
        if isinstance(step, str) and isinstance(kind, Nested):
            field = next((one for one in kind.record.wire_fields if one.name == step), None)
        elif isinstance(step, int) and isinstance(kind, Array) and field is not None:
            field = element_of(field)
        else:
            field = None
        if field is None:
            raise EncodeError("no such field", field=path)
        kind = field.kind
    assert field is not None
    return field


def parsed(field: Field, text: str, where: str = "") -> Any:
    """A value as people type it, for `record_of`: numbers in the field's unit, names of codes."""
    text = text.strip()
    if text[:1] in ("{", "["):
        return _json(text, where)
    match field.kind:
        case Bits(boolean=True) if text.lower() in _TRUTH:
            return _TRUTH[text.lower()]
        case Bits() | Integer() | NonInteger():
            return _number(field, text, where)
        case Array():
            element = element_of(field)
            return [parsed(element, item, where) for item in text.split(",") if item.strip()]
        case Sized(form="set"):
            items = [item.strip() for item in text.split(",")]
            return [_number(field, item, where) for item in items if item and item != "none"]
        case Nested(record) if record not in WHOLE:
            raise EncodeError("a record is written as JSON: {...}", field=where)
    return text


def _json(text: str, where: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise EncodeError(f"no JSON: {error}", field=where) from error


def _number(field: Field, text: str, where: str) -> int:
    codes = names_of(field.enum) or {}
    for code, name in codes.items():
        if name and name.casefold() == text.casefold():
            return code
    try:
        return int(text, 0) if field.scale is None else _stored(field, text, where)
    except ValueError:
        return _stored(field, text, where)


def _stored(field: Field, text: str, where: str) -> int:
    """The stored number of `230.5 V` in a field that counts millivolts."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise EncodeError(f"{text!r} is no value of it", field=where)
    number = float(match["number"]) * _factor(field, match["unit"], where)
    stored = round(number / (field.scale or 1), 6)
    if stored != int(stored):
        raise EncodeError(f"{text} is between two values that it can hold", field=where)
    return int(stored)


def _factor(field: Field, unit: str | None, where: str) -> float:
    """How many of the field's units one of `unit` is."""
    if unit is None or unit == field.unit:
        return 1.0
    known, wanted = UNITS.get(unit), UNITS.get(field.unit or "")
    if known is None or wanted is None or known.base != wanted.base:
        raise EncodeError(f"{unit} does not go with {field.unit or 'it'}", field=where)
    return known.factor / wanted.factor
