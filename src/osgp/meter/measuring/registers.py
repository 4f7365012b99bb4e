"""Energy registers: exact accumulators, and which of them each OSGP source number reads.

Four-quadrant metering after IEC 62053-23: P > 0 is forward (consumed), Q > 0 is imported (inductive
while consuming). Quadrants count against the clock from P > 0, Q > 0: Q1 (+P +Q), Q2 (-P +Q),
Q3 (-P -Q), Q4 (+P -Q). Totals are those of the sum of the phases, as on a Ferraris meter; where an
OSGP meter differs no public source says, so this is `Source.PROJECT`.

Source numbers: OSGP Alliance MEP Client Developer's Guide v1.1, table BT22, "Source IDs". Apparent
energy has no number of its own there: BT23 summations 15 to 18 are taken to be named by the numbers
of the apparent powers they sum (216 to 219), `Source.PROJECT`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np

from osgp.errors import UsageError

from .units import PHASES, UNIT_HOUR, Floats, Ints


class Channel(IntEnum):
    """One accumulator. Energies are in microjoules (nothing else is exact), then two counters."""

    FORWARD = 0
    REVERSE = 1
    REACTIVE_Q1 = 2
    REACTIVE_Q2 = 3
    REACTIVE_Q3 = 4
    REACTIVE_Q4 = 5
    APPARENT_Q1 = 6
    APPARENT_Q2 = 7
    APPARENT_Q3 = 8
    APPARENT_Q4 = 9
    FORWARD_L1 = 10
    FORWARD_L2 = 11
    FORWARD_L3 = 12
    REVERSE_L1 = 13
    REVERSE_L2 = 14
    REVERSE_L3 = 15
    POWER_OFF = 16
    """Seconds, each outage rounded down as in ET09."""
    OUTAGES = 17


ENERGIES: Final = Channel.POWER_OFF
"""How many channels, from the first, accumulate energy."""


class Register(msgspec.Struct, frozen=True):
    """A readable register: the sum of `adds` minus that of `subtracts`, never below 0."""

    name: str
    unit: str
    adds: tuple[Channel, ...]
    subtracts: tuple[Channel, ...] = ()


_C = Channel
SOURCES: Final[dict[int, Register]] = {
    0: Register("Fwd Active L1L2L3", "Wh", (_C.FORWARD,)),
    1: Register("Rev Active L1L2L3", "Wh", (_C.REVERSE,)),
    2: Register("Import Reactive L1L2L3", "varh", (_C.REACTIVE_Q1, _C.REACTIVE_Q2)),
    3: Register("Export Reactive L1L2L3", "varh", (_C.REACTIVE_Q3, _C.REACTIVE_Q4)),
    4: Register("Power Off Seconds", "s", (_C.POWER_OFF,)),
    5: Register("Power Outage Qty", "1", (_C.OUTAGES,)),
    6: Register("Fwd+Rev Active L1L2L3", "Wh", (_C.FORWARD, _C.REVERSE)),
    # clamped at 0: BT23, fields 6 and 7
    7: Register("Fwd-Rev Active L1L2L3", "Wh", (_C.FORWARD,), (_C.REVERSE,)),
    108: Register("Q1 Reactive L1L2L3", "varh", (_C.REACTIVE_Q1,)),
    109: Register("Q2 Reactive L1L2L3", "varh", (_C.REACTIVE_Q2,)),
    110: Register("Q3 Reactive L1L2L3", "varh", (_C.REACTIVE_Q3,)),
    111: Register("Q4 Reactive L1L2L3", "varh", (_C.REACTIVE_Q4,)),
    216: Register("Apparent Q1 L1L2L3", "VAh", (_C.APPARENT_Q1,)),
    217: Register("Apparent Q2 L1L2L3", "VAh", (_C.APPARENT_Q2,)),
    218: Register("Apparent Q3 L1L2L3", "VAh", (_C.APPARENT_Q3,)),
    219: Register("Apparent Q4 L1L2L3", "VAh", (_C.APPARENT_Q4,)),
}


def rates(power: Ints) -> Ints:
    """Microjoules per millisecond of every energy channel, shape [n, ENERGIES].

    `power` is mW and mvar, shape [n, 3 phases, 2].
    """
    active, reactive = power[:, :, 0], power[:, :, 1]
    p, q = active.sum(axis=1), reactive.sum(axis=1)
    quadrants = _quadrants(p, q)
    out = np.zeros((len(power), ENERGIES), dtype=np.int64)
    out[:, Channel.FORWARD] = np.maximum(p, 0)
    out[:, Channel.REVERSE] = np.maximum(-p, 0)
    out[:, Channel.REACTIVE_Q1 : Channel.APPARENT_Q1] = quadrants * np.abs(q)[:, None]
    out[:, Channel.APPARENT_Q1 : Channel.FORWARD_L1] = quadrants * apparent(p, q)[:, None]
    out[:, Channel.FORWARD_L1 : Channel.REVERSE_L1] = np.maximum(active, 0)
    out[:, Channel.REVERSE_L1 : Channel.POWER_OFF] = np.maximum(-active, 0)
    return out


def apparent(active: Ints, reactive: Ints) -> Ints:
    """Apparent power in the unit of its arguments, rounded to the nearest."""
    squares: Floats = active.astype(np.float64) ** 2 + reactive.astype(np.float64) ** 2
    return np.rint(np.sqrt(squares)).astype(np.int64)


def _quadrants(p: Ints, q: Ints) -> Ints:
    """1 in the column of the quadrant that (p, q) lies in, shape [n, 4]; the axes belong to Q1."""
    column = np.where(q >= 0, np.where(p >= 0, 0, 1), np.where(p >= 0, 3, 2))
    chosen: Ints = (column[:, None] == np.arange(4)).astype(np.int64)
    return chosen


def read(states: Ints, sources: Sequence[int]) -> Ints:
    """Whole units (Wh, varh, VAh, s, 1) of `sources`, shape [n, len(sources)], rounded down.

    `states` is [n, len(Channel)]. Raises `UsageError` for a source that is no register.
    """
    weights, scales = _matrix(tuple(sources))
    whole: Ints = np.maximum(states @ weights.T, 0) // scales
    return whole


@lru_cache(maxsize=256)
def _matrix(sources: tuple[int, ...]) -> tuple[Ints, Ints]:
    """What `sources` add up, shape [len(sources), len(Channel)], and their scales."""
    weights = np.array([_weights(source) for source in sources], dtype=np.int64)
    scales = np.array([_scale(source) for source in sources], dtype=np.int64)
    return weights.reshape(len(sources), len(Channel)), scales


def _weights(source: int) -> list[int]:
    register = _register(source)
    return [(c in register.adds) - (c in register.subtracts) for c in Channel]


def _scale(source: int) -> int:
    return UNIT_HOUR if _register(source).adds[0] < ENERGIES else 1


def _register(source: int) -> Register:
    register = SOURCES.get(source)
    if register is None:
        raise UsageError(f"source {source} is no energy register")
    return register


class EnergyRegisters:
    """The accumulators of one meter at one moment. Not changed once made."""

    __slots__ = ("_state",)

    def __init__(self, state: Sequence[int] | Ints | None = None) -> None:
        zero: Sequence[int] = [0] * len(Channel)
        self._state: Ints = np.array(zero if state is None else state, dtype=np.int64)
        self._state.setflags(write=False)

    @property
    def state(self) -> Ints:
        """Every channel in its own unit, shape [len(Channel)], read-only."""
        return self._state

    def plus(self, energy: Ints, power_off: int = 0, outages: int = 0) -> EnergyRegisters:
        """These registers after `energy` (microjoules, [ENERGIES]) and outages of so many s."""
        return EnergyRegisters(self._state + np.concatenate((energy, [power_off, outages])))

    def value(self, source: int) -> int:
        """One register in whole units. Raises `UsageError` for a source that is no register."""
        return self.values([source])[0]

    def values(self, sources: Sequence[int]) -> list[int]:
        """The same for several sources."""
        return [int(value) for value in read(self._state[None, :], sources)[0]]

    def exact(self, channel: Channel) -> int:
        """One channel in its own unit (microjoules, or s, or 1)."""
        return int(self._state[channel])

    def phase(self, number: int) -> tuple[int, int]:
        """Forward and reverse Wh of phase 1, 2 or 3 (BT22 has no source number for them)."""
        if not 1 <= number <= PHASES:
            raise UsageError(f"no phase L{number}")
        forward = self._state[Channel.FORWARD_L1 + number - 1]
        reverse = self._state[Channel.REVERSE_L1 + number - 1]
        return int(forward // UNIT_HOUR), int(reverse // UNIT_HOUR)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EnergyRegisters):
            return NotImplemented
        return bool(np.array_equal(self._state, other._state))

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        pairs = zip(Channel, self._state.tolist(), strict=True)
        return f"EnergyRegisters({', '.join(f'{c.name}={v}' for c, v in pairs)})"
