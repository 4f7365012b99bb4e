"""Renewal of a domain key over several devices, with power cuts of the concentrator."""

from __future__ import annotations

import random

import pytest

from osgp.errors import DecodeError, LocalProtocolError
from osgp.security.domain import DomainKeys
from osgp.security.suite import Outcome

from .aes_world import READ, World

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
    assert hear(far, domain.seal(READ)) is Outcome.BAD_DIGEST
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
