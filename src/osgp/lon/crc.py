"""The link layer's check value."""

from __future__ import annotations

from binascii import crc_hqx

_INITIAL = 0xFFFF
_INVERT = 0xFFFF


def crc16(data: bytes) -> int:
    """CRC-16 of an LPDU without its last two bytes, 0..0xFFFF; sent high byte first.

    Polynomial 0x1021, most significant bit first, initial value 0xFFFF, result complemented
    (EN 14908-1 link layer; catalogued as CRC-16/GENIBUS).
    """
    return crc_hqx(data, _INITIAL) ^ _INVERT
