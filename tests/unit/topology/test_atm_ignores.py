"""A device passes over queries for others without taking them apart, and over nothing else."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from osgp.lon import Broadcast, Lpdu, Npdu, PduType, Service, Spdu, SubnetNode, broadcast_request
from osgp.lon.config import DomainEntry, NodeConfig, NodeState
from osgp.lon.events import Outgoing
from osgp.lon.stack import Stack
from osgp.topology import atm

NEURON = bytes.fromhex("0500a1b2c3d4")
RESPONDER = atm.Responder(NEURON, bytes(8))


def frame(apdu: bytes, service: Service = Service.REQUEST, domain: bytes = b"") -> bytes:
    config = NodeConfig(bytes(6), state=NodeState.CONFIGURED_ONLINE)
    config.domains[0] = DomainEntry(domain, 1, 1)
    stack = Stack(config, random.Random(1))
    stack.send(Outgoing(Broadcast(), apdu, service, domain=domain), 0.0)
    return stack.frames_to_send(0.0)[0].data


@given(
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.sampled_from([b"", b"\x01", b"OSG"]),
)
def test_only_queries_for_others_are_ignored(
    salt: int, one: int, other: int, domain: bytes
) -> None:
    low, high = sorted((one, other))
    asked = atm.query(salt, atm.HashRange(low, high), domain=b"OSG")
    own = low <= atm.id_hash(NEURON, salt) <= high
    assert RESPONDER.ignores(frame(asked, domain=domain), None) is not own


@given(st.binary(max_size=60))
def test_nothing_else_is_ignored(noise: bytes) -> None:
    assert not RESPONDER.ignores(noise, b"OSG") or broadcast_request(noise) is not None


@given(st.binary(min_size=1, max_size=40))
def test_other_services_are_not_ignored(apdu: bytes) -> None:
    assert not RESPONDER.ignores(frame(b"\x00" + apdu), None)
    assert not RESPONDER.ignores(frame(b"\x02" + apdu, Service.UNACKD_RPT), None)


def test_the_quick_look_agrees_with_the_codec() -> None:
    data = frame(b"\x02\x01\x01\x00", domain=b"OSG")
    npdu = Lpdu.decode(data).npdu
    assert isinstance(npdu, Npdu) and npdu.pdu_type is PduType.SPDU
    assert npdu.source == SubnetNode(1, 1)
    spdu = npdu.enclosed()
    assert isinstance(spdu, Spdu)
    assert broadcast_request(data) == spdu.apdu


@given(st.booleans(), st.sampled_from([b"OSG", b"XYZ", None]))
def test_members_of_the_asker_s_domain_are_meant_only_if_it_says_so(
    members: bool, registered: bytes | None
) -> None:
    asked = frame(atm.query(1, atm.EVERYBODY, domain=b"OSG", members=members))
    assert RESPONDER.ignores(asked, registered) is (registered == b"OSG" and not members)
