"""Hostile neighbours of a concentrator: floods, forgeries, replays. They cost little, and end."""

from __future__ import annotations

import random
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from osgp.concentrator.happenings import Commissioned, Discovered, DuplicateId
from osgp.concentrator.plan import Plan
from osgp.lon import Broadcast, Lpdu
from osgp.security.secret import Secret
from osgp.topology import Life, atm
from tests.support.impostor import answer_to
from tests.support.street import Fate, Street, meter, neuron

HOUR, DAY = 3600.0, 86_400.0
PLAN = Plan(visit_every=6 * HOUR, ranges=1, strangers=10)


def whispering(names: Iterator[bytes], *, each: int = 1, salt: int | None = None) -> Fate:
    """Somebody next to the concentrator answers its queries, `each` times, under `names`."""

    def fate(street: Street, sender: int, receiver: int, frame: bytes) -> list[bytes]:
        if sender == 0 and receiver == 1:
            for _ in range(each):
                for forged in answer_to(frame, next(names), street.now, salt=salt):
                    street.concentrator.receive_frame(forged, street.now, 15.0)
        return [frame]

    return fate


def made_up(seed: int = 1) -> Iterator[bytes]:
    rng = random.Random(seed)
    while True:
        yield rng.randbytes(6)


def with_keys_for_all(street: Street) -> Street:
    street.keys.omak = lambda neuron_id: Secret(bytes(neuron_id) * 2)  # type: ignore[method-assign]  # the test's own in its place
    return street


def sent(street: Street) -> list[bytes]:
    """Frames of the concentrator."""
    return [what[1] for name, what in street.log if name == "frame" and what[0] == 0]


def operating(street: Street) -> int:
    devices = street.concentrator.devices.values()
    return sum(known.life is Life.OPERATING for known in devices)


def test_a_flood_of_made_up_ids_is_turned_away() -> None:
    street = Street(2, PLAN, whispering(made_up(), each=10))
    known_keys = street.keys.known
    street.keys.omak = lambda neuron_id: known_keys.get(neuron_id, Secret(bytes(12)))  # type: ignore[method-assign]  # the test's own in its place
    street.run(6 * HOUR)
    assert operating(street) == 2
    strangers = len(street.concentrator.devices) - 2
    assert strangers <= PLAN.strangers + PLAN.query_responses
    assert street.concentrator.roster.turned_away > 20
    assert len(street.concentrator.roster._addresses._taken) <= strangers + 3


def test_after_a_flood_that_drowned_everybody_meters_are_found() -> None:
    """Nor does a restart bring the strangers back."""
    street = Street(2, PLAN, whispering(made_up(), each=15))
    known_keys = street.keys.known
    street.keys.omak = lambda neuron_id: known_keys.get(neuron_id, Secret(bytes(12)))  # type: ignore[method-assign]  # the test's own in its place
    street.run(6 * HOUR)
    assert operating(street) == 0
    street.fate = lambda street, sender, receiver, frame: [frame]
    street.run(3 * HOUR)
    assert operating(street) == 2
    street.restart()
    assert len(street.concentrator.devices) <= 2 + PLAN.strangers + PLAN.query_responses


def test_the_frames_that_a_flood_causes_are_bounded() -> None:
    """Counted: so many new names are tried in an hour, each so often, and no more."""
    street = with_keys_for_all(Street(1, PLAN, whispering(made_up(2), each=5)))
    street.run(DAY)
    first = len(sent(street))
    street.run(DAY)
    second = len(sent(street)) - first
    assert second <= first
    assert second < 24 * (PLAN.strangers * PLAN.lost_after * (PLAN.retry + 1) + 40)


def test_answers_to_an_earlier_query_are_not_taken() -> None:
    street = Street(1, PLAN, whispering(made_up(3), salt=0xBEEF))
    street.run(3 * HOUR)
    assert {each.neuron_id for each in street.told(Discovered)} == {neuron(0)}
    assert list(street.concentrator.devices) == [neuron(0)]


def test_two_answers_under_one_name_are_reported() -> None:
    def twice() -> Iterator[bytes]:
        while True:
            yield bytes.fromhex("0a0b0c0d0e0f")

    street = with_keys_for_all(Street(1, PLAN, whispering(twice(), each=2)))
    street.run(HOUR)
    told = {each.neuron_id for each in street.told(DuplicateId)}
    assert bytes.fromhex("0a0b0c0d0e0f") in told


def test_two_meters_with_one_id_are_reported() -> None:
    street = Street(2, PLAN)
    street.meters[1] = meter(0)
    street.run(2 * HOUR)
    assert {each.neuron_id for each in street.told(DuplicateId)} == {neuron(0)}


def test_the_concentrators_own_id_is_no_device() -> None:
    street = Street(1, PLAN)
    own = street.concentrator.network.root

    def mirror() -> Iterator[bytes]:
        while True:
            yield own

    street.fate = whispering(mirror())
    street.run(3 * HOUR)
    assert own not in [link.one for link in street.concentrator.network.links if link.other == own]
    assert operating(street) == 1


def test_a_dead_street_is_not_asked_for_ever() -> None:
    """Counted: a day of trying five meters that are all gone, after the first."""
    street = Street(5, PLAN)
    street.run(6 * HOUR)
    assert operating(street) == 5
    street.fate = lambda street, sender, receiver, frame: []
    street.run(DAY)
    before = len(sent(street))
    street.run(DAY)
    frames = sent(street)[before:]
    assert len(frames) < 5 * 24 * 3 * (PLAN.retry + 1) + 24 * 60
    queries = [f for f in frames if isinstance(Lpdu.decode(f).npdu.destination, Broadcast)]
    assert len(queries) < 24 * 40


def test_a_searcher_that_lies_adds_nobody_for_good() -> None:
    """A registered device may make up what it heard: strangers stay strangers."""
    street = with_keys_for_all(Street(1, PLAN))
    street.keys.known.clear()
    street.keys.omak = lambda neuron_id: Secret(bytes([neuron_id[5]]) * 12)  # type: ignore[method-assign]  # the test's own in its place
    street.run(HOUR)
    agent = street.meters[0].agent
    names = made_up(4)
    heard = agent._fetch

    def lying(command: atm.FetchRequest) -> bytes:
        for _ in range(3):
            name = next(names)
            agent._found[name] = atm.FoundDevice.make(
                neuron_id=name,
                program_id=bytes(8),
                member=False,
                foreign=False,
                outward=40,
                inward=40,
            )
        return heard(command)

    agent._fetch = lying  # type: ignore[method-assign]  # the test's own in its place
    street.run(2 * DAY)
    assert operating(street) == 1
    assert len(street.told(Commissioned)) == 1
    assert len(street.concentrator.devices) <= 1 + PLAN.strangers + 40
    visits = street.concentrator.devices[neuron(0)].device.last_contact
    assert visits is not None and visits > street.now - 2 * PLAN.visit_every


FRAMES = st.binary(max_size=60)


@given(st.lists(FRAMES | FRAMES.map(lambda tail: b"\x00" + tail), max_size=10))
@settings(deadline=None, max_examples=30)
def test_noise_on_the_line_is_survived(frames: list[bytes]) -> None:
    street = Street(1, PLAN)
    for frame in frames:
        street.concentrator.receive_frame(frame, street.now, 10.0)
        street.meters[0].receive_frame(frame, street.now, 10.0)
    street.run(HOUR, lambda: operating(street) == 1)
    assert operating(street) == 1
