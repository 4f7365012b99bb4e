"""What is shown after a run: a table of figures, and the neighbourhood's load curve."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from osgp.export.curve import save_curve
from osgp.export.terminal import TerminalCurve
from osgp.export.tree import save_trees
from osgp.headend.exporting import neighbourhood_curve
from osgp.headend.network import network_trees
from osgp.headend.store import Store

from .firmware import Loaded
from .up import Summary, Window

PICTURES = ("load-curve.png", "load-curve.svg")
TREES = ("topology.png", "topology.svg")


def show(
    summary: Summary, window: Window, store: Store, pictures: Path | None, console: Console
) -> None:
    """Prints summary and curve; draws curve and network into the directory `pictures`, if given."""
    console.print(figures(summary, window))
    curve = neighbourhood_curve(store, window.begin, window.end)
    if curve.known:
        console.print(TerminalCurve(curve))
    if pictures is None or not summary.commissioned:
        return
    pictures.mkdir(parents=True, exist_ok=True)
    for name in PICTURES if curve.known else ():
        save_curve(curve, pictures / name)
        console.print(f"drawn: {pictures / name}", style="dim", highlight=False)
    trees = network_trees(store)
    for name in TREES:
        save_trees(trees, pictures / name, title=f"Network: {window.scenario}")
        console.print(f"drawn: {pictures / name}", style="dim", highlight=False)


def figures(summary: Summary, window: Window) -> Table:
    """The summary as a table."""
    table = Table(title=f"{_day(window.begin)} to {_day(window.end)} UTC", show_header=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    rows = {
        "meters": f"{summary.meters}",
        "found / commissioned / read": (
            f"{summary.discovered} / {summary.commissioned} / {summary.read}"
        ),
        "read in OMAK / AES": f"{summary.suites['oma']} / {summary.suites['aes']}",
        "intervals expected": f"{summary.intervals_expected:,}",
        "intervals stored": f"{summary.intervals_stored:,}",
        "intervals missing": f"{summary.intervals_missing:,}",
        "simulated time": f"{summary.sim_seconds / 3600:,.1f} h",
        "airtime used": f"{summary.airtime_seconds:,.0f} s",
        "retries": f"{summary.retries:,}",
        "wall time": f"{summary.wall_seconds:.1f} s",
    }
    if summary.firmware is not None:
        rows["new firmware"] = _loading(summary.firmware)
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _loading(loaded: Loaded) -> str:
    return f"{loaded.running} run it, {loaded.refused} refuse it, {loaded.waiting} wait"


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
