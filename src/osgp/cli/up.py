"""`osgp up`: a neighbourhood of virtual meters, found, commissioned, read and stored."""

from __future__ import annotations

from pathlib import Path

import msgspec
import typer

EXAMPLE = "Example: osgp up --once --meters 20 --days 1 --seed 7 --store sqlite:///x.db --json"


def register(app: typer.Typer) -> None:
    app.command("up", epilog=EXAMPLE)(up)


def up(
    meters: int | None = typer.Option(
        None, min=1, max=5000, help="Virtual meters; 50 in a new store."
    ),
    days: float = typer.Option(1.0, min=0.05, max=366, help="Simulated days to cover."),
    seed: int | None = typer.Option(None, min=0, help="Makes a run repeatable; 1 in a new store."),
    scenario: str | None = typer.Option(None, help="The line: a scenario's name or a TOML file."),
    suite: str | None = typer.Option(
        None,
        help="What meters speak: oma, aes, mixed, or migrate (oma, then aes); oma if new.",
    ),
    store: str = typer.Option("sqlite:///osgp.db", help="Where to keep what is read."),
    memory: Path | None = typer.Option(
        None, help="File with the meters' memories; beside an SQLite store if not given."
    ),
    out: Path = typer.Option(Path("out"), help="Directory for the load curve's picture."),
    capture: Path | None = typer.Option(
        None, metavar="FILE", help="Write every frame on the line, as pcapng for Wireshark."
    ),
    firmware: Path | None = typer.Option(
        None, metavar="FILE", help="Bring this image to all meters that speak AES, and start it."
    ),
    once: bool = typer.Option(False, "--once", help="End after these days."),
    speed: float = typer.Option(
        60.0, min=1.0, max=100_000.0, help="After these days: times as fast as real time."
    ),
    json: bool = typer.Option(False, "--json", help="Print one JSON object, nothing else."),
) -> None:
    """Simulate a neighbourhood: find, commission, read and store its meters.

    A second run continues where the first stopped. Without --once the neighbourhood goes on,
    at --speed, until Ctrl-C.
    """
    from osgp.run.commands import once_as_json, watched
    from osgp.run.up import UpOptions

    options = UpOptions(store, memory, meters, seed, scenario, days, capture, suite, firmware)
    if json:
        summary = once_as_json(options)
        typer.echo(msgspec.json.encode(summary).decode())
    else:
        summary = watched(options, out, once=once, speed=speed)
    if not summary.complete:
        raise typer.Exit(1)
