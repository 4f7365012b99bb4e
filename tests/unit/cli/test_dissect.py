"""`osgp dissect`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osgp.cli.layers import Dissector
from osgp.export.pcapng import Frame, capture
from osgp.lon import Lpdu, Npdu, PduType, Spdu, SubnetNode, crc16
from osgp.lon.tpdu import SpduType
from osgp.lon.udp import to_datagram
from osgp.security import profile
from osgp.wire import Dims

from .conftest import Runner

VECTORS = Path(__file__).parents[2] / "vectors" / "en14908.json"
REPEATED = "0119018101820a024d010103252c24010405aabb7565"
SOURCE, TARGET = SubnetNode(1, 1), SubnetNode(1, 2)


def sealed(body: str) -> bytes:
    data = bytes.fromhex(body)
    return data + crc16(data).to_bytes(2, "big")


def exchanged(apdu: bytes | str, *, answer: bool = False, tid: int = 3) -> bytes:
    """A frame between two nodes that carries an APDU."""
    data = bytes.fromhex(apdu) if isinstance(apdu, str) else apdu
    kind = SpduType.RESPONSE if answer else SpduType.REQUEST
    ends = (TARGET, SOURCE) if answer else (SOURCE, TARGET)
    npdu = Npdu(PduType.SPDU, *ends, b"\x0a", Spdu(kind, tid, data).encode())
    return Lpdu(False, False, 0, npdu).encode()


def named(layers: Any) -> dict[str, dict[str, Any]]:
    return {layer.name: {item.name: item for item in layer.fields} for layer in layers}


def test_every_layer_of_a_repeated_request(osgp: Runner) -> None:
    """First frame of the recorded run one_repeater_sn_request."""
    shown = osgp("dissect", "--hex", REPEATED, "--json").json
    assert [layer["name"] for layer in shown["layers"]] == [
        *("LPDU", "NPDU", "SPDU", "APDU", "Repeating", "Repeating, agent", "APDU for the target")
    ]
    fields = {item["name"]: item for layer in shown["layers"] for item in layer["fields"]}
    assert fields["address hops[0].node"]["value"] == 3
    assert fields["service"]["text"] == "request"
    assert fields["target type"]["text"] == "subnet node"
    assert (fields["CRC valid"]["value"], shown["frame"]) == (True, REPEATED)


def test_a_table_service_and_its_answer() -> None:
    """The published digest vector: BT03 with 13 bytes."""
    dissector = Dissector(Dims({"BT00": {"manufacturer_status_length": 9}}))
    request = exchanged("003000037f30ea6d" + "11" * 8)
    asked = named(dissector.layers(request))
    assert asked["full table read"]["table"].text == "BT03"
    assert asked["security"]["sequence number"].text == "2133912173"
    assert asked["security"]["digest"].value == b"\x11" * 8
    response = exchanged("0000000d0020980031c300080000000000" + "dbe5cde507b1cb3d", answer=True)
    answered = named(dissector.layers(response))
    assert answered["full table read response"]["code"].text == "ok"
    table = answered["BT03 End Device Mode Status"]
    assert len(table) > 10
    data = response.index(bytes.fromhex("002098"))
    assert min(item.offset for item in table.values()) == data
    assert answered["security"]["digest"].value.hex() == "dbe5cde507b1cb3d"


def test_dimension_tables_become_known_when_they_are_read() -> None:
    dissector = Dissector()
    sizes, values = "00000002000000000000", "e803000000000000"
    dissector.layers(exchanged("0030001500000001" + "00" * 8))
    dissector.layers(exchanged("0000000a" + sizes + "00" * 8, answer=True))
    dissector.layers(exchanged("0030001700000002" + "00" * 8, tid=4))
    answer = exchanged("00000008" + values + "00" * 8, answer=True, tid=4)
    layers = named(dissector.layers(answer))
    assert layers["BT23 Current Register Data"]["total data block.summations[0]"].value == 1000


def test_calls_of_procedures() -> None:
    """MEP guide: EP17, as a write of BT07."""
    frame = exchanged("0040000700061108 0700f803 5b4e4309" + "00" * 8)
    layers = named(Dissector().layers(frame))
    assert layers["BT07 Procedure Initiate"]["sequence number"].value == 7
    called = layers["EP17 Remove M-Bus/MEP Device"]
    assert called["device handle"].value == 0x03F8
    assert frame[called["device handle"].offset :][:2] == bytes.fromhex("f803")


def test_parts_of_tables_and_refusals() -> None:
    dissector = Dissector()
    part = named(dissector.layers(exchanged("003f0017 000010 0008 00000001" + "00" * 8)))
    assert part["partial table read"]["offset"].value == 16
    refused = named(dissector.layers(exchanged("000c7f30ea6d" + "00" * 8, answer=True)))
    response = refused["partial table read response"]
    assert response["code"].text == "sequence number error"
    assert refused["security"]["sequence number"].value == bytes.fromhex("7f30ea6d")
    alone = named(Dissector().layers(exchanged("0003" + "00" * 8, answer=True)))
    assert alone["response"]["code"].text == "insufficient security clearance"
    odd = named(Dissector().layers(exchanged("00300003ff")))
    assert odd["trailer"]["data"].value == b"\xff"


@pytest.mark.parametrize(
    ("apdu", "answer", "layer"),
    [
        ("4d", True, "Repeating, success"),
        ("4c02", True, "Repeating, failure"),
        ("4c0001", True, "Repeating, failure"),
        ("01" + "ab" * 20, False, "OMA suite, encrypted"),
        ("10" + "ab" * 20, False, "AES suite"),
        ("10" + "ab" * 20, True, "AES suite"),
        ("1301", True, "AES error, authentication failure"),
        ("13ff", True, "AES error"),
        ("0201", False, "ATM"),
        ("4d0f", False, "malformed"),
        ("0030", False, "malformed"),
        ("00ab", False, "application data"),
    ],
)
def test_other_messages(apdu: str, answer: bool, layer: str) -> None:
    layers = Dissector().layers(exchanged(apdu, answer=answer))
    assert layers[-1].name == layer


def test_messages_of_the_handshake() -> None:
    challenge = profile.Challenge.make(
        code=0x12,
        kind=1,
        version=1,
        key_version=3,
        concentrator=bytes(6),
        random=bytes(16),
        suite_count=1,
        suites=(1,),
    )
    layers = named(Dissector().layers(exchanged(profile.encode(challenge))))
    assert layers["AES handshake, challenge"]["key version"].value == 3


def test_recorded_runs_have_no_malformed_layer() -> None:
    runs = json.loads(VECTORS.read_text(encoding="utf-8"))
    dissector = Dissector()
    seen = set()
    for kind in ("proxy_runs", "auth_runs"):
        for run in runs[kind]["runs"].values():
            for step in run:
                frame = bytes.fromhex(step["lpdu"])
                layers = dissector.layers(frame)
                seen |= {layer.name for layer in layers}
                for layer in layers:
                    for item in layer.fields:
                        assert 0 <= item.offset <= item.offset + item.length <= len(frame)
    assert "malformed" not in seen
    assert seen >= {"AuthPDU", "Repeating", "Repeating, failure", "Repeating, success"}


@settings(deadline=None)
@given(st.binary(max_size=60), st.booleans(), st.sampled_from((0, 1, 2, 0x10, 0x12, 0x4C, 0x4D)))
def test_no_message_breaks_the_dissector(noise: bytes, answer: bool, code: int) -> None:
    dissector = Dissector()
    frame = exchanged(bytes((code,)) + noise, answer=answer)
    for layer in dissector.layers(frame):
        for item in layer.fields:
            assert item.offset + item.length <= len(frame)
    dissector.layers(noise)


def test_a_capture(osgp: Runner, tmp_path: Path) -> None:
    path = tmp_path / "run.pcapng"
    request = exchanged("003000037f30ea6d" + "11" * 8)
    path.write_bytes(capture([Frame(1.7e9, request, "to a meter"), Frame(1.7e9 + 1, request[:-1])]))
    brief = osgp("dissect", str(path), "--brief").out.splitlines()
    assert brief[0].strip() == (
        "1  2023-11-14 22:13:20.000  1/1 → 1/2  REQUEST  full table read BT03  # to a meter"
    )
    assert len(brief) == 2
    shown = osgp("dissect", str(path), "--json").json
    assert [one["number"] for one in shown] == [1, 2]
    assert shown[0]["time"] == 1.7e9
    full = osgp("dissect", str(path)).out
    assert "  CRC valid" in full
    assert "full table read" in full


def test_lon_ip_in_a_capture(osgp: Runner, tmp_path: Path) -> None:
    frame = exchanged("05a1b2")
    sent = to_datagram(Lpdu.decode(frame))
    path = tmp_path / "ip.pcap"
    path.write_bytes(pcap_of(sent.payload, sent.source, sent.destination))
    shown = osgp("dissect", str(path), "--json").json
    assert shown[0]["frame"] == frame.hex()
    path.write_bytes(pcap_of(b"\xff", sent.source, sent.destination))
    broken = osgp("dissect", str(path), "--json").json
    assert broken[0]["layers"][0]["name"] == "malformed"


def pcap_of(payload: bytes, source: str, destination: str) -> bytes:
    import struct
    from ipaddress import IPv4Address

    udp = struct.pack(">HHHH", 2541, 2541, 8 + len(payload), 0) + payload
    ends = IPv4Address(source).packed + IPv4Address(destination).packed
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + ends + udp
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 228)
    return header + struct.pack("<IIII", 5, 0, len(ip), len(ip)) + ip


def test_frames_in_text(osgp: Runner, tmp_path: Path) -> None:
    path = tmp_path / "frames.txt"
    path.write_text(f"# two frames\n{REPEATED} # the first\n\n{REPEATED}\n", encoding="ascii")
    shown = osgp("dissect", str(path), "--json").json
    assert [(one["number"], one["comment"]) for one in shown] == [(2, "the first"), (4, "")]


def test_frames_without_crc(osgp: Runner, tmp_path: Path) -> None:
    shown = osgp("dissect", "--no-crc", "--hex", REPEATED[:-4], "--json").json
    assert shown["frame"] == REPEATED
    path = tmp_path / "bare.pcapng"
    path.write_bytes(capture([Frame(0.0, bytes.fromhex(REPEATED[:-4]))]))
    assert osgp("dissect", str(path), "--json").json[0]["frame"] == REPEATED


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        ([], 2, "give a file or --hex"),
        (["--hex", "xy"], 2, "is no hex"),
        (["/no/such/file"], 2, "No such file"),
        (["x", "--hex", "00"], 2, "give a file or --hex"),
    ],
)
def test_what_cannot_be_read(osgp: Runner, arguments: list[str], code: int, reason: str) -> None:
    result = osgp("dissect", *arguments)
    assert (result.code, result.out) == (code, "")
    assert reason in result.err


def test_files_that_hold_no_frames(osgp: Runner, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\x00garbage")
    refused = osgp("dissect", str(path))
    assert (refused.code, "neither pcapng nor pcap" in refused.err) == (1, True)
    path.write_bytes(capture([]))
    assert osgp("dissect", str(path)).code == 1
    path.write_text("0119\nno hex\n", encoding="ascii")
    assert "line 2" in osgp("dissect", str(path)).err


def test_a_damaged_frame_is_shown_as_far_as_it_goes(osgp: Runner) -> None:
    result = osgp("dissect", "--hex", "0119")
    assert result.code == 0
    assert "malformed" in result.out
