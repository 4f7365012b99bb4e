"""`osgp tables`: what tables and procedures look like, and where that comes from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.text import Text

from osgp.errors import UsageError

from .inputs import (
    DIMS,
    FIRMWARE,
    JSON,
    LAYOUTS,
    console,
    cut,
    dims_from,
    firmware_of,
    grid,
    layouts_from,
    lines,
    print_json,
)

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from osgp.export.describe import Row
    from osgp.export.lookup import Declaration

EXAMPLE = (
    "Examples: osgp tables · osgp tables ET55 · osgp tables EP17 --json · "
    "osgp tables BT23 --field summations --dims BT21=HEX · osgp tables --provenance"
)

LONGEST_SIZE = 60
"""Characters of a size formula in the list of all tables."""


def register(app: typer.Typer) -> None:
    app.command("tables", epilog=EXAMPLE)(tables)


def tables(
    name: str | None = typer.Argument(
        None,
        help="Table, procedure or field: BT23, et55, EP17, 23, ET50.30.2. All tables if not given.",
    ),
    procedures: bool = typer.Option(
        False, "--procedures", help="List procedures; a bare number is a procedure's."
    ),
    provenance: bool = typer.Option(
        False, "--provenance", help="Count tables, procedures and fields per source."
    ),
    source: bool = typer.Option(
        False, "--source", help="Print the Python that is generated for the bound layout."
    ),
    schema: bool = typer.Option(
        False, "--schema", help="Print the JSON Schema of the record in `osgp decode --json`."
    ),
    field: str | None = typer.Option(
        None, help="Print where one field is: its path, name, or byte.bit (ET50.30.2)."
    ),
    dims: list[str] | None = DIMS,
    firmware: str | None = FIRMWARE,
    layouts: list[Path] | None = LAYOUTS,
    json: bool = JSON,
) -> None:
    """Show the layout of tables and procedures: offsets, types, units, access, sources."""
    if name is not None and field is None and "." in name:
        name, _, field = name.partition(".")
    with layouts_from(layouts):
        if provenance:
            _provenance(json)
        elif name is not None and schema:
            _schema(name, procedures)
        elif name is not None:
            _one(name, procedures, source, field, dims or [], firmware, json)
        elif source or field or schema:
            raise UsageError("say which table")
        else:
            _list(procedures, json)


def _schema(name: str, procedures: bool) -> None:
    from osgp.export.lookup import find
    from osgp.export.schema import schema_of

    print_json(schema_of(find(name, procedure=procedures)))


def _provenance(json: bool) -> None:
    from osgp.export.declared import provenance
    from osgp.spec import Source

    counts = provenance()
    if json:
        print_json(counts)
        return
    table = grid("source", "document")
    for heading in ("tables", "procedures", "fields"):
        table.add_column(heading, justify="right")
    for name, count in counts.items():
        table.add_row(name, Source(name).document, *(str(number) for number in count.values()))
    totals = [sum(count[name] for count in counts.values()) for name in count]
    table.add_section()
    table.add_row("all", "", *(str(total) for total in totals), style="bold")
    console().print(table)


def _list(procedures: bool, json: bool) -> None:
    from osgp import spec
    from osgp.export.declared import declaration_json

    registry: Any = spec.procedures if procedures else spec.tables
    declarations = [registry[name] for name in registry]
    if json:
        print_json([declaration_json(declaration) for declaration in declarations])
        return
    rights = ("call…",) if procedures else ("read…", "write…")
    table = lines("name", "number", "title…", "size…", *rights, "source")
    for declaration in declarations:
        table.add_row(*map(cut, _list_row(declaration)), style=_shade(declaration))
    console().print(table)


def _list_row(declaration: Declaration) -> list[str]:
    from osgp.export.declared import rights_text
    from osgp.export.describe import describe

    info = declaration.info
    size = describe(declaration).size
    shown = "varies" if size is None else str(size)
    if len(shown) > LONGEST_SIZE:
        shown = f"{shown[: LONGEST_SIZE - 1]}…"
    return [info.name, str(info.number), info.title, shown, *rights_text(info), str(info.source)]


def _shade(declaration: Declaration) -> str:
    from osgp.spec import Source

    return "dim" if declaration.info.source is Source.PROJECT else ""


def _one(
    name: str,
    procedures: bool,
    source: bool,
    field: str | None,
    dims: list[str],
    firmware: str | None,
    json: bool,
) -> None:
    from osgp.export.declared import declaration_json
    from osgp.export.lookup import bound, find

    declaration = find(name, procedure=procedures)
    if source or field is not None:
        layout = bound(declaration, dims_from(dims, firmware))
        if source:
            typer.echo(layout.source)
        else:
            _show_field(layout, str(field), json)
    elif json:
        print_json(declaration_json(declaration, firmware_of(firmware)))
    else:
        _show(declaration, firmware)


def _show_field(layout: Any, text: str, json: bool) -> None:
    import msgspec

    from osgp.wire.resolve import resolve

    found = resolve(layout, text)
    if json:
        print_json({"table": layout.name} | msgspec.to_builtins(found))
        return
    bits = "" if found.bits is None else f", bits {found.bits[0]} to {found.bits[1]}"
    names = f" ({', '.join(found.names)})" if found.names else ""
    typer.echo(f"{layout.name}.{found.path}: offset {found.offset}, size {found.size}{bits}{names}")


def _show(declaration: Declaration, firmware: str | None) -> None:
    from osgp.export.declared import response_of
    from osgp.export.describe import describe

    out = console()
    described = describe(declaration, firmware_of(firmware))
    for line in _heading(declaration, described.size):
        out.print(line)
    out.print(_fields(described.rows, str(declaration.info.source)))
    for remark in _remarks(described.rows):
        out.print(Text(remark, style="dim"))
    response = response_of(declaration)
    if response is not None:
        answer = describe(response, firmware_of(firmware), declaration.info.source)
        out.print(Text("Response", style="bold"))
        out.print(_fields(answer.rows, str(declaration.info.source)))


def _heading(declaration: Declaration, size: Any) -> list[Text]:
    from osgp.export.declared import facts

    info = declaration.info
    title = Text.assemble((f"{info.name} {info.title}", "bold"), (f"  {info.number}", "dim"))
    heading = [title, Text(declaration.__doc__ or "")]
    for name, text in facts(declaration, size):
        heading.append(Text.assemble((f"{name:8}", "dim"), text))
    return heading


def _fields(rows: tuple[Row, ...], source: str) -> RichTable:
    names = ("offset", "field", "type", "unit", "default", "VCI", "since", "meaning")
    columns = [name for name in names if name in _ALWAYS or any(_cell(r, name) for r in rows)]
    table = grid()
    for name in columns:
        table.add_column(name, overflow="fold", no_wrap=name in _UNBROKEN)
    for row in rows:
        cells = [Text(_cell(row, name)) for name in columns]
        if row.source != source and not row.group:
            cells[-1].append(f" [{row.source}]", style="dim")
        table.add_row(
            *cells, style="dim" if row.path.rpartition(".")[2].startswith("reserved") else ""
        )
    return table


def _remarks(rows: tuple[Row, ...]) -> Iterator[str]:
    """What the offsets of these rows need explained."""
    offsets = [_cell(row, "offset") for row in rows]
    if any(offset.strip("(").startswith("+") for offset in offsets):
        yield "+ counts from the beginning of the record around the field"
    if any("end(" in offset or "size(" in offset for offset in offsets):
        yield "size(x) is the size of x, end(x) its offset plus size"


_ALWAYS = ("offset", "field", "type", "meaning")
_UNBROKEN = ("unit", "default", "VCI")


def _cell(row: Row, column: str) -> str:
    from osgp.export.declared import default_text, name_text, offset_text, versions

    match column:
        case "offset":
            return offset_text(row)
        case "field":
            return name_text(row)
        case "default":
            return default_text(row)
        case "VCI":
            return row.vci or ""
        case "since":
            return versions(row) or ""
        case "meaning":
            return " · ".join(filter(None, (row.meaning, _when(row))))
    return str(getattr(row, column) or "")


def _when(row: Row) -> str:
    return f"if {row.condition}" if row.condition else ""
