"""OSGP-AES-128-PSK end to end: commissioning, renewals, modes, limits, and ways back."""

from __future__ import annotations

import random

import pytest

from osgp.errors import (
    DecodeError,
    InappropriateActionRequested,
    InsufficientSecurityClearance,
    LocalProtocolError,
    SecurityError,
)
from osgp.security import management
from osgp.security.aes_client import AesClient, ClientPolicy, ClientState, DomainWish
from osgp.security.aes_device import AesServer, DeviceState, Limits, next_version
from osgp.security.broadcast import BroadcastSender, DomainKey
from osgp.security.guard import EventKind
from osgp.security.handshake import LongTermKey
from osgp.security.profile import AUTHENTICATION_FAILURE, Mode
from osgp.security.suite import Outcome

from .aes_world import BODY, CONCENTRATOR, DEVICE, FACTORY_KEY, READ, UTILITY_KEY, World

DOMAIN = DomainKey(1, b"domain", b"D" * 16)


def kinds(end: AesServer | AesClient) -> list[EventKind]:
    found = []
    while (event := end.next_event()) is not None:
        found.append(event.kind)
    return found


def mode(world: World) -> Mode:
    return world.device.mode


def test_commissioning_replaces_the_factory_key() -> None:
    world = World()
    assert not world.client.established
    world.client.want_long_term_key(UTILITY_KEY)
    assert world.work() == 6  # handshake, the key, handshake under the key, its proof
    assert world.client.key_version == 1
    assert world.read() == BODY
    assert kinds(world.device) == [
        EventKind.UNICAST_KEY_CHANGED,
        EventKind.LONG_TERM_KEY_CHANGED,
        EventKind.UNICAST_KEY_CHANGED,
    ]


def test_the_factory_key_opens_no_table_and_is_gone_afterwards() -> None:
    world, thief = World(), World(seed=2)
    world.work()
    sealed = world.client.seal_request(READ)
    assert world.device.open_request(sealed).key == "FACTORY"
    world.commissioned()
    assert world.device.open_request(world.client.seal_request(READ)).key == "AES"
    challenge = thief.client.work()
    assert challenge is not None
    assert world.deliver(challenge) == AUTHENTICATION_FAILURE


def test_over_the_factory_key_only_the_utility_key_can_be_set() -> None:
    world = World()
    world.work()
    world.client.want_mode(Mode.AES)
    with pytest.raises(InsufficientSecurityClearance):
        world.work()
    assert mode(world) is Mode.RC4
    world.client.want_long_term_key(UTILITY_KEY)
    world.work()
    assert mode(world) is Mode.AES


def test_short_term_key_renewal_keeps_the_old_channel_until_the_new_is_proven() -> None:
    world = World().commissioned()
    old = world.client.seal_request(READ)
    world.client.want_channel()
    for _ in range(2):
        message = world.client.work()
        assert message is not None
        reply = world.deliver(message)
        assert reply is not None
        world.client.answer(reply)
    assert world.deliver(old) is not None
    assert world.executed == [old]
    assert world.read() == BODY
    assert world.device.open_request(old).outcome is Outcome.BAD_DIGEST


def test_a_superseded_channel_stays_closed_after_a_power_cut() -> None:
    world = World().commissioned()
    old = world.client.seal_request(READ)
    world.client.want_channel()
    world.work()
    world.cut_device()
    assert world.deliver(old) == AUTHENTICATION_FAILURE
    assert world.read() == BODY


def test_a_new_channel_is_used_before_the_next_is_begun() -> None:
    world = World().commissioned()
    world.client.want_channel()
    for _ in range(2):
        message = world.client.work()
        assert message is not None
        world.answer(world.deliver(message))
    world.client.want_channel()
    codes = []
    while (message := world.client.work()) is not None:
        codes.append(message[:2])
        world.answer(world.deliver(message))
    assert [code[:1] for code in codes] == [b"\x10", b"\x12", b"\x12", b"\x10"]
    assert codes[1:3] == [b"\x12\1", b"\x12\3"]


def test_a_device_set_back_in_time_is_refused_until_its_epochs_are_new() -> None:
    world = World().commissioned()
    past = world.device_memory
    for _ in range(2):
        world.client.want_channel()
        world.work()
    world.device = AesServer.restore(past, world.entropy)
    world.client.want_channel()
    world.client.abandon()
    challenge = world.client.work()
    assert challenge is not None
    reply = world.deliver(challenge)
    assert reply is not None
    with pytest.raises(SecurityError):
        world.client.answer(reply)
    world.work()
    assert world.read() == BODY


@pytest.mark.parametrize("delivered", [True, False])
@pytest.mark.parametrize("held", [0, 1])
def test_whichever_long_term_key_the_device_holds_is_found(delivered: bool, held: int) -> None:
    """The concentrator's memory of what it delivered may be wrong either way."""
    older, newer = LongTermKey(0, FACTORY_KEY), LongTermKey(1, UTILITY_KEY)
    world = World()
    state = ClientState(DEVICE, older, next_long_term=newer, next_delivered=delivered)
    world.client = AesClient(state, CONCENTRATOR, world.entropy)
    world.device = AesServer(DeviceState(DEVICE, (older, newer)[held]), world.entropy)
    world.work()
    assert world.client.key_version == 1
    assert world.read() == BODY


def test_long_term_key_update() -> None:
    world = World().commissioned()
    world.client.want_long_term_key(b"new long-term k.")
    with pytest.raises(LocalProtocolError, match="under way"):
        world.client.want_long_term_key(UTILITY_KEY)
    world.work()
    assert world.client.key_version == 2
    assert world.read() == BODY


def test_versions_go_round_without_the_factory_s() -> None:
    assert [next_version(v) for v in (0, 1, 65534, 65535)] == [1, 2, 65535, 1]


def test_status_shows_what_the_device_holds() -> None:
    world = World().commissioned()
    world.client.want_domain_key(DomainWish(DOMAIN, base=40))
    world.client.want_mode(Mode.AES)
    world.client.want_status()
    world.work()
    status = world.client.status
    assert status is not None
    assert (status.key_version, status.next_key_version, status.mode) == (1, 1, Mode.AES)
    assert (status.generation, status.base, status.handshakes) == (1, 40, 2)
    assert (status.unicast_uses, status.broadcast_uses) == (world.device.unicast_uses - 1, 0)


def test_domain_key_and_broadcast() -> None:
    world = World().commissioned()
    world.client.want_domain_key(DomainWish(DOMAIN))
    world.work()
    sender = BroadcastSender(DOMAIN)
    sealed = sender.seal(READ)
    assert len(sealed) == len(READ) + 12
    heard = world.device.open_request(sealed)
    assert (heard.outcome, heard.apdu, heard.key, heard.reply) == (
        Outcome.ACCEPTED,
        READ,
        "AES",
        None,
    )
    assert world.device.seal_response(heard, BODY) == b""
    assert world.device.open_request(sealed).outcome is Outcome.BAD_SEQUENCE
    assert world.device.broadcast_uses == 1


def test_an_older_domain_key_is_refused() -> None:
    world = World().commissioned()
    world.client.want_domain_key(DomainWish(DomainKey(5, b"domain", b"E" * 16)))
    world.work()
    world.client.want_domain_key(DomainWish(DOMAIN))
    with pytest.raises(InappropriateActionRequested):
        world.work()


def test_mode_goes_back_only_inside_the_channel() -> None:
    world = World().commissioned()
    world.client.want_mode(Mode.AES)
    world.work()
    assert mode(world) is Mode.AES
    world.client.want_mode(Mode.RC4)
    world.work()
    assert mode(world) is Mode.RC4
    assert kinds(world.device).count(EventKind.MODE_CHANGED) == 2


def test_other_messages_get_the_same_refusal() -> None:
    world = World().commissioned()
    for message in (
        b"",
        b"\x00",
        b"\x01" * 30,
        b"\x14",
        b"\x12",
        b"\x12\1",
        b"\x10" * 30,
        b"\x13\2",
    ):
        assert world.deliver(message) == AUTHENTICATION_FAILURE
    assert world.deliver(b"\x11" * 40) is None


def test_a_hundred_handshakes_a_day() -> None:
    world, stranger = World().commissioned(), World(seed=3)
    challenge = stranger.client.work()
    assert challenge is not None
    for _ in range(98):
        assert world.deliver(challenge) == AUTHENTICATION_FAILURE
    assert world.device.handshakes_today == 100
    assert EventKind.HANDSHAKE_LIMIT in kinds(world.device)
    assert world.deliver(challenge) is None
    world.cut_device()
    assert world.deliver(challenge) is None
    assert world.read() == BODY  # the channel is not concerned
    world.device.new_day()
    world.client.want_channel()
    world.work()
    assert world.device.handshakes_today == 1


def test_lockout_after_failures_in_a_row() -> None:
    world = World(limits=Limits(lockout_threshold=30, lockout_minutes=5)).commissioned()
    forged = world.client.seal_request(READ)[:-1] + b"\0"
    for second in range(29):
        assert world.deliver(forged, now=second) == AUTHENTICATION_FAILURE
    assert world.read() == BODY  # one good one: no longer in a row
    for second in range(30):
        assert world.deliver(forged, now=100.0 + second) == AUTHENTICATION_FAILURE
    good = world.client.seal_request(READ)
    assert world.deliver(good, now=130.0) is None
    world.cut_device()
    assert world.deliver(good, now=7000.0) is None  # a power cut is no way out
    assert world.deliver(good, now=7299.9) is None
    assert world.deliver(good, now=7300.0) is not None
    world.cut_device()
    assert world.deliver(good, now=0.0) is not None


def test_challenges_do_not_hide_failures() -> None:
    world = World(limits=Limits(lockout_threshold=3, lockout_minutes=1)).commissioned()
    challenge = World(seed=9).commissioned().client
    challenge.want_channel()
    message = challenge.work()
    assert message is not None
    for _ in range(3):
        world.deliver(b"\x10" * 30)
        world.deliver(message)
    assert world.device.locked(0.0)


def test_an_exhausted_key_is_renewed() -> None:
    world = World(limits=Limits(uses=60)).commissioned()
    for _ in range(80):
        try:
            assert world.read() == BODY
        except SecurityError:
            world.work()
    assert world.read() == BODY
    assert EventKind.KEY_EXHAUSTED in kinds(world.device)


def test_the_client_renews_at_eighty_percent_and_with_age() -> None:
    world = World(policy=ClientPolicy(uses=100, validity_days=30)).commissioned()
    while world.client.work() is None:
        world.read()
    assert EventKind.KEY_USAGE_HIGH in kinds(world.client)
    assert world.work() == 3
    for _ in range(30):
        assert world.client.work() is None
        world.client.new_day()
    assert world.work() == 3
    assert world.client.work() is None


def test_a_device_that_forgot_its_channel_gets_a_new_one() -> None:
    world = World().commissioned()
    forgetful = World(seed=4).commissioned()
    world.device = forgetful.device  # same keys, another history
    with pytest.raises(SecurityError):
        world.read()
    world.client.abandon()
    world.work()
    assert world.read() == BODY


def test_work_repeats_itself_until_answered() -> None:
    world = World()
    first = world.client.work()
    assert first == world.client.work()
    world.client.abandon()
    assert first != world.client.work()
    with pytest.raises(LocalProtocolError):
        World().client.answer(b"")


def test_no_channel_no_request() -> None:
    with pytest.raises(LocalProtocolError):
        World().client.seal_request(READ)
    with pytest.raises(LocalProtocolError):
        World().client.want_long_term_key(b"short")


def test_commands_that_are_none_are_refused() -> None:
    world = World().commissioned()
    for tail in (b"", b"\x09", b"\x01\0\1", b"\x01\0\2" + bytes(24), b"\x03\x01", b"\x04\0"):
        sealed = world.client.seal_request(b"\0\x78" + tail)
        reply = world.deliver(sealed)
        assert reply is not None
        assert world.client.open_response(sealed, reply) == b"\0\x05"
    assert world.device.mode is Mode.RC4


def test_a_key_for_a_version_in_the_future_is_refused() -> None:
    world = World().commissioned()
    channel = world.client._channel
    assert channel is not None

    def command(sequence: int) -> bytes:
        head = management.encode(management.LongTermKeyUpdate(0, 0x78, 1, 3, bytes(24)))[:-24]
        return head + channel.wrap(b"k" * 16, sequence, head)

    sealed = channel.seal_numbered(command)
    reply = world.deliver(sealed)
    assert reply is not None
    assert channel.open_response(sealed, reply) == b"\0\x05"


@pytest.mark.parametrize("stored", [b"", b"\xc1", b"\x90", b"\x81\xa1a\x01"])
def test_other_bytes_are_no_state(stored: bytes) -> None:
    entropy = random.Random(1).randbytes
    with pytest.raises(DecodeError):
        AesServer.restore(stored, entropy)
    with pytest.raises(DecodeError):
        AesClient.restore(stored, CONCENTRATOR, entropy)


def test_keys_are_not_shown() -> None:
    world = World().commissioned()
    world.client.want_domain_key(DomainWish(DOMAIN))
    world.work()
    shown = repr((vars(world.device), vars(world.client)))
    for key in (UTILITY_KEY, DOMAIN.key):
        assert key.hex() not in shown
        assert repr(key)[2:-1] not in shown
