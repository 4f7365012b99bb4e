"""`osgp decode`: an image of a table, or the parameters of a procedure, in words."""

from __future__ import annotations

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
    bytes_of,
    console,
    dims_from,
    grid,
    layouts_from,
    print_json,
    split_arguments,
)

if TYPE_CHECKING:
    from osgp.export.explain import Explained
    from osgp.export.lookup import Declaration
    from osgp.wire import Dims, Layout

    from .layers import Shown

MOST_BYTES = 24
"""Bytes that are printed of a long field; JSON has all."""

EXAMPLE = (
    "Examples: osgp decode BT52 1A01050C1E00 02 · osgp decode BT23 @bt23.bin --dims BT21=@bt21.hex "
    "· osgp decode EP16 0A000000 · osgp decode ET50 @image --dims ET11=@et11 --field ET50.30.2 "
    "· osgp decode BT23 E8030000 --offset 4 --dims BT21=@bt21.hex"
)


def register(app: typer.Typer) -> None:
    app.command("decode", epilog=EXAMPLE)(decode)


def decode(
    name: str = typer.Argument(help="Table or procedure: BT23, et50, EP17, 23."),
    data: list[str] = typer.Argument(
        metavar="HEX",
        help="The image: hex (spaces allowed), @FILE, or - for standard input; TABLE=HEX adds "
        "a dimension table.",
    ),
    dims: list[str] | None = DIMS,
    firmware: str | None = FIRMWARE,
    field: str | None = typer.Option(
        None, help="Only this field: its path, name, or byte.bit (ET50.30.2)."
    ),
    offset: int | None = typer.Option(
        None, min=0, help="The bytes are those of a partial read from this offset on."
    ),
    response: bool = typer.Option(False, "--response", help="A procedure's response instead."),
    layouts: list[Path] | None = LAYOUTS,
    json: bool = JSON,
) -> None:
    """Decode an image: every field with its offset, value, unit and name."""
    from osgp.export.lookup import find

    digits, more = split_arguments(data)
    with layouts_from(layouts):
        declaration = find(name)
        known = dims_from([*(dims or []), *more], firmware)
        layout = _layout(declaration, known, response)
        given = bytes_of("".join(digits))
        image = given if offset is None else _padded(layout, given, offset)
        record = layout.decode(image)
    rows = _rows(declaration, layout, record, known, field)
    if offset is not None:
        rows = _within(rows, offset, offset + len(given))
    messages = _messages(declaration, image, known) if field is None else []
    if json and offset is not None:
        print_json({"name": layout.name, "offset": offset, "count": len(given), "fields": rows})
    elif json:
        print_json(_as_json(declaration, layout, record, rows, messages))
    else:
        _show(declaration, layout, rows, messages)


def _padded(layout: Layout[Any], given: bytes, offset: int) -> bytes:
    """The image that a partial read is of, zeros where it has not read. Raises UsageError."""
    size = layout.size
    if size is None:
        raise UsageError(f"what stands where in {layout.name} depends on its beginning")
    if offset + len(given) > size:
        raise UsageError(f"{layout.name} has {size} bytes, these end at {offset + len(given)}")
    return bytes(offset) + given + bytes(size - offset - len(given))


def _within(rows: list[Explained], start: int, end: int) -> list[Explained]:
    """The rows whose bytes were all read."""
    return [row for row in rows if start <= row.offset and row.offset + row.size <= end]


def _layout(declaration: Declaration, dims: Dims, response: bool) -> Layout[Any]:
    from osgp.export.declared import response_of
    from osgp.export.lookup import bound
    from osgp.wire import bind

    if not response:
        return bound(declaration, dims)
    record = response_of(declaration)
    if record is None:
        raise UsageError(f"{declaration.info.name} has no response that is laid out")
    return bind(record, dims, f"{declaration.info.name} response")


def _rows(
    declaration: Declaration, layout: Layout[Any], record: Any, dims: Dims, field: str | None
) -> list[Explained]:
    from osgp.export.explain import explain

    rows = list(explain(declaration.info.name, layout, record, dims))
    return rows if field is None else _chosen(layout, rows, field)


def _chosen(layout: Layout[Any], rows: list[Explained], text: str) -> list[Explained]:
    """The rows that are the field `text`, or inside it."""
    from osgp.wire.resolve import resolve

    path = text.partition(".")[2] if text.casefold().startswith(layout.name.casefold()) else text
    chosen = [row for row in rows if row.path == path]
    if chosen:
        return chosen
    found = resolve(layout, text)
    end = found.offset + found.size
    inside = [row for row in rows if found.offset <= row.offset < end]
    return [row for row in inside if found.bits is None or row.bits in (None, found.bits)]


def _messages(declaration: Declaration, image: bytes, dims: Dims) -> list[Shown]:
    """The messages in a table of transactions."""
    from osgp.spec.tables.mep import TransactionTable

    if not issubclass(declaration, TransactionTable):
        return []
    from .layers import Dissector

    return Dissector(dims).transaction(image)


def _as_json(
    declaration: Declaration,
    layout: Layout[Any],
    record: Any,
    rows: list[Explained],
    messages: list[Shown],
) -> dict[str, Any]:
    from osgp.export.plain import plain

    from .layers import layers_json

    info = declaration.info
    shown = {
        "name": info.name,
        "title": info.title,
        "size": len(layout.encode(record)),
        "record": plain(record),
        "fields": rows,
    }
    return shown | ({"messages": layers_json(messages)} if messages else {})


def _show(
    declaration: Declaration, layout: Layout[Any], rows: list[Explained], messages: list[Shown]
) -> None:
    out = console()
    out.print(Text(f"{layout.name} {declaration.info.title}", style="bold"))
    table = grid("offset", "field", "stored", "", "meaning")
    for row in rows:
        quiet = "dim" if row.path.rpartition(".")[2].startswith("reserved") else ""
        table.add_row(*(Text(cell) for cell in _cells(row)), style=quiet)
    out.print(table)
    if messages:
        from .dissect import layers_grid

        out.print()
        out.print(layers_grid(messages))


def _cells(row: Explained) -> tuple[str, ...]:
    place = str(row.offset)
    if row.bits is not None:
        lo, hi = row.bits
        place += f".{lo}" if lo == hi else f".{lo}-{hi}"
    stored = row.raw if isinstance(row.raw, str) else _short(row.raw)
    text = "" if row.text == stored else row.text
    if text and text.replace(" ", "") == stored:
        stored, text = _spaced(text), ""
    return place, row.path, stored, text, row.name or row.meaning


def _spaced(text: str) -> str:
    """Hex bytes, as many as one wants to look at."""
    numbers = text.split()
    more = f" … ({len(numbers)} bytes)" if len(numbers) > MOST_BYTES else ""
    return " ".join(numbers[:MOST_BYTES]) + more


def _short(raw: Any) -> str:
    match raw:
        case bool():
            return str(int(raw))
        case list():
            return " ".join(str(item) for item in raw) or "-"
        case dict():
            return "/".join(str(item) for item in raw.values())
    return str(raw)
