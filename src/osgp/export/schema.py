"""JSON Schema (draft 2020-12) of records as `osgp.export.plain` writes them.

Made from the declaration alone: lengths that depend on dimensions are left open. Units, codes and
sources stand in the descriptions.
"""

from __future__ import annotations

from typing import Any, Final

from osgp.wire import Record
from osgp.wire.expr import Const, Expr
from osgp.wire.kinds import Array, Bits, Integer, Kind, Nested, Sized
from osgp.wire.record import HIDDEN, Field

from .describe import BASE_TYPES, names_of
from .lookup import Declaration

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_MOST_CODES = 24
_HEX = "^([0-9a-f]{2})*$"
_TIME = {"type": "string", "pattern": r"^[0-9T:-]+$"}
_HIDDEN = {f"^{HIDDEN}[0-9]+$": {"type": "integer", "minimum": 1}}


def schema_of(declaration: Declaration) -> dict[str, Any]:
    """The schema of a table's record, or of a procedure's parameters."""
    info = declaration.info
    head = {"$schema": DIALECT, "title": f"{info.name} {info.title}"}
    return head | _record(declaration, declaration.__doc__ or "")


def _record(record: type[Record], description: str) -> dict[str, Any]:
    """An object; every field may lack, as conditions and firmware decide."""
    return {
        "type": "object",
        "description": description,
        "properties": {field.name: _field(field) for field in record.wire_fields},
        "patternProperties": _HIDDEN,
        "additionalProperties": False,
    }


def _field(field: Field) -> dict[str, Any]:
    schema = _kind(field.kind)
    description = ", ".join(filter(None, (field.meaning, field.unit and f"in {field.unit}")))
    codes = names_of(field.enum) or {}
    if codes and len(codes) <= _MOST_CODES:
        listed = ", ".join(f"{code} {name}" for code, name in codes.items() if name)
        description += f" ({listed})"
    return schema | ({"description": description} if description else {})


def _kind(kind: Kind) -> dict[str, Any]:
    match kind:
        case Bits(boolean=True):
            return {"type": "boolean"}
        case Bits(lo, hi):
            return _range(0, (1 << hi - lo + 1) - 1)
        case Integer(size, signed):
            return _integer(8 * size, signed)
        case Nested(record) if record in BASE_TYPES:
            return {"anyOf": [_TIME, _record(record, BASE_TYPES[record])]}
        case Nested(record):
            return _record(record, "")
        case Array(element, count, _):
            return {"type": "array", "items": _field(element)} | _items(count)
        case Sized(size):
            return _sized(kind.form, size)
    return {"type": ["integer", "number", "string"]}


def _integer(bits: int, signed: bool) -> dict[str, Any]:
    return _range(-(1 << bits - 1), (1 << bits - 1) - 1) if signed else _range(0, (1 << bits) - 1)


def _range(least: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most}


def _items(count: Expr) -> dict[str, Any]:
    if not isinstance(count, Const):
        return {}
    return {"minItems": count.value, "maxItems": count.value}


def _sized(form: str, size: Expr) -> dict[str, Any]:
    length = size.value if isinstance(size, Const) else None
    if form == "set":
        members = {"type": "integer", "minimum": 0}
        return {"type": "array", "items": members, "uniqueItems": True}
    characters = None if length is None else length * (1 if form == "text" else 2)
    limits = {} if characters is None else {"minLength": characters, "maxLength": characters}
    return {"type": "string"} | ({} if form == "text" else {"pattern": _HEX}) | limits
