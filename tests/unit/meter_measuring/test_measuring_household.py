"""Households: reproducible, history-free, and plausible as a neighbourhood."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osgp.meter.measuring import Household, Traits, draw_traits
from osgp.meter.measuring.household import clear_sky
from osgp.meter.measuring.noise import Stream, gaussian, uniforms

from .measuring_samples import START, WAVE

QUARTER = START // 900
YEAR = 365 * 96
METERS = [draw_traits(3, meter) for meter in range(600)]


def household(traits: Traits, seed: int = 1, meter: int = 1) -> Household:
    return Household(seed, meter, traits=traits, load=WAVE)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**63), st.integers(0, 10**6), st.integers(1, 200), st.data())
def test_any_window_shows_the_same_power(
    seed: int, meter: int, count: int, data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, count - 1))
    length = data.draw(st.integers(1, count - first))
    whole = Household(seed, meter, load=WAVE).mean_power(QUARTER, count)
    part = Household(seed, meter, load=WAVE).mean_power(QUARTER + first, length)
    np.testing.assert_allclose(part, whole[first : first + length], rtol=1e-12)
    assert whole.shape == (count, 3, 2)
    assert np.isfinite(whole).all()


def test_meters_differ() -> None:
    powers = {Household(1, meter, load=WAVE).mean_power(QUARTER, 1).sum() for meter in range(50)}
    assert len(powers) == 50
    assert draw_traits(1, 2) != draw_traits(2, 1)


def test_annual_energy_is_kept() -> None:
    """Noise has the mean 1; the wave's own year is 0.125 W * 8,760 h = 1.095 kWh per kWh."""
    traits = Traits(annual_energy=4000.0, shift=3000.0, roughness=0.6, smoothness=0.5)
    power = household(traits).mean_power(QUARTER, YEAR)
    assert power[:, :, 0].sum() * 0.25 / 1000 == pytest.approx(4000 * 1.095, rel=0.03)


def test_shift_moves_the_day() -> None:
    """Half a quarter-hour and two whole ones: exact means of a curve constant by quarter-hour."""
    traits = Traits(annual_energy=1000.0, shift=2.5 * 900, roughness=0.0)
    total = household(traits).mean_power(QUARTER, 96)[:, :, 0].sum(axis=1)
    curve = WAVE.power(QUARTER - 3, 97)
    np.testing.assert_allclose(total, 1000 * (curve[:-1] + curve[1:]) / 2)


def test_single_phase_household_uses_l1_only() -> None:
    alone = [traits for traits in METERS if traits.shares[1] == 0]
    assert 0.10 < len(alone) / len(METERS) < 0.20
    for traits in alone[:20]:
        power = household(traits).mean_power(QUARTER, 96)
        assert not power[:, 1:].any()
        assert power[:, 0, 0].any()
        assert household(traits).connected == (True, False, False)


def test_consumption_is_log_normal_around_3500() -> None:
    energies = np.array([traits.annual_energy for traits in METERS])
    assert np.median(energies) == pytest.approx(3500, rel=0.08)
    assert np.log(energies).std() == pytest.approx(0.45, rel=0.1)
    assert all(abs(traits.shift) <= 7200 for traits in METERS)
    assert all(sum(traits.shares) == pytest.approx(1) for traits in METERS)


def test_rooftops_feed_in_at_noon_and_never_at_night() -> None:
    roofs = [traits for traits in METERS if traits.rooftop]
    assert 0.10 < len(roofs) / len(METERS) < 0.20
    summer = QUARTER + 112 * 96
    quiet = msgspec.structs.replace(roofs[0], annual_energy=0.0, standby=(0.0, 0.0, 0.0))
    day = household(quiet).mean_power(summer, 96)[:, :, 0].sum(axis=1)
    assert day[44:52].max() < -0.05 * quiet.rooftop
    assert not day[:8].any()
    assert not day[88:].any()


def test_rooftop_yield_is_that_of_germany() -> None:
    """Long-run yields lie between 800 and 1,200 kWh per kW peak."""
    traits = Traits(annual_energy=0.0, rooftop=1000.0)
    year = household(traits).mean_power(QUARTER, YEAR)[:, :, 0].sum() * -0.25 / 1000
    assert 800 < year < 1200


def test_sun_at_noon_stands_as_high_as_the_almanac_says() -> None:
    """Elevation 51 degrees north: 90 - 51 +- 23.44 at the solstices, noon at 11:20 UTC, 10 east."""
    for day, elevation in ((20_260, 62.44), (20_443, 15.56)):  # 2025-06-21, 2025-12-21
        sky = clear_sky(day * 96, 96)
        assert np.degrees(np.arcsin(sky.max())) == pytest.approx(elevation, abs=0.2)
        assert 44 <= sky.argmax() <= 46


def test_neighbours_share_the_weather() -> None:
    traits = Traits(annual_energy=0.0, rooftop=5000.0, standby=(0.0, 0.0, 0.0))
    one, other = (household(traits, meter=m).mean_power(QUARTER, 960) for m in (1, 2))
    np.testing.assert_array_equal(one, other)
    elsewhere = household(traits, seed=2).mean_power(QUARTER, 960)
    assert (one != elsewhere).any()


def test_all_four_quadrants_occur_in_a_neighbourhood() -> None:
    summer = QUARTER + 112 * 96
    signs = set()
    for meter in range(80):
        total = Household(3, meter, load=WAVE).mean_power(summer, 96).sum(axis=1)
        signs |= {(p > 0, q > 0) for p, q in total.tolist()}
    assert len(signs) == 4


def test_noise_is_gaussian_and_its_streams_are_independent() -> None:
    one = gaussian(uniforms(1, 2, Stream.LOAD_QUARTER, 0, 20_000, 2))
    other = gaussian(uniforms(1, 2, Stream.LOAD_HOUR, 0, 20_000, 2))
    assert one.mean() == pytest.approx(0, abs=0.03)
    assert one.std() == pytest.approx(1, abs=0.03)
    assert np.corrcoef(one, other)[0, 1] == pytest.approx(0, abs=0.03)
    assert np.corrcoef(one[1:], one[:-1])[0, 1] == pytest.approx(0, abs=0.03)


def test_smoothness_is_what_lasts_an_hour() -> None:
    def within_hours(smoothness: float) -> float:
        traits = Traits(annual_energy=1000.0, roughness=0.5, smoothness=smoothness)
        power = household(traits).mean_power(QUARTER, 4000)[:, :, 0].sum(axis=1)
        rest = np.log(power / WAVE.power(QUARTER, 4000)).reshape(-1, 4)
        return float(np.corrcoef(rest[:, 0], rest[:, 3])[0, 1])

    assert within_hours(0.8) == pytest.approx(0.8, abs=0.08)
    assert within_hours(0.2) == pytest.approx(0.2, abs=0.08)
