"""`osgp write`: change fields of a meter's tables."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer
from rich.text import Text

from osgp.errors import UsageError

from . import ports
from .inputs import bytes_of, console, print_json

if TYPE_CHECKING:
    from osgp.run.reading.changing import Change
    from osgp.run.reading.device import Access, Device

EXAMPLE = (
    "Examples: osgp write BT53 time_zone_offset=60 --optical /dev/ttyUSB0 --key-file pk.txt "
    "--dry-run · osgp write ET50.30 --data 01 …"
)

YES = typer.Option(False, "--yes", help="Do not ask.")
DRY_RUN = typer.Option(False, "--dry-run", help="Show the bytes, send nothing that changes.")


def register(app: typer.Typer) -> None:
    app.command("write", epilog=EXAMPLE)(ports.reaching(write))


def write(
    what: str = typer.Argument(metavar="TABLE[.FIELD]", help="What to write."),
    values: list[str] | None = typer.Argument(
        None, metavar="FIELD=VALUE", help="Fields of the table by path, name or byte.bit."
    ),
    data: str | None = typer.Option(None, metavar="HEX", help="Raw bytes instead of values."),
    yes: bool = YES,
    dry_run: bool = DRY_RUN,
    *,
    access: Access,
    json: bool,
) -> None:
    """Write fields of a table: only the bytes of these fields. Asks before it does."""
    from osgp.run.reading.changing import check_unchanged, plan_write, send_write
    from osgp.run.reading.wanted import wanted

    one, pairs = wanted(what), pairs_of(values or [])
    if (data is None) == (not pairs):
        raise UsageError("FIELD=VALUE, or --data HEX")
    if pairs and one.field is not None:
        raise UsageError("name the field once: TABLE FIELD=VALUE, or TABLE.FIELD --data HEX")
    raw = None if data is None else bytes_of(data)

    async def plan(device: Device) -> list[Change]:
        return await device.run(lambda reader: plan_write(reader, one, pairs, raw))

    async def send(device: Device) -> None:
        await device.run(lambda reader: check_unchanged(reader, changes))
        await device.run_once(lambda reader: send_write(reader, changes))

    changes = ports.talk(access, plan, quiet=True)
    if not dry_run:
        agree(lambda: _show(changes, json=False), yes, json)
    if json or dry_run:
        _show(changes, json)
    if dry_run:
        return
    ports.talk(access, send, quiet=True)
    if not json:
        ports.said("written")


def pairs_of(values: list[str]) -> list[tuple[str, str]]:
    """`FIELD=VALUE` arguments."""
    pairs = []
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name:
            raise UsageError(f"{value!r} is not FIELD=VALUE")
        pairs.append((name, text))
    return pairs


def agree(show: Any, yes: bool, json: bool) -> None:
    """Ends the command unless the user wants to go on; with --json only --yes says so.

    No session is open meanwhile: a meter does not wait for people.
    """
    if yes:
        return
    if json:
        raise UsageError("with --json, say --yes or --dry-run")
    show()
    try:
        wanted = typer.confirm("send this to the meter?", err=True)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        raise UsageError("nobody is there to ask: say --yes or --dry-run") from None
    if not wanted:
        ports.said("nothing was sent")
        raise typer.Exit(1)


def _show(changes: list[Change], json: bool) -> None:
    if json:
        print_json(
            [
                {
                    "table": change.table,
                    "offset": change.offset or 0,
                    "before": change.before.hex(),
                    "after": change.after.hex(),
                }
                for change in changes
            ]
        )
        return
    out = console()
    for change in changes:
        place = f"{change.table} at {change.offset or 0}"
        line = Text.assemble(
            (f"{place}: ", "bold"),
            (change.before.hex(" "), "red"),
            " → ",
            (change.after.hex(" "), "green"),
        )
        out.print(line, soft_wrap=True)
