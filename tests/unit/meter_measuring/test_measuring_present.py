"""Present values against hand-made phasors, and the grid they are measured on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osgp.errors import LocalProtocolError, UsageError
from osgp.meter.measuring import (
    PRESENT_SOURCES,
    GridConditions,
    Kind,
    MeasuringEngine,
    PresentValues,
    Spell,
    present_value,
)
from osgp.meter.measuring.present import measure

from .measuring_samples import GRID, START, WAVE, Scripted, balanced

STIFF = GridConditions(5, load=WAVE, neighbours=0, cable=0.0, service=0.0)


def at(power: list[list[float]], volts: tuple[float, float, float]) -> PresentValues:
    milli = np.rint(np.array(power) * 1000).astype(np.int64)
    return measure(milli, np.array(volts), 50_012.3)


def shown(present: PresentValues, *sources: int) -> list[int]:
    return [present_value(present, source) for source in sources]


def test_three_equal_phases() -> None:
    present = at(balanced(1840.0, 1380.0), (230.0, 230.0, 230.0))
    assert shown(present, 8, 9, 10, 11, 20, 19) == [5520, 0, 4140, 0, 6900, 50_012]
    assert shown(present, 12, 13, 14, 15, 16, 17) == [10_000] * 3 + [230_000] * 3
    assert shown(present, 18, 21, 22, 23, 24, 25) == [800] * 3 + [600] * 3
    assert shown(present, 232, 104, 105, 216, 217) == [0, 4140, 0, 6900, 0]


def test_phases_in_different_quadrants() -> None:
    present = at([[300.0, 400.0], [-300.0, 400.0], [300.0, -400.0]], (100.0, 200.0, 250.0))
    assert shown(present, 8, 9, 10, 11) == [300, 0, 400, 0]
    assert shown(present, 12, 13, 14) == [5000, 2500, 2000]
    assert shown(present, 18, 21, 22) == [600, -600, 600]
    assert shown(present, 23, 24, 25) == [800, 800, -800]
    assert shown(present, 185, 186, 187, 188, 189, 190) == [300, 0, 300, 0, 300, 0]
    assert shown(present, 239, 240, 241, 242, 243, 244) == [400, 400, 0, 0, 0, 400]
    assert shown(present, *range(220, 232)) == [500, 0, 0, 0, 0, 500, 0, 0, 0, 0, 0, 500]


def test_one_loaded_phase_returns_through_the_neutral() -> None:
    present = at([[2300.0, 0.0], [0.0, 0.0], [0.0, 0.0]], (230.0, 230.0, 230.0))
    assert shown(present, 12, 13, 14, 232) == [10_000, 0, 0, 10_000]
    assert shown(present, 18, 21, 23, 24) == [1000, 1000, 0, 0]


def test_dead_phase_measures_nothing() -> None:
    present = at(balanced(1000.0, 0.0), (230.0, 0.0, 230.0))
    assert shown(present, 8, 13, 16, 186, 19) == [2000, 0, 0, 0, 50_012]
    dark = at(balanced(1000.0, 0.0), (0.0, 0.0, 0.0))
    assert shown(dark, 8, 12, 15, 19, 20) == [0] * 5


def test_bt28_is_complete_for_firmware_3_50() -> None:
    """MEP guide, BT28 numbers 0 to 40 and 55 to 71: the sources that those names have in BT22."""
    numbered = [8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25]
    numbered += [81, 82, 83, 84, 104, 105, 106, 107, *range(185, 200), *range(216, 233)]
    assert set(numbered) <= set(PRESENT_SOURCES)
    present = at(balanced(100.0, -20.0), (230.0, 231.0, 229.0))
    values = {source: present_value(present, source) for source in PRESENT_SOURCES}
    signed = {*range(18, 19), 21, 22, 23, 24, 25}
    assert all(value >= 0 for source, value in values.items() if source not in signed)
    assert all(type(value) is int for value in values.values())


def test_unknown_source_is_refused() -> None:
    with pytest.raises(UsageError, match="source 0 is no present value"):
        present_value(at(balanced(0.0, 0.0), (230.0,) * 3), 0)


def test_engine_shows_the_power_it_integrates() -> None:
    engine = MeasuringEngine(
        Scripted([balanced(500.0, 100.0), balanced(-700.0, 0.0)]), STIFF, START
    )
    assert shown(engine.present(START + 899.9), 8, 9, 10) == [1500, 0, 300]
    assert shown(engine.present(START + 900), 8, 9, 10) == [0, 2100, 0]
    assert engine.present(START).voltage == pytest.approx((230_000,) * 3, rel=0.004)
    engine.advance(START + 900)
    with pytest.raises(LocalProtocolError, match="already measured"):
        engine.present(START + 899)


def test_unconnected_phases_show_nothing() -> None:
    row = [[800.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    engine = MeasuringEngine(Scripted([row], (True, False, False)), GRID, START)
    present = engine.present(START + 5)
    assert present.voltage[1:] == (0, 0)
    assert present.voltage[0] > 200_000


def test_disturbances_show_while_they_last() -> None:
    engine = MeasuringEngine(Scripted([balanced(230.0, 0.0)]), STIFF, START)
    engine.undergo([Spell(Kind.SAG, 2, START + 10, START + 20, 800)])
    engine.undergo([Spell(Kind.SWELL, 1, START + 10, START + 20, 1150)])
    engine.undergo([Spell(Kind.PHASE_LOSS, 3, START + 12, START + 15)])
    engine.power_failure(START + 17, START + 18)
    assert engine.present(START + 9.999).voltage == pytest.approx((230_000,) * 3, rel=0.005)
    present = engine.present(START + 13)
    assert present.voltage == pytest.approx((264_500, 184_000, 0), rel=0.005)
    assert shown(present, 8, 187) == [460, 0]
    assert engine.present(START + 17.5).voltage == (0, 0, 0)
    assert engine.present(START + 20).voltage == pytest.approx((230_000,) * 3, rel=0.005)


def test_voltage_falls_with_the_own_load_and_rises_with_feeding_in() -> None:
    idle, flat = GRID.voltages(START, np.zeros(3), np.zeros(3)), np.zeros(3)
    loaded = GRID.voltages(START, np.full(3, 2300.0), flat)
    feeding = GRID.voltages(START, np.full(3, -2300.0), flat)
    np.testing.assert_allclose(idle - loaded, 10 * (GRID.cable + GRID.service))
    np.testing.assert_allclose(feeding - idle, 10 * (GRID.cable + GRID.service))


def test_voltage_is_lowest_when_the_neighbours_use_most() -> None:
    hours = [START + 900 * quarter for quarter in range(96)]
    volts = [GRID.voltages(now, np.zeros(3), np.zeros(3)).mean() for now in hours]
    busy, calm = np.argsort(WAVE.power(START // 900, 96))[[-1, 0]]
    assert volts[busy] < volts[calm] - 1.0


@settings(deadline=None, max_examples=50)
@given(st.floats(0, 4e9))
def test_grid_stays_within_its_bounds_and_moves_without_steps(now: float) -> None:
    assert abs(GRID.frequency(now) - 50_000) < 50
    assert abs(GRID.frequency(now) - GRID.frequency(now + 0.01)) < 1
    one, next_ = (GRID.voltages(t, np.zeros(3), np.zeros(3)) for t in (now, now + 0.01))
    assert (one > 207).all()
    assert (one < 253).all()
    assert np.abs(one - next_).max() < 0.05


def test_meters_of_a_feeder_share_frequency() -> None:
    near, far = GRID, GridConditions(5, load=WAVE, service=0.5)
    assert near.frequency(START) == far.frequency(START)
    assert near.frequency(START) != GridConditions(6, load=WAVE).frequency(START)
    many = [near.frequency(START + 60 * i) for i in range(300)]
    assert 5 < np.std(many) < 30
