"""Devices in OSGP-AES-128-PSK: taken in, read, brought over from the old suite."""

from __future__ import annotations

import msgspec
import pytest

from osgp.concentrator.happenings import Commissioned, Failed, Secured, Visited
from osgp.concentrator.plan import Plan, Suite
from osgp.concentrator.sink import Interval
from osgp.concentrator.suites import MIGRATION_HANDSHAKES
from osgp.concentrator.vault import kept_of, state_of
from osgp.errors import LocalProtocolError
from osgp.lon.config import NodeState
from osgp.security.aes_device import Limits
from osgp.security.profile import Code, Mode
from osgp.spec import tables
from osgp.topology import Life
from tests.support.street import Street, meter, neuron, psk
from tests.support.suites import (
    AES,
    DAY,
    HOUR,
    MIGRATE,
    OLD_CODES,
    after_a_cut,
    apdu,
    asked,
    bound,
    challenges,
    code,
    lives,
    mode,
    visits,
)


def test_a_device_is_taken_in_without_a_word_in_the_old_suite() -> None:
    street = Street(2, AES, aes={0, 1})
    street.run(7 * HOUR)
    assert asked(street, *OLD_CODES) == []
    assert [mode(street, n) for n in range(2)] == [Mode.AES, Mode.AES]
    assert lives(street) == [Life.OPERATING] * 2
    assert street.told(Failed) == []
    assert len(street.told(Visited)) == 4
    for meter_ in street.meters:
        state = meter_._security._aes._state  # type: ignore[union-attr]  # the meter knows AES
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
    assert street.meters[0]._security._aes._state.long_term.version == 2  # type: ignore[union-attr]  # the meter knows AES
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
    street.keys.long_term = lambda neuron_id, version: psk(77, version)  # type: ignore[method-assign]  # the test's own in its place
    street.run(DAY)
    assert street.told(Visited) == []
    assert 3 <= challenges(street) <= 3 * AES.handshakes_a_day
    assert len(street.told(Failed)) < 40
    street.keys.long_term = right  # type: ignore[method-assign]  # the test's own in its place
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
        return [] if deaf and apdu(frame)[:1] == code(Code.UNICAST) else [frame]

    street = Street(1, MIGRATE, fate, aes={0})
    street.run(DAY + 2 * HOUR)
    assert len(street.told(Visited)) >= 4
    assert not bound(street)
    assert mode(street) is Mode.RC4
    deaf = False
    street.run(DAY)
    assert bound(street)
    assert mode(street) is Mode.AES
