"""What a store answers with. Times are seconds since 1970-01-01 UTC."""

from __future__ import annotations

from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from osgp.concentrator.sink import Interval, ProfileChannels

R = TypeVar("R")


class Stored(NamedTuple, Generic[R]):
    """A record and the neuron id of the device it is from."""

    device: bytes
    record: R


class StoredInterval(NamedTuple):
    """An interval with what its channels measured then; None where BT62 was never stored."""

    device: bytes
    interval: Interval
    channels: ProfileChannels | None


class Series(NamedTuple):
    """One channel of one device's load profile as columns of equal length, forward in time."""

    device: bytes
    unit: str
    interval_seconds: int
    ends: NDArray[np.int64]
    values: NDArray[np.int64]
    status: NDArray[np.uint8]


class Coverage(msgspec.Struct, frozen=True):
    """How much of a period a device's load profile covers; `first` and `last` are interval ends."""

    device: bytes
    expected: int
    stored: int
    first: int | None
    last: int | None

    @property
    def missing(self) -> int:
        """Intervals that the period has and the store has not."""
        return max(0, self.expected - self.stored)


class LinkSummary(msgspec.Struct, frozen=True):
    """How talking to a device went over all samples; margins in dB, airtime in seconds."""

    device: bytes
    samples: int
    requests: int
    responses: int
    retries: int
    failures: int
    airtime: float
    mean_margin_db: float | None
    least_margin_db: float | None
    last_at: float


class Run(msgspec.Struct, frozen=True):
    """One run of a concentrator; `summary` is None while it runs, or where it was cut short."""

    number: int
    began_at: float
    finished_at: float | None
    meta: dict[str, Any]
    summary: dict[str, Any] | None
