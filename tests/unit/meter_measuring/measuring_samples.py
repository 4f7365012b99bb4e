"""Loads and grids that the measuring tests share: plain formulas that need no demandlib."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from osgp.meter.measuring import GridConditions
from osgp.meter.measuring.units import Floats

START = 1_740_787_200  # 2025-03-01 00:00 UTC


class DailyWave:
    """0.05 to 0.20 W per kWh/year, highest in the evening."""

    def power(self, start_quarter: int, count: int) -> Floats:
        turn = 2.0 * math.pi * ((start_quarter + np.arange(count)) % 96) / 96
        wave: Floats = 0.125 - 0.075 * np.sin(turn)
        return wave


@dataclass
class Scripted:
    """Power by quarter-hour in order from `START`, [count, 3, 2] W and var, repeated for ever."""

    rows: list[list[list[float]]]
    connected: tuple[bool, bool, bool] = (True, True, True)

    def mean_power(self, start_quarter: int, count: int) -> Floats:
        index = (start_quarter - START // 900 + np.arange(count)) % len(self.rows)
        return np.array(self.rows, dtype=np.float64)[index]


WAVE = DailyWave()
GRID = GridConditions(5, load=WAVE)


def balanced(active: float, reactive: float) -> list[list[float]]:
    """One quarter-hour with the same W and var on every phase."""
    return [[active, reactive]] * 3
