"""`osgp call`: run a procedure of a meter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from rich.text import Text

from . import ports
from .inputs import console, print_json
from .write import DRY_RUN, YES, agree, pairs_of

if TYPE_CHECKING:
    from osgp.run.reading.changing import Call
    from osgp.run.reading.device import Access, Device

EXAMPLE = (
    "Examples: osgp call EP16 delta=-10 --optical /dev/ttyUSB0 --key-file mk.txt --dry-run · "
    "osgp call BP10 set_time=yes set_date=yes set_time_date=…"
)


def register(app: typer.Typer) -> None:
    app.command("call", epilog=EXAMPLE)(ports.reaching(call))


def call(
    name: str = typer.Argument(metavar="PROCEDURE", help="BP04, EP17, …: see osgp tables."),
    values: list[str] | None = typer.Argument(
        None, metavar="FIELD=VALUE", help="Parameters; those not given are 0."
    ),
    yes: bool = YES,
    dry_run: bool = DRY_RUN,
    *,
    access: Access,
    json: bool,
) -> None:
    """Call a procedure once and show its result. Asks before it does."""
    from osgp.run.reading.changing import plan_call, renumbered, send_call

    pairs = pairs_of(values or [])

    async def plan(device: Device) -> Call:
        return await device.run(lambda reader: plan_call(reader, name, pairs))

    async def send(device: Device) -> dict[str, Any]:
        call = await device.run(lambda reader: renumbered(reader, planned))
        result = await device.run_once(lambda reader: send_call(reader, call))
        return _plain(call) | {"response": result}

    planned = ports.talk(access, plan, quiet=True)
    if dry_run:
        if json:
            print_json(_plain(planned))
        else:
            _show(planned)
        return
    agree(lambda: _show(planned), yes, json)
    found = ports.talk(access, send, quiet=True)
    if json:
        print_json(found)
    else:
        ports.said(f"completed{_answer(found['response'])}")


def _plain(planned: Call) -> dict[str, Any]:
    from osgp.export.plain import plain

    info = planned.procedure.info
    parameters = plain(planned.procedure)
    return {
        "procedure": info.name,
        "parameters": parameters,
        "sequence": planned.sequence,
        "bt07": planned.image.hex(),
    }


def _show(planned: Call) -> None:
    from osgp.wire.walk import walk

    info, out = planned.procedure.info, console()
    out.print(Text(f"{info.name} {info.title}", "bold"))
    for leaf in walk(planned.procedure):
        out.print(Text(f"  {leaf.path} = {leaf.value}"), soft_wrap=True)
    out.print(Text.assemble(("BT07: ", "bold"), (planned.image.hex(" "), "green")), soft_wrap=True)


def _answer(response: Any) -> str:
    if not response:
        return ""
    if isinstance(response, str):
        return f": {response}"
    return ": " + ", ".join(f"{name} {value}" for name, value in response.items())
