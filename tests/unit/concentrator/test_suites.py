"""Devices in OSGP-AES-128-PSK: taken in, read, brought over from the old suite, let go again."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import count

import msgspec
import pytest

from osgp.concentrator.happenings import Checked, Commissioned, Failed, Secured, Visited
from osgp.concentrator.plan import Plan, Suite
from osgp.concentrator.sink import Interval
from osgp.concentrator.suites import MIGRATION_HANDSHAKES, Speaks
from osgp.concentrator.vault import erased, kept_of, state_of, taken
from osgp.errors import LocalProtocolError, TransportError
from osgp.lon import Lpdu
from osgp.lon.config import DomainEntry, NodeState
from osgp.meter import MemoryNvm, VirtualMeter
from osgp.meter.nvm import PowerCut
from osgp.security import profile
from osgp.security.aes_device import Limits
from osgp.security.profile import Code, Mode
from osgp.security.secret import Secret
from osgp.spec import tables
from osgp.topology import Life
from tests.support.street import START, Fate, Street, meter, neuron, psk

HOUR, DAY = 3600.0, 86_400.0
AES = Plan(visit_every=6 * HOUR, ranges=1, suite=Suite.AES)
MIGRATE = Plan(visit_every=6 * HOUR, ranges=1, suite=Suite.MIGRATE)
OLD_CODES = (0x00, 0x01)


def apdu(frame: bytes) -> bytes:
    return getattr(Lpdu.decode(frame).npdu.enclosed(), "apdu", b"")


def asked(street: Street, *codes: int, begin: int = 0) -> list[bytes]:
    """What the concentrator asked with these message codes; repetitions count."""
    frames = [what for name, what in street.log[begin:] if name == "frame" and what[0] == 0]
    return [apdu(what[1]) for what in frames if apdu(what[1])[:1] in map(_code, codes)]


def _code(number: int) -> bytes:
    return bytes((number,))


def challenges(street: Street, begin: int = 0) -> int:
    return len([each for each in asked(street, Code.HANDSHAKE, begin=begin) if each[1] == 1])


def mode(street: Street, number: int = 0) -> Mode:
    return street.meters[number]._security.mode


def visits(street: Street, count: int) -> Callable[[], bool]:
    return lambda: len(street.told(Visited)) >= count


def bound(street: Street, number: int = 0) -> bool:
    return street.concentrator.speaks(neuron(number)) is Speaks.AES


def has_place(street: Street) -> bool:
    return street.meters[0].address is not None


def lives(street: Street) -> list[Life]:
    """In order of neuron ids, which is that of the meters."""
    return [known.life for _, known in sorted(street.concentrator.devices.items())]


def after_a_cut(street: Street, number: int = 0) -> None:
    """A meter has no power for a moment."""
    old = street.meters[number]
    assert isinstance(old.nvm, MemoryNvm)
    memory = old.nvm.survivor(unsynchronised=False)
    street.meters[number] = VirtualMeter(old.profile, memory, random.Random(99), street.now)


def test_a_device_is_taken_in_without_a_word_in_the_old_suite() -> None:
    street = Street(2, AES, aes={0, 1})
    street.run(7 * HOUR)
    assert asked(street, *OLD_CODES) == []
    assert [mode(street, n) for n in range(2)] == [Mode.AES, Mode.AES]
    assert lives(street) == [Life.OPERATING] * 2
    assert street.told(Failed) == []
    assert len(street.told(Visited)) == 4
    for meter_ in street.meters:
        state = meter_._security._aes._state  # type: ignore[union-attr]
        assert (state.long_term.version, state.next_long_term) == (1, None)
        assert state.long_term.key == psk(meter_.profile.neuron_id[5], 1).reveal()


def test_each_speaks_what_it_knows() -> None:
    street = Street(3, AES, aes={1})
    street.run(7 * HOUR)
    assert lives(street) == [Life.OPERATING] * 3
    assert [bound(street, n) for n in range(3)] == [False, True, False]
    assert [mode(street, n) for n in range(3)] == [Mode.RC4, Mode.AES, Mode.RC4]


def test_a_visit_costs_one_request_more_than_in_the_old_suite() -> None:
    """That is ET54.82, which the old suite does not have."""

    def requests(plan: Plan) -> list[int]:
        street = Street(1, plan, aes={0})
        street.run(13 * HOUR)
        return [reading.link.requests for reading in street.sink.readings if reading.link]

    old, new = requests(msgspec.structs.replace(AES, suite=Suite.OMA)), requests(AES)
    assert [b - a for a, b in zip(old[1:], new[1:], strict=True)] == [1, 1]


def test_a_visit_in_the_old_suite_looks_at_nothing_else() -> None:
    """What is looked at in a device besides its readings is looked at once."""
    street = Street(1, AES)
    street.run(13 * HOUR)
    first, *later = [{image.table for image in each.images} for each in street.sink.readings]
    looked_at = {tables[name].info.number for name in ("BT52", "ET04")}
    assert first >= looked_at
    assert len(later) == 2
    assert not any(images & looked_at for images in later)


def test_what_is_read_is_the_same_in_both_suites() -> None:
    def read(suite: Suite) -> list[Interval]:
        street = Street(1, msgspec.structs.replace(AES, suite=suite), aes={0})
        street.run(7 * HOUR)
        return [each for reading in street.sink.readings for each in reading.intervals]

    assert read(Suite.AES) == read(Suite.OMA) != []


def test_after_a_restart_of_either_side_the_channel_is_still_there() -> None:
    street = Street(1, AES, aes={0})
    street.run(HOUR, visits(street, 1))
    begun = len(street.log)
    street.restart()
    street.run(7 * HOUR, visits(street, 2))
    after_a_cut(street)
    street.run(7 * HOUR, visits(street, 3))
    assert len(street.told(Visited)) == 3
    assert asked(street, Code.HANDSHAKE, begin=begun) == []
    assert street.told(Failed) == []


def test_a_device_that_has_lost_its_channel_is_read_in_the_same_visit() -> None:
    street = Street(1, AES, aes={0})
    street.run(HOUR, visits(street, 1))
    server = street.meters[0]._security._aes
    assert server is not None
    server._channel = server._next = None
    begun = len(street.log)
    street.run(7 * HOUR, visits(street, 2))
    assert challenges(street, begun) == 1
    assert street.told(Failed) == []


def test_a_worn_key_is_renewed_before_the_device_refuses_it() -> None:
    """The limit is the device's, ET04.123."""
    street = Street(1, AES, aes={0}, limits=Limits(uses=400))
    street.run(10 * DAY)
    assert street.told(Failed) == []
    assert len(street.told(Visited)) >= 39
    assert 5 <= challenges(street) <= 14


def test_an_old_key_is_renewed() -> None:
    street = Street(1, msgspec.structs.replace(AES, key_validity_days=3), aes={0})
    street.run(10 * DAY)
    assert 2 + 2 <= challenges(street) <= 2 + 3
    assert street.told(Failed) == []


def test_a_long_term_key_is_changed() -> None:
    street = Street(1, AES, aes={0})
    with pytest.raises(KeyError):
        street.concentrator.rekey(neuron(0))
    street.run(HOUR, visits(street, 1))
    street.concentrator.rekey(neuron(0))
    with pytest.raises(LocalProtocolError):
        street.concentrator.rekey(neuron(0))
    street.run(7 * HOUR, visits(street, 2))
    assert street.meters[0]._security._aes._state.long_term.version == 2  # type: ignore[union-attr]
    assert state_of(kept_of(street.vault.records[neuron(0)])).long_term.version == 2


def test_a_device_in_the_old_suite_has_no_key_to_be_changed() -> None:
    street = Street(1, AES)
    street.run(HOUR, visits(street, 1))
    with pytest.raises(LocalProtocolError):
        street.concentrator.rekey(neuron(0))


# --- no way back -----------------------------------------------------------------------------


def test_a_device_that_is_bound_is_never_asked_in_the_old_suite() -> None:
    """Neither by a plan that does not want the new one, nor if something else is in its place."""
    street = Street(1, AES, aes={0})
    street.run(HOUR, visits(street, 1))
    begun = len(street.log)
    street.plan = msgspec.structs.replace(AES, suite=Suite.OMA)
    street.restart()
    street.run(7 * HOUR, visits(street, 2))
    assert len(street.told(Visited)) == 2
    impostor = meter(0, street.now)
    impostor.stack.config.domains[0] = street.meters[0].stack.config.domains[0]
    impostor.stack.config.state = NodeState.CONFIGURED_ONLINE
    impostor.stack.reindex()
    street.meters[0] = impostor
    street.run(2 * DAY)
    assert len(street.told(Visited)) == 2
    assert asked(street, *OLD_CODES, begin=begun) == []


def test_another_key_is_not_guessed_for_ever() -> None:
    """A device that locks its port is left alone, and is read once the key is right."""
    limits = Limits(lockout_threshold=3, lockout_minutes=30)
    street = Street(1, AES, aes={0}, limits=limits)
    right = street.keys.long_term
    street.keys.long_term = lambda neuron_id, version: psk(77, version)  # type: ignore[method-assign]
    street.run(DAY)
    assert street.told(Visited) == []
    assert 3 <= challenges(street) <= 3 * AES.handshakes_a_day
    assert len(street.told(Failed)) < 40
    street.keys.long_term = right  # type: ignore[method-assign]
    street.vault.records.clear()
    street.restart()
    street.run(3 * HOUR, visits(street, 1))
    assert lives(street) == [Life.OPERATING]


def test_handshakes_of_a_day_are_used_sparingly() -> None:
    """Every confirmation is lost: the device gets no more challenges than the plan allows."""

    def fate(street: Street, sender: int, receiver: int, frame: bytes) -> list[bytes]:
        lost = sender == 0 and apdu(frame)[:2] == bytes((Code.HANDSHAKE, 3))
        return [] if lost else [frame]

    plan = msgspec.structs.replace(AES, handshakes_a_day=5)
    street = Street(1, plan, fate, aes={0})
    street.run(DAY - 60)
    assert challenges(street) == 5
    street.run(DAY)
    assert 5 < challenges(street) <= 10
    street.fate = lambda street, sender, receiver, frame: [frame]
    street.run(DAY + HOUR)
    assert lives(street) == [Life.OPERATING]


# --- from the old suite to the new -----------------------------------------------------------


def test_devices_are_read_in_the_old_suite_and_then_brought_over() -> None:
    street = Street(2, MIGRATE, aes={0, 1})
    street.run(HOUR, visits(street, 2))
    assert [mode(street, n) for n in range(2)] == [Mode.RC4] * 2
    assert asked(street, Code.HANDSHAKE) == []
    street.run(6 * HOUR, visits(street, 4))
    begun = len(street.log)
    assert [mode(street, n) for n in range(2)] == [Mode.AES] * 2
    assert {told.neuron_id for told in street.told(Secured)} == {neuron(0), neuron(1)}
    street.run(DAY)
    assert asked(street, *OLD_CODES, begin=begun) == []
    assert street.told(Failed) == []
    assert len(street.told(Commissioned)) == 2


def test_another_plan_brings_over_what_is_in_operation() -> None:
    street = Street(1, msgspec.structs.replace(AES, suite=Suite.OMA), aes={0})
    street.run(HOUR, visits(street, 1))
    street.plan = AES
    street.restart()
    street.run(7 * HOUR, visits(street, 2))
    assert bound(street)
    assert mode(street) is Mode.AES


def test_who_does_not_come_over_is_read_in_the_old_suite() -> None:
    """The utility believes that it knows the new one; it says nothing to a challenge."""
    street = Street(1, MIGRATE)
    street.keys.able = {neuron(0)}
    street.run(2 * DAY)
    assert len(street.told(Visited)) >= 8
    assert street.told(Failed) == []
    assert not bound(street)
    tries = 3 * (MIGRATE.retry + 1)
    assert 0 < challenges(street) <= 2 * MIGRATION_HANDSHAKES * tries


def test_the_old_suite_is_kept_until_the_mode_is_confirmed() -> None:
    """Nothing of the new channel gets through: the device is read as before."""
    deaf = True

    def fate(street: Street, sender: int, receiver: int, frame: bytes) -> list[bytes]:
        return [] if deaf and apdu(frame)[:1] == _code(Code.UNICAST) else [frame]

    street = Street(1, MIGRATE, fate, aes={0})
    street.run(DAY + 2 * HOUR)
    assert len(street.told(Visited)) >= 4
    assert not bound(street)
    assert mode(street) is Mode.RC4
    deaf = False
    street.run(DAY)
    assert bound(street)
    assert mode(street) is Mode.AES


# --- power cuts ------------------------------------------------------------------------------


def settled(street: Street) -> bool:
    """The device is read, and will never be in the old suite again, whoever asks."""
    devices = street.concentrator.devices
    return (
        lives(street) == [Life.OPERATING] and bool(devices) and bound(street) and in_mode_2(street)
    )


def in_mode_2(street: Street) -> bool:
    return mode(street) is Mode.AES


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
        street.run(14 * HOUR, lambda: settled(street))  # noqa: B023
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
        street.run(14 * HOUR, lambda: settled(street))  # noqa: B023
        assert settled(street), f"cut at {at}"
    assert at > 20


# --- removal, and other places ---------------------------------------------------------------


def test_a_device_that_is_removed_leaves_no_key_behind() -> None:
    street = Street(1, AES, aes={0})
    street.run(HOUR, visits(street, 1))
    state = state_of(kept_of(street.vault.records[neuron(0)]))
    secrets = [state.long_term.key, state.channel.unicast, state.channel.wrap]  # type: ignore[union-attr]
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
            street.run(14 * HOUR, lambda: settled(street))  # noqa: B023
            assert settled(street), f"cut at {at}"
        else:
            break
    assert at >= 3


# --- setting up ------------------------------------------------------------------------------


@pytest.mark.parametrize("aes", [False, True], ids=["oma", "aes"])
def test_the_clock_of_a_new_device_is_set(aes: bool) -> None:
    street = Street(1, AES, aes={0} if aes else ())
    street.meters[0] = meter(0, START, aes=aes, clock_error=-1800.0)
    street.run(HOUR, visits(street, 1))
    (checked,) = street.told(Checked)
    assert checked.clock_error == pytest.approx(-1800.0, abs=2.0)
    assert checked.problems == ()
    assert street.meters[0].parts.clock.reading(street.now) == pytest.approx(street.now, abs=2.0)


def test_a_clock_that_is_nearly_right_is_left_alone() -> None:
    street = Street(1, AES)
    street.meters[0] = meter(0, START, clock_error=20.0)
    street.run(HOUR, visits(street, 1))
    reading = street.meters[0].parts.clock.reading(street.now)
    assert reading == pytest.approx(street.now + 20.0, abs=1.0)


def test_through_chains_too() -> None:
    def row(street: Street, sender: int, receiver: int, frame: bytes) -> list[bytes]:
        return [frame] if abs(sender - receiver) == 1 else []

    street = Street(4, AES, row, aes={0, 1, 2, 3})
    street.run(6 * HOUR, lambda: lives(street) == [Life.OPERATING] * 4)
    assert lives(street) == [Life.OPERATING] * 4
    assert all(bound(street, n) for n in range(4))
    assert asked(street, *OLD_CODES) == []


@pytest.mark.parametrize("plan", [AES, MIGRATE], ids=["new", "migrated"])
def test_a_lossy_line_does_not_stop_it(plan: Plan) -> None:
    def lossy(street: Street, sender: int, receiver: int, frame: bytes) -> list[bytes]:
        return [] if street.rng.random() < 0.25 else [frame]

    fate: Fate = lossy
    street = Street(2, plan, fate, aes={0, 1})
    street.run(2 * DAY)
    assert lives(street) == [Life.OPERATING] * 2
    assert all(bound(street, n) for n in range(2))


def test_two_concentrators_never_use_one_channel() -> None:
    """Another one has taken the record: this one keeps nothing more until it is the owner again."""
    street = Street(1, AES, aes={0})
    street.run(HOUR, visits(street, 1))
    before = kept_of(street.vault.records[neuron(0)])
    other = msgspec.msgpack.encode(taken(before, b"\xdd" * 6))
    street.vault.records[neuron(0)] = other
    street.run(3 * DAY)
    assert street.vault.records[neuron(0)] == other
    reasons = {failure.reason for failure in street.told(Failed)}
    assert reasons == {"another concentrator has this device's keys now"}
    read = len(street.told(Visited))
    street.restart()
    street.run(DAY, visits(street, read + 1))
    assert settled(street)
    after = kept_of(street.vault.records[neuron(0)])
    assert after.holder == before.holder
    old, new = state_of(before).channel, state_of(after).channel
    assert old is not None and new is not None
    assert new.epoch > old.epoch
    assert new.unicast != old.unicast


# --- what others may try -----------------------------------------------------------------------


def answered(frame: bytes, forged: bytes) -> bytes:
    """The frame with another answer in the place of its own."""
    own = apdu(frame)
    lpdu = Lpdu.decode(frame)
    pdu = lpdu.npdu.pdu[: -len(own)] + forged
    return msgspec.structs.replace(lpdu, npdu=msgspec.structs.replace(lpdu.npdu, pdu=pdu)).encode()


def forging(what: Callable[[bytes], bytes]) -> Fate:
    """Somebody answers in the place of the device, in the new suite."""

    def fate(street: Street, sender: int, receiver: int, frame: bytes) -> list[bytes]:
        own = apdu(frame)
        mine = sender == 1 and own[:1] in map(_code, (Code.UNICAST, Code.HANDSHAKE, Code.ERROR))
        return [answered(frame, what(own))] if mine else [frame]

    return fate


FORGERIES: dict[str, Callable[[bytes], bytes]] = {
    "authentication failure": lambda own: profile.AUTHENTICATION_FAILURE,
    "one bit": lambda own: own[:-1] + bytes((own[-1] ^ 1,)),
    "weaker suite": lambda own: own[:2] + b"\x01" + own[3:],
    "nothing of it": lambda own: own[:1],
    "too short": lambda own: own[:7],
    "old suite's refusal": lambda own: b"\x00\x0b",
    "plain answer": lambda own: b"\x00\x00\x00\x04\x01\x02\x03\x04",
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
@pytest.mark.parametrize("plan", [AES, MIGRATE], ids=["new", "migrated"])
def test_who_answers_in_a_devices_place_gets_nothing(
    forgery: Callable[[bytes], bytes], plan: Plan
) -> None:
    """No word in the old suite to a bound device, few handshakes, and an end when he goes."""
    street = Street(1, plan, aes={0})
    street.run(8 * HOUR, lambda: mode(street) is Mode.AES and len(street.told(Visited)) >= 2)
    read, begun = len(street.told(Visited)), len(street.log)
    street.fate = forging(forgery)
    street.run(DAY)
    assert len(street.told(Visited)) == read
    assert asked(street, *OLD_CODES, begin=begun) == []
    assert challenges(street, begun) <= 2 * plan.handshakes_a_day
    street.fate = lambda street, sender, receiver, frame: [frame]
    street.run(DAY, lambda: lives(street) == [Life.OPERATING])
    assert lives(street) == [Life.OPERATING]


def test_a_source_of_keys_that_is_away_is_no_reason_for_the_old_suite() -> None:
    def away(neuron_id: bytes, version: int) -> Secret:
        raise TransportError("the key service does not answer")

    street = Street(1, AES, aes={0})
    source, street.keys.long_term = street.keys.long_term, away  # type: ignore[method-assign]
    street.run(2 * HOUR)
    assert street.told(Commissioned) == []
    assert asked(street, *OLD_CODES) == []
    street.keys.long_term = source  # type: ignore[method-assign]
    street.run(2 * DAY, visits(street, 1))
    assert settled(street)


def test_a_device_that_was_opened_is_closed_again() -> None:
    street = Street(1, AES, aes={0})
    street.run(HOUR, visits(street, 1))
    server = street.meters[0]._security._aes
    assert server is not None
    server._change(mode=int(Mode.RC4))
    street.restart()
    street.run(13 * HOUR, visits(street, 3))
    assert settled(street)


def test_without_its_records_a_concentrator_takes_its_devices_in_again() -> None:
    """The utility's first key is tried where the factory's does not open any more."""
    street = Street(2, AES, aes={0, 1})
    street.run(HOUR, visits(street, 2))
    begun = len(street.log)
    street.vault.records.clear()
    street.restart()
    street.run(7 * HOUR, visits(street, 4))
    assert all(bound(street, n) for n in range(2))
    assert challenges(street, begun) == 2 * 2
    assert asked(street, *OLD_CODES, begin=begun) == []


def test_a_bound_device_whose_key_is_away_is_not_asked_at_all() -> None:
    """Its record was erased when it was removed, and the utility does not say its key now."""

    def away(neuron_id: bytes, version: int) -> Secret:
        raise TransportError("the key service does not answer")

    street = Street(1, AES, aes={0})
    street.run(HOUR, visits(street, 1))
    record = kept_of(street.vault.records[neuron(0)])
    street.vault.records[neuron(0)] = msgspec.msgpack.encode(erased(record))
    source, street.keys.long_term = street.keys.long_term, away  # type: ignore[method-assign]
    begun = len(street.log)
    street.restart()
    street.run(DAY)
    assert len(street.told(Visited)) == 1
    assert asked(street, *OLD_CODES, Code.UNICAST, Code.HANDSHAKE, begin=begun) == []
    street.keys.long_term = source  # type: ignore[method-assign]
    street.run(DAY, visits(street, 2))
    assert settled(street)


def test_numbers_that_are_behind_are_corrected_by_the_device() -> None:
    """The concentrator's memory is of yesterday: it goes on from where the device is."""
    street = Street(1, AES, aes={0})
    street.run(HOUR, visits(street, 1))
    yesterday = dict(street.vault.records)
    street.run(5 * DAY)
    server = street.meters[0]._security._aes
    assert server is not None and server._channel is not None
    number, read = server._channel.number.last, len(street.told(Visited))
    assert number > 100
    street.vault.records.update(yesterday)
    street.restart()
    begun = len(street.log)
    street.run(7 * HOUR, visits(street, read + 1))
    assert len(street.told(Visited)) == read + 1
    assert street.told(Failed) == []
    assert challenges(street, begun) == 0
    assert server._channel.number.last > number
