"""Messages of the chain: bytes seen on the wire, written out beside what they mean."""

from __future__ import annotations

import pytest

from osgp.errors import DecodeError, EncodeError, Truncated
from osgp.lon import Broadcast, Destination, Group, NeuronId, Service, SubnetNode
from osgp.repeating import AgentPart, Failure, Hop, Mode, Reason, Request, TargetType

SOURCE, OWN = SubnetNode(1, 1), SubnetNode(2, 2)
NEURON = bytes.fromhex("010203040504")


def parsed(text: str) -> Request:
    return Request.parse(bytes.fromhex(text))


def test_a_request_with_whole_addresses() -> None:
    request = parsed("4d01 0183 25 2c240104 05aabb")
    assert request.route(SOURCE, OWN) == (Hop(SubnetNode(1, 3), alternate_path=True),)
    assert (request.retry, request.timer_code, request.long_timer) == (2, 5, False)
    assert request.agent_part == bytes.fromhex("2c24010405aabb")


@pytest.mark.parametrize(("header", "subnets"), [("13", [1, 2, 1]), ("83", [2, 2, 2])])
def test_subnets_that_the_header_implies(header: str, subnets: list[int]) -> None:
    """By source: each hop is where the sender before it is, so that subnets take turns."""
    request = parsed(f"4d{header} 03 84 05 25 ac2404 05aabb")
    route = request.route(SOURCE, OWN)
    assert [hop.address.subnet for hop in route] == subnets
    assert [(hop.address.node, hop.alternate_path) for hop in route] == [
        (3, False),
        (4, True),
        (5, False),
    ]


def test_each_hop_finds_the_subnets_that_the_source_meant() -> None:
    request = parsed("4d13 03 04 05 25 ac2404 05aabb")
    source, own, seen = SOURCE, OWN, []
    while request.count:
        following = request.route(source, own)[0].address
        seen.append(following)
        source, own, request = own, following, request.onward()
    assert seen == [SubnetNode(1, 3), SubnetNode(2, 4), SubnetNode(1, 5)]


def test_the_tx_control_goes_with_the_last_address() -> None:
    two = parsed("4d12 03 04 25 ac2402 05aabb")
    one = two.onward()
    assert one.to_bytes() == bytes.fromhex("4d11 04 25 ac2402 05aabb")
    assert one.onward().to_bytes() == bytes.fromhex("4d10 ac2402 05aabb")


def test_the_other_bits_of_the_header_go_along() -> None:
    assert parsed("4de1 03 25 68240000 05").onward().to_bytes().hex() == "4de06824000005"


def test_what_is_not_the_repeaters_is_passed_on_unread() -> None:
    request = parsed("4d01 0183 25 ffffffffff")
    assert request.onward().agent_part == b"\xff" * 5


TARGETS: dict[str, tuple[TargetType, Destination]] = {
    "0c24 0703 05": (TargetType.GROUP, Group(7, 3)),
    "2c24 0304 05": (TargetType.SUBNET_NODE, SubnetNode(3, 4)),
    "4c24 09 010203040504 05": (TargetType.NEURON_ID, NeuronId(NEURON, 9)),
    "6c24 0306 05": (TargetType.BROADCAST, Broadcast(3)),
    "8824 07 05": (TargetType.GROUP_COMPACT, Group(7)),
    "ac24 04 05": (TargetType.NODE_IN_SOURCE_SUBNET, SubnetNode(1, 4)),
    "cc24 010203040504 05": (TargetType.NEURON_ID_COMPACT, NeuronId(NEURON)),
    "ec24 04 05": (TargetType.NODE_IN_AGENT_SUBNET, SubnetNode(2, 4)),
}


@pytest.mark.parametrize("text", TARGETS)
def test_targets(text: str) -> None:
    kind, destination = TARGETS[text]
    part = AgentPart.parse(bytes.fromhex(text))
    assert part.target_type == kind
    assert part.destination(SOURCE, OWN) == destination
    assert part.apdu == b"\x05"
    assert part.to_bytes() == bytes.fromhex(text)


def test_every_target_type_is_tried() -> None:
    assert {kind for kind, _ in TARGETS.values()} == set(TargetType)


def test_the_control_byte() -> None:
    part = AgentPart.parse(bytes.fromhex("bd37 04 05aabb"))
    assert Service(part.service) is Service.REQUEST
    assert Mode(part.mode) is Mode.ZERO_CROSSING
    assert part.alternate_path
    assert (part.retry, part.timer_code) == (3, 7)


@pytest.mark.parametrize(("kind", "length"), [(0, 6), (1, 12)])
def test_the_key_block(kind: int, length: int) -> None:
    delta = bytes(range(0x20, 0x20 + length))
    data = bytes((0xAE, 0x24, kind)) + delta + b"\x04\x05"
    part = AgentPart.parse(data)
    assert (part.mode, part.key_type, part.key_delta) == (Mode.ALTERNATE_KEY, kind, delta)
    assert part.destination(SOURCE, OWN) == SubnetNode(1, 4)
    assert part.to_bytes() == data
    assert delta.hex() not in repr(part)
    assert repr(delta)[2:-1] not in repr(part)


BAD_REQUESTS = {
    "empty": "",
    "no header": "4d",
    "another code": "4e00 ac2404 05",
    "nothing for the agent": "4d00",
    "agent part without an APDU code": "4d00 ac2404",
    "count beyond the frame": "4d1f 03 04 05 25 ac2404 05",
    "address cut in half": "4d01 01",
    "no tx control": "4d11 03",
    "uniform both ways": "4d91 03 25 ac2404 05",
}


@pytest.mark.parametrize("text", BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
def test_bad_requests(text: str) -> None:
    with pytest.raises(DecodeError):
        parsed(text)


BAD_AGENT_PARTS = {
    "empty": "",
    "no target": "ac24",
    "Neuron ID cut off": "cc24 0102030405",
    "key cut off": "ae24 01 0102030405060708090a0b",
    "key type 2": "ae24 02" + 18 * "00" + "0405",
    "reserved bits of the key type": "ae24 80" + 6 * "00" + "0405",
    "no APDU": "2c24 0104",
}


@pytest.mark.parametrize("text", BAD_AGENT_PARTS.values(), ids=BAD_AGENT_PARTS.keys())
def test_bad_agent_parts(text: str) -> None:
    with pytest.raises(DecodeError):
        AgentPart.parse(bytes.fromhex(text))


@pytest.mark.parametrize(
    ("text", "failure"),
    [("4c00", Failure(0)), ("4c07", Failure(7)), ("4c0301", Failure(3, Reason.AUTHENTICATION))],
)
def test_failures(text: str, failure: Failure) -> None:
    assert failure.to_bytes().hex() == text
    assert Failure.parse(bytes.fromhex(text)) == failure


def test_a_reason_of_the_future_is_kept() -> None:
    assert Failure.parse(b"\x4c\x02\x7f").reason == 0x7F


@pytest.mark.parametrize("text", ["", "4c", "4d00", "4c000100"])
def test_bad_failures(text: str) -> None:
    with pytest.raises(DecodeError):
        Failure.parse(bytes.fromhex(text))


def test_a_failure_that_says_nothing_is_cut_off() -> None:
    with pytest.raises(Truncated):
        Failure.parse(b"\x4c")


def test_a_count_that_fits_no_byte() -> None:
    with pytest.raises(EncodeError):
        Failure(256).to_bytes()
