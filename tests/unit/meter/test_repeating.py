"""Meters repeat for others: what the asker cannot reach by itself, a chain of meters does."""

from __future__ import annotations

import random

import pytest

from osgp.lon import Completed, OutFrame, ResponseReceived, Service, Stack, SubnetNode
from osgp.meter import MemoryNvm, VirtualMeter
from osgp.meter.measuring import Kind, Spell
from osgp.repeating import Broken, Chain, Hop, Responded, interpret, message_via
from osgp.security.omak import PlcScope
from osgp.security.suite import OmaClient

from .bench import ASKER, OMAK, START, Asker, profile

NEURONS = [bytes.fromhex(f"0500000000{number:02x}") for number in range(1, 5)]


class Row:
    """Nodes in a row, asker first: each hears only its neighbours."""

    def __init__(self, meters: int) -> None:
        self.meters = [self._meter(NEURONS[number]) for number in range(meters)]
        self.askers = [Asker(each) for each in self.meters]
        for number, asker in enumerate(self.askers):
            asker.commission(SubnetNode(1, number + 1))
        self.asker = self.askers[0]
        self.now = self.asker.now + 10.0

    def _meter(self, neuron_id: bytes) -> VirtualMeter:
        given = profile(neuron_id=neuron_id)
        return VirtualMeter(given, MemoryNvm(), random.Random(1), START)

    def ask(self, apdu: bytes) -> object:
        """Over all meters but the last to the last: what came back."""
        hops = tuple(Hop(each.address) for each in self.meters[:-1] if each.address)
        target = self.meters[-1].address
        assert target is not None
        chain = Chain(hops, target)
        stack = self.asker.stack
        stack.send(message_via(chain, apdu, Service.REQUEST, ASKER), self.now)
        answer = None
        for _ in range(4000):
            self._carry()
            while (event := stack.next_event()) is not None:
                if isinstance(event, ResponseReceived):
                    answer = event.apdu
                elif isinstance(event, Completed):
                    return interpret(chain, answer)
            self._wait()
        raise AssertionError("never over")

    def _carry(self) -> None:
        nodes: list[Stack | VirtualMeter] = [self.asker.stack, *self.meters]
        sent: list[tuple[int, OutFrame]] = []
        for number, node in enumerate(nodes):
            sent += [(number, frame) for frame in node.frames_to_send(self.now)]
        for number, frame in sent:
            for other in (number - 1, number + 1):
                if 0 <= other < len(nodes):
                    nodes[other].receive_frame(frame.data, self.now, 20.0)
        if sent:
            self._carry()

    def _wait(self) -> None:
        self.now += 0.05
        self.asker.stack.handle_timer(self.now)
        for each in self.meters:
            if each.next_timer() <= self.now:
                each.handle_timer(self.now)


@pytest.mark.parametrize("meters", [2, 3, 4])
def test_a_chain_of_meters_brings_a_table(meters: int) -> None:
    row = Row(meters)
    place = row.meters[-1].address
    assert place is not None
    security = OmaClient(OMAK, PlcScope(place.subnet, place.node))
    request = security.seal_request(b"\x00\x30\x00\x01")
    outcome = row.ask(request)
    assert isinstance(outcome, Responded)
    body = security.open_response(request, outcome.apdu)
    own = row.meters[-1].tables.image(1, row.now)[:]
    assert body == b"\x00\x00\x00\x18" + own
    counts = [each.repeater.statistics.requests for each in row.meters]
    assert counts == [1] * (meters - 1) + [0]


def test_a_meter_without_power_breaks_the_chain() -> None:
    row = Row(3)
    outage = Spell(Kind.POWER_FAILURE, 0, row.now + 1, row.now + 600)
    row.meters[2].parts.metering.undergo([outage])
    row.now += 2
    for each in row.meters:
        each.handle_timer(row.now)
    outcome = row.ask(b"\x00\x30\x00\x01")
    assert isinstance(outcome, Broken)
    assert outcome.heard
