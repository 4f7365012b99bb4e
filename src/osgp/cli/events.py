"""`osgp events`: what a meter has logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.text import Text

from . import ports
from .inputs import console, grid, print_json

if TYPE_CHECKING:
    from osgp.run.reading.device import Access, Device
    from osgp.run.reading.logs import LoggedEvent

EXAMPLE = "Example: osgp events --optical /dev/ttyUSB0 --key-file rk.txt --last 20"


def register(app: typer.Typer) -> None:
    app.command("events", epilog=EXAMPLE)(ports.reaching(events))


def events(
    last: int | None = typer.Option(None, min=1, help="Only so many of the newest entries."),
    *,
    access: Access,
    json: bool,
) -> None:
    """Read the event logs (BT74, ET79), oldest first. Nothing is marked as read."""
    from osgp.run.reading.logs import read_events

    async def action(device: Device) -> list[LoggedEvent]:
        return await device.run(lambda reader: read_events(reader, last))

    found = ports.talk(access, action, quiet=json)
    if json:
        print_json(found)
        return
    table = grid("number", "UTC", "event", "what", "by")
    for one in found:
        moment = "no time" if one.time is None else f"{one.time:%Y-%m-%d %H:%M:%S}"
        what = f"{one.name}: {one.detail}" if one.detail else one.name
        cells = (str(one.sequence), moment, str(one.event), what, one.user)
        table.add_row(*(Text(cell) for cell in cells))
    console().print(table)
