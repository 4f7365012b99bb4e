"""`osgp meter`: a virtual meter on local ports."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import typer

from .inputs import console, print_json
from .ports import said

EXAMPLE = (
    "Examples: osgp meter serve demo --optical pty --keys keys · "
    "osgp meter serve my.toml --optical tcp://127.0.0.1:4059 --mep tcp://127.0.0.1:4060 · "
    "osgp meter serve --from-dump meter.json --optical pty"
)

meter = typer.Typer(help="A virtual meter on local ports.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    meter.command("serve", epilog=EXAMPLE)(serve)
    app.add_typer(meter, name="meter")


def serve(
    profile: str = typer.Argument("demo", help="A TOML file, or a built-in profile: demo, flat."),
    optical: str | None = typer.Option(
        None, metavar="PLACE", help="Optical port: pty, or tcp://127.0.0.1:PORT."
    ),
    mep: str | None = typer.Option(None, metavar="PLACE", help="MEP port, in the same way."),
    mep2: str | None = typer.Option(
        None, metavar="PLACE", help="The second MEP port (firmware 4.0 and later)."
    ),
    udp: str | None = typer.Option(
        None, metavar="HOST:PORT", help="The power line: a frame for each datagram."
    ),
    lon_ip: str | None = typer.Option(
        None, metavar="HOST:PORT", help="The power line over LON/IP, whose usual port is 2541."
    ),
    from_dump: Path | None = typer.Option(
        None, help="Impersonate the device that `osgp dump` read into this file."
    ),
    keys: Path | None = typer.Option(
        None, metavar="DIR", help="Write the meter's keys there, as files for --key-file."
    ),
    memory: Path | None = typer.Option(
        None, help="Keep the meter's memory in this file; otherwise it begins anew each time."
    ),
    tls_required: bool = typer.Option(False, "--tls-required", help="MEP answers in TLS only."),
    expose: bool = typer.Option(
        False, "--expose", help="Allow addresses that other machines can reach."
    ),
    log: Path | None = typer.Option(None, help="Write every frame there, in hex and in words."),
    json: bool = typer.Option(False, "--json", help="Print where it listens as one JSON object."),
) -> None:
    """Serve a virtual meter until Ctrl-C; prints where it listens."""
    from osgp.run.serve import ServeOptions
    from osgp.run.serving.profiles import load_profile, write_keys

    served = load_profile(profile)
    options = ServeOptions(
        optical, mep, mep2, udp, from_dump, memory, log, tls_required, expose, lon_ip
    )
    written = [] if keys is None else write_keys(served, keys)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(served, options, written, json))


async def _serve(served: object, options: object, written: list[Path], json: bool) -> None:
    from osgp.run.serve import open_serving

    serving = await open_serving(served, options, _supply)  # type: ignore[arg-type]  # imported only here
    try:
        _announce(serving.addresses, written, json)
        await _interrupted()
    finally:
        await serving.close()


def _announce(addresses: dict[str, str], written: list[Path], json: bool) -> None:
    if json:
        print_json(addresses | {"keys": {path.stem: str(path) for path in written}})
        return
    out = console()
    for name, address in addresses.items():
        out.print(f"{name:8} {address}", soft_wrap=True)
    for path in written:
        out.print(f"{path.stem.upper():8} {path}", soft_wrap=True, style="dim")
    out.print("serving until Ctrl-C", style="dim")


def _supply(back: float | None) -> None:
    """Says why nothing answers, on stderr."""
    if back is None:
        said("the simulated supply is back")
        return
    minutes = max((back - time.time()) / 60, 0)
    said(
        f"the simulated supply failed: every port is silent until "
        f"{datetime.fromtimestamp(back, UTC).astimezone():%H:%M:%S}, {minutes:.0f} min "
        "(`disturbed = false` in a profile prevents it)"
    )


async def _interrupted() -> None:
    """Until Ctrl-C, or until the system wants it to end."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, ended.set)
    await ended.wait()
