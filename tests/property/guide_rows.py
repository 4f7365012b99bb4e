"""Rows of the guides' field tables (tests/vectors/guides), with their offsets evaluated."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from osgp.spec import tables
from osgp.wire import Dims, Version

from .places import Place, places

SLIPS = Path(__file__).parent.parent / "vectors" / "guide_slips.json"
GUIDES = Path(__file__).parent.parent / "vectors" / "guides"

COLUMNS: dict[str, Version] = {
    "3.x, CPM": (3, 82, 0),
    "CPM 1.31, 3.82": (3, 82, 0),
    "4.0": (4, 60, 0),
    "4.02": (4, 60, 0),
}
"""Firmware that a column of offsets is checked with."""

SIZES = {
    "TIME": 3,
    "DATE": 3,
    "ANSI_DATE": 2,
    "RDATE": 2,
    "STIME_DATE": 5,
    "LTIME_DATE": 6,
    "NI_FMAT1": 4,
    "NI_FMAT2": 4,
    "BOOL": 1,
    "CHAR": 1,
    "BCD": 0.5,
    "TABLE_IDC": 2,
    "PED": 6,
}


ASSUMED: dict[str, dict[str, str]] = dict(json.loads((SLIPS).read_text())["assumed"])


class Printed(NamedTuple):
    """A printed place: first bit of the image, and number of bits (None: not printed)."""

    first: int
    length: int | None


class Row(NamedTuple):
    table: str
    name: str
    type: str
    offset: str
    column: str | None
    raw: dict[str, Any]


@cache
def guide(name: str) -> dict[str, Any]:
    return dict(json.loads((GUIDES / f"{name.lower()}.json").read_text()))


def tables_of_the_guides() -> list[str]:
    return sorted(p.stem.upper() for p in GUIDES.glob("[be]t[0-9]*.json"))


def rows(table: str) -> Iterator[Row]:
    """Rows with a printed offset, one for each column of offsets; reserved ones left out."""
    for raw in guide(table).get("rows", []):
        if re.match(r"(reserved|filler|unused|spare)", raw["name"], re.I):
            continue
        columns = raw.get("offsets") or _columns(table, raw["offset"])
        for column, offset in columns.items():
            if offset is not None:
                yield Row(table, raw["name"], raw["type"] or "", str(offset), column, raw)


def _columns(table: str, offset: str | None) -> dict[str | None, str | None]:
    """An offset that holds in every column, where its symbols differ between them."""
    symbols: dict[str, Any] = guide(table).get("symbols", {})
    for name, values in symbols.items():
        if isinstance(values, dict) and re.search(rf"\b{name}\b", str(offset)):
            return dict.fromkeys(values, offset)
    return {None: offset}


def printed(row: Row, dims: Dims) -> Printed:
    """Where the row says that the field is. KeyError or ValueError where it does not say."""
    formulas = Formulas(row, dims)
    start = formulas.value(re.split(r"\.\.|(?<=\d)-(?=\d)", row.offset)[0])
    bits = row.raw.get("bits")
    if bits:
        return Printed(8 * start + bits[0], bits[1] - bits[0] + 1)
    return Printed(8 * start, _length(row.type, formulas, row.raw.get("element_size")))


def _length(kind: str, formulas: Formulas, stride: str | None = None) -> int | None:
    """Bits of a type; `stride`: bytes of a record in an array, as printed."""
    if kind == "RECORD" and stride:
        try:
            return 8 * formulas.value(stride)
        except (KeyError, ValueError, SyntaxError):
            return None
    if match := re.fullmatch(r"ARRAY\[(.+)\] OF (.+)", kind):
        inner = _length(match[2], formulas, stride)
        try:
            return None if inner is None else int(formulas.value(match[1]) * inner)
        except (KeyError, ValueError, SyntaxError):
            return None
    if match := re.fullmatch(r"SET\((.+)\)", kind):
        return 8 * formulas.value(match[1])
    if match := re.fullmatch(r"U?INT(\d+)", kind):
        return int(match[1])
    return int(8 * SIZES[kind]) if kind in SIZES else None


class Formulas:
    """Printed formulas, with references in the guides' notation (`BT21.3`, `BT61.11N`)."""

    def __init__(self, row: Row, dims: Dims) -> None:
        self._dims, self._column = dims, row.column
        symbols = guide(row.table).get("symbols", {}) | ASSUMED.get(row.table, {})
        self._symbols = {name: self._of_column(text) for name, text in symbols.items()}

    def value(self, text: str) -> int:
        """Evaluates; KeyError for a reference that no sample answers, ValueError for prose."""
        return int(eval(self._python(text), {"__builtins__": {}}))

    def _of_column(self, text: Any) -> str:
        if isinstance(text, dict):
            text = text.get(self._column or "4.0", next(iter(text.values())))
        return re.sub(r" \((by|not) [^)]*\)$", "", str(text))

    def _python(self, text: str) -> str:
        text = re.sub(r"IF (.+?) THEN (.+?) ELSE (.+)", r"(\2 if \1 else \3)", text)
        text = re.sub(r"sizeof\((\w+)\)", r"\1", text.replace("(+2)", "+ 2"))
        text = re.sub(r"\bSET\(", "(", text)
        text = re.sub(r"\[(.+?)\]", r"*(\1)", text)
        text = re.sub(r"\b([BE]T\d\d)\.(\d+)(?:\.(\d+))?N?\b", self._reference, text)
        text = re.sub(r"\b[A-Za-z]\w*\b", self._symbol, text.replace("/", "//"))
        if not re.fullmatch(r"[\d\s+*/()\-ifels>=<!]+", text):
            raise ValueError(text)
        return text

    def _symbol(self, match: re.Match[str]) -> str:
        if match[0] in ("if", "else"):
            return match[0]
        return f"({self._python(self._symbols[match[0]])})"

    def _reference(self, match: re.Match[str]) -> str:
        table, offset = match[1], int(match[2])
        bit = int(match[3]) if match[3] else None
        value: Any = self._dims[table]
        for step in _steps(_field_at(table, 8 * offset + (bit or 0), self._dims)):
            value = value[step]
        return str(int(value))


@cache
def _field_at(table: str, bit: int, dims: Dims) -> str:
    """Path of the smallest field at a bit of a table that gives dimensions."""
    found: list[Place] = [
        place
        for place in places(tables[table].bind(dims))
        if place.first <= bit < place.first + place.length
    ]
    if not found:
        raise KeyError(f"{table} bit {bit}")
    return min(found, key=lambda place: (place.length, -len(place.path))).path


def _steps(path: str) -> Iterator[str | int]:
    for name, index in re.findall(r"(\w+)(?:\[(\d+)\])?", path):
        yield name
        if index:
            yield int(index)
