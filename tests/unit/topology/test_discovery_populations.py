"""Discovery finds everybody, whatever the medium loses, and comes to an end."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osgp.topology import Ask, Discovery
from osgp.topology.atm import EVERYBODY, HashRange, id_hash

Medium = Callable[[list[bytes], random.Random], list[bytes]]
"""Which of those who answer a query are understood."""


def population(count: int, seed: int) -> set[bytes]:
    rng = random.Random(seed)
    return {rng.randbytes(6) for _ in range(count)}


def capturing(limit: int, loss: float) -> Medium:
    """At most `limit` answers are understood, each of them lost with a chance of `loss`."""

    def hear(answers: list[bytes], rng: random.Random) -> list[bytes]:
        heard = rng.sample(answers, min(limit, len(answers)))
        return [answer for answer in heard if rng.random() >= loss]

    return hear


def drowning(limit: int) -> Medium:
    """More than `limit` answers drown each other: nothing is understood, as if nobody was there."""
    return lambda answers, rng: answers if len(answers) <= limit else []


def search(devices: set[bytes], medium: Medium, seed: int, most: int) -> tuple[set[bytes], int]:
    """Who was found, and how many queries it took; who was found is registered and keeps quiet."""
    rng = random.Random(seed)
    discovery = Discovery(random.Random(seed + 1))
    found: set[bytes] = set()
    queries = 0
    while (ask := discovery.next_query()) is not None:
        queries += 1
        assert queries <= most, "no end"
        heard = medium(answering(devices - found, ask), rng)
        found.update(heard)
        discovery.answered(ask, len(heard))
    assert discovery.settled
    return found, queries


def answering(devices: set[bytes], ask: Ask) -> list[bytes]:
    chosen = (d for d in devices if ask.range.low <= id_hash(d, ask.salt) <= ask.range.high)
    return sorted(chosen)


@pytest.mark.parametrize("count", [0, 1, 2, 10, 100, 500, 2000])
@pytest.mark.parametrize("limit", [1, 4, 15])
def test_everybody_is_found_through_a_medium_that_captures_a_few(count: int, limit: int) -> None:
    devices = population(count, count)
    found, queries = search(devices, capturing(limit, 0.0), 7, most=6 * count + 100)
    assert found == devices
    assert queries <= 3 * count + 90


@pytest.mark.parametrize("limit", [1, 2, 4])
@pytest.mark.parametrize("count", [1, 2, 3, 10, 50, 200, 1000])
def test_a_crowd_that_drowns_itself_is_not_taken_for_nobody(count: int, limit: int) -> None:
    """Nothing is ever captured; over several seeds hardly a device is missed, and no crowd."""
    for seed in range(5):
        devices = population(count, seed)
        found, queries = search(devices, drowning(limit), seed, most=20 * count + 3000)
        assert not devices - found
        assert queries <= 20 * count + 2300


def test_crowds_are_missed_as_rarely_as_promised() -> None:
    """About one in four by one ladder, one in seventy by three."""
    missed = 0
    for seed in range(400):
        found, _ = search(population(40, seed), drowning(1), seed, most=10_000)
        missed += len(found) < 40
    assert missed <= 400 // 40


def test_who_is_near_for_one_salt_is_not_near_for_the_next() -> None:
    """Else the same two would drown each other's answers round after round."""
    devices = sorted(population(300, 1))
    apart = {salt: [id_hash(device, salt) for device in devices] for salt in (1, 2)}
    near = [
        [place for place in range(299) if abs(hashes[place] - hashes[place + 1]) < 1000]
        for hashes in apart.values()
    ]
    assert all(near)
    assert len(set(near[0]) & set(near[1])) <= 2
    one, other = devices[0], devices[1]
    assert len({id_hash(one, salt) ^ id_hash(other, salt) for salt in range(50)}) > 45


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 60), st.integers(1, 15), st.floats(0.0, 0.5), st.integers(0, 1 << 30))
def test_losses_cost_queries_and_nearly_nobody(
    count: int, limit: int, loss: float, seed: int
) -> None:
    """Who is missed was silent in four rounds in a row; the next search starts afresh."""
    devices = population(count, seed)
    found, _ = search(devices, capturing(limit, loss), seed, most=60 * count + 200)
    missing = devices - found
    again, _ = search(missing, capturing(limit, loss), seed + 9, most=60 * count + 200)
    assert len(missing - again) <= 1


def test_who_appears_later_is_found_after_a_restart() -> None:
    discovery = Discovery(random.Random(1))
    while (ask := discovery.next_query()) is not None:
        discovery.answered(ask, 0)
    assert discovery.next_query() is None
    discovery.restart()
    assert not discovery.settled
    assert discovery.next_query() is not None


def test_an_empty_line_costs_few_queries() -> None:
    found, queries = search(set(), capturing(15, 0.0), 1, most=50)
    assert found == set()
    assert queries <= 50


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(1, 40))
def test_parts_of_a_range_are_the_range(one: int, other: int, parts: int) -> None:
    whole = HashRange(min(one, other), max(one, other))
    pieces = whole.split(parts)
    assert (pieces[0].low, pieces[-1].high) == (whole.low, whole.high)
    assert all(a.high + 1 == b.low for a, b in pairwise(pieces))
    assert all(piece.width >= 1 for piece in pieces)
    assert len(pieces) == min(parts, whole.width)


def test_hashes_spread_over_the_whole_range_and_change_with_the_salt() -> None:
    devices = population(2000, 3)
    for salt in (0, 1, 0xFFFF):
        hashes = [id_hash(device, salt) for device in devices]
        assert all(EVERYBODY.low <= h <= EVERYBODY.high for h in hashes)
        for part in EVERYBODY.split(8):
            assert 150 <= sum(part.low <= h <= part.high for h in hashes) <= 350
    moved = sum(id_hash(device, 0) != id_hash(device, 1) for device in devices)
    assert moved == len(devices)
