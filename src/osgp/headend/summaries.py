"""What can be asked of a store as a whole: counts, coverage, links, runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import and_, func, select

from osgp.headend.queries import Queries, Row
from osgp.headend.results import Coverage, LinkSummary, Run
from osgp.headend.schema import devices, intervals, link_samples, metadata, runs

USUAL_MINUTES: Final = 15
"""Interval length assumed for a device whose BT61 was never read."""

_SUMS: Final = ("requests", "responses", "retries", "failures", "airtime")


class Summaries(Queries):
    """The summarising half of a store's queries."""

    def counts(self) -> dict[str, int]:
        """Rows of each table."""
        return {
            table.name: self._fetch(select(func.count()).select_from(table))[0][0]
            for table in metadata.sorted_tables
        }

    def interval_coverage(self, start: float, end: float, *, data_set: int = 1) -> list[Coverage]:
        """For every device the intervals of the period, expected and stored.

        Expected is one for each multiple of the device's interval length (since 1970 UTC) in
        start < interval.end <= end.
        """
        within = and_(
            intervals.c.device_id == devices.c.id,
            intervals.c.data_set == data_set,
            intervals.c.end > start,
            intervals.c.end <= end,
        )
        stored = (func.count(intervals.c.end), func.min(intervals.c.end), func.max(intervals.c.end))
        statement = select(devices.c.neuron_id, *stored).outerjoin_from(devices, intervals, within)
        rows = self._fetch(statement.group_by(devices.c.id).order_by(devices.c.id))
        return [self._coverage(row, start, end, data_set) for row in rows]

    def _coverage(self, row: Row, start: float, end: float, data_set: int) -> Coverage:
        neuron_id, stored, first, last = row
        known = self.channels(neuron_id, data_set)
        seconds = 60 * (known.interval_minutes if known else USUAL_MINUTES)
        expected = max(0, int(end // seconds) - int(start // seconds))
        return Coverage(neuron_id, expected, stored, first, last)

    def link_summary(self) -> list[LinkSummary]:
        """For every device that was talked to, how it went."""
        columns = link_samples.c
        statement = select(
            devices.c.neuron_id,
            func.count(columns.at),
            *(func.sum(columns[name]) for name in _SUMS),
            func.avg(columns.margin_db),
            func.min(columns.margin_db),
            func.max(columns.at),
        ).join_from(link_samples, devices)
        rows = self._fetch(statement.group_by(devices.c.id).order_by(devices.c.id))
        return [LinkSummary(*row) for row in rows]

    def runs(self) -> list[Run]:
        """All runs in the order in which they began."""
        columns: Sequence[Any] = (
            runs.c.id,
            runs.c.began_at,
            runs.c.finished_at,
            runs.c.meta,
            runs.c.summary,
        )
        return [Run(*row) for row in self._fetch(select(*columns).order_by(runs.c.id))]
