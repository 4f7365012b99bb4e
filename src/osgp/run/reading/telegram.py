"""Data records of M-Bus telegrams (EN 13757-3), by pyMeterBus."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import msgspec

_UNITS: Final = {
    "WH": ("Wh", 1.0),
    "J": ("J", 1.0),
    "M3": ("m³", 1.0),
    "KG": ("kg", 1.0),
    "W": ("W", 1.0),
    "C": ("°C", 1.0),
    "K": ("K", 1.0),
    "BAR": ("bar", 1.0),
    "M3_H": ("m³/h", 1.0),
    "J_H": ("J/h", 1.0),
    "SECONDS": ("s", 1.0),
    "MINUTES": ("min", 1.0),
    "HOURS": ("h", 1.0),
    "DAYS": ("d", 1.0),
}
_NO_UNITS: Final = frozenset({"NONE", "DATE", "DATE_TIME"})
_CI_VARIABLE: Final = 0x72
_HEADER: Final = bytes(12)
DECIMALS: Final = 6


class Value(msgspec.Struct, frozen=True):
    """One data record. `storage` 0 is the present value."""

    quantity: str
    value: float | str
    unit: str = ""
    storage: int = 0


Decoded = tuple[tuple[Value, ...], str, str]
"""Values, bytes that were not decoded (hex digits), a remark."""


def values_of(records: bytes, *, encrypted: bool = False) -> Decoded:
    """The data records of a telegram with variable structure. Never fails: what cannot be decoded
    is given as it is, with the reason.
    """
    if encrypted:
        return (), records.hex(), "encrypted"
    try:
        meterbus = import_module("meterbus")
    except ImportError:
        return (), records.hex(), "records are decoded with: pip install 'osgp[mbus]'"
    try:
        found = [record.interpreted for record in meterbus.load(_framed(records)).records]
        return tuple(_value(one) for one in found), "", ""
    except Exception as error:
        return (), records.hex(), f"not understood ({type(error).__name__})"


def _framed(records: bytes) -> bytes:
    """A whole long frame around the records: what the library takes."""
    body = bytes((0x08, 0x00, _CI_VARIABLE)) + _HEADER + records
    if len(body) > 255:
        raise ValueError("longer than a frame")
    size = len(body)
    return bytes((0x68, size, size, 0x68)) + body + bytes((sum(body) & 0xFF, 0x16))


def _value(interpreted: dict[str, Any]) -> Value:
    """The library names a quantity with its unit (ENERGY_WH): the unit stands beside it here."""
    unit = str(interpreted["unit"]).rpartition(".")[2]
    stated = str(interpreted["type"]).rpartition(".")[2].removesuffix("_GENERAL")
    quantity = stated.removesuffix(f"_{unit}").lower().replace("_", " ")
    symbol, factor = _UNITS.get(unit, ("" if unit in _NO_UNITS else unit.lower(), 1.0))
    raw = interpreted["value"]
    try:
        value: float | str = round(float(raw) * factor, DECIMALS)
    except (TypeError, ValueError):
        value = str(raw)
    return Value(quantity, value, symbol, int(interpreted.get("storage_number") or 0))
