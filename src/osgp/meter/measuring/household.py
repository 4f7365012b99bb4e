"""One metered household: consumption, rooftop generation and their reactive power, by quarter-hour.

Everything is a function of (seed, meter, quarter-hour): nothing is remembered. Signs are those of
IEC 62053-23: active power is positive when consumed, reactive power when inductive; generation is
negative. Weather depends on the seed alone, so the roofs of one neighbourhood see the same clouds.
"""

from __future__ import annotations

import math
import random
from typing import Final

import msgspec
import numpy as np

from .load import LoadShape, standard_load
from .noise import Stream, gaussian, uniforms
from .units import PHASES, QUARTER, QUARTERS_PER_DAY, Floats

Triple = tuple[float, float, float]

_MEDIAN_ENERGY: Final = 3500.0  # kWh per year, a household of three in Germany
_ENERGY_SPREAD: Final = 0.45
_MAX_SHIFT: Final = 7200.0  # s
_ONE_PHASE_INVERTER: Final = 4600.0  # VA, the most VDE-AR-N 4105 allows on one phase
_LATITUDE: Final = math.radians(51.0)
_LONGITUDE: Final = 10.0  # degrees east
_TILT: Final = math.radians(23.44)
_YEAR_DAYS: Final = 365.2425
_PERFORMANCE: Final = 0.8  # what inverter, heat and dirt leave of the peak rating
_SOLSTICE: Final = 10.0  # days from the winter solstice to New Year


class Traits(msgspec.Struct, frozen=True):
    """What tells one household from another.

    `annual_energy` kWh; `shift` s by which its day is later than the standard one; `roughness` the
    standard deviation of the logarithm of its quarter-hour power and `smoothness` (0..1) the part
    of that which lasts an hour. By phase: `shares` of the consumption (0 = not connected), its
    `tan_phi`, and the `standby` var of filters. `rooftop` W peak and its `rooftop_shares` by
    phase; `inverter_tan_phi` is positive if it takes reactive power while feeding in.
    """

    annual_energy: float
    shift: float = 0.0
    roughness: float = 0.5
    smoothness: float = 0.5
    shares: Triple = (1 / 3, 1 / 3, 1 / 3)
    tan_phi: Triple = (0.2, 0.2, 0.2)
    standby: Triple = (-20.0, -20.0, -20.0)
    rooftop: float = 0.0
    rooftop_shares: Triple = (1 / 3, 1 / 3, 1 / 3)
    inverter_tan_phi: float = 0.0


def draw_traits(
    seed: int, meter: int, *, three_phase: float = 0.85, rooftops: float = 0.15
) -> Traits:
    """Traits of a meter; `three_phase` and `rooftops`: the shares (0..1) of meters with either."""
    rng = random.Random(f"{seed}/{meter}")
    phases = PHASES if rng.random() < three_phase else 1
    roof = rng.uniform(2000.0, 10_000.0) if rng.random() < rooftops else 0.0
    if phases == 1:
        roof = min(roof, _ONE_PHASE_INVERTER)
    return Traits(
        annual_energy=_MEDIAN_ENERGY * rng.lognormvariate(0.0, _ENERGY_SPREAD),
        shift=rng.uniform(-_MAX_SHIFT, _MAX_SHIFT),
        roughness=rng.uniform(0.3, 0.8),
        smoothness=rng.uniform(0.2, 0.8),
        shares=_shares(rng, phases),
        tan_phi=_masked([rng.uniform(-0.05, 0.4) for _ in range(PHASES)], phases),
        standby=_masked([rng.uniform(-60.0, 0.0) for _ in range(PHASES)], phases),
        rooftop=roof,
        rooftop_shares=_rooftop_shares(rng, phases, roof),
        inverter_tan_phi=rng.uniform(-0.2, 0.3),
    )


class Household:
    """The load behind one meter; by default with drawn traits and the standard load."""

    def __init__(
        self,
        seed: int,
        meter: int = 0,
        *,
        traits: Traits | None = None,
        load: LoadShape | None = None,
    ) -> None:
        self.seed, self.meter = seed, meter
        self.traits = traits if traits is not None else draw_traits(seed, meter)
        self._load = load if load is not None else standard_load()

    @property
    def connected(self) -> tuple[bool, bool, bool]:
        """Which of L1, L2, L3 the household is wired to."""
        l1, l2, l3 = self.traits.shares
        return (l1 > 0, l2 > 0, l3 > 0)

    def mean_power(self, start_quarter: int, count: int) -> Floats:
        """Mean power of quarter-hours, shape [count, 3 phases, 2], signed W and var."""
        traits = self.traits
        noise = uniforms(self.seed, self.meter, Stream.LOAD_QUARTER, start_quarter, count, 8)
        active = self._consumption(start_quarter, noise)[:, None] * self._split(noise[:, 2:5])
        wobble = 0.5 + noise[:, 5:8]  # motors come and go: the angle is not constant
        reactive = active * np.array(traits.tan_phi) * wobble + np.array(traits.standby)
        if traits.rooftop:
            fed_in = self._generation(start_quarter, count)[:, None] * traits.rooftop_shares
            active = active - fed_in
            reactive = reactive + fed_in * traits.inverter_tan_phi
        return np.stack((active, reactive), axis=-1)

    def _consumption(self, start: int, noise: Floats) -> Floats:
        """Household total in W, shape [count]."""
        traits, count = self.traits, len(noise)
        first = start // 4
        hours = (start + count - 1) // 4 - first + 1
        hourly = gaussian(uniforms(self.seed, self.meter, Stream.LOAD_HOUR, first, hours, 2))
        lasting = hourly[(start + np.arange(count)) // 4 - first]
        mix = math.sqrt(traits.smoothness) * lasting
        mix = mix + math.sqrt(1.0 - traits.smoothness) * gaussian(noise[:, 0:2])
        # minus half the variance keeps the expectation, hence the annual energy
        factor = np.exp(traits.roughness * mix - traits.roughness**2 / 2.0)
        power: Floats = self._shifted(start, count) * factor * traits.annual_energy
        return power

    def _shifted(self, start: int, count: int) -> Floats:
        """The load shape later by `shift`; exact, the shape being constant by quarter-hour."""
        whole, part = divmod(-self.traits.shift / QUARTER, 1.0)
        shape = self._load.power(start + int(whole), count + 1)
        mean: Floats = shape[:-1] * (1.0 - part) + shape[1:] * part
        return mean

    def _split(self, noise: Floats) -> Floats:
        """Shares of the phases in each quarter-hour, shape [count, 3], each row summing to 1."""
        weights = np.array(self.traits.shares) * (0.4 + 1.2 * noise)
        split: Floats = weights / weights.sum(axis=1, keepdims=True)
        return split

    def _generation(self, start: int, count: int) -> Floats:
        """Rooftop output in W, shape [count], never negative."""
        share: Floats = clear_sky(start, count) * _clouds(self.seed, start, count)
        return share * (self.traits.rooftop * _PERFORMANCE)


def clear_sky(start_quarter: int, count: int) -> Floats:
    """Sine of the sun's elevation over central Germany, 0 at night, shape [count]."""
    days = (start_quarter + np.arange(count) + 0.5) / QUARTERS_PER_DAY
    declination = -_TILT * np.cos(2.0 * np.pi * (days % _YEAR_DAYS + _SOLSTICE) / _YEAR_DAYS)
    hour_angle = 2.0 * np.pi * (days % 1.0 - 0.5 + _LONGITUDE / 360.0)
    sine = math.sin(_LATITUDE) * np.sin(declination)
    sine = sine + math.cos(_LATITUDE) * np.cos(declination) * np.cos(hour_angle)
    return np.maximum(sine, 0.0)


def _clouds(seed: int, start: int, count: int) -> Floats:
    """What the clouds let through (0..1), shape [count]: a sky by day, gaps by quarter-hour."""
    quarters = start + np.arange(count)
    first = start // QUARTERS_PER_DAY
    days = (start + count - 1) // QUARTERS_PER_DAY - first + 1
    overcast = uniforms(seed, 0, Stream.CLOUD_DAY, first, days, 1)[:, 0]
    passing = uniforms(seed, 0, Stream.CLOUD_QUARTER, start, count, 1)[:, 0]
    sky = overcast[quarters // QUARTERS_PER_DAY - first]
    return 1.0 - sky * (0.3 + 0.6 * passing)


def _shares(rng: random.Random, phases: int) -> Triple:
    weights = _masked([rng.gammavariate(4.0, 1.0) for _ in range(PHASES)], phases)
    total = sum(weights)
    return (weights[0] / total, weights[1] / total, weights[2] / total)


def _rooftop_shares(rng: random.Random, phases: int, rooftop: float) -> Triple:
    place = rng.randrange(phases)
    if rooftop > _ONE_PHASE_INVERTER:
        return (1 / 3, 1 / 3, 1 / 3)
    return (float(place == 0), float(place == 1), float(place == 2))


def _masked(values: list[float], phases: int) -> Triple:
    """The values of the connected phases, L1 first; 0 elsewhere."""
    l1, l2, l3 = (value if phase < phases else 0.0 for phase, value in enumerate(values))
    return (l1, l2, l3)
