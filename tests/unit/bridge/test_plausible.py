"""What is withheld, and what is believed again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osgp.run.bridge.config import Limits
from osgp.run.bridge.plausible import Plausibility
from osgp.run.bridge.sensors import COUNTED, MEASURED, Kind, Measured, Sensor

LIMITS = Limits(power=10_000.0, confirmations=3)
NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)


def counter(value: float, key: str = "energy") -> Measured:
    return Measured(Sensor(key, "Energy", Kind("kWh", "energy", COUNTED, 1000.0)), value)


def present(unit: str, device_class: str, value: float) -> Measured:
    return Measured(Sensor(device_class, device_class, Kind(unit, device_class, MEASURED)), value)


@pytest.mark.parametrize(
    ("unit", "device_class", "good", "bad"),
    [
        ("W", "power", -9_000.0, 10_001.0),
        ("V", "voltage", 231.0, 4_294_967.0),
        ("A", "current", 16.0, 4_000.0),
        ("Hz", "frequency", 50.0, 12.0),
        ("1", "power_factor", -0.9, 65.0),
    ],
)
def test_limits(unit: str, device_class: str, good: float, bad: float) -> None:
    judge = Plausibility(LIMITS)
    assert judge.judge(present(unit, device_class, good), 0.0) is None
    assert "between" in (judge.judge(present(unit, device_class, bad), 0.0) or "")


def test_no_frequency_without_voltage() -> None:
    assert Plausibility(LIMITS).judge(present("Hz", "frequency", 0.0), 0.0) is None


def test_a_counter_that_goes_back_is_withheld() -> None:
    judge = Plausibility(LIMITS)
    assert judge.judge(counter(100.0), 0.0) is None
    assert judge.judge(counter(99.0), 60.0) == "counts back from 100 to 99 kWh"
    assert judge.judge(counter(100.1), 120.0) is None


def test_a_counter_that_grows_too_fast_is_withheld() -> None:
    judge = Plausibility(LIMITS)
    judge.judge(counter(100.0), 0.0)
    assert "are possible" in (judge.judge(counter(110.0), 60.0) or "")
    assert judge.judge(counter(100.2), 120.0) is None
    assert judge.judge(counter(110.0), 120.0 + 3600.0) is None


def test_a_new_level_is_believed_when_it_stays() -> None:
    judge = Plausibility(LIMITS)
    judge.judge(counter(100.0), 0.0)
    said = [judge.judge(counter(5.0 + n / 100), 60.0 * (n + 1)) for n in range(4)]
    assert [reason is None for reason in said] == [False, False, True, True]


def test_doubtful_readings_that_disagree_confirm_nothing() -> None:
    judge = Plausibility(LIMITS)
    judge.judge(counter(100.0), 0.0)
    said = [judge.judge(counter(value), 1.0 + n) for n, value in enumerate((5, 77, 3, 60, 1, 50))]
    assert None not in said


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=30))
def test_what_is_believed_never_jumps_alone(values: list[float]) -> None:
    """A believed value follows the believed one before it, unless enough in a row agreed."""
    judge, believed, doubted = Plausibility(LIMITS), list[float](), 0
    for number, value in enumerate(values):
        if judge.judge(counter(value), 60.0 * number) is not None:
            doubted += 1
            continue
        if believed and doubted < LIMITS.confirmations - 1:
            assert value >= believed[-1]
        believed.append(value)
        doubted = 0


def test_counters_do_not_disturb_each_other() -> None:
    judge = Plausibility(LIMITS)
    judge.judge(counter(100.0, "a"), 0.0)
    assert judge.judge(counter(5.0, "b"), 1.0) is None


def test_text_is_always_believed() -> None:
    word = Measured(Sensor("alarms", "Alarms", Kind(None, None, None)), "none")
    assert Plausibility(LIMITS).judge(word, 0.0) is None


def test_a_clock_that_stands_still() -> None:
    judge = Plausibility(LIMITS)
    assert judge.clock(NOON, 0.0) is None
    assert judge.clock(NOON + timedelta(seconds=60), 60.0) is None
    assert "stands still" in (judge.clock(NOON + timedelta(seconds=60), 120.0) or "")
    assert "stands still" in (judge.clock(NOON + timedelta(seconds=60), 600.0) or "")
    assert judge.clock(NOON + timedelta(seconds=660), 660.0) is None


def test_a_clock_that_was_set_does_not_stand_still() -> None:
    judge = Plausibility(LIMITS)
    judge.clock(NOON, 0.0)
    assert judge.clock(NOON - timedelta(hours=1), 60.0) is None
    assert judge.clock(NOON + timedelta(hours=9), 120.0) is None
    assert judge.clock(None, 180.0) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_withheld(value: float) -> None:
    judge = Plausibility(LIMITS)
    assert "no number" in (judge.judge(counter(value), 0.0) or "")
    assert "no number" in (judge.judge(present("m³/h", "volume_flow_rate", value), 0.0) or "")
    assert judge.judge(counter(5.0), 60.0) is None


def test_counters_behind_the_meter_grow_between_their_own_reads() -> None:
    """Read by the meter once an hour, asked for every minute: eight kWh at once are no jump."""
    judge = Plausibility(LIMITS)
    hourly = [(0.0, 100.0), (3600.0, 108.0), (7200.0, 111.0)]
    for read_at, kwh in hourly:
        for minute in range(60):
            one = msgspec.structs.replace(counter(kwh), at=read_at)
            assert judge.judge(one, read_at + 60.0 * minute) is None
    too_much = msgspec.structs.replace(counter(140.0), at=10_800.0)
    assert "are possible" in (judge.judge(too_much, 10_800.0) or "")
