"""The load-profile recorder: blocks, statuses, clock changes, pointers, images."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from osgp.errors import DecodeError, InvalidParameter
from osgp.meter.dims import DataSet, SetUp, block_layout
from osgp.meter.nvm import MemoryNvm
from osgp.meter.profile import LONG, NO_FLAG, PARTIAL, Common, Recorder
from osgp.spec.codes import channel_statuses
from osgp.spec.tables.load_profile import LOAD_PROFILE_DATA, LoadProfileBlock

from .bench import DAY, HOUR, START

HOURS = DataSet(interval=60, blocks=3, sources=(0, 1))
SET_UP = SetUp(data_sets=(HOURS,))
NOW = (7, 8)


def recorder(nvm: MemoryNvm | None = None, reading: float = START) -> Recorder:
    return Recorder(nvm or MemoryNvm(), 1, HOURS, block_layout(SET_UP, 0), reading)


def recorded(hours: int, nvm: MemoryNvm | None = None) -> Recorder:
    made = recorder(nvm)
    for hour in range(hours):
        made.record((hour, 2 * hour), False)
    return made


def block(made: Recorder, element: int) -> LoadProfileBlock:
    return made.layout.decode(made.block_image(element))


def status(made: Recorder, element: int, interval: int) -> tuple[int, tuple[int, ...]]:
    return channel_statuses(block(made, element).intervals[interval].extended_status, 2)


def ends(made: Recorder) -> list[int]:
    """Ends of all recorded intervals, by block element and interval."""
    found = []
    for each in made.blocks:
        if each is not None:
            done = [n for n in range(24) if each.processed >> n & 1]
            found += [each.start + (n + 1) * HOUR for n in done]
    return found


def test_a_day_is_a_block_that_ends_at_midnight() -> None:
    made = recorded(30)
    first, second = block(made, 0), block(made, 1)
    assert first.end_time.to_datetime() == datetime(2026, 5, 30, tzinfo=UTC)
    assert first.simple_status == frozenset(range(24))
    assert second.end_time.to_datetime() == datetime(2026, 5, 30, 6, tzinfo=UTC)
    assert second.simple_status == frozenset(range(6))
    assert [interval.values for interval in first.intervals[:2]] == [(0, 0), (1, 2)]
    assert (made.state.valid, made.state.element, made.state.sequence) == (2, 1, 2)


def test_the_table_is_its_blocks_and_any_slice_of_it_agrees() -> None:
    made = recorded(80)
    whole = made[0 : len(made)]
    table = LOAD_PROFILE_DATA[0].bind({"BT61": {"data_sets": (HOURS.size,)} | _FLAGS}).decode(whole)
    assert [len(each.simple_status) for each in table.blocks] == [8, 24, 24]
    for start, stop in [(0, 0), (5, 90), (300, 500), (len(made) - 3, len(made))]:
        assert made[start:stop] == whole[start:stop]


_FLAGS = {
    "extended_interval_status": True,
    "simple_interval_status": True,
    "end_reading_supported": False,
}


def test_a_full_ring_overwrites_the_oldest_and_says_so_once() -> None:
    made = recorder()
    lost = [made.record((hour, 0), False) for hour in range(24 * 5)]
    assert [hour for hour, some in enumerate(lost) if some] == [72, 96]
    assert (made.state.valid, made.state.unread, made.state.overflow) == (3, 3, True)
    assert made.state.element == 1
    made.update_last_read(3)
    assert (made.state.unread, made.state.overflow) == (0, False)
    with pytest.raises(InvalidParameter):
        made.update_last_read(1)


def test_registers_roll_over_after_nine_digits() -> None:
    made = recorder()
    made.record((1_000_000_005, 999_999_999), False)
    assert block(made, 0).intervals[0].values == (5, 999_999_999)


def test_marks_are_for_the_interval_in_progress_only() -> None:
    made = recorder()
    made.mark(Common.POWER_FAILED)
    made.record(NOW, summer=True)
    made.record(NOW, summer=False)
    assert status(made, 0, 0) == (3, (NO_FLAG, NO_FLAG))
    assert status(made, 0, 1) == (0, (NO_FLAG, NO_FLAG))


def test_forward_within_an_interval_makes_it_partial() -> None:
    made = recorder()
    made.clock_set(START + 60, START + 900, NOW, False)
    assert ends(made) == []
    made.record(NOW, False)
    assert status(made, 0, 0) == (4, (PARTIAL, PARTIAL))
    assert ends(made) == [START + HOUR]


def test_forward_over_interval_ends_leaves_them_unprocessed() -> None:
    made = recorded(2)
    made.clock_set(START + 2 * HOUR + 60, START + 5 * HOUR + 1800, (50, 60), False)
    made.record((70, 80), False)
    assert ends(made) == [START + hour * HOUR for hour in (1, 2, 3, 6)]
    assert block(made, 0).intervals[2].values == (50, 60)
    assert status(made, 0, 2) == status(made, 0, 5) == (4, (PARTIAL, PARTIAL))
    made.record(NOW, False)
    assert status(made, 0, 6) == (0, (NO_FLAG, NO_FLAG))


def test_forward_to_an_interval_end_leaves_the_next_one_whole() -> None:
    made = recorder()
    made.clock_set(START + 60, START + 3 * HOUR, NOW, False)
    made.record(NOW, False)
    assert ends(made) == [START + HOUR, START + 4 * HOUR]
    assert status(made, 0, 3) == (0, (NO_FLAG, NO_FLAG))


def test_forward_by_days_starts_a_new_block_there() -> None:
    made = recorded(2)
    made.clock_set(START + 2 * HOUR, START + 40 * DAY + 30, NOW, False)
    made.record(NOW, False)
    assert made.state.sequence == 2
    assert ends(made)[-1] == START + 40 * DAY + HOUR


def test_back_within_a_day_records_nothing_twice() -> None:
    made = recorded(5)
    made.clock_set(START + 5 * HOUR + 60, START + 2 * HOUR, NOW, False)
    assert made.next_end == START + 6 * HOUR
    made.record(NOW, False)
    assert ends(made) == [START + hour * HOUR for hour in range(1, 7)]
    assert status(made, 0, 5) == (8, (LONG, LONG))


def test_back_by_more_than_a_day_goes_on_in_a_new_block() -> None:
    made = recorded(30)
    made.clock_set(START + 30 * HOUR, START - 10 * DAY, NOW, False)
    made.record(NOW, False)
    assert made.state.sequence == 3
    assert ends(made)[-1] == START - 10 * DAY + HOUR
    assert status(made, 2, 0) == (8, (LONG, LONG))


def test_reset_forgets_blocks_but_recording_and_sequences_go_on() -> None:
    nvm = MemoryNvm()
    made = recorded(30, nvm)
    made.reset_pointers()
    made.record(NOW, False)
    assert (made.state.valid, made.state.unread, made.state.sequence) == (1, 1, 3)
    assert block(made, made.state.element).simple_status == frozenset({6})
    assert recorder(nvm)[0 : len(made)] == made[0 : len(made)]


@pytest.mark.parametrize("hours", [0, 1, 24, 25, 100, 200])
def test_a_restart_changes_nothing(hours: int) -> None:
    nvm = MemoryNvm()
    made = recorded(hours, nvm)
    made.mark(Common.POWER_FAILED, PARTIAL)
    again = recorder(nvm, START + 999 * DAY)
    assert again.state == made.state
    assert again[0 : len(made)] == made[0 : len(made)]


def test_damaged_cells_are_reported() -> None:
    nvm = MemoryNvm()
    recorded(2, nvm)
    for name in ("lp1", "lp1/00000.0001"):
        with pytest.raises(DecodeError):
            recorder(MemoryNvm(dict(nvm.items()) | {name: b"\x90"}))
