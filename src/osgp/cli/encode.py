"""`osgp encode`: an image from field=value pairs or from JSON."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from osgp.errors import EncodeError, PathError, UsageError

from .inputs import DIMS, FIRMWARE, JSON, LAYOUTS, dims_from, layouts_from, print_json

if TYPE_CHECKING:
    from osgp.wire import Layout

EXAMPLE = (
    "Examples: osgp encode BT52 clock_calendar=2026-01-05T12:30:00 · osgp encode EP16 delta=-10 · "
    "osgp decode BT21 00000101040000000415 --json | osgp encode BT21 number_of_tiers=8 -"
)


def register(app: typer.Typer) -> None:
    app.command("encode", epilog=EXAMPLE)(encode)


def encode(
    name: str = typer.Argument(help="Table or procedure: BT52, et50, EP17, 23."),
    values: list[str] | None = typer.Argument(
        None,
        metavar="FIELD=VALUE",
        help="Fields by path, name or byte.bit; the others are 0. - reads JSON first, as "
        "`osgp decode --json` prints it; so does no value at all in a pipe, and @FILE.",
    ),
    dims: list[str] | None = DIMS,
    firmware: str | None = FIRMWARE,
    layouts: list[Path] | None = LAYOUTS,
    json: bool = JSON,
) -> None:
    """Encode a table's image or a procedure's parameters; prints hex."""
    from osgp.export.assign import assembled
    from osgp.export.lookup import bound, find

    with layouts_from(layouts):
        layout = bound(find(name), dims_from(dims or [], firmware))
    files = [value[1:] for value in values or [] if value.startswith("@")]
    pairs, piped = _pairs([value for value in values or [] if not value.startswith("@")])
    tree = _from_file(files) if files else _piped() if piped else {}
    try:
        image = layout.encode(assembled(layout, tree, pairs))
    except EncodeError as error:
        raise _placed(error, layout) from error
    if json:
        print_json({"name": layout.name, "size": len(image), "hex": image.hex()})
    else:
        typer.echo(image.hex())


def _placed(error: EncodeError, layout: Layout[Any]) -> EncodeError:
    """The same, with the offset of the field where it has one."""
    from osgp.wire.resolve import resolve

    try:
        offset = resolve(layout, error.field).offset
    except PathError:
        return EncodeError(error.reason, table=layout.name, field=error.field)
    return EncodeError(f"{error.reason} (offset {offset})", table=layout.name, field=error.field)


def _pairs(values: list[str]) -> tuple[list[tuple[str, str]], bool]:
    """Assignments, and whether JSON is to be read."""
    given = [value for value in values if value != "-"]
    pairs = []
    for value in given:
        name, equals, text = value.partition("=")
        if not equals or not name:
            raise UsageError(f"{value!r} is not FIELD=VALUE")
        pairs.append((name, text))
    return pairs, len(given) < len(values) or (not values and not sys.stdin.isatty())


def _from_file(names: list[str]) -> Any:
    """The record in a JSON file. Raises UsageError."""
    if len(names) > 1:
        raise UsageError("one JSON file at a time")
    try:
        return _record_in(Path(names[0]).read_text(encoding="utf-8"), names[0])
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{names[0]} cannot be read: {error}") from error


def _piped() -> Any:
    """The record in JSON on standard input; nothing is a record of zeros."""
    text = sys.stdin.read()
    return _record_in(text, "standard input") if text.strip() else {}


def _record_in(text: str, where: str) -> Any:
    """A record in JSON, alone or as `osgp decode --json` wraps it."""
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise UsageError(f"{where} is no JSON: {error}") from error
    return found["record"] if isinstance(found, dict) and "record" in found else found
