"""The feeder as the meter's terminals see it: frequency and voltage at any time.

Three parts make the voltage: a slow drift of the transformer's busbar, the sag that the neighbours'
load causes along the common cable, and the sag (or, for a rooftop, rise) of the household's own
current in its whole supply. Magnitudes are those of EN 50160 networks (230 V, +-10 %).
"""

from __future__ import annotations

import math
from typing import Final

import msgspec
import numpy as np

from .load import LoadShape, standard_load
from .noise import Stream, drifting
from .units import PHASES, QUARTER, Floats

_NOMINAL_FREQUENCY: Final = 50_000  # mHz
_FAST, _SLOW, _VOLTAGE_DRIFT = 8.0, 240.0, 45.0  # s between the knots of the walks
_FAST_SWING, _SLOW_SWING = 8.0, 30.0  # mHz; the European grid stays within +-50 mHz nearly always
_VOLTAGE_SWING: Final = 0.004  # of nominal


class GridConditions(msgspec.Struct, frozen=True):
    """A feeder; meters with the same `seed` share its frequency and its busbar.

    `nominal` V; `neighbours` households of `neighbour_energy` kWh/year behind the common cable of
    `cable` ohm; `service` ohm from there to this meter; `reactance` as a part of the resistance.
    """

    seed: int
    load: LoadShape = msgspec.field(default_factory=standard_load)
    nominal: float = 230.0
    neighbours: int = 50
    neighbour_energy: float = 3500.0
    cable: float = 0.06
    service: float = 0.12
    reactance: float = 0.3

    def frequency(self, now: float) -> float:
        """mHz at `now` (unix s)."""
        fast = float(drifting(self.seed, Stream.FREQUENCY_FAST, now, _FAST, 1)[0])
        slow = float(drifting(self.seed, Stream.FREQUENCY_SLOW, now, _SLOW, 1)[0])
        return _NOMINAL_FREQUENCY + _FAST_SWING * fast + _SLOW_SWING * slow

    def voltages(self, now: float, active: Floats, reactive: Floats) -> Floats:
        """RMS V by phase at `now` (unix s) under the meter's own W and var, shape [3]."""
        drift = _VOLTAGE_SWING * drifting(self.seed, Stream.VOLTAGE, now, _VOLTAGE_DRIFT, PHASES)
        busbar = self.nominal * (1.0 + drift)
        own = (active + self.reactance * reactive) * (self.cable + self.service)
        sag = (own + self.cable * self._neighbourhood(now)) / self.nominal
        volts: Floats = np.maximum(busbar - sag, 0.0)
        return volts

    def _neighbourhood(self, now: float) -> float:
        """The neighbours' W per phase, without steps at the quarter-hours."""
        quarter, part = divmod(now / QUARTER, 1.0)
        here, following = self.load.power(math.floor(quarter), 2)
        shape = float(here * (1.0 - part) + following * part)
        return shape * self.neighbours * self.neighbour_energy / PHASES
