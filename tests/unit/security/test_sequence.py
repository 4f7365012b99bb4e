"""Which sequence numbers are good, around the wrap and across power cuts."""

from __future__ import annotations

import pytest

from osgp.errors import DecodeError, LocalProtocolError
from osgp.security.sequence import MODULUS, SequenceCounter, SequenceWindow

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
    window = SequenceWindow(0, reserve=10)
    writes = 0
    for number in range(1, 101):
        assert window.accept(number)
        if window.must_persist:
            window.export()
            writes += 1
    assert writes == 10


@pytest.mark.parametrize("start", [0, MODULUS - 40])
def test_no_number_is_good_again_after_a_power_cut(start: int) -> None:
    window, stored, seen = SequenceWindow(start), start.to_bytes(4, "big"), set[int]()
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
    counter, stored, taken = SequenceCounter(TOP - 100), (TOP - 100).to_bytes(4, "big"), set[int]()
    for turn in range(400):
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
        SequenceCounter(0, reserve=-1)
    with pytest.raises(DecodeError):
        SequenceWindow.restore(b"\0\0\0")
