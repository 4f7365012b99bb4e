"""The measuring engine: from a household's power to registers and present values.

Power is constant within a quarter-hour (in whole mW), so energy is an integer sum and the registers
at any moment are the same however often they were brought up to date before. A disturbance takes
phases out of that sum for its time: a power failure all of them, a phase loss one (ET04, phase loss
threshold: a missing phase is not measured).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final, Protocol

import msgspec
import numpy as np

from osgp.errors import DecodeError, LocalProtocolError

from .disturbances import Kind, Spell
from .grid import GridConditions
from .present import PresentValues, measure
from .registers import ENERGIES, Channel, EnergyRegisters, rates, read
from .units import MS, PHASES, QUARTER_MS, QUARTERS_PER_DAY, Floats, Ints, to_ms

_VERSION: Final = 1
_ALL: Final = (1 << PHASES) - 1
_LARGEST: Final = (
    1 << 61
) - 1  # no energy this meter can have measured; sums of two stay in an int64
_FOREVER: Final = 1e12  # s
_HIGHEST_LEVEL: Final = 3000  # 1/1000 of nominal voltage
_DAY_MS: Final = QUARTERS_PER_DAY * QUARTER_MS
_STRIDE: Final = 32 * _DAY_MS  # the most that is integrated in one block
_KEPT_DAYS: Final = 2


class PowerSource(Protocol):
    """What an engine measures; `Household` is one."""

    @property
    def connected(self) -> tuple[bool, bool, bool]:
        """Which of L1, L2, L3 the meter is wired to."""

    def mean_power(self, start_quarter: int, count: int) -> Floats:
        """Mean power of quarter-hours, shape [count, 3 phases, 2], signed W and var."""


class EngineState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What survives in non-volatile memory: `time` ms, every channel, and disturbances to come."""

    version: int
    time: int
    channels: list[int]
    spells: list[Spell]


class _Block:
    """Power of successive quarter-hours as rates and running sums of energy."""

    __slots__ = ("count", "power", "rates", "start", "sums")

    def __init__(self, start: int, power: Ints) -> None:
        self.start, self.count, self.power = start, len(power), power
        self.rates = rates(power)
        self.sums = np.zeros((self.count + 1, ENERGIES), dtype=np.int64)
        np.cumsum(self.rates * QUARTER_MS, axis=0, out=self.sums[1:])

    def covers(self, begin: int, end: int) -> bool:
        return self.start <= begin and end <= self.start + self.count * QUARTER_MS

    def without(self, phases: int) -> _Block:
        """The same with the phases of the bit mask `phases` missing."""
        return _Block(self.start, self.power * _live(phases)[None, :, None])

    def energy(self, times: Ints) -> Ints:
        """Microjoules from the block's begin to each of `times` (ms), shape [n, ENERGIES]."""
        offset = times - self.start
        index = np.minimum(offset // QUARTER_MS, self.count - 1)
        rest = offset - index * QUARTER_MS
        energy: Ints = self.sums[index] + self.rates[index] * rest[:, None]
        return energy


class MeasuringEngine:
    """One meter's measuring. Times are unix s, rounded to the millisecond, and never go back."""

    def __init__(self, household: PowerSource, grid: GridConditions, start: int) -> None:
        self._household, self._grid = household, grid
        self._time = start * MS
        self._registers = EnergyRegisters()
        self._spells: list[Spell] = []
        self._block: _Block | None = None

    @property
    def time(self) -> float:
        """Up to when the registers are integrated, unix s."""
        return self._time / MS

    @property
    def registers(self) -> EnergyRegisters:
        """The registers at `time`."""
        return self._registers

    def advance(self, to: float) -> None:
        """Integrate up to `to` (unix s). Raises `LocalProtocolError` if that is in the past."""
        time = self._not_past(to)
        while self._time < time:
            self._step(min(time, self._time + _STRIDE))

    def _step(self, time: int) -> None:
        self._registers = EnergyRegisters(self._states(np.array([time], dtype=np.int64))[0])
        self._time = time
        self._spells = [spell for spell in self._spells if to_ms(spell.end) > time]

    def snapshots(self, boundaries: Sequence[int], sources: Sequence[int]) -> Ints:
        """What registers `sources` will read at `boundaries` (unix s), shape [n, len(sources)].

        Equal to advancing to each in turn; the engine itself does not move. Raises
        `LocalProtocolError` for a boundary in the past and `UsageError` for an unknown source.
        """
        times = np.array(boundaries, dtype=np.int64) * MS
        if len(times):
            self._not_past(int(times.min()) / MS)
        return read(self._states(times), sources)

    def present(self, now: float) -> PresentValues:
        """The present values at `now` (unix s). Raises `LocalProtocolError` for the past."""
        time = self._not_past(now)
        block = self._cover(time, time + 1)
        power = block.power[(time - block.start) // QUARTER_MS]
        live = _live(self._missing(time)) * np.array(self._household.connected)
        power = power * live[:, None]
        volts = self._grid.voltages(now, power[:, 0] / MS, power[:, 1] / MS)
        return measure(power, volts * live * self._levels(time), self._grid.frequency(now))

    def power_failure(self, begin: float, end: float) -> None:
        """Measure nothing from `begin` to `end` (unix s). Raises as `undergo`."""
        self.undergo([Spell(Kind.POWER_FAILURE, 0, begin, end)])

    def undergo(self, spells: Iterable[Spell]) -> None:
        """Let disturbances happen.

        Raises `LocalProtocolError`, and takes none, if one begins in the past, does not end after
        it begins, or is a power failure while another lasts.
        """
        both = sorted([*self._spells, *(fresh := list(spells))], key=lambda spell: spell.begin)
        for spell in fresh:
            self._not_past(spell.begin)
            if to_ms(spell.end) <= to_ms(spell.begin) or not _possible(spell):
                raise LocalProtocolError(f"{spell.kind.value} without duration, or on no phase")
        dark = [spell for spell in both if spell.kind is Kind.POWER_FAILURE]
        if any(to_ms(b.begin) <= to_ms(a.end) for a, b in pairwise(dark)):
            raise LocalProtocolError("a power failure begins while another lasts")
        self._spells = both

    def save(self) -> bytes:
        """The state for non-volatile memory (a project format, version 1)."""
        channels = self._registers.state.tolist()
        return msgspec.msgpack.encode(EngineState(_VERSION, self._time, channels, self._spells))

    def restore(self, image: bytes) -> None:
        """Take up a saved state. Raises `DecodeError`, and changes nothing, if it is none."""
        state = _decode(image)
        self._time, self._spells = state.time, state.spells
        self._registers = EnergyRegisters(state.channels)

    def _not_past(self, now: float) -> int:
        time = to_ms(now)
        if time < self._time:
            raise LocalProtocolError(f"{now} s is before {self.time} s, already measured")
        return time

    def _states(self, times: Ints) -> Ints:
        """Every channel at each of `times` (ms, none past), shape [n, len(Channel)]."""
        states = np.repeat(self._registers.state[None, :], len(times), axis=0)
        if not len(times):
            return states
        block = self._cover(self._time, int(times.max()))
        now = np.array([self._time], dtype=np.int64)
        energy = block.energy(times) - block.energy(now)
        for begin, end, phases in self._gaps(int(times.max())):
            energy -= _lost(block, block.without(phases), begin, end, times)
        states[:, :ENERGIES] += energy
        self._count_outages(states, times)
        return states

    def _count_outages(self, states: Ints, times: Ints) -> None:
        """A meter learns of an outage, and of its length, when the power returns."""
        for spell in self._spells:
            if spell.kind is Kind.POWER_FAILURE:
                over = times >= to_ms(spell.end)
                states[over, Channel.POWER_OFF] += (to_ms(spell.end) - to_ms(spell.begin)) // MS
                states[over, Channel.OUTAGES] += 1

    def _cover(self, begin: int, end: int) -> _Block:
        """A block of whole UTC days that holds [`begin`, `end`] ms; a short one is kept."""
        if self._block is not None and self._block.covers(begin, end):
            return self._block
        first, last = begin // _DAY_MS, -(-end // _DAY_MS)
        days = range(first, max(last, first + 1))
        block = _Block(first * _DAY_MS, np.concatenate([self._of_day(day) for day in days]))
        if len(days) <= _KEPT_DAYS:
            self._block = block
        return block

    def _of_day(self, day: int) -> Ints:
        """The power of a UTC day in mW and mvar, shape [quarter-hours, 3, 2].

        Always asked for by whole days: vectorised floating point may round otherwise elsewhere in
        an array of another length.
        """
        power = self._household.mean_power(day * QUARTERS_PER_DAY, QUARTERS_PER_DAY)
        return np.rint(power * MS).astype(np.int64)

    def _gaps(self, until: int) -> list[tuple[int, int, int]]:
        """Disjoint (begin ms, end ms, missing phases) between now and `until`, in order."""
        lost = [spell for spell in self._spells if _mask(spell)]
        edges = {to_ms(edge) for spell in lost for edge in (spell.begin, spell.end)}
        cuts = sorted({self._time, *(edge for edge in edges if self._time < edge < until), until})
        pieces = [(a, b, self._missing(a)) for a, b in pairwise(cuts)]
        return [piece for piece in pieces if piece[2]]

    def _missing(self, time: int) -> int:
        """Bit mask of the phases without supply at `time` (ms), L1 lowest."""
        mask = 0
        for spell in self._spells:
            if _lasts(spell, time):
                mask |= _mask(spell)
        return mask

    def _levels(self, time: int) -> Floats:
        """What sags and swells leave of each phase's voltage at `time` (ms), shape [3]."""
        levels = np.ones(PHASES)
        for spell in self._spells:
            if spell.kind in (Kind.SAG, Kind.SWELL) and _lasts(spell, time):
                hit = slice(None) if spell.phase == 0 else spell.phase - 1
                levels[hit] *= spell.level / 1000
        return levels


def _lost(block: _Block, rest: _Block, begin: int, end: int, times: Ints) -> Ints:
    """Microjoules that [`begin`, `end`) ms took away by each of `times`, shape [n, ENERGIES]."""
    inside = np.clip(times, begin, end)
    since = np.array([begin], dtype=np.int64)
    whole = block.energy(inside) - block.energy(since)
    return whole - (rest.energy(inside) - rest.energy(since))


def _lasts(spell: Spell, time: int) -> bool:
    return to_ms(spell.begin) <= time < to_ms(spell.end)


def _mask(spell: Spell) -> int:
    """Bit mask of the phases that a spell cuts off."""
    if spell.kind is Kind.POWER_FAILURE:
        return _ALL
    if spell.kind is Kind.PHASE_LOSS:
        return 1 << (spell.phase - 1) if spell.phase else _ALL
    return 0


def _live(missing: int) -> Ints:
    """1 for each phase with supply, 0 for those in the bit mask, shape [3]."""
    return 1 - (missing >> np.arange(PHASES) & 1)


def _decode(image: bytes) -> EngineState:
    try:
        state = msgspec.msgpack.decode(image, type=EngineState)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DecodeError(f"no saved measuring state: {error}") from error
    _check(state)
    return state


def _possible(spell: Spell) -> bool:
    timed = 0 <= spell.begin < spell.end <= _FOREVER
    return timed and 0 <= spell.phase <= PHASES and 0 <= spell.level <= _HIGHEST_LEVEL


def _check(state: EngineState) -> None:
    sound: dict[str, Any] = {
        "version": state.version == _VERSION,
        "channels": len(state.channels) == len(Channel)
        and all(0 <= value <= _LARGEST for value in state.channels),
        "time": 0 <= state.time <= _FOREVER * MS,
        "spells": all(map(_possible, state.spells)),
    }
    for field, good in sound.items():
        if not good:
            raise DecodeError("no saved measuring state", field=field)
