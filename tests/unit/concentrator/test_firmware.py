"""One firmware image into a street of meters, whatever gets lost on the way."""

from __future__ import annotations

import random
from collections.abc import Callable, Container

import msgspec
import pytest

from osgp.concentrator.campaign import FEW, ROUNDS, TRANSITIONS, Campaign, Result, Stage
from osgp.concentrator.happenings import Broadcasted, Upgraded, Visited
from osgp.concentrator.image import PACKET
from osgp.concentrator.plan import Plan
from osgp.errors import LocalProtocolError
from osgp.lon import Lpdu
from osgp.meter import VirtualMeter
from osgp.security.aes_client import AesClient
from osgp.spec import tables
from osgp.spec.tables.hardware import MOST_PACKETS
from osgp.topology import Life
from tests.support.street import Fate, Street, neuron, row
from tests.support.suites import AES, DAY, HOUR, after_a_cut

PROGRAM = b"PROGRAM2"
IMAGE = PROGRAM + random.Random(3).randbytes(PACKET * 20)
PACKETS = 21


def runs(device: VirtualMeter, image: bytes = IMAGE) -> bool:
    return device.parts.firmware.program_id == image[:8]


def all_run(street: Street, count: int | None = None) -> Callable[[], bool]:
    told = len(street.meters) if count is None else count
    return lambda: len(street.told(Upgraded)) >= told


def packet(frame: bytes) -> int:
    """Which secured broadcast of the street it is, from 0; -1: none."""
    apdu = getattr(Lpdu.decode(frame).npdu.enclosed(), "apdu", b"")
    return int.from_bytes(apdu[1:5], "big") - 1 if apdu[:1] == b"\x11" else -1


def deaf(number: int, wanted: Container[int]) -> Fate:
    """One meter misses these secured broadcasts with all their repetitions."""

    def fate(street: Street, sender: int, receiver: int, frame: bytes) -> list[bytes]:
        return [] if receiver == number + 1 and packet(frame) in wanted else [frame]

    return fate


def loaded(street: Street, image: bytes = IMAGE, hours: float = 12.0) -> Street:
    street.run(HOUR)
    street.concentrator.load(image)
    street.run(hours * HOUR, all_run(street))
    return street


def test_all_meters_run_it_and_are_read_as_before() -> None:
    street = loaded(Street(3, AES, aes={0, 1, 2}))
    assert [runs(device) for device in street.meters] == [True] * 3
    assert [told.reason for told in street.told(Upgraded)] == [""] * 3
    assert len(street.told(Broadcasted)) == PACKETS
    read = len(street.told(Visited))
    street.run(DAY, lambda: len(street.told(Visited)) >= read + 3)
    identified = {tables["BT01"].info.number}
    assert all(
        identified & {image.table for image in each.images} for each in street.sink.readings[-3:]
    )
    assert [known.life for known in street.concentrator.devices.values()] == [Life.OPERATING] * 3


def test_packets_go_over_repeaters_too() -> None:
    street = Street(4, AES, row, aes={0, 1, 2, 3})
    street.run(6 * HOUR)
    street.concentrator.load(IMAGE)
    street.run(12 * HOUR, all_run(street))
    assert [runs(device) for device in street.meters] == [True] * 4
    assert len(street.told(Broadcasted)) == PACKETS


def test_who_hears_no_broadcast_gets_it_alone() -> None:
    street = loaded(Street(2, AES, deaf(1, range(10_000)), aes={0, 1}))
    assert [runs(device) for device in street.meters] == [True, True]
    assert len(street.told(Broadcasted)) == ROUNDS * PACKETS


def test_a_few_gaps_are_filled_without_another_round() -> None:
    street = loaded(Street(2, AES, deaf(1, range(FEW)), aes={0, 1}))
    assert [runs(device) for device in street.meters] == [True, True]
    assert len(street.told(Broadcasted)) == PACKETS


def test_many_gaps_are_broadcast_again() -> None:
    street = loaded(Street(2, AES, deaf(1, range(FEW + 1)), aes={0, 1}))
    assert [runs(device) for device in street.meters] == [True, True]
    assert len(street.told(Broadcasted)) == PACKETS + FEW + 1


def test_devices_of_the_old_suite_are_left_alone() -> None:
    street = Street(2, AES, aes={1})
    street.run(HOUR)
    street.concentrator.load(IMAGE)
    street.run(12 * HOUR, all_run(street, 1))
    assert [runs(device) for device in street.meters] == [False, True]


def test_who_joins_later_gets_it_too() -> None:
    street = Street(2, AES, aes={0, 1})
    street.concentrator.load(IMAGE)
    street.run(12 * HOUR, all_run(street))
    assert [runs(device) for device in street.meters] == [True, True]


def test_both_banks_are_served_at_once() -> None:
    street = Street(2, AES, aes={0, 1})
    street.run(HOUR)
    street.fate = lambda street, sender, receiver, frame: [] if 2 in (sender, receiver) else [frame]
    street.concentrator.load(IMAGE)
    street.run(HOUR, all_run(street, 1))
    assert [runs(device) for device in street.meters] == [True, False]
    street.fate = lambda street, sender, receiver, frame: [frame]
    other = b"PROGRAM3" + IMAGE[8:]
    street.concentrator.load(other)
    street.run(DAY, lambda: all(runs(device, other) for device in street.meters))
    assert [device.parts.firmware.state.active for device in street.meters] == [0, 1]


def test_the_same_image_is_not_loaded_again() -> None:
    street = loaded(Street(1, AES, aes={0}))
    said = len(street.told(Broadcasted))
    street.concentrator.load(IMAGE)
    street.run(HOUR, all_run(street, 2))
    assert len(street.told(Upgraded)) == 2
    assert len(street.told(Broadcasted)) == said
    assert street.meters[0].parts.firmware.state.switches == 1


@pytest.mark.parametrize("after", range(0, 400, 29))
def test_after_a_power_cut_of_either_side_it_goes_on(after: int) -> None:
    street = Street(2, AES, aes={0, 1})
    street.run(HOUR)
    street.concentrator.load(IMAGE)
    begun = len(street.log)
    street.run(12 * HOUR, lambda: len(street.log) >= begun + after)
    street.restart()
    after_a_cut(street, 1)
    street.concentrator.load(IMAGE)
    street.run(12 * HOUR, lambda: all(map(runs, street.meters)))
    assert [runs(device) for device in street.meters] == [True, True]
    assert [device.parts.firmware.state.switches for device in street.meters] == [1, 1]


def test_a_silent_device_is_waited_for() -> None:
    street = Street(2, AES, aes={0, 1})
    street.run(HOUR)
    street.fate = lambda street, sender, receiver, frame: [] if 2 in (sender, receiver) else [frame]
    street.concentrator.load(IMAGE)
    street.run(DAY)
    assert [runs(device) for device in street.meters] == [True, False]
    street.fate = lambda street, sender, receiver, frame: [frame]
    street.run(DAY, all_run(street))
    assert runs(street.meters[1])


def test_a_device_that_refuses_is_given_up_and_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AesClient, "image_mac", lambda self, image: bytes(16))
    street = loaded(Street(1, AES, aes={0}))
    (told,) = street.told(Upgraded)
    assert "EP10" in told.reason
    assert not runs(street.meters[0])
    read = len(street.told(Visited))
    street.run(DAY)
    assert len(street.told(Visited)) >= read + 3


def test_a_removed_device_is_not_asked_any_more() -> None:
    street = Street(2, AES, aes={0, 1})
    street.run(HOUR)
    street.concentrator.decommission(neuron(1))
    street.concentrator.load(IMAGE)
    street.run(DAY)
    assert [runs(device) for device in street.meters] == [True, False]
    assert len(street.told(Upgraded)) == 1


@pytest.mark.parametrize("size", [0, 7, MOST_PACKETS * PACKET + 1])
def test_what_is_no_image_is_refused(size: int) -> None:
    with pytest.raises(LocalProtocolError):
        Street(1, AES, aes={0}).concentrator.load(bytes(size))


def test_the_stages_lead_to_an_end() -> None:
    ends = {Stage.DONE, Stage.FAILED}
    assert {stage for stage, _ in TRANSITIONS} == set(Stage) - ends
    for stage in set(Stage) - ends:
        assert TRANSITIONS[stage, Result.GIVEN_UP] is Stage.FAILED
        assert any(after is not stage for (s, _), after in TRANSITIONS.items() if s is stage)


def test_an_empty_campaign_asks_for_nothing() -> None:
    campaign = Campaign(IMAGE)
    assert campaign.due(0.0) is None
    assert campaign.next_packet() is None
    assert campaign.next_timer() == float("inf")


def test_visits_have_their_turn_while_an_image_is_being_loaded() -> None:
    plan: Plan = msgspec.structs.replace(AES, visit_every=600.0, searches=3)
    street = Street(1, plan, aes={0})
    street.run(HOUR)
    read = len(street.told(Visited))
    street.concentrator.load(PROGRAM + bytes(PACKET * 300))
    street.run(HOUR)
    assert len(street.told(Visited)) >= read + 5
