"""Frames nobody should send. Each is refused with a DecodeError, which the stack counts."""

from __future__ import annotations

import pytest

from osgp.errors import DecodeError
from osgp.lon import Lpdu, Spdu, Tpdu, crc16
from osgp.lon.tpdu import AuthPdu


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
