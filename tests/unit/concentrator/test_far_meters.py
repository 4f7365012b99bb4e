"""Meters that the concentrator does not hear: over others, whatever becomes of these."""

from __future__ import annotations

import pytest

from osgp.concentrator.happenings import Commissioned, DuplicateId, Failed, Removed, Searched
from osgp.concentrator.plan import Plan
from osgp.errors import LocalProtocolError
from osgp.lon import Lpdu, NeuronId
from osgp.repeating import REQUEST_CODE
from osgp.topology import Life
from tests.support.impostor import answer_to
from tests.support.street import Fate, Street, meter, neuron, omak, row

HOUR, DAY = 3600.0, 86_400.0
PLAN = Plan(visit_every=6 * HOUR, ranges=1)


def without(numbers: set[int], fate: Fate = row) -> Fate:
    """Some stations neither hear nor are heard."""

    def changed(street: Street, sender: int, receiver: int, frame: bytes) -> list[bytes]:
        deaf = {sender, receiver} & numbers
        return [] if deaf else fate(street, sender, receiver, frame)

    return changed


def ring(street: Street, sender: int, receiver: int, frame: bytes) -> list[bytes]:
    """Both ends of the row meet at the concentrator."""
    return [frame] if abs(sender - receiver) in (1, len(street.stations) - 1) else []


def all_read(street: Street) -> bool:
    devices = street.concentrator.devices.values()
    lives = [known.life for known in devices]
    return lives == [Life.OPERATING] * len(street.meters)


def hops(street: Street) -> list[int]:
    return [street.concentrator.network.hops_to(neuron(n)) for n in range(len(street.meters))]


def test_a_row_of_meters_is_found_one_through_the_other() -> None:
    street = Street(5, PLAN, row)
    street.run(6 * HOUR, lambda: all_read(street))
    assert all_read(street)
    assert hops(street) == [0, 1, 2, 3, 4]
    assert len(street.told(Commissioned)) == 5
    found_somebody = {each.searcher for each in street.told(Searched) if each.answers}
    assert found_somebody >= {neuron(n) for n in range(4)}


def test_commissioning_goes_by_neuron_id_through_chains() -> None:
    street = Street(3, PLAN, row)
    street.run(6 * HOUR, lambda: all_read(street))
    from_agent = [
        Lpdu.decode(what[1]).npdu for name, what in street.log if name == "frame" and what[0] == 2
    ]
    assert NeuronId(neuron(2)) in [npdu.destination for npdu in from_agent]


def test_what_reaches_a_far_meter_is_only_passed_on_by_others() -> None:
    """Repeaters see no more than the sealed message, and the target sees no chain."""
    street = Street(2, PLAN, row)
    street.run(6 * HOUR, lambda: all_read(street))
    last = street.meters[1]
    assert last.repeater.statistics.requests == 0
    assert street.meters[0].repeater.statistics.delivered > 10


def test_a_broken_chain_is_left_for_the_other_way_round() -> None:
    street = Street(5, PLAN, ring)
    street.run(12 * HOUR)
    assert hops(street) == [0, 1, 2, 1, 0]
    first = street.concentrator.network.routes.current(neuron(1))
    assert first is not None and first.hops == (neuron(0),)
    street.fate = without({1}, ring)
    street.run(16 * HOUR)
    lives = {node: known.life for node, known in street.concentrator.devices.items()}
    assert lives.pop(neuron(0)) is Life.LOST
    assert set(lives.values()) == {Life.OPERATING}
    second = street.concentrator.network.routes.current(neuron(1))
    assert second is not None and second.hops == (neuron(4), neuron(3), neuron(2))


def test_those_behind_a_silent_meter_come_back_with_it() -> None:
    street = Street(3, PLAN, row)
    street.run(6 * HOUR, lambda: all_read(street))
    street.fate = without({2})
    street.run(16 * HOUR)
    lives = [known.life for known in street.concentrator.devices.values()]
    assert sorted(lives) == [Life.LOST, Life.LOST, Life.OPERATING]
    street.fate = row
    street.run(4 * HOUR, lambda: all_read(street))
    assert all_read(street)
    assert len(street.told(Commissioned)) == 3, "the addresses were good all the time"


def test_a_far_meter_that_was_reset_is_taken_in_again() -> None:
    street = Street(3, PLAN, row)
    street.run(6 * HOUR, lambda: all_read(street))
    street.meters[2] = meter(2, street.now)
    street.run(30 * HOUR, lambda: len(street.told(Commissioned)) == 4)
    street.run(HOUR, lambda: all_read(street))
    assert all_read(street)
    assert street.meters[2].address == street.concentrator.devices[neuron(2)].address
    assert street.told(DuplicateId) == []


def test_a_dead_end_costs_a_bounded_number_of_frames() -> None:
    """Counted: looking for a lost meter ends, and so does trying it."""
    street = Street(3, PLAN, row)
    street.run(6 * HOUR, lambda: all_read(street))
    street.fate = without({3})
    street.run(DAY)
    begun = len(street.log)
    street.run(DAY)
    frames = [what for name, what in street.log[begun:] if name == "frame"]
    tries = [what for what in frames if what[0] == 2 and _is_for(what[1], neuron(2), street)]
    assert len(tries) < 26 * 3 * (PLAN.hop_retry + 1)
    assert len(frames) < 4000
    assert 20 <= len(street.told(Failed)) <= 60


def _is_for(frame: bytes, neuron_id: bytes, street: Street) -> bool:
    address = street.concentrator.devices[neuron_id].address
    return Lpdu.decode(frame).npdu.destination in (address, NeuronId(neuron_id))


def test_chains_are_not_used_where_the_concentrator_is_heard() -> None:
    street = Street(4, PLAN)
    street.run(12 * HOUR)
    requests = [
        what
        for name, what in street.log
        if name == "frame" and what[0] == 0 and bytes((REQUEST_CODE,)) == _apdu_code(what[1])
    ]
    assert requests == []


def _apdu_code(frame: bytes) -> bytes:
    pdu = Lpdu.decode(frame).npdu.enclosed()
    return getattr(pdu, "apdu", b"")[:1]


def test_a_meter_is_taken_out_and_let_in_again() -> None:
    street = Street(2, PLAN, row)
    street.run(6 * HOUR, lambda: all_read(street))
    street.concentrator.decommission(neuron(1))
    street.run(2 * HOUR)
    assert street.meters[1].address is None
    assert street.concentrator.devices[neuron(1)].life is Life.DECOMMISSIONED
    assert [each.neuron_id for each in street.told(Removed)] == [neuron(1)]
    street.run(30 * HOUR)
    assert street.meters[1].address is None, "it answered, and stayed out"
    street.concentrator.admit(neuron(1))
    street.run(2 * HOUR, lambda: all_read(street))
    assert all_read(street)
    with pytest.raises(LocalProtocolError):
        street.concentrator.admit(neuron(1))


def test_that_a_meter_is_to_go_survives_a_restart() -> None:
    street = Street(2, PLAN)
    street.run(6 * HOUR, lambda: all_read(street))
    street.concentrator.decommission(neuron(1))
    street.restart()
    assert street.concentrator.devices[neuron(1)].life is Life.LEAVING
    street.run(2 * HOUR)
    assert street.meters[1].address is None
    assert street.concentrator.devices[neuron(1)].life is Life.DECOMMISSIONED


def test_a_meter_that_is_let_in_again_at_once_stays() -> None:
    street = Street(2, PLAN, row)
    street.run(6 * HOUR, lambda: all_read(street))
    street.concentrator.decommission(neuron(1))
    street.concentrator.admit(neuron(1))
    street.run(2 * HOUR, lambda: all_read(street))
    assert all_read(street)
    assert street.told(Removed) == []


def test_what_another_concentrator_has_is_forgotten() -> None:
    street = Street(2, PLAN)
    street.run(6 * HOUR, lambda: all_read(street))
    saved = len([1 for name, _ in street.log if name == "saved"])
    street.concentrator.release(neuron(1), street.now)
    assert neuron(1) not in street.concentrator.devices
    street.run(5 * HOUR)
    kept = [what for name, what in street.log if name == "saved"][saved:]
    assert neuron(1) not in {device.neuron_id for device in kept}


def test_somebody_else_who_claims_a_registered_id_is_reported_and_not_commissioned() -> None:
    street = Street(2, PLAN)
    street.run(6 * HOUR, lambda: all_read(street))
    before = street.concentrator.devices[neuron(0)].address
    street.fate = _impostor
    street.run(3 * HOUR)
    assert {each.neuron_id for each in street.told(DuplicateId)} == {neuron(0)}
    assert len(street.told(Commissioned)) == 2
    assert street.concentrator.devices[neuron(0)].address == before
    assert all_read(street)


def _impostor(street: Street, sender: int, receiver: int, frame: bytes) -> list[bytes]:
    """Somebody answers every query as if he were meter 0 before it was registered."""
    if sender != 0 or receiver != 1:
        return [frame]
    for forged in answer_to(frame, neuron(0), street.now):
        street.concentrator.receive_frame(forged, street.now, 15.0)
    return [frame]


def test_keys_stay_with_their_devices() -> None:
    street = Street(2, PLAN, row)
    street.keys.known[neuron(1)] = omak(7)
    street.run(3 * HOUR)
    lives = {node: known.life for node, known in street.concentrator.devices.items()}
    assert lives == {neuron(0): Life.OPERATING, neuron(1): Life.REFUSED}
