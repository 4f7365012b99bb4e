"""Tables and procedures as JSON objects, and where their fields come from."""

from __future__ import annotations

from collections import Counter
from typing import Any

from osgp.spec import (
    Procedure,
    ProcedureInfo,
    Rights,
    Source,
    Table,
    TableInfo,
    procedures,
    tables,
)
from osgp.spec.access import EVERY, PLC
from osgp.wire import Record, Version
from osgp.wire.formula import needed_tables

from .describe import Row, describe, release
from .lookup import Declaration

_FIELD = (
    *("path", "offset", "size", "bits", "type", "unit", "default", "vci"),
    *("since", "source", "meaning"),
)

_EVERY = frozenset(EVERY.split())
_POWER_LINE = frozenset(PLC.split())
_KEYS = ("OMAK", "AES", "MK", "PK", "RK", "MBK", "MAK", "NONE")


def declaration_json(declaration: Declaration, firmware: Version | None = None) -> dict[str, Any]:
    """A table or procedure with all its fields."""
    info = declaration.info
    described = describe(declaration, firmware)
    common = {"name": info.name, "number": info.number, "title": info.title}
    fields = {
        "source": str(info.source),
        "size": described.size,
        "fields": [row_json(row) for row in described.rows],
    }
    if issubclass(declaration, Table):
        rights = declaration.info.rights
        return common | {"read": in_order(rights.read), "write": in_order(rights.write)} | fields
    return common | _calling(declaration) | fields | _response(declaration, firmware)


def _calling(declaration: type[Procedure]) -> dict[str, Any]:
    return {"call": in_order(declaration.info.call)}


def _response(declaration: type[Procedure], firmware: Version | None) -> dict[str, Any]:
    info = declaration.info
    results = {str(code): text for code, text in info.results.items()}
    if info.response is None:
        return {"response": None, "results": results}
    described = describe(info.response, firmware, info.source)
    fields = [row_json(row) for row in described.rows]
    return {"response": {"size": described.size, "fields": fields}, "results": results}


def row_json(row: Row) -> dict[str, Any]:
    """A field with the keys that `osgp tables --json` promises."""
    values = {name: getattr(row, name) for name in _FIELD}
    return values | {"since": versions(row)}


def versions(row: Row) -> str | None:
    """First firmware with the field, and first without it."""
    until = None if row.until is None else f"until {row.until}"
    return ", ".join(filter(None, (row.since, until))) or None


def in_order(keys: frozenset[str]) -> list[str]:
    """Keys from the most powerful down."""
    return sorted(keys, key=lambda name: (_KEYS.index(name) if name in _KEYS else 99, name))


def all_declarations() -> list[Declaration]:
    """Every table, then every procedure."""
    return [*(tables[name] for name in tables), *(procedures[name] for name in procedures)]


def provenance() -> dict[str, dict[str, int]]:
    """For each source: tables and procedures that follow it, and fields."""
    declarations = all_declarations()
    fields: Counter[str] = Counter()
    for declaration in declarations:
        for record, source in _records(declaration):
            fields.update(row.source for row in describe(record, source=source).leaves)
    laid_out = Counter(
        ("tables" if issubclass(one, Table) else "procedures", str(one.info.source))
        for one in declarations
    )
    return {
        str(source): {
            "tables": laid_out["tables", str(source)],
            "procedures": laid_out["procedures", str(source)],
            "fields": fields[str(source)],
        }
        for source in Source
    }


def _records(declaration: Declaration) -> list[tuple[Any, Source]]:
    source = declaration.info.source
    response = response_of(declaration)
    return [(declaration, source), *([(response, source)] if response is not None else [])]


def rights_text(info: Any) -> list[str]:
    """Who may read and write a table, or call a procedure."""
    if isinstance(info, TableInfo):
        return [keys_text(info.rights.read), keys_text(info.rights.write)]
    return [keys_text(info.call)]


def keys_text(keys: frozenset[str]) -> str:
    """`MK PK` for people; the power line's keys open what MK opens and are left out with it."""
    if keys >= _EVERY:
        return "anybody" if "NONE" in keys else "every key"
    shown = keys - _POWER_LINE if "MK" in keys else keys
    return " ".join(in_order(shown)) or "-"


def response_of(declaration: Declaration) -> type[Record] | None:
    info = declaration.info
    return info.response if isinstance(info, ProcedureInfo) else None


def facts(declaration: Declaration, size: Any) -> list[tuple[str, str]]:
    """What is to be said of a declaration besides its fields, by name; nothing empty."""
    info = declaration.info
    lines = [("size", "varies with its content" if size is None else f"{size} bytes")]
    if isinstance(info, TableInfo):
        rights = info.rights
        lines += [("read", keys_text(rights.read)), ("write", _writing(rights))]
        lines.append(("memory", _memory(rights)))
    else:
        results = ", ".join(f"{code} {text}" for code, text in info.results.items())
        lines += [("call", keys_text(info.call)), ("results", results)]
    lines.append(("since", release(info.since) or ""))
    lines.append(("source", f"{info.source}: {info.source.document}"))
    lines.append(("needs", ", ".join(sorted(needed_tables(declaration)))))
    lines.append(("note", info.note))
    return [(name, text) for name, text in lines if text]


def _writing(rights: Rights) -> str:
    locked = ", not while the hardware lock is set" if rights.locked else ""
    return keys_text(rights.write) + locked


def _memory(rights: Rights) -> str:
    uses = {"read": rights.nvm_read, "written": rights.nvm_write}
    used = " and ".join(name for name, uses_it in uses.items() if uses_it)
    return f"non-volatile memory is {used}" if used else ""


def offset_text(row: Row) -> str:
    """`30`, `30.2`, `30.0-3`: byte and bits, as guides write them.

    `+4`: counted from the beginning of the record around it.
    """
    text = _place_text(row)
    if row.bits is None:
        return text
    lo, hi = row.bits
    bits = str(lo) if lo == hi else f"{lo}-{hi}"
    return f"{text}.{bits}" if text.lstrip("+").isdigit() else f"({text}).{bits}"


def _place_text(row: Row) -> str:
    if row.level and not isinstance(row.offset, int):
        return "?" if row.inner is None else f"+{row.inner}"
    return "?" if row.offset is None else str(row.offset)


def name_text(row: Row) -> str:
    """The field's name, indented by the records around it."""
    return "  " * row.level + row.path.rpartition(".")[2]


def default_text(row: Row) -> str:
    match row.default:
        case None:
            return ""
        case bool():
            return "yes" if row.default else "no"
        case list():
            return ", ".join(map(str, row.default)) or "none"
        case str() as digits if row.type.endswith("UINT8"):
            return f"0x{digits}" if digits.strip("0") else "zeros"
    return str(row.default)
