"""Registers: quadrants, sources and exactness, by hand-made numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osgp.errors import UsageError
from osgp.meter.measuring import SOURCES, Channel, EnergyRegisters
from osgp.meter.measuring.registers import ENERGIES, rates
from osgp.meter.measuring.units import UNIT_HOUR, Ints

HOUR_MS = 3_600_000


def an_hour_of(*phases: tuple[int, int]) -> EnergyRegisters:
    """Registers after one hour at W and var by phase."""
    power = np.array([[[w * 1000, var * 1000] for w, var in phases]], dtype=np.int64)
    return EnergyRegisters().plus(rates(power)[0] * HOUR_MS)


@pytest.mark.parametrize(
    ("active", "reactive", "expected"),
    [
        (300, 400, {0: 300, 2: 400, 6: 300, 7: 300, 108: 400, 216: 500}),
        (-300, 400, {1: 300, 2: 400, 6: 300, 109: 400, 217: 500}),
        (-300, -400, {1: 300, 3: 400, 6: 300, 110: 400, 218: 500}),
        (300, -400, {0: 300, 3: 400, 6: 300, 7: 300, 111: 400, 219: 500}),
        (0, 0, {}),
    ],
)
def test_each_quadrant_counts_in_its_registers(
    active: int, reactive: int, expected: dict[int, int]
) -> None:
    registers = an_hour_of((active, 0), (0, reactive), (0, 0))
    read = {source: value for source in SOURCES if (value := registers.value(source))}
    assert read == expected


def test_total_is_of_the_sum_of_the_phases_and_each_phase_counts_its_own() -> None:
    registers = an_hour_of((1000, 0), (-400, 0), (0, 0))
    assert registers.values([0, 1, 6, 7]) == [600, 0, 600, 600]
    assert [registers.phase(number) for number in (1, 2, 3)] == [(1000, 0), (0, 400), (0, 0)]


def test_forward_minus_reverse_is_clamped_at_zero() -> None:
    """BT23 summation 7 (MEP guide): 'forward-reverse' never shows below 0."""
    night, noon = an_hour_of((200, 0), (0, 0), (0, 0)), an_hour_of((-900, 0), (0, 0), (0, 0))
    both = night.plus(noon.state[:ENERGIES])
    assert both.values([0, 1, 6, 7]) == [200, 900, 1100, 0]


def test_whole_units_are_rounded_down_and_the_rest_is_kept() -> None:
    almost = np.zeros(ENERGIES, dtype=np.int64)
    almost[Channel.FORWARD] = UNIT_HOUR - 1
    registers = EnergyRegisters().plus(almost)
    assert registers.value(0) == 0
    assert registers.plus(almost).value(0) == 1
    assert registers.plus(almost).exact(Channel.FORWARD) == 2 * UNIT_HOUR - 2


def test_outages_count_seconds_and_times() -> None:
    registers = EnergyRegisters().plus(np.zeros(ENERGIES, dtype=np.int64), 75, 1)
    assert registers.values([4, 5]) == [75, 1]


@given(st.lists(st.integers(-60_000_000, 60_000_000), min_size=6, max_size=6))
def test_channels_agree_with_each_other(milliwatts: list[int]) -> None:
    power: Ints = np.array(milliwatts, dtype=np.int64).reshape(1, 3, 2)
    rate = rates(power)[0]
    p, q = (int(value) for value in power[0].sum(axis=0))
    assert rate.min() >= 0
    assert rate[Channel.FORWARD] - rate[Channel.REVERSE] == p
    assert rate[Channel.REACTIVE_Q1 : Channel.APPARENT_Q1].sum() == abs(q)
    assert rate[Channel.APPARENT_Q1 : Channel.FORWARD_L1].sum() == pytest.approx(
        (p * p + q * q) ** 0.5, abs=1
    )
    assert np.count_nonzero(rate[Channel.APPARENT_Q1 : Channel.FORWARD_L1]) <= 1
    by_phase = rate[Channel.FORWARD_L1 : Channel.REVERSE_L1] - rate[Channel.REVERSE_L1 :]
    np.testing.assert_array_equal(by_phase, power[0, :, 0])


def test_source_numbers_are_those_of_the_guide() -> None:
    """MEP guide, table BT22: names of the energy sources, in their order."""
    assert [SOURCES[number].name.split(" L1")[0] for number in range(8)] == [
        "Fwd Active",
        "Rev Active",
        "Import Reactive",
        "Export Reactive",
        "Power Off Seconds",
        "Power Outage Qty",
        "Fwd+Rev Active",
        "Fwd-Rev Active",
    ]
    assert sorted(SOURCES) == [*range(8), *range(108, 112), *range(216, 220)]


@pytest.mark.parametrize("source", [8, 112, -1, 70_000])
def test_source_that_is_no_register_is_refused(source: int) -> None:
    with pytest.raises(UsageError, match="no energy register"):
        EnergyRegisters().value(source)


def test_phase_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="no phase L4"):
        EnergyRegisters().phase(4)


def test_registers_compare_by_value_and_cannot_be_written() -> None:
    one = an_hour_of((10, 0), (0, 0), (0, 0))
    assert one == an_hour_of((10, 0), (0, 0), (0, 0))
    assert one != EnergyRegisters()
    assert one != "registers"
    assert "FORWARD=36000000000" in repr(one)
    with pytest.raises(ValueError, match="read-only"):
        one.state[0] = 0
