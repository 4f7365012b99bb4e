"""Records as numbers, strings, lists and dictionaries, and back: what JSON can carry.

    octets    hex digits           text      a string            BCD    a string of digits
    SET       the members' numbers  time      ISO 8601, where it is one that exists
    record    a dictionary without the fields that are not there

Stored integers stay as they are; `osgp.export.explain` is what scales and names them. Unused bits
that are not zero appear as `_fillN`, so that the way there and back gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from osgp.errors import DecodeError, EncodeError
from osgp.wire import Date, LTimeDate, Record, STimeDate, Time
from osgp.wire.kinds import Array, Bits, Integer, Kind, Nested, NonInteger, Sized
from osgp.wire.times import CENTURY

Tree = dict[str, Any]

_FILL = "_fill"


def plain(record: Record) -> Tree:
    """A record as a dictionary."""
    tree = {
        name: plain_value(getattr(record, name))
        for name in (field.name for field in record.wire_fields)
        if getattr(record, name) is not None
    }
    fills = (name for name in record.__struct_fields__ if name.startswith(_FILL))
    return tree | {name: getattr(record, name) for name in fills if getattr(record, name)}


def plain_value(value: Any) -> Any:
    """Any value of a record."""
    match value:
        case Record():
            return iso(value) or plain(value)
        case bytes():
            return value.hex()
        case tuple():
            return [plain_value(item) for item in value]
        case frozenset():
            return sorted(value)
    return value


def iso(value: Record) -> str | None:
    """A date or time in ISO 8601; None where it is none, or none that exists."""
    try:
        match value:
            case LTimeDate():
                return value.to_datetime().replace(tzinfo=None).isoformat()
            case STimeDate():
                return value.to_datetime().replace(tzinfo=None).isoformat(timespec="minutes")
            case Time():
                return value.to_time().isoformat()
            case Date():
                return value.to_date().isoformat()
    except DecodeError:
        pass
    return None


def record_of(kind: type[Record], tree: Any, where: str = "") -> Record:
    """The record of a dictionary; fields it lacks are None. Raises EncodeError, by field."""
    if isinstance(tree, str):
        return _moment(kind, tree, where)
    if not isinstance(tree, Mapping):
        raise EncodeError(f"a {kind.__name__} is an object, not {tree!r}", field=where)
    fields = {field.name: field.kind for field in kind.wire_fields}
    fills = {name for name in kind.__struct_fields__ if name.startswith(_FILL)}
    values = {}
    for name, value in tree.items():
        path = f"{where}.{name}" if where else str(name)
        if name in fields:
            values[name] = _value(fields[name], value, path)
        elif name in fills:
            values[name] = _integer(value, path)
        else:
            raise EncodeError(f"{kind.__name__} has no such field", field=path)
    return kind.make(**values)


def _value(kind: Kind, value: Any, where: str) -> Any:
    if value is None:
        return None
    match kind:
        case Bits(boolean=True):
            return _flag(value, where)
        case Bits() | Integer():
            return _integer(value, where)
        case NonInteger():
            return value if isinstance(value, float | str) else _integer(value, where)
        case Nested(record):
            return record_of(record, value, where)
        case Array(element, _, _):
            return _elements(element.kind, value, where)
        case Sized(form=form):
            return _sized(form, value, where)
    return _hex(value, where)


def _flag(value: Any, where: str) -> bool:
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    raise EncodeError(f"true or false, not {value!r}", field=where)


def _integer(value: Any, where: str) -> int:
    if isinstance(value, int):
        return int(value)
    raise EncodeError(f"a whole number, not {value!r}", field=where)


def _elements(kind: Kind, value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise EncodeError(f"a list, not {value!r}", field=where)
    return tuple(_value(kind, item, f"{where}[{index}]") for index, item in enumerate(value))


def _sized(form: str, value: Any, where: str) -> Any:
    if form == "set":
        return frozenset(_elements(Integer(8, False), value, where))
    if form == "octets":
        return _hex(value, where)
    if isinstance(value, str):
        return value
    raise EncodeError(f"a string, not {value!r}", field=where)


def _hex(value: Any, where: str) -> bytes:
    try:
        return bytes.fromhex(value)
    except (TypeError, ValueError) as error:
        raise EncodeError(f"hex digits, not {value!r}", field=where) from error


def _moment(kind: type[Record], text: str, where: str) -> Record:
    """A date or time from ISO 8601."""
    try:
        if issubclass(kind, LTimeDate | STimeDate):
            return _checked(kind.of(datetime.fromisoformat(text)), text)
        if issubclass(kind, Date):
            day = date.fromisoformat(text)
            return Date(day.year - CENTURY, day.month, day.day)
        if issubclass(kind, Time):
            moment = time.fromisoformat(text)
            return Time(moment.hour, moment.minute, moment.second)
    except ValueError as error:
        reason = f"{text!r} is no {kind.__name__} (like 2026-01-05T12:30:00)"
        raise EncodeError(reason, field=where) from error
    raise EncodeError(f"a {kind.__name__} is an object, not {text!r}", field=where)


def _checked(value: Record, text: str) -> Record:
    """ValueError for a year that one byte behind 2000 cannot hold."""
    if not 0 <= value.year <= 255:  # type: ignore[attr-defined]  # dates and times have it
        raise ValueError(text)
    return value
