"""Whole runs recorded between two independent stacks, replayed frame by frame."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest

from osgp.lon import (
    Apdu,
    AuthPdu,
    AuthScheme,
    Broadcast,
    Lpdu,
    Outgoing,
    Service,
    Spdu,
    SubnetNode,
    crc16,
)
from osgp.lon.auth import CHALLENGES
from osgp.repeating import Chain, Hop, Timing, send_via

from .line import Drawn, Line, Node, configured, node

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "en14908.json").read_text())
PROXY_RUNS: dict[str, list[dict[str, Any]]] = VECTORS["proxy_runs"]["runs"]
AUTH_RUNS: dict[str, list[dict[str, Any]]] = VECTORS["auth_runs"]["runs"]
KEYS = {int(at): bytes.fromhex(key) for at, key in VECTORS["auth_runs"]["_keys"].items()}
SAME_KEY = bytes(range(12))

BY_NEURON_ID = "one_repeater_nid_request"
SURPLUS = "all_agents_bcast_unackd"
CHAINED = [name for name in AUTH_RUNS if "agent" in name or "chain" in name]


def sealed(body: bytes) -> str:
    return (body + crc16(body).to_bytes(2, "big")).hex()


def frames(run: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [(step["from_node"], step["lpdu"]) for step in run]


def sent_by(line: Line) -> list[tuple[int, str]]:
    return [(sent.node + 1, sent.data.hex()) for sent in line.sent]


def well_formed(name: str) -> list[tuple[int, str]]:
    """The run without the surplus byte that one stack appends to a copy (see `_caveat`)."""
    expected = frames(PROXY_RUNS[name])
    if name == SURPLUS:
        sender, data = expected[1]
        surplus = bytes.fromhex(data)[:-2]
        assert surplus.endswith(b"\x05\xaa\xbb\x00")
        expected[1] = (sender, sealed(surplus[:-1]))
    return expected


def first_message(run: list[dict[str, Any]]) -> Outgoing:
    """What the source of a run sent."""
    npdu = Lpdu.decode(bytes.fromhex(run[0]["lpdu"])).npdu
    pdu = npdu.enclosed()
    if isinstance(pdu, Apdu):
        return Outgoing(npdu.destination, npdu.pdu, Service.UNACKD)
    assert isinstance(pdu, Spdu)
    return Outgoing(npdu.destination, pdu.apdu, tid=pdu.tid, authenticated=pdu.authenticated)


def four_nodes() -> Line:
    nodes = [node(configured((1, n)), random.Random(n)) for n in (1, 2, 3, 4)]
    return Line(*nodes, reach=None, frame_time=0.001)


@pytest.mark.parametrize("name", [name for name in PROXY_RUNS if name != BY_NEURON_ID])
def test_recorded_run(name: str) -> None:
    line = four_nodes()
    line.source.stack.send(first_message(PROXY_RUNS[name]), line.now)
    line.run(2.0)
    assert sent_by(line) == well_formed(name)


def test_recorded_run_to_a_neuron_id() -> None:
    """The target's own counters are in its answer, which is therefore played back."""
    run = PROXY_RUNS[BY_NEURON_ID]
    line = four_nodes()
    line.nodes = line.nodes[:3]
    line.source.stack.send(first_message(run), line.now)
    line.run(0.02)
    assert sent_by(line) == frames(run)[:3]
    line.inject(2, bytes.fromhex(run[3]["lpdu"]))
    line.run(0.02)
    assert sent_by(line)[3:] == frames(run)[4:]
    assert line.source.responses() == [bytes.fromhex(run[3]["lpdu"])[8:-2]]


@pytest.mark.parametrize(
    ("name", "sender", "waits"),
    [("agent_fail_no_target", 3, [0.048, 0.049]), ("repeater_fail_no_agent", 2, [0.048, 0.305])],
)
def test_waits_are_those_of_the_run(name: str, sender: int, waits: list[float]) -> None:
    """Retry 1, timer code 3 (48 ms); the repeater adds 256 ms to its last wait, the agent none."""
    line = four_nodes()
    line.source.stack.send(first_message(PROXY_RUNS[name]), line.now)
    line.run(2.0)
    ours = [sent.time for sent in line.sent if sent.node + 1 == sender]
    recorded = [step["t"] for step in PROXY_RUNS[name] if step["from_node"] == sender]
    for times in (ours, recorded):
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert gaps == pytest.approx(waits, abs=0.002)


def challenges(run: list[dict[str, Any]], sender: int) -> list[bytes]:
    """What the node drew in a recorded run."""
    drawn = []
    for step in run:
        pdu = Lpdu.decode(bytes.fromhex(step["lpdu"])).npdu.enclosed()
        challenge = isinstance(pdu, AuthPdu) and pdu.kind in CHALLENGES
        if step["from_node"] == sender and challenge:
            assert isinstance(pdu, AuthPdu)
            drawn.append(pdu.value)
    return drawn


def authenticating(name: str) -> Line:
    scheme = AuthScheme.OMA if name.startswith("oma") else AuthScheme.STANDARD
    run = AUTH_RUNS[name]
    nodes: list[Node] = []
    for n in (1, 2, 3, 4):
        key = SAME_KEY if "samekey" in name or n == 1 else KEYS[n]
        nodes.append(node(configured((1, n), key, scheme), Drawn(challenges(run, n))))
    return Line(*nodes, reach=None, frame_time=0.001)


@pytest.mark.parametrize("name", CHAINED)
def test_recorded_authentication(name: str) -> None:
    """Challenge, reply and verdict over every hop, with and without an alternate key."""
    line = authenticating(name)
    first = first_message(AUTH_RUNS[name])
    key = SAME_KEY if "samekey" in name else KEYS[2]
    message = Outgoing(
        first.destination, first.apdu, tid=first.tid, authenticated=True, alternate_key=key
    )
    line.source.stack.send(message, line.now)
    line.run(2.0)
    assert sent_by(line) == frames(AUTH_RUNS[name])
    (received,) = line.target.received()
    assert received.authenticated is ("noaltkey" not in name)


def test_the_runs_that_are_replayed() -> None:
    assert len(PROXY_RUNS) == 10
    assert set(CHAINED) == {
        "std_agent_noaltkey",
        "oma_agent_altkey",
        "oma_agent_noaltkey",
        "oma_chain_samekey",
    }


ON_THREE = (Hop(SubnetNode(1, 2)), Hop(SubnetNode(1, 3)))
FOUR = SubnetNode(1, 4)
CHAINS: dict[str, tuple[Chain, Service, Service]] = {
    "one_repeater_ackd": (
        Chain(ON_THREE, FOUR, Timing(2, 5), Timing(2, 4)),
        Service.ACKD,
        Service.REQUEST,
    ),
    "one_repeater_unackd": (
        Chain(ON_THREE, FOUR, Timing(2, 5), Timing(2, 4)),
        Service.UNACKD,
        Service.REQUEST,
    ),
    "agent_fail_no_target": (
        Chain(ON_THREE, SubnetNode(1, 0x63), Timing(2, 8), Timing(1, 3)),
        Service.REQUEST,
        Service.REQUEST,
    ),
    "repeater_fail_no_agent": (
        Chain(
            (ON_THREE[0], Hop(SubnetNode(1, 0x62))),
            SubnetNode(1, 0x63),
            Timing(1, 3),
            Timing(1, 3),
        ),
        Service.REQUEST,
        Service.REQUEST,
    ),
    "long_timer": (
        Chain(ON_THREE, FOUR, Timing(2, 0, True), Timing(2, 4)),
        Service.REQUEST,
        Service.REQUEST,
    ),
    SURPLUS: (
        Chain(ON_THREE, Broadcast(), Timing(2, 5), Timing(2, 4), all_agents=True),
        Service.UNACKD,
        Service.UNACKD,
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_encodes_as_recorded(name: str) -> None:
    chain, service, hop_service = CHAINS[name]
    line = four_nodes()
    stack = line.source.stack
    send_via(stack, chain, b"\x05\xaa\xbb", service, line.now, hop_service=hop_service)
    (out,) = stack.frames_to_send(line.now)
    ours = Lpdu.decode(out.data).npdu.enclosed()
    recorded = Lpdu.decode(bytes.fromhex(PROXY_RUNS[name][0]["lpdu"])).npdu.enclosed()
    assert isinstance(ours, Apdu | Spdu)
    assert type(ours) is type(recorded)
    assert apdu(ours) == apdu(recorded)


def apdu(pdu: object) -> bytes:
    if isinstance(pdu, Apdu):
        return pdu.encode()
    assert isinstance(pdu, Spdu)
    return pdu.apdu
