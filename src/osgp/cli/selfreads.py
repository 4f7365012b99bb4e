"""`osgp selfreads`: registers that a meter has kept by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.text import Text

from . import ports
from .inputs import console, grid, print_json

if TYPE_CHECKING:
    from osgp.run.reading.device import Access, Device
    from osgp.run.reading.logs import SelfRead

EXAMPLE = "Example: osgp selfreads --optical /dev/ttyUSB0 --key-file rk.txt"


def register(app: typer.Typer) -> None:
    app.command("selfreads", epilog=EXAMPLE)(ports.reaching(selfreads))


def selfreads(*, access: Access, json: bool) -> None:
    """Read the self-reads (BT26), oldest first."""
    from osgp.run.reading.logs import read_self_reads

    async def action(device: Device) -> list[SelfRead]:
        return await device.run(read_self_reads)

    found = ports.talk(access, action, quiet=json)
    if json:
        print_json(found)
    elif not found:
        ports.said("this meter has made no self-reads")
    else:
        _show(found)


def _show(found: list[SelfRead]) -> None:
    table = grid("number", "local time", "register", "total", "by tariff", "unit")
    for one in found:
        moment = "no time" if one.time is None else f"{one.time:%Y-%m-%d %H:%M}"
        for name, unit, total, tiers in one.registers:
            if total or any(tiers):
                parts = ", ".join(str(tier) for tier in tiers)
                cells = (str(one.sequence), moment, name, str(total), parts, unit)
                table.add_row(*(Text(cell) for cell in cells))
    console().print(table)
