"""Power cuts at every step, and a hostile peer: keys agree, no nonce repeats, nothing is let in."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from osgp.errors import OsgpError, SecurityError
from osgp.security.aes_client import DomainWish
from osgp.security.aes_device import Limits
from osgp.security.broadcast import BroadcastSender, DomainKey
from osgp.security.omak import PlcScope
from osgp.security.profile import Mode
from osgp.security.suite import OmaClient, OmaServer, OpenedRequest, Outcome
from tests.unit.security.aes_world import BODY, READ, UTILITY_KEY, World, nonce_ledger

DOMAIN = DomainKey(1, b"domain", b"D" * 16)
SEEDS = count(1000)
SECOND_KEY = b"second long term"


@pytest.fixture(autouse=True)
def ledger(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[tuple[bytes, bytes], bytes]]:
    """Every test of this file fails at once if a nonce is used for two different texts."""
    with nonce_ledger(monkeypatch.setattr) as entries:
        yield entries


class Faulty:
    """A life of a device in which the power fails at chosen points, counted from nought."""

    def __init__(self, faults: dict[int, str]) -> None:
        # A seed of its own: two lives with the same random numbers would share their keys.
        self.world, self.faults, self.points = World(next(SEEDS)), faults, count()

    def live(self) -> World:
        client = self.world.client
        client.want_long_term_key(UTILITY_KEY)
        client.want_domain_key(DomainWish(DOMAIN))
        client.want_mode(Mode.AES)
        self.world.write_client()
        self.work()
        self.world.client.want_long_term_key(SECOND_KEY)
        self.world.write_client()
        self.work()
        self.world.client.want_channel()
        self.work()
        return self.world

    def work(self) -> None:
        for _ in range(80):
            message = self.world.client.work()
            if message is None:
                return
            self.exchange(message)
        raise AssertionError("no progress")

    def exchange(self, message: bytes) -> None:
        """One message and its answer, with a possible fault before and after each writing."""
        if self.fault():
            return
        self.world.write_client()
        if self.fault():
            return
        opened = self.world.device.open_request(message)
        self.world.heard.append((message, opened.reply))
        if self.fault():
            return
        self.world.write_device()
        if self.fault() or opened.reply is None:
            return
        self.world.answer(opened.reply)
        self.fault()

    def fault(self) -> bool:
        """Does the power fail here?  What was not written by now is gone, and the answer lost."""
        what = self.faults.get(next(self.points))
        if what is None:
            return False
        if "device" in what:
            self.world.cut_device()
        if "client" in what:
            self.world.cut_client()
        else:
            self.world.client.abandon()
        return True


def assert_in_order(world: World) -> None:
    assert world.read() == BODY
    assert world.client.key_version == 2
    assert world.device.mode is Mode.AES
    assert world.device.open_request(BroadcastSender(DOMAIN).seal(READ)).apdu == READ
    world.client.want_status()
    world.work()
    status = world.client.status
    assert status is not None
    assert (status.key_version, status.next_key_version, status.generation) == (2, 2, 1)
    assert len(set(world.executed)) == len(world.executed)


def points() -> int:
    """How many points an undisturbed life has."""
    life = Faulty({})
    assert_in_order(life.live())
    return next(life.points)


@pytest.mark.parametrize("victim", ["device", "client", "device and client", "only the answer"])
def test_a_power_cut_at_any_single_step(victim: str) -> None:
    for point in range(points()):
        assert_in_order(Faulty({point: victim}).live())


def test_many_power_cuts_in_one_life() -> None:
    rng = random.Random(11)
    for _ in range(120):
        faults = {
            rng.randrange(160): rng.choice(["device", "client", "device and client", "answer"])
            for _ in range(rng.randrange(2, 25))
        }
        assert_in_order(Faulty(faults).live())


def mutations(rng: random.Random, message: bytes) -> bytes:
    """One of the ways in which a hostile peer alters a message; never the message itself."""
    at = rng.randrange(len(message)) if message else 0
    ways: list[Callable[[], bytes]] = [
        lambda: message[:at] + bytes((message[at] ^ 1 << rng.randrange(8),)) + message[at + 1 :],
        lambda: message[:at],
        lambda: message + rng.randbytes(rng.randrange(1, 9)),
        lambda: message[:at] + message[at + 1 :],
        lambda: message[:at] + rng.randbytes(1) + message[at:],
        lambda: bytes((rng.choice((0, 1, 0x10, 0x11, 0x12, 0x13)),)) + message[1:],
        lambda: message[:1] + rng.randbytes(max(0, len(message) - 1)),
        lambda: rng.randbytes(rng.randrange(120)),
    ]
    for _ in range(100):
        altered = rng.choice(ways)()
        if altered != message:
            return altered
    raise AssertionError("no way to alter it")


def test_ten_thousand_mutated_messages_reach_no_device() -> None:
    """A peer who heard this device's whole life, and another's, plays it again, altered."""
    rng = random.Random(5)
    life = Faulty({})
    target = life.live().device
    heard = [message for pair in life.world.heard for message in pair if message]
    heard += [message for message, _ in World(next(SEEDS)).commissioned().heard]
    assert len(heard) > 30
    outcomes = set()
    for _ in range(10_000):
        opened = target.open_request(mutations(rng, rng.choice(heard)))
        outcomes.add(opened.outcome)
        target.new_day()
    # A Challenge is open to anybody; what it leads to is not.
    assert outcomes <= {Outcome.BAD_DIGEST, Outcome.HANDLED, Outcome.BAD_SEQUENCE}
    assert_in_order(life.world)


def test_ten_thousand_mutated_sessions() -> None:
    """In each renewal of the channel one message is altered, on its way to or from the device."""
    rng = random.Random(10)
    world = World(next(SEEDS)).commissioned()
    for _ in range(10_000):
        world.client.want_channel()
        world.device.new_day()
        for _ in range(rng.randrange(3)):
            message = world.client.work()
            assert message is not None
            world.answer(world.deliver(message))
        mutated_exchange(rng, world)
    world.work()
    assert world.read() == BODY


def mutated_exchange(rng: random.Random, world: World) -> None:
    """The session's next message or its answer is altered: the client must not believe it."""
    message = world.client.work()
    assert message is not None
    if rng.random() < 0.5:
        reply = world.deliver(mutations(rng, message))
    else:
        answer = world.deliver(message)
        assert answer is not None
        reply = mutations(rng, answer)
    if reply is None:
        world.client.abandon()
        return
    with pytest.raises(SecurityError):
        world.client.answer(reply)


def test_thousands_of_altered_answers_convince_no_client() -> None:
    rng = random.Random(6)
    for seed in range(400):
        world = World(seed)
        world.client.want_long_term_key(UTILITY_KEY)
        while (message := world.client.work()) is not None:
            reply = world.deliver(message)
            assert reply is not None
            if rng.random() < 0.2:
                with pytest.raises(SecurityError):
                    world.client.answer(mutations(rng, reply))
            else:
                world.answer(reply)
            world.device.new_day()
        assert world.read() == BODY
        sealed = world.client.seal_request(READ)
        reply = world.deliver(sealed)
        assert reply is not None
        for _ in range(10):
            with pytest.raises(SecurityError):
                world.client.open_response(sealed, mutations(rng, reply))


def test_a_hostile_peer_between_the_two_never_locks_them_out() -> None:
    """Loss, alteration, replay and reordering at random; afterwards everything works."""
    rng = random.Random(7)
    for seed in range(150):
        world, past = World(seed), [b"\x10"]
        world.client.want_long_term_key(UTILITY_KEY)
        world.client.want_mode(Mode.AES)
        for _ in range(40):
            message = world.client.work()
            if message is None:
                world.client.want_channel()
                continue
            world.write_client()
            hostile_exchange(rng, world, message, past)
        world.device.new_day()
        world.client.abandon()
        world.work()
        assert world.read() == BODY
        assert world.device.mode is Mode.AES


def hostile_exchange(rng: random.Random, world: World, message: bytes, past: list[bytes]) -> None:
    sent = rng.choice((message, message, message, mutations(rng, message), rng.choice(past)))
    past.append(message)
    reply = world.deliver(sent)
    if reply is None or rng.random() < 0.15:
        world.client.abandon()
        return
    past.append(reply)
    world.answer(rng.choice((reply, reply, reply, mutations(rng, reply), rng.choice(past))))


def test_a_flood_is_bounded_by_lockout_and_daily_limit() -> None:
    limits = Limits(lockout_threshold=30, lockout_minutes=1)
    world = World(limits=limits).commissioned()
    stranger = World(seed=8).client.work()
    assert stranger is not None
    answers = [world.deliver(stranger, now=t / 10) for t in range(36_000)]
    assert sum(answer is not None for answer in answers) <= 98
    later = 100_000.0
    sealed = world.client.seal_request(READ)
    assert world.deliver(sealed, later) is not None


def test_mutated_legacy_messages_reach_no_device() -> None:
    rng, scope = random.Random(9), PlcScope(1, 1)
    for encrypt in (False, True):
        client, server = OmaClient(bytes(12), scope, encrypt=encrypt), OmaServer(bytes(12), scope)
        for _ in range(1500):
            sealed = client.seal_request(READ)
            assert verdict(server, mutations(rng, sealed)) is Outcome.BAD_DIGEST
            opened = server.open_request(sealed)
            answer = server.seal_response(opened, BODY)
            with pytest.raises(SecurityError):
                client.open_response(sealed, mutations(rng, answer))


def verdict(server: OmaServer, message: bytes) -> Outcome:
    try:
        opened: OpenedRequest = server.open_request(message)
    except OsgpError as error:
        raise AssertionError("a server judges, it does not raise") from error
    return opened.outcome


# --- what a neighbour or a stranger may do to a device ----------------------------------------


def test_a_neighbour_s_broadcasts_lock_nobody_out() -> None:
    """They do not verify here, and their sender meant no harm."""
    world = World(next(SEEDS), limits=Limits(lockout_threshold=3, lockout_minutes=60))
    world.client.want_domain_key(DomainWish(DOMAIN))
    world.commissioned()
    neighbour = BroadcastSender(DomainKey(1, b"others", b"N" * 16))
    for _ in range(50):
        assert world.device.open_request(neighbour.seal(READ)).reply is None
    assert not world.device.locked(0.0)
    assert world.read() == BODY
    assert world.device.open_request(BroadcastSender(DOMAIN).seal(READ)).apdu == READ


def test_a_good_broadcast_ends_a_row_of_failures() -> None:
    world = World(next(SEEDS), limits=Limits(lockout_threshold=3, lockout_minutes=60))
    world.client.want_domain_key(DomainWish(DOMAIN))
    world.commissioned()
    sender = BroadcastSender(DOMAIN)
    for _ in range(5):
        for _ in range(2):
            world.device.open_request(b"\x10" + bytes(20))
        assert world.device.open_request(sender.seal(READ)).outcome is Outcome.ACCEPTED
    assert not world.device.locked(0.0)


def test_no_epoch_comes_twice_even_if_the_power_fails_after_every_challenge() -> None:
    world, epochs = World(next(SEEDS)), list[bytes]()
    for _ in range(20):
        challenge = world.client.work()
        assert challenge is not None
        answer = world.deliver(challenge)
        assert answer is not None
        epochs.append(answer[9:13])
        world.cut_device()
        world.client.abandon()
    assert len(set(epochs)) == len(epochs)
    assert world.device.handshakes_today == 20
