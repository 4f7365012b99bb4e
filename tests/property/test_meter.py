"""A meter asked at any times, and restarted at any times, comes to the same state."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from osgp.errors import InvalidParameter
from osgp.meter import DataSet, MemoryNvm, SetUp, VirtualMeter
from osgp.meter.dims import block_layout
from osgp.meter.profile import Common, Recorder
from osgp.wire.rings import Ring
from tests.unit.meter.bench import DAY, HOUR, START, meter, small_set_up

FEW = settings(max_examples=25, deadline=None)
SPAN = 5 * DAY

moments = st.lists(st.integers(0, 8 * SPAN), max_size=30).map(
    lambda eighths: [START + each / 8 for each in sorted(eighths)]
)
clocks = st.fixed_dictionaries(
    {
        "clock_error": st.sampled_from([0.0, 0.3, -7.0, 1800.0, -4000.0]),
        "clock_drift": st.sampled_from([0.0, 3.7, -250.0]),
        "feeder": st.integers(0, 30),
    }
)
changes = st.lists(st.tuples(st.integers(0, SPAN), st.integers(-3 * DAY, 3 * DAY)), max_size=3).map(
    sorted
)


def made(nvm: MemoryNvm, options: dict[str, Any], now: float = START) -> VirtualMeter:
    return meter(nvm, now, set_up=small_set_up(), **options)


def followed(
    device: VirtualMeter, times: list[float], moves: list[tuple[int, int]]
) -> VirtualMeter:
    """Handle timers at `times`, and move the clock when it is to be moved."""
    agenda: list[tuple[float, int]] = [(time, 0) for time in times]
    agenda += [(START + after, delta) for after, delta in moves]
    for time, delta in sorted(agenda):
        _move(device, time, delta)
    device.handle_timer(START + SPAN)
    return device


def on_time(options: dict[str, Any], moves: list[tuple[int, int]]) -> VirtualMeter:
    """Called exactly when it asks to be."""
    device = made(MemoryNvm(), options)
    pending = [(START + after, delta) for after, delta in moves]
    while (due := device.next_timer()) <= START + SPAN:
        while pending and pending[0][0] < due:
            _move(device, *pending.pop(0))
            due = device.next_timer()
        if due <= START + SPAN:
            device.handle_timer(due)
    for each in pending:
        _move(device, *each)
    device.handle_timer(START + SPAN)
    return device


def _move(device: VirtualMeter, time: float, delta: int) -> None:
    device.handle_timer(time)
    if delta:
        device.parts.set_clock(time, device.parts.clock.reading(time) + delta, 0)
        device.nvm.commit()


def state(device: VirtualMeter) -> Any:
    parts = device.parts
    recorder = parts.recorders[0]
    profile = (recorder.state, recorder[0 : len(recorder)])
    registers = parts.metering.registers(START + SPAN + 1)
    return profile, parts.log.state, parts.log.elements, parts.condition, registers


@FEW
@given(moments, clocks, changes)
def test_called_late_is_as_called_on_time(
    times: list[float], options: dict[str, Any], moves: list[tuple[int, int]]
) -> None:
    late = followed(made(MemoryNvm(), options), times, moves)
    assert state(late) == state(on_time(options, moves))


@FEW
@given(moments, clocks)
def test_restarts_change_nothing(times: list[float], options: dict[str, Any]) -> None:
    nvm = MemoryNvm()
    device = made(nvm, options)
    for time in times:
        device.handle_timer(time)
        nvm = MemoryNvm(dict(nvm.items()))
        device = made(nvm, options, time)
    device.handle_timer(START + SPAN)
    assert state(device) == state(followed(made(MemoryNvm(), options), [], []))


@FEW
@given(moments, clocks)
def test_reading_moves_nothing(times: list[float], options: dict[str, Any]) -> None:
    read = made(MemoryNvm(), options)
    for time in times:
        read.handle_timer(time)
        for number in (3, 23, 28, 52, 64, 74, 2069):
            read.tables.read(number, 0, 1, "OMAK", time)
    read.handle_timer(START + SPAN)
    assert state(read) == state(followed(made(MemoryNvm(), options), [], []))


@FEW
@given(st.integers(0, 18_500), st.integers(0, 200), st.integers(0, 40))
def test_any_part_of_a_profile_is_what_the_whole_has_there(
    offset: int, count: int, quarters: int
) -> None:
    layout = block_layout(SetUp(), 0)
    recorder = Recorder(MemoryNvm(), 1, DataSet(), layout, START)
    for number in range(quarters * 7):
        recorder.record((number,) * 4, False)
    whole = recorder[0 : len(recorder)]
    assert recorder[offset : offset + count] == whole[offset : offset + count]
    for element in range(recorder.state.valid):
        image = recorder.block_image(element)
        assert layout.encode(layout.decode(image)) == image


operations = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.integers(1, 30)),
        st.tuples(st.just("clock"), st.integers(-3 * DAY, 3 * DAY)),
        st.tuples(st.just("read"), st.integers(0, 4)),
        st.tuples(st.just("reset"), st.just(0)),
    ),
    max_size=20,
)


@FEW
@given(operations)
def test_a_recorders_counters_always_agree(steps: list[tuple[str, int]]) -> None:
    nvm = MemoryNvm()
    data_set = DataSet(interval=60, blocks=3, sources=(0,))
    layout = block_layout(SetUp(data_sets=(data_set,)), 0)
    recorder = Recorder(nvm, 1, data_set, layout, START)
    reading, rng = float(START), random.Random(0)
    for kind, amount in steps:
        match kind:
            case "record":
                for _ in range(amount):
                    reading = recorder.next_end
                    recorder.record((rng.randrange(10**9),), False)
            case "clock":
                recorder.clock_set(reading, reading + amount, (0,), False)
                reading += amount
            case "read":
                _read(recorder, amount)
            case _:
                recorder.reset_pointers()
        _agrees(recorder)
    again = Recorder(nvm, 1, data_set, layout, 0.0)
    assert again.state == recorder.state
    assert again[0 : len(again)] == recorder[0 : len(recorder)]


def _read(recorder: Recorder, count: int) -> None:
    before = recorder.state
    try:
        recorder.update_last_read(count)
    except InvalidParameter:
        assert count > before.unread
        assert recorder.state == before


def _agrees(recorder: Recorder) -> None:
    state = recorder.state
    assert 0 <= state.unread <= state.valid <= recorder.data_set.blocks
    ring = Ring(recorder.data_set.blocks, state.valid, state.element, state.sequence)
    for entry in ring.entries():
        block = recorder.blocks[entry.element]
        assert block is not None
        assert block.sequence == entry.sequence
        assert block.processed
        assert block.end - block.start == block.processed.bit_length() * HOUR
    assert not state.common & ~sum(Common)
