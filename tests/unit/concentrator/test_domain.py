"""One key for a whole domain: handed out, used for broadcasts, renewed."""

from __future__ import annotations

import msgspec
import pytest

from osgp.concentrator.broadcasting import MOST_BROADCAST
from osgp.concentrator.domain import KeptDomain
from osgp.concentrator.happenings import Broadcasted, Failed, Visited
from osgp.concentrator.vault import kept_of, taken
from osgp.errors import LocalProtocolError
from osgp.meter import VirtualMeter
from osgp.security.aes_device import Limits
from osgp.security.broadcast import BroadcastReceiver
from osgp.security.domain import LAST_GENERATION, DomainState
from osgp.spec import tables
from osgp.spec.services import REQUESTS, Command, PartialWriteRequest
from osgp.topology import Life
from tests.support.domain import (
    DAY,
    HOUR,
    OWN_ID,
    PLAN,
    READ,
    all_read,
    broadcasts,
    generations,
    heard,
    receiver,
    said,
    server,
    taken_in,
)
from tests.support.street import Fate, Street, neuron, row


def without(number: int) -> Fate:
    return lambda street, sender, receiver, frame: [] if number in (sender, receiver) else [frame]


def test_all_devices_of_the_new_suite_hold_one_key() -> None:
    street = Street(3, PLAN, aes={0, 2})
    street.run(HOUR, all_read(street))
    held = [receiver(street, number)._held[0].key for number in (0, 2)]
    assert held[0] == held[1]
    assert OWN_ID in street.vault.records
    assert held[0].key not in [held[0].domain, b""]


def test_a_broadcast_reaches_those_who_are_near_once() -> None:
    street = taken_in(3)
    before = heard(street)
    street.concentrator.broadcast(READ)
    street.run(60.0, said(street))
    assert heard(street) == [base + 1 for base in before]
    assert street.told(Broadcasted)[0].request == READ
    assert len(broadcasts(street)) == PLAN.retry + 1
    assert len(set(broadcasts(street))) == 1


def test_a_broadcast_is_executed() -> None:
    """A table that the new suite may write: the lockout threshold, ET55.20."""
    street = taken_in(2)
    request = PartialWriteRequest(
        Command.PARTIAL_WRITE, tables["ET55"].info.number, 20, 2, bytes((40, 7))
    )
    street.concentrator.broadcast(REQUESTS[Command.PARTIAL_WRITE].encode(request))
    street.run(60.0, said(street))
    assert [server(street, number).lockout for number in range(2)] == [(40, 7)] * 2


def test_a_broadcast_goes_over_the_chains_that_are_in_use() -> None:
    street = taken_in(5, PLAN, row)
    before = heard(street)
    street.concentrator.broadcast(READ)
    street.run(600.0, said(street))
    assert heard(street) == [base + 1 for base in before]
    (told,) = street.told(Broadcasted)
    assert (told.chains, told.broken) == (1, 0)
    assert len(set(broadcasts(street))) == 1


def test_a_chain_that_breaks_is_told() -> None:
    street = taken_in(4, PLAN, row)
    street.fate = lambda street, sender, receiver, frame: (
        []
        if 4 in (sender, receiver) or 3 in (sender, receiver)
        else row(street, sender, receiver, frame)
    )
    before = heard(street)
    street.concentrator.broadcast(READ)
    street.run(HOUR, said(street))
    assert street.told(Broadcasted)[0].broken == 1
    assert heard(street)[:2] == [base + 1 for base in before[:2]]


def test_nobody_is_told_where_nobody_understands() -> None:
    street = Street(1, PLAN)
    street.run(HOUR, all_read(street))
    with pytest.raises(LocalProtocolError):
        street.concentrator.broadcast(READ)
    assert OWN_ID not in street.vault.records


def test_no_number_is_used_twice_whenever_the_concentrator_stops() -> None:
    street = taken_in(1)
    for turn in range(40):
        street.concentrator.broadcast(READ)
        street.run(60.0, said(street, turn + 1))
        if turn % 3 == 0:
            street.restart()
    sent = broadcasts(street)
    assert len(sent) == 40 * (PLAN.retry + 1)
    assert len({message[:5] for message in sent}) == len(set(sent)) == 40


def test_a_worn_key_is_renewed_in_all_devices_and_then_used() -> None:
    street = taken_in(3, msgspec.structs.replace(PLAN, key_validity_days=3))
    assert generations(street) == [1, 1, 1]
    street.run(4 * DAY)
    assert generations(street) == [2, 2, 2]
    assert street.concentrator.suites.domain.generation == 2
    street.concentrator.broadcast(READ)
    street.run(60.0, said(street))
    assert [len(receiver(street, number)._held) for number in range(3)] == [1, 1, 1]
    assert street.told(Failed) == []


def test_a_renewal_waits_for_who_is_there() -> None:
    street = taken_in(3)
    street.concentrator.suites.domain.renew()
    street.run(6 * HOUR, lambda: sorted(generations(street)) == [1, 2, 2])
    domain = street.concentrator.suites.domain
    assert (domain.generation, domain.renewing) == (1, True)
    street.concentrator.broadcast(READ)
    street.run(60.0, said(street))
    opened = [receiver(street, n)._held[0] for n in range(3)]
    assert {(held.key.generation, held.base) for held in opened} == {(1, 1)}
    street.run(6 * HOUR, all_read(street, 2))
    assert (domain.generation, domain.renewing) == (2, False)


def test_a_lost_device_is_left_behind_and_gets_the_key_when_it_is_back() -> None:
    street = taken_in(3)
    street.fate = without(3)
    street.run(2 * DAY)
    assert street.concentrator.devices[neuron(2)].life is Life.LOST
    street.concentrator.suites.domain.renew()
    street.run(DAY)
    assert street.concentrator.suites.domain.generation == 2
    assert generations(street) == [2, 2, 1]
    street.fate = lambda street, sender, receiver, frame: [frame]
    street.run(2 * DAY)
    assert generations(street) == [2, 2, 2]


def test_who_missed_too_many_is_told_where_to_go_on() -> None:
    street = taken_in(2)
    domain = street.concentrator.suites.domain
    for _ in range(1200):
        domain.seal(b"\0" + READ)
    assert receiver(street, 1).base == 0
    street.run(7 * HOUR, all_read(street, 2))
    street.concentrator.broadcast(READ)
    street.run(60.0, said(street))
    assert [base > 1200 for base in heard(street)] == [True, True]


def test_a_removed_device_does_not_understand_the_others_for_long() -> None:
    street = taken_in(3)
    street.concentrator.decommission(neuron(0))
    street.run(DAY)
    assert generations(street) == [1, 2, 2]
    street.concentrator.broadcast(READ)
    street.run(60.0, said(street))
    bases = heard(street)
    assert bases[0] == 0
    assert bases[1] == bases[2] == 1


def test_a_device_that_takes_no_domain_key_is_read_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refuse = lambda self, state: False  # noqa: E731  (a method's stand-in)
    monkeypatch.setattr(BroadcastReceiver, "install", refuse)
    street = Street(1, PLAN, aes={0})
    street.run(2 * DAY)
    assert street.told(Failed) == []
    assert len(street.told(Visited)) == 8
    assert street.concentrator.devices[neuron(0)].life is Life.OPERATING


def test_a_meter_without_power_for_a_moment_keeps_its_window() -> None:
    street = taken_in(1)
    street.concentrator.broadcast(READ)
    street.run(60.0, said(street))
    old = street.meters[0]
    memory = old.nvm.survivor(unsynchronised=False)  # type: ignore[attr-defined]  # a MemoryNvm
    street.meters[0] = VirtualMeter(old.profile, memory, street.rng, street.now)
    assert heard(street) == [1]
    (message,) = set(broadcasts(street))
    assert receiver(street, 0).open(message).outcome.name == "BAD_SEQUENCE"


def test_the_key_is_renewed_before_the_weakest_device_refuses_it() -> None:
    """A meter whose keys may be used 60 times only (ET04.123), broadcasts included."""
    street = Street(2, PLAN, aes={0, 1}, limits=Limits(uses=60))
    street.run(HOUR, all_read(street))
    street.restart()
    for turn in range(50):
        street.concentrator.broadcast(READ)
        street.run(60.0, said(street, turn + 1))
    street.run(13 * HOUR)
    assert set(generations(street)) == {2}
    before = heard(street)
    street.concentrator.broadcast(READ)
    street.run(60.0, said(street, 51))
    assert heard(street) == [base + 1 for base in before]


def test_what_is_heard_from_several_sides_uses_the_key_once() -> None:
    street = taken_in(5, PLAN, row)
    street.fate = lambda street, sender, receiver, frame: [frame]
    street.concentrator.broadcast(READ)
    street.run(600.0, said(street))
    assert [server(street, number).broadcast_uses for number in range(5)] == [1] * 5


def test_after_the_last_generation_comes_another_domain() -> None:
    street = taken_in(2)
    (held,) = {receiver(street, number)._held[0].key for number in range(2)}
    last = msgspec.structs.replace(held, generation=LAST_GENERATION)
    state = msgspec.msgpack.encode(DomainState(last))
    street.vault.records[OWN_ID] = msgspec.msgpack.encode(
        KeptDomain(state, int(street.now / DAY), 1000)
    )
    street.restart()
    street.run(7 * HOUR, all_read(street, 2))
    assert generations(street) == [LAST_GENERATION] * 2
    street.concentrator.suites.domain.renew()
    street.run(7 * HOUR, all_read(street, 3))
    assert generations(street) == [1, 1]
    (after,) = {receiver(street, number)._held[-1].key.domain for number in range(2)}
    assert after != held.domain


def test_the_least_limit_that_was_ever_shown_counts() -> None:
    street = taken_in(1)
    for uses in (500, 300, 0, 400):
        street.restart()
        street.concentrator.suites.domain.limit(uses)
    street.restart()
    domain = street.concentrator.suites.domain
    while not domain.renewing:
        message = domain.seal(b"\0" + READ)
    assert int.from_bytes(message[1:5], "big") <= 300 * 0.8 + 1


def test_a_key_that_neighbours_wear_out_is_renewed() -> None:
    """Broadcasts that do not verify use the device's key, and only the device counts them."""
    street = Street(1, PLAN, aes={0}, limits=Limits(uses=400))
    street.run(2 * DAY)
    forged = b"\x11\0\0\0\1" + bytes(16)
    for _ in range(350):
        receiver(street, 0).open(forged)
    street.run(13 * HOUR)
    assert generations(street) == [2]
    street.concentrator.broadcast(READ)
    street.run(60.0, said(street))
    assert heard(street) == [1]
    assert receiver(street, 0).used == 1


def test_a_wish_that_is_refused_in_between_fails_no_visit(monkeypatch: pytest.MonkeyPatch) -> None:
    street = taken_in(1)
    street.concentrator.suites.domain.renew()
    session = street.concentrator.suites.session(street.concentrator.devices[neuron(0)])
    assert session is not None
    assert street.concentrator.suites.domain.hand_to(session.keys)
    monkeypatch.setattr(BroadcastReceiver, "install", lambda self, state: False)
    street.run(7 * HOUR, all_read(street, 2))
    assert street.told(Failed) == []


def test_a_broadcast_takes_over_nobody_elses_device() -> None:
    street = taken_in(1)
    before = kept_of(street.vault.records[neuron(0)])
    other = msgspec.msgpack.encode(taken(before, b"\xdd" * 6))
    street.vault.records[neuron(0)] = other
    street.restart()
    with pytest.raises(LocalProtocolError):
        street.concentrator.broadcast(READ)
    assert street.vault.records[neuron(0)] == other


def test_a_request_that_fits_no_frame_is_refused() -> None:
    street = taken_in(1)
    with pytest.raises(LocalProtocolError):
        street.concentrator.broadcast(bytes(MOST_BROADCAST + 1))
    street.concentrator.broadcast(READ + bytes(MOST_BROADCAST - len(READ)))
    street.run(60.0, said(street))
    assert heard(street) == [1]
