"""The dissector names what the codec reads."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from osgp.errors import DecodeError
from osgp.lon import Lpdu, crc16
from osgp.lon.dissect import Layer, dissect


def as_dict(layers: list[Layer]) -> dict[str, dict[str, object]]:
    return {layer.name: {each.name: each.value for each in layer.fields} for layer in layers}


def test_repeated_request() -> None:
    """First frame of the recorded run one_repeater_sn_request."""
    layers = dissect(bytes.fromhex("0119018101820a024d010103252c24010405aabb7565"))
    assert [layer.name for layer in layers] == ["LPDU", "NPDU", "SPDU", "APDU"]
    named = as_dict(layers)
    assert named["LPDU"]["CRC valid"] is True
    assert named["NPDU"]["destination node"] == 2
    assert named["NPDU"]["domain"] == b"\x0a"
    assert named["SPDU"] == {
        "authentication requested": False,
        "type": "REQUEST",
        "transaction number": 2,
    }
    assert named["APDU"]["meaning"] == "repeated request"
    data = layers[-1].fields[-1]
    assert (data.offset, data.length) == (9, 11)


def test_challenge() -> None:
    named = as_dict(dissect(bytes.fromhex("0029018401810a81293311bf0aace98d2526")))
    assert named["AuthPDU"] == {
        "original address format": "subnet/node",
        "type": "CHALLENGE",
        "transaction number": 1,
        "challenge": bytes.fromhex("293311bf0aace98d"),
    }


def test_bad_crc_is_shown_and_the_rest_still_read() -> None:
    named = as_dict(dissect(bytes.fromhex("0119018101820a024d010103252c24010405aabb0000")))
    assert named["LPDU"]["CRC valid"] is False
    assert named["APDU"]["code"] == 0x4D


def test_expanded_command_and_reminder() -> None:
    body = bytes.fromhex("01150181070a530105600a")
    named = as_dict(dissect(body + crc16(body).to_bytes(2, "big")))
    assert named["NPDU"]["group"] == 7
    assert named["SPDU"]["member list"] == b"\x05"
    assert named["APDU"]["command"] == "update oma key"


def test_twelve_bit_transaction_number_takes_two_bytes() -> None:
    body = bytes.fromhex("0199018101820a0abc61")
    layers = dissect(body + crc16(body).to_bytes(2, "big"))
    (tid,) = (each for each in layers[2].fields if each.name == "transaction number")
    assert (tid.value, tid.offset, tid.length) == (0xABC, 7, 2)


@given(st.binary(max_size=40), st.booleans())
def test_never_raises_and_agrees_with_the_decoder(noise: bytes, sealed: bool) -> None:
    frame = noise + crc16(noise).to_bytes(2, "big") if sealed else noise
    layers = dissect(frame)
    for layer in layers:
        for each in layer.fields:
            assert 0 <= each.offset <= len(frame)
            assert each.offset + each.length <= max(len(frame), 2)
    malformed = layers[-1].name == "malformed"
    try:
        lpdu = Lpdu.decode(frame)
        lpdu.npdu.enclosed()
    except DecodeError:
        assert malformed or as_dict(layers)["LPDU"]["CRC valid"] is False or len(frame) < 7
        return
    assert not malformed
    shown = as_dict(layers)["NPDU"]
    assert shown["source subnet"] == lpdu.npdu.source.subnet
    assert shown["domain"] == lpdu.npdu.domain
