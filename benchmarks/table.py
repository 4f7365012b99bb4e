"""What a benchmark gives back, and how it is timed and printed."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import msgspec
from rich.console import Console
from rich.table import Table


class Row(msgspec.Struct, frozen=True):
    """One line: what was measured, what it came to, and how that stands to the goal."""

    what: str
    result: str
    ratio: str = ""
    goal: str = ""


def best(work: Callable[[], object], times: int = 5) -> float:
    """Seconds of the fastest of several runs: what is left when the machine is not disturbed."""
    fastest = float("inf")
    for _ in range(times):
        gc.collect()
        start = time.perf_counter()
        work()
        fastest = min(fastest, time.perf_counter() - start)
    return fastest


def show(title: str, rows: list[Row], console: Console) -> None:
    table = Table(title=title, title_justify="left")
    for name in ("measured", "result", "ratio", "goal"):
        table.add_column(name, justify="left" if name == "measured" else "right")
    for row in rows:
        table.add_row(row.what, row.result, row.ratio, row.goal)
    console.print(table)
