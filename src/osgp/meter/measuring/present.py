"""Present values: what BT28 shows of the moment, and which of it each OSGP source number reads.

Units are those of BT28: W, var, VA, mA, mV, mHz and thousandths for power factor and sine. Source
numbers: OSGP Alliance MEP Client Developer's Guide v1.1, table BT22, "Source IDs". Power factor is
the signed cosine of the phase angle and the sine is signed too, so that both name the quadrant; the
guide does not say how an OSGP meter signs them (`Source.PROJECT`).
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from osgp.errors import UsageError

from .registers import apparent
from .units import MS, PHASES, Floats, Ints

PerPhase = tuple[int, int, int]
PerPhaseAndTotal = tuple[int, int, int, int]

_IDLE: Final = (1000, 0)  # power factor and sine where no current flows


class PresentValues(msgspec.Struct, frozen=True):
    """One moment; powers are signed as in IEC 62053-23.

    The fourth power is that of the sum of the phases, the fourth current the neutral's.
    """

    active: PerPhaseAndTotal
    reactive: PerPhaseAndTotal
    apparent: PerPhaseAndTotal
    current: PerPhaseAndTotal
    voltage: PerPhase
    power_factor: PerPhase
    sine: PerPhase
    frequency: int


class Part(Enum):
    """Which part of a signed quantity a source shows; what lies elsewhere shows as 0."""

    WHOLE = "whole"
    POSITIVE = "positive"
    NEGATIVE = "negative"
    Q1 = 1
    Q2 = 2
    Q3 = 3
    Q4 = 4


class PresentSource(msgspec.Struct, frozen=True):
    """A readable present value: a field of `PresentValues`, its place there, and a part of it."""

    quantity: str
    place: int
    part: Part = Part.WHOLE


L1, L2, L3, TOTAL = range(4)
FREQUENCY: Final = 19

_LINES: Final = (L1, L2, L3)
_QUARTERS: Final = (Part.Q1, Part.Q2, Part.Q3, Part.Q4)
_FLOWS: Final = (
    PresentSource("active", TOTAL, Part.POSITIVE),
    PresentSource("active", TOTAL, Part.NEGATIVE),
    PresentSource("reactive", TOTAL, Part.POSITIVE),
    PresentSource("reactive", TOTAL, Part.NEGATIVE),
)


def _lines(quantity: str, part: Part = Part.WHOLE) -> tuple[PresentSource, ...]:
    return tuple(PresentSource(quantity, line, part) for line in _LINES)


_RUNS: Final[dict[int, tuple[PresentSource, ...]]] = {
    8: _FLOWS,
    12: _lines("current"),
    15: _lines("voltage"),
    18: _lines("power_factor")[:1],
    20: (PresentSource("apparent", TOTAL), *_lines("power_factor")[1:]),
    23: _lines("sine"),
    81: _FLOWS,  # after CT and VT ratios, which are 1 in a directly connected meter; as 191 to 199
    104: tuple(PresentSource("reactive", TOTAL, part) for part in _QUARTERS),
    185: _lines("active", Part.POSITIVE) + _lines("active", Part.NEGATIVE),
    191: _lines("active", Part.POSITIVE) + _lines("active", Part.NEGATIVE) + _lines("current"),
    202: _lines("voltage"),
    216: tuple(
        PresentSource("apparent", place, part) for place in (TOTAL, *_LINES) for part in _QUARTERS
    ),
    232: (PresentSource("current", TOTAL),),
    239: _lines("reactive", Part.POSITIVE) + _lines("reactive", Part.NEGATIVE),
}

PRESENT_SOURCES: Final[dict[int, PresentSource]] = {
    first + step: source for first, run in _RUNS.items() for step, source in enumerate(run)
} | {FREQUENCY: PresentSource("frequency", 0)}
"""By source number; those of adjacent numbers are declared as runs above."""


def present_value(present: PresentValues, source: int) -> int:
    """One source's value in its BT28 unit, not negative except for power factor and sine.

    Raises `UsageError` for a source that is no present value.
    """
    declared = PRESENT_SOURCES.get(source)
    if declared is None:
        raise UsageError(f"source {source} is no present value")
    quantity = getattr(present, declared.quantity)
    value: int = quantity if isinstance(quantity, int) else quantity[declared.place]
    return _part(present, value, declared)


def _part(present: PresentValues, value: int, source: PresentSource) -> int:
    if source.part is Part.WHOLE:
        return value
    if source.part is Part.POSITIVE:
        return max(value, 0)
    if source.part is Part.NEGATIVE:
        return max(-value, 0)
    place = source.place
    here = quadrant(present.active[place], present.reactive[place])
    return abs(value) if here == source.part.value else 0


def quadrant(active: int, reactive: int) -> int:
    """1 to 4 after IEC 62053-23; the axes belong to quadrant 1."""
    if reactive >= 0:
        return 1 if active >= 0 else 2
    return 4 if active >= 0 else 3


def measure(power: Ints, volts: Floats, frequency: float) -> PresentValues:
    """Present values of mW and mvar, shape [3, 2], at V by phase, shape [3], and mHz.

    A phase without voltage measures nothing, a meter without any no frequency.
    """
    power = power * (volts > 0)[:, None]
    with_total = np.vstack((power, power.sum(axis=0)))
    phasors = _phasors(power, volts)
    amperes = np.abs(np.append(phasors, phasors.sum()))
    angles = [_angle(*phase) for phase in power.tolist()]
    return PresentValues(
        active=_four(with_total[:, 0] / MS),
        reactive=_four(with_total[:, 1] / MS),
        apparent=_four(apparent(with_total[:, 0], with_total[:, 1]) / MS),
        current=_four(amperes * MS),
        voltage=_three(volts * MS),
        power_factor=_three(np.array([cosine for cosine, _ in angles])),
        sine=_three(np.array([sine for _, sine in angles])),
        frequency=round(frequency) if volts.any() else 0,
    )


def _phasors(power: Ints, volts: Floats) -> npt.NDArray[np.complex128]:
    """Current of each phase in A, turned to the phase's place, shape [3]."""
    turns = np.exp(-2j * np.pi * np.arange(PHASES) / PHASES)
    conjugate = power[:, 0] - 1j * power[:, 1]
    phasors: npt.NDArray[np.complex128] = conjugate / np.where(volts > 0, volts, 1.0) / MS * turns
    return phasors


def _angle(active: int, reactive: int) -> tuple[float, float]:
    """Cosine and sine of the phase angle in thousandths."""
    magnitude = (active * active + reactive * reactive) ** 0.5
    if not magnitude:
        return _IDLE
    return 1000 * active / magnitude, 1000 * reactive / magnitude


def _three(values: Floats) -> PerPhase:
    l1, l2, l3 = (round(float(value)) for value in values)
    return (l1, l2, l3)


def _four(values: Floats) -> PerPhaseAndTotal:
    return (*_three(values[:3]), round(float(values[3])))
