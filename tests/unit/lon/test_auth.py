"""Challenge and reply: digests and whole runs observed between two independent stacks."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from osgp.lon import (
    AddressEntry,
    AuthPdu,
    AuthScheme,
    Broadcast,
    Completed,
    Destination,
    Event,
    Group,
    Lpdu,
    NeuronId,
    NodeConfig,
    Npdu,
    Outgoing,
    PduType,
    Received,
    Service,
    Stack,
    SubnetNode,
)
from osgp.lon.addresses import AddressFormat
from osgp.lon.auth import digest, oma_destination
from osgp.lon.tpdu import AuthType

from .bus import DOMAIN, Bus, configured, neuron

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "en14908.json").read_text())
RUNS = VECTORS["auth_runs"]["runs"]
KEYS = {node: bytes.fromhex(key) for node, key in VECTORS["auth_runs"]["_keys"].items()}
STANDARD, OMA = AuthScheme.STANDARD, AuthScheme.OMA


def test_standard_replies() -> None:
    for vector in VECTORS["auth_std"]:
        challenge, key, apdu = (bytes.fromhex(vector[k]) for k in ("challenge", "key", "apdu"))
        reply = digest(STANDARD, challenge, key, SubnetNode(1, 1), b"", apdu)
        assert reply.hex() == vector["reply"]


def destination_of(kind: str, block: bytes) -> tuple[Destination, bytes]:
    domain = block[: block[6]] if block[6] <= 6 else b""
    match kind:
        case "neuron_id":
            return NeuronId(block[:6]), b""
        case "group":
            return Group(block[7]), domain
    return SubnetNode(block[7], block[8]), domain


def test_oma_replies() -> None:
    kinds = set()
    for vector in VECTORS["auth_oma"]:
        block = bytes.fromhex(vector["oma_dest"])
        to, domain = destination_of(vector["dest_kind"], block)
        assert oma_destination(to, domain) == block
        challenge, key, apdu = (bytes.fromhex(vector[k]) for k in ("challenge", "key", "apdu"))
        assert digest(OMA, challenge, key, to, domain, apdu).hex() == vector["reply"]
        kinds.add(vector["dest_kind"])
    assert kinds == {"neuron_id", "subnet_node"}


class Drawn(random.Random):
    """Draws the challenge that a run was recorded with."""

    def __init__(self, value: bytes) -> None:
        super().__init__(0)
        self.value = value

    def randbytes(self, n: int) -> bytes:
        assert n == len(self.value)
        return self.value


DIRECT_RUNS = [
    ("std_direct", STANDARD, "4"),
    ("oma_direct", OMA, "4"),
    ("std_direct_badkey", STANDARD, "3"),
]


@pytest.mark.parametrize(("name", "scheme", "key"), DIRECT_RUNS)
def test_recorded_run_replays_byte_for_byte(name: str, scheme: AuthScheme, key: str) -> None:
    request, challenge, reply, response = (
        Lpdu.decode(bytes.fromhex(step["lpdu"])) for step in RUNS[name]
    )
    drawn = challenge.npdu.enclosed()
    assert isinstance(drawn, AuthPdu)
    asker = Stack(configured(1, key=KEYS[key], auth=scheme), random.Random(0))
    answerer = Stack(configured(4, key=KEYS["4"], auth=scheme), Drawn(drawn.value))
    asker.send(Outgoing(SubnetNode(1, 4), b"\x05\xaa\xbb", authenticated=True, tid=drawn.tid), 0.0)
    assert exchange(asker, answerer) == request
    assert exchange(answerer, asker) == challenge
    if name == "std_direct_badkey":
        answerer.receive_frame(reply.encode(), 0.0)
    else:
        assert exchange(asker, answerer) == reply
    message = answerer.next_event()
    assert isinstance(message, Received)
    assert message.token is not None
    verdict = bytes((message.authenticated,))
    answerer.respond(message.token, b"\x25" + verdict + message.apdu, 0.0)
    assert exchange(answerer, asker) == response
    assert message.authenticated is (name != "std_direct_badkey")


def exchange(sender: Stack, receiver: Stack) -> Lpdu:
    (out,) = sender.frames_to_send(0.0)
    receiver.receive_frame(out.data, 0.0)
    return Lpdu.decode(out.data)


MEMBER = AddressEntry.of_group(7, 1, 0)
OTHER_KEY = bytes(range(100, 112))


def authenticated_run(
    to: Destination,
    scheme: AuthScheme,
    *,
    asker_key: bytes = bytes(range(12)),
    alternate: bytes | None = None,
    service: Service = Service.REQUEST,
    target: NodeConfig | None = None,
) -> Bus:
    if target is None:
        target = configured(2, auth=scheme, group=MEMBER)
    bus = Bus(configured(1, key=asker_key), target)

    def answer(node: int, event: Event) -> None:
        if isinstance(event, Received) and event.token is not None:
            bus.stacks[node].respond(event.token, b"\x25", bus.now)

    bus.on_event = answer
    message = Outgoing(to, b"\x05\xaa", service, authenticated=True, alternate_key=alternate)
    bus.stacks[0].send(message, bus.now)
    return bus


def verdict(bus: Bus) -> bool:
    (message,) = (event for event in bus.events[1] if isinstance(event, Received))
    assert isinstance(bus.events[0][-1], Completed)
    assert bus.events[0][-1].success
    return message.authenticated


@pytest.mark.parametrize("scheme", [STANDARD, OMA])
@pytest.mark.parametrize("to", [SubnetNode(1, 2), NeuronId(neuron(2)), Group(7, 1)])
def test_every_address_format(scheme: AuthScheme, to: Destination) -> None:
    bus = authenticated_run(to, scheme)
    bus.run(5)
    assert verdict(bus)
    kinds = [frame.npdu.pdu_type for frame in bus.frames]
    assert kinds == [PduType.SPDU, PduType.AUTH, PduType.AUTH, PduType.SPDU]


@pytest.mark.parametrize("service", [Service.ACKD, Service.UNACKD_RPT])
def test_other_services(service: Service) -> None:
    bus = authenticated_run(SubnetNode(1, 2), STANDARD, service=service)
    bus.run(9)
    assert verdict(bus)


@pytest.mark.parametrize("scheme", [STANDARD, OMA])
def test_wrong_key_is_delivered_as_unauthenticated(scheme: AuthScheme) -> None:
    bus = authenticated_run(SubnetNode(1, 2), scheme, asker_key=OTHER_KEY)
    bus.run(5)
    assert not verdict(bus)
    assert bus.stacks[1].statistics.refused == 1


@pytest.mark.parametrize("scheme", [STANDARD, OMA])
def test_alternate_key_replaces_the_own_one(scheme: AuthScheme) -> None:
    bus = authenticated_run(
        SubnetNode(1, 2), scheme, asker_key=OTHER_KEY, alternate=bytes(range(12))
    )
    bus.run(5)
    assert verdict(bus)


def test_broadcast_is_never_challenged() -> None:
    bus = authenticated_run(Broadcast(), STANDARD)
    bus.run(5)
    assert not verdict(bus)


def test_unconfigured_node_cannot_challenge() -> None:
    bus = authenticated_run(NeuronId(neuron(9)), STANDARD, target=NodeConfig(neuron(9)))
    bus.run(5)
    assert not verdict(bus)


def test_repetition_before_the_reply_repeats_the_same_challenge() -> None:
    bus = authenticated_run(SubnetNode(1, 2), STANDARD)
    drops = iter([True])
    bus.lost = lambda sender, receiver, frame: sender == 1 and next(drops, False)
    bus.run(10)
    assert verdict(bus)
    challenges = [
        frame.npdu.pdu
        for frame in bus.frames
        if frame.npdu.pdu_type is PduType.AUTH and frame.npdu.source.node == 2
    ]
    assert len(challenges) == 2
    assert challenges[0] == challenges[1]


def test_challenge_of_the_weak_scheme_can_be_refused() -> None:
    bus = authenticated_run(SubnetNode(1, 2), STANDARD)
    bus.stacks[0].config.oma_only = True
    bus.run(30)
    assert bus.events[0][-1] == Completed(1, False, 4)
    assert bus.events[1] == []


def challenge_frame(source: SubnetNode, kind: AuthType, tid: int) -> bytes:
    pdu = AuthPdu(kind, tid, AddressFormat.SUBNET_NODE, bytes(8)).encode()
    npdu = Npdu(PduType.AUTH, source, SubnetNode(1, 1), DOMAIN, pdu)
    return Lpdu(False, False, 0, npdu).encode()


@pytest.mark.parametrize(
    ("source", "tid", "authenticated"),
    [(SubnetNode(1, 3), 0, True), (SubnetNode(1, 2), 5, True), (SubnetNode(1, 2), 0, False)],
    ids=["another node", "another transaction", "authentication not asked for"],
)
def test_unasked_challenges_get_no_reply(source: SubnetNode, tid: int, authenticated: bool) -> None:
    bus = Bus(configured(1))
    stack = bus.stacks[0]
    stack.send(Outgoing(SubnetNode(1, 2), b"\x05", authenticated=authenticated), bus.now)
    stack.frames_to_send(bus.now)
    stack.receive_frame(challenge_frame(source, AuthType.CHALLENGE, tid), bus.now)
    assert stack.frames_to_send(bus.now) == []
    assert stack.statistics.late_answers == 1


def test_challenges_cannot_keep_a_transaction_alive() -> None:
    bus = Bus(configured(1))
    stack = bus.stacks[0]
    stack.send(Outgoing(SubnetNode(1, 2), b"\x05", authenticated=True, retry=0), bus.now)
    stack.frames_to_send(bus.now)
    frame = challenge_frame(SubnetNode(1, 2), AuthType.CHALLENGE_OMA, 0)
    for second in range(40):
        stack.receive_frame(frame, bus.now + second)
    assert len(stack.frames_to_send(bus.now)) == 16
    stack.handle_timer(bus.now + 40)
    assert stack.next_timer() is None


def test_reply_of_the_other_scheme_proves_nothing() -> None:
    bus = authenticated_run(SubnetNode(1, 2), OMA)
    (request,) = bus.stacks[0].frames_to_send(bus.now)
    target = bus.stacks[1]
    target.receive_frame(request.data, bus.now)
    (challenge,) = target.frames_to_send(bus.now)
    pdu = Lpdu.decode(challenge.data).npdu.enclosed()
    assert isinstance(pdu, AuthPdu)
    key = target.config.domains[0].key
    value = digest(STANDARD, pdu.value, key, SubnetNode(1, 2), DOMAIN, b"\x05\xaa")
    reply = AuthPdu(AuthType.REPLY, pdu.tid, pdu.address_format, value)
    npdu = Npdu(PduType.AUTH, SubnetNode(1, 1), SubnetNode(1, 2), DOMAIN, reply.encode())
    target.receive_frame(Lpdu(False, False, 0, npdu).encode(), bus.now)
    message = target.next_event()
    assert isinstance(message, Received)
    assert not message.authenticated


def test_keys_do_not_show() -> None:
    config = configured(1, key=OTHER_KEY)
    message = Outgoing(SubnetNode(1, 2), b"\x05", alternate_key=OTHER_KEY)
    shown = repr(config) + repr(message)
    for part in (repr(OTHER_KEY[:6])[2:-1], OTHER_KEY[:6].hex(), OTHER_KEY[6:].hex()):
        assert part not in shown
