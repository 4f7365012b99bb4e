"""Power cuts of either side on the way into the new suite; removal, and other places."""

from __future__ import annotations

from itertools import count

import msgspec
import pytest

from osgp.concentrator.plan import Plan, Suite
from osgp.concentrator.vault import kept_of, state_of
from osgp.lon.config import DomainEntry
from osgp.meter import MemoryNvm
from osgp.meter.nvm import PowerCut
from osgp.security.profile import Mode
from osgp.topology import Life
from tests.support.street import Street, meter, neuron
from tests.support.suites import (
    AES,
    DAY,
    HOUR,
    MIGRATE,
    OLD_CODES,
    asked,
    has_place,
    lives,
    mode,
    settled,
    visits,
)


def cut_at(street: Street, at: int) -> None:
    """Record `at` is not kept any more."""

    def cut(number: int) -> None:
        if number == at:
            street.vault.cut = lambda number: None
            raise PowerCut

    street.vault.cut = cut


def cut_concentrator(plan: Plan, at: int) -> Street:
    """The concentrator loses power when it is about to keep record `at`."""
    street = Street(1, plan, aes={0})
    cut_at(street, at)
    try:
        street.run(8 * HOUR)
    except PowerCut:
        street.restart()
    return street


def saves(plan: Plan) -> int:
    street = Street(1, plan, aes={0})
    street.run(8 * HOUR)
    return street.vault.saves


@pytest.mark.parametrize("plan", [AES, MIGRATE], ids=["new", "migrated"])
def test_a_power_cut_of_the_concentrator_leads_forward(plan: Plan) -> None:
    steps = saves(plan)
    assert steps >= 6
    for at in range(steps):
        street = cut_concentrator(plan, at)
        street.run(14 * HOUR, lambda: settled(street))  # noqa: B023  # called before the next one
        assert settled(street), f"cut at {at}"


def cut_device(plan: Plan, at: int, *, unsynchronised: bool) -> Street | None:
    """Its memory loses power at operation `at` from the first handshake on; None: it never does."""
    street = Street(1, msgspec.structs.replace(plan, visit_every=HOUR), aes={0})
    wanted = 1
    if plan.suite is Suite.MIGRATE:
        street.run(2 * HOUR, visits(street, 1))
        wanted = 2
    nvm = street.meters[0].nvm
    assert isinstance(nvm, MemoryNvm)
    nvm._cut_at = nvm.operations + at
    try:
        street.run(8 * HOUR, visits(street, wanted))
    except PowerCut:
        memory = nvm.survivor(unsynchronised=unsynchronised)
        street.meters[0] = meter(0, street.now, aes=True, nvm=memory)
        return street
    return None


@pytest.mark.parametrize("plan", [AES, MIGRATE], ids=["new", "migrated"])
def test_a_power_cut_of_the_device_leads_forward(plan: Plan) -> None:
    for at in count():
        street = cut_device(plan, at, unsynchronised=at % 2 == 0)
        if street is None:
            break
        street.run(14 * HOUR, lambda: settled(street))  # noqa: B023  # called before the next one
        assert settled(street), f"cut at {at}"
    assert at > 20


# --- removal, and other places ---------------------------------------------------------------


def test_a_device_that_is_removed_leaves_no_key_behind() -> None:
    street = Street(1, AES, aes={0})
    street.run(HOUR, visits(street, 1))
    state = state_of(kept_of(street.vault.records[neuron(0)]))
    secrets = [state.long_term.key, state.channel.unicast, state.channel.wrap]  # type: ignore[union-attr]  # there is a channel
    assert all(secret in street.vault.records[neuron(0)] for secret in secrets)
    street.concentrator.decommission(neuron(0))
    street.run(HOUR)
    left = street.vault.records[neuron(0)]
    assert not any(secret in left for secret in secrets)
    assert lives(street) == [Life.DECOMMISSIONED]
    assert street.meters[0].address is None
    assert not street.meters[0].stack.config.domains[0].valid
    assert mode(street) is Mode.AES, "it was open for a moment only"


def test_a_removed_device_comes_back_in_the_new_suite_only() -> None:
    street = Street(1, AES, aes={0})
    street.run(HOUR, visits(street, 1))
    street.concentrator.decommission(neuron(0))
    street.run(HOUR)
    street.restart()
    street.concentrator.admit(neuron(0))
    street.run(2 * HOUR, visits(street, 2))
    assert lives(street) == [Life.OPERATING]
    assert asked(street, *OLD_CODES) == []


def test_who_did_not_hear_that_it_was_removed_is_told_when_it_answers() -> None:
    street = Street(1, AES, aes={0})
    street.run(HOUR, visits(street, 1))
    street.fate = lambda street, sender, receiver, frame: []
    street.concentrator.decommission(neuron(0))
    street.run(HOUR)
    assert lives(street) == [Life.DECOMMISSIONED]
    assert has_place(street)
    street.fate = lambda street, sender, receiver, frame: [frame]
    street.run(4 * DAY, lambda: not has_place(street))
    assert not has_place(street)
    assert lives(street) == [Life.DECOMMISSIONED]


def moved_street() -> Street:
    """A device that has a place in another domain, and is to have one here again."""
    street = Street(1, AES, aes={0})
    street.run(HOUR, visits(street, 1))
    device = street.sink.held[neuron(0)]
    street.sink.held[neuron(0)] = msgspec.structs.replace(device, state="discovered")
    entry = street.meters[0].stack.config.domains[0]
    moved = DomainEntry(b"\x01\x02\x03", 9, 9, key=entry.key, auth=entry.auth)
    street.meters[0].stack.config.domains[0] = moved
    street.meters[0].stack.reindex()
    street.restart()
    return street


def test_a_device_with_another_place_is_opened_with_its_own_key() -> None:
    """In mode 2 network management changes nothing; its concentrator may."""
    street = moved_street()
    street.run(2 * HOUR, visits(street, 2))
    assert lives(street) == [Life.OPERATING]
    assert street.meters[0].stack.config.domains[0].domain == AES.domain
    assert mode(street) is Mode.AES
    assert asked(street, *OLD_CODES) == []


def test_no_power_cut_leaves_a_device_open() -> None:
    for at in count():
        street = moved_street()
        begun = street.vault.saves
        cut_at(street, begun + at)
        try:
            street.run(2 * HOUR, visits(street, 2))
        except PowerCut:
            street.restart()
            street.run(14 * HOUR, lambda: settled(street))  # noqa: B023  # called before the next one
            assert settled(street), f"cut at {at}"
        else:
            break
    assert at >= 3
