"""Every offset that the guides print is the computed one, or is listed with a reason."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from osgp.export.describe import describe
from osgp.spec import tables
from osgp.spec.tables import mbus
from osgp.wire import Dims, Field, bind

from .guide_rows import COLUMNS, SLIPS, Row, guide, printed, rows, tables_of_the_guides
from .places import Place, places
from .spec_samples import NEWEST, with_firmware

KNOWN: dict[str, Any] = json.loads(SLIPS.read_text())
UNITS = {"minutes": "min", "hours": "h", "days": "d", "0.1 %": "%", "Wh per kWh": "Wh"}
NO_UNITS = {"characters", "KiB", "bit times", "mains cycles", "dB"}
NO_UNITS |= {"Energy Register Unit", "Wh or varh"}
"""Counts that are no unit of a value, or that another table gives."""


def dims_of(row: Row) -> Dims:
    return with_firmware(COLUMNS[row.column]) if row.column else NEWEST


def declared(row: Row) -> tuple[int, list[Place]]:
    """Where the record that has the row begins, in bytes, and its places."""
    variant = KNOWN["variants"].get(row.table, {}).get(row.raw.get("variant"))
    if variant is None:
        return 0, places(tables[row.table].bind(dims_of(row)))
    name, start = variant
    return start, places(bind(getattr(mbus, name), dims_of(row)))


def matches(row: Row) -> list[Place]:
    """Declared places that are where and as long as the row says."""
    first, length = printed(row, dims_of(row))
    start, found = declared(row)
    target = first - 8 * start
    return [p for p in found if p.first == target and length in (None, p.length)]


def checked(table: str) -> bool:
    return table not in KNOWN["elsewhere"] and "same_layout_as" not in guide(table)


each_table = pytest.mark.parametrize("table", [t for t in tables_of_the_guides() if checked(t)])


def is_a_slip(row: Row) -> bool:
    slip = row.name in KNOWN["slips"].get(row.table, {})
    return slip and (row.table != "ET97" or not row.name.startswith("Mbus") or bool(row.column))


@each_table
def test_offsets_and_sizes(table: str) -> None:
    seen = 0
    for row in rows(table):
        seen += 1
        assert bool(matches(row)) != is_a_slip(row), f"{table} {row.name} at {row.offset}"
    assert seen


def test_most_rows_are_compared() -> None:
    compared = [row for table in tables_of_the_guides() if checked(table) for row in rows(table)]
    assert len(compared) > 1150
    assert sum(len(slips) for slips in KNOWN["slips"].values()) <= 10


def test_slips_and_variants_are_of_rows_that_exist() -> None:
    for table, slips in KNOWN["slips"].items():
        assert set(slips) <= {row.name for row in rows(table)}
    for table, variants in KNOWN["variants"].items():
        assert set(variants) <= {row.raw.get("variant") for row in rows(table)}


@each_table
def test_units(table: str) -> None:
    for row in rows(table):
        unit = row.raw.get("unit")
        if unit is None or unit in NO_UNITS or "element" in row.raw or is_a_slip(row):
            continue
        fields = [place.field for place in matches(row)]
        assert UNITS.get(unit, unit) in {field.unit for field in fields}, (table, row.name)


def known(what: str, row: Row) -> bool:
    return row.name in KNOWN[what].get(row.table, {})


@each_table
def test_value_control_identifiers(table: str) -> None:
    for row in rows(table):
        vci = row.raw.get("vci")
        if not vci or is_a_slip(row) or "element" in row.raw:
            continue
        declared_as = {letters(place.field.vci) for place in matches(row)}
        assert (letters(vci) in declared_as) != known("vci", row), (table, row.name, vci)


def letters(vci: str | None) -> frozenset[str]:
    """`M,H` and `FM` as sets."""
    return frozenset((vci or "").replace(",", ""))


@each_table
def test_printed_values_are_the_defaults(table: str) -> None:
    for row in rows(table):
        value = row.raw.get("value")
        if value in (None, "") or is_a_slip(row):
            continue
        found = [place.field for place in matches(row)]
        assert any(has_default(f, str(value)) for f in found) != known("values", row), (
            table,
            row.name,
            value,
        )


def has_default(field: Field, printed_value: str) -> bool:
    """Whether the default of a field, or of an array's elements, is the printed one."""
    default, text = field.default, printed_value.strip().replace(",", "")
    if default is None:
        element = getattr(field.kind, "element", None)
        return element is not None and has_default(element, printed_value)
    if isinstance(default, bytes | frozenset):
        number = sum(1 << bit for bit in default) if isinstance(default, frozenset) else None
        return int(text, 0) == (int.from_bytes(default) if number is None else number)
    if isinstance(default, str):
        return default.strip() in map(str.strip, re.split(r'"| or ', text))
    words = {"true": 1, "false": 0}
    numbers = [words[text.lower()]] if text.lower() in words else re.findall(r"\d+", text)
    return int(default) in map(int, numbers)


@each_table
def test_since_which_firmware(table: str) -> None:
    """A field that came later says so, itself or the array, word or table around it."""
    if tables[table].info.since is not None or table in ("BT03", "BT20", "BT50"):
        return
    for row in rows(table):
        if not row.raw.get("since") or is_a_slip(row):
            continue
        _, found = declared(row)
        first = printed(row, dims_of(row)).first
        around = [p.field for p in found if p.first <= first < p.first + p.length]
        assert any(field.since for field in around) or row.raw.get("variant"), (table, row.name)


@pytest.mark.parametrize("table", KNOWN["taken"])
def test_where_a_guide_contradicts_itself(table: str) -> None:
    """The arithmetic is taken, and a note says what is printed."""
    taken, declaration = KNOWN["taken"][table], tables[table]
    notes = [declaration.info.note, *(row.note or "" for row in describe(declaration).rows)]
    assert any(taken["note"] in note for note in notes)
    layout = declaration.bind(NEWEST)
    for path, place in taken["places"].items():
        assert list(layout.span(path)) == place, path


def test_tables_as_long_as_the_guides_say() -> None:
    """Total lengths with default dimensions (reference list of slips and sizes)."""
    lengths = {"ET03": 143, "ET04": 140, "ET09": 699, "ET11": 39, "ET13": 396, "ET14": 222}
    lengths |= {"ET15": 221, "ET29": 54, "ET34": 132, "ET46": 23, "BT15": 17, "BT20": 10}
    lengths |= {"BT21": 10, "BT30": 10, "BT50": 9, "BT52": 7, "BT53": 6, "BT54": 808, "BT55": 9}
    lengths |= {"BT60": 7 + 6 * 4, "BT61": 7 + 6 * 4, "BT63": 13 * 4, "ET21": 131 * 4}
    lengths |= {"BT70": 9, "BT71": 9, "BT74": 11 + 3 * (12 + 2), "ET47": 16, "ET51": 20}
    lengths |= {"ET50": 2 * (35 + 6 * 20), "ET57": 4 * 16, "ET58": 20 * 6, "ET61": 2 * 80 * 2}
    lengths |= {"ET62": 149, "ET70": 156, "ET71": 13 * 10, "ET80": 8, "ET90": 20, "ET97": 125}
    for name, length in lengths.items():
        assert tables[name].bind(NEWEST).size == length, name
    old = with_firmware((3, 82, 0))
    assert {n: tables[n].bind(old).size for n in ("ET62", "ET70", "ET23", "ET97")} == {
        "ET62": 127,
        "ET70": 142,
        "ET23": 186,
        "ET97": 55,
    }
