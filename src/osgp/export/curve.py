"""The load curve of a neighbourhood, as a picture.

A picture is drawn on a figure of its own, so nothing of matplotlib's global state changes, and the
same curve gives the same bytes. Time runs along interval edges in UTC; power is a mean over each
interval and is drawn as such, in steps. Where some meters have no value the area is paler.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from osgp.errors import UsageError

from .picture import FAINT, GRID, INK, form_of, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Watts = NDArray[np.float64]
"""Mean power of each interval; NaN where nothing is known."""

SIZE_INCHES: Final = (10.0, 5.0)
FILL: Final = "#2f7ed8"
OTHERS: Final = ("#d9480f", "#2b8a3e", "#862e9c", "#c92a2a")
DAY: Final = 86_400


@dataclass(frozen=True, slots=True, eq=False)
class LoadCurve:
    """Mean power of a neighbourhood, interval by interval.

    `ends` are seconds since 1970-01-01 UTC, one interval length apart; `watts` is the sum over the
    meters that are known then, and `meters` their number; `parts` are further powers to compare,
    by what they are. All arrays have one length. Raises UsageError where they have not.
    """

    ends: NDArray[np.int64]
    watts: Watts
    interval_seconds: int
    meters: NDArray[np.int64]
    parts: Mapping[str, Watts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {
            len(self.ends),
            len(self.watts),
            len(self.meters),
            *map(len, self.parts.values()),
        }
        if len(lengths) != 1 or self.interval_seconds <= 0:
            raise UsageError("a load curve needs one power for each interval")

    @property
    def known(self) -> bool:
        """Whether there is a power in it at all."""
        return bool(np.isfinite(self.watts).any())

    @property
    def peak(self) -> int:
        """Index of the interval of the highest power. Raises UsageError where nothing is known."""
        if not self.known:
            raise UsageError("an empty load curve has no peak")
        return int(np.nanargmax(self.watts))

    @property
    def watt_hours(self) -> float:
        """Energy under the curve."""
        return float(np.nansum(self.watts)) * self.interval_seconds / 3600

    @property
    def mean_watts(self) -> float:
        """Mean over the intervals that are known; 0 where none is."""
        return float(np.nanmean(self.watts)) if self.known else 0.0

    @property
    def complete(self) -> NDArray[np.bool_]:
        """For each interval, whether every meter of the curve is known then."""
        every: NDArray[np.bool_] = self.meters == self.meters.max(initial=0)
        return every


def save_curve(curve: LoadCurve, path: Path, *, title: str = "Neighbourhood load") -> None:
    """Draws `curve` to `path`, by its suffix a PNG or an SVG.

    Raises UsageError for another suffix or an empty curve, StoreError where the file cannot be
    written or matplotlib is missing.
    """
    form = form_of(path, "a load curve")
    if not curve.known:
        raise UsageError("there is no load curve to draw: not two intervals of a meter are stored")
    save_figure(_drawn(curve, title), path, form)


def summary(curve: LoadCurve) -> str:
    """`20 meters · 1 Jan 2024 · 15-minute means, UTC · 183 kWh · mean 7.6 kW`."""
    count = int(curve.meters.max(initial=0))
    parts = [
        f"{count:,} meter{'' if count == 1 else 's'}",
        _days(curve),
        f"{curve.interval_seconds // 60}-minute means, UTC",
        f"{short(curve.watt_hours / 1000)} kWh",
        f"mean {short(curve.mean_watts / 1000)} kW",
    ]
    return " · ".join(filter(None, parts))


def peak_text(curve: LoadCurve) -> str:
    """`peak 24.0 kW, 18:45-19:00`, with the day where the curve has several."""
    end = int(curve.ends[curve.peak])
    start = end - curve.interval_seconds
    several = curve.ends[-1] - curve.ends[0] >= DAY
    day = f"{_date(_moment(start))} " if several else ""
    kilowatts = short(curve.watts[curve.peak] / 1000)
    return f"peak {kilowatts} kW, {day}{_moment(start):%H:%M}-{_moment(end):%H:%M}"


def tick_text(seconds: float) -> str:
    """A time on an axis: the day at midnight UTC, else the time of day."""
    moment = _moment(seconds)
    return _date(moment) if seconds % DAY == 0 else f"{moment:%H:%M}"


def _days(curve: LoadCurve) -> str:
    if not len(curve.ends):
        return ""
    first, last = (_moment(int(end) - curve.interval_seconds) for end in curve.ends[[0, -1]])
    if first.date() == last.date():
        return f"{_date(first)} {first.year}"
    year = "" if first.year == last.year else f" {first.year}"
    return f"{_date(first)}{year} to {_date(last)} {last.year}"


def short(number: float) -> str:
    """Three digits, or all of those before the point."""
    digits = max(0, 2 - int(np.floor(np.log10(abs(number))))) if number else 0
    return f"{number:,.{min(digits, 3)}f}"


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _date(moment: datetime) -> str:
    return f"{moment.day} {moment:%b}"


def _drawn(curve: LoadCurve, title: str) -> Figure:
    figure = new_figure(*SIZE_INCHES)
    axes = figure.add_subplot()
    _draw_power(axes, curve)
    _draw_parts(axes, curve)
    _draw_peak(axes, curve)
    _dress(axes, curve)
    axes.set_title(title, loc="left", color=INK, fontsize=15, fontweight="bold", pad=28)
    axes.text(0, 1.035, _subtitle(curve), transform=axes.transAxes, color=FAINT, fontsize=10)
    return figure


def _subtitle(curve: LoadCurve) -> str:
    return summary(curve) + ("" if curve.complete.all() else " · paler: not all meters")


def _edges(curve: LoadCurve) -> NDArray[np.float64]:
    """Interval edges as matplotlib counts days."""
    first = curve.ends[:1] - curve.interval_seconds
    edges = np.concatenate([first, curve.ends]).astype("datetime64[s]")
    return np.asarray(_matplotlib_dates().date2num(edges), dtype=np.float64)


def _matplotlib_dates() -> Any:
    """The module, whose functions carry no types."""
    from matplotlib import dates

    return dates


def _draw_power(axes: Axes, curve: LoadCurve) -> None:
    edges, kilowatts = _edges(curve), curve.watts / 1000
    some = np.where(curve.complete, np.nan, kilowatts)
    every = np.where(curve.complete, kilowatts, np.nan)
    axes.stairs(some, edges, fill=True, color=FILL, alpha=0.12, linewidth=0)
    axes.stairs(every, edges, fill=True, color=FILL, alpha=0.28, linewidth=0)
    width = 1.8 if len(kilowatts) <= 200 else 1.1
    axes.stairs(kilowatts, edges, baseline=None, color=FILL, linewidth=width)


def _draw_parts(axes: Axes, curve: LoadCurve) -> None:
    for (name, watts), color in zip(curve.parts.items(), OTHERS, strict=False):
        axes.stairs(
            watts / 1000, _edges(curve), baseline=None, color=color, linewidth=1.3, label=name
        )
    if curve.parts:
        axes.legend(loc="upper right", frameon=False, labelcolor=INK, fontsize=9)


def _draw_peak(axes: Axes, curve: LoadCurve) -> None:
    from matplotlib.patheffects import withStroke

    peak = curve.peak
    at = (float(_edges(curve)[peak : peak + 2].mean()), float(curve.watts[peak] / 1000))
    late = peak > 0.7 * len(curve.ends)
    axes.plot(*at, "o", color=FILL, markersize=7, markeredgecolor="white", clip_on=False)
    axes.annotate(
        peak_text(curve),
        at,
        xytext=(-9 if late else 9, 7),
        textcoords="offset points",
        ha="right" if late else "left",
        color=INK,
        fontsize=10,
        fontweight="bold",
        path_effects=[withStroke(linewidth=4, foreground="white")],
    )


def _dress(axes: Axes, curve: LoadCurve) -> None:
    edges = _edges(curve)
    top = max(float(np.nanmax(watts)) for watts in (curve.watts, *curve.parts.values()))
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, 1.15 * top / 1000 or 1)
    axes.yaxis.set_major_formatter(lambda kilowatts, _: f"{kilowatts:g} kW")
    axes.xaxis.set_major_locator(
        _matplotlib_dates().AutoDateLocator(tz=UTC, minticks=4, maxticks=9)
    )
    axes.xaxis.set_major_formatter(lambda days, _: _axis_text(days))
    axes.grid(visible=True, axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(axis="both", colors=FAINT, labelsize=9.5, length=0, pad=6)
    axes.tick_params(axis="x", length=4, color=FAINT)


def _axis_text(days: float) -> str:
    return tick_text(round(_matplotlib_dates().num2date(days, tz=UTC).timestamp()))
