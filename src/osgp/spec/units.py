"""Units as tables count them, and the display units they lead to."""

from __future__ import annotations

from typing import Final

import msgspec


class Unit(msgspec.Struct, frozen=True):
    """A stored unit: `symbol` as declarations write it, and how many `base` one of it is."""

    symbol: str
    base: str
    factor: float = 1.0


UNITS: Final[dict[str, Unit]] = {
    unit.symbol: unit
    for unit in (
        Unit("Wh", "Wh"),
        Unit("varh", "varh"),
        Unit("VAh", "VAh"),
        Unit("W", "W"),
        Unit("var", "var"),
        Unit("VA", "VA"),
        Unit("A", "A"),
        Unit("mA", "A", 1e-3),
        Unit("0.1 mA", "A", 1e-4),
        Unit("V", "V"),
        Unit("mV", "V", 1e-3),
        Unit("Hz", "Hz"),
        Unit("mHz", "Hz", 1e-3),
        Unit("PF", "1", 1e-3),
        Unit("1/1000", "1", 1e-3),
        Unit("%", "%"),
        Unit("1/100 degree", "degree", 1e-2),
        Unit("degree", "degree"),
        Unit("pulses", "pulses"),
        Unit("1", "1"),
        Unit("ms", "s", 1e-3),
        Unit("s", "s"),
        Unit("min", "s", 60),
        Unit("h", "s", 3600),
        Unit("d", "s", 86400),
    )
}
"""`PF` and `1/1000` are stored in thousandths."""


def in_base(value: float, symbol: str) -> tuple[float, str]:
    """`(230_000, "mV")` as `(230.0, "V")`; an unknown unit stays as it is."""
    unit = UNITS.get(symbol)
    return (value, symbol) if unit is None else (value * unit.factor, unit.base)
