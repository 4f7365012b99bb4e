"""Source ids: which quantity a register, load profile channel or display item holds.

Tiers count from 0. Ids 112 to 163 stand for the entries of ET66, whose values are extended ids.
Source: MEP guide, table BT22 'Source IDs' (names as printed), BT23 and BT28 (default orders).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from .codes import Codes
from .units import in_base

MAPPED: Final = range(112, 164)
"""Ids that ET66 maps to extended ones: 112 + its entry."""

TIERS: Final = 4
"""Tiers that have ids of their own."""


class Quantity(msgspec.Struct, frozen=True):
    """What a source id names. Unit as in `units`; '' where there is none or it depends."""

    number: int
    name: str
    unit: str = ""

    def scaled(self, stored: int) -> tuple[float, str]:
        """A stored value in its base unit: mV as V, thousandths as 1."""
        return in_base(stored, self.unit)


class ExtendedSource(msgspec.Struct, frozen=True):
    """An extended source id of an M-Bus device: its index in ET13, its data type in ET57."""

    device: int
    data_type: int

    @property
    def number(self) -> int:
        return M_BUS << 12 | self.device << 8 | self.data_type

    def __str__(self) -> str:
        return f"M-Bus device {self.device}, data type {self.data_type}"


M_BUS: Final = 4
"""Kind of extended source ids (bits 12 to 15) that name M-Bus data."""

_QUADRANTS = (1, 2, 3, 4)
_PHASES = ("L1", "L2", "L3")
_TOTAL_FIRST = ("L1L2L3", *_PHASES)


def _numbered(first: int, unit: str, *names: str) -> Iterator[Quantity]:
    for number, name in enumerate(names, first):
        yield Quantity(number, name, unit)


def _per_phase(first: int, unit: str, *names: str) -> Iterator[Quantity]:
    """For each name, three ids; `{}` is the phase."""
    return _numbered(first, unit, *(name.format(phase) for name in names for phase in _PHASES))


def _per_quadrant(first: int, unit: str, name: str) -> Iterator[Quantity]:
    return _numbered(first, unit, *(name.format(quadrant) for quadrant in _QUADRANTS))


def _accumulators(first: int, prefix: str, duration: str, unit: str) -> Iterator[Quantity]:
    """Eight energies and counters, over all tiers or of one."""
    reactive = "Varh" if not prefix else "VArh"
    yield from _numbered(
        first, "Wh", f"{prefix}Fwd Active Wh L1L2L3", f"{prefix}Rev Active Wh L1L2L3"
    )
    yield from _numbered(
        first + 2,
        "varh",
        f"{prefix}Import Reactive {reactive} L1L2L3",
        f"{prefix}Export Reactive {reactive} L1L2L3",
    )
    yield Quantity(first + 4, f"{prefix}{duration}", unit)
    yield Quantity(first + 5, f"{prefix}Power Outage Qty", "1")
    yield from _numbered(
        first + 6, "Wh", f"{prefix}Fwd+Rev Active Wh L1L2L3", f"{prefix}Fwd-Rev Active Wh L1L2L3"
    )


def _counters(first: int, prefix: str) -> Iterator[Quantity]:
    yield from _numbered(
        first, "pulses", f"{prefix}Channel 0 Pulse Input", f"{prefix}Channel 1 Pulse Input"
    )
    yield Quantity(first + 2, f"{prefix}Error Counter", "1")


def _all() -> Iterator[Quantity]:
    yield from _accumulators(0, "", "Power Off Seconds", "s")
    yield from _present(8)
    yield from _counters(26, "")
    for tier in range(TIERS):
        first = 29 + 11 * tier
        yield from _accumulators(first, f"T{tier} ", "Power Off Minutes", "min")
        yield from _counters(first + 8, f"T{tier} ")
    for device in range(4):
        for counter in range(2):
            name = f"MEP Dev {device + 1} Counter {counter + 1}"
            yield Quantity(73 + 2 * device + counter, name)
    yield from _power_pair(81, "Post CT/VT Ratio")
    yield from _numbered(85, "", "Unused", "Unused", "Unused")
    yield from _numbered(88, "", *(f"Present Dmd {n + 1}" for n in range(8)))
    yield from _numbered(96, "", *(f"Previous Dmd {n + 1}" for n in range(8)))
    yield from _per_quadrant(104, "var", "Q{} Reactive VAr L1L2L3")
    yield from _per_quadrant(108, "varh", "Q{} Reactive VArh L1L2L3")
    yield from _numbered(MAPPED[0], "", *(f"Mapped Source {n}" for n in range(len(MAPPED))))
    yield from _extremes()
    yield from _per_phase(185, "W", "Fwd Active W {}", "Rev Active W {}")
    yield from _per_phase(191, "W", "Fwd Active W {} Post CT/VT Ratio")
    yield from _per_phase(194, "W", "Rev Active W {} Post CT/VT Ratio")
    yield from _per_phase(197, "mA", "RMS Current {} Post CT/VT Ratio")
    yield Quantity(200, "Reserved For Internal Use")
    yield Quantity(201, "Current Load Profile Interval Time Adjustment")
    yield from _averages()
    yield from _apparent_powers()
    yield from _latest()


def _present(first: int) -> Iterator[Quantity]:
    """The eighteen oldest instantaneous values."""
    yield from _numbered(first, "W", "Fwd Active W L1L2L3", "Rev Active W L1L2L3")
    yield from _numbered(
        first + 2, "var", "Import Reactive Var L1L2L3", "Export Reactive Var L1L2L3"
    )
    yield from _per_phase(first + 4, "mA", "RMS Current {}")
    yield from _per_phase(first + 7, "mV", "RMS Voltage {}")
    yield Quantity(first + 10, "Power Factor L1", "PF")
    yield Quantity(first + 11, "Frequency", "mHz")
    yield Quantity(first + 12, "VA Power L1L2L3", "VA")
    yield from _numbered(first + 13, "PF", "Power Factor L2", "Power Factor L3")
    yield from _per_phase(first + 15, "1/1000", "Sin phase angle ({})")


def _power_pair(first: int, suffix: str) -> Iterator[Quantity]:
    yield from _numbered(
        first, "W", f"Fwd Active W L1L2L3 {suffix}", f"Rev Active W L1L2L3 {suffix}"
    )
    yield from _numbered(
        first + 2, "var", f"Import VAR L1L2L3 {suffix}", f"Export VAR L1L2L3 {suffix}"
    )


def _extremes() -> Iterator[Quantity]:
    yield from _per_phase(164, "mV", "Min Voltage {}", "Max Voltage {}")
    yield Quantity(170, "Max Active Fwd Power L1L2L3", "W")
    yield Quantity(171, "Max Active Rev Power L1L2L3", "W")
    yield from _per_quadrant(172, "var", "Max Reactive Power Q{}")
    yield Quantity(176, "Time Stamp Previous Source")
    for first, direction in ((177, "forward"), (178, "reverse")):
        yield Quantity(first, f"Max {direction} active power L1L2L3 Post CT/VT Ratio", "W")
    yield from _per_phase(179, "W", "Max forward active power {} Post CT/VT Ratio")
    yield from _per_phase(182, "W", "Max reverse active power {} Post CT/VT Ratio")


def _averages() -> Iterator[Quantity]:
    yield from _per_phase(202, "mV", "Continuous RMS Voltage {}", "Average RMS Voltage {}")
    yield from _numbered(208, "W", "Average Fwd Active W L1L2L3", "Average Rev Active W L1L2L3")
    yield from _per_phase(210, "W", "Average Fwd Active W {}", "Average Rev Active W {}")


def _apparent_powers() -> Iterator[Quantity]:
    for row, phase in enumerate(_TOTAL_FIRST):
        yield from _per_quadrant(216 + 4 * row, "VA", f"Apparent Power Q{{}} VA {phase}")
    yield Quantity(232, "Neutral Current mA", "mA")
    yield from _per_phase(233, "mA", "Average RMS Current mA {}")


def _latest() -> Iterator[Quantity]:
    yield from _numbered(
        236, "1/100 degree", "Voltage Angle A to B", "Voltage Angle B to C", "Voltage Angle C to A"
    )
    for first, direction in ((239, "Imp"), (242, "Exp")):
        yield from _numbered(
            first, "var", *(f"{direction} Reactive VAr {phase}" for phase in "ABC")
        )


SOURCES: Final[dict[int, Quantity]] = {quantity.number: quantity for quantity in _all()}
"""Every source id, 0 to 244."""

SOURCE_NAMES: Final[Codes] = {number: quantity.name for number, quantity in SOURCES.items()}


def _run(first: int, last: int) -> tuple[Quantity, ...]:
    return tuple(SOURCES[number] for number in range(first, last + 1))


APPARENT_ENERGIES: Final = tuple(_per_quadrant(216, "VAh", "Apparent Energy VAh Q{}"))
"""Summations 15 to 18 of BT23. No source id is printed for them: those of the apparent powers
stand for their energies in BT22's summations, which is this project's choice."""

SUMMATIONS: Final = (*_run(0, 7), *_run(26, 28), *_run(108, 111), *APPARENT_ENERGIES)
"""Summations of BT23 in default order: 11 of them, 15 with quadrants, 19 from firmware 4.0."""

PRESENT_VALUES: Final = (
    *_run(8, 25),
    *_run(81, 84),
    *_run(104, 107),
    *_run(185, 199),
    *_run(202, 244),
)
"""Present values of BT28 in default order; older firmware has the first 18, 22, 26, 41 or 55."""


def quantity(number: int) -> Quantity:
    """What a source id names; an unknown one keeps its number."""
    return SOURCES.get(number, Quantity(number, f"Source {number}"))


def extended_source(number: int) -> Quantity | ExtendedSource:
    """What an extended id (ET42, ET66) names: M-Bus data, or what a plain id does."""
    if number >> 12 == M_BUS:
        return ExtendedSource(number >> 8 & 0x0F, number & 0x1F)
    return quantity(number)
