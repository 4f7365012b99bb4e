"""A meter on a perfect line, with somebody who asks: everything goes through real frames."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from osgp.errors import ServiceError
from osgp.lon import (
    Broadcast,
    Completed,
    Destination,
    DomainEntry,
    NeuronId,
    NodeConfig,
    NodeState,
    Outgoing,
    ResponseReceived,
    Service,
    Stack,
    SubnetNode,
)
from osgp.meter import DataSet, MemoryNvm, MeterProfile, SetUp, VirtualMeter
from osgp.meter.measuring import Traits
from osgp.meter.nvm import Nvm
from osgp.security.omak import PlcScope
from osgp.security.secret import Secret
from osgp.security.suite import OmaClient
from osgp.session import Exchange, Send
from osgp.session.client import TableClient
from osgp.spec import procedures, tables
from osgp.spec.tables.general import ProcedureInitiate, ProcedureResponse
from osgp.topology.commissioning import commission

START = 1_780_012_800
"""A midnight UTC: 2026-05-29."""
HOUR, DAY = 3600, 86_400
OMAK = bytes(range(12))
DOMAIN = b"\x11\x22\x33"
ASKER = SubnetNode(1, 127)
PLACE = SubnetNode(1, 5)
TRAITS = Traits(annual_energy=4000.0)


def profile(**changes: Any) -> MeterProfile:
    """A meter without disturbances whose clock is right."""
    given: dict[str, Any] = {
        "neuron_id": bytes.fromhex("050012345678"),
        "omak": Secret(OMAK),
        "serial": "0000000012345678",
        "identification": "12345678901234567890",
        "seed": 3,
        "traits": TRAITS,
    }
    return MeterProfile(**given | changes)


def small_set_up(**changes: Any) -> SetUp:
    """Three blocks of hours and ten log entries: both wrap soon."""
    given: dict[str, Any] = {"data_sets": (DataSet(interval=60, blocks=3),), "log_entries": 10}
    return SetUp(**given | changes)


def meter(nvm: Nvm | None = None, now: float = START, **changes: Any) -> VirtualMeter:
    return VirtualMeter(profile(**changes), nvm or MemoryNvm(), random.Random(1), now)


class Asker:
    """A node that commissions a meter and talks to it; `now` moves on with each frame."""

    def __init__(self, device: VirtualMeter, now: float = START, key: bytes = OMAK) -> None:
        self.device, self.now, self.step = device, now, 0.25
        entry = DomainEntry(DOMAIN, ASKER.subnet, ASKER.node)
        config = NodeConfig(bytes(6), domains=[entry, DomainEntry(valid=False)])
        config.state = NodeState.CONFIGURED_ONLINE
        self.stack = Stack(config, random.Random(2))
        self.key = key
        self.use_place(PLACE)

    def use_place(self, place: SubnetNode) -> None:
        self.place = place
        self.security = OmaClient(self.key, PlcScope(place.subnet, place.node))
        self.client = TableClient(self.security)

    def exchange(self) -> None:
        """Carry all frames that are waiting, both ways, until none is left."""
        while True:
            self.now += self.step
            out = self.stack.frames_to_send(self.now)
            back = self.device.frames_to_send(self.now)
            if not out and not back:
                return
            for frame in out:
                self.device.receive_frame(frame.data, self.now, 20.0)
            for frame in back:
                self.stack.receive_frame(frame.data, self.now, 20.0)

    def ask(
        self,
        apdu: bytes,
        to: Destination,
        *,
        domain: bytes | int = 0,
        retry: int = 0,
        proof: bytes | None = None,
    ) -> bytes | None:
        """The response to one APDU; None for silence. `proof`: the key of an authenticated one."""
        proven = {"authenticated": proof is not None, "alternate_key": proof}
        sent = Outgoing(to, apdu, Service.REQUEST, domain, retry, 0)
        self.stack.send(msgspec.structs.replace(sent, **proven), self.now)
        answer = None
        for _ in range(8):
            self.exchange()
            while (event := self.stack.next_event()) is not None:
                if isinstance(event, ResponseReceived):
                    answer = event.apdu
                elif isinstance(event, Completed):
                    return answer
            self.now = max(self.now, self.stack.next_timer() or self.now)
            self.stack.handle_timer(self.now)
        return answer

    def run(self, script: Exchange[Any], to: Destination | None = None) -> Any:
        """Drive a conversation and return its result."""
        answer: bytes | None = None
        try:
            while True:
                wanted = next(script) if answer is None else script.send(answer)
                assert isinstance(wanted, Send)
                answer = self.ask(wanted.apdu, to or self.place)
                assert answer is not None, f"no answer to {wanted.apdu.hex()}"
        except StopIteration as stop:
            return stop.value

    def commission(self, place: SubnetNode = PLACE) -> None:
        entry = DomainEntry(DOMAIN, place.subnet, place.node)
        self.run(commission(entry), NeuronId(self.device.profile.neuron_id))
        self.use_place(place)

    def broadcast(self, apdu: bytes) -> bytes | None:
        return self.ask(apdu, Broadcast(0), domain=DOMAIN)

    # --- tables ------------------------------------------------------------------------------

    def image(self, number: int) -> bytes:
        """A whole table, in as many reads as it takes."""
        size = len(self.device.tables.image(number, self.now))
        data: bytes = self.run(self.client.read(number, 0, size))
        return data

    def table(self, number: int) -> Any:
        return tables[number].bind(self.device.parts.dims).decode(self.image(number))

    def refusal(self, script: Exchange[Any]) -> int:
        """The response code that a conversation ends with; 0 if it is served."""
        try:
            self.run(script)
        except ServiceError as error:
            return error.response_code
        return 0

    def call(self, number: int, sequence: int, handling: int = 0, **parameters: Any) -> Any:
        """Run a procedure and read BT08."""
        data = (
            procedures[number]
            .bind(self.device.parts.dims)
            .encode(procedures[number].make(**parameters))
        )
        return self.initiate(number, sequence, data, handling)

    def initiate(self, number: int, sequence: int, data: bytes = b"", handling: int = 0) -> Any:
        self.run(self.client.write_whole(7, request(number, sequence, data, handling)))
        return ProcedureResponse.bind().decode(self.image(8))


def request(number: int, sequence: int, data: bytes = b"", handling: int = 0) -> bytes:
    """BT07 for a procedure by its full number."""
    return ProcedureInitiate.bind().encode(
        ProcedureInitiate.make(
            procedure_number=number & 0x7FF,
            extended=number >> 11 == 1,
            response_handling=handling,
            sequence_number=sequence,
            parameters=data,
        )
    )
