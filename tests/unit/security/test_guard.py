"""Uses, lockout, handshakes a day: the counting itself."""

from __future__ import annotations

from collections import deque

from osgp.security.guard import DailyLimit, EventKind, Events, KeyAge, KeyUsage, Lockout


def kinds(events: Events) -> list[EventKind]:
    return [event.kind for event in events]


def test_usage_reports_eighty_percent_and_the_end_once() -> None:
    events: Events = deque()
    usage = KeyUsage(events, limit=1000)
    for _ in range(1200):
        usage.count()
    assert [(event.kind, event.argument) for event in events] == [
        (EventKind.KEY_USAGE_HIGH, 800),
        (EventKind.KEY_EXHAUSTED, 1000),
    ]
    assert usage.high
    assert usage.exhausted


def test_usage_never_shrinks_over_power_cuts() -> None:
    events: Events = deque()
    usage = KeyUsage(events, limit=10**6)
    stored = usage.export()
    for done in range(1, 3001):
        usage.count()
        if usage.must_persist:
            stored = usage.export()
        if done % 700 == 0:
            usage = KeyUsage(events, stored, 10**6)
        assert usage.used >= done


def test_a_high_count_is_reported_again_after_a_power_cut() -> None:
    events: Events = deque()
    KeyUsage(events, used=900, limit=1000)
    assert kinds(events) == [EventKind.KEY_USAGE_HIGH]


def test_lockout_counts_failures_in_a_row() -> None:
    events: Events = deque()
    lockout = Lockout(events, threshold=3, minutes=2)
    for now in (0.0, 1.0):
        lockout.failed(now)
    lockout.succeeded()
    for now in (10.0, 11.0):
        lockout.failed(now)
    assert not lockout.locked(11.0)
    lockout.failed(12.0)
    assert [lockout.locked(now) for now in (12.0, 131.9, 132.0)] == [True, True, False]
    assert lockout.must_persist
    assert [(event.kind, event.argument) for event in events] == [(EventKind.LOCKED_OUT, 2)]


def test_lockout_can_be_switched_off() -> None:
    lockout = Lockout(deque())
    for now in range(1000):
        lockout.failed(float(now))
    assert not lockout.locked(1000.0)


def test_a_lockout_met_by_a_power_cut_starts_again() -> None:
    lockout = Lockout(deque(), threshold=3, minutes=2, engaged=True)
    assert [lockout.locked(now) for now in (-50.0, 69.9, 70.0)] == [True, True, False]


def test_the_day_s_handshakes() -> None:
    events: Events = deque()
    daily = DailyLimit(events, limit=3)
    assert [daily.admit() for _ in range(5)] == [True, True, True, False, False]
    assert kinds(events) == [EventKind.HANDSHAKE_LIMIT]
    daily.new_day()
    assert daily.admit()


def test_a_key_reports_eighty_percent_of_its_days_and_the_end_once() -> None:
    events: Events = deque()
    age = KeyAge(events, limit=10)
    for days in (7, 1, 1, 1, 30):
        age.grow(days)
    assert [(event.kind, event.argument) for event in events] == [
        (EventKind.KEY_AGING, 8),
        (EventKind.KEY_EXPIRED, 10),
    ]
    assert age.expired


def test_without_a_validity_period_a_key_never_expires() -> None:
    events: Events = deque()
    age = KeyAge(events)
    age.grow(100_000)
    assert not age.expired and not events
