"""What a benchmark gives back, and how it is timed and printed."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from statistics import median

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


def paired(
    one: Callable[[], Callable[[], object]],
    other: Callable[[], Callable[[], object]],
    rounds: int = 61,
) -> tuple[float, float, float]:
    """Median seconds of two works done in turn, and the median of `other` / `one` round by round.

    Both are given as makers, so that what they need is made before the clock runs. Taken in turn
    they meet the same disturbances, which divide out.
    """
    times = []
    for _ in range(rounds):
        works = one(), other()
        gc.collect()
        times.append((_seconds(works[0]), _seconds(works[1])))
    ones, others = zip(*times, strict=True)
    ratio = median(theirs / ours for ours, theirs in times)
    return median(ones), median(others), ratio


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleaved(works: dict[str, Callable[[], object]], rounds: int = 5) -> dict[str, list[float]]:
    """Seconds of each in every round, one after another: what disturbs one disturbs the others."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            found[name].append(best(work, 1))
    return found


def ratio(slow: list[float], fast: list[float]) -> float:
    """How often one is as fast as the other: the median of the rounds."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def show(title: str, rows: list[Row], console: Console) -> None:
    table = Table(title=title, title_justify="left")
    for name in ("measured", "result", "ratio", "goal"):
        table.add_column(name, justify="left" if name == "measured" else "right")
    for row in rows:
        table.add_row(row.what, row.result, row.ratio, row.goal)
    console.print(table)
