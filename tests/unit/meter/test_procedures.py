"""Procedures over the line: BT07 in, BT08 out, effects that happen once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from osgp.meter import MemoryNvm
from osgp.meter.measuring import Kind, Spell
from osgp.wire import LTimeDate

from .bench import DAY, HOUR, START, Asker, meter, request, small_set_up

COMPLETED, INVALID, UNAUTHORISED, UNKNOWN = 0, 2, 5, 6
NOT_POSSIBLE = 4


def ready(days: float = 0, nvm: MemoryNvm | None = None) -> Asker:
    asker = Asker(meter(nvm, set_up=small_set_up()))
    asker.commission()
    asker.now = START + days * DAY + 60
    asker.device.handle_timer(asker.now)
    return asker


def ltime(reading: float) -> LTimeDate:
    return LTimeDate.of(datetime.fromtimestamp(reading, UTC))


def test_update_last_read_entry_takes_blocks_off_the_unread() -> None:
    asker = ready(2.5)
    answer = asker.call(5, 1, list=3, entries_read=2)
    assert (answer.procedure, answer.sequence_number, answer.result_code) == (5, 1, COMPLETED)
    assert asker.table(63).data_sets[0].number_of_unread_blocks == 1
    assert asker.table(74).number_of_unread_entries == 1
    assert asker.call(5, 2, list=8, entries_read=1).result_code == COMPLETED
    assert asker.table(74).number_of_unread_entries == 0


@pytest.mark.parametrize(
    ("entry_list", "entries"), [(3, 4), (8, 2), (2, 0), (4, 0), (0, 0), (99, 1)]
)
def test_impossible_updates_change_nothing(entry_list: int, entries: int) -> None:
    asker = ready(2.5)
    assert asker.call(5, 1, list=entry_list, entries_read=entries).result_code == INVALID
    assert asker.table(63).data_sets[0].number_of_unread_blocks == 3
    assert asker.table(74).number_of_unread_entries == 1


def test_an_update_of_several_lists_is_all_or_nothing() -> None:
    asker = ready(2.5)
    assert asker.call(5, 1, list=255, entries_read=2).result_code == INVALID
    assert asker.table(63).data_sets[0].number_of_unread_blocks == 3
    assert asker.call(5, 2, list=255, entries_read=1).result_code == COMPLETED
    assert asker.table(63).data_sets[0].number_of_unread_blocks == 2


def test_reset_list_pointers_empties_and_clears_overflow() -> None:
    asker = ready(5.5)
    assert asker.table(63).data_sets[0].overflow
    assert asker.call(4, 1, list=7).result_code == COMPLETED
    status = asker.table(63).data_sets[0]
    assert (status.overflow, status.number_of_valid_blocks, status.number_of_unread_blocks) == (
        False,
        0,
        0,
    )
    assert status.last_block_sequence_number == 6


def test_a_repeated_sequence_number_gets_04_and_executes_nothing() -> None:
    asker = ready(2.5)
    asker.call(5, 1, list=3, entries_read=1)
    again = asker.client.write_whole(7, request(5, 1, bytes((3, 1, 0))))
    assert asker.refusal(again) == NOT_POSSIBLE
    assert asker.table(63).data_sets[0].number_of_unread_blocks == 2
    assert asker.table(8).sequence_number == 1


def test_what_was_executed_is_known_after_a_restart() -> None:
    nvm = MemoryNvm()
    asker = ready(2.5, nvm)
    asker.call(5, 1, list=3, entries_read=1)
    other = Asker(meter(nvm, asker.now, set_up=small_set_up()), asker.now)
    again = other.client.write_whole(7, request(5, 1, bytes((3, 1, 0))))
    assert other.refusal(again) == NOT_POSSIBLE
    assert other.table(8).sequence_number == 1
    assert other.table(63).data_sets[0].number_of_unread_blocks == 2


def test_unknown_procedures_and_wrong_parameters_have_their_result_codes() -> None:
    asker = ready()
    assert asker.initiate(2048 + 55, 1).result_code == UNKNOWN
    assert asker.initiate(1, 2).result_code == UNKNOWN
    assert asker.initiate(5, 3, b"\3").result_code == INVALID
    assert asker.initiate(5, 4, b"\3\0\0\0").result_code == INVALID


def test_set_date_and_time_answers_before_and_after() -> None:
    asker = ready()
    wanted = START + 12 * HOUR
    answer = asker.call(
        10, 1, set_time=True, set_date=True, date_time=ltime(wanted), **_NO_QUALIFIER
    )
    assert answer.result_code == COMPLETED
    assert answer.response_data[6:] == bytes((26, 5, 29, 12, 0, 0))
    shown = asker.table(52).clock_calendar.to_datetime().timestamp()
    assert 0 <= shown - wanted < 60
    events = [(entry.event, entry.user) for entry in asker.device.parts.log.entries()]
    assert events[-2:] == [(3, 0xFFFE), (4, 0xFFFE)]


_NO_QUALIFIER = {
    "set_qualifier": False,
    "day_of_week": 0,
    "daylight_saving_time": False,
    "greenwich_mean_time": True,
    "time_zone_applied": False,
    "dst_applied": False,
}


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        (True, False, (2027, 1, 2, 0, 1)),
        (False, True, (2026, 5, 29, 3, 4)),
        (False, False, (2026, 5, 29, 0, 1)),
    ],
)
def test_parts_of_the_time_can_be_set(date: bool, time: bool, expected: tuple[int, ...]) -> None:
    asker = ready()
    given = LTimeDate(27, 1, 2, 3, 4, 5)
    answer = asker.call(10, 1, set_time=time, set_date=date, date_time=given, **_NO_QUALIFIER)
    assert answer.result_code == COMPLETED
    moment = asker.table(52).clock_calendar.to_datetime()
    assert (moment.year, moment.month, moment.day, moment.hour, moment.minute) == expected


def test_a_time_that_does_not_exist_is_refused() -> None:
    asker = ready()
    given = LTimeDate(26, 2, 30, 0, 0, 0)
    answer = asker.call(10, 1, set_time=True, set_date=True, date_time=given, **_NO_QUALIFIER)
    assert answer.result_code == INVALID
    assert asker.call(2064, 2, delta=-(2**31)).result_code == INVALID


def test_the_clock_moves_by_a_delta_and_the_profile_says_so() -> None:
    asker = ready()
    before = asker.device.parts.clock.reading(asker.now)
    assert asker.call(2064, 1, delta=-30).result_code == COMPLETED
    moved = asker.device.parts.clock.reading(asker.now) - before
    assert -30 <= moved < -20
    asker.device.handle_timer(START + 2 * HOUR)
    recorder = asker.device.parts.recorders[0]
    block = recorder.layout.decode(recorder.block_image(0))
    assert block.intervals[0].extended_status[0] == 0x93
    assert asker.device.next_timer() == START + 2 * HOUR + 30


def test_alarms_are_cleared_by_the_host() -> None:
    asker = ready(5.5)
    asker.device.parts.metering.undergo(
        [Spell(Kind.POWER_FAILURE, 0, asker.now + 1, asker.now + 60)]
    )
    asker.now += 61
    asker.device.handle_timer(asker.now)
    status = asker.table(3)
    assert status.power_failure
    assert 0 in status.manufacturer_alarms
    answer = asker.call(
        2051,
        1,
        standard_status=frozenset({11}),
        extended_alarms=frozenset(),
        manufacturer_alarms=frozenset({0, 30}),
    )
    assert answer.result_code == COMPLETED
    status = asker.table(3)
    assert not status.power_failure
    assert status.manufacturer_alarms == {28, 30}


@pytest.mark.parametrize(
    ("handling", "number", "posted"),
    [(0, 4, True), (1, 4, False), (2, 4, False), (3, 4, True), (1, 1, True), (2, 1, False)],
)
def test_response_handling_decides_what_is_posted(handling: int, number: int, posted: bool) -> None:
    asker = ready()
    answer = asker.initiate(number, 77, b"\x07", handling)
    assert (answer.sequence_number == 77) is posted
