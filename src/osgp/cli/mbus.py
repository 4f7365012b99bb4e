"""`osgp mbus`: water, heat and gas meters behind an electricity meter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.text import Text

from . import ports
from .inputs import console, grid, print_json

if TYPE_CHECKING:
    from osgp.run.reading.device import Access, Device
    from osgp.run.reading.mbus import MBusDevice

EXAMPLE = "Example: osgp mbus --mep tcp://192.168.1.7:4059 --key-file mbk.txt"


def register(app: typer.Typer) -> None:
    app.command("mbus", epilog=EXAMPLE)(ports.reaching(mbus))


def mbus(*, access: Access, json: bool) -> None:
    """Read the M-Bus devices behind the meter, and what they said last."""
    from osgp.run.reading.mbus import read_mbus

    async def action(device: Device) -> list[MBusDevice]:
        return await device.run(read_mbus)

    found = ports.talk(access, action, quiet=json)
    if json:
        print_json(found)
    elif not found:
        ports.said("no M-Bus device is registered")
    else:
        for device in found:
            _show(device)


def _show(device: MBusDevice) -> None:
    out = console()
    who = (device.medium, device.manufacturer, device.serial, device.state)
    out.print(Text(f"slot {device.slot + 1}: {', '.join(filter(None, who))}", "bold"))
    if device.read_at is not None:
        out.print(Text(f"read at {device.read_at:%Y-%m-%d %H:%M:%S}", "dim"))
    for remark in device.remarks:
        out.print(Text(remark, "yellow"))
    table = grid("quantity", "value", "unit")
    for value in device.values:
        stored = f" (stored {value.storage})" if value.storage else ""
        table.add_row(Text(value.quantity + stored), Text(str(value.value)), Text(value.unit))
    if device.values:
        out.print(table)
    if device.raw:
        out.print(Text(device.raw), soft_wrap=True)
