"""Every bit of every message of both suites, altered one by one, at the port that judges all."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from osgp.errors import SecurityError
from osgp.security.aes_client import AesClient, DomainWish
from osgp.security.broadcast import BroadcastSender, DomainKey
from osgp.security.dual import PlcServer
from osgp.security.handshake import Initiator, LongTermKey, Responder
from osgp.security.profile import Code, Mode
from osgp.security.suite import OmaClient, Outcome

from .aes_world import CONCENTRATOR, DEVICE, READ
from .test_dual import OMAK, SCOPE, client, device, migrate

KEY = LongTermKey(3, bytes(range(16)))
DOMAIN = DomainKey(1, b"domain", b"D" * 16)


def altered(message: bytes) -> Iterator[bytes]:
    for bit in range(8 * len(message)):
        at, mask = divmod(bit, 8)
        yield message[:at] + bytes((message[at] ^ 1 << mask,)) + message[at + 1 :]


# --- the handshake: an altered message never makes a channel ------------------------------------


def agrees(step: int, alter: Callable[[bytes], bytes]) -> bool:
    """Do both sides end with one channel when message `step` (1 to 4) arrives altered?"""
    entropy = random.Random(5).randbytes
    initiator = Initiator(CONCENTRATOR, DEVICE, (0x02,), entropy)
    responder = Responder(DEVICE, (0x02,), entropy)

    def carried(number: int, message: bytes) -> bytes:
        return alter(message) if number == step else message

    try:
        first = carried(1, initiator.start(KEY, 7))
        second = carried(2, responder.challenged(first, (KEY,), 8))
        third = initiator.receive(second)
        assert isinstance(third, bytes)
        fourth, theirs = responder.confirmed(carried(3, third))
        return initiator.receive(carried(4, fourth)) == theirs
    except SecurityError:
        return False


def sent(step: int) -> bytes:
    seen: list[bytes] = []

    def look(message: bytes) -> bytes:
        seen.append(message)
        return message

    assert agrees(step, look)
    return seen[0]


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_no_altered_handshake_message_makes_a_channel(step: int) -> None:
    for wrong in altered(sent(step)):
        assert not agrees(step, lambda _, wrong=wrong: wrong)  # type: ignore[misc]


# --- the port ---------------------------------------------------------------------------------


def migrated(mode: Mode) -> tuple[PlcServer, AesClient]:
    port, aes = device(), client()
    aes.want_domain_key(DomainWish(DOMAIN))
    migrate(port, aes)
    aes.want_mode(mode)
    migrate(port, aes)
    return port, aes


@pytest.mark.parametrize("mode", list(Mode))
def test_no_altered_request_or_broadcast_is_accepted(mode: Mode) -> None:
    port, aes = migrated(mode)
    for message in (aes.seal_request(READ), BroadcastSender(DOMAIN).seal(READ)):
        for wrong in altered(message):
            assert port.open_request(wrong).outcome is not Outcome.ACCEPTED
        assert port.open_request(message).apdu == READ


@pytest.mark.parametrize("encrypt", [False, True])
def test_no_altered_message_of_the_old_suite_is_accepted(encrypt: bool) -> None:
    port, _ = migrated(Mode.RC4)
    message = OmaClient(OMAK, SCOPE, encrypt=encrypt).seal_request(READ)
    for wrong in altered(message):
        broadcast = wrong[0] == Code.BROADCAST
        refused = Outcome.BAD_SEQUENCE if broadcast else Outcome.BAD_DIGEST
        assert port.open_request(wrong).outcome is refused
    assert port.open_request(message).apdu == READ


def test_no_altered_command_changes_a_key_or_the_mode() -> None:
    """A key update, altered on its way in, leaves the device as it was."""
    port, aes = migrated(Mode.AES)
    aes.want_long_term_key(b"second long term")
    message = aes.work()
    assert message is not None
    before = port.aes.export_state()
    state = before
    for wrong in altered(message):
        assert port.open_request(wrong).outcome is not Outcome.ACCEPTED
        state = port.aes.export_state()
    held = PlcServer.restore(port.export_state(), OMAK, SCOPE, random.Random(1).randbytes)
    assert b"second long term" not in state
    assert held.aes.mode is Mode.AES
    answer = port.open_request(message).reply
    assert answer is not None
    aes.answer(answer)
    assert b"second long term" in port.aes.export_state()
