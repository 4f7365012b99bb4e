"""Secure broadcast: the window, the change of generations, power cuts."""

from __future__ import annotations

from collections import deque

import pytest

from osgp.errors import LocalProtocolError
from osgp.security.aes import osgp_ae, osgp_kdf
from osgp.security.broadcast import BroadcastReceiver, BroadcastSender, DomainKey, ReceiverState
from osgp.security.guard import EventKind, Events
from osgp.security.suite import Outcome

FIRST = DomainKey(1, b"domain", b"1" * 16)
SECOND = DomainKey(2, b"domain", b"2" * 16)
APDU = bytes.fromhex("004f0807000000000155")


def receiver(*states: ReceiverState, limit: int = 1000) -> BroadcastReceiver:
    return BroadcastReceiver(states or (ReceiverState(FIRST, 0, 10),), deque(), limit)


def at(number: int, key: DomainKey = FIRST) -> bytes:
    return BroadcastSender(key, number - 1, limit=2**32).seal(APDU)


def test_the_message_is_as_documented() -> None:
    key = osgp_kdf(FIRST.key, b"OSGP-AES v1 broadcast", b"domain\0\1")
    nonce = b"\2domain\0\1\0\0\0\1"
    assert at(1) == b"\x11\0\0\0\1" + osgp_ae(key, nonce, APDU[1:], b"\x11")


@pytest.mark.parametrize(("base", "delta"), [(0, 10), (41, 10), (5, 0), (2**32 - 5, 100)])
def test_the_window_is_base_to_base_plus_delta(base: int, delta: int) -> None:
    numbers = [n for n in range(max(1, base - 2), base + delta + 4) if n < 2**32 - 1]
    accepted = [
        n
        for n in numbers
        if receiver(ReceiverState(FIRST, base, delta)).open(at(n)).outcome is Outcome.ACCEPTED
    ]
    assert accepted == [n for n in numbers if base < n <= base + delta]


def test_the_window_moves_with_what_is_accepted() -> None:
    ears = receiver()
    assert ears.open(at(7)).apdu == APDU
    assert ears.base == 7
    assert ears.open(at(7)).outcome is Outcome.BAD_SEQUENCE
    assert ears.open(at(3)).outcome is Outcome.BAD_SEQUENCE
    assert ears.open(at(17)).outcome is Outcome.ACCEPTED


def test_nothing_is_answered() -> None:
    ears = receiver()
    for message in (at(1), at(1), at(500), b"\x11", b"\x11" + bytes(30)):
        assert ears.open(message).reply is None


def test_a_new_generation_takes_over_with_its_first_use() -> None:
    events: Events = deque()
    ears = BroadcastReceiver((ReceiverState(FIRST, 0, 10),), events)
    assert ears.install(ReceiverState(SECOND, 0, 10))
    assert ears.open(at(1)).outcome is Outcome.ACCEPTED
    assert ears.open(at(1, SECOND)).outcome is Outcome.ACCEPTED
    assert ears.open(at(2)).outcome is Outcome.BAD_DIGEST
    assert [(event.kind, event.argument) for event in events] == [(EventKind.DOMAIN_KEY_CHANGED, 2)]


def test_a_generation_is_never_reset_or_turned_back() -> None:
    ears = receiver()
    ears.open(at(5))
    assert ears.install(ReceiverState(FIRST, 0, 10))
    assert ears.base == 5
    assert not ears.install(ReceiverState(DomainKey(1, b"domain", b"x" * 16), 0))
    assert not ears.install(ReceiverState(DomainKey(0, b"domain", b"x" * 16), 0))


@pytest.mark.parametrize("generation", [1, 2, 3])
def test_another_domains_key_replaces_all_that_is_held(generation: int) -> None:
    events: Events = deque()
    ears = BroadcastReceiver((ReceiverState(FIRST, 0, 10),), events)
    ears.install(ReceiverState(SECOND, 0, 10))
    foreign = DomainKey(generation, b"others", b"o" * 16)
    assert ears.install(ReceiverState(foreign, 0, 10))
    assert ears.must_persist
    revived = BroadcastReceiver(ears.export(), deque())
    for receiver_ in (ears, revived):
        assert receiver_.open(at(1)).outcome is Outcome.BAD_DIGEST
        assert receiver_.open(at(1, SECOND)).outcome is Outcome.BAD_DIGEST
        assert receiver_.open(at(1, foreign)).outcome is Outcome.ACCEPTED
        assert receiver_.open(at(1, foreign)).outcome is Outcome.BAD_SEQUENCE
    assert [event.kind for event in events] == [EventKind.DOMAIN_KEY_CHANGED]


def test_a_domain_that_comes_back_is_heard_from_its_present_number_only() -> None:
    ears = receiver()
    recorded = [at(number) for number in range(1, 8)]
    ears.open(recorded[4])
    ears.install(ReceiverState(DomainKey(1, b"others", b"o" * 16), 0, 10))
    assert ears.install(ReceiverState(FIRST, 7, 10))
    assert {ears.open(message).outcome for message in recorded} == {Outcome.BAD_SEQUENCE}
    assert ears.open(at(8)).outcome is Outcome.ACCEPTED


def test_the_generation_in_use_is_kept_even_if_nothing_was_heard_under_it() -> None:
    """A sender that makes the third uses the second; the first has had its day."""
    ears, third = receiver(), DomainKey(3, b"domain", b"3" * 16)
    ears.install(ReceiverState(SECOND, 0, 10))
    ears.install(ReceiverState(third, 0, 10))
    assert ears.open(at(1)).outcome is Outcome.BAD_DIGEST
    assert ears.open(at(1, SECOND)).outcome is Outcome.ACCEPTED
    assert ears.open(at(1, third)).outcome is Outcome.ACCEPTED
    assert ears.open(at(2, SECOND)).outcome is Outcome.BAD_DIGEST


def test_an_accepted_broadcast_is_not_accepted_again_after_a_power_cut() -> None:
    ears = receiver()
    assert ears.open(at(4)).outcome is Outcome.ACCEPTED
    due = [ears.must_persist]
    revived = BroadcastReceiver(ears.export(), deque())
    assert [*due, ears.must_persist] == [True, False]
    assert revived.open(at(4)).outcome is Outcome.BAD_SEQUENCE
    assert revived.open(at(5)).outcome is Outcome.ACCEPTED


def test_every_change_is_to_be_written_before_anything_is_done() -> None:
    ears = receiver()
    changes = (
        lambda: ears.open(at(4)),
        lambda: ears.install(ReceiverState(FIRST, 9, 10)),
        lambda: ears.install(ReceiverState(FIRST, 9, 20)),
        lambda: ears.install(ReceiverState(SECOND, 0, 10)),
        lambda: ears.install(ReceiverState(FIRST, 12, 20)),
        lambda: ears.open(at(1, SECOND)),
        lambda: ears.install(ReceiverState(DomainKey(1, b"others", b"o" * 16), 0)),
    )
    for change in changes:
        ears.export()
        assert not ears.must_persist
        change()
        assert ears.must_persist
    ears.export()
    ears.open(at(1))
    ears.install(ReceiverState(DomainKey(1, b"others", b"o" * 16), 0))
    assert not ears.must_persist


def test_the_sender_s_jump_after_a_power_cut_stays_inside_the_default_window() -> None:
    ears = BroadcastReceiver((ReceiverState(FIRST, 0),), deque())
    sender = BroadcastSender(FIRST)
    stored = sender.export()
    heard = set()
    for turn in range(200):
        message = sender.seal(APDU)
        assert message not in heard
        heard.add(message)
        assert ears.open(message).outcome is Outcome.ACCEPTED
        if sender.must_persist:
            stored = sender.export()
        if turn % 5 == 0:
            sender = BroadcastSender(FIRST, stored)
            stored = sender.export()


def test_uses_end() -> None:
    ears = receiver(limit=5)
    for _ in range(5):
        ears.open(b"\x11\0\0\0\1" + bytes(16))
    assert ears.used == 5
    assert ears.open(at(1)).outcome is Outcome.BAD_DIGEST
    sender = BroadcastSender(FIRST, limit=1)
    sender.seal(APDU)
    with pytest.raises(LocalProtocolError, match="renew"):
        sender.seal(APDU)


def test_what_is_behind_the_window_is_no_use_of_the_key() -> None:
    ears = receiver(ReceiverState(FIRST, 7, 10))
    outcomes = {ears.open(message).outcome for message in (at(7), at(1), b"\x11" + bytes(20))}
    assert (outcomes, ears.used) == ({Outcome.BAD_SEQUENCE}, 0)


def test_the_same_key_again_moves_the_window_forward_only() -> None:
    ears = receiver(ReceiverState(FIRST, 7, 10))
    assert ears.install(ReceiverState(FIRST, 5, 10))
    assert ears.base == 7
    assert ears.install(ReceiverState(FIRST, 2000, 10))
    assert ears.open(at(1999)).outcome is Outcome.BAD_SEQUENCE
    assert ears.open(at(2001)).outcome is Outcome.ACCEPTED


def test_a_number_beyond_the_window_is_no_use_of_the_key_either() -> None:
    ears = receiver()
    assert ears.open(at(11)).outcome is Outcome.BAD_SEQUENCE
    assert (ears.used, ears.base) == (0, 0)


def test_both_generations_held_are_confirmed_again() -> None:
    """A concentrator that does not know what a device holds begins with the present one."""
    ears = receiver()
    ears.install(ReceiverState(SECOND, 0, 10))
    assert ears.install(ReceiverState(FIRST, 50, 10))
    assert ears.install(ReceiverState(SECOND, 0, 10))
    assert ears.open(at(50)).outcome is Outcome.BAD_SEQUENCE
    assert ears.open(at(51)).outcome is Outcome.ACCEPTED
    assert ears.open(at(1, SECOND)).outcome is Outcome.ACCEPTED


def test_the_same_key_again_changes_the_width_of_the_window() -> None:
    ears = receiver()
    assert ears.install(ReceiverState(FIRST, 0, 100))
    assert (ears.base, ears.delta) == (0, 100)
    assert ears.open(at(100)).outcome is Outcome.ACCEPTED


def test_without_a_domain_key_nothing_is_heard() -> None:
    ears = BroadcastReceiver((), deque())
    assert (ears.generation, ears.base, ears.used) == (0, 0, 0)
    assert ears.open(at(1)).outcome is Outcome.BAD_DIGEST
    assert ears.install(ReceiverState(FIRST, 0, 10))
    assert ears.open(at(1)).outcome is Outcome.ACCEPTED


def test_misuse_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        BroadcastSender(FIRST).seal(b"\x11")
    with pytest.raises(LocalProtocolError):
        BroadcastSender(DomainKey(1, b"short", bytes(16)))
    assert "1111" not in repr((FIRST, ReceiverState(FIRST, 0)))
