"""A device that searches for others: over real stacks, with real seals."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from osgp.errors import RemoteProtocolError, SecurityError, ServiceError
from osgp.lon import (
    Broadcast,
    DomainEntry,
    NodeConfig,
    NodeState,
    Received,
    ResponseReceived,
    Service,
    Stack,
    SubnetNode,
)
from osgp.security.omak import PlcScope
from osgp.security.suite import OmaClient, OmaServer
from osgp.session import Exchange, Send, Wait
from osgp.topology import Agent, Ask, FieldClient, atm
from osgp.topology.agent import MAX_FOUND
from osgp.topology.atm import EVERYBODY
from osgp.topology.links import Carrier

KEY = bytes(range(12))
OURS = b"OSG"
NEURON = bytes.fromhex("050000000001")
PLACE = SubnetNode(1, 5)
ASK = Ask(77, EVERYBODY)


class Device:
    """An agent on its stack, and whoever is in its neighbourhood."""

    def __init__(self, neighbours: int = 0) -> None:
        config = NodeConfig(NEURON, bytes(8), NodeState.CONFIGURED_ONLINE)
        config.domains[0] = DomainEntry(OURS, PLACE.subnet, PLACE.node)
        self.stack = Stack(config, random.Random(1))
        self.server = OmaServer(KEY, PlcScope(PLACE.subnet, PLACE.node))
        self.agent = Agent(self.stack, self.server, 0.0)
        self.neighbours = neighbours
        self.now = 0.0
        self.asked: list[bytes] = []
        self.lines: list[bool] = []

    def ask(self, apdu: bytes) -> bytes | None:
        self.asked.append(apdu)
        received = Received(
            apdu,
            Service.REQUEST,
            SubnetNode(1, 127),
            OURS,
            0,
            PLACE,
            authenticated=False,
            priority=False,
            alternate_path=False,
            margin_db=12.0,
            tid=1,
            token=1,
        )
        response = self.agent.answer(received, self.now)
        self._listen()
        return response

    def _listen(self) -> None:
        """Everybody in the neighbourhood answers what the device asks."""
        for frame in self.stack.frames_to_send(self.now):
            self.lines.append(frame.alternate_path)
            for number in range(self.neighbours):
                for reply in _answers(number, frame.data, self.now):
                    self.stack.receive_frame(reply, self.now, 9.0)
            self._events()

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.stack.handle_timer(self.now)
        self._events()

    def _events(self) -> None:
        while (event := self.stack.next_event()) is not None:
            self.agent.on_event(event, self.now)


def _answers(number: int, frame: bytes, now: float) -> list[bytes]:
    neuron = (number + 100).to_bytes(6, "big")
    stack = Stack(NodeConfig(neuron, bytes(8)), random.Random(number))
    stack.receive_frame(frame, now, 6.5)
    event = stack.next_event()
    assert isinstance(event, Received) and event.token is not None
    answer = atm.Responder(neuron, bytes(8)).answer(event.apdu, 6.5, atm.Registration())
    assert answer is not None
    stack.respond(event.token, answer, now)
    return [out.data for out in stack.frames_to_send(now)]


def client(key: bytes = KEY) -> FieldClient:
    return FieldClient(OmaClient(key, PlcScope(PLACE.subnet, PLACE.node)))


def drive(
    device: Device, script: Exchange[Any], change: Callable[[bytes], bytes] = lambda apdu: apdu
) -> Any:
    """Runs a conversation with the device; `change` meddles with its responses."""
    answer: bytes | None = None
    try:
        while True:
            wanted = next(script) if answer is None else script.send(answer)
            if isinstance(wanted, Wait):
                device.pass_time(wanted.seconds)
                answer = b""
            else:
                assert isinstance(wanted, Send)
                response = device.ask(wanted.apdu)
                assert response is not None
                answer = change(response)
    except StopIteration as stop:
        return stop.value


@pytest.mark.parametrize("count", [0, 1, 5, 6, 17])
def test_what_a_device_hears_is_fetched_in_pages(count: int) -> None:
    device = Device(count)
    found = drive(device, client().search(ASK, 60))
    assert {each.neuron_id for each in found} == {
        (number + 100).to_bytes(6, "big") for number in range(count)
    }
    assert all((each.outward, each.inward) == (13, 18) for each in found)


def test_a_search_is_one_query_on_the_carrier_asked_for() -> None:
    for carrier in Carrier:
        device = Device(2)
        drive(device, client().search(Ask(3, EVERYBODY, carrier=carrier), 60))
        assert device.lines == [carrier is Carrier.SECONDARY]


def test_a_flood_of_answers_is_cut_off_and_counted() -> None:
    device = Device(MAX_FOUND + 20)
    found = drive(device, client().search(ASK, 60))
    assert len(found) == MAX_FOUND
    assert len(device.lines) == 1


def test_a_new_search_takes_the_place_of_the_one_before() -> None:
    device, asking = Device(3), client()
    drive(device, asking.search(ASK, 60))
    device.neighbours = 1
    assert len(drive(device, asking.search(Ask(78, EVERYBODY), 60))) == 1


def test_nobody_without_the_key_makes_it_search() -> None:
    device = Device(3)
    with pytest.raises(SecurityError):
        drive(device, client(bytes(12)).search(ASK, 60))
    assert device.lines == []
    assert device.agent.statistics.refused == 1
    assert device.agent.statistics.searches == 0


def test_a_replayed_search_does_nothing_again() -> None:
    device = Device(1)
    drive(device, client().search(ASK, 60))
    for apdu in list(device.asked):
        device.ask(apdu)
    assert len(device.lines) == 1
    assert device.agent.statistics.searches == 1


def test_a_sealed_table_service_in_an_atm_message_is_no_command() -> None:
    device, security = Device(), OmaClient(KEY, PlcScope(PLACE.subnet, PLACE.node))
    sealed = security.seal_request(b"\x00\x30\x00\x01")
    response = device.ask(atm.ENVELOPE + sealed)
    assert response is not None
    opened = security.open_response(sealed, response[len(atm.ENVELOPE) :])
    assert opened == b"\x00\x02"


@pytest.mark.parametrize(
    "body", [b"\xa1", b"\xa1\x00\x01", b"\xa2", b"\xa2\x00", b"\xa3" + bytes(8), b"\xa2" * 4]
)
def test_malformed_commands_are_refused(body: bytes) -> None:
    device, security = Device(2), OmaClient(KEY, PlcScope(PLACE.subnet, PLACE.node))
    sealed = security.seal_request(b"\x00" + body)
    response = device.ask(atm.ENVELOPE + sealed)
    assert response is not None
    opened = security.open_response(sealed, response[len(atm.ENVELOPE) :])
    assert opened[0] == 0 and opened[1] != 0
    assert device.lines == []


def test_a_fetch_without_its_search_is_refused() -> None:
    device, asking = Device(), client()
    script = asking._fetch_all(9)
    with pytest.raises(ServiceError):
        drive(device, script)


def test_an_altered_response_is_not_believed() -> None:
    with pytest.raises(SecurityError):
        drive(
            Device(1),
            client().search(ASK, 60),
            lambda apdu: apdu[:-9] + bytes((apdu[-9] ^ 1,)) + apdu[-8:],
        )
    with pytest.raises(RemoteProtocolError):
        drive(Device(1), client().search(ASK, 60), lambda apdu: b"\x00\x00")


def test_only_a_registered_device_searches() -> None:
    device = Device(1)
    device.stack.config.state = NodeState.UNCONFIGURED
    device.agent.follow()
    with pytest.raises(ServiceError):
        drive(device, client().search(ASK, 60))


def test_membership_of_the_discovery_domain_follows_the_registration() -> None:
    device = Device()
    config = device.stack.config
    entry = config.domains[1]
    assert (entry.valid, entry.domain, entry.address) == (True, b"", PLACE)
    key = config.domains[1].key
    config.domains[0] = DomainEntry(OURS, 2, 9)
    device.agent.follow()
    assert config.domains[1].address == SubnetNode(2, 9)
    config.domains[0] = DomainEntry(valid=False)
    device.agent.follow()
    assert not config.domains[1].valid
    assert config.state is NodeState.UNCONFIGURED
    assert config.domains[1].key == key


def test_answers_of_others_do_not_count() -> None:
    """Replays of answers to an earlier query carry its salt."""
    device = Device()
    drive(device, client().search(ASK, 60))
    old = atm.Responder(bytes(6), bytes(8)).answer(
        atm.query(76, EVERYBODY), 0.0, atm.Registration()
    )
    assert old is not None
    device.ask(atm.ENVELOPE + client_sealed(device))
    handle = device.agent._handle
    assert handle is not None
    device.agent.on_event(ResponseReceived(handle, old, SubnetNode(0, 0), b"", 5.0), device.now)
    assert device.agent._found == {}
    assert device.agent.statistics.malformed == 1


def client_sealed(device: Device) -> bytes:
    """A fresh SEARCH, sealed."""
    security = OmaClient(KEY, PlcScope(PLACE.subnet, PLACE.node), last=device.server.last)
    request = atm.SearchRequest.make(
        command=atm.Command.SEARCH,
        salt=77,
        low=0,
        high=0xFFFF,
        members=False,
        secondary=False,
        idle=60,
    )
    return security.seal_request(b"\x00" + atm.COMMANDS[atm.Command.SEARCH].encode(request))


def test_contact_ends_after_the_active_timeout() -> None:
    """ET55.15: 60 minutes unless told otherwise."""
    device = Device()
    query = atm.query(1, EVERYBODY, domain=b"OSH", idle=0)
    broadcast = Received(
        query,
        Service.REQUEST,
        SubnetNode(65, 127),
        b"",
        1,
        Broadcast(0),
        authenticated=False,
        priority=False,
        alternate_path=False,
        margin_db=3.0,
        tid=1,
        token=1,
    )
    times = (0, 59, 60, 600)
    speaks = [device.agent.answer(broadcast, minutes * 60.0) is not None for minutes in times]
    device.agent.contacted(600 * 60.0)
    speaks.append(device.agent.answer(broadcast, 601 * 60.0) is not None)
    assert speaks == [False, False, True, True, False]
