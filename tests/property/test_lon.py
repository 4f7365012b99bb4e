"""Every frame that can be written can be read back, and nothing else gets out of the decoder."""

from __future__ import annotations

import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from osgp.errors import DecodeError
from osgp.lon import (
    AddressEntry,
    AuthPdu,
    AuthScheme,
    Broadcast,
    Completed,
    DomainEntry,
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
    destination_key,
)
from osgp.lon.addresses import AddressFormat
from osgp.lon.tpdu import AuthType, SpduType, TpduType, in_m_list, m_list

BYTE = st.integers(0, 255)
NODE = st.integers(0, 127)
TIDS = {0: st.integers(0, 15), 2: st.integers(0, 4095)}
VERSIONS = st.sampled_from([0, 2])
DESTINATIONS = st.one_of(
    st.builds(SubnetNode, BYTE, NODE),
    st.builds(NeuronId, st.binary(min_size=6, max_size=6), BYTE),
    st.builds(Broadcast, BYTE),
    st.builds(Group, BYTE),
    st.builds(GroupMember, BYTE, NODE, BYTE, BYTE),
)
DOMAINS = st.sampled_from([0, 1, 3, 6]).flatmap(lambda n: st.binary(min_size=n, max_size=n))
FRAMES = st.builds(
    Lpdu,
    st.booleans(),
    st.booleans(),
    st.integers(0, 63),
    st.builds(
        Npdu,
        st.sampled_from(PduType),
        st.builds(SubnetNode, BYTE, NODE),
        DESTINATIONS,
        DOMAINS,
        st.binary(max_size=40),
        VERSIONS,
    ),
)


@given(FRAMES)
def test_frame_round_trip(frame: Lpdu) -> None:
    assert Lpdu.decode(frame.encode()) == frame


@given(st.binary(max_size=60))
def test_any_bytes_decode_or_raise_decode_error(noise: bytes) -> None:
    sealed = noise + crc16(noise).to_bytes(2, "big")
    for data in (noise, sealed):
        destination_key(data)
        try:
            frame = Lpdu.decode(data)
            pdu = frame.npdu.enclosed()
        except DecodeError:
            continue
        if isinstance(pdu, Tpdu | Spdu | AuthPdu):
            assert type(pdu).decode(pdu.encode(frame.npdu.version), frame.npdu.version) == pdu


@given(st.data(), VERSIONS, st.booleans(), st.binary(min_size=1, max_size=30))
def test_transaction_pdu_round_trip(
    data: st.DataObject, version: int, authenticated: bool, apdu: bytes
) -> None:
    tid = data.draw(TIDS[version])
    acked = data.draw(st.binary(max_size=8))
    for tpdu in (
        Tpdu(TpduType.ACKD, tid, apdu, authenticated),
        Tpdu(TpduType.ACK, tid),
        Tpdu(TpduType.REMINDER, tid, b"", authenticated, acked),
        Tpdu(TpduType.REM_MSG, tid, apdu, authenticated, acked),
    ):
        assert Tpdu.decode(tpdu.encode(version), version) == tpdu
    response = Spdu(SpduType.RESPONSE, tid, apdu)
    assert Spdu.decode(response.encode(version), version) == response


@given(st.data(), VERSIONS, st.sampled_from(AuthType), st.sampled_from(AddressFormat))
def test_auth_pdu_round_trip(
    data: st.DataObject, version: int, kind: AuthType, form: AddressFormat
) -> None:
    group = data.draw(BYTE) if form is AddressFormat.GROUP else None
    value = data.draw(st.binary(min_size=8, max_size=8))
    pdu = AuthPdu(kind, data.draw(TIDS[version]), form, value, group)
    assert AuthPdu.decode(pdu.encode(version), version) == pdu


@given(st.sets(st.integers(0, 63)))
def test_member_list_holds_exactly_its_members(members: set[int]) -> None:
    wire = m_list(members)
    assert len(wire) <= 8
    assert {member for member in range(64) if in_m_list(wire, member)} == members


DOMAIN = b"\x0a"


def node(number: int, *, auth: AuthScheme = AuthScheme.STANDARD) -> Stack:
    config = NodeConfig(bytes((0, 0, 0, 0, 0, number)), state=NodeState.CONFIGURED_ONLINE)
    config.domains[0] = DomainEntry(DOMAIN, 1, number, bytes(6), auth)
    config.addresses[0] = AddressEntry.of_group(7, 3, number - 1)
    config.max_transactions = 4
    return Stack(config, random.Random(number))


class LossyLink:
    """Three nodes; each reception is lost as `losses` says (then never again)."""

    def __init__(self, losses: list[bool], auth: AuthScheme) -> None:
        self.stacks = [node(1), node(2, auth=auth), node(3, auth=auth)]
        self.losses = iter(losses)
        self.now = 0.0
        self.delivered: list[tuple[int, Received]] = []
        self.completed: list[Completed] = []
        self.responses: list[ResponseReceived] = []
        self.sent = 0

    def run(self) -> None:
        """Until no node waits for anything."""
        while self._move() or self._expire():
            assert self.sent < 500

    def _move(self) -> bool:
        frames = [
            (n, out.data) for n, s in enumerate(self.stacks) for out in s.frames_to_send(self.now)
        ]
        self.sent += len(frames)
        for sender, frame in frames:
            for receiver, stack in enumerate(self.stacks):
                if receiver != sender and not next(self.losses, False):
                    stack.receive_frame(frame, self.now)
        for number, stack in enumerate(self.stacks):
            self._drain(number, stack)
        return bool(frames)

    def _expire(self) -> bool:
        timers = [t for t in (stack.next_timer() for stack in self.stacks) if t is not None]
        if not timers:
            return False
        self.now = max(self.now, min(timers))
        for stack in self.stacks:
            stack.handle_timer(self.now)
        return True

    def _drain(self, number: int, stack: Stack) -> None:
        while (event := stack.next_event()) is not None:
            if isinstance(event, Received):
                self.delivered.append((number, event))
                if event.token is not None:
                    stack.respond(event.token, b"\x25" + event.apdu[1:], self.now)
            elif isinstance(event, ResponseReceived):
                self.responses.append(event)
            elif isinstance(event, Completed):
                self.completed.append(event)


MESSAGES = st.builds(
    Outgoing,
    st.sampled_from(
        [SubnetNode(1, 2), SubnetNode(1, 9), NeuronId(bytes(5) + b"\x03"), Group(7, 3), Broadcast()]
    ),
    st.just(b"\x05"),
    st.sampled_from([Service.ACKD, Service.UNACKD_RPT, Service.REQUEST]),
    retry=st.integers(0, 3),
    timer_code=st.integers(0, 15),
    authenticated=st.booleans(),
    priority=st.booleans(),
    max_responses=st.integers(1, 3),
)


@settings(deadline=None)
@given(
    st.lists(MESSAGES, min_size=1, max_size=6),
    st.lists(st.booleans(), max_size=60),
    st.sampled_from(AuthScheme),
)
def test_whatever_is_lost_messages_end_and_are_delivered_once(
    messages: list[Outgoing], losses: list[bool], auth: AuthScheme
) -> None:
    link = LossyLink(losses, auth)
    handles = {}
    for number, message in enumerate(messages):
        numbered = msgspec.structs.replace(message, apdu=bytes((5, number)))
        handles[link.stacks[0].send(numbered, 0.0)] = numbered
    link.run()
    assert sorted(event.handle for event in link.completed) == sorted(handles)
    arrivals = [(number, event.apdu) for number, event in link.delivered]
    assert len(arrivals) == len(set(arrivals))
    for event in link.completed:
        message = handles[event.handle]
        assert 1 <= event.tries <= message.retry + 1
        reached = [number for number, apdu in arrivals if apdu == message.apdu]
        if event.success and message.service is not Service.UNACKD_RPT:
            assert reached
            assert not isinstance(message.destination, Group) or len(reached) == 2


@settings(deadline=None)
@given(st.lists(st.binary(max_size=30), max_size=20), st.integers(0, 3))
def test_noise_neither_stops_a_stack_nor_lengthens_a_transaction(
    noise: list[bytes], retry: int
) -> None:
    stack = node(1)
    stack.send(Outgoing(SubnetNode(1, 2), b"\x05", retry=retry, timer_code=15), 0.0)
    prefix = bytes.fromhex("0019010201810a")
    for body in noise:
        for data in (body, prefix + body):
            stack.receive_frame(data + crc16(data).to_bytes(2, "big"), 0.5)
    tries = 0
    while (deadline := stack.next_timer()) is not None:
        stack.handle_timer(deadline)
        tries += 1
        assert tries <= retry + 1
