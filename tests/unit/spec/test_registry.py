"""The registries: everything of Annexes A to D and of the guides is there, once, and coherent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osgp.spec import EXTENDED, PENDING, Source, procedures, tables
from osgp.spec.declare import Procedure, Table, UnknownDeclaration, table_name
from osgp.wire import Expr, Field, Record
from osgp.wire.dims import NO_DIMS, Binding
from osgp.wire.kinds import Array, Bcd, BitSet, Nested, NonInteger, Octets, Text

VECTORS = Path(__file__).parents[2] / "vectors"

BASIC = (*range(9), 10, 12, 13, 15, 16, *range(20, 29), 30, 33, 50, 52, 53, 54, 55)
BASIC = (*BASIC, *range(60, 65), *range(70, 75), 4150)
EXTENDED_TABLES = (*range(13), 13, 14, 15, 17, 18, 19, 20, 21, 22, *range(27, 63))
EXTENDED_TABLES = (*EXTENDED_TABLES, *range(66, 72), 1038, 4143, 4156)
BASIC_PROCEDURES = (4, 5, 6, 10, 12, 13, 14, 15)
EXTENDED_PROCEDURES = (*range(20), *range(21, 35), 36, 37, 39, 41, 42, *range(44, 50))
GUIDES_TABLES = (16, 23, 74, 75, 76, 77, 79, 80, 81, 85, 89, 90, 92, 93, 94, 95, 96, 97, 98)

WORDS = 12


def test_the_lists_are_as_long_as_the_contents() -> None:
    assert len(BASIC) == 41
    assert len(EXTENDED_TABLES) == 67
    assert len(BASIC_PROCEDURES) == 8
    assert len(EXTENDED_PROCEDURES) == 45


@pytest.mark.parametrize("number", BASIC)
def test_annex_a(number: int) -> None:
    assert tables[f"BT{number:02d}"].info.number == number


@pytest.mark.parametrize("number", EXTENDED_TABLES)
def test_annex_b(number: int) -> None:
    assert tables[f"ET{number:02d}"].info.number == EXTENDED + number


@pytest.mark.parametrize("number", BASIC_PROCEDURES)
def test_annex_c(number: int) -> None:
    assert procedures[f"BP{number:02d}"].info.number == number


@pytest.mark.parametrize("number", EXTENDED_PROCEDURES)
def test_annex_d(number: int) -> None:
    assert procedures[f"EP{number:02d}"].info.number == EXTENDED + number


def test_what_only_the_guides_have() -> None:
    for number in GUIDES_TABLES:
        assert f"ET{number}" in tables
    assert {"BT65", "BT66", "BT67"} <= set(tables)
    assert {"EP20", "EP61"} <= set(procedures)


def declarations() -> list[type[Table | Procedure]]:
    return [*tables.values(), *procedures.values()]


def test_no_class_name_twice() -> None:
    names = [declaration.__name__ for declaration in declarations()]
    assert sorted(names) == sorted(set(names))


def test_a_number_cannot_be_declared_twice() -> None:
    with pytest.raises(ValueError, match="BT23 is declared twice"):

        class Again(Table, number=23, title="Again"):
            """A second BT23."""


def test_unknown_numbers_are_refused_with_a_hint() -> None:
    with pytest.raises(UnknownDeclaration, match="no table BT99") as refused:
        tables["BT99"]
    assert "osgp tables" in refused.value.hint
    with pytest.raises(UnknownDeclaration):
        procedures[1]


def test_names_of_numbers() -> None:
    assert table_name(23) == "BT23"
    assert table_name(EXTENDED + 4) == "ET04"
    assert table_name(PENDING + 54) == "BT4150"
    assert table_name(PENDING + EXTENDED + 47) == "ET4143"


def test_pending_tables_hold_the_table_they_become() -> None:
    for name, declaration in tables.items():
        number = declaration.info.number
        if number >= PENDING:
            fields = {field.name: field for field in declaration.wire_fields}
            assert isinstance(fields["data"].kind, Nested), name
            assert fields["data"].kind.record is tables[number - PENDING]


def records() -> list[type[Record]]:
    """Every record of the package, nested and loose ones too."""
    found: list[type[Record]] = []
    waiting: list[Any] = [Record]
    while waiting:
        for record in waiting.pop().__subclasses__():
            waiting.append(record)
            if record.__module__.startswith("osgp.spec") and record.wire_fields:
                found.append(record)
    return sorted(found, key=lambda record: (record.__module__, record.__name__))


def fields() -> Iterator[tuple[str, Field]]:
    for record in records():
        for field in record.wire_fields:
            yield f"{record.__name__}.{field.name}", field


def test_every_field_says_what_it_is_in_a_few_words() -> None:
    for name, field in fields():
        assert len(field.meaning.split()) <= WORDS, name
        reserved = field.name.startswith(("reserved", "unused", "data", "spare", "short", "medium"))
        assert field.meaning or reserved, name


def test_sources_are_sources() -> None:
    for declaration in declarations():
        assert isinstance(declaration.info.source, Source)
        assert declaration.info.title
        assert declaration.__doc__
    for name, field in fields():
        assert field.source is None or isinstance(field.source, Source), name


def test_project_layouts_of_known_functions_say_what_is_known_or_stand_alone() -> None:
    manufacturer = [d for d in declarations() if "Manufacturer Specific" in d.info.title]
    assert all(len(d.wire_fields) == 1 for d in manufacturer)
    assert all(d.info.source is Source.PROJECT for d in manufacturer)


class Recorder(Binding):
    """Notes every reference that a formula makes."""

    def __init__(self) -> None:
        super().__init__(NO_DIMS, index=0)
        self.seen: set[tuple[str, tuple[str | int, ...]]] = set()

    def resolve(self, table: str, path: tuple[str | Expr, ...]) -> Any:
        steps = tuple(s if isinstance(s, str) else s.bind(self).evaluate({}) for s in path)
        self.seen.add((table, steps))
        return 1


def formulas(field: Field) -> Iterator[Expr]:
    if field.when is not None:
        yield field.when
    kind = field.kind
    match kind:
        case Array(element, count, _):
            yield count
            yield from formulas(element)
        case Octets(size) | Text(size) | Bcd(size) | BitSet(size):
            yield size
        case NonInteger(_, reference):
            yield reference


def resolves(record: type[Record], path: tuple[str | int, ...]) -> bool:
    """Whether a path leads to a number in a declaration."""
    name, *rest = path
    found = next((f for f in record.wire_fields if f.name == name), None)
    if found is None:
        return False
    kind = found.kind
    while rest and isinstance(rest[0], int) and isinstance(kind, Array):
        kind, rest = kind.element.kind, rest[1:]
    if isinstance(kind, Nested):
        return bool(rest) and resolves(kind.record, tuple(rest))
    return not rest


def test_every_reference_leads_to_a_field() -> None:
    recorder = Recorder()
    for _, field in fields():
        for formula in formulas(field):
            formula.bind(recorder)
    assert len(recorder.seen) > 90
    lost = [(t, p) for t, p in recorder.seen if t not in tables or not resolves(tables[t], p)]
    assert lost == []


def access() -> dict[str, Any]:
    return dict(json.loads((VECTORS / "guides" / "access.json").read_text()))


CHAPTER_4 = {"ET71": {"MBK", "MAK"}}
"""Keys that chapter 4 prints and Appendix C does not; the table is of no use without them."""


@pytest.mark.parametrize("row", access()["tables"], ids=lambda row: str(row["table"]))
def test_rights_are_those_of_the_guides(row: dict[str, Any]) -> None:
    rights = tables[row["table"]].info.rights
    for port in ("mep", "optical"):
        said = row.get(port)
        if said is None:
            continue
        read = {"NONE" if key == "open" else key for key in said["read"]}
        assert read <= rights.read
        assert set(said["write"]) <= rights.write
        keys = {"mep": {"MBK", "MAK"}, "optical": {"RK"}}[port]
        printed = set(said["write"]) | CHAPTER_4.get(row["table"], set())
        assert rights.write & keys == printed & keys
    mep = row.get("mep", {})
    assert rights.nvm_write == mep.get("write_nvm", False)
    assert rights.nvm_read == mep.get("read_nvm", False)


def test_who_may_call_what_the_guides_print() -> None:
    for name, keys in access()["procedures"].items():
        assert set(keys) <= procedures[name].info.call


def test_reading_needs_some_key_and_the_power_line_opens_all() -> None:
    for declaration in tables.values():
        assert {"OMAK", "AES", "MK"} <= declaration.info.rights.read
    for procedure in procedures.values():
        assert {"OMAK", "AES", "MK"} <= procedure.info.call
