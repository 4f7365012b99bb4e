"""`osgp profile`: a meter's load profile, as CSV, Parquet, or a chart."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from osgp.errors import UsageError

from . import ports
from .inputs import console, print_json

if TYPE_CHECKING:
    from osgp.run.reading.device import Access, Device
    from osgp.run.reading.profile import Profile

EXAMPLE = (
    "Examples: osgp profile --optical /dev/ttyUSB0 --key-file rk.txt --from 2026-01-01 "
    "--to 2026-02-01 --out january.csv · osgp profile … --days 7 --chart"
)


def register(app: typer.Typer) -> None:
    app.command("profile", epilog=EXAMPLE)(ports.reaching(profile))


def profile(
    since: str | None = typer.Option(
        None, "--from", metavar="TIME", help="Intervals that end after it: 2026-01-31, or …T12:00Z."
    ),
    until: str | None = typer.Option(
        None, "--to", metavar="TIME", help="Intervals that end until then; now if not given."
    ),
    days: float | None = typer.Option(
        None, min=0.01, help="Instead of --from: so many days before --to."
    ),
    data_set: int = typer.Option(1, min=1, max=4, help="Which load profile."),
    channel: int = typer.Option(1, min=1, max=16, help="Channel that a chart shows."),
    out: Path | None = typer.Option(
        None, metavar="FILE", help="Write there: .csv, .parquet, .png or .svg."
    ),
    chart: bool = typer.Option(False, "--chart", help="Draw a chart in the terminal."),
    *,
    access: Access,
    json: bool,
) -> None:
    """Read the load profile of a period; CSV on standard output if nothing else is asked for.

    Times without a zone are this machine's local time; what is read is in UTC.
    """
    from osgp.run.reading.files import chart_of, save_profile, write_csv
    from osgp.run.reading.profile import Period, read_profile

    period = Period(*period_of(since, until, days))

    async def action(device: Device) -> Profile:
        on_size = device.on_size
        return await device.run(lambda reader: read_profile(reader, period, data_set, on_size))

    found = ports.talk(access, action, quiet=json)
    if json:
        print_json(found)
    if out is not None:
        save_profile(found, out, channel - 1)
    if chart:
        console().print(chart_of(found, channel - 1))
    elif out is None and not json:
        write_csv(found, sys.stdout)
    _say(found, out)


def period_of(
    since: str | None, until: str | None, days: float | None
) -> tuple[datetime | None, datetime | None]:
    """Begin and end in UTC. Raises UsageError."""
    if since is not None and days is not None:
        raise UsageError("--from or --days, not both")
    end = None if until is None else moment_of(until)
    if days is not None:
        return (end or datetime.now(UTC)) - timedelta(days=days), end
    begin = None if since is None else moment_of(since)
    if begin is not None and end is not None and begin >= end:
        raise UsageError("--from is not before --to")
    return begin, end


def moment_of(text: str) -> datetime:
    """A date or time in ISO 8601; local where no zone is given."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no time, like 2026-01-31 or 2026-01-31T12:00Z") from None
    return moment.astimezone(UTC)


def _say(found: Profile, out: Path | None) -> None:
    if not found.intervals:
        ports.notes({"load profile": "no interval in this period"})
    elif out is not None:
        ports.said(f"{out}: {len(found.intervals)} intervals of {found.minutes} minutes")
