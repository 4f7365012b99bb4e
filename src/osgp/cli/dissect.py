"""`osgp dissect`: every layer of frames, from a capture or typed in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from osgp.errors import DecodeError, UsageError

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
)

if TYPE_CHECKING:
    from .layers import Dissector, Item, Shown

EXAMPLE = (
    "Examples: osgp dissect capture.pcapng --brief · "
    "osgp dissect --hex '01 19 01 81 01 82 0a 02 00 30 00 03 7f30ea6d 0011223344556677 0000' · "
    "osgp dissect frames.txt --json"
)


class Taken(msgspec.Struct, frozen=True):
    """A frame and where it comes from; `frame` empty: the packet held none (`reason`)."""

    number: int
    time: float | None
    frame: bytes
    comment: str = ""
    reason: str = ""


def register(app: typer.Typer) -> None:
    app.command("dissect", epilog=EXAMPLE)(dissect)


def dissect(
    file: Path | None = typer.Argument(
        None, help="A capture (pcapng or pcap), or a text file with one frame in hex per line."
    ),
    hex: str | None = typer.Option(
        None, "--hex", metavar="LPDU", help="One frame in hex, with its CRC."
    ),
    no_crc: bool = typer.Option(False, "--no-crc", help="Frames stand without their CRC."),
    brief: bool = typer.Option(False, "--brief", help="One line for each frame."),
    dims: list[str] | None = DIMS,
    firmware: str | None = FIRMWARE,
    layouts: list[Path] | None = LAYOUTS,
    json: bool = JSON,
) -> None:
    """Take frames of the power line apart: every layer and field by name.

    Reads captures that Wireshark reads too: CN/IP on UDP 1628 and 1629, LON/IP on 2541.
    """
    from .layers import Dissector

    if (file is None) == (hex is None):
        raise UsageError("give a file or --hex LPDU")
    with layouts_from(layouts):
        taken = [_typed(hex)] if hex is not None else list(_frames(Path(str(file))))
        dissector = Dissector(dims_from(dims or [], firmware))
        if not taken:
            raise DecodeError(f"{file} holds no frames of the power line")
        sealed = _with_crc(taken, no_crc)
        if json:
            shown = [_as_json(one, dissector) for one in sealed]
            print_json(shown[0] if hex is not None else shown)
        else:
            _show(sealed, dissector, brief)


def _typed(text: str) -> Taken:
    return Taken(1, None, bytes_of(text))


def _frames(path: Path) -> Iterator[Taken]:
    """Frames of a capture or of a text file. Raises UsageError, DecodeError."""
    from osgp.export import pcapng

    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    if data.isascii() and b"\0" not in data:
        yield from _lines(data.decode("ascii"), path)
        return
    try:
        for captured in pcapng.read(data):
            yield _captured(captured)
    except DecodeError as error:
        raise DecodeError(error.reason, table=str(path), offset=error.offset) from error


def _lines(text: str, path: Path) -> Iterator[Taken]:
    for number, line in enumerate(text.splitlines(), 1):
        digits, _, comment = line.partition("#")
        if digits.strip():
            try:
                frame = bytes.fromhex("".join(digits.split()))
            except ValueError:
                raise UsageError(f"{path}, line {number}: no hex") from None
            yield Taken(number, None, frame, comment.strip())


def _captured(captured: Any) -> Taken:
    from osgp.lon import udp

    if captured.lpdu is not None:
        return Taken(captured.number, captured.time, captured.lpdu, captured.comment)
    sent = captured.datagram
    try:
        lpdu = udp.from_datagram(udp.Datagram(sent.payload, sent.source, sent.destination))
    except DecodeError as error:
        return Taken(captured.number, captured.time, b"", captured.comment, str(error))
    return Taken(captured.number, captured.time, lpdu.encode(), captured.comment)


def _with_crc(taken: list[Taken], no_crc: bool) -> list[Taken]:
    """Frames with CRCs: computed where the user says so, or where no frame of a capture has one."""
    from osgp.lon import crc16
    from osgp.lon.pdu import valid_crc

    captured = all(one.time is not None for one in taken)
    if not no_crc and (not captured or any(valid_crc(one.frame) for one in taken)):
        return taken
    return [
        msgspec.structs.replace(one, frame=one.frame + crc16(one.frame).to_bytes(2, "big"))
        if one.frame
        else one
        for one in taken
    ]


def _layers(one: Taken, dissector: Dissector) -> list[Shown]:
    from .layers import Item, Shown

    if not one.frame:
        return [Shown("malformed", (Item("reason", one.reason, 0, 0),))]
    return dissector.layers(one.frame)


def _as_json(one: Taken, dissector: Dissector) -> dict[str, Any]:
    from .layers import layers_json

    return {
        "number": one.number,
        "time": one.time,
        "comment": one.comment,
        "frame": one.frame.hex(),
        "layers": layers_json(_layers(one, dissector)),
    }


def _show(taken: Iterable[Taken], dissector: Dissector, brief: bool) -> None:
    out = console()
    for one in taken:
        layers = _layers(one, dissector)
        if brief:
            out.print(_heading(one, layers))
        else:
            _print_layers(out, one, layers)


def _print_layers(out: Console, one: Taken, layers: list[Shown]) -> None:
    out.print(_heading(one, layers), style="bold")
    out.print(layers_grid(layers))
    out.print()


def layers_grid(layers: list[Shown]) -> Table:
    """Layers and their fields as a table."""
    table = grid("offset", "field", "value", "")
    for layer in layers:
        table.add_row("", Text(layer.name, style="bold"), "", "")
        for item in layer.fields:
            value, text = _value(item)
            table.add_row(str(item.offset), Text(f"  {item.name}"), Text(value), Text(text))
    return table


def _value(item: Item) -> tuple[str, str]:
    match item.value:
        case bool():
            return ("yes" if item.value else "no"), ""
        case int():
            return f"{item.value} (0x{item.value:02X})", item.text
        case bytes():
            return item.value.hex(" ") or "-", item.text
        case str():
            return item.value, item.text
    return item.text or str(item.value), ""


def _heading(one: Taken, layers: list[Shown]) -> Text:
    """`3  12:00:01.250  1/1 → 1/2  REQUEST  partial table read BT23`."""
    values = {item.name: item for layer in layers for item in layer.fields}
    parts = [str(one.number), _clock(one.time), _addresses(values), *_kinds(layers, values)]
    return Text("  ".join(filter(None, (*parts, one.comment and f"# {one.comment}"))))


def _clock(time: float | None) -> str:
    if time is None:
        return ""
    try:
        moment = datetime.fromtimestamp(time, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{time:.3f}"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"


def _addresses(values: dict[str, Item]) -> str:
    def text(name: str) -> str:
        value = values[name].value
        return value.hex() if isinstance(value, bytes) else str(value)

    if "source node" not in values:
        return ""
    source = f"{text('source subnet')}/{text('source node')}"
    if "Neuron ID" in values:
        return f"{source} → {text('Neuron ID')}"
    if "destination node" in values:
        return f"{source} → {text('destination subnet')}/{text('destination node')}"
    if "group" in values:
        return f"{source} → group {text('group')}"
    return f"{source} → broadcast"


def _kinds(layers: list[Shown], values: dict[str, Item]) -> Iterator[str]:
    if "type" in values:
        yield str(values["type"].value)
    names = [layer.name for layer in layers if layer.name not in _LOWER]
    table = values.get("table")
    named = [f"{name} {table.text}" if name in _WITH_TABLE and table else name for name in names]
    if named:
        yield " | ".join(named)
    elif "meaning" in values:
        yield str(values["meaning"].value)


_LOWER = {
    *("LPDU", "NPDU", "TPDU", "SPDU", "APDU", "security"),
    *("Repeating, agent", "APDU for the target"),
}
_WITH_TABLE = {
    *("full table read", "partial table read", "full table write", "partial table write"),
}
