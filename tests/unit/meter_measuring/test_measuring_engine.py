"""The engine: registers do not depend on how time is cut up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osgp.errors import DecodeError, LocalProtocolError, UsageError
from osgp.meter.measuring import SOURCES, Channel, Household, Kind, MeasuringEngine, Spell
from osgp.meter.measuring.registers import ENERGIES
from osgp.meter.measuring.units import UNIT_HOUR

from .measuring_samples import GRID, START, WAVE, Scripted, balanced

SPAN = 3 * 86_400
moments = st.floats(START, START + SPAN)
meters = st.integers(0, 40)
thorough = settings(deadline=None, max_examples=60)


@st.composite
def outages(draw: st.DrawFn) -> list[Spell]:
    """Power failures that do not overlap and phase losses that may."""
    cuts = sorted(draw(st.sets(st.integers(0, SPAN * 1000), max_size=6)))
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    dark = [Spell(Kind.POWER_FAILURE, 0, START + a / 1000, START + b / 1000) for a, b in pairs]
    lost = st.builds(
        lambda phase, begin, length: Spell(
            Kind.PHASE_LOSS, phase, START + begin / 2, START + (begin + length) / 2
        ),
        st.integers(1, 3),
        st.integers(0, 2 * SPAN),
        st.integers(1, 180_000),
    )
    return dark + draw(st.lists(lost, max_size=3))


def engine_of(meter: int, spells: list[Spell] | None = None) -> MeasuringEngine:
    engine = MeasuringEngine(Household(11, meter, load=WAVE), GRID, START)
    engine.undergo(spells or [])
    return engine


@thorough
@given(meters, outages(), st.lists(moments, max_size=12))
def test_any_partition_gives_the_same_registers(
    meter: int, spells: list[Spell], stops: list[float]
) -> None:
    whole, stepped = engine_of(meter, spells), engine_of(meter, spells)
    whole.advance(START + SPAN)
    for stop in [*sorted(stops), START + SPAN]:
        stepped.advance(stop)
    assert stepped.registers == whole.registers
    assert stepped.time == whole.time == START + SPAN


@thorough
@given(meters, outages(), st.lists(st.integers(START, START + SPAN), max_size=12))
def test_snapshots_equal_advancing_to_each_boundary(
    meter: int, spells: list[Spell], boundaries: list[int]
) -> None:
    sources = list(SOURCES)
    quick, slow = engine_of(meter, spells), engine_of(meter, spells)
    table = quick.snapshots(boundaries, sources)
    assert table.shape == (len(boundaries), len(sources))
    assert quick.time == START
    rows = {}
    for boundary in sorted(boundaries):
        slow.advance(boundary)
        rows[boundary] = slow.registers.values(sources)
    assert table.tolist() == [rows[boundary] for boundary in boundaries]


@thorough
@given(meters, outages(), moments, moments)
def test_saved_state_continues_the_measuring(
    meter: int, spells: list[Spell], stop: float, last: float
) -> None:
    steady, broken = engine_of(meter, spells), engine_of(meter, spells)
    broken.advance(min(stop, last))
    image = broken.save()
    revived = MeasuringEngine(Household(11, meter, load=WAVE), GRID, START - 500)
    revived.restore(image)
    for engine in (steady, revived):
        engine.advance(max(stop, last))
    assert revived.registers == steady.registers
    assert revived.save() == steady.save()


@thorough
@given(meters, st.lists(moments, min_size=2, max_size=8))
def test_registers_never_fall_and_agree(meter: int, stops: list[float]) -> None:
    engine = engine_of(meter)
    before = engine.registers.state
    for stop in sorted(stops):
        engine.advance(stop)
        now = engine.registers.state
        assert (now >= before).all()
        before = now
    phases = [engine.registers.exact(Channel(Channel.FORWARD_L1 + i)) for i in range(6)]
    net = engine.registers.exact(Channel.FORWARD) - engine.registers.exact(Channel.REVERSE)
    assert sum(phases[:3]) - sum(phases[3:]) == net


def test_energy_by_hand() -> None:
    """A quarter-hour at 3 * 1,000 W and one at 3 * -200 W with 3 * 100 var, left half-way."""
    engine = MeasuringEngine(Scripted([balanced(1000, 0), balanced(-200, 100)]), GRID, START)
    engine.advance(START + 1350)
    assert engine.registers.values([0, 1, 2, 3, 6, 7]) == [750, 75, 37, 0, 825, 675]
    assert engine.registers.exact(Channel.REACTIVE_Q2) == 37 * UNIT_HOUR + UNIT_HOUR // 2
    assert engine.registers.phase(2) == (250, 25)


def test_start_inside_a_quarter_hour() -> None:
    engine = MeasuringEngine(Scripted([balanced(1200, 0)]), GRID, START + 600)
    engine.advance(START + 900)
    assert engine.registers.value(0) == 300


def test_power_failure_is_not_measured_and_counts_when_it_ends() -> None:
    engine = MeasuringEngine(Scripted([balanced(1200, 0)]), GRID, START)
    engine.power_failure(START + 1000, START + 1100.9)
    engine.advance(START + 1050)
    assert engine.registers.values([0, 4, 5]) == [1000, 0, 0]
    engine.advance(START + 1100.9)
    assert engine.registers.values([0, 4, 5]) == [1000, 100, 1]
    engine.advance(START + 1200.9)
    assert engine.registers.values([0, 4, 5]) == [1100, 100, 1]


def test_phase_loss_takes_only_its_phase() -> None:
    engine = MeasuringEngine(Scripted([balanced(1200, 0)]), GRID, START)
    engine.undergo([Spell(Kind.PHASE_LOSS, 2, START, START + 900)])
    engine.advance(START + 900)
    assert engine.registers.values([0, 4, 5]) == [600, 0, 0]
    assert [engine.registers.phase(n)[0] for n in (1, 2, 3)] == [300, 0, 300]


def test_overlapping_losses_take_a_phase_once() -> None:
    engine = MeasuringEngine(Scripted([balanced(1200, 0)]), GRID, START)
    engine.undergo([Spell(Kind.PHASE_LOSS, 1, START, START + 600)])
    engine.undergo([Spell(Kind.PHASE_LOSS, 1, START + 300, START + 900)])
    engine.power_failure(START + 450, START + 750)
    engine.advance(START + 900)
    assert [engine.registers.phase(n)[0] for n in (1, 2, 3)] == [0, 200, 200]


def test_sag_costs_no_energy() -> None:
    calm, sagging = engine_of(4), engine_of(4, [Spell(Kind.SAG, 1, START, START + 900, 800)])
    for engine in (calm, sagging):
        engine.advance(START + 3600)
    assert calm.registers == sagging.registers


def test_long_absence_is_caught_up_like_many_short_ones() -> None:
    whole, weekly = engine_of(9), engine_of(9)
    whole.advance(START + 100 * 86_400 + 17.5)
    for week in range(1, 15):
        weekly.advance(START + week * 7 * 86_400)
    weekly.advance(START + 100 * 86_400 + 17.5)
    assert whole.registers == weekly.registers


def test_time_does_not_go_back() -> None:
    engine = engine_of(1)
    engine.advance(START + 100)
    with pytest.raises(LocalProtocolError, match="already measured"):
        engine.advance(START + 99.9)
    with pytest.raises(LocalProtocolError, match="already measured"):
        engine.snapshots([START + 200, START], [0])
    engine.advance(START + 100)


def test_unknown_source_in_snapshots() -> None:
    with pytest.raises(UsageError, match="source 8 "):
        engine_of(1).snapshots([START + 900], [0, 8])


def test_no_boundaries_and_no_sources() -> None:
    assert engine_of(1).snapshots([], [0, 1]).shape == (0, 2)
    assert engine_of(1).snapshots([START + 900], []).shape == (1, 0)


@pytest.mark.parametrize(
    "spell",
    [
        Spell(Kind.POWER_FAILURE, 0, START - 1, START + 1),
        Spell(Kind.POWER_FAILURE, 0, START + 5, START + 5),
        Spell(Kind.PHASE_LOSS, 4, START + 5, START + 6),
        Spell(Kind.SAG, 1, START + 5, START + 6, -1),
        Spell(Kind.POWER_FAILURE, 0, START + 150, START + 160),
    ],
)
def test_impossible_disturbance_is_refused_whole(spell: Spell) -> None:
    engine = engine_of(1)
    engine.power_failure(START + 100, START + 200)
    before = engine.save()
    with pytest.raises(LocalProtocolError):
        engine.undergo([Spell(Kind.SAG, 1, START + 5, START + 6, 850), spell])
    assert engine.save() == before


@thorough
@given(st.binary(max_size=200))
def test_noise_is_no_saved_state(image: bytes) -> None:
    engine = engine_of(1)
    before = engine.save()
    with pytest.raises(DecodeError, match="no saved measuring state"):
        engine.restore(image)
    assert engine.save() == before


@thorough
@given(st.data())
def test_damaged_state_is_refused_or_stays_usable(data: st.DataObject) -> None:
    image = bytearray(engine_of(1, [Spell(Kind.SAG, 1, START + 5, START + 6, 850)]).save())
    place = data.draw(st.integers(0, len(image) - 1))
    image[place] ^= data.draw(st.integers(1, 255))
    engine = engine_of(1)
    try:
        engine.restore(bytes(image))
    except DecodeError:
        assert engine.time == START
    else:
        assert engine.registers.state.shape == (len(Channel),)
        assert engine.save()


@thorough
@given(st.integers(0, 300))
def test_cut_state_is_refused(length: int) -> None:
    image = engine_of(1, [Spell(Kind.SAG, 1, START + 5, START + 6, 850)]).save()
    with pytest.raises(DecodeError):
        engine_of(1).restore(image[: min(length, len(image) - 1)])


def test_eight_sources_of_a_day_are_consistent() -> None:
    engine = engine_of(2)
    table = engine.snapshots([START + 900 * i for i in range(1, 97)], list(range(8)))
    assert table.shape == (96, 8)
    assert (np.diff(table[:, :7], axis=0) >= 0).all()
    assert ((table[:, 6] - table[:, 0] - table[:, 1]) <= 1).all()
    engine.advance(START + 86_400)
    assert table[-1].tolist() == engine.registers.values(range(8))
    assert len(engine.registers.state) == ENERGIES + 2
