"""A load profile as CSV, Parquet, or a chart."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np

from osgp.errors import UsageError
from osgp.export.curve import LoadCurve, save_curve
from osgp.export.terminal import TerminalCurve

from .profile import Channel, Profile, differences

PICTURES: Final = frozenset({".png", ".svg"})
PARQUET: Final = ".parquet"
END, STATUS = "end_utc", "status"
HOUR: Final = 60


def heading(channel: Channel) -> str:
    """`Fwd Active Wh L1L2L3 [Wh]`."""
    return f"{channel.name} [{channel.unit}]" if channel.unit else channel.name


def write_csv(profile: Profile, file: TextIO) -> None:
    """A row for each interval: its end, register values then, remarks."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([END, *map(heading, profile.channels), STATUS])
    for interval in profile.intervals:
        end = f"{interval.end:%Y-%m-%dT%H:%M:%SZ}"
        writer.writerow([end, *interval.values, "; ".join(interval.status)])


def write_parquet(profile: Profile, path: Path) -> None:
    """The same as columns; units and source ids are metadata. UsageError without pyarrow."""
    try:
        pa, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise UsageError("Parquet needs the extra: pip install 'osgp[parquet]'") from None
    ends = pa.array([interval.end for interval in profile.intervals], pa.timestamp("s", tz="UTC"))
    rows = profile.intervals
    values = [pa.array([row.values[n] for row in rows], pa.int64()) for n in _numbers(profile)]
    remarks = pa.array(["; ".join(row.status) for row in rows], pa.string())
    schema = pa.schema([(END, ends.type), *_columns(pa, profile), (STATUS, pa.string())])
    described = schema.with_metadata({"interval_minutes": str(profile.minutes)})
    parquet.write_table(pa.table([ends, *values, remarks], schema=described), path)


def _columns(pa: Any, profile: Profile) -> list[Any]:
    """A field for each channel; one that records the same again gets a name of its own."""
    fields: list[Any] = []
    for channel in profile.channels:
        name, taken = heading(channel), {field.name for field in fields}
        name = name if name not in taken else f"{name} ({len(fields) + 1})"
        described = {"unit": channel.unit, "source": str(channel.source)}
        fields.append(pa.field(name, pa.int64(), metadata=described))
    return fields


def _numbers(profile: Profile) -> range:
    return range(len(profile.channels))


def save_profile(profile: Profile, path: Path, channel: int) -> None:
    """Writes a file in the form that its suffix names. Raises UsageError, StoreError."""
    suffix = path.suffix.lower()
    if suffix in PICTURES:
        save_curve(curve_of(profile, channel), path, title=profile.channels[channel].name)
        return
    try:
        if suffix == PARQUET:
            write_parquet(profile, path)
            return
        with path.open("w", encoding="utf-8", newline="") as file:
            write_csv(profile, file)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def chart_of(profile: Profile, channel: int) -> TerminalCurve:
    """A renderable of one channel's mean power."""
    return TerminalCurve(curve_of(profile, channel), title=profile.channels[channel].name)


def curve_of(profile: Profile, channel: int) -> LoadCurve:
    """Mean power over each interval, from how much the register grew; gaps stay gaps."""
    if channel >= len(profile.channels):
        raise UsageError(f"this data set has {len(profile.channels)} channels")
    seconds = profile.minutes * 60
    grown = {_seconds(end): value for end, value in differences(profile, channel)}
    ends = np.arange(min(grown, default=0), max(grown, default=-1) + 1, seconds, dtype=np.int64)
    per_hour = HOUR / profile.minutes
    values = [grown.get(int(end)) for end in ends]
    watts = np.array([np.nan if v is None else v * per_hour for v in values], dtype=np.float64)
    return LoadCurve(ends, watts, seconds, np.ones(len(ends), dtype=np.int64))


def _seconds(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp())
