"""Medium access: backlog estimate, slots, airtime."""

from __future__ import annotations

import random

import pytest

from osgp.lon.mac import (
    BASE_WINDOW,
    BETA1,
    BETA2,
    BIT_TIME,
    PREAMBLE,
    PRIORITY_SLOTS,
    Backlog,
    access_delay,
    access_slots,
    airtime,
)


def test_backlog_follows_announcements_and_silence() -> None:
    backlog = Backlog()
    backlog.observe(0)
    assert backlog.level == 1
    backlog.observe(15)
    assert backlog.level == 15
    backlog.observe(1)
    assert backlog.level == 15
    backlog.observe(0)
    assert backlog.level == 14
    backlog.idle(3.5 * BASE_WINDOW * BETA2)
    assert backlog.level == 11
    backlog.idle(1000)
    assert backlog.level == 1


def test_backlog_has_six_bits() -> None:
    backlog = Backlog()
    for _ in range(10):
        backlog.observe(63)
    assert backlog.level == 63


@pytest.mark.parametrize("level", [1, 7, 63])
def test_window_grows_with_the_backlog(level: int) -> None:
    rng = random.Random(1)
    slots = [access_slots(level, None, rng) for _ in range(4000)]
    assert min(slots) >= PRIORITY_SLOTS
    assert max(slots) < PRIORITY_SLOTS + level * BASE_WINDOW
    middle = PRIORITY_SLOTS + (level * BASE_WINDOW - 1) / 2
    assert sum(slots) / len(slots) == pytest.approx(middle, rel=0.05)


def test_priority_slot_comes_first() -> None:
    rng = random.Random(1)
    assert access_slots(63, 3, rng) == 3
    assert access_slots(63, 99, rng) == PRIORITY_SLOTS - 1
    assert access_delay(1, 0, rng) == BETA1


def test_speed_of_the_channel() -> None:
    """3.6 kbit/s and 9.70 ms of preamble: PL 3120/3150/3170 data book."""
    assert pytest.approx(3608, abs=1) == 1 / BIT_TIME
    assert airtime(0) == PREAMBLE
    assert airtime(20) == pytest.approx(0.0097 + 160 / 3608, rel=1e-3)
