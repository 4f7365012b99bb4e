"""Power-quality disturbances: what happens to the supply, and when it shows.

Every day of a feeder is drawn on its own, so any window can be asked for without history. A day has
at most one spell of each kind, spells end with their day, and nothing else happens while the power
is off. Rates are chosen for a lively log, a few a week; most real feeders are quieter.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from enum import Enum
from typing import Final

import msgspec

from .units import MS, PHASES

_DAY: Final = 86_400


class Kind(Enum):
    """What a spell is."""

    SAG = "sag"
    SWELL = "swell"
    PHASE_LOSS = "phase loss"
    POWER_FAILURE = "power failure"


class Happening(Enum):
    """What the meter notices, in the order of a spell: its begin, its end."""

    VOLTAGE_SAG = "voltage sag"
    VOLTAGE_SAG_END = "voltage sag end"
    VOLTAGE_SWELL = "voltage swell"
    VOLTAGE_SWELL_END = "voltage swell end"
    PHASE_LOST = "phase lost"
    PHASE_RESTORED = "phase restored"
    POWER_DOWN = "power down"
    POWER_UP = "power up"


EDGES: Final = {
    Kind.SAG: (Happening.VOLTAGE_SAG, Happening.VOLTAGE_SAG_END),
    Kind.SWELL: (Happening.VOLTAGE_SWELL, Happening.VOLTAGE_SWELL_END),
    Kind.PHASE_LOSS: (Happening.PHASE_LOST, Happening.PHASE_RESTORED),
    Kind.POWER_FAILURE: (Happening.POWER_DOWN, Happening.POWER_UP),
}


class Habit(msgspec.Struct, frozen=True):
    """How often a kind comes (per week), its mean length in s, and its levels (lowest, highest)."""

    per_week: float
    mean: float
    levels: tuple[int, int]


HABITS: Final = {
    Kind.POWER_FAILURE: Habit(0.15, 900.0, (0, 0)),
    Kind.PHASE_LOSS: Habit(0.1, 1200.0, (0, 0)),
    Kind.SAG: Habit(2.0, 120.0, (700, 890)),
    Kind.SWELL: Habit(0.7, 60.0, (1110, 1180)),
}
"""Levels are 1/1000 of nominal voltage; sag and swell lie outside the +-10 % of ET09's defaults."""


class Spell(msgspec.Struct, frozen=True):
    """A disturbance from `begin` to `end` (unix s, to the millisecond) on one phase, 0 = all.

    `level` is what remains of the voltage, in 1/1000.
    """

    kind: Kind
    phase: int
    begin: float
    end: float
    level: int = 0


class Disturbance(msgspec.Struct, frozen=True):
    """One edge of a spell, as (time in unix s, kind, detail)."""

    time: float
    kind: Happening
    detail: Spell


def spells(seed: int, begin: float, end: float, *, phases: int = PHASES) -> list[Spell]:
    """The spells that begin in [`begin`, `end`) (unix s) on L1 to L`phases`, in order."""
    found: list[Spell] = []
    for day in range(math.floor(begin / _DAY), math.ceil(end / _DAY)):
        found += _of_day(seed, day, phases)
    return [spell for spell in found if begin <= spell.begin < end]


def disturbances(
    seed: int, begin: float, end: float, *, phases: int = PHASES
) -> Iterator[Disturbance]:
    """What a meter notices in [`begin`, `end`) (unix s), in order; windows join without a seam."""
    for day in range(math.floor(begin / _DAY), math.ceil(end / _DAY)):
        for edge in _edges(_of_day(seed, day, phases)):
            if begin <= edge.time < end:
                yield edge


def _edges(of_day: list[Spell]) -> list[Disturbance]:
    edges = []
    for spell in of_day:
        first, last = EDGES[spell.kind]
        edges += [Disturbance(spell.begin, first, spell), Disturbance(spell.end, last, spell)]
    return sorted(edges, key=lambda edge: edge.time)


def _of_day(seed: int, day: int, phases: int) -> list[Spell]:
    rng = random.Random(f"disturbance/{seed}/{day}")
    drawn = [_draw(rng, kind, day, phases) for kind in HABITS]
    found = [spell for spell in drawn if spell is not None]
    dark = [spell for spell in found if spell.kind is Kind.POWER_FAILURE]
    calm = [spell for spell in found if spell in dark or not any(map(_clash, dark, [spell]))]
    return sorted(calm, key=lambda spell: spell.begin)


def _draw(rng: random.Random, kind: Kind, day: int, phases: int) -> Spell | None:
    """The day's spell of `kind`; takes as much randomness whether there is one or not."""
    habit = HABITS[kind]
    happens = rng.random() < habit.per_week / 7.0
    begin = rng.randrange(_DAY * MS - MS)
    length = MS + round(rng.expovariate(1.0 / habit.mean) * MS)
    phase, level = rng.randint(1, phases), rng.randint(*habit.levels)
    if not happens:
        return None
    end = min(begin + length, _DAY * MS - 1)
    whole = 0 if kind is Kind.POWER_FAILURE else phase
    start = day * _DAY
    return Spell(kind, whole, start + begin / MS, start + end / MS, level)


def _clash(one: Spell, other: Spell) -> bool:
    return one.begin <= other.end and other.begin <= one.end
