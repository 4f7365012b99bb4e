"""A domain key in a street where things go wrong: thieves, lost memories, disks that are full."""

from __future__ import annotations

import pytest

from osgp.concentrator.happenings import Broadcasted, Failed
from osgp.errors import StoreError
from osgp.security.broadcast import BroadcastReceiver
from osgp.security.domain import GRACE_DAYS
from tests.support.domain import DAY, HOUR, READ, all_read, receiver, taken_in
from tests.support.street import MemoryVault, Street, neuron


def say(street: Street) -> None:
    count = len(street.told(Broadcasted))
    street.concentrator.broadcast(READ)
    street.run(60.0, lambda: len(street.told(Broadcasted)) > count)


def test_who_is_removed_during_a_renewal_does_not_take_the_next_key_with_him() -> None:
    street = taken_in(3)
    domain = street.concentrator.suites.domain
    domain.renew()
    street.run(6 * HOUR, lambda: receiver(street, 0).generation == 2)
    thief = receiver(street, 0)
    assert (thief.generation, domain.renewing) == (2, True)
    street.concentrator.decommission(neuron(0))
    street.run(2 * DAY)
    say(street)
    assert [receiver(street, number).base for number in (1, 2)] == [1, 1]
    assert thief.base == 0
    assert domain.generation > thief.generation


def test_a_renewal_that_was_asked_for_outlives_the_power() -> None:
    street = taken_in(2)
    street.concentrator.suites.domain.renew()
    street.restart()
    assert street.concentrator.suites.domain.renewing
    street.run(DAY)
    assert [receiver(street, number).generation for number in range(2)] == [2, 2]
    assert street.concentrator.suites.domain.generation == 2


def test_a_concentrator_that_lost_its_vault_is_heard_by_the_same_devices() -> None:
    """They have his former domain's key, and the utility's key of version 1."""
    street = taken_in(2)
    say(street)
    former = receiver(street, 0)._held[0].key
    street.vault = MemoryVault()
    street.restart()
    street.run(2 * DAY, all_read(street, 3))
    say(street)
    for number in range(2):
        (held,) = receiver(street, number)._held
        assert held.key.domain != former.domain
        assert held.base > 0


def test_one_device_that_takes_no_key_does_not_hold_up_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    street = taken_in(2)
    stubborn, install = receiver(street, 1), BroadcastReceiver.install
    monkeypatch.setattr(
        BroadcastReceiver,
        "install",
        lambda self, state: self is not stubborn and install(self, state),
    )
    domain = street.concentrator.suites.domain
    domain.renew()
    street.run((GRACE_DAYS - 1) * DAY)
    assert (domain.generation, domain.renewing) == (1, True)
    street.run(2 * DAY)
    assert (domain.generation, domain.renewing) == (2, False)
    say(street)
    assert (receiver(street, 0).generation, receiver(street, 0).base) == (2, 1)
    assert street.told(Failed) == []


@pytest.mark.parametrize("more", range(1, 13))
def test_what_is_said_after_a_full_disk_is_never_said_again(more: int) -> None:
    """Whether the disk had room again before the power failed or not."""
    street = taken_in(1)
    domain, said = street.concentrator.suites.domain, list[bytes]()

    def full(number: int) -> None:
        raise StoreError("the disk is full")

    street.vault.cut = full
    with pytest.raises(StoreError):
        for _ in range(40):
            said.append(domain.seal(b"\0" + READ))
    street.vault.cut = lambda number: None
    said += [domain.seal(b"\0" + READ) for _ in range(more)]
    street.restart()
    domain = street.concentrator.suites.domain
    said += [domain.seal(b"\0" + READ) for _ in range(40)]
    assert len({message[:5] for message in said}) == len(said)
