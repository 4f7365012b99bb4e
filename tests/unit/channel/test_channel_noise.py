from __future__ import annotations

from math import inf

import msgspec
import numpy as np
import pytest

from osgp.channel import QUIET, Carrier, NoiseSettings
from osgp.channel.noise import HOURLY_FLOOR, Appliance, Noise, placed
from osgp.errors import UsageError

from .channel_fakes import star

HOUR = 3600.0
SITES = 200
NO_IMPULSES = NoiseSettings(impulses_per_hour=0.0)


def noise(settings: NoiseSettings, seed: int = 1, sites: int = SITES) -> Noise:
    return Noise(settings, np.zeros(sites), seed)


def loudest(field: Noise, start: float, end: float) -> float:
    return max((impulse.level for impulse in field.impulses(start, end)), default=-inf)


def test_a_quiet_line_is_flat() -> None:
    quiet = noise(QUIET)
    for hour in (0.0, 7.5, 100.0):
        assert np.all(quiet.levels(hour * HOUR) == 50.0)
        assert quiet.impulses(hour * HOUR, hour * HOUR + 1.0) == []


def test_the_floor_follows_the_day_and_repeats() -> None:
    field = noise(NoiseSettings(appliance_share=0.0))
    for hour in range(24):
        assert field.levels(hour * HOUR)[0, 0] == pytest.approx(HOURLY_FLOOR[hour])
    assert field.levels(6.5 * HOUR)[0, 0] == pytest.approx((HOURLY_FLOOR[6] + HOURLY_FLOOR[7]) / 2)
    assert field.levels(30 * HOUR)[0, 0] == pytest.approx(HOURLY_FLOOR[6])


def test_the_day_may_start_at_any_hour() -> None:
    field = noise(NoiseSettings(appliance_share=0.0, hour_at_start=18.0))
    assert field.levels(0.0)[0, 0] == pytest.approx(HOURLY_FLOOR[18])
    assert field.levels(12 * HOUR)[0, 0] == pytest.approx(HOURLY_FLOOR[6])


def test_carriers_and_sites_differ_as_declared() -> None:
    settings = NoiseSettings(appliance_share=0.0, secondary_offset=3.0)
    levels = Noise(settings, np.array([0.0, 7.0, -2.0]), 1).levels(0.0)
    assert (levels[Carrier.PRIMARY] - levels[0, 0]).tolist() == [0.0, 7.0, -2.0]
    assert (levels[Carrier.SECONDARY] - levels[Carrier.PRIMARY]).tolist() == [3.0, 3.0, 3.0]


def raised(field: Noise, hour: float) -> float:
    """Share of sites where an appliance is on."""
    levels = field.levels(hour * HOUR)[0]
    return float(np.mean(levels > levels.min()))


def test_appliances_follow_the_activity() -> None:
    activity = (0.0,) * 12 + (1.0,) * 12
    settings = NoiseSettings(activity=activity, appliance_share=0.4, appliance_raise=10.0)
    field = noise(settings, sites=2000)
    assert raised(field, 5.0) == 0.0
    assert raised(field, 15.0) == pytest.approx(0.4, abs=0.05)
    levels = field.levels(15.0 * HOUR)[0]
    assert 9.0 < levels.max() - levels.min() <= 10.0


def test_appliances_stay_as_they_are_for_their_dwell() -> None:
    settings = NoiseSettings(
        floor=(50.0,) * 24, activity=(1.0,) * 24, appliance_share=0.5, appliance_dwell=1000.0
    )
    field = noise(settings)
    levels = np.array([field.levels(10.0 * step)[0] for step in range(1000)])
    changes = np.count_nonzero(np.diff(levels, axis=0), axis=0)
    assert changes.max() <= 10
    assert changes.mean() > 5
    moments = {int(step) for step in np.nonzero(np.diff(levels, axis=0))[0]}
    assert len(moments) > 100, "sites do not all switch together"


def test_noise_depends_on_seed_and_time_only() -> None:
    times = [0.0, 5000.0, 123.0, 86_400.0 * 300, 5000.0]
    first, second, other = noise(NO_IMPULSES), noise(NO_IMPULSES), noise(NO_IMPULSES, seed=2)
    forward = [first.levels(time).copy() for time in times]
    backward = [second.levels(time).copy() for time in reversed(times)]
    assert np.array_equal(forward, backward[::-1])
    assert np.array_equal(forward[1], forward[4])
    assert not np.array_equal(forward[0], other.levels(0.0))


def test_impulses_come_at_their_rate_and_last_their_length() -> None:
    settings = NoiseSettings(impulses_per_hour=360.0, impulse_length=0.1, impulse_spread=20.0)
    field = noise(settings, sites=1)
    struck = [loudest(field, n / 100.0, n / 100.0) for n in range(100 * 3600)]
    struck = [level for level in struck if level > -inf]
    assert len(struck) == pytest.approx(360 * 10, rel=0.15)
    assert 75.0 <= min(struck) < 80.0
    assert 90.0 < max(struck) <= 95.0


def test_a_long_look_finds_the_loudest_impulse() -> None:
    field = noise(NoiseSettings(impulses_per_hour=1800.0), sites=1)
    each = [loudest(field, float(second), second + 0.999) for second in range(60)]
    assert loudest(field, 0.0, 59.999) == max(each)


def test_a_share_of_the_impulses_arises_at_one_site() -> None:
    settings = NoiseSettings(impulses_per_hour=3600.0, impulse_local=0.25)
    struck = noise(settings, sites=8).impulses(0.0, 4000.0)
    origins = [impulse.origin for impulse in struck if impulse.origin is not None]
    assert len(origins) == pytest.approx(len(struck) / 4, rel=0.15)
    assert set(origins) == set(range(8))
    assert not any(each.origin for each in noise(NoiseSettings(), sites=8).impulses(0.0, 1e5))


# --- appliances at a place -------------------------------------------------------------------

STREET = star(0.0, 4.0, 10.0, 30.0)
SITE_NAMES = [site.name for site in STREET.sites]


def with_appliance(**options: float) -> Noise:
    """A flat 50 dBuV, and an appliance of 90 dBuV at the second site."""
    appliance = Appliance(at=SITE_NAMES[1], level=90.0, **options)
    settings = msgspec.structs.replace(QUIET, appliance=(appliance,))
    there = placed(settings, SITE_NAMES, STREET.path_loss())
    return Noise(settings, np.zeros(len(SITE_NAMES)), 1, there)


def test_an_appliance_is_loud_near_by_and_faint_far_away() -> None:
    levels = with_appliance().levels(0.0)[Carrier.PRIMARY]
    heard = 90.0 - STREET.path_loss()[Carrier.PRIMARY, 1]
    expected = 10 * np.log10(10**5.0 + 10 ** (heard / 10))
    assert levels == pytest.approx(expected)
    assert levels[1] > 89 and levels[1] > levels[0] > levels[2] > levels[3]
    assert levels[3] < 58


def test_an_appliance_has_its_hours_and_its_turns() -> None:
    night = with_appliance(from_hour=22.0, to_hour=6.0)
    loud = [night.levels(hour * HOUR)[0, 1] > 80 for hour in range(24)]
    assert [hour for hour in range(24) if loud[hour]] == [0, 1, 2, 3, 4, 5, 22, 23]
    turns = with_appliance(on=60.0, cycle=300.0)
    on = sum(turns.levels(second)[0, 1] > 80 for second in np.arange(0.0, 3000.0, 10.0))
    assert on == 60


def test_an_appliance_nowhere_is_refused() -> None:
    settings = NoiseSettings(appliance=(Appliance(at="nowhere", level=80.0),))
    with pytest.raises(UsageError, match="nowhere"):
        placed(settings, SITE_NAMES, STREET.path_loss())
