"""Discovered, commissioned, visited: the concentrator and real stacks on a wire."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import msgspec
import pytest

from osgp.concentrator.happenings import Commissioned, Discovered, Failed, Visited
from osgp.concentrator.plan import Plan
from osgp.errors import StoreError
from osgp.lon import Broadcast, Lpdu, NeuronId
from osgp.topology import Life
from tests.support.street import START, Fate, Street, neuron, omak

HOUR, DAY = 3600.0, 86_400.0
QUICK = Plan(visit_every=6 * HOUR, ranges=2)
INITIATE = b"\x00\x40\x00\x07"
"""A full write of BT07, which starts a procedure."""


def destination(frame: bytes) -> object:
    return Lpdu.decode(frame).npdu.destination


def is_call(frame: bytes) -> bool:
    return INITIATE in frame


def visited(count: int) -> Callable[[Street], Callable[[], bool]]:
    return lambda street: lambda: len(street.told(Visited)) >= count


def lives(street: Street) -> list[Life]:
    """In order of neuron ids, which is that of the meters."""
    return [known.life for _, known in sorted(street.concentrator.devices.items())]


def test_meters_are_found_commissioned_and_read() -> None:
    street = Street(3, QUICK)
    street.run(HOUR, visited(3)(street))
    assert {found.neuron_id for found in street.told(Discovered)} == {neuron(n) for n in range(3)}
    assert len({made.address for made in street.told(Commissioned)}) == 3
    assert lives(street) == [Life.OPERATING] * 3
    assert street.told(Failed) == []
    for meter in street.meters:
        stored = street.sink.held[meter.profile.neuron_id]
        assert meter.address is not None
        assert (stored.subnet, stored.node) == (meter.address.subnet, meter.address.node)


def test_what_is_stored_is_what_the_meters_have() -> None:
    street = Street(2, QUICK)
    street.run(7 * HOUR, visited(4)(street))
    for reading in street.sink.readings:
        assert reading.registers
        assert reading.link is not None
        assert reading.link.failures == 0
    intervals = [
        (reading.neuron_id, interval.end)
        for reading in street.sink.readings
        for interval in reading.intervals
    ]
    assert len(intervals) == len(set(intervals)), "an interval was stored twice"
    ends = sorted(end for found, end in intervals if found == neuron(0))
    assert ends == [START + HOUR * n for n in range(1, len(ends) + 1)]
    assert len(ends) == 6


def test_a_reading_is_stored_before_the_meter_may_forget_it() -> None:
    """Every BT07 on the line comes after the reading that it acknowledges is in the store."""
    street = Street(1, QUICK)
    street.run(30 * HOUR)
    stored = calls = 0
    for name, what in street.log:
        if name == "stored":
            stored += 1
        elif name == "frame" and what[0] == 0 and is_call(what[1]):
            calls += 1
            assert stored > 0
    assert calls > 0
    first_call = next(
        n for n, (name, what) in enumerate(street.log) if name == "frame" and is_call(what[1])
    )
    before = [what for name, what in street.log[:first_call] if name == "stored"]
    assert before[-1].events or before[-1].intervals


def test_a_store_that_fails_stops_the_concentrator() -> None:
    street = Street(1, QUICK)
    street.run(HOUR, lambda: bool(street.told(Commissioned)))
    street.sink.broken = True
    with pytest.raises(StoreError, match="disk is full"):
        street.run(2 * HOUR)
    assert not any(is_call(what[1]) for name, what in street.log if name == "frame")


def test_a_reading_that_is_not_stored_is_never_acknowledged() -> None:
    street = Street(1, QUICK)
    store = street.sink.store
    street.sink.store = lambda reading: (_ for _ in ()).throw(StoreError("no space"))  # type: ignore[method-assign]  # the test's own in its place
    with pytest.raises(StoreError):
        street.run(2 * HOUR)
    assert not any(is_call(what[1]) for name, what in street.log if name == "frame")
    street.sink.store = store  # type: ignore[method-assign]  # the test's own in its place
    street.restart()
    street.run(2 * HOUR, visited(1)(street))
    assert street.sink.readings[0].registers


def test_after_a_restart_it_goes_on_where_it_was() -> None:
    street = Street(2, QUICK)
    street.run(HOUR, visited(2)(street))
    addresses = [meter.address for meter in street.meters]
    street.restart()
    street.run(DAY, visited(6)(street))
    assert len(street.told(Commissioned)) == 2, "commissioned again"
    assert [meter.address for meter in street.meters] == addresses
    seen = [(r.neuron_id, i.end) for r in street.sink.readings for i in r.intervals]
    assert len(seen) == len(set(seen))
    assert street.told(Failed) == []


def test_a_meter_that_was_reset_is_found_again() -> None:
    street = Street(1, Plan(visit_every=6 * HOUR, ranges=1, discover_every=HOUR))
    street.run(HOUR, visited(1)(street))
    (old,) = street.told(Commissioned)
    number = street.meters[0]
    number.stack.config.domains[0] = number.stack.config.domains[0].__class__(valid=False)
    number.stack.config.state = number.stack.config.state.__class__.UNCONFIGURED
    number.stack.reindex()
    number.agent.follow()
    street.run(3 * HOUR, lambda: len(street.told(Commissioned)) == 2)
    assert street.told(Commissioned)[1].address == old.address
    street.run(HOUR, visited(2)(street))
    assert lives(street) == [Life.OPERATING]


def only_broadcasts(number: int) -> Fate:
    """The meter hears queries, and nothing that is meant for it alone."""

    def fate(street: Street, sender: int, receiver: int, frame: bytes) -> list[bytes]:
        lost = receiver == number + 1 and not isinstance(destination(frame), Broadcast)
        return [] if lost else [frame]

    return fate


def test_a_meter_that_answers_but_never_joins_holds_up_nobody() -> None:
    street = Street(2, QUICK, only_broadcasts(1))
    street.run(DAY)
    assert len(street.told(Visited)) >= 4
    assert {visit.neuron_id for visit in street.told(Visited)} == {neuron(0)}
    failed = street.told(Failed)
    assert {failure.neuron_id for failure in failed} == {neuron(1)}
    every_hour = DAY / QUICK.discover_every + DAY / QUICK.back_off[-1]
    assert len(failed) <= every_hour + len(QUICK.back_off)


def test_a_meter_that_joined_unheard_is_commissioned_all_the_same() -> None:
    """It is a member now and answers no query; only trying again by neuron id reaches it."""

    def fate(street: Street, sender: int, receiver: int, frame: bytes) -> list[bytes]:
        deaf = street.now < START + 120 and street.meters[0].address is not None
        return [] if deaf and sender == 1 else [frame]

    street = Street(1, QUICK, fate)
    street.run(2 * HOUR, visited(1)(street))
    assert street.told(Failed)
    assert lives(street) == [Life.OPERATING]


def test_a_meter_without_a_key_is_not_given_an_address() -> None:
    street = Street(2, QUICK)
    del street.keys.known[neuron(1)]
    street.run(DAY)
    assert street.meters[1].address is None
    assert {v.neuron_id for v in street.told(Visited)} == {neuron(0)}
    reasons = {failure.reason for failure in street.told(Failed)}
    assert reasons == {f"no key for {neuron(1).hex()}"}
    street.keys.known[neuron(1)] = omak(1)
    street.run(3 * HOUR)
    assert lives(street) == [Life.OPERATING] * 2


def test_a_meter_with_another_key_is_refused_and_stores_nothing() -> None:
    street = Street(1, QUICK)
    street.keys.known[neuron(0)] = omak(77)
    street.run(DAY)
    assert lives(street) == [Life.REFUSED]
    assert street.told(Visited) == []
    assert all(not (r.images or r.registers or r.intervals) for r in street.sink.readings)
    assert len(street.sink.readings) < 40, "refusals are not backed off"


def test_a_silent_meter_is_lost_and_comes_back() -> None:
    quiet = False

    def fate(street: Street, sender: int, receiver: int, frame: bytes) -> list[bytes]:
        return [] if quiet and 1 in (sender, receiver) else [frame]

    street = Street(2, QUICK, fate)
    street.run(HOUR, visited(2)(street))
    quiet = True
    street.run(DAY)
    assert lives(street) == [Life.LOST, Life.OPERATING]
    assert len(street.told(Failed)) < 40
    quiet = False
    street.run(2 * HOUR)
    assert lives(street) == [Life.OPERATING] * 2


@pytest.mark.parametrize("loss", [0.1, 0.3])
def test_a_lossy_line_costs_retries_and_no_data(loss: float) -> None:
    def fate(street: Street, sender: int, receiver: int, frame: bytes) -> list[bytes]:
        return [] if street.rng.random() < loss else [frame]

    street = Street(2, QUICK, fate)
    street.run(DAY)
    assert lives(street) == [Life.OPERATING] * 2
    retries = sum(r.link.retries for r in street.sink.readings if r.link is not None)
    assert retries > 0
    for n in range(2):
        ends = sorted(
            interval.end
            for reading in street.sink.readings
            if reading.neuron_id == neuron(n)
            for interval in reading.intervals
        )
        assert ends == [START + HOUR * k for k in range(1, len(ends) + 1)]
        assert len(ends) >= 12


def test_visits_can_be_asked_for() -> None:
    street = Street(1, QUICK)
    street.run(HOUR, visited(1)(street))
    street.concentrator.visit_all(street.now + 60.0)
    street.run(600.0)
    assert len(street.told(Visited)) == 2


def test_a_neuron_id_addresses_commissioning_and_nothing_else() -> None:
    street = Street(1, QUICK)
    street.run(HOUR, visited(1)(street))
    by_neuron = [
        what[1]
        for name, what in street.log
        if name == "frame" and what[0] == 0 and isinstance(destination(what[1]), NeuronId)
    ]
    assert 2 <= len(by_neuron) <= 4


def under_new_names(street: Street, sender: int, receiver: int, frame: bytes) -> list[bytes]:
    """Whatever meter 1 says carries another neuron id every time."""
    lpdu = Lpdu.decode(frame)
    if sender != 2 or neuron(1) not in lpdu.npdu.pdu:
        return [frame]
    pdu = lpdu.npdu.pdu.replace(neuron(1), street.rng.randbytes(6))
    changed = msgspec.structs.replace(lpdu, npdu=msgspec.structs.replace(lpdu.npdu, pdu=pdu))
    return [changed.encode()]


def test_somebody_who_answers_under_new_names_does_not_stop_the_visits() -> None:
    street = Street(2, QUICK, under_new_names)
    street.keys.omak = lambda neuron_id: omak(neuron_id[5])  # type: ignore[method-assign]  # the test's own in its place
    street.run(DAY)
    assert len(street.told(Discovered)) > 20
    visits = [visit.at for visit in street.told(Visited)]
    assert len(visits) >= 3
    assert max(b - a for a, b in pairwise(visits)) < 2 * QUICK.visit_every
