"""`osgp bridge`: meters to MQTT, Home Assistant, Prometheus and HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from osgp.errors import TransportError

from . import ports
from .inputs import print_json

if TYPE_CHECKING:
    from osgp.run.bridge.config import BridgeConfig, MeterSection
    from osgp.run.bridge.sample import Sample

EXAMPLE = (
    "Examples: osgp bridge /etc/osgp/bridge.toml · osgp bridge bridge.toml --check · "
    "osgp bridge bridge.toml --once. An example configuration: docs/examples/bridge.toml"
)


STATE_VARIABLE = "STATE_DIRECTORY"
"""Where systemd wants a service to keep things (systemd.exec, 'StateDirectory')."""


def register(app: typer.Typer) -> None:
    app.command("bridge", epilog=EXAMPLE)(bridge)


def bridge(
    config: Path = typer.Argument(metavar="CONFIG.toml", help="What to read and where to."),
    check: bool = typer.Option(False, "--check", help="Only look whether CONFIG makes sense."),
    once: bool = typer.Option(False, "--once", help="Read and publish once, then end."),
    json: bool = typer.Option(False, "--json", help="Print every reading as a line of JSON."),
) -> None:
    """Read meters on a schedule and publish what they say, until Ctrl-C."""
    from osgp.run.bridge.config import load_config
    from osgp.run.bridge.poller import access_of

    found = load_config(config)
    for section in found.meters:
        access = access_of(section, config.parent)
        if access.key is not None and (check or access.key.remark):
            ports.said(f"{section.name}: key {access.key}")
    if check:
        if json:
            print_json(found)
        return
    with contextlib.suppress(KeyboardInterrupt):
        if not asyncio.run(_run(found, config.parent, once, json)):
            raise TransportError("not every meter was read")


async def _run(config: BridgeConfig, directory: Path, once: bool, json: bool) -> bool:
    from osgp.run.bridge.main import Bridge

    kept = os.environ.get(STATE_VARIABLE)
    state = None if kept is None else Path(kept)
    made = Bridge(config, directory, _print if json else None, state)
    if once:
        done = await made.once()
        if done and not json and made.publisher is not None:
            ports.said("read and published")
        return done
    task = asyncio.ensure_future(made.run())
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return True


def _print(section: MeterSection, sample: Sample) -> None:
    typer.echo(f'{{"meter":"{section.id}","reading":{sample.body.decode()}}}')
