"""Disturbances: windows join without a seam, and a few come in a week."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from osgp.meter.measuring import Happening, Household, Kind, MeasuringEngine, disturbances, spells
from osgp.meter.measuring.disturbances import EDGES, HABITS

from .measuring_samples import GRID, START, WAVE

WEEK = 7 * 86_400
YEAR = 52 * WEEK
moments = st.floats(START, START + WEEK)


@settings(deadline=None)
@given(st.integers(), st.lists(moments, max_size=6))
def test_windows_join_without_a_seam(seed: int, cuts: list[float]) -> None:
    edges = [START, *sorted(cuts), START + WEEK]
    parts = [list(disturbances(seed, a, b)) for a, b in pairwise(edges)]
    assert [one for part in parts for one in part] == list(disturbances(seed, START, START + WEEK))
    begun = [spells(seed, a, b) for a, b in pairwise(edges)]
    assert [one for part in begun for one in part] == spells(seed, START, START + WEEK)


def test_a_few_happen_each_week() -> None:
    year = spells(1, START, START + YEAR)
    counts = Counter(spell.kind for spell in year)
    for kind, habit in HABITS.items():
        expected = habit.per_week * 52
        assert abs(counts[kind] - expected) < 4 * expected**0.5
    assert 100 < len(year) < 200


def test_every_spell_begins_and_ends_in_order() -> None:
    events = list(disturbances(4, START, START + YEAR))
    assert [event.time for event in events] == sorted(event.time for event in events)
    year = spells(4, START, START + YEAR)
    assert {event.detail for event in events} == set(year)
    assert len(events) == 2 * len(year)
    for spell in year:
        kinds = [event.kind for event in events if event.detail == spell]
        assert tuple(kinds) == EDGES[spell.kind]
        assert spell.begin < spell.end


def test_nothing_else_happens_without_power() -> None:
    on = True
    for event in disturbances(2, START, START + 4 * YEAR):
        if event.kind is Happening.POWER_UP:
            assert not on
            on = True
            continue
        assert on, event
        on = event.kind is not Happening.POWER_DOWN


def test_levels_lie_outside_the_thresholds_of_et09() -> None:
    """ET09 (MEP guide): sag and surge thresholds are 10 % of the rated voltage by default."""
    for spell in spells(3, START, START + YEAR):
        if spell.kind is Kind.SAG:
            assert spell.level < 900
        if spell.kind is Kind.SWELL:
            assert spell.level > 1100


def test_only_connected_phases_are_hit() -> None:
    assert {spell.phase for spell in spells(3, START, START + YEAR)} == {0, 1, 2, 3}
    assert {spell.phase for spell in spells(3, START, START + YEAR, phases=1)} == {0, 1}


def test_a_year_of_them_can_be_undergone() -> None:
    engine = MeasuringEngine(Household(1, 1, load=WAVE), GRID, START)
    year = spells(6, START, START + YEAR)
    engine.undergo(year)
    engine.advance(START + YEAR)
    dark = [spell for spell in year if spell.kind is Kind.POWER_FAILURE]
    assert engine.registers.value(5) == len(dark) > 0
    lost = sum(spell.end - spell.begin for spell in dark)
    assert 0 <= lost - engine.registers.value(4) < len(dark)
