"""Frames against vectors made by running an independent EN 14908-1 stack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from osgp.errors import DecodeError, EncodeError
from osgp.lon import (
    Apdu,
    AuthPdu,
    Broadcast,
    Destination,
    Group,
    GroupMember,
    Lpdu,
    NeuronId,
    Npdu,
    PduType,
    Spdu,
    SubnetNode,
    Tpdu,
    crc16,
    destination_key,
)
from osgp.lon.addresses import AddressFormat
from osgp.lon.timers import LONG_MS, RECEIVE_MS, TRANSMIT_MS, receive_seconds, transmit_seconds
from osgp.lon.tpdu import ApduKind, AuthType, SpduType, TpduType, apdu_kind, in_m_list, m_list

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "en14908.json").read_text())
PDU_TYPES = {
    "TPDU": PduType.TPDU,
    "SPDU": PduType.SPDU,
    "AUTHPDU": PduType.AUTH,
    "APDU": PduType.APDU,
}


def destination_of(vector: dict[str, Any]) -> Destination:
    to = vector["dst"]
    match vector["mode"]:
        case "subnet_node":
            return SubnetNode(to["subnet"], to["node"])
        case "unique_id":
            return NeuronId(bytes.fromhex(to["neuron_id"]), to["subnet"])
        case "broadcast":
            return Broadcast(to["subnet"])
        case "group":
            return Group(to["group"])
    return GroupMember(to["subnet"], to["node"], to["group"], to["member"])


def frame_of(vector: dict[str, Any]) -> Lpdu:
    npdu = Npdu(
        PDU_TYPES[vector["pdu_type"]],
        SubnetNode(*vector["src"]),
        destination_of(vector),
        bytes.fromhex(vector["domain"]),
        bytes.fromhex(vector["pdu"]),
    )
    return Lpdu(bool(vector["priority"]), bool(vector["alt_path"]), vector["delta_backlog"], npdu)


@pytest.mark.parametrize("vector", VECTORS["crc16"], ids=lambda v: v["crc"])
def test_crc(vector: dict[str, str]) -> None:
    assert crc16(bytes.fromhex(vector["data"])) == int(vector["crc"], 16)


@pytest.mark.parametrize("vector", VECTORS["lpdu"], ids=lambda v: v["lpdu"][:12])
def test_frame_both_ways(vector: dict[str, Any]) -> None:
    assert frame_of(vector).encode().hex() == vector["lpdu"]
    assert Lpdu.decode(bytes.fromhex(vector["lpdu"])) == frame_of(vector)


def test_timer_tables() -> None:
    timers = VECTORS["timers_ms"]
    assert list(TRANSMIT_MS) == timers["tx"] == timers["repeat"]
    assert list(LONG_MS) == timers["tx_long"]
    assert list(RECEIVE_MS) == timers["receive"]
    assert transmit_seconds(4, long_timer=True) == 16.384
    with pytest.raises(EncodeError):
        transmit_seconds(16)
    with pytest.raises(EncodeError):
        transmit_seconds(5, long_timer=True)
    with pytest.raises(EncodeError):
        receive_seconds(-1)


ENCLOSED = [
    (Tpdu(TpduType.ACKD, 1, b"\x05\xa1"), "0105a1"),
    (Tpdu(TpduType.UNACKD_RPT, 15, b"\x05", authenticated=True), "9f05"),
    (Tpdu(TpduType.ACK, 7), "27"),
    (Tpdu(TpduType.REMINDER, 2, acked=b"\x01\x80\x02"), "4203018002"),
    (Tpdu(TpduType.REM_MSG, 2, b"\x05", acked=b""), "520005"),
    (Spdu(SpduType.REQUEST, 3, b"\x61\x00", authenticated=True), "836100"),
    (Spdu(SpduType.RESPONSE, 3, b"\x21"), "2321"),
    (Spdu(SpduType.REM_MSG, 4, b"\x61", acked=b"\x05"), "54010561"),
    (
        AuthPdu(AuthType.CHALLENGE, 1, AddressFormat.SUBNET_NODE, bytes(range(8))),
        "810001020304050607",
    ),
    (
        AuthPdu(AuthType.REPLY_OMA, 9, AddressFormat.GROUP, bytes(range(8)), 0x2A),
        "7900010203040506072a",
    ),
    (Apdu(0x7F, b"\x01"), "7f01"),
]
PDU_TYPE_OF = {Tpdu: PduType.TPDU, Spdu: PduType.SPDU, AuthPdu: PduType.AUTH, Apdu: PduType.APDU}


@pytest.mark.parametrize(("pdu", "wire"), ENCLOSED, ids=lambda v: v if isinstance(v, str) else "")
def test_enclosed_both_ways(pdu: Tpdu | Spdu | AuthPdu | Apdu, wire: str) -> None:
    """Layouts as in the reference notes on TPDU, SPDU and AuthPDU."""
    assert pdu.encode().hex() == wire
    npdu = Npdu(PDU_TYPE_OF[type(pdu)], SubnetNode(1, 1), Broadcast(), b"", bytes.fromhex(wire))
    assert npdu.enclosed() == pdu


def test_twelve_bit_transaction_numbers() -> None:
    request = Spdu(SpduType.REQUEST, 0xABC, b"\x61")
    assert request.encode(version=2).hex() == "0abc61"
    assert Spdu.decode(bytes.fromhex("0abc61"), 2) == request
    challenge = AuthPdu(AuthType.CHALLENGE, 0x123, AddressFormat.NEURON_ID, bytes(8))
    assert AuthPdu.decode(challenge.encode(version=2), 2) == challenge
    with pytest.raises(EncodeError):
        request.encode()


@pytest.mark.parametrize(
    "run", [r for name in ("proxy_runs", "auth_runs") for r in VECTORS[name]["runs"].values()]
)
def test_observed_frames_round_trip(run: list[dict[str, Any]]) -> None:
    for step in run:
        wire = bytes.fromhex(step["lpdu"])
        frame = Lpdu.decode(wire)
        assert frame.npdu.source == SubnetNode(1, step["from_node"])
        assert frame.encode() == wire
        pdu = frame.npdu.enclosed()
        assert pdu.encode() == frame.npdu.pdu


def test_member_list() -> None:
    assert m_list({0, 9, 16}) == bytes.fromhex("010201")
    assert m_list(set()) == b""
    assert in_m_list(b"\x01\x02", 9)
    assert not in_m_list(b"\x01\x02", 8)
    assert not in_m_list(b"\x01\x02", 63)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (0x3F, ApduKind.APPLICATION),
        (0x4D, ApduKind.FOREIGN),
        (0x51, ApduKind.DIAGNOSTIC),
        (0x61, ApduKind.MANAGEMENT),
        (0x80, ApduKind.VARIABLE),
    ],
)
def test_apdu_code_ranges(code: int, kind: ApduKind) -> None:
    assert apdu_kind(code) is kind


def wire(destination: Destination, domain: bytes = b"\x0a") -> bytes:
    npdu = Npdu(PduType.APDU, SubnetNode(1, 2), destination, domain, b"\x05")
    return Lpdu(False, False, 0, npdu).encode()


@pytest.mark.parametrize("domain", [b"", b"\x0a", b"abc", b"abcdef"])
def test_destination_key_agrees_with_the_decoder(domain: bytes) -> None:
    neuron = bytes.fromhex("000102030405")
    assert destination_key(wire(SubnetNode(3, 4), domain)) == ("s", domain, 3, 4)
    assert destination_key(wire(GroupMember(3, 4, 9, 1), domain)) == ("s", domain, 3, 4)
    assert destination_key(wire(NeuronId(neuron), domain)) == ("n", neuron)
    assert destination_key(wire(Group(9), domain)) == ("g", domain, 9)
    assert destination_key(wire(Broadcast(3), domain)) is None
    assert destination_key(b"\x00" * 6) is None


@pytest.mark.parametrize(
    "npdu",
    [
        Npdu(PduType.APDU, SubnetNode(1, 2), Broadcast(), b"ab", b""),
        Npdu(PduType.APDU, SubnetNode(1, 128), Broadcast(), b"", b""),
        Npdu(PduType.APDU, SubnetNode(256, 1), Broadcast(), b"", b""),
        Npdu(PduType.APDU, SubnetNode(1, 1), SubnetNode(1, 200), b"", b""),
        Npdu(PduType.APDU, SubnetNode(1, 1), NeuronId(b"short"), b"", b""),
    ],
)
def test_values_without_a_place_are_refused(npdu: Npdu) -> None:
    with pytest.raises(EncodeError):
        npdu.encode()


def test_backlog_is_six_bits() -> None:
    npdu = Npdu(PduType.APDU, SubnetNode(1, 2), Broadcast(), b"", b"\x05")
    with pytest.raises(EncodeError):
        Lpdu(False, False, 64, npdu).encode()


def test_encapsulated_ip_is_refused() -> None:
    body = bytes.fromhex("00710182000a05")
    with pytest.raises(DecodeError, match="version 1"):
        Lpdu.decode(body + crc16(body).to_bytes(2, "big"))
