"""The event log: a ring with counters that survive."""

from __future__ import annotations

import pytest

from osgp.errors import DecodeError, InvalidParameter
from osgp.meter.log import CELL, EventLog
from osgp.meter.nvm import MemoryNvm

NOW = 1_780_000_000


def filled(count: int, capacity: int = 4) -> tuple[EventLog, MemoryNvm]:
    nvm = MemoryNvm()
    log = EventLog(nvm, capacity)
    for number in range(count):
        log.append(NOW + number, 1, number)
    return log, nvm


def test_it_wraps_and_says_so() -> None:
    log, _ = filled(6)
    assert [entry.argument for entry in log.entries()] == [2, 3, 4, 5]
    assert (log.state.valid, log.state.element, log.state.sequence) == (4, 1, 6)
    assert (log.state.unread, log.state.overflow) == (4, True)


def test_a_full_log_that_lost_nothing_has_no_overflow() -> None:
    log, _ = filled(4)
    assert not log.state.overflow
    log.update_last_read(1)
    log.append(NOW, 2)
    assert not log.state.overflow


def test_reading_moves_the_pointer_and_clears_overflow() -> None:
    log, _ = filled(6)
    log.update_last_read(3)
    assert (log.state.unread, log.state.overflow) == (1, False)
    with pytest.raises(InvalidParameter):
        log.update_last_read(2)
    assert log.state.unread == 1


def test_reset_empties_but_sequences_go_on() -> None:
    log, nvm = filled(6)
    log.reset_pointers()
    assert log.entries() == []
    log.append(NOW, 7)
    assert [(entry.sequence, entry.event) for entry in log.entries()] == [(7, 7)]
    assert EventLog(nvm, 4).entries() == log.entries()


@pytest.mark.parametrize("count", [0, 1, 4, 5, 11])
def test_a_restart_changes_nothing(count: int) -> None:
    log, nvm = filled(count)
    again = EventLog(nvm, 4)
    assert (again.state, again.elements) == (log.state, log.elements)


def test_damaged_cells_are_reported() -> None:
    _, nvm = filled(2)
    for name in (CELL, f"{CELL}/00001"):
        broken = MemoryNvm(dict(nvm.items()) | {name: b"\x81"})
        with pytest.raises(DecodeError):
            EventLog(broken, 4)
