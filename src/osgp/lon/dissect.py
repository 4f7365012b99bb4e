"""A frame taken apart layer by layer, every field named and located, for people to read.

Nothing raises here: a frame that ends early or makes no sense yields the layers that could be
read and then one named "malformed" that says why.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from osgp.errors import DecodeError, Truncated
from osgp.lon.addresses import DOMAIN_LENGTHS, MAX_NODE, NEURON_ID_LENGTH, AddressFormat
from osgp.lon.crc import crc16
from osgp.lon.nm import SERVICE_PIN, Code, Expanded
from osgp.lon.pdu import ENHANCED, MAX_BACKLOG, PduType
from osgp.lon.tpdu import (
    VALUE_LENGTH,
    ApduKind,
    AuthPdu,
    AuthType,
    Spdu,
    SpduType,
    Tpdu,
    TpduType,
    apdu_kind,
)

Value = int | bool | bytes | str

_CRC_LENGTH = 2
_FORMAT_NAMES = {
    AddressFormat.BROADCAST: "broadcast",
    AddressFormat.GROUP: "group",
    AddressFormat.SUBNET_NODE: "subnet/node",
    AddressFormat.NEURON_ID: "Neuron ID",
}
_KIND_NAMES = {
    ApduKind.APPLICATION: "application message",
    ApduKind.FOREIGN: "foreign frame",
    ApduKind.DIAGNOSTIC: "network diagnostics",
    ApduKind.MANAGEMENT: "network management",
    ApduKind.VARIABLE: "network variable",
}
_CODE_NAMES = {code.value: code.name.replace("_", " ").lower() for code in Code} | {
    SERVICE_PIN: "service pin",
    0x4D: "repeated request",
}
_EXPANDED_NAMES = {sub.value: sub.name.replace("_", " ").lower() for sub in Expanded}


class Field(msgspec.Struct, frozen=True):
    """`offset` and `length` in bytes of the frame; bit fields share those of their byte."""

    name: str
    value: Value
    offset: int
    length: int


class Layer(msgspec.Struct, frozen=True):
    name: str
    fields: tuple[Field, ...]


class _Walk:
    """Reads `frame[:end]` from front to back and collects named fields into layers."""

    def __init__(self, frame: bytes, end: int) -> None:
        self.frame = frame
        self.end = end
        self.at = 0
        self.layers: list[tuple[str, list[Field]]] = []

    def layer(self, name: str) -> None:
        self.layers.append((name, []))

    def note(self, name: str, value: Value, length: int = 1, back: int = 0) -> None:
        """A field that ends `back` bytes before the current place."""
        offset = self.at - back - length
        self.layers[-1][1].append(Field(name, value, offset, length))

    def byte(self, name: str = "") -> int:
        value = self.bytes(1)[0]
        if name:
            self.note(name, value)
        return value

    def bytes(self, length: int, name: str = "") -> bytes:
        if self.at + length > self.end:
            raise Truncated("frame ends here", offset=self.end)
        self.at += length
        value = self.frame[self.at - length : self.at]
        if name:
            self.note(name, value, length)
        return value

    def rest(self, name: str) -> None:
        if self.at < self.end:
            self.bytes(self.end - self.at, name)

    def result(self) -> list[Layer]:
        return [Layer(name, tuple(fields)) for name, fields in self.layers]


def dissect(frame: bytes) -> list[Layer]:
    """The layers of an LPDU with its CRC, outermost first."""
    frame = bytes(frame)
    walk = _Walk(frame, max(0, len(frame) - _CRC_LENGTH))
    try:
        _lpdu(walk)
        _npdu(walk)
    except DecodeError as error:
        reason = Field("reason", error.reason, walk.at, max(0, walk.end - walk.at))
        return [*walk.result(), Layer("malformed", (reason,))]
    return walk.result()


def _lpdu(walk: _Walk) -> None:
    walk.layer("LPDU")
    header = walk.byte()
    walk.note("priority", header >= 0x80)
    walk.note("alternate path", header & 0x40 != 0)
    walk.note("delta backlog", header & MAX_BACKLOG)
    crc = int.from_bytes(walk.frame[walk.end :], "big")
    fields = walk.layers[-1][1]
    fields.append(Field("CRC", crc, walk.end, _CRC_LENGTH))
    fields.append(Field("CRC valid", crc == crc16(walk.frame[: walk.end]), walk.end, _CRC_LENGTH))


def _npdu(walk: _Walk) -> None:
    walk.layer("NPDU")
    header = walk.byte()
    version, kind, form = header >> 6, PduType(header >> 4 & 3), AddressFormat(header >> 2 & 3)
    walk.note("version", version)
    walk.note("PDU type", kind.name)
    walk.note("address format", _FORMAT_NAMES[form])
    if version not in (0, ENHANCED):
        raise DecodeError(f"NPDU version {version}")
    walk.byte("source subnet")
    selected = walk.byte()
    walk.note("source node", selected & MAX_NODE)
    _DESTINATIONS[form](walk)
    if form is AddressFormat.SUBNET_NODE and selected <= MAX_NODE:
        walk.byte("group")
        walk.byte("member")
    walk.bytes(DOMAIN_LENGTHS[header & 3], "domain")
    _ENCLOSED[kind](walk, version)


def _to_node(walk: _Walk) -> None:
    walk.byte("destination subnet")
    walk.note("destination node", walk.byte() & MAX_NODE)


def _to_neuron(walk: _Walk) -> None:
    walk.byte("destination subnet")
    walk.bytes(NEURON_ID_LENGTH, "Neuron ID")


_DESTINATIONS: dict[AddressFormat, Callable[[_Walk], object]] = {
    AddressFormat.BROADCAST: lambda walk: walk.byte("destination subnet"),
    AddressFormat.GROUP: lambda walk: walk.byte("group"),
    AddressFormat.SUBNET_NODE: _to_node,
    AddressFormat.NEURON_ID: _to_neuron,
}


def _tpdu(walk: _Walk, version: int) -> None:
    _transaction(walk, version, Tpdu)


def _spdu(walk: _Walk, version: int) -> None:
    _transaction(walk, version, Spdu)


def _transaction(walk: _Walk, version: int, cls: type[Tpdu] | type[Spdu]) -> None:
    walk.layer(cls.name)
    pdu = cls.decode(walk.frame[walk.at : walk.end], version)
    first = walk.byte()
    walk.note("authentication requested", first >= 0x80)
    walk.note("type", pdu.kind.name)
    _tid(walk, version, pdu.tid)
    if pdu.acked is not None:
        walk.byte("member list length")
        walk.bytes(len(pdu.acked), "member list")
    if pdu.apdu:
        answer = pdu.kind in (SpduType.RESPONSE, TpduType.ACK)
        _apdu(walk, answer)


def _tid(walk: _Walk, version: int, tid: int) -> None:
    if version == ENHANCED:
        walk.byte()
        walk.note("transaction number", tid, 2)
    else:
        walk.note("transaction number", tid)


def _auth_pdu(walk: _Walk, version: int) -> None:
    walk.layer("AuthPDU")
    pdu = AuthPdu.decode(walk.frame[walk.at : walk.end], version)
    walk.byte()
    walk.note("original address format", _FORMAT_NAMES[pdu.address_format])
    walk.note("type", pdu.kind.name)
    _tid(walk, version, pdu.tid)
    challenge = pdu.kind in (AuthType.CHALLENGE, AuthType.CHALLENGE_OMA)
    walk.bytes(VALUE_LENGTH, "challenge" if challenge else "reply")
    if pdu.group is not None:
        walk.byte("group")


def _message(walk: _Walk, version: int) -> None:
    _apdu(walk, answer=False)


def _apdu(walk: _Walk, answer: bool) -> None:
    walk.layer("APDU")
    code = walk.byte("code")
    if answer:
        walk.note("meaning", "response")
    else:
        walk.note("meaning", _CODE_NAMES.get(code, _KIND_NAMES[apdu_kind(code)]))
        if code == Code.EXPANDED and walk.at < walk.end:
            sub = walk.byte("sub-code")
            walk.note("command", _EXPANDED_NAMES.get(sub, "unknown"))
    walk.rest("data")


_ENCLOSED: dict[PduType, Callable[[_Walk, int], None]] = {
    PduType.TPDU: _tpdu,
    PduType.SPDU: _spdu,
    PduType.AUTH: _auth_pdu,
    PduType.APDU: _message,
}
