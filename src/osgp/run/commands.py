"""What `osgp up` does, once its options are understood."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import msgspec
from rich.console import Console
from sqlalchemy.engine import make_url

from osgp.errors import UsageError
from osgp.headend.store import Store, open_store
from osgp.meter.nvm import FileStore

from .capture import Capture
from .firmware import image_of
from .progress import Progress
from .report import show
from .suites import knows, open_vault
from .up import Run, Summary, UpOptions, Window, check_pair, keys_path, memory_path, plan_window

FOLLOWING_DAYS = 1.0


def once_as_json(options: UpOptions) -> Summary:
    """One run without a word; its summary is for the caller to print. Raises OsgpError."""
    with open_store(options.store) as store:
        path = _memory(options, store)
        with _capture(options) as capture:
            _, summary = _run(store, path, options, Console(stderr=True), capture, quiet=True)
        return summary


def watched(options: UpOptions, pictures: Path, *, once: bool, speed: float) -> Summary:
    """One run with everything to look at; then on and on at `speed`, unless `once`."""
    console = Console()
    with open_store(options.store) as store, _capture(options) as capture:
        path = _memory(options, store)
        window, summary = _run(store, path, options, console, capture)
        show(summary, window, store, pictures, console)
        if not once:
            _go_on(store, path, options, speed, console, capture)
        return summary


def _capture(options: UpOptions) -> AbstractContextManager[Capture | None]:
    return nullcontext() if options.capture is None else Capture(options.capture)


def _memory(options: UpOptions, store: Store) -> Path:
    path = memory_path(options, _sqlite_path(options.store))
    check_pair(store, path)
    return path


def _run(
    store: Store,
    path: Path,
    options: UpOptions,
    console: Console,
    capture: Capture | None,
    *,
    quiet: bool = False,
    speed: float | None = None,
) -> tuple[Window, Summary]:
    window = plan_window(options, store)
    suite = knows(window.suite)
    image = None if options.firmware is None else image_of(options.firmware, suite)
    keys = keys_path(_sqlite_path(options.store))
    vault = open_vault(keys, suite, begun=bool(store.runs()))
    memory = FileStore(path)
    try:
        run = Run(store, memory, window, vault)
        if image is not None:
            run.load(image)
        run.world.medium.tap = None if capture is None else capture.tap
        with Progress(run, console, quiet=quiet, speed=speed) as progress:
            return window, run.go(progress)
    finally:
        memory.close()
        if vault is not None:
            vault.close()


def _go_on(
    store: Store,
    path: Path,
    options: UpOptions,
    speed: float,
    console: Console,
    capture: Capture | None,
) -> None:
    """Day after day, each at `speed`, until somebody stops it."""
    console.print(f"Going on at {speed:g} times real time; Ctrl-C stops.", style="dim")
    following = msgspec.structs.replace(options, days=FOLLOWING_DAYS)
    try:
        while True:
            window, summary = _run(store, path, following, console, capture, speed=speed)
            show(summary, window, store, None, console)
    except KeyboardInterrupt:
        console.print("Stopped. The next run goes on from here.", style="dim")


def _sqlite_path(url: str) -> Path | None:
    try:
        parsed = make_url(url)
    except Exception as error:
        raise UsageError(f"{url!r} is no store") from error
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database)
