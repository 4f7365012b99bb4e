"""What commands that talk to a meter take from the command line, and how they show that they do."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn

from osgp.errors import UsageError

from .inputs import SafeConsole, bytes_of

if TYPE_CHECKING:
    from osgp.run.reading.device import Access, Device

T = TypeVar("T")

CACHE_VARIABLE = "XDG_CACHE_HOME"

_OPTIONS: dict[str, tuple[Any, Any]] = {
    "optical": (
        str | None,
        typer.Option(
            None, metavar="PLACE", help="Optical port: /dev/ttyUSB0, tcp://host:port, rfc2217://…"
        ),
    ),
    "mep": (str | None, typer.Option(None, metavar="PLACE", help="MEP port, in the same way.")),
    "mep2": (
        str | None,
        typer.Option(None, metavar="PLACE", help="A meter's second MEP port (firmware 4.0)."),
    ),
    "key_file": (
        Path | None,
        typer.Option(
            None,
            metavar="FILE",
            help="File with the key (RK, PK, MK; MBK, MAK); asked for if not given.",
        ),
    ),
    "no_key": (
        bool,
        typer.Option(False, "--no-key", help="Optical: read only what is open without a key."),
    ),
    "tls": (
        str | None,
        typer.Option(None, metavar="MAK|MBK", help="MEP: use TLS; says which key the file has."),
    ),
    "encrypt": (
        bool,
        typer.Option(False, "--encrypt", help="MEP without TLS: encrypt with RC4."),
    ),
    "speed": (int, typer.Option(9600, min=300, help="Bits a second to begin with.")),
    "wake": (
        str | None,
        typer.Option(None, metavar="HEX", help="Optical: bytes that wake the meter up."),
    ),
    "log": (
        Path | None,
        typer.Option(None, metavar="FILE", help="Write every frame there, in hex and in words."),
    ),
    "no_cache": (
        bool,
        typer.Option(False, "--no-cache", help="Read dimension tables anew; keep nothing."),
    ),
    "json": (bool, typer.Option(False, "--json", help="Print JSON, nothing else.")),
}
"""Options of every command that talks to a meter."""


def reaching(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options that say how to reach a meter.

    The command takes `access: Access` and `json: bool` for them.
    """
    own = inspect.signature(command).parameters
    kept = [parameter for name, parameter in own.items() if name not in ("access", "json")]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=kind)
        for name, (kind, option) in _OPTIONS.items()
    ]

    @functools.wraps(command)
    def reached(**given: Any) -> None:
        chosen = {name: given.pop(name) for name in _OPTIONS}
        command(access=access_from(**chosen), json=chosen["json"], **given)

    plain = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in kept]
    reached.__signature__ = inspect.Signature([*plain, *shared])  # type: ignore[attr-defined]  # typer reads it
    hints = {name: hint for name, hint in command.__annotations__.items() if name != "access"}
    reached.__annotations__ = hints | {name: kind for name, (kind, _) in _OPTIONS.items()}
    return reached


def access_from(
    optical: str | None,
    mep: str | None,
    key_file: Path | None,
    *,
    mep2: str | None = None,
    no_key: bool = False,
    tls: str | None = None,
    encrypt: bool = False,
    speed: int = 9600,
    wake: str | None = None,
    log: Path | None = None,
    no_cache: bool = False,
    json: bool = False,
) -> Access:
    """How to reach the meter; says on stderr in which form the key was taken."""
    from osgp.run.reading.device import Access
    from osgp.run.reading.keyfiles import key_for
    from osgp.security.keys import Purpose

    if sum(place is not None for place in (optical, mep, mep2)) != 1:
        raise UsageError("name one port: --optical /dev/ttyUSB0, or --mep tcp://host:port")
    if tls is not None and tls not in ("MAK", "MBK"):
        raise UsageError("--tls takes MAK or MBK")
    purpose = Purpose.OPTICAL if optical else Purpose.MEP
    key = None if no_key else key_for(purpose, key_file)
    if key is not None and (key.remark or not json):
        SafeConsole(stderr=True).print(f"key {key}", style="dim", highlight=False, markup=False)
    cache = None if no_cache else cache_directory()
    first = b"" if wake is None else bytes_of(wake)
    port = 1 if mep2 is None else 2
    return Access(optical, mep or mep2, key, tls, encrypt, speed, log, cache, first, port)


def cache_directory() -> Path:
    """Where dimensions are kept between two calls."""
    base = os.environ.get(CACHE_VARIABLE)
    return (Path(base) if base else Path.home() / ".cache") / "osgp"


def talk(access: Access, action: Callable[[Device], Awaitable[T]], *, quiet: bool = False) -> T:
    """What `action` returns for an open device; shows progress meanwhile, on stderr."""
    from osgp.run.reading.alerts import AlertWatch
    from osgp.run.reading.device import open_device

    async def run() -> T:
        async with open_device(access) as device:
            with watched(device, quiet=quiet):
                result = await action(device)
            await AlertWatch(said).follow(device)
            return result

    return asyncio.run(run())


@contextmanager
def watched(device: Device, *, quiet: bool = False) -> Iterator[Progress | None]:
    """Shows which table is read and how much has come, if somebody watches."""
    from osgp.spec import table_name

    out = SafeConsole(stderr=True)
    if quiet or not out.is_terminal:
        yield None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=out, transient=True) as progress:
        task = progress.add_task("reading", total=None)

        def on_bytes(table: int, count: int) -> None:
            progress.update(task, advance=count, description=escape(table_name(table)))

        def on_size(total: int) -> None:
            progress.update(task, total=total, completed=0)

        device.on_bytes, device.on_size = on_bytes, on_size
        yield progress


def notes(lines: dict[str, Any]) -> None:
    """What could not be read, on stderr."""
    out = SafeConsole(stderr=True)
    for name, reason in lines.items():
        out.print(f"{name}: {reason}", style="yellow", highlight=False, markup=False)


def said(line: str) -> None:
    """A remark on stderr: stdout carries results only."""
    SafeConsole(stderr=True).print(line, highlight=False, markup=False, soft_wrap=True)
