"""Noise on the line: a floor that follows the day, appliances, impulses.

Nothing here has a state that grows with time: every value is a hash of (seed, site, which period
of that site), so noise at a given moment is the same whoever asks, in whatever order, and a day
without traffic costs nothing.

* The floor is interpolated between 24 hourly levels, the same at all sites.
* At each site an appliance is on or off for `dwell` seconds at a time (periods shifted per site);
  the chance that it is on follows the hourly activity; it raises the site's noise by its own
  figure, drawn once per period.
* Appliances that the settings name stand at one site: while one is on, its noise reaches every
  station, the weaker the more cable lies between (near and far).
* Impulses, at most one per second, are short and loud. They strike the whole feeder, or, a share
  of them, arise at one site, drawn each time, and reach the others over the cable.

Levels are in dBuV at the station's input.  The model is the project's own (Source.PROJECT).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, NamedTuple, Protocol

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from osgp.channel.feeder import Carrier, Loss
from osgp.errors import UsageError

DAY = 86_400.0
_MASK: Final = (1 << 64) - 1
_REFRESH = 10.0
_HOURS = np.arange(25.0)

Level = Annotated[float, Meta(ge=-100.0, le=200.0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Hour = Annotated[float, Meta(ge=0.0, le=24.0)]
Levels = NDArray[np.float64]

HOURLY_FLOOR = (
    *(50.0, 49.0, 48.0, 48.0, 48.0, 49.0, 52.0, 54.0, 54.0, 53.0, 53.0, 54.0),
    *(55.0, 54.0, 53.0, 53.0, 54.0, 57.0, 59.0, 60.0, 60.0, 58.0, 55.0, 52.0),
)
HOURLY_ACTIVITY = (
    *(0.25, 0.15, 0.1, 0.1, 0.1, 0.2, 0.5, 0.7, 0.6, 0.5, 0.5, 0.6),
    *(0.7, 0.6, 0.5, 0.5, 0.6, 0.8, 1.0, 1.0, 1.0, 0.9, 0.7, 0.4),
)


class Appliance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A source of noise at the site `at`, of `level` dBuV there.

    From hour to hour of the day it works in turns, `on` seconds of each `cycle`.
    """

    at: str
    level: Level
    from_hour: Hour = 0.0
    to_hour: Hour = 24.0
    on: Annotated[float, Meta(gt=0.0, le=DAY)] = 600.0
    cycle: Annotated[float, Meta(gt=0.0, le=DAY)] = 600.0

    def is_on(self, second: float) -> bool:
        """At a second of the day; hours may go past midnight."""
        hour = second / 3600.0
        begin, end = self.from_hour, self.to_hour
        within = begin <= hour < end if begin <= end else hour >= begin or hour < end
        return within and second % self.cycle < self.on


class Impulse(NamedTuple):
    """`level` dBuV, everywhere or (`origin`) at one site only."""

    level: float
    origin: int | None = None


class NoiseSource(Protocol):
    """What the medium asks."""

    def levels(self, now: float) -> Levels:
        """dBuV at `now` (s), shape (2 carriers, sites)."""

    def impulses(self, start: float, end: float) -> Sequence[Impulse]:
        """What strikes between `start` and `end`."""


class NoiseSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Levels in dBuV, raises in dB, lengths in s; the tuples hold one value per hour of the day.

    `hour_at_start` is the hour of the day at simulated time 0.
    """

    floor: Annotated[tuple[Level, ...], Meta(min_length=24, max_length=24)] = HOURLY_FLOOR
    secondary_offset: Level = 2.0
    activity: Annotated[tuple[Share, ...], Meta(min_length=24, max_length=24)] = HOURLY_ACTIVITY
    appliance_share: Share = 0.3
    appliance_raise: Annotated[float, Meta(ge=0.0, le=100.0)] = 8.0
    appliance_dwell: Annotated[float, Meta(ge=1.0, le=DAY)] = 1200.0
    impulses_per_hour: Annotated[float, Meta(ge=0.0, le=3600.0)] = 20.0
    impulse_level: Level = 95.0
    impulse_spread: Annotated[float, Meta(ge=0.0, le=100.0)] = 30.0
    impulse_length: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.05
    impulse_local: Share = 0.0
    appliance: tuple[Appliance, ...] = ()
    hour_at_start: Annotated[float, Meta(ge=0.0, lt=24.0)] = 0.0


QUIET = NoiseSettings(
    floor=(50.0,) * 24, secondary_offset=0.0, appliance_share=0.0, impulses_per_hour=0.0
)
"""A constant 50 dBuV at every site: for tests and for measuring what the line alone does."""


class Noise:
    """The noise of one feeder. `site_noise` (dB, one per site) is added for good.

    `appliances`: those of the settings, each with the levels (dBuV) at which it is heard while it
    is on, of shape (2 carriers, sites).
    """

    __slots__ = (
        "_cached",
        "_cached_tick",
        "_placed",
        "_seed",
        "_settings",
        "_shift",
        "_site_noise",
        "_sites",
    )

    def __init__(
        self,
        settings: NoiseSettings,
        site_noise: Levels,
        seed: int,
        appliances: Sequence[tuple[Appliance, Levels]] = (),
    ) -> None:
        self._placed = appliances
        self._settings = settings
        self._site_noise = np.asarray(site_noise, dtype=np.float64)
        self._seed = seed & _MASK
        self._sites = np.arange(len(self._site_noise), dtype=np.uint64)
        self._shift = self._uniform(0, np.zeros_like(self._sites)) * settings.appliance_dwell
        self._cached = np.zeros((len(Carrier), len(self._sites)))
        self._cached_tick: float | None = None

    def levels(self, now: float) -> Levels:
        """As NoiseSource; renewed every ten seconds."""
        tick = now // _REFRESH
        if tick != self._cached_tick:
            self._cached_tick = tick
            self._cached = self._levels_at(tick * _REFRESH)
        return self._cached

    def impulses(self, start: float, end: float) -> list[Impulse]:
        if not self._settings.impulses_per_hour:
            return []
        seconds = range(int(start // 1.0), int(end // 1.0) + 1)
        struck = (self._impulse_in(second, start, end) for second in seconds)
        return [impulse for impulse in struck if impulse is not None]

    def _impulse_in(self, second: int, start: float, end: float) -> Impulse | None:
        settings = self._settings
        happens = _mix(self._seed ^ _mix(second & _MASK))
        if happens >= settings.impulses_per_hour / 3600.0 * 2.0**64:
            return None
        detail = _mix(happens)
        begin = second + (detail >> 32) / 2.0**32 * (1.0 - settings.impulse_length)
        if begin > end or begin + settings.impulse_length < start:
            return None
        level = settings.impulse_level - (detail & 0xFFFFFFFF) / 2.0**32 * settings.impulse_spread
        place = _mix(detail)
        local = (place >> 32) / 2.0**32 < settings.impulse_local
        return Impulse(level, place % len(self._sites) if local else None)

    def _levels_at(self, now: float) -> Levels:
        floor = self._hourly(self._settings.floor, np.asarray(now))
        base = self._site_noise + self._appliances(now) + floor
        levels = np.stack((base, base + self._settings.secondary_offset))
        heard = [heard for appliance, heard in self._placed if appliance.is_on(self._second(now))]
        return _added([levels, *heard]) if heard else levels

    def _second(self, now: float) -> float:
        """Of the day."""
        return (now + self._settings.hour_at_start * 3600.0) % DAY

    def _appliances(self, now: float) -> Levels:
        """dB by which appliances raise each site's noise at `now`."""
        settings = self._settings
        period = np.floor((now + self._shift) / settings.appliance_dwell)
        begun = period * settings.appliance_dwell - self._shift
        index = period.astype(np.int64).astype(np.uint64)
        share = settings.appliance_share * self._hourly(settings.activity, begun)
        on = self._uniform(1, index) < share
        return np.where(on, self._uniform(2, index) * settings.appliance_raise, 0.0)

    def _hourly(self, values: tuple[float, ...], time: Levels) -> Levels:
        """Linear interpolation between hourly values, which repeat every day."""
        hour = (time / 3600.0 + self._settings.hour_at_start) % 24.0
        return np.asarray(np.interp(hour, _HOURS, (*values, values[0])))

    def _uniform(self, stream: int, period: NDArray[np.uint64]) -> Levels:
        """One number in [0, 1) per site, a function of seed, `stream`, site and its `period`."""
        key = np.uint64(_mix(self._seed ^ _mix(stream)))
        mixed = _mix_all(_mix_all(self._sites ^ key) ^ period)
        return np.asarray((mixed >> np.uint64(11)) / 2.0**53, dtype=np.float64)


def placed(
    settings: NoiseSettings, sites: Sequence[str], loss: Loss
) -> list[tuple[Appliance, Levels]]:
    """The appliances of `settings` for `Noise`. Raises UsageError for a site that is not there."""
    found = []
    for appliance in settings.appliance:
        if appliance.at not in sites:
            raise UsageError(f"an appliance stands at {appliance.at}, where the feeder has no site")
        heard = appliance.level - loss[:, sites.index(appliance.at), :].astype(np.float64)
        found.append((appliance, heard))
    return found


def _added(levels: Sequence[Levels]) -> Levels:
    """The sum of powers."""
    return np.asarray(10.0 * np.log10(sum(10.0 ** (level / 10.0) for level in levels)))


def _mix(value: int) -> int:
    """The finaliser of SplitMix64 (Steele, Lea, Flood: OOPSLA 2014)."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def _mix_all(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """`_mix` of every element."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
