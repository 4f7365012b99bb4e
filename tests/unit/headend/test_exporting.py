"""From stored intervals to files and to the load curve of the neighbourhood."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osgp.concentrator.sink import (
    Device,
    Interval,
    LoggedEvent,
    ProfileChannels,
    Reading,
    RegisterValue,
)
from osgp.errors import StoreError, UsageError
from osgp.headend.exporting import export_csv, neighbourhood_curve
from osgp.headend.store import Store, open_store

T0 = 1_704_067_200
NAN = float("nan")
QUARTERS = ProfileChannels(1, (1, 0), ("Wh", "Wh"), 15)
METERS = [bytes([5, 0, 0, 0, 0, n]) for n in range(4)]

Snapshots = Sequence[tuple[int, int]]
"""Seconds after T0, and the register then in Wh."""


@pytest.fixture
def store() -> Iterator[Store]:
    with open_store("sqlite://") as store:
        yield store


def _log(
    store: Store,
    meter: bytes,
    snapshots: Snapshots,
    channels: ProfileChannels = QUARTERS,
    status: int = 0,
) -> None:
    store.save_device(Device(meter, bytes(8), "commissioned", 0.0))
    at = channels.sources.index(0)
    intervals = []
    for seconds, register in snapshots:
        values, states = [7] * len(channels.sources), [0] * len(channels.sources)
        values[at], states[at] = register, status
        intervals.append(Interval(1, T0 + seconds, tuple(values), tuple(states)))
    read_at = intervals[-1].end + 1.0
    store.store(Reading(meter, read_at, channels=(channels,), intervals=tuple(intervals)))


def _power(store: Store, *period: float) -> list[float | None]:
    curve = neighbourhood_curve(store, *period)
    return [None if np.isnan(watts) else float(watts) for watts in curve.watts]


def test_power_is_the_difference_of_consecutive_values(store: Store) -> None:
    _log(store, METERS[0], [(0, 1000), (900, 1100), (1800, 1350)])
    curve = neighbourhood_curve(store)
    assert curve.watts.tolist() == [400, 1000]
    assert curve.ends.tolist() == [T0 + 900, T0 + 1800]
    assert (curve.interval_seconds, curve.meters.tolist()) == (900, [1, 1])


def test_meters_add_up_and_may_start_later(store: Store) -> None:
    _log(store, METERS[0], [(0, 0), (900, 100), (1800, 200), (2700, 300)])
    _log(store, METERS[1], [(900, 5000), (1800, 5050), (2700, 5100)])
    assert _power(store) == [400, 600, 600]
    assert neighbourhood_curve(store).meters.tolist() == [1, 2, 2]


def test_a_short_gap_is_bridged_and_a_long_one_is_not(store: Store) -> None:
    hours = 3600
    _log(
        store,
        METERS[0],
        [(0, 0), (900, 100), (3600, 400), (11 * hours, 999), (11 * hours + 900, 1000)],
    )
    power = _power(store)
    assert power[:4] == [400, 400, 400, 400]
    assert power[4:-1] == [None] * 40
    assert power[-1] == 4


def test_a_register_that_runs_backwards_is_no_power(store: Store) -> None:
    _log(store, METERS[0], [(0, 1000), (900, 1100), (1800, 0), (2700, 100)])
    assert _power(store) == [400, None, 400]


@pytest.mark.parametrize("status", [4, 8, 12, 15])
def test_a_skipped_value_is_no_value(store: Store, status: int) -> None:
    _log(store, METERS[0], [(0, 1000), (900, 1100)])
    _log(store, METERS[0], [(1800, 0)], status=status)
    _log(store, METERS[0], [(2700, 1300)])
    assert _power(store) == [400, 400, 400]


def test_a_partial_interval_counts(store: Store) -> None:
    _log(store, METERS[0], [(0, 1000), (900, 1100)], status=2)
    assert _power(store) == [400]


def test_intervals_of_several_lengths(store: Store) -> None:
    _log(store, METERS[0], [(0, 0), (3600, 400)], ProfileChannels(1, (0,), ("Wh",), 60))
    _log(store, METERS[1], [(0, 0), (900, 100), (1800, 300)])
    assert _power(store) == [800, 1200, 400, 400]


def test_daily_values_are_no_gap(store: Store) -> None:
    _log(store, METERS[0], [(0, 0), (86_400, 2400)], ProfileChannels(1, (0,), ("kWh",), 1440))
    curve = neighbourhood_curve(store)
    assert (curve.watts.tolist(), curve.interval_seconds) == ([100_000], 86_400)


def test_a_load_profile_configured_anew_goes_on(store: Store) -> None:
    _log(store, METERS[0], [(0, 0), (900, 100)])
    _log(store, METERS[0], [(1800, 200)], ProfileChannels(1, (0, 1, 2), ("Wh", "Wh", "varh"), 15))
    assert _power(store) == [400, 400]


def test_ends_off_the_grid_lose_no_energy(store: Store) -> None:
    _log(store, METERS[0], [(10, 0), (905, 100), (1790, 150), (2705, 300)])
    curve = neighbourhood_curve(store)
    assert curve.watt_hours == pytest.approx(300)


def test_a_period_is_cut_out_with_its_first_interval(store: Store) -> None:
    _log(store, METERS[0], [(900 * n, 100 * n) for n in range(9)])
    assert _power(store, T0 + 1800, T0 + 3600) == [400, 400]
    assert neighbourhood_curve(store, T0 + 1800, T0 + 3600).ends.tolist() == [T0 + 2700, T0 + 3600]
    assert _power(store, T0 + 7200, T0 + 9000) == [None, None]
    assert _power(store, T0 + 3600, T0 + 1800) == []


def test_parts_are_other_registers_of_the_same_meters(store: Store) -> None:
    _log(store, METERS[0], [(0, 0), (900, 100)])
    curve = neighbourhood_curve(store, parts={"fed in": 1, "never logged": 9})
    assert curve.parts["fed in"].tolist() == [0]
    assert np.isnan(curve.parts["never logged"]).all()


def test_what_is_no_energy_is_left_out(store: Store) -> None:
    _log(store, METERS[0], [(0, 0), (900, 100)], ProfileChannels(1, (0,), ("V",), 15))
    _log(store, METERS[1], [(0, 0), (900, 100)], ProfileChannels(1, (0,), (), 15))
    _log(store, METERS[2], [(0, 0), (900, 100)], ProfileChannels(1, (0,), ("Wh",), 0))
    store.save_device(Device(METERS[3], bytes(8), "discovered", 0.0))
    assert not neighbourhood_curve(store).known


def test_an_empty_store_has_an_empty_curve(store: Store) -> None:
    curve = neighbourhood_curve(store)
    assert len(curve.ends) == 0
    _log(store, METERS[0], [(0, 0)])
    assert not neighbourhood_curve(store).known


def test_a_clock_far_off_is_refused_not_allocated(store: Store) -> None:
    _log(store, METERS[0], [(0, 0), (900, 100)])
    far = 200_000_000_000
    _log(store, METERS[1], [(far, 0), (far + 900, 100)])
    with pytest.raises(UsageError, match="name a period"):
        neighbourhood_curve(store)
    assert _power(store, T0, T0 + 900) == [400]


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(1, 20), st.integers(0, 5000)), min_size=1, max_size=10),
        min_size=1,
        max_size=4,
    )
)
def test_the_curve_holds_the_energy_of_the_registers(steps: list[list[tuple[int, int]]]) -> None:
    """Registers that only run forward, gaps of up to five hours: nothing lost, nothing added."""
    with open_store("sqlite://") as store:
        for meter, moves in zip(METERS, steps, strict=False):
            times, energies = np.cumsum([(0, 0), *moves], axis=0).T.tolist()
            _log(store, meter, [(900 * at, wh) for at, wh in zip(times, energies, strict=True)])
        curve = neighbourhood_curve(store)
    assert curve.watt_hours == pytest.approx(sum(wh for moves in steps for _, wh in moves))


def test_csv_of_a_store(store: Store, tmp_path: Path) -> None:
    _log(store, METERS[0], [(900, 100)])
    store.store(
        Reading(
            METERS[0],
            T0 + 1.5,
            registers=(RegisterValue(23, "current", 2**31 - 1, "Wh", T0 + 1.5, 0),),
            intervals=(Interval(2, T0 + 900, (3,), (9,), 2),),
            events=(LoggedEvent(5, T0, 2, 3, 0xFFFF, "power up"),),
        )
    )
    assert export_csv(store, tmp_path / "out") == {"registers": 1, "intervals": 3, "events": 1}
    rows = {
        path.stem: list(csv.reader(path.read_text(encoding="utf-8").splitlines()))[1:]
        for path in (tmp_path / "out").glob("*.csv")
    }
    meter, end = METERS[0].hex(), "2024-01-01T00:15:00Z"
    assert rows == {
        "registers": [
            [meter, "23", "current", "0", str(2**31 - 1), "Wh", "2024-01-01T00:00:01.500Z"]
        ],
        "intervals": [
            [meter, "1", end, "1", "Wh", "7", "0", "0", "0"],
            [meter, "1", end, "0", "Wh", "100", "0", "1", "0"],
            [meter, "2", end, "", "", "3", "9", "0", "2"],
        ],
        "events": [[meter, "5", "2024-01-01T00:00:00Z", "2", "power up", "3", "65535"]],
    }


def test_csv_of_a_store_that_fails_leaves_nothing(store: Store, tmp_path: Path) -> None:
    store.close()
    with pytest.raises(StoreError, match="closed"):
        export_csv(store, tmp_path)
    assert list(tmp_path.iterdir()) == []
