"""Frames nobody should send. Each is refused with a DecodeError, which the stack counts."""

from __future__ import annotations

import random

import pytest

from osgp.errors import DecodeError
from osgp.lon import (
    AddressEntry,
    Broadcast,
    Completed,
    Destination,
    DomainEntry,
    Event,
    Group,
    GroupMember,
    Lpdu,
    NeuronId,
    NodeConfig,
    NodeState,
    Npdu,
    Outgoing,
    PduType,
    Received,
    ResponseReceived,
    Service,
    Spdu,
    Stack,
    SubnetNode,
    Tpdu,
    crc16,
)
from osgp.lon.tpdu import AuthPdu, TpduType


def sealed(body: str) -> bytes:
    data = bytes.fromhex(body)
    return data + crc16(data).to_bytes(2, "big")


HOSTILE_FRAMES = {
    "empty": b"",
    "bad crc": bytes.fromhex("0119018101820a014d002c24010405aabb0000"),
    "one byte short of the header": sealed("01190181"),
    "destination cut off": sealed("010d018100112233"),
    "domain cut off": sealed("0133018100aabbccdd"),
    "version 3": sealed("00f90181018205aabb"),
}


@pytest.mark.parametrize("frame", HOSTILE_FRAMES.values(), ids=HOSTILE_FRAMES.keys())
def test_hostile_frames(frame: bytes) -> None:
    with pytest.raises(DecodeError):
        Lpdu.decode(frame)


HOSTILE_PDUS = {
    "no transaction number": (Tpdu, ""),
    "unknown type 3": (Tpdu, "3105"),
    "unknown type 7": (Spdu, "7105"),
    "unacknowledged repeated session message": (Spdu, "1105"),
    "message without APDU": (Tpdu, "01"),
    "acknowledgement with data": (Tpdu, "2105"),
    "reminder without length": (Tpdu, "41"),
    "member list of nine bytes": (Tpdu, "4109000000000000000000"),
    "member list cut off": (Spdu, "510301"),
    "reminder with APDU": (Spdu, "41010105"),
    "challenge cut off": (AuthPdu, "8141424344"),
    "challenge with surplus": (AuthPdu, "81000102030405060708"),
    "group challenge without group": (AuthPdu, "410001020304050607"),
}


@pytest.mark.parametrize("case", HOSTILE_PDUS.values(), ids=HOSTILE_PDUS.keys())
def test_hostile_pdus(case: tuple[type[Tpdu] | type[Spdu] | type[AuthPdu], str]) -> None:
    cls, wire = case
    with pytest.raises(DecodeError):
        cls.decode(bytes.fromhex(wire))


def test_every_truncation_is_refused() -> None:
    whole = bytes.fromhex("0119018101820a014d002c24010405aabbd562")
    for length in range(len(whole)):
        with pytest.raises(DecodeError):
            Lpdu.decode(whole[:length])


DOMAIN = b"\x0a"
NEURON = bytes.fromhex("000000000002")
SELF = SubnetNode(1, 2)
ASKER = SubnetNode(1, 9)


def node(**limits: int) -> Stack:
    config = NodeConfig(NEURON, state=NodeState.CONFIGURED_ONLINE)
    config.domains[0] = DomainEntry(DOMAIN, 1, 2, bytes(range(6)))
    config.addresses[0] = AddressEntry.of_group(7, 5, 1)
    for name, value in limits.items():
        setattr(config, name, value)
    return Stack(config, random.Random(1))


def frame(
    kind: PduType,
    pdu: bytes,
    *,
    source: SubnetNode = ASKER,
    to: Destination = SELF,
    domain: bytes = DOMAIN,
    priority: bool = False,
    version: int = 0,
) -> bytes:
    npdu = Npdu(kind, source, to, domain, pdu, version)
    return Lpdu(priority, False, 0, npdu).encode()


def test_noise_is_counted_and_survived() -> None:
    rng = random.Random(7)
    stack = node()
    for _ in range(3000):
        body = bytes.fromhex("01190109018201")[: rng.randrange(8)] + rng.randbytes(
            rng.randrange(20)
        )
        stack.receive_frame(body + crc16(body).to_bytes(2, "big"), 1.0)
        stack.receive_frame(body, 1.0)
    counted = stack.statistics
    assert counted.crc_errors > 0
    assert counted.malformed > 0
    stack.receive_frame(frame(PduType.APDU, b"\x05"), 2.0)
    events = drained(stack)
    assert any(isinstance(event, Received) and event.apdu == b"\x05" for event in events)


def drained(stack: Stack) -> list[Event]:
    events: list[Event] = []
    while (event := stack.next_event()) is not None:
        events.append(event)
    return events


WRONG_ANSWERS = {
    "another node": frame(PduType.SPDU, b"\x20\x25", source=SubnetNode(1, 8)),
    "another transaction": frame(PduType.SPDU, b"\x23\x25"),
    "another priority": frame(PduType.SPDU, b"\x20\x25", priority=True),
    "an acknowledgement": frame(PduType.TPDU, b"\x20"),
    "another domain": frame(PduType.SPDU, b"\x20\x25", to=NeuronId(NEURON), domain=b"xyz"),
}


@pytest.mark.parametrize("answer", WRONG_ANSWERS.values(), ids=WRONG_ANSWERS.keys())
def test_forged_answers_do_not_complete_a_request(answer: bytes) -> None:
    stack = node()
    stack.send(Outgoing(SubnetNode(1, 9), b"\x05"), 0.0)
    stack.receive_frame(answer, 0.1)
    assert drained(stack) == []
    assert stack.statistics.late_answers == 1
    stack.receive_frame(frame(PduType.SPDU, b"\x20\x25"), 0.2)
    assert [type(event) for event in drained(stack)] == [ResponseReceived, Completed]


def member_answer(member: int, group: int = 7) -> bytes:
    to = GroupMember(1, 2, group, member)
    return frame(PduType.TPDU, b"\x20", source=SubnetNode(1, 20), to=to)


@pytest.mark.parametrize(
    "answers",
    [
        [member_answer(0)] * 50,
        [member_answer(64), member_answer(255)],
        [member_answer(member, group=8) for member in range(5)],
        [frame(PduType.TPDU, b"\x20")] * 5,
    ],
    ids=["one member again and again", "impossible members", "another group", "no member"],
)
def test_forged_group_acknowledgements(answers: list[bytes]) -> None:
    stack = node()
    stack.send(Outgoing(Group(7, 5), b"\x05", Service.ACKD), 0.0)
    before = stack.next_timer()
    for answer in answers:
        stack.receive_frame(answer, 1e-3)
    assert drained(stack) == []
    after = stack.next_timer()
    assert before is not None
    assert after is not None
    assert after <= before + 1e-3


def test_flood_of_senders_is_bounded() -> None:
    stack = node(max_receive_transactions=10)
    for sender in range(100):
        pdu = bytes((0x01, 0x05, sender))
        stack.receive_frame(frame(PduType.SPDU, pdu, source=SubnetNode(2, sender)), 1.0)
    assert len(drained(stack)) == 10
    assert stack.statistics.receive_full == 90


def test_one_sender_takes_one_place() -> None:
    stack = node(max_receive_transactions=2)
    for number in range(100):
        stack.receive_frame(frame(PduType.SPDU, bytes((number % 16, 5, number))), 1.0)
    assert len(drained(stack)) == 100


def test_repeated_request_is_not_executed_again() -> None:
    stack = node()
    for at in range(20):
        stack.receive_frame(frame(PduType.SPDU, b"\x01\x05"), at)
    (message,) = drained(stack)
    assert isinstance(message, Received)
    assert message.token is not None
    stack.respond(message.token, b"\x25", 20.0)
    first = [out.data for out in stack.frames_to_send(20.0)]
    stack.receive_frame(frame(PduType.SPDU, b"\x01\x05"), 21.0)
    assert [out.data for out in stack.frames_to_send(21.0)] == first
    assert drained(stack) == []


@pytest.mark.parametrize(
    "pdu",
    [b"\x41\x01\x00", b"\x41\x08" + b"\xff" * 8],
    ids=["asks this node", "lists this node"],
)
def test_reminder_out_of_the_blue_is_ignored(pdu: bytes) -> None:
    stack = node()
    stack.receive_frame(frame(PduType.TPDU, pdu, to=Group(7)), 1.0)
    stack.receive_frame(frame(PduType.TPDU, pdu), 1.0)
    assert drained(stack) == []
    assert stack.frames_to_send(1.0) == []


def test_message_that_lists_this_node_as_done_is_not_delivered() -> None:
    stack = node()
    for _ in range(2):
        stack.receive_frame(frame(PduType.TPDU, b"\x51\x01\x02\x05", to=Group(7)), 1.0)
    assert drained(stack) == []
    assert stack.frames_to_send(1.0) == []


def test_reply_without_challenge_is_ignored() -> None:
    stack = node()
    reply = bytes.fromhex("a1") + bytes(8)
    stack.receive_frame(frame(PduType.AUTH, reply), 1.0)
    stack.receive_frame(frame(PduType.SPDU, b"\x81\x05"), 1.0)
    stack.receive_frame(frame(PduType.AUTH, bytes.fromhex("a2") + bytes(8)), 1.0)
    assert drained(stack) == []
    stack.receive_frame(frame(PduType.AUTH, reply), 1.0)
    stack.receive_frame(frame(PduType.AUTH, reply), 1.0)
    (message,) = drained(stack)
    assert isinstance(message, Received)
    assert not message.authenticated


def test_enhanced_message_is_answered_in_kind() -> None:
    stack = node()
    stack.receive_frame(frame(PduType.TPDU, bytes.fromhex("0abc05"), version=2), 1.0)
    (out,) = stack.frames_to_send(1.0)
    ack = Lpdu.decode(out.data).npdu
    assert ack.version == 2
    assert ack.enclosed() == Tpdu(TpduType.ACK, 0xABC)


def test_short_service_pin_message_is_malformed() -> None:
    stack = node()
    stack.receive_frame(frame(PduType.APDU, b"\x7f\x01\x02", to=Broadcast()), 1.0)
    assert drained(stack) == []
    assert stack.statistics.malformed == 1
