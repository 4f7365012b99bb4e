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

EXAMPLE = (
    "Examples: osgp mbus --mep tcp://192.168.1.7:4059 --key-file mbk.txt · "
    "osgp mbus --now --optical /dev/ttyUSB0 --key-file mk.txt"
)


def register(app: typer.Typer) -> None:
    app.command("mbus", epilog=EXAMPLE)(ports.reaching(mbus))


def mbus(
    now: bool = typer.Option(
        False, "--now", help="Have the meter ask its devices first (MK, PK; MAK on MEP)."
    ),
    *,
    access: Access,
    json: bool,
) -> None:
    """Read the M-Bus devices behind the meter, and what they said last."""
    from osgp.run.reading.mbus import read_mbus

    async def action(device: Device) -> list[MBusDevice]:
        found = await device.run(read_mbus)
        if now and found:
            await _ask_now(device, found, mep=access.mep is not None)
            found = await device.run(read_mbus)
        return found

    found = ports.talk(access, action, quiet=json)
    if json:
        print_json(found)
    elif not found:
        ports.said("no M-Bus device is registered")
    else:
        for device in found:
            _show(device)


async def _ask_now(device: Device, found: list[MBusDevice], *, mep: bool) -> None:
    from osgp.run.reading.ordering import FIRST_MEP, FIRST_OPTICAL, order_reads
    from osgp.spec.tables.mbus import M_BUS_DEVICES

    first = FIRST_MEP if mep else FIRST_OPTICAL
    slots = {one.handle: one.slot + 1 for one in found if one.slot < M_BUS_DEVICES}
    failed = await device.run_once(lambda reader: order_reads(reader, list(slots), first=first))
    for handle, reason in failed.items():
        ports.said(f"slot {slots[handle]}: {reason}")


def _show(device: MBusDevice) -> None:
    out = console()
    who = (device.medium, device.manufacturer, device.serial, device.customer, device.state)
    out.print(Text(f"slot {device.slot + 1}: {', '.join(filter(None, who))}", "bold"))
    if device.read_at is not None:
        out.print(Text(f"read at {device.read_at:%Y-%m-%d %H:%M:%S}", "dim"))
    for remark in device.remarks:
        out.print(Text(remark, "yellow"))
    table = grid("quantity", "value", "unit")
    for value in device.values:
        stored = f" (stored {value.storage})" if value.storage else ""
        shown = Text(_number(value.value), justify="right")
        table.add_row(Text(value.quantity + stored), shown, Text(value.unit))
    if device.values:
        out.print(table)
    if device.raw:
        out.print(Text(device.raw), soft_wrap=True)


def _number(value: float | str) -> str:
    """Grouped like the registers of `osgp read`; flows come in steps of 10⁻⁹ m³/s (EN 13757-3)."""
    if isinstance(value, str):
        return value
    return f"{value:,.9f}".rstrip("0").rstrip(".")
