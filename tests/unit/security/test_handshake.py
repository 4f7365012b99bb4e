"""Secure channel initialisation: agreement, order, choice of suite, and every way to refuse."""

from __future__ import annotations

import random
from itertools import product

import pytest

from osgp.errors import LocalProtocolError, SecurityError
from osgp.security import handshake, profile
from osgp.security.aes import osgp_kdf, osgp_mac
from osgp.security.context import ChannelState
from osgp.security.handshake import (
    INITIATOR,
    RESPONDER,
    Initiator,
    InitiatorState,
    LongTermKey,
    Responder,
    ResponderState,
)
from osgp.security.machine import mermaid

DEVICE, OTHER = b"device", b"devicf"
CONCENTRATOR = b"concen"
KEY = LongTermKey(3, bytes(range(16)))


def ends(
    offered: tuple[int, ...] = (0x02,), supported: tuple[int, ...] = (0x02,), seed: int = 5
) -> tuple[Initiator, Responder]:
    entropy = random.Random(seed).randbytes
    return (
        Initiator(CONCENTRATOR, DEVICE, offered, entropy),
        Responder(DEVICE, supported, entropy),
    )


def run(initiator: Initiator, responder: Responder, epoch: int = 8) -> list[bytes]:
    """All four messages of an undisturbed handshake."""
    first = initiator.start(KEY, last_epoch=7)
    second = responder.challenged(first, (KEY,), epoch)
    third = initiator.receive(second)
    assert isinstance(third, bytes)
    return [first, second, third, responder.confirmed(third)[0]]


def channel(initiator: Initiator, message: bytes) -> ChannelState:
    made = initiator.receive(message)
    assert isinstance(made, ChannelState)
    return made


def test_both_sides_make_the_same_channel() -> None:
    initiator, responder = ends()
    first = initiator.start(KEY, last_epoch=7)
    third = initiator.receive(responder.challenged(first, (LongTermKey(2, bytes(16)), KEY), 8))
    assert isinstance(third, bytes)
    fourth, theirs = responder.confirmed(third)
    ours = channel(initiator, fourth)
    assert ours == theirs
    assert (ours.suite, ours.device, ours.epoch, ours.factory) == (0x02, DEVICE, 8, False)
    assert (initiator.state, responder.state) == (
        InitiatorState.ESTABLISHED,
        ResponderState.PROVEN,
    )


def test_the_key_schedule_is_as_documented() -> None:
    initiator, responder = ends()
    messages = run(initiator, responder)
    made = channel(initiator, messages[3])
    random_c, random_d = messages[0][11:27], messages[1][13:29]
    context = b"\x02\x00\x03\0\0\0\x08" + random_d + DEVICE + random_c + CONCENTRATOR
    master = osgp_kdf(KEY.key, b"OSGP-AES v1 master", context)
    mac_key, wrap, unicast = (
        osgp_kdf(master, b"OSGP-AES v1 session", context, 48)[i : i + 16] for i in (0, 16, 32)
    )
    assert (made.wrap, made.unicast) == (wrap, unicast)
    for i in (1, 2, 3):
        covered = b"".join(messages[:i]) + messages[i][:-16]
        assert osgp_mac(mac_key, covered) == messages[i][-16:]


def test_messages_fit_the_power_line() -> None:
    assert [len(message) for message in run(*ends())] == [29, 47, 22, 22]
    assert max(len(message) for message in run(*ends((0x02,) * 8, (0x02,) * 8))) <= 114


def test_the_same_confirm_is_answered_alike() -> None:
    initiator, responder = ends()
    messages = run(initiator, responder)
    assert responder.repeated(messages[2]) == messages[3]
    assert responder.repeated(messages[2][:-1] + b"\0") is None
    with pytest.raises(SecurityError):
        responder.confirmed(messages[2])


@pytest.mark.parametrize(
    ("offered", "supported", "chosen"),
    [
        ((0x02,), (0x02, 0x12), 0x02),
        ((0x02, 0x12), (0x02,), 0x02),
        ((0x02, 0x12), (0x12, 0x02), 0x12),
        ((0x77, 0x12), (0x02, 0x12, 0x77), 0x12),
    ],
)
def test_the_strongest_common_suite_is_chosen(
    offered: tuple[int, ...], supported: tuple[int, ...], chosen: int
) -> None:
    initiator, responder = ends(offered, supported)
    assert channel(initiator, run(initiator, responder)[3]).suite == chosen


def test_no_common_suite_is_refused() -> None:
    initiator, responder = ends((0x12,), (0x02,))
    with pytest.raises(SecurityError):
        responder.challenged(initiator.start(KEY, 0), (KEY,), 1)


def test_a_suite_struck_off_the_offer_is_noticed() -> None:
    initiator, responder = ends((0x02, 0x12), (0x02, 0x12))
    first = initiator.start(KEY, 0)
    struck = first[:27] + b"\1\2"
    with pytest.raises(SecurityError):
        initiator.receive(responder.challenged(struck, (KEY,), 1))
    assert initiator.state is InitiatorState.IDLE


def test_a_weaker_choice_than_possible_is_refused_even_if_signed() -> None:
    """A device that claims both suites and takes the weaker one: the concentrator refuses."""
    initiator, responder = ends((0x02, 0x12), (0x02,))
    first = initiator.start(KEY, 0)
    responder.challenged(first, (KEY,), 1)
    challenge = profile.decode(profile.Challenge, first)
    answer = profile.ChallengeResponse(
        code=0x12,
        kind=2,
        suite=0x02,
        device=DEVICE,
        epoch=1,
        random=bytes(16),
        suite_count=2,
        suites=(0x02, 0x12),
        mac=bytes(16),
    )
    signed = handshake._Run(KEY, challenge, answer).sign(answer)
    with pytest.raises(SecurityError):
        initiator.receive(signed)


def test_another_long_term_key_is_refused() -> None:
    initiator, responder = ends()
    first = initiator.start(KEY, 0)
    with pytest.raises(SecurityError):
        responder.challenged(first, (LongTermKey(4, KEY.key),), 1)
    with pytest.raises(SecurityError):
        initiator.receive(responder.challenged(first, (LongTermKey(3, bytes(16)),), 1))


def test_a_concentrator_without_the_key_proves_nothing() -> None:
    entropy = random.Random(1).randbytes
    initiator, (_, responder) = Initiator(CONCENTRATOR, DEVICE, (0x02,), entropy), ends()
    second = responder.challenged(initiator.start(LongTermKey(3, bytes(16)), 0), (KEY,), 1)
    with pytest.raises(SecurityError):
        initiator.receive(second)
    for forged in (b"\x12\3" + bytes(20), b"\x12\3", second, bytes(22)):
        with pytest.raises(SecurityError):
            responder.confirmed(forged)
    assert responder.state is ResponderState.CHALLENGED


@pytest.mark.parametrize("epoch", [0, 6, 7])
def test_an_old_epoch_is_refused(epoch: int) -> None:
    initiator, responder = ends()
    with pytest.raises(SecurityError):
        run(initiator, responder, epoch)


def test_another_device_is_refused() -> None:
    initiator, _ = ends()
    other = Responder(OTHER, (0x02,), random.Random(1).randbytes)
    with pytest.raises(SecurityError):
        initiator.receive(other.challenged(initiator.start(KEY, 0), (KEY,), 1))


def test_another_version_of_the_profile_is_refused() -> None:
    initiator, responder = ends()
    first = initiator.start(KEY, 0)
    with pytest.raises(SecurityError):
        responder.challenged(first[:2] + b"\2" + first[3:], (KEY,), 1)


def test_no_message_stands_in_for_another() -> None:
    """Every message of one handshake given to every step that does not expect it."""
    messages = run(*ends())
    for step, wrong in product(range(4), range(4)):
        if step == wrong:
            continue
        initiator, responder = ends()
        with pytest.raises(SecurityError):
            play(initiator, responder, step, messages[wrong])


def play(initiator: Initiator, responder: Responder, step: int, message: bytes) -> None:
    """An undisturbed handshake, but `message` is received in place of message number `step`."""
    first = initiator.start(KEY, 7)
    second = responder.challenged(message if step == 0 else first, (KEY,), 8)
    third = initiator.receive(message if step == 1 else second)
    assert isinstance(third, bytes)
    fourth, _ = responder.confirmed(message if step == 2 else third)
    initiator.receive(message if step == 3 else fourth)


def test_messages_of_another_run_are_refused() -> None:
    old = run(*ends(seed=1))
    for step in (1, 2, 3):
        initiator, responder = ends(seed=2)
        with pytest.raises(SecurityError):
            play(initiator, responder, step, old[step])


def test_a_new_challenge_replaces_the_old_run() -> None:
    first, responder = ends(seed=1)
    second, _ = ends(seed=2)
    late = first.receive(responder.challenged(first.start(KEY, 0), (KEY,), 1))
    good = second.receive(responder.challenged(second.start(KEY, 0), (KEY,), 2))
    assert isinstance(late, bytes)
    assert isinstance(good, bytes)
    with pytest.raises(SecurityError):
        responder.confirmed(late)
    assert channel(second, responder.confirmed(good)[0]).epoch == 2


def test_misuse_is_the_callers_bug() -> None:
    initiator, _ = ends()
    with pytest.raises(LocalProtocolError):
        initiator.receive(b"")
    initiator.start(KEY, 0)
    with pytest.raises(LocalProtocolError):
        initiator.start(KEY, 0)


def test_every_state_is_reached_and_drawn() -> None:
    for table, start in ((INITIATOR, InitiatorState.IDLE), (RESPONDER, ResponderState.IDLE)):
        reached = {start, *table.values()}
        assert reached == set(type(start))
    drawn = mermaid(RESPONDER, ResponderState.IDLE)
    assert "Idle --> Challenged : Challenge" in drawn
    assert drawn.count("-->") == len(RESPONDER) + 1


def test_keys_are_not_shown() -> None:
    initiator, responder = ends()
    messages = run(initiator, responder)
    made = channel(initiator, messages[3])
    for secret in (KEY.key, made.unicast, made.wrap):
        for shown in (repr(KEY), repr(made), repr(initiator._run and initiator._run.keys)):
            assert secret.hex() not in shown
            assert repr(secret)[2:-1] not in shown
