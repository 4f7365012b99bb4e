"""`osgp top`: a live view of a meter."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import typer
from rich.live import Live

from osgp.errors import OsgpError

from . import ports
from .inputs import console, print_json

if TYPE_CHECKING:
    from osgp.run.reading.device import Access
    from osgp.run.top import View

EXAMPLE = "Example: osgp top --optical /dev/ttyUSB0 --key-file rk.txt --every 2"

RETRY: Final = 5.0
"""Seconds until the port is tried again."""


def register(app: typer.Typer) -> None:
    app.command("top", epilog=EXAMPLE)(ports.reaching(top))


def top(
    every: float = typer.Option(2.0, min=0.5, metavar="SECONDS", help="Between two looks."),
    count: int | None = typer.Option(None, min=1, help="End after so many looks."),
    *,
    access: Access,
    json: bool,
) -> None:
    """Show live power per phase, tariff, contactor and signal, until Ctrl-C.

    The session stays open all the while: nobody else can use the port.
    """
    from osgp.run.top import View

    view = View()
    with contextlib.suppress(KeyboardInterrupt):
        if json:
            asyncio.run(_look(access, view, every, count or 1, json=True))
            return
        with Live(view, console=console(), refresh_per_second=4, screen=False):
            asyncio.run(_look(access, view, every, count, json=False))


async def _look(access: Access, view: View, every: float, count: int | None, *, json: bool) -> None:
    """Looks until it has looked so often. The first failure ends it; later ones are shown."""
    from osgp.run.reading.alerts import AlertWatch
    from osgp.run.reading.device import open_device
    from osgp.run.top import glance

    looks, alerts = 0, AlertWatch(ports.said if json else view.remarked)
    while count is None or looks < count:
        try:
            async with open_device(access) as device:
                while count is None or looks < count:
                    moment = datetime.now(UTC)
                    seen = await device.run(lambda reader: glance(reader, view.meter, moment))  # noqa: B023  # run before the next round
                    looks += 1
                    view.show(seen)
                    await alerts.follow(device)
                    if not alerts.known:
                        view.remarked("")
                    if json:
                        print_json(seen)
                    if count is None or looks < count:
                        await asyncio.sleep(every)
        except OsgpError as error:
            if not looks or count is not None:
                raise
            view.trouble(str(error))
            await asyncio.sleep(RETRY)
