"""Which sequence numbers are good, around the wrap and across power cuts."""

from __future__ import annotations

import pytest

from osgp.errors import DecodeError, LocalProtocolError
from osgp.security.sequence import MODULUS, ForwardNumber, SequenceCounter, SequenceWindow

TOP = MODULUS - 1


@pytest.mark.parametrize("last", [0, 5, TOP - 3, TOP])
def test_one_to_eight_ahead_are_accepted(last: int) -> None:
    accepted = [
        step for step in range(-20, 21) if SequenceWindow(last).accept((last + step) % MODULUS)
    ]
    assert accepted == [1, 2, 3, 4, 5, 6, 7, 8]


def test_an_accepted_number_is_not_good_twice() -> None:
    window = SequenceWindow(TOP - 1)
    assert window.accept(2)  # four ahead, over the wrap
    assert window.last == 2
    assert not window.accept(2)
    assert not window.accept(TOP)


def test_memory_is_written_once_per_reserve() -> None:
    window = SequenceWindow(0, reserve=18)
    writes = 0
    for number in range(1, 101):
        assert window.accept(number)
        if window.must_persist:
            window.export()
            writes += 1
    assert 9 <= writes <= 11


def test_nothing_is_accepted_that_is_not_reserved_yet() -> None:
    """A cut between executing a request and writing the state must not let it in again."""
    window = SequenceWindow(0)
    stored = window.export()
    for number in range(1, 500):
        assert window.accept(number)
        assert not SequenceWindow.restore(stored).accept(number)
        if window.must_persist:
            stored = window.export()


@pytest.mark.parametrize("start", [0, MODULUS - 40])
def test_no_number_is_good_again_after_a_power_cut(start: int) -> None:
    window, seen = SequenceWindow(start), set[int]()
    stored = window.export()
    for turn in range(300):
        number = (window.last + 1 + turn % 8) % MODULUS
        assert window.accept(number)
        assert number not in seen
        seen.add(number)
        if window.must_persist:
            stored = window.export()
        if turn % 7 == 0:
            window = SequenceWindow.restore(stored)
            assert not any(SequenceWindow.restore(stored).accept(old) for old in seen)


def test_a_client_never_takes_a_number_twice_across_power_cuts() -> None:
    counter, taken = SequenceCounter(TOP - 100), set[int]()
    stored = counter.export()
    for turn in range(400):  # over the wrap
        number = counter.take()
        assert number not in taken
        taken.add(number)
        if counter.must_persist:
            stored = counter.export()
        if turn % 11 == 0:
            counter = SequenceCounter.restore(stored)


def test_a_client_follows_the_server() -> None:
    counter = SequenceCounter(3)
    counter.resynchronise(0x77635B90)
    assert counter.take() == 0x77635B91
    assert counter.must_persist


def test_nonsense_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        SequenceWindow(MODULUS)
    with pytest.raises(LocalProtocolError):
        SequenceCounter(0, reserve=8)
    with pytest.raises(DecodeError):
        SequenceWindow.restore(b"\0\0\0")


def test_forward_numbers_only_grow() -> None:
    number = ForwardNumber(10)
    assert [number.accept(n) for n in (11, 11, 10, 500, 499, 501)] == [
        True,
        False,
        False,
        True,
        False,
        True,
    ]
    assert number.take() == 502


def test_forward_numbers_survive_power_cuts() -> None:
    sender, used = ForwardNumber(), set[int]()
    stored = sender.export()
    for turn in range(400):
        number = sender.take()
        assert number not in used
        used.add(number)
        assert not ForwardNumber(stored).accept(number)
        if sender.must_persist:
            stored = sender.export()
        if turn % 13 == 0:
            sender = ForwardNumber(stored)
            stored = sender.export()


def test_forward_numbers_are_reserved_before_they_are_reached() -> None:
    """A cut between executing a request and writing the state must not let it in again."""
    number = ForwardNumber()
    stored = number.export()
    for step in range(1, 500):
        assert number.accept(step)
        assert not ForwardNumber(stored).accept(step)
        if number.must_persist:
            stored = number.export()


def test_forward_numbers_end() -> None:
    number = ForwardNumber(TOP - 2)
    assert [number.take(), number.take()] == [TOP - 1, TOP]
    with pytest.raises(LocalProtocolError):
        number.take()
    assert ForwardNumber(number.export()).accept(TOP) is False
