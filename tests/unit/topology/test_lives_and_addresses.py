"""The lifecycle as a table, and addresses that are given once."""

from __future__ import annotations

import pytest

from osgp.errors import LocalProtocolError
from osgp.lon import SubnetNode
from osgp.topology import AddressPool, Happening, Life, after
from osgp.topology.addressing import NODES, SUBNETS
from osgp.topology.lifecycle import TRANSITIONS


def test_every_life_is_entered_and_left() -> None:
    assert {life for life, _ in TRANSITIONS} == set(Life)
    assert set(TRANSITIONS.values()) == set(Life)
    assert {happening for _, happening in TRANSITIONS} == set(Happening)


def test_every_life_leads_back_to_being_read() -> None:
    reaches = {Life.OPERATING}
    while more := {a for (a, _), b in TRANSITIONS.items() if b in reaches} - reaches:
        reaches |= more
    assert reaches == set(Life)


def test_silence_and_refusal_leave_no_life_undecided() -> None:
    for life in (Life.DISCOVERED, Life.COMMISSIONED, Life.OPERATING, Life.LOST, Life.REFUSED):
        for happening in (Happening.SILENT, Happening.UNVERIFIED, Happening.FOUND_AGAIN):
            assert isinstance(after(life, happening), Life)
    assert after(Life.OPERATING, Happening.FOUND_AGAIN) is Life.DISCOVERED
    assert after(Life.OPERATING, Happening.UNVERIFIED) is Life.REFUSED


def test_only_an_addressed_device_is_read() -> None:
    with pytest.raises(LocalProtocolError, match="read cannot happen to a device that is disc"):
        after(Life.DISCOVERED, Happening.READ)
    with pytest.raises(LocalProtocolError):
        after(Life.OPERATING, Happening.ADDRESSED)


def test_addresses_are_given_once_and_end() -> None:
    taken = [SubnetNode(1, 1), SubnetNode(1, 127), SubnetNode(2, 5)]
    pool = AddressPool(taken)
    given = [pool.take() for _ in range(len(SUBNETS) * len(NODES) - 2)]
    assert len(set(given)) == len(given)
    assert not set(given) & set(taken)
    assert all(1 <= a.subnet <= 255 and 1 <= a.node <= 126 for a in given)
    with pytest.raises(LocalProtocolError, match="no free address"):
        pool.take()
