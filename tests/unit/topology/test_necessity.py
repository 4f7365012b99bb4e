"""The lower bound of the topology benchmark counts what must cross, and nothing twice."""

from __future__ import annotations

import pytest
from benchmarks.necessity import Exchange, Necessity, airtime, pieces
from hypothesis import given
from hypothesis import strategies as st

from osgp.channel import A_BAND

ONE, OTHER = b"\0" * 5 + b"\1", b"\0" * 5 + b"\2"
SEAL = bytes(12)


def read(table: int, offset: int, data: bytes) -> tuple[bytes, bytes]:
    """A sealed partial read and its answer."""
    place = table.to_bytes(2, "big") + offset.to_bytes(3, "big") + len(data).to_bytes(2, "big")
    return b"\x00\x3f" + place + SEAL, b"\0\0" + len(data).to_bytes(2, "big") + data + bytes(8)


@pytest.mark.parametrize(
    ("places", "sizes"),
    [
        ([], []),
        (range(84), [84]),
        (range(85), [84, 1]),
        ([0, 1, 5, 6, 7], [2, 3]),
        (range(10, 10 + 3 * 84), [84, 84, 84]),
    ],
)
def test_the_fewest_reads(places: range, sizes: list[int]) -> None:
    assert pieces(list(places)) == sizes


@given(st.sets(st.integers(0, 400)))
def test_every_byte_is_read_once(places: set[int]) -> None:
    assert sum(pieces(sorted(places))) == len(places)


def test_a_byte_that_was_read_twice_or_in_pieces_counts_once() -> None:
    needed = Necessity()
    for offset, count in ((0, 10), (10, 30), (0, 40), (5, 20)):
        needed.heed(ONE, *read(23, offset, bytes(count)))
    assert needed.exchanges(ONE) == [Exchange(21, 52)]


def test_other_exchanges_count_once_each() -> None:
    needed = Necessity()
    for _ in range(3):
        needed.heed(ONE, b"\x60\x07", b"\x20\x07")
    needed.heed(ONE, b"\x58\x00", b"\x38\x01\0\0\0")
    assert needed.exchanges(ONE) == [Exchange(2, 2), Exchange(2, 5)]


def test_what_is_the_same_everywhere_can_be_shared_and_the_rest_cannot() -> None:
    needed = Necessity()
    for neuron_id in (ONE, OTHER):
        needed.heed(neuron_id, *read(21, 0, b"dimensions"))
        needed.heed(neuron_id, *read(23, 0, neuron_id))
    assert needed.common() == [Exchange(21, 22)]
    assert needed.own(ONE) == needed.own(OTHER) == [Exchange(21, 18)]
    assert len(needed.exchanges(ONE)) == 2


def test_airtime_is_that_of_both_frames_with_their_preambles() -> None:
    seconds = airtime([Exchange(21, 96)], A_BAND)
    assert seconds == pytest.approx((2 * 35 + 8 * (12 + 21 + 12 + 96)) / 3600)
