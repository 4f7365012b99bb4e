"""OBIS codes of source ids: what other systems call the same quantity.

Codes are written A-B:C.D.E (IEC 62056-61, 'Object identification system'; value groups as in the
public DLMS UA Blue Book summary): A = 1 electricity, B = 0 no channel; C the quantity, D = 8 a time
integral (energy), 7 an instantaneous value, 9 or 4 others; E = 0 the total, 1 and up a tariff.

Which OSGP source is which C follows from the names the MEP guide prints (table BT22 'Source IDs')
and the meanings of C in IEC 62056-61: 1 / 2 active power import / export of all phases, 3 / 4
reactive import / export, 5 to 8 reactive by quadrant, 9 apparent import, 13 power factor, 14
frequency, 15 / 16 absolute and net active, 21 to 29 the same for L1 (31 current, 32 voltage, 33
power factor), 41 to 49 and 51 to 53 for L2, 61 to 69 and 71 to 73 for L3. The assignment is this
project's; quantities for which IEC 62056-61 has no plain code have none here.
"""

from __future__ import annotations

from typing import Final

_PHASE_STEP: Final = 20

_ENERGY: Final = {0: 1, 1: 2, 2: 3, 3: 4, 6: 15, 7: 16, 108: 5, 109: 6, 110: 7, 111: 8}
"""Source id → C of registers (D = 8)."""

_TOTALS: Final = {8: 1, 9: 2, 10: 3, 11: 4, 19: 14, 20: 9}
_QUADRANTS: Final = {104 + n: 5 + n for n in range(4)}
_CURRENTS: Final = {12 + n: 31 + _PHASE_STEP * n for n in range(3)}
_VOLTAGES: Final = {15 + n: 32 + _PHASE_STEP * n for n in range(3)}
_FACTORS: Final = {18: 33, 21: 53, 22: 73}
_FORWARD: Final = {185 + n: 21 + _PHASE_STEP * n for n in range(3)}
_REVERSE: Final = {188 + n: 22 + _PHASE_STEP * n for n in range(3)}
_REACTIVE_IN: Final = {239 + n: 23 + _PHASE_STEP * n for n in range(3)}
_REACTIVE_OUT: Final = {242 + n: 24 + _PHASE_STEP * n for n in range(3)}
_NEUTRAL: Final = {232: 91}
_PRESENT: Final = (
    _TOTALS
    | _QUADRANTS
    | _CURRENTS
    | _VOLTAGES
    | _FACTORS
    | _FORWARD
    | _REVERSE
    | _REACTIVE_IN
    | _REACTIVE_OUT
    | _NEUTRAL
)
"""Source id → C of present values (D = 7)."""

_INTEGRAL, _INSTANTANEOUS = 8, 7


def code_of(source: int, tier: int | None = None, *, energy: bool = False) -> str | None:
    """`1-0:1.8.0` for a source id; None where there is no code for it.

    `energy`: a register of BT23, whose tier counts from 0; None is the total.
    """
    quantity = (_ENERGY if energy else _PRESENT).get(source)
    if quantity is None:
        return None
    kind = _INTEGRAL if energy else _INSTANTANEOUS
    return f"1-0:{quantity}.{kind}.{0 if tier is None else tier + 1}"
