"""Renewal of a domain key over several devices, with power cuts of the concentrator."""

from __future__ import annotations

import random

import msgspec
import pytest

from osgp.errors import DecodeError, LocalProtocolError, SecurityError, ServiceError
from osgp.security.aes_client import AesClient, ClientState, DomainWish
from osgp.security.domain import GRACE_DAYS, DomainKeys
from osgp.security.handshake import LongTermKey
from osgp.security.suite import Outcome

from .aes_world import READ, UTILITY_KEY, World

ENTROPY = random.Random(21).randbytes


def worlds(count: int = 3) -> list[World]:
    return [World(seed, device=bytes((seed,)) * 6).commissioned() for seed in range(50, 50 + count)]


def hear(world: World, message: bytes) -> Outcome:
    return world.device.open_request(message).outcome


def hand_out(domain: DomainKeys, world: World) -> None:
    while domain.hand_to(world.client):
        world.work()


def test_broadcasts_work_at_every_moment_of_a_renewal() -> None:
    domain, all_of_them = DomainKeys.create(b"domain", ENTROPY), worlds()
    for world in all_of_them:
        hand_out(domain, world)
    domain.renew(ENTROPY)
    for world in all_of_them:
        assert not domain.everybody_has_it([w.client for w in all_of_them])
        assert {hear(w, message) for message in [domain.seal(READ)] for w in all_of_them} == {
            Outcome.ACCEPTED
        }
        domain = DomainKeys.restore(domain.export_state())
        hand_out(domain, world)
    assert domain.everybody_has_it([w.client for w in all_of_them])
    domain.complete()
    assert (domain.generation, domain.renewing) == (2, False)
    message = domain.seal(READ)
    assert {hear(w, message) for w in all_of_them} == {Outcome.ACCEPTED}


def test_a_device_left_behind_gets_the_key_later() -> None:
    domain, (near, far) = DomainKeys.create(b"domain", ENTROPY), worlds(2)
    hand_out(domain, near)
    hand_out(domain, far)
    domain.renew(ENTROPY)
    hand_out(domain, near)
    domain.complete()
    for _ in range(1500):
        assert hear(near, domain.seal(READ)) is Outcome.ACCEPTED
    assert hear(far, domain.seal(READ)) is not Outcome.ACCEPTED
    hand_out(domain, far)
    assert hear(far, domain.seal(READ)) is Outcome.ACCEPTED


def test_a_device_of_another_domain_gets_the_key_of_the_same_generation() -> None:
    before, after = (DomainKeys.create(name, ENTROPY) for name in (b"before", b"after!"))
    (world,) = worlds(1)
    hand_out(before, world)
    recorded = before.seal(READ)
    hand_out(after, world)
    assert hear(world, recorded) is Outcome.BAD_DIGEST
    assert hear(world, after.seal(READ)) is Outcome.ACCEPTED


def test_no_broadcast_comes_twice_after_power_cuts() -> None:
    domain = DomainKeys.create(b"domain", ENTROPY)
    stored, sent = domain.export_state(), set[bytes]()
    for turn in range(200):
        message = domain.seal(READ)
        if domain.must_persist:
            stored = domain.export_state()
        assert message not in sent
        sent.add(message)
        if turn % 9 == 0:
            domain = DomainKeys.restore(stored)
            stored = domain.export_state()


def test_a_renewal_goes_on_unchanged() -> None:
    domain, (world,) = DomainKeys.create(b"domain", ENTROPY), worlds(1)
    domain.renew(ENTROPY)
    hand_out(domain, world)
    domain.renew(ENTROPY)
    assert domain.everybody_has_it([world.client])
    assert world.client.work() is None


def test_misuse_is_refused() -> None:
    domain = DomainKeys.create(b"domain", ENTROPY)
    with pytest.raises(LocalProtocolError):
        domain.complete()
    with pytest.raises(LocalProtocolError):
        DomainKeys.create(b"short", ENTROPY)
    for stored in (b"", b"\x90", b"\x91\x93\x01\xc4\x00\xc4\x00"):
        with pytest.raises(DecodeError):
            DomainKeys.restore(stored)
    assert domain._state.key.key.hex() not in repr(vars(domain))


def test_a_generation_is_worn_by_uses_or_by_days_and_fresh_after_its_renewal() -> None:
    by_uses = DomainKeys.create(b"domain", ENTROPY, limit=100)
    while not by_uses.worn:
        by_uses.seal(READ)
    assert int.from_bytes(by_uses.seal(READ)[1:5], "big") == 81
    by_days = DomainKeys.create(b"domain", ENTROPY, validity=3)
    for _ in range(3):
        assert not by_days.worn
        by_days.new_day()
        assert by_days.must_persist
        by_days = DomainKeys.restore(by_days.export_state(), validity=3)
    for domain in (by_uses, by_days):
        assert domain.worn
        domain.renew(ENTROPY)
        domain.complete()
        assert not domain.worn


def test_a_renewal_asked_for_during_another_follows_it() -> None:
    """Who was removed meanwhile may have the generation that is on its way."""
    domain, (removed, stays) = DomainKeys.create(b"domain", ENTROPY), worlds(2)
    for world in (removed, stays):
        hand_out(domain, world)
    domain.renew(ENTROPY)
    hand_out(domain, removed)
    domain.renew(ENTROPY)
    hand_out(domain, stays)
    domain.complete()
    domain = DomainKeys.restore(domain.export_state())
    assert domain.worn
    domain.renew(ENTROPY)
    assert domain.renewing
    hand_out(domain, stays)
    domain.complete()
    assert (domain.generation, domain.worn) == (3, False)
    message = domain.seal(READ)
    assert hear(removed, message) is Outcome.BAD_DIGEST
    assert hear(stays, message) is Outcome.ACCEPTED


def test_a_renewal_waits_so_many_days_and_no_longer() -> None:
    domain = DomainKeys.create(b"domain", ENTROPY)
    for _ in range(10):
        domain.new_day()
    domain.renew(ENTROPY)
    for _ in range(GRACE_DAYS):
        assert not domain.overdue
        domain.new_day()
        domain = DomainKeys.restore(domain.export_state())
    assert domain.overdue
    domain.complete()
    assert not domain.overdue


def test_nobody_is_waited_for_when_the_uses_are_near_their_end() -> None:
    domain = DomainKeys.create(b"domain", ENTROPY, limit=100)
    domain.renew(ENTROPY)
    while not domain.overdue:
        domain.seal(READ)
    assert int.from_bytes(domain.seal(READ)[1:5], "big") == 96


def test_a_domain_s_generations_end() -> None:
    domain = DomainKeys.create(b"domain", ENTROPY)
    key = msgspec.structs.replace(domain._state.key, generation=0xFFFF)
    last = DomainKeys(msgspec.structs.replace(domain._state, key=key))
    with pytest.raises(LocalProtocolError, match="another id"):
        last.renew(ENTROPY)


def test_only_a_confirmed_key_counts() -> None:
    domain, (world,) = DomainKeys.create(b"domain", ENTROPY), worlds(1)
    hand_out(domain, world)
    domain.renew(ENTROPY)
    assert domain.hand_to(world.client)
    assert not domain.everybody_has_it([world.client])
    world.work()
    assert domain.everybody_has_it([world.client])


def test_each_renewal_waits_anew() -> None:
    domain = DomainKeys.create(b"domain", ENTROPY)
    for _ in range(2):
        domain.renew(ENTROPY)
        for _ in range(GRACE_DAYS - 1):
            domain.new_day()
        assert not domain.overdue
        domain.complete()


# --- devices that were in other hands ----------------------------------------------------------


def other_hands(world: World) -> AesClient:
    """Another concentrator, with the same utility's key and a memory of its own."""
    state = ClientState(world.device._state.device, LongTermKey(1, UTILITY_KEY))
    return AesClient(state, b"other!", world.entropy)


def meanwhile(world: World, domain: DomainKeys) -> None:
    """Somebody else gives the device his domain's key."""
    own, world.client = world.client, other_hands(world)
    hand_out(domain, world)
    world.client = own


def back_again(world: World) -> None:
    """Its first concentrator asks, is refused, and makes a channel of its own."""
    sealed = world.client.seal_request(READ)
    answer = world.deliver(sealed)
    assert answer is not None
    with pytest.raises(SecurityError):
        world.client.open_response(sealed, answer)
    world.work()


@pytest.mark.parametrize("renewing", [False, True])
def test_a_device_that_comes_back_hears_again(renewing: bool) -> None:
    home, abroad = (DomainKeys.create(name, ENTROPY) for name in (b"home!!", b"abroad"))
    (world,) = worlds(1)
    hand_out(home, world)
    recorded = [home.seal(READ) for _ in range(20)]
    assert {hear(world, message) for message in recorded} == {Outcome.ACCEPTED}
    if renewing:
        home.renew(ENTROPY)
        hand_out(home, world)
    meanwhile(world, abroad)
    assert hear(world, home.seal(READ)) is not Outcome.ACCEPTED
    back_again(world)
    hand_out(home, world)
    assert Outcome.ACCEPTED not in {hear(world, message) for message in recorded}
    assert hear(world, home.seal(READ)) is Outcome.ACCEPTED
    assert hear(world, abroad.seal(READ)) is not Outcome.ACCEPTED
    if renewing:
        assert home.everybody_has_it([world.client])
        home.complete()
        assert hear(world, home.seal(READ)) is Outcome.ACCEPTED


def test_a_wish_that_is_older_than_the_channel_lets_nothing_old_in() -> None:
    """The key was sent with number 0; the answer was lost, and the device left and came back."""
    home, abroad = (DomainKeys.create(name, ENTROPY) for name in (b"home!!", b"abroad"))
    (world,) = worlds(1)
    assert home.hand_to(world.client)
    message = world.client.work()
    assert message is not None
    world.write_client()
    world.deliver(message)
    world.client.abandon()
    recorded = [home.seal(READ) for _ in range(20)]
    assert {hear(world, message) for message in recorded} == {Outcome.ACCEPTED}
    meanwhile(world, abroad)
    world.client.want_channel()
    back_again(world)
    assert Outcome.ACCEPTED not in {hear(world, message) for message in recorded}
    hand_out(home, world)
    assert {hear(world, message) for message in recorded} == {Outcome.BAD_SEQUENCE}
    assert hear(world, home.seal(READ)) is Outcome.ACCEPTED


def test_a_forgotten_device_in_the_middle_of_a_renewal_is_told_all() -> None:
    """Its record was lost, not its keys: it has both generations."""
    domain, (world,) = DomainKeys.create(b"domain", ENTROPY), worlds(1)
    hand_out(domain, world)
    domain.renew(ENTROPY)
    hand_out(domain, world)
    world.client = other_hands(world)
    hand_out(domain, world)
    assert domain.everybody_has_it([world.client])
    assert hear(world, domain.seal(READ)) is Outcome.ACCEPTED
    domain.complete()
    assert hear(world, domain.seal(READ)) is Outcome.ACCEPTED


def test_a_key_that_was_refused_is_remembered() -> None:
    """The device may have it all the same: whoever removes it renews the key."""
    domain, (world,) = DomainKeys.create(b"domain", ENTROPY), worlds(1)
    newer = msgspec.structs.replace(domain._state.key, generation=7)
    world.client.want_domain_key(DomainWish(newer))
    world.work()
    assert domain.hand_to(world.client)
    with pytest.raises(ServiceError):
        world.work()
    assert world.client.work() is None
    assert world.client.domain_wish is not None
    assert not world.client.holds(domain._state.key)
    assert domain.hand_to(world.client)
