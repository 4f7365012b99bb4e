from __future__ import annotations

from math import inf, nan

import pytest

from osgp.channel import Scheduler
from osgp.errors import LocalProtocolError


def test_callbacks_run_in_order_of_time_then_of_scheduling() -> None:
    scheduler, log = Scheduler(), list[tuple[str, float]]()
    for name, time in (("late", 2.0), ("first", 1.0), ("second", 1.0), ("now", 0.0)):
        scheduler.at(time, lambda name=name: log.append((name, scheduler.now)))
    scheduler.run_until(5.0)
    assert log == [("now", 0.0), ("first", 1.0), ("second", 1.0), ("late", 2.0)]
    assert scheduler.now == 5.0
    assert len(scheduler) == 0


def test_run_until_includes_its_end_and_leaves_the_rest() -> None:
    scheduler, log = Scheduler(10.0), list[int]()
    scheduler.at(11.0, log.append, 1)
    scheduler.at(11.5, log.append, 2)
    scheduler.run_until(11.0)
    assert log == [1]
    assert scheduler.next_time() == 11.5


def test_cancelled_timers_do_not_fire_and_may_be_cancelled_again() -> None:
    scheduler, log = Scheduler(), list[int]()
    timer = scheduler.at(1.0, log.append, 1)
    kept = scheduler.at(2.0, log.append, 2)
    timer.cancel()
    timer.cancel()
    assert (timer.pending, kept.pending, len(scheduler)) == (False, True, 1)
    scheduler.run_until(3.0)
    kept.cancel()
    assert log == [2]
    assert len(scheduler) == 0
    assert scheduler.next_time() is None


def test_many_cancels_are_forgotten_without_losing_the_rest() -> None:
    scheduler, log = Scheduler(), list[int]()
    for number in range(5000):
        timer = scheduler.at(1000.0 - number % 7, log.append, number)
        if number % 100:
            timer.cancel()
    assert len(scheduler) == 50
    assert len(scheduler._heap) < 1500
    scheduler.run_until(1000.0)
    assert sorted(log) == list(range(0, 5000, 100))


def test_callbacks_can_schedule_at_the_present_moment() -> None:
    scheduler, log = Scheduler(), list[float]()
    scheduler.at(1.0, lambda: scheduler.at(scheduler.now, lambda: log.append(scheduler.now)))
    scheduler.run_until(1.0)
    assert log == [1.0]


def test_run_while_stops_when_the_predicate_ceases_to_hold() -> None:
    scheduler, log = Scheduler(), list[int]()
    for number in range(10):
        scheduler.at(float(number), log.append, number)
    assert scheduler.run_while(lambda: len(log) < 4)
    assert (log, scheduler.now) == ([0, 1, 2, 3], 3.0)
    assert not scheduler.run_while(lambda: len(log) < 100, until=20.0)
    assert scheduler.now == 20.0
    assert not scheduler.run_while(lambda: True)
    assert scheduler.now == 20.0


@pytest.mark.parametrize("time", [-1.0, 0.999, inf, nan])
def test_the_past_and_no_time_at_all_are_refused(time: float) -> None:
    scheduler = Scheduler(1.0)
    with pytest.raises(LocalProtocolError):
        scheduler.at(time, print)
    with pytest.raises(LocalProtocolError):
        scheduler.run_until(time)
