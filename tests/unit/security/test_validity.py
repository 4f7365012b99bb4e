"""Validity periods on the device: a short-term key ends, a long-term key only complains."""

from __future__ import annotations

from osgp.security.aes_client import DomainWish
from osgp.security.aes_device import Limits
from osgp.security.broadcast import BroadcastSender, DomainKey
from osgp.security.guard import EventKind
from osgp.security.profile import AUTHENTICATION_FAILURE
from osgp.security.suite import Outcome

from .aes_world import BODY, READ, World

LIMITS = Limits(validity_days=10)
DOMAIN = DomainKey(1, b"domain", b"D" * 16)


def events(world: World) -> list[EventKind]:
    found = []
    while (event := world.device.next_event()) is not None:
        found.append(event.kind)
    return found


def grown(days: int) -> World:
    """Commissioned, and then so many days without any renewal."""
    world = World(limits=LIMITS).commissioned()
    world.client.want_domain_key(DomainWish(DOMAIN))
    world.work()
    world.read()
    events(world)
    for _ in range(days):
        world.device.grow(1)
    world.write_device()
    return world


def test_at_eighty_percent_every_key_complains_and_works() -> None:
    world = grown(8)
    assert events(world) == [EventKind.KEY_AGING] * 3
    assert world.read() == BODY
    assert world.device.open_request(BroadcastSender(DOMAIN).seal(READ)).apdu == READ


def test_an_expired_channel_opens_nothing_and_the_handshake_makes_a_new_one() -> None:
    world = grown(10)
    sealed = world.client.seal_request(READ)
    assert world.deliver(sealed) == AUTHENTICATION_FAILURE
    world.client.want_channel()
    world.work()
    assert world.read() == BODY
    assert world.deliver(sealed) == AUTHENTICATION_FAILURE


def test_an_expired_domain_key_is_silent_until_the_next_generation_and_cannot_come_back() -> None:
    world = grown(10)
    sender = BroadcastSender(DOMAIN)
    assert world.device.open_request(sender.seal(READ)).outcome is Outcome.BAD_DIGEST
    world.client.want_channel()
    world.client.want_domain_key(DomainWish(DOMAIN))
    world.work()
    assert world.device.open_request(sender.seal(READ)).outcome is Outcome.BAD_DIGEST
    newer = DomainKey(2, b"domain", b"E" * 16)
    world.client.want_domain_key(DomainWish(newer))
    world.work()
    assert world.device.open_request(BroadcastSender(newer).seal(READ)).apdu == READ


def test_days_survive_power_cuts_and_end_with_the_renewal() -> None:
    world = grown(9)
    world.cut_device()
    world.device.grow(1)
    assert EventKind.KEY_EXPIRED in events(world)
    world.client.want_channel()
    world.client.want_long_term_key(b"second long term")
    world.work()
    world.device.grow(9)
    assert world.read() == BODY
    assert events(world).count(EventKind.KEY_AGING) == 2


def test_an_old_long_term_key_locks_nobody_out() -> None:
    world = grown(1000)
    world.client.want_channel()
    world.work()
    assert world.read() == BODY


def test_a_set_lockout_survives_a_power_cut() -> None:
    world = World(limits=LIMITS).commissioned()
    world.device.set_lockout(2, 3)
    world.write_device()
    world.cut_device()
    assert world.device.lockout == (2, 3)
    for _ in range(2):
        world.deliver(b"\x10" * 30, now=5.0)
    assert world.deliver(b"\x10" * 30, now=5.0 + 3 * 60 - 1) is None
    assert world.deliver(b"\x10" * 30, now=5.0 + 3 * 60) == AUTHENTICATION_FAILURE
