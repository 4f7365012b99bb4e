"""Measuring as a meter drives it: ahead by a day, and again when the supply changes."""

from __future__ import annotations

import pytest

from osgp.errors import DecodeError, LocalProtocolError
from osgp.meter import MemoryNvm
from osgp.meter.measuring import Kind, Spell
from osgp.meter.metering import CELL, ENGINE_CELL

from .bench import DAY, HOUR, START, meter


def test_values_ahead_are_those_on_time() -> None:
    device = meter(clock_drift=37.0)
    device.handle_timer(START + 2 * DAY)
    twin = meter(clock_drift=37.0)
    recorder, clock = device.parts.recorders[0], device.parts.clock
    ends = [START + 900 * n for n in range(1, 2 * 96)]
    snapshots = twin.engine.snapshots([clock.when(end) for end in ends], (0, 1, 2, 3))
    values = [
        interval.values
        for element in (0, 1)
        for interval in recorder.layout.decode(recorder.block_image(element)).intervals
    ]
    assert values[: len(ends)] == [tuple(row) for row in snapshots.tolist()]


def test_a_disturbance_changes_values_that_were_known_ahead() -> None:
    device, twin = meter(), meter()
    for each in (device, twin):
        each.handle_timer(START + 2 * HOUR)
    outage = Spell(Kind.POWER_FAILURE, 0, START + 3.0 * HOUR, START + 5.0 * HOUR)
    device.parts.metering.undergo([outage])
    for each in (device, twin):
        each.handle_timer(START + DAY)
    cut, whole = (each.parts.recorders[0] for each in (device, twin))
    values = cut.layout.decode(cut.block_image(0)).intervals
    assert values[11].values == values[19].values
    others = whole.layout.decode(whole.block_image(0)).intervals
    assert values[11].values == others[11].values
    assert values[95].values < others[95].values


def test_a_disturbance_in_the_past_is_refused_and_changes_nothing() -> None:
    nvm = MemoryNvm()
    device = meter(nvm)
    device.handle_timer(START + DAY + HOUR)
    before = dict(nvm.items())
    with pytest.raises(LocalProtocolError):
        device.parts.metering.undergo([Spell(Kind.POWER_FAILURE, 0, START + 1.0, START + 2.0)])
    assert dict(nvm.items()) == before


def test_phase_loss_and_voltage_events_are_logged_with_their_arguments() -> None:
    device = meter()
    device.parts.metering.undergo(
        [
            Spell(Kind.PHASE_LOSS, 2, START + 100.0, START + 200.0),
            Spell(Kind.SAG, 3, START + 300.0, START + 310.0, 800),
            Spell(Kind.SWELL, 1, START + 400.0, START + 410.0, 1150),
        ]
    )
    device.handle_timer(START + 150)
    assert device.parts.condition.lost == 2
    device.handle_timer(START + HOUR)
    logged = [
        (entry.time - START, entry.event, entry.argument) for entry in device.parts.log.entries()
    ]
    assert logged == [
        (100, 68, 2),
        (200, 68, 0),
        (310, 98, 184 << 2 | 2),
        (410, 99, round(264.5) << 2),
    ]
    assert device.parts.condition.alarms == {4, 27}


def test_an_outage_over_a_drawn_one_replaces_it() -> None:
    """Feeder 57 fails on the first day at 12:51."""
    device = meter(now=START - DAY, feeder=57)
    long = Spell(Kind.POWER_FAILURE, 0, START - HOUR, START + DAY - HOUR)
    device.parts.metering.undergo([long])
    device.handle_timer(START + DAY)
    events = [entry.event for entry in device.parts.log.entries()]
    assert events.count(1) == events.count(2) == 1
    assert device.parts.metering.registers(START + DAY).value(4) == DAY


@pytest.mark.parametrize("name", [CELL, ENGINE_CELL])
def test_damaged_cells_are_reported(name: str) -> None:
    nvm = MemoryNvm()
    meter(nvm)
    with pytest.raises(DecodeError):
        meter(MemoryNvm(dict(nvm.items()) | {name: b"\x80"}))
