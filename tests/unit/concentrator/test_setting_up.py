"""Setting devices up, and what lossy lines, other concentrators and strangers do to them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from osgp.concentrator.happenings import Checked, Commissioned, Failed, Visited
from osgp.concentrator.plan import Plan
from osgp.concentrator.vault import erased, kept_of, state_of, taken
from osgp.errors import TransportError
from osgp.lon import Lpdu
from osgp.security import profile
from osgp.security.profile import Code, Mode
from osgp.security.secret import Secret
from osgp.spec import tables
from osgp.topology import Life
from tests.support.street import START, Fate, Street, meter, neuron, row
from tests.support.suites import (
    AES,
    DAY,
    HOUR,
    MIGRATE,
    OLD_CODES,
    apdu,
    asked,
    bound,
    challenges,
    code,
    lives,
    mode,
    settled,
    visits,
)


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
        mine = sender == 1 and own[:1] in map(code, (Code.UNICAST, Code.HANDSHAKE, Code.ERROR))
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
    source, street.keys.long_term = street.keys.long_term, away  # type: ignore[method-assign]  # the test's own in its place
    street.run(2 * HOUR)
    assert street.told(Commissioned) == []
    assert asked(street, *OLD_CODES) == []
    street.keys.long_term = source  # type: ignore[method-assign]  # the test's own in its place
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
    source, street.keys.long_term = street.keys.long_term, away  # type: ignore[method-assign]  # the test's own in its place
    begun = len(street.log)
    street.restart()
    street.run(DAY)
    assert len(street.told(Visited)) == 1
    assert asked(street, *OLD_CODES, Code.UNICAST, Code.HANDSHAKE, begin=begun) == []
    street.keys.long_term = source  # type: ignore[method-assign]  # the test's own in its place
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


@pytest.mark.parametrize("aes", [False, True], ids=["oma", "aes"])
def test_a_clock_that_goes_wrong_is_set_within_a_week(aes: bool) -> None:
    street = Street(1, AES, aes={0} if aes else ())
    street.meters[0] = meter(0, START, aes=aes, clock_drift=200.0)
    street.run(15 * DAY)
    assert [checked.clock_error for checked in street.told(Checked)[1:]] == pytest.approx(
        [121.0, 121.0], abs=3.0
    )
    assert street.told(Failed) == []


def test_after_a_restart_clocks_are_looked_at_and_good_ones_left_alone() -> None:
    street = Street(1, AES)
    street.run(HOUR, visits(street, 1))
    street.restart()
    begun = len(street.sink.readings)
    street.run(13 * HOUR, visits(street, 3))
    clock = tables["BT52"].info.number
    looked = [
        [image.table for image in reading.images].count(clock)
        for reading in street.sink.readings[begun:]
    ]
    assert sum(looked) == 1
    assert len(street.told(Checked)) == 1
