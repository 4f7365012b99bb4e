"""Documentation pages in Markdown, made from declarations: one a table and procedure, and lists."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import msgspec

from osgp.spec import Source, Table, procedures, tables

from .conformance import STATUSES, Line, counts, statement
from .declared import (
    all_declarations,
    default_text,
    facts,
    name_text,
    offset_text,
    provenance,
    response_of,
    rights_text,
    versions,
)
from .describe import Description, Row, describe
from .lookup import Declaration

DIRECTORY: Final = "tables"
_LONGEST_SIZE = 70
_MOST_CODES = 24
"""Codes of an enumeration that a page lists; source ids and events have pages' worth of them."""

MADE = "<!-- made by `make docs` from the declarations; changes here are lost -->"


class Own(msgspec.Struct, frozen=True):
    """Something of this project's own that is no table: the module, its title, what is own."""

    module: str
    title: str
    says: str


def pages(served: Collection[str] = (), own: Sequence[Own] = ()) -> dict[str, str]:
    """Every generated page of `docs/`, by its path there."""
    made = {f"{DIRECTORY}/README.md": index()}
    for declaration in all_declarations():
        made[page_of(declaration)] = declaration_page(declaration)
    return made | {
        "provenance.md": provenance_page(own),
        "conformance.md": conformance_page(statement(served)),
    }


def page_of(declaration: Declaration) -> str:
    return f"{DIRECTORY}/{declaration.info.name}.md"


def _page(*lines: str) -> str:
    return "\n".join(lines).rstrip() + "\n"


def _table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """A Markdown table; columns in which nothing stands are left out."""
    kept = [place for place in range(len(headings)) if any(row[place] for row in rows)]
    lines = [" | ".join(headings[place] for place in kept), " | ".join("---" for _ in kept)]
    lines += [" | ".join(_cell(row[place]) for place in kept) for row in rows]
    return [f"| {line} |" for line in lines]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _code(text: Any) -> str:
    return f"`{text}`" if text not in (None, "") else ""


def index() -> str:
    """All tables and procedures with their sizes, rights and sources."""
    return _page(
        MADE,
        "# Tables and procedures",
        "",
        "Sizes are in bytes; a condition is 1 where it holds and 0 elsewhere, written in brackets.",
        "`osgp tables NAME` prints the same, `--json` for programs. Layouts whose source is",
        "`project` are this project's own: see [provenance](../provenance.md).",
        "",
        "## Tables",
        "",
        *_table(
            ("name", "number", "title", "size", "read", "write", "source"),
            [_index_row(tables[name]) for name in tables],
        ),
        "",
        "## Procedures",
        "",
        *_table(
            ("name", "number", "title", "size", "call", "source"),
            [_index_row(procedures[name]) for name in procedures],
        ),
    )


def _index_row(declaration: Declaration) -> tuple[str, ...]:
    info = declaration.info
    size = describe(declaration).size
    text = "varies" if size is None else str(size)
    shown = "formula" if len(text) > _LONGEST_SIZE else text
    return (
        f"[{info.name}]({info.name}.md)",
        str(info.number),
        info.title,
        _code(shown) if shown == text and not text.isdigit() and text != "varies" else shown,
        *rights_text(info),
        str(info.source),
    )


def declaration_page(declaration: Declaration) -> str:
    """One table or procedure: what is known of it, and its fields."""
    info = declaration.info
    described = describe(declaration)
    lines = [MADE, f"# {info.name} {info.title}", "", declaration.__doc__ or "", ""]
    lines += _facts(declaration, described)
    lines += ["", "## Parameters" if not issubclass(declaration, Table) else "## Fields", ""]
    lines += _fields(described, str(info.source))
    response = response_of(declaration)
    if response is not None:
        answered = describe(response, source=info.source)
        lines += ["", "## Response", "", f"{_size_text(answered.size)}.", ""]
        lines += _fields(answered, str(info.source))
    return _page(*lines)


def _facts(declaration: Declaration, described: Description) -> list[str]:
    rows = [("number", f"{declaration.info.number} (0x{declaration.info.number:04X})")]
    for name, text in facts(declaration, described.size):
        if name == "size" and not isinstance(described.size, int):
            text = _code(described.size) + " bytes" if described.size is not None else text
        rows.append((name, _linked(text) if name == "needs" else text))
    return _table(("", ""), rows)


def _linked(names: str) -> str:
    return ", ".join(f"[{name}]({name}.md)" for name in names.split(", "))


def _size_text(size: int | str | None) -> str:
    if size is None:
        return "Its length varies"
    return f"{size} bytes" if isinstance(size, int) else f"`{size}` bytes"


def _fields(described: Description, source: str) -> list[str]:
    if not described.rows:
        return ["None."]
    lines = _table(
        ("offset", "field", "type", "unit", "default", "VCI", "since", "meaning"),
        [_field_row(row, source) for row in described.rows],
    )
    remarks = [text for sign, text in _LEGEND if any(sign(row) for row in described.rows)]
    return lines + (["", *remarks] if remarks else []) + _codes(described)


def _is_relative(row: Row) -> bool:
    return offset_text(row).lstrip("(").startswith("+")


def _is_referring(row: Row) -> bool:
    return any(word in offset_text(row) for word in ("end(", "size("))


_LEGEND: Final[tuple[tuple[Callable[[Row], bool], str], ...]] = (
    (_is_relative, "`+` counts from the beginning of the record around the field."),
    (
        _is_referring,
        "size(x) is the size of x, end(x) its offset plus size; what is not there counts nothing.",
    ),
)


def _field_row(row: Row, source: str) -> tuple[str, ...]:
    other = f"[{row.source}]" if row.source != source and not row.group else ""
    when = f"if `{row.condition}`" if row.condition else ""
    remarks = (row.meaning, when, row.note or "", other)
    return (
        _code(offset_text(row)),
        "&emsp;" * row.level + _code(name_text(row).strip()),
        _code(row.type),
        row.unit or "",
        default_text(row),
        row.vci or "",
        versions(row) or "",
        "; ".join(filter(None, remarks)),
    )


def _codes(described: Description) -> list[str]:
    """Names of codes, below the fields; fields that share them stand together."""
    fields: dict[str, list[str]] = {}
    for row in described.leaves:
        if row.enum:
            shown = list(row.enum.items())[:_MOST_CODES]
            text = ", ".join(f"{code} {name}".rstrip() for code, name in shown)
            more = ", …" if len(row.enum) > _MOST_CODES else ""
            fields.setdefault(f"{text}{more}", []).append(_code(row.path))
    lines = [f"- {', '.join(names)}: {text}" for text, names in fields.items()]
    return ["", "Codes:", "", *lines] if lines else []


def provenance_page(own: Sequence[Own] = ()) -> str:
    """Where layouts come from, and every one that is this project's own."""
    counted = provenance()
    sums = [
        (name, Source(name).document, *(str(number) for number in count.values()))
        for name, count in counted.items()
    ]
    return _page(
        MADE,
        "# Provenance",
        "",
        "The body of CLC/TS 50586 is not available to this project, only its contents list. Every",
        "declaration names where its layout comes from; a field that comes from elsewhere than its",
        "table says so itself.",
        "",
        *_table(("source", "document", "tables", "procedures", "fields"), sums),
        "",
        "## Layouts of this project's own",
        "",
        "No public source lays these out. They are defined here in the style of their neighbours,",
        "sufficient for the function that the standard's headings name; they are versioned with",
        "this project, claim no interoperability, and can be replaced by a file: see",
        "[overlays](overlays.md). What is known of them stands in the last column.",
        "",
        "### Tables",
        "",
        *_own_layouts([one for one in all_declarations() if issubclass(one, Table)]),
        "",
        "### Procedures",
        "",
        *_own_layouts([one for one in all_declarations() if not issubclass(one, Table)]),
        "",
        "## Fields of this project's own in other layouts",
        "",
        *_own_fields(),
        "",
        "## What else is this project's own",
        "",
        "Messages, files, models of the power line and of a device, choices where the sources are",
        "silent: every docstring that says `Source.PROJECT`, by module.",
        "",
        *_table(
            ("module", "what it is", "what of it is this project's own"),
            [(_code(one.module), one.title, one.says) for one in own],
        ),
    )


def _own_layouts(candidates: list[Declaration]) -> list[str]:
    own = [one for one in candidates if one.info.source is Source.PROJECT]
    rows = [(f"[{one.info.name}]({page_of(one)})", one.info.title, one.info.note) for one in own]
    return _table(("name", "title", "note"), rows)


def _own_fields() -> list[str]:
    rows = []
    for declaration in all_declarations():
        info = declaration.info
        if info.source is Source.PROJECT:
            continue
        for row in describe(declaration).rows:
            if row.source == Source.PROJECT:
                name = f"[{info.name}]({page_of(declaration)})"
                rows.append((name, _code(row.path), row.meaning, row.note or ""))
    return _table(("table", "field", "meaning", "note"), rows) if rows else ["None."]


def conformance_page(lines: list[Line]) -> str:
    """The conformance statement."""
    rows = [
        (str(number), status, STATUSES[status])
        for status, number in counts(lines).items()
        if number
    ]
    return _page(
        MADE,
        "# Conformance statement",
        "",
        "One line for each entry of the contents list of CLC/TS 50586:2019. The standard's body is",
        "not available to this project; *source* says where the facts come from instead",
        "([provenance](provenance.md)). `osgp conformance` prints the same.",
        "",
        *_table(("entries", "status", "meaning"), rows),
        "",
        *_table(
            ("entry", "", "title", "status", "source", "implemented in", "tested in", "note"),
            [_conformance_row(line) for line in lines],
        ),
    )


def _conformance_row(line: Line) -> tuple[str, ...]:
    name = f"[{line.name}]({DIRECTORY}/{line.name}.md)" if line.name else ""
    code = ", ".join(_code(module.removeprefix("osgp.")) for module in line.code)
    tests = ", ".join(test.removeprefix("tests/").removesuffix(".py") for test in line.tests)
    return line.entry, name, line.title, line.status, line.source, code, tests, line.note
