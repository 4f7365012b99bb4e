"""The load curve of a neighbourhood in a terminal: print it with rich.

It takes the width it is given: a chart of eighth blocks, of plain ASCII where the terminal knows
nothing else, and below `LEAST_WIDTH` columns no chart at all.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, ConsoleOptions
from rich.text import Text

from osgp.export.curve import DAY, LoadCurve, Watts, peak_text, short, summary, tick_text

LEAST_WIDTH: Final = 32
MOST_COLUMNS: Final = 144
TICKS: Final = (900, 1800, 3600, 7200, 10_800, 21_600, 43_200, DAY, 2 * DAY, 7 * DAY, 28 * DAY)
"""Seconds between two marks of the time axis: the first of these that leaves room is taken."""

_TICK_ROOM: Final = 8
_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_ASCII: Final = " .:#"
_AXES: Final = {False: ("│", "└", "─", "┬"), True: ("|", "+", "-", "+")}


class TerminalCurve:
    """A rich renderable of `curve`, `height` lines high besides title and axis."""

    def __init__(
        self, curve: LoadCurve, *, title: str = "Neighbourhood load", height: int = 8
    ) -> None:
        self.curve = curve
        self.title = title
        self.height = max(1, height)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        ascii_only = options.ascii_only
        yield self._line(self.title, "bold", ascii_only)
        yield self._line(summary(self.curve), "dim", ascii_only)
        if not self.curve.known:
            yield Text("nothing to draw yet", style="dim")
            return
        if options.max_width >= LEAST_WIDTH:
            yield from self._chart(options.max_width, ascii_only)
        yield self._line(peak_text(self.curve), "bold", ascii_only)

    @staticmethod
    def _line(text: str, style: str, ascii_only: bool) -> Text:
        return Text(text.replace(" · ", ", ") if ascii_only else text, style=style)

    def _chart(self, width: int, ascii_only: bool) -> Iterator[Text]:
        top = max(float(np.nanmax(self.curve.watts)), 1.0)
        labels = self._labels(top)
        margin = max(map(len, labels))
        column_count = min(MOST_COLUMNS, width - margin - 2)
        bars = resampled(self.curve.watts, column_count) / top
        upright, corner, *_ = _AXES[ascii_only]
        for label, row in zip(labels, self._rows(bars, ascii_only), strict=False):
            axis = Text(f"{label:>{margin}} {upright}", style="dim")
            yield axis.append(row, style="not dim blue")
        marks, times = self._time_axis(column_count, ascii_only)
        yield Text(f"{labels[-1]:>{margin}} {corner}{marks}", style="dim")
        yield Text(" " * (margin + 2) + times, style="dim", no_wrap=True)

    def _labels(self, top: float) -> list[str]:
        """For each line from the top, then for the axis, what is written at its left."""
        labels = [""] * self.height + ["0"]
        if self.height >= 4:
            labels[self.height // 2] = short(top / 2000)
        return [f"{short(top / 1000)} kW", *labels[1:]]

    def _rows(self, bars: Watts, ascii_only: bool) -> Iterator[str]:
        steps = _ASCII if ascii_only else _BLOCKS
        per_row = len(steps) - 1
        filled = np.rint(np.nan_to_num(bars) * self.height * per_row).astype(int)
        for row in reversed(range(self.height)):
            levels = np.clip(filled - row * per_row, 0, per_row)
            yield "".join(steps[level] for level in levels)

    def _time_axis(self, columns: int, ascii_only: bool) -> tuple[str, str]:
        *_, line, mark = _AXES[ascii_only]
        start = int(self.curve.ends[0]) - self.curve.interval_seconds
        span = int(self.curve.ends[-1]) - start
        step = next((s for s in TICKS if s * columns >= _TICK_ROOM * span), TICKS[-1])
        marks, times = [line] * columns, [" "] * columns
        for second in range(-(-start // step) * step, start + span, step):
            at, text = (second - start) * columns // span, tick_text(second)
            marks[at] = mark
            if at + len(text) <= columns:
                times[at : at + len(text)] = text
        return "".join(marks), "".join(times).rstrip()


def resampled(watts: Watts, columns: int) -> Watts:
    """`columns` powers that share out the time of `watts` evenly; each the mean of what is known.

    With fewer intervals than columns an interval takes several columns.
    """
    edges: NDArray[np.int64] = np.linspace(0, len(watts), columns + 1).astype(np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing is NaN, as it should
        means = [np.nanmean(watts[low : max(high, low + 1)]) for low, high in pairwise(edges)]
    return np.array(means, dtype=np.float64)
