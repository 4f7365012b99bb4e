"""Comma-separated files: UTF-8, one header line, times in UTC as ISO 8601 with Z.

A row is a plain sequence in the order of its sheet's columns: neuron ids as bytes, times as seconds
since 1970-01-01 UTC; None is an empty cell. Format: project.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from osgp.errors import StoreError

Rows = Iterable[Sequence[Any]]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def iso_utc(seconds: float) -> str:
    """`2024-01-31T23:45:00Z`; with milliseconds where `seconds` is a float."""
    precision = "seconds" if isinstance(seconds, int) else "milliseconds"
    moment = _EPOCH + timedelta(seconds=seconds)
    return moment.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One file: its name without suffix, and for each column how a value is written."""

    name: str
    columns: Mapping[str, Callable[[Any], object]]

    def cells(self, row: Sequence[Any]) -> list[object]:
        """`row` as it is written. Raises ValueError where it has not one value per column."""
        writers = self.columns.values()
        return [
            "" if value is None else write(value) for write, value in zip(writers, row, strict=True)
        ]


REGISTERS: Final = Sheet(
    "registers",
    {
        "device": bytes.hex,
        "table": int,
        "path": str,
        "source": int,
        "value": int,
        "unit": str,
        "read_at": iso_utc,
    },
)
INTERVALS: Final = Sheet(
    "intervals",
    {
        "device": bytes.hex,
        "data_set": int,
        "end": iso_utc,
        "source": int,
        "unit": str,
        "value": int,
        "status": int,
        "channel": int,
        "common_status": int,
    },
)
"""One row per channel of an interval; `channel` counts from 0, for those of unknown source."""

EVENTS: Final = Sheet(
    "events",
    {
        "device": bytes.hex,
        "sequence": int,
        "at": iso_utc,
        "number": int,
        "name": str,
        "argument": int,
        "user": int,
    },
)


def write_sheets(directory: Path, sheets: Iterable[tuple[Sheet, Rows]]) -> dict[str, int]:
    """Writes each sheet to a file in `directory`, made if needed; rows written, by sheet name.

    All files appear (or are replaced) at the end; where anything fails none does. Raises StoreError
    for a place that cannot be written, and lets through what the rows raise.
    """
    done: dict[Path, Path] = {}
    counts: dict[str, int] = {}
    with _writing_to(directory):
        try:
            directory.mkdir(parents=True, exist_ok=True)
            for sheet, rows in sheets:
                final = directory / f"{sheet.name}.csv"
                part = done[final] = directory / f".{final.name}.{os.getpid()}.part"
                counts[sheet.name] = _write(part, sheet, rows)
            for final, part in done.items():
                part.replace(final)
        finally:
            for part in done.values():
                part.unlink(missing_ok=True)
    return counts


def _write(path: Path, sheet: Sheet, rows: Rows) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(sheet.columns)
        for row in rows:
            writer.writerow(sheet.cells(row))
            count += 1
        file.flush()
        os.fsync(file.fileno())
    return count


@contextmanager
def _writing_to(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{place} cannot be written: {error.strerror or error}") from error
