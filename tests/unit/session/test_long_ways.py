"""Writes over chains of repeaters, whose lists take room from what is written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from osgp.errors import EncodeError
from osgp.lon import Service, SubnetNode
from osgp.repeating import Chain, Hop
from osgp.session import Exchange, Send
from osgp.spec.services import PLC_LIMITS
from tests.support.conversations import Device, ToyTables

SOURCE, TARGET = SubnetNode(1, 127), SubnetNode(11, 1)
TABLE = 2100
DATA = bytes(range(200))
OFFSET = 7


def mixed(hops: int) -> Chain:
    """Every hop in a subnet of its own, so that each is listed with two bytes."""
    return Chain(tuple(Hop(SubnetNode(n + 2, 5)) for n in range(hops)), TARGET)


def room_of(hops: int) -> int:
    return mixed(hops).room(SOURCE, Service.REQUEST) if hops else 114


def write(device: Device, room: Callable[[int], int]) -> list[int]:
    """Sizes of the messages that reached the device; `room(n)` is that of the n-th message."""
    talk: Exchange[None] = device.client.write(TABLE, DATA, OFFSET)
    sizes: list[int] = []
    tried = 0
    try:
        step = next(talk)
        while True:
            assert isinstance(step, Send)
            assert tried < 100, "asks for ever"
            tried += 1
            if len(step.apdu) > room(tried):
                step = talk.throw(EncodeError("no room", field="apdu"))
                continue
            sizes.append(len(step.apdu))
            response = device.answer(step.apdu)
            assert response is not None
            step = talk.send(response)
    except StopIteration:
        return sizes


def check_written(device: Device) -> None:
    image = device.tables.images[TABLE]
    assert bytes(image) == bytes(OFFSET) + DATA + bytes(300 - OFFSET - len(DATA))
    assert sum(len(data) for _, _, data in device.tables.writes) == len(DATA), "nothing twice"


def test_the_longest_chain_has_less_room_than_the_port() -> None:
    assert room_of(8) < PLC_LIMITS.write + 21 <= room_of(5)


@pytest.mark.parametrize("hops", range(9))
def test_writes_fit_the_chain(hops: int) -> None:
    device = Device(ToyTables({TABLE: bytes(300)}))
    sizes = write(device, lambda _: room_of(hops))
    check_written(device)
    assert max(sizes) <= room_of(hops)
    assert len(sizes) <= 4, "no shorter than needed"


def test_a_chain_that_gets_longer_on_the_way() -> None:
    device = Device(ToyTables({TABLE: bytes(300)}))
    sizes = write(device, lambda tried: room_of(0 if tried < 2 else 8))
    check_written(device)
    assert sizes[0] > room_of(8) >= max(sizes[1:])


def test_a_way_without_any_room_ends_the_write() -> None:
    device = Device(ToyTables({TABLE: bytes(300)}))
    with pytest.raises(EncodeError):
        write(device, lambda _: 20)
    assert not device.tables.writes
