"""What is known of links, and how it ages."""

from __future__ import annotations

import pytest

from osgp.topology import Carrier, Links
from osgp.topology.links import AMPLE_DB, FORGET_AFTER, HALF_LIFE, guess

A, B, C = (bytes((n,)) * 6 for n in (1, 2, 3))
PRIMARY, SECONDARY = Carrier


def quality(links: Links, now: float = 0.0, carrier: Carrier = PRIMARY) -> float:
    record = links.get(A, B, carrier)
    assert record is not None
    return record.quality(now)


def test_both_directions_are_one_link_and_the_worse_counts() -> None:
    links = Links()
    links.heard(B, A, PRIMARY, 12.0, 0.0)
    links.heard(A, B, PRIMARY, 4.0, 0.0)
    record = links.get(B, A, PRIMARY)
    assert record == links.get(A, B, PRIMARY)
    assert record is not None
    assert (record.one, record.other) == (A, B)
    assert (record.forth_db, record.back_db, record.strength_db) == (4.0, 12.0, 4.0)
    assert len(links) == 1


def test_carriers_are_links_of_their_own() -> None:
    links = Links()
    links.heard(A, B, PRIMARY, 1.0, 0.0)
    links.heard(A, B, SECONDARY, 20.0, 0.0)
    assert len(links) == 2
    assert quality(links, carrier=SECONDARY) > quality(links)
    assert links.neighbours(A) == (B,)


def test_margins_are_smoothed() -> None:
    links = Links()
    for margin in (10.0, 20.0):
        links.heard(A, B, PRIMARY, margin, 0.0)
    record = links.get(A, B, PRIMARY)
    assert record is not None and record.forth_db is not None
    assert 10.0 < record.forth_db < 20.0


def test_failures_outweigh_a_good_margin_and_fade() -> None:
    links = Links()
    links.heard(A, B, PRIMARY, AMPLE_DB, 0.0)
    fresh = quality(links)
    links.tried(A, B, PRIMARY, 0.0, worked=False, misses=9)
    bad = quality(links)
    assert bad < 0.3 < 0.9 < fresh
    later = [quality(links, age * HALF_LIFE) for age in (0, 1, 2, 5, 10)]
    assert later == sorted(later)
    assert later[-1] == pytest.approx(fresh, abs=0.02)


def test_successes_outweigh_a_bad_margin() -> None:
    links = Links()
    links.heard(A, B, PRIMARY, -3.0, 0.0)
    before = quality(links)
    for _ in range(20):
        links.tried(A, B, PRIMARY, 0.0, worked=True)
    assert before < 0.1
    assert quality(links) > 0.8


def test_an_ample_margin_is_as_good_as_any_larger_one() -> None:
    assert guess(AMPLE_DB) == guess(60.0) > guess(AMPLE_DB - 5)
    assert guess(None) == 0.5


def test_what_is_too_old_is_not_mixed_with_what_is_new() -> None:
    links = Links()
    links.tried(A, B, PRIMARY, 0.0, worked=False, misses=1000)
    links.heard(A, B, PRIMARY, AMPLE_DB, FORGET_AFTER + 1)
    assert quality(links, FORGET_AFTER + 1) == pytest.approx(guess(AMPLE_DB))


def test_changes_are_told_once_and_can_be_taken_up() -> None:
    links = Links()
    links.heard(A, B, PRIMARY, 5.0, 1.0)
    links.heard(A, C, SECONDARY, 6.0, 2.0)
    links.tried(A, B, PRIMARY, 3.0, worked=True, misses=2)
    told = links.changed()
    assert len(told) == 2
    assert links.changed() == []
    assert list(Links(told)) == told
    assert set(Links(told).neighbours(A)) == {B, C}


def test_a_node_has_no_link_to_itself() -> None:
    links = Links()
    links.heard(A, A, PRIMARY, 30.0, 0.0)
    assert len(links) == 0


def test_a_node_can_be_forgotten() -> None:
    links = Links()
    links.heard(A, B, PRIMARY, 5.0, 0.0)
    links.heard(B, C, PRIMARY, 5.0, 0.0)
    links.forget(B)
    assert len(links) == 0
    assert links.neighbours(A) == links.neighbours(C) == ()
    assert links.changed() == []
