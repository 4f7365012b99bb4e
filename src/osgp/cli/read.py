"""`osgp read`: a meter's registers, or any of its tables and fields."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table
from rich.text import Text

from . import ports
from .inputs import console, grid, print_json

if TYPE_CHECKING:
    from osgp.run.reading.device import Access, Device
    from osgp.run.reading.survey import Reading, Survey
    from osgp.run.reading.wanted import Found

EXAMPLE = (
    "Examples: osgp read --optical /dev/ttyUSB0 --key-file rk.txt · "
    'osgp read --optical … --key-file rk.txt BT23 ET50.30 "BT28.values[3]" · '
    "osgp read --mep tcp://192.168.1.7:4059 --key-file mbk.txt --watch 10"
)

STAY = 10.0
"""Seconds: with a longer period the session is ended between two readings."""


def register(app: typer.Typer) -> None:
    app.command("read", epilog=EXAMPLE)(ports.reaching(read))


def read(
    what: list[str] | None = typer.Argument(
        None, metavar="[TABLE[.FIELD]]", help="Tables or fields; everything of use if not given."
    ),
    watch: float | None = typer.Option(
        None, min=0.5, metavar="SECONDS", help="Read again and again, until Ctrl-C."
    ),
    all_registers: bool = typer.Option(False, "--all", help="Show registers that are zero too."),
    *,
    access: Access,
    json: bool,
) -> None:
    """Read a meter: registers, identity, clock, alarms; or the tables and fields named."""
    from osgp.run.reading.survey import survey
    from osgp.run.reading.wanted import read_wanted, wanted

    asked = [wanted(text) for text in what or []]

    async def once(device: Device) -> None:
        if asked:
            found = await device.run(lambda reader: read_wanted(reader, asked))
            _show_found(found, json)
        else:
            _show_survey(await device.run(survey), json, all_registers)

    if watch is None:
        ports.talk(access, once, quiet=json)
    else:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_watch(access, once, watch))


async def _watch(access: Access, once: Callable[[Device], Awaitable[None]], period: float) -> None:
    """Reads every `period` seconds; long pauses leave the port to others."""
    from osgp.run.reading.alerts import AlertWatch
    from osgp.run.reading.device import open_device

    loop, alerts = asyncio.get_running_loop(), AlertWatch(ports.said)
    due = loop.time()
    while True:
        async with open_device(access) as device:
            while True:
                await once(device)
                await alerts.follow(device)
                due = max(due + period, loop.time())
                if period > STAY:
                    break
                await alerts.pause(device, due - loop.time())
        await asyncio.sleep(max(0.0, due - loop.time()))


def _show_found(found: list[Found], json: bool) -> None:
    if json:
        print_json([_found_json(one) for one in found])
        return
    out = console()
    for one in found:
        out.print(Text.assemble((f"{one.table} ", "bold"), (one.title, "bold")))
        out.print(_fields(one))


def _found_json(one: Found) -> dict[str, Any]:
    return {
        "table": one.table,
        "offset": one.offset,
        "hex": one.image.hex(),
        "fields": {
            row.path: {"value": row.value, "unit": row.unit, "name": row.name} for row in one.rows
        },
    }


def _fields(one: Found) -> Table:
    table = grid("offset", "field", "stored", "value", "meaning")
    for row in one.rows:
        if row.path.rpartition(".")[2].startswith("reserved"):
            continue
        bits = "" if row.bits is None else f".{row.bits[0]}"
        cells = (f"{row.offset}{bits}", row.path, str(row.raw), row.text, row.name or row.meaning)
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _show_survey(found: Survey, json: bool, all_registers: bool) -> None:
    if json:
        print_json(found)
        return
    out = console()
    out.print(_heading(found))
    if found.energies:
        out.print(_energies(found.energies, all_registers))
    if found.present:
        out.print(_present(found.present, all_registers))
    ports.notes(found.missing)


def _heading(found: Survey) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, text in _facts(found):
        table.add_row(name, text)
    table.add_row("", "")
    return table


def _facts(found: Survey) -> list[tuple[str, Text]]:
    meter, state = found.meter, found.state
    made = " ".join(filter(None, (meter.manufacturer, meter.model)))
    versions = f"firmware {meter.firmware}, hardware {meter.hardware}" if meter.firmware else ""
    alarms = Text(", ".join(state.alarms), "yellow") if state.alarms else Text("none", "green")
    rows = [
        ("meter", Text(", ".join(filter(None, (made, versions))))),
        ("number", Text(", ".join(filter(None, (meter.utility_number, _serial(meter.serial)))))),
        ("clock", _clock(found)),
        ("tariff", Text("" if state.tier is None else f"T{state.tier + 1}")),
        ("contactor", Text(state.contactor)),
        ("signal", Text(state.signal)),
        ("alarms", alarms),
    ]
    return [(name, text) for name, text in rows if text.plain]


def _serial(serial: str) -> str:
    return f"serial {serial}" if serial else ""


def _clock(found: Survey) -> Text:
    state = found.state
    if state.clock is None:
        return Text("not set", "yellow")
    shown = Text(state.local or f"{state.clock:%Y-%m-%d %H:%M:%S} UTC")
    if state.behind is not None and abs(state.behind) >= 2:
        word = "behind" if state.behind > 0 else "ahead of"
        style = "yellow" if abs(state.behind) >= 60 else "dim"
        shown.append(f"  {duration(abs(state.behind))} {word} this machine", style)
    return shown


def duration(seconds: float) -> str:
    """`3 s`, `5 min`, `2 h`, `12 d`."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _energies(readings: tuple[Reading, ...], everything: bool) -> Table:
    """A row for each quantity, a column for the total and each tariff that counted anything."""
    from osgp.run.reading.wanted import shortened

    tiers = _tiers(readings, everything)
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), title_justify="left")
    table.add_column("energy")
    for tier in tiers:
        table.add_column("total" if tier is None else f"T{tier + 1}", justify="right")
    for heading in ("unit", "OBIS", "where"):
        table.add_column(heading, style="dim" if heading != "unit" else "")
    for total in (reading for reading in readings if reading.tier is None):
        row = _of_source(readings, total.source)
        if everything or any(reading.value for reading in row.values()):
            cells = [_amount(row[tier]) if tier in row else "" for tier in tiers]
            unit, code = shown_unit(total), total.obis or ""
            table.add_row(total.name, *cells, unit, code, shortened(total.place))
    return table


def _tiers(readings: tuple[Reading, ...], everything: bool) -> list[int | None]:
    counted = {r.tier for r in readings if r.tier is not None and (everything or r.value)}
    return [None, *sorted(tier for tier in counted if tier is not None)]


def _of_source(readings: tuple[Reading, ...], source: int) -> dict[int | None, Reading]:
    return {reading.tier: reading for reading in readings if reading.source == source}


_KILO = {"Wh": "kWh", "varh": "kvarh", "VAh": "kVAh"}


def shown_unit(reading: Reading) -> str:
    """Energies are shown in thousands."""
    return _KILO.get(reading.unit, "" if reading.unit == "1" else reading.unit)


def _amount(reading: Reading) -> str:
    if reading.unit in _KILO:
        return f"{reading.value / 1000:,.3f}"
    return f"{reading.value:,}" if isinstance(reading.value, int) else f"{reading.value:,.3f}"


def _present(readings: tuple[Reading, ...], everything: bool) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("now")
    table.add_column("", justify="right")
    for heading in ("unit", "OBIS", "where"):
        table.add_column(heading, style="dim" if heading != "unit" else "")
    for reading in readings:
        if everything or reading.value:
            cells = (_amount(reading), shown_unit(reading), reading.obis or "", reading.place)
            table.add_row(reading.name, *cells)
    return table
