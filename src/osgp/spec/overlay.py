"""Layouts from a file in the place of this project's own.

Only declarations marked `Source.PROJECT` can be replaced or extended: where a public source lays a
table out, a file cannot change it. A file takes effect as a whole or not at all; the registries
then hold the new classes. The format is in docs/overlays.md; types and formulas in `notation`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from osgp.errors import DimensionError, UsageError
from osgp.wire import NO_DIMS, Record, bind
from osgp.wire.bind import dependencies, uses_index
from osgp.wire.expr import Reference
from osgp.wire.formula import expressions_of, references
from osgp.wire.kinds import Array, Bits, Integer, Nested
from osgp.wire.record import RecordMeta

from .access import OPEN
from .declare import (
    Procedure,
    ProcedureInfo,
    ProcedureMeta,
    Registry,
    Table,
    TableInfo,
    TableMeta,
    keys,
    procedures,
    tables,
)
from .firmware import CPM, Releases, version
from .notation import NotationError, field_of, fits, formula_of, is_field_name, is_name
from .source import Source

MOST_BYTES: Final = 1 << 20
MOST_FIELDS: Final = 2_000
"""Fields of one record."""

Declaration = type[Table] | type[Procedure]

_KEYS: Final = keys(OPEN)
_COMMON = {"title", "note", "since", "extend", "fields", "records"}
_ALLOWED: Final = {
    "table": _COMMON | {"read", "write"},
    "procedure": _COMMON | {"call", "response", "results"},
    "field": {
        *("name", "type", "word", "meaning", "unit", "scale", "default", "vci", "when", "since"),
        *("until", "in_place", "starts", "enum", "note"),
    },
}
_TEXTS = ("meaning", "unit", "vci", "note")
_FLAGS = ("in_place", "starts")


class OverlayError(UsageError):
    """A file that cannot replace a layout: where in it, and why."""

    hint = "docs/overlays.md has the format"

    def __init__(self, where: str, reason: str) -> None:
        self.where, self.reason = where, reason
        super().__init__(f"{where}: {reason}")


class Change(msgspec.Struct, frozen=True):
    """One declaration that a file replaced or extended."""

    name: str
    before: Any
    after: Any


class Applied(msgspec.Struct, frozen=True):
    """What a file changed. Undo in the reverse order of loading."""

    about: str
    changes: tuple[Change, ...]

    def undo(self) -> None:
        """Puts the layouts of before back into the registries."""
        for change in self.changes:
            _registry(change.name).replace(change.before)


def load(path: Path | str) -> Applied:
    """Lets the file take effect. Raises OverlayError; then nothing has changed."""
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise OverlayError(str(path), error.strerror or "cannot be read") from error
    if len(data) > MOST_BYTES:
        raise OverlayError(str(path), f"more than {MOST_BYTES} bytes")
    try:
        return loads(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise OverlayError(str(path), "is not UTF-8") from None
    except OverlayError as error:
        raise OverlayError(f"{path}: {error.where}", error.reason) from None


def loads(text: str) -> Applied:
    """As `load`, from TOML text."""
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise OverlayError("TOML", str(error)) from None
    about = content.pop("about", "")
    if not isinstance(about, str):
        raise OverlayError("about", "is a text")
    changes = tuple(_change(name, wanted, about) for name, wanted in content.items())
    _check_references(changes)
    for change in changes:
        _registry(change.name).replace(change.after)
    return Applied(about, changes)


def _registry(name: str) -> Registry[Any]:
    registry: Registry[Any] = procedures if name[1] == "P" else tables
    return registry


def _change(name: str, wanted: Any, about: str) -> Change:
    old = _replaceable(name)
    table = issubclass(old, Table)
    allowed = _ALLOWED["table" if table else "procedure"]
    _check_keys(wanted, allowed, name)
    if "fields" not in wanted:
        raise OverlayError(name, "has no fields")
    records = _records(wanted.get("records", {}), f"{name}.records")
    fields = _fields(wanted["fields"], records, f"{name}.fields")
    if _flag(wanted, "extend", name):
        fields = _extended(old, fields, name)
    if table and not fields:
        raise OverlayError(name, "a table has at least one field")
    new = _class(TableMeta if table else ProcedureMeta, old.__name__, old.__bases__, fields, name)
    new.__doc__ = old.__doc__
    said = {"note": f"From an overlay. {about}".strip()} | wanted
    new.info = _table_info(old, said) if table else _procedure_info(old, said, records)
    _check_size(new, name)
    return Change(name, old, new)


def _check_size(record: type[Record], where: str) -> None:
    """OverlayError for a layout that no device could have."""
    if uses_index(record):
        raise OverlayError(where, "n is the index of a list, and stands outside of one")
    if not dependencies(record):
        try:
            bind(record, NO_DIMS, where)
        except DimensionError as error:
            raise OverlayError(_joined(where, error.field), error.reason) from None


def _replaceable(name: str) -> Declaration:
    known = name in tables or name in procedures
    if not known:
        raise OverlayError(name, "no such table or procedure")
    old: Declaration = _registry(name)[name]
    if old.info.source is not Source.PROJECT:
        raise OverlayError(name, f"its layout is from {old.info.source.document}, and stays")
    return old


def _check_keys(wanted: Any, allowed: set[str], where: str) -> None:
    if not isinstance(wanted, Mapping):
        raise OverlayError(where, "is a table of keys")
    unknown = sorted(wanted.keys() - allowed)
    if unknown:
        raise OverlayError(f"{where}.{unknown[0]}", f"no such key; there are {_listed(allowed)}")


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _extended(old: Declaration, fields: dict[str, Any], name: str) -> dict[str, Any]:
    present = {field.name: field for field in old.wire_fields}
    for new in fields:
        if new in present:
            raise OverlayError(f"{name}.fields.{new}", "the layout has this field already")
    return present | fields


def _records(wanted: Any, where: str) -> dict[str, type[Record]]:
    """Records by name; each may hold those above it."""
    if not isinstance(wanted, Mapping):
        raise OverlayError(where, "is a table of records")
    records: dict[str, type[Record]] = {}
    for name, content in wanted.items():
        if not is_name(name) or not name[0].isupper():
            raise OverlayError(f"{where}.{name}", "a record's name begins with a capital letter")
        _check_keys(content, {"fields"}, f"{where}.{name}")
        fields = _fields(content.get("fields", []), records, f"{where}.{name}")
        records[name] = _class(RecordMeta, name, (Record,), fields, f"{where}.{name}")
    return records


def _class(
    meta: type[RecordMeta], name: str, bases: Any, fields: dict[str, Any], where: str
) -> Any:
    """A record class without a number, so that nothing registers it yet."""
    plain = (Table,) if meta is TableMeta else (Procedure,) if meta is ProcedureMeta else bases
    body = {"__module__": "overlay", "__qualname__": name} | fields
    try:
        return meta(name, plain, body)
    except (TypeError, ValueError) as error:
        first, _, reason = str(error).partition(": ")
        if first not in fields:
            raise OverlayError(where, str(error)) from None
        raise OverlayError(_joined(where, first), reason) from None


def _joined(where: str, field: str) -> str:
    return f"{where}.{field}" if field else where


def _fields(wanted: Any, records: Mapping[str, type[Record]], where: str) -> dict[str, Any]:
    if not isinstance(wanted, list):
        raise OverlayError(where, "is a list of fields")
    if len(wanted) > MOST_FIELDS:
        raise OverlayError(where, f"{len(wanted)} fields; at most {MOST_FIELDS}")
    fields: dict[str, Any] = {}
    for place, content in enumerate(wanted):
        name = _name(content, f"{where}[{place}]")
        at = f"{where.removesuffix('.fields')}.{name}"
        if name in fields:
            raise OverlayError(at, "is declared twice")
        fields[name] = _field(content, records, at)
    return fields


def _name(content: Any, where: str) -> str:
    name = content.get("name") if isinstance(content, Mapping) else None
    if not isinstance(name, str) or not is_field_name(name) or hasattr(Table, name):
        raise OverlayError(where, f"{name!r} cannot be a field's name")
    return name


def _field(content: Mapping[str, Any], records: Mapping[str, type[Record]], where: str) -> Any:
    _check_keys(content, _ALLOWED["field"], where)
    written = content.get("type")
    if not isinstance(written, str):
        raise OverlayError(where, "has no type")
    meta = _meta(content, where)
    word = content.get("word", 8)
    if not isinstance(word, int):
        raise OverlayError(f"{where}.word", "is a number of bits")
    try:
        made = field_of(written.strip(), records, meta, word)
    except (NotationError, ValueError, TypeError) as error:
        raise OverlayError(where, str(error)) from None
    if made.default is not None and not fits(made.kind, made.default):
        raise OverlayError(f"{where}.default", f"{made.default!r} is no {made.kind.label}")
    return made


def _meta(content: Mapping[str, Any], where: str) -> dict[str, Any]:
    meta: dict[str, Any] = {name: _text(content, name, where) for name in _TEXTS if name in content}
    meta |= {name: _flag(content, name, where) for name in _FLAGS if name in content}
    for name in ("since", "until"):
        if name in content:
            meta[name] = _releases(content[name], f"{where}.{name}")
    if "scale" in content:
        meta["scale"] = _scale(content["scale"], f"{where}.scale")
    if "enum" in content:
        meta["enum"] = _codes(content["enum"], f"{where}.enum")
    if "default" in content:
        meta["default"] = content["default"]
    if "when" in content:
        meta["when"] = _condition(content["when"], f"{where}.when")
    return meta


def _text(content: Mapping[str, Any], name: str, where: str) -> str:
    value = content[name]
    if not isinstance(value, str):
        raise OverlayError(f"{where}.{name}", "is a text")
    return value


def _flag(content: Mapping[str, Any], name: str, where: str) -> bool:
    value = content.get(name, False)
    if not isinstance(value, bool):
        raise OverlayError(f"{where}.{name}", "is true or false")
    return value


def _scale(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        raise OverlayError(where, "is a number above 0")
    return float(value)


def _releases(value: Any, where: str) -> Releases:
    """`"3.70"`, or one for each branch: `["3.13", "3.80", "CPM 1.20"]`."""
    texts = value if isinstance(value, list) else [value]
    try:
        if not texts:
            raise ValueError
        return Releases(
            *(
                (CPM, *version(text[3:].strip())) if text.startswith("CPM") else version(text)
                for text in texts
            )
        )
    except (AttributeError, ValueError, TypeError):
        raise OverlayError(where, "is a firmware version like '3.70' or 'CPM 1.20'") from None


def _codes(value: Any, where: str) -> dict[int, str]:
    try:
        return {int(code, 0): _name_of(name) for code, name in value.items()}
    except (AttributeError, ValueError, TypeError):
        raise OverlayError(where, "is a table of numbers and names") from None


def _name_of(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError
    return name


def _condition(value: Any, where: str) -> Any:
    if not isinstance(value, str):
        raise OverlayError(where, "is a formula")
    try:
        return formula_of(value)
    except (NotationError, TypeError) as error:
        raise OverlayError(where, str(error)) from None


def _table_info(old: type[Any], wanted: Mapping[str, Any]) -> TableInfo:
    info: TableInfo = old.info
    changed = {
        name: _access(wanted[name], f"{info.name}.{name}")
        for name in ("read", "write")
        if name in wanted
    }
    rights = msgspec.structs.replace(info.rights, **changed)
    return msgspec.structs.replace(info, rights=rights, **_titles(wanted, info.name))


def _procedure_info(
    old: type[Any], wanted: Mapping[str, Any], records: Mapping[str, type[Record]]
) -> ProcedureInfo:
    info: ProcedureInfo = old.info
    changes = _titles(wanted, info.name)
    if "call" in wanted:
        changes["call"] = _access(wanted["call"], f"{info.name}.call")
    if "results" in wanted:
        changes["results"] = _codes(wanted["results"], f"{info.name}.results")
    if "response" in wanted:
        where = f"{info.name}.response"
        fields = _fields(wanted["response"], records, where)
        changes["response"] = _class(
            RecordMeta, f"{old.__name__}Response", (Record,), fields, where
        )
    return msgspec.structs.replace(info, **changes)


def _titles(wanted: Mapping[str, Any], where: str) -> dict[str, Any]:
    changes: dict[str, Any] = {
        name: _text(wanted, name, where) for name in ("title", "note") if name in wanted
    }
    if "since" in wanted:
        changes["since"] = _releases(wanted["since"], f"{where}.since")
    return changes


def _access(value: Any, where: str) -> frozenset[str]:
    if not isinstance(value, str) or not keys(value) <= _KEYS:
        raise OverlayError(where, f"is a list of keys in one text, of {_listed(set(_KEYS))}")
    return keys(value)


def _check_references(changes: tuple[Change, ...]) -> None:
    """OverlayError where a size would name a field that no table has, before or after."""
    replaced: dict[str, Any] = {change.name: change.after for change in changes}
    known = {name: tables[name] for name in tables} | replaced
    for name, declaration in _all(replaced):
        for field, one in _references(declaration):
            table = known.get(one.table)
            where = f"{name}.{field}"
            if table is None:
                raise OverlayError(where, f"no table {one.table}, which its size depends on")
            missing = _missing(table, one.path)
            if missing and name in replaced:
                raise OverlayError(where, f"{one.table} has no field {missing}")
            if missing:
                raise OverlayError(one.table, f"{where} depends on its field {missing}")


def _references(declaration: type[Record]) -> Iterator[tuple[str, Reference]]:
    """Name of each field, and what its size or presence depends on."""
    for field in declaration.wire_fields:
        for expr in expressions_of(field):
            yield from ((field.name, one) for one in references(expr))


def _all(replaced: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every declaration as it would be, those of the file first."""
    yield from replaced.items()
    for registry in (tables, procedures):
        for name in registry:
            if name not in replaced:
                yield name, registry[name]


def _missing(record: Any, path: tuple[Any, ...]) -> str:
    """The first part of a path that is no field of a declaration; '' where all are."""
    kind: Any = Nested(record)
    for step in path:
        if isinstance(step, str):
            found = _field_kind(kind, step)
            if found is None:
                return step
            kind = found
        elif isinstance(kind, Array):
            kind = kind.element.kind
    return "" if isinstance(kind, Integer | Bits) else "that is a number"


def _field_kind(kind: Any, name: str) -> Any:
    fields = kind.record.wire_fields if isinstance(kind, Nested) else ()
    return next((field.kind for field in fields if field.name == name), None)
