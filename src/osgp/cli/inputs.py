"""What commands take from the command line: bytes, dimension tables, firmware, layouts."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from osgp.errors import UsageError
from osgp.export.printable import printable

if TYPE_CHECKING:
    from osgp.wire import Dims, Version

PIPE_WIDTH = 180
"""Columns of a table that is not printed on a terminal."""

DIMS = typer.Option(
    None,
    "--dims",
    metavar="TABLE=HEX",
    help="Image of a dimension table, as hex or @FILE; may be repeated.",
)
FIRMWARE = typer.Option(
    None, metavar="VERSION", help="Firmware, e.g. 3.70 or 'CPM 1.20'; the newest if not given."
)
LAYOUTS = typer.Option(
    None, metavar="FILE", help="Overlay of layouts (TOML), see docs/overlays.md; may be repeated."
)
JSON = typer.Option(False, "--json", help="Print JSON, nothing else.")


def bytes_of(text: str) -> bytes:
    """Hex digits (spaces allowed), `@FILE` (hex text or raw), or `-` for standard input."""
    if text == "-":
        return _content(sys.stdin.buffer.read(), "standard input")
    if text.startswith("@"):
        return _content(_read(Path(text[1:])), text[1:])
    return _hex(text)


def _hex(text: str) -> bytes:
    digits = "".join(text.split()).removeprefix("0x")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        shown = text if len(text) <= 20 else f"{text[:20]}…"
        odd = len(digits) % 2 and all(digit in "0123456789abcdefABCDEF" for digit in digits)
        reason = "has an odd number of hex digits" if odd else "is no hex"
        raise UsageError(f"{shown!r} {reason}") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error


def _content(data: bytes, name: str) -> bytes:
    """Hex text as the bytes it means, anything else as it is."""
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        return data
    if not text.strip():
        raise UsageError(f"{name} is empty")
    try:
        return _hex(text)
    except UsageError:
        return data


def images_of(pairs: Iterable[str]) -> dict[str, bytes]:
    """`TABLE=HEX` arguments by table."""
    images = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"{pair!r} is not TABLE=HEX")
        images[name] = bytes_of(text)
    return images


def split_arguments(arguments: Iterable[str]) -> tuple[list[str], list[str]]:
    """Arguments without and with an equals sign: data, and dimension tables that follow it."""
    data: list[str] = []
    pairs: list[str] = []
    for argument in arguments:
        (pairs if "=" in argument else data).append(argument)
    return data, pairs


def firmware_of(text: str | None) -> Version | None:
    """`3.70`, `CPM 1.20`."""
    if text is None:
        return None
    from osgp.spec.firmware import CPM, version

    module = text.upper().startswith("CPM")
    try:
        numbers = version(text[3:].strip() if module else text.strip())
    except ValueError:
        raise UsageError(f"{text!r} is no firmware version, like 3.70 or 'CPM 1.20'") from None
    return (CPM, *numbers) if module else numbers


def dims_from(pairs: Iterable[str], firmware: str | None) -> Dims:
    """Dimensions from `TABLE=HEX` arguments, decoded with each other's help."""
    from osgp.export.lookup import dims_of

    return dims_of(images_of(pairs), firmware_of(firmware))


@contextmanager
def layouts_from(files: Iterable[Path] | None) -> Iterator[None]:
    """Overlay files in effect, in their order, until the command ends."""
    from osgp.spec import overlay

    with ExitStack() as applied:
        for file in files or ():
            applied.callback(overlay.load(file).undo)
        yield


def print_json(value: Any) -> None:
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


class SafeConsole(Console):
    """A console that shows what devices say, and does not obey it."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)


def console(pipe_width: int = PIPE_WIDTH) -> Console:
    """For tables: as wide as the terminal, or wide enough in a pipe."""
    found = SafeConsole(highlight=False)
    return found if found.is_terminal else SafeConsole(highlight=False, width=pipe_width)


def grid(*headings: str) -> Table:
    """A table without lines, whose cells break where they must."""
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def lines(*headings: str) -> Table:
    """A table of one line for each row: what is `cut` makes room for the rest."""
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in headings:
        kept = heading.removesuffix("…")
        table.add_column(kept, no_wrap=kept == heading)
    return table


def cut(text: str) -> Text:
    """A cell of a column whose heading ends in an ellipsis: cut where there is no room."""
    return Text(text, no_wrap=True, overflow="ellipsis")
