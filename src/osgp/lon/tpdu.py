"""PDUs enclosed in an NPDU: transport, session, authentication and application layer.

    TPDU, SPDU  auth(1) type(3) TID(4) | [TID low byte] | body
        body    message types: APDU;  REMINDER: length, M_LIST;  REM_MSG: length, M_LIST, APDU
    AuthPDU     original address format(2) type(2) TID(4) | [TID low byte] | value(8) | [group]
    APDU        code(1) | data

The bracketed TID byte exists in NPDU version 2 only, where the TID has 12 bits.
M_LIST is a bitmap, member m at byte m // 8, bit m % 8 (least significant first), set for members
whose answer has arrived; at most 8 bytes.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar, TypeVar

import msgspec

from osgp.errors import DecodeError, EncodeError, Truncated
from osgp.lon.addresses import AddressFormat

MAX_M_LIST = 8
VALUE_LENGTH = 8
"""Bytes of a challenge and of a reply."""

_ENHANCED = 2
_AUTHENTICATED = 0x80


class TpduType(IntEnum):
    ACKD = 0
    UNACKD_RPT = 1
    ACK = 2
    REMINDER = 4
    REM_MSG = 5


class SpduType(IntEnum):
    REQUEST = 0
    RESPONSE = 2
    REMINDER = 4
    REM_MSG = 5


class AuthType(IntEnum):
    CHALLENGE = 0
    CHALLENGE_OMA = 1
    REPLY = 2
    REPLY_OMA = 3


class ApduKind(IntEnum):
    """Ranges of the APDU code."""

    APPLICATION = 0
    FOREIGN = 1
    DIAGNOSTIC = 2
    MANAGEMENT = 3
    VARIABLE = 4


class TransactionPdu(msgspec.Struct, frozen=True):
    """What TPDU and SPDU share.

    `authenticated`: the sender asks to be challenged. `acked`: M_LIST of reminders, else None.
    `apdu` is empty in ACK and REMINDER and holds at least the code elsewhere.
    """

    kind: IntEnum
    tid: int
    apdu: bytes = b""
    authenticated: bool = False
    acked: bytes | None = None

    name: ClassVar[str] = ""
    kinds: ClassVar[tuple[IntEnum | None, ...]] = ()

    def encode(self, version: int = 0) -> bytes:
        """Raises EncodeError for a TID or member list that does not fit."""
        first = self.authenticated << 7 | self.kind << 4
        head = _encode_tid(first, self.tid, version)
        if self.acked is None:
            return head + self.apdu
        if len(self.acked) > MAX_M_LIST:
            raise EncodeError("at most 8 bytes", field="acked")
        return head + bytes((len(self.acked),)) + self.acked + self.apdu


class Tpdu(TransactionPdu, frozen=True):
    """Transport layer: acknowledged and repeated messages, and acknowledgements."""

    name: ClassVar[str] = "TPDU"
    kinds: ClassVar[tuple[IntEnum | None, ...]] = (
        TpduType.ACKD,
        TpduType.UNACKD_RPT,
        TpduType.ACK,
        None,
        TpduType.REMINDER,
        TpduType.REM_MSG,
        None,
        None,
    )

    @classmethod
    def decode(cls, data: bytes, version: int = 0) -> Tpdu:
        """Raises DecodeError."""
        return _decode_transaction(cls, data, version)


class Spdu(TransactionPdu, frozen=True):
    """Session layer: requests and responses."""

    name: ClassVar[str] = "SPDU"
    kinds: ClassVar[tuple[IntEnum | None, ...]] = (
        SpduType.REQUEST,
        None,
        SpduType.RESPONSE,
        None,
        SpduType.REMINDER,
        SpduType.REM_MSG,
        None,
        None,
    )

    @classmethod
    def decode(cls, data: bytes, version: int = 0) -> Spdu:
        """Raises DecodeError."""
        return _decode_transaction(cls, data, version)


class AuthPdu(msgspec.Struct, frozen=True):
    """Challenge or reply: `value` is 8 bytes.

    `address_format` and `group` are those of the message being authenticated; `group` is None
    unless that was a group message (one stack also sends it for broadcasts).
    """

    kind: AuthType
    tid: int
    address_format: AddressFormat
    value: bytes
    group: int | None = None

    def encode(self, version: int = 0) -> bytes:
        """Raises EncodeError."""
        if len(self.value) != VALUE_LENGTH:
            raise EncodeError("8 bytes", field="value")
        first = self.address_format << 6 | self.kind << 4
        group = b"" if self.group is None else bytes((self.group,))
        return _encode_tid(first, self.tid, version) + self.value + group

    @classmethod
    def decode(cls, data: bytes, version: int = 0) -> AuthPdu:
        """Raises DecodeError."""
        tid, at = _decode_tid(data, version, "AuthPDU")
        end = at + VALUE_LENGTH
        form = AddressFormat(data[0] >> 6)
        if len(data) < end + (form is AddressFormat.GROUP):
            raise Truncated("challenge or reply cut off", table="AuthPDU", offset=len(data))
        if len(data) > end + (form <= AddressFormat.GROUP):
            raise DecodeError("surplus bytes", table="AuthPDU", offset=end)
        group = data[end] if len(data) > end else None
        return cls(AuthType(data[0] >> 4 & 3), tid, form, data[at:end], group)


class Apdu(msgspec.Struct, frozen=True):
    """Application layer: one code byte, then data."""

    code: int
    data: bytes = b""

    def encode(self) -> bytes:
        return bytes((self.code,)) + self.data

    @classmethod
    def decode(cls, data: bytes) -> Apdu:
        """Raises DecodeError when even the code is missing."""
        if not data:
            raise Truncated("no code", table="APDU", offset=0)
        return cls(data[0], data[1:])

    @property
    def kind(self) -> ApduKind:
        return apdu_kind(self.code)


def apdu_kind(code: int) -> ApduKind:
    """The range of the APDU code space that `code` (0..255) lies in."""
    if code < 0x40:
        return ApduKind.APPLICATION
    if code < 0x60:
        return ApduKind.FOREIGN if code < 0x50 else ApduKind.DIAGNOSTIC
    return ApduKind.MANAGEMENT if code < 0x80 else ApduKind.VARIABLE


def m_list(members: frozenset[int] | set[int]) -> bytes:
    """The shortest M_LIST that has the bits of `members` set."""
    bitmap = sum(1 << member for member in members)
    return bitmap.to_bytes((bitmap.bit_length() + 7) // 8, "little")


def in_m_list(acked: bytes, member: int) -> bool:
    """Whether the sender of `acked` already has the answer of `member`."""
    return member // 8 < len(acked) and acked[member // 8] >> member % 8 & 1 == 1


_PduT = TypeVar("_PduT", Tpdu, Spdu)
_REMINDERS = (4, 5)
_NO_APDU = ((Tpdu, TpduType.ACK), (Tpdu, TpduType.REMINDER), (Spdu, SpduType.REMINDER))


def _decode_transaction(cls: type[_PduT], data: bytes, version: int) -> _PduT:
    tid, at = _decode_tid(data, version, cls.name)
    number = data[0] >> 4 & 7
    kind = cls.kinds[number]
    if kind is None:
        raise DecodeError(f"unknown type {number}", table=cls.name, field="type", offset=0)
    acked = None
    if number in _REMINDERS:
        acked, at = _decode_m_list(data, at, cls.name)
    if ((cls, kind) in _NO_APDU) is (len(data) > at):
        reason = "surplus bytes" if len(data) > at else "no APDU"
        raise DecodeError(reason, table=cls.name, field="apdu", offset=at)
    return cls(kind, tid, data[at:], data[0] >= _AUTHENTICATED, acked)


def _decode_m_list(data: bytes, at: int, table: str) -> tuple[bytes, int]:
    if len(data) <= at:
        raise Truncated("no member list", table=table, field="m_list", offset=at)
    length = data[at]
    if length > MAX_M_LIST:
        raise DecodeError(f"{length} bytes long", table=table, field="m_list", offset=at)
    end = at + 1 + length
    if len(data) < end:
        raise Truncated("member list cut off", table=table, field="m_list", offset=len(data))
    return data[at + 1 : end], end


def _encode_tid(first: int, tid: int, version: int) -> bytes:
    if not 0 <= tid < (4096 if version == _ENHANCED else 16):
        raise EncodeError("out of range", field="tid")
    if version == _ENHANCED:
        return bytes((first | tid >> 8, tid & 0xFF))
    return bytes((first | tid,))


def _decode_tid(data: bytes, version: int, table: str) -> tuple[int, int]:
    """The TID and the offset behind it."""
    size = 2 if version == _ENHANCED else 1
    if len(data) < size:
        raise Truncated("no transaction number", table=table, field="tid", offset=len(data))
    if version == _ENHANCED:
        return (data[0] & 0x0F) << 8 | data[1], 2
    return data[0] & 0x0F, 1
