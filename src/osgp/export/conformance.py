"""The conformance statement: one line for each entry of the standard's contents list.

Tables and procedures speak for themselves, by their declarations; clauses and annexes by a map
(`spec/data/conformance.toml`). Entry numbers and titles are in `spec/data/contents.toml`. A test
holds every named module and test file to exist.
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator
from functools import cache
from importlib import resources
from typing import Any, Final

import msgspec

from osgp.errors import UsageError
from osgp.spec import Procedure, Source, Table, procedures, tables

Declaration = type[Table] | type[Procedure]

STATUSES: Final[dict[str, str]] = {
    "yes": "implemented and tested",
    "partly": "implemented in part; the note says what lacks or what is this project's own",
    "layout": "fields are declared, coded and tested; no device here acts on them",
    "opaque": "manufacturer specific: carried as bytes",
    "not yet": "nothing exists",
    "none": "nothing to implement",
}


class Line(msgspec.Struct, frozen=True):
    """One entry. `code` are modules, `tests` files; both empty only for 'none' and 'not yet'."""

    entry: str
    title: str
    name: str
    status: str
    code: tuple[str, ...]
    tests: tuple[str, ...]
    source: str
    note: str


class _Stated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the map says of a clause."""

    status: str
    code: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    source: str = ""
    note: str = ""


class _Served(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Test files of what a device acts on; `others`: names that are tested elsewhere."""

    tables: str
    procedures: str
    others: dict[str, tuple[str, ...]]

    def test_of(self, name: str) -> str:
        usual = self.tables if name[1] == "T" else self.procedures
        return next((file for file, names in self.others.items() if name in names), usual)


class _Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tests: tuple[str, ...]
    served: _Served


class _Map(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    declarations: _Declared
    clauses: dict[str, _Stated]


class _Contents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    annexes: dict[str, str]
    clauses: dict[str, str]
    tables: dict[str, tuple[str, str]]
    procedures: dict[str, tuple[str, str]]


@cache
def _data(name: str, shape: Any) -> Any:
    text = resources.files("osgp.spec").joinpath("data", name).read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), shape)


def contents() -> _Contents:
    """The contents list."""
    found: _Contents = _data("contents.toml", _Contents)
    return found


def _map() -> _Map:
    found: _Map = _data("conformance.toml", _Map)
    return found


def statement(served: Collection[str] = ()) -> list[Line]:
    """Every entry in the order of the document.

    `served`: names of the tables that the virtual meter has and the procedures it executes.
    Raises UsageError where an entry has no line.
    """
    return sorted(_lines(served), key=lambda line: _order(line.entry))


def _lines(served: Collection[str]) -> Iterator[Line]:
    listed = contents()
    for entry, title in listed.annexes.items():
        yield _clause(entry, title, f"Annex {entry}")
    for entry, title in listed.clauses.items():
        yield _clause(entry, title, entry)
    for entry, (name, title) in listed.tables.items():
        yield _declaration(entry, title, name, served)
    for entry, (name, title) in listed.procedures.items():
        yield _declaration(entry, title, name, served)


def _clause(entry: str, title: str, shown: str) -> Line:
    stated = _stated(entry)
    return Line(
        shown, title, "", stated.status, stated.code, stated.tests, stated.source, stated.note
    )


def _stated(entry: str) -> _Stated:
    """What the map says of a clause, or of the innermost one around it that it names."""
    clauses = _map().clauses
    around = entry
    while around not in clauses:
        around, dot, _ = around.rpartition(".")
        if not dot:
            raise UsageError(f"conformance.toml says nothing of {entry}")
    return clauses[around]


def _declaration(entry: str, title: str, name: str, served: Collection[str]) -> Line:
    found = _registered(name)
    if found is None:
        return Line(entry, title, name, "not yet", (), (), "", "")
    status, note = _acted_on(found, name, served)
    code = found.__module__
    if hasattr(sys.modules[code], found.__name__):  # not where a loop declares several
        code += f".{found.__name__}"
    stated = _map().declarations
    acting = (stated.served.test_of(name),) if name in served else ()
    tests = acting + stated.tests
    return Line(entry, title, name, status, (code,), tests, str(found.info.source), note)


def _registered(name: str) -> Declaration | None:
    registry: Any = tables if name[1] == "T" else procedures
    found: Declaration | None = registry.get(name)
    return found


def _acted_on(declaration: Declaration, name: str, served: Collection[str]) -> tuple[str, str]:
    """Status and note: what a device does with it, as far as this project has one."""
    if name in served:
        does = "serves it" if issubclass(declaration, Table) else "executes it"
        return "yes", f"the virtual meter {does}"
    if declaration.__module__.endswith(".opaque"):
        return "opaque", ""
    own = declaration.info.source is Source.PROJECT
    return "layout", "own layout" if own else ""


def _order(entry: str) -> tuple[Any, ...]:
    """Front matter, clauses, annexes, bibliography; numbers as numbers."""
    bare = entry.removeprefix("Annex ")
    if not (bare[0].isdigit() or (bare[0].isupper() and bare[1:2] in ("", "."))):
        return (2 if bare == "Bibliography" else 0, bare != "European Foreword")
    first, *rest = bare.split(".")
    clause = (0, int(first), "") if first.isdigit() else (1, 0, first)
    return (1, *clause, *(int(part) for part in rest))


def counts(lines: Collection[Line]) -> dict[str, int]:
    """Entries of each status."""
    found = Counter(line.status for line in lines)
    return {status: found[status] for status in STATUSES}
