"""LON/IP datagrams against what two public stacks put on the wire."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from osgp.errors import DecodeError, EncodeError
from osgp.lon import (
    Broadcast,
    Destination,
    Group,
    GroupMember,
    Lpdu,
    NeuronId,
    Npdu,
    PduType,
    SubnetNode,
    crc16,
)
from osgp.lon.udp import Datagram, from_datagram, to_datagram

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "en14908.json").read_text())[
    "lon_udp"
]

WITHOUT_BACKLOG = {"a50450c999040d5733", "0f059fbccb5e03950ddb", "8715888bbd240bad0c16"}
"""Group messages to be answered that the recording stack sent without the backlog byte: it looks
for the message type in the byte before, the last of the domain (or the group)."""


def frame_of(vector: dict[str, Any]) -> Lpdu:
    body = bytes.fromhex(vector["lpdu_nocrc"])
    return Lpdu.decode(body + crc16(body).to_bytes(2, "big"))


def without_backlog(payload: bytes) -> bytes:
    return payload[:1] + bytes((payload[1] & ~0x08,)) + payload[3:]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["lpdu_nocrc"][:12])
def test_to_datagram(vector: dict[str, Any]) -> None:
    datagram = to_datagram(frame_of(vector))
    payload = datagram.payload
    if vector["lpdu_nocrc"] in WITHOUT_BACKLOG:
        payload = without_backlog(payload)
    assert payload.hex() == vector["udp_payload"]
    assert (datagram.source, datagram.destination) == (vector["src_ip"], vector["dst_ip"])


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["lpdu_nocrc"][:12])
def test_from_datagram(vector: dict[str, Any]) -> None:
    payload = bytes.fromhex(vector["udp_payload"])
    received = from_datagram(Datagram(payload, vector["src_ip"], vector["dst_ip"]))
    sent = frame_of(vector)
    assert received.npdu == sent.npdu
    assert received.priority == sent.priority


def test_observed_exchange() -> None:
    """Example of the reference notes: a request and its response between 127.0.1.x hosts."""
    request = from_datagram(Datagram(bytes.fromhex("00110105a1b2"), "127.0.1.1", "127.0.1.2"))
    assert request.npdu.domain == bytes((127, 0, 0))
    assert request.npdu.source == SubnetNode(1, 1)
    assert request.npdu.destination == SubnetNode(1, 2)
    response = Npdu(
        PduType.SPDU,
        SubnetNode(1, 2),
        SubnetNode(1, 1),
        request.npdu.domain,
        bytes.fromhex("21250005a1b2"),
    )
    assert to_datagram(Lpdu(False, False, 0, response)).payload.hex() == "001121250005a1b2"


def lpdu(to: Destination, domain: bytes = b"\x0a", version: int = 0) -> Lpdu:
    return Lpdu(True, False, 5, Npdu(PduType.SPDU, SubnetNode(1, 9), to, domain, b"\x01a", version))


DESTINATIONS = [
    SubnetNode(1, 2),
    GroupMember(1, 2, 7, 3),
    Group(7),
    Broadcast(),
    Broadcast(4),
    NeuronId(b"abcdef", 3),
]


@pytest.mark.parametrize("to", DESTINATIONS, ids=str)
@pytest.mark.parametrize("domain", [b"", b"a", b"ab\0", b"abc", b"abcdef"])
def test_any_domain_through_an_arbitrary_host(to: Destination, domain: bytes) -> None:
    """`explicit` and an announced source need nothing of the mapping."""
    sent = lpdu(to, domain)
    datagram = to_datagram(sent, host="198.51.100.7", explicit=True)
    assert datagram.payload[0] & 1
    received = from_datagram(datagram)
    assert received.npdu == sent.npdu


def test_known_host_needs_no_announcement() -> None:
    plain = to_datagram(lpdu(SubnetNode(1, 2)))
    assert to_datagram(lpdu(SubnetNode(1, 2)), host=plain.source) == plain


def test_enhanced_version_survives() -> None:
    sent = lpdu(SubnetNode(1, 2), version=2)
    assert to_datagram(sent).payload[0] == 0x10
    assert from_datagram(to_datagram(sent)) == Lpdu(True, False, 0, sent.npdu)


def test_domain_without_address_is_refused() -> None:
    for domain in (b"abc", b"abcdef"):
        with pytest.raises(EncodeError):
            to_datagram(lpdu(SubnetNode(1, 2), domain))


@pytest.mark.parametrize(
    "payload",
    ["", "00", "2011", "0001", "0081", "0060", "006000aabb", "0071", "007101", "018101", "0118"],
)
def test_malformed_datagrams(payload: str) -> None:
    with pytest.raises(DecodeError):
        from_datagram(Datagram(bytes.fromhex(payload), "10.10.1.1", "10.10.1.2"))


def test_bad_ip_address() -> None:
    with pytest.raises(DecodeError):
        from_datagram(Datagram(bytes.fromhex("00110105"), "nowhere", "10.10.1.2"))
