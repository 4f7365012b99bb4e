"""`osgp dump`: every readable table of a meter, in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from . import ports
from .inputs import print_json

if TYPE_CHECKING:
    from osgp.run.dumps import Dump
    from osgp.run.reading.device import Access, Device

EXAMPLE = (
    "Examples: osgp dump meter.json --optical /dev/ttyUSB0 --key-file mk.txt · "
    "osgp meter serve --from-dump meter.json --optical pty"
)


def register(app: typer.Typer) -> None:
    app.command("dump", epilog=EXAMPLE)(ports.reaching(dump))


def dump(
    file: Path = typer.Argument(help="Where to write it (JSON, readable for its owner only)."),
    *,
    access: Access,
    json: bool,
) -> None:
    """Read every table that the key opens, raw and decoded, into a file.

    `osgp meter serve --from-dump` impersonates the meter.
    """
    from osgp.run.dumps import write_dump
    from osgp.run.reading.dumping import read_dump_of

    async def action(device: Device) -> Dump:
        return await device.run(read_dump_of)

    found = ports.talk(access, action, quiet=json)
    write_dump(file, found)
    refused = {name: entry.refused for name, entry in found.tables.items() if entry.refused}
    if json:
        print_json({"file": str(file), "tables": len(found.tables), "refused": refused})
        return
    ports.said(f"{file}: {len(found.tables) - len(refused)} tables of {found.device}")
    ports.notes(refused)
