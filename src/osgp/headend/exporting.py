"""From the store to files and pictures: composes `Store` with `osgp.export`.

A load profile logs the exact register value at the end of each interval (MEP guide, BT62 'Format':
INT32 means snapshots). Mean power is therefore the difference of two consecutive values over the
time between. Across a short gap the difference is known all the same and is spread evenly; across
a long one, or where a register runs backwards, nothing is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from osgp.errors import UsageError
from osgp.export.csv import EVENTS, INTERVALS, REGISTERS, Sheet, write_sheets
from osgp.export.curve import LoadCurve, Watts
from osgp.headend.results import Series, Stored, StoredInterval
from osgp.headend.store import Store
from osgp.headend.summaries import USUAL_MINUTES

FWD_ACTIVE_WH: Final = 0
"""Source id 'Fwd Active Wh L1L2L3' (MEP guide, BT22 'Source IDs')."""

WATT_HOURS: Final = {"Wh": 1.0, "kWh": 1000.0}
NO_REGISTER_VALUE: Final = (4, 8, 12, 15)
"""Channel status of skipped, undecipherable, opted-out and never read (MEP guide, BT64)."""

BRIDGED_SECONDS: Final = 6 * 3600
"""Longest time between two values that one mean power is assumed for."""

MOST_CELLS: Final = 1_000_000
"""Cap on the length of a curve, 28 years of quarter hours: a meter's clock may be anywhere."""

NO_PARTS: Final[Mapping[str, int]] = MappingProxyType({})


class _Power(NamedTuple):
    """Mean power in watts of one meter in numbered cells of the curve, each number once."""

    cells: NDArray[np.int64]
    watts: Watts


def export_csv(store: Store, directory: Path) -> dict[str, int]:
    """Writes registers, intervals and events of `store` to CSV files in `directory`.

    Gives the rows of each file. Raises StoreError; then no file was written.
    """
    sheets = (
        (REGISTERS, (_plain(REGISTERS, stored) for stored in store.registers())),
        (INTERVALS, (row for stored in store.intervals() for row in _channels(stored))),
        (EVENTS, (_plain(EVENTS, stored) for stored in store.events())),
    )
    return write_sheets(directory, sheets)


def _plain(sheet: Sheet, stored: Stored[Any]) -> list[Any]:
    values = {"device": stored.device, **msgspec.structs.asdict(stored.record)}
    return [values[column] for column in sheet.columns]


def _channels(stored: StoredInterval) -> Iterator[list[Any]]:
    device, interval, known = stored
    sources = dict(enumerate(known.sources)) if known else {}
    units = dict(enumerate(known.units)) if known else {}
    for channel, (value, status) in enumerate(zip(interval.values, interval.status, strict=True)):
        yield [
            device,
            interval.data_set,
            interval.end,
            sources.get(channel),
            units.get(channel),
            value,
            status,
            channel,
            interval.common_status,
        ]


def neighbourhood_curve(
    store: Store,
    start: float | None = None,
    end: float | None = None,
    *,
    source: int = FWD_ACTIVE_WH,
    parts: Mapping[str, int] = NO_PARTS,
) -> LoadCurve:
    """Mean power of all meters together from data set 1, in UTC; empty where nothing is known.

    The period is start < interval.end <= end, by default all that is stored. `parts` names further
    energy registers by source id, to be shown beside the sum. Raises StoreError, and UsageError
    where the intervals lie too far apart for a curve.
    """
    since = None if start is None else start - BRIDGED_SECONDS
    logged = {
        number: [
            series
            for series in store.series(number, start=since, end=end)
            if series.unit in WATT_HOURS and series.interval_seconds > 0
        ]
        for number in {source, *parts.values()}
    }
    step = math.gcd(*(s.interval_seconds for s in logged[source])) or USUAL_MINUTES * 60
    powers = {number: _powers(series, step) for number, series in logged.items()}
    grid = _grid(powers[source], step, start, end)
    watts, meters = _summed(powers[source], grid)
    others = {name: _summed(powers[number], grid)[0] for name, number in parts.items()}
    ends = (np.arange(grid.start, grid.stop, dtype=np.int64) + 1) * step
    return LoadCurve(ends, watts, step, meters, others)


def _powers(logged: Iterable[Series], step: int) -> list[_Power]:
    """The power of each meter; a load profile that was configured anew goes on as the same."""
    by_meter: dict[bytes, list[Series]] = {}
    for series in logged:
        by_meter.setdefault(series.device, []).append(series)
    return [_power(series, step) for series in by_meter.values()]


def _power(logged: list[Series], step: int) -> _Power:
    """Power of one meter in cells of `step` seconds, cell n ending at (n + 1) * step."""
    edges, energy = _energy(logged, step)
    cells, used = np.diff(edges), np.diff(energy)
    longest = max(BRIDGED_SECONDS, *(series.interval_seconds for series in logged))
    known = (used >= 0) & (cells * step <= longest)
    first, cells, used = edges[:-1][known], cells[known], used[known]
    offsets = np.arange(cells.sum()) - np.repeat(np.cumsum(cells) - cells, cells)
    return _Power(np.repeat(first, cells) + offsets, np.repeat(used * 3600 / (cells * step), cells))


def _energy(logged: list[Series], step: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Cell edges and the energy in Wh up to there, forward in time, each edge once."""
    valid = [~np.isin(series.status, NO_REGISTER_VALUE) for series in logged]
    pairs = list(zip(logged, valid, strict=True))
    edges = np.concatenate([series.ends[ok] // step for series, ok in pairs])
    energy = np.concatenate([series.values[ok] * WATT_HOURS[series.unit] for series, ok in pairs])
    order = np.argsort(edges, kind="stable")
    edges, energy = edges[order], energy[order]
    newest = np.append(np.diff(edges) > 0, np.ones(min(1, len(edges)), dtype=bool))
    return edges[newest], energy[newest]


def _grid(powers: list[_Power], step: int, start: float | None, end: float | None) -> range:
    """Numbers of the cells of the curve."""
    known = [power.cells for power in powers if len(power.cells)]
    if not known:
        return range(0)
    first = min(int(cells.min()) for cells in known) if start is None else int(start // step)
    stop = max(int(cells.max()) for cells in known) + 1 if end is None else int(end // step)
    if stop - first > MOST_CELLS:
        raise UsageError("the stored intervals lie too far apart for one curve; name a period")
    return range(first, max(first, stop))


def _summed(powers: list[_Power], grid: range) -> tuple[Watts, NDArray[np.int64]]:
    """Sum of the powers in each cell, NaN where there are none, and how many there are."""
    total, count = np.zeros(len(grid)), np.zeros(len(grid), dtype=np.int64)
    for power in powers:
        inside = (power.cells >= grid.start) & (power.cells < grid.stop)
        cells = power.cells[inside] - grid.start
        total[cells] += power.watts[inside]
        count[cells] += 1
    return np.where(count > 0, total, np.nan), count
