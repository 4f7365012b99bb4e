"""What is not believed, and why.

A value is withheld, alone and with the reason, where it is beyond its limits; a counter where it
goes back or grows faster than the limit of power allows. A counter that jumped (the meter was
exchanged, a register rolled over) is believed again after some readings that agree with each other.
A whole reading is withheld where the meter's clock stands still: the data behind it is old.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final

import msgspec

from .config import Limits
from .sensors import COUNTED, Measured

STANDING: Final = 0.5
"""Seconds of the meter's clock for each second that passed; below that it stands still."""

CLOCK_PATIENCE: Final = 10.0
"""Seconds between readings below which a clock that shows seconds tells nothing."""

SLACK: Final = 0.1
"""kWh that a counter may grow at once: registers and clocks are read at different moments."""

SECONDS_AN_HOUR: Final = 3600.0
WATTS: Final = 1000.0


class _Believed(msgspec.Struct):
    """The last value believed, when (s), and what was withheld since."""

    value: float
    time: float
    doubted: list[tuple[float, float]] = []


class Plausibility:
    """Judges one meter's values; remembers what it believed."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._believed: dict[str, _Believed] = {}
        self._clock: tuple[float, float] | None = None

    def clock(self, reads: datetime | None, now: float) -> str | None:
        """Why a whole reading is old; None where it is not, or nothing can be said.

        `now`: true time, s.
        """
        if reads is None:
            return None
        shown, before = reads.timestamp(), self._clock
        if before is None:
            self._clock = shown, now
            return None
        passed, moved = now - before[1], shown - before[0]
        if passed < CLOCK_PATIENCE:
            return None
        if 0 <= moved < STANDING * passed:
            return f"the meter's clock stands still: {moved:.0f} s in {passed:.0f} s"
        self._clock = shown, now
        return None

    def judge(self, one: Measured, now: float) -> str | None:
        """Why a value is withheld; None where it is believed.

        Counters of devices behind the meter grow between their reads, not between those of the
        meter.
        """
        value = one.number
        if value is None:
            return None
        reason = self._beyond(one, value)
        if reason is None and one.sensor.kind.state_class == COUNTED:
            return self._counted(one, value, now if one.at is None else one.at)
        return reason

    def _beyond(self, one: Measured, value: float) -> str | None:
        if not math.isfinite(value):
            return f"{value} is no number"
        limits, kind = self._limits, one.sensor.kind
        low, high = {
            "power": (-limits.power, limits.power),
            "reactive_power": (-limits.power, limits.power),
            "apparent_power": (0.0, limits.power),
            "voltage": (0.0, limits.voltage),
            "current": (0.0, limits.current),
            "power_factor": (-1.001, 1.001),
        }.get(kind.device_class or "", (float("-inf"), float("inf")))
        if kind.device_class == "frequency" and value:
            low, high = limits.frequency
        if low <= value <= high:
            return None
        return f"{value:g} {kind.unit or ''} is not between {low:g} and {high:g}".replace("  ", " ")

    def _counted(self, one: Measured, value: float, now: float) -> str | None:
        known = self._believed.get(one.sensor.key)
        if known is None:
            self._believed[one.sensor.key] = _Believed(value, now)
            return None
        reason = self._jumped(one, known.value, value, now - known.time)
        if reason is None or self._confirmed(one, known, value, now):
            self._believed[one.sensor.key] = _Believed(value, now)
            return None
        return reason

    def _confirmed(self, one: Measured, known: _Believed, value: float, now: float) -> bool:
        """Whether enough readings in a row agree on where the counter is now."""
        doubted = known.doubted
        if doubted and self._jumped(one, doubted[-1][0], value, now - doubted[-1][1]) is not None:
            doubted.clear()
        doubted.append((value, now))
        return len(doubted) >= self._limits.confirmations

    def _jumped(self, one: Measured, before: float, value: float, passed: float) -> str | None:
        unit = one.sensor.kind.unit or ""
        if value < before:
            return f"counts back from {before:g} to {value:g} {unit}".rstrip()
        if one.sensor.kind.device_class != "energy" or unit != "kWh":
            return None
        most = self._limits.power / WATTS * max(passed, 0.0) / SECONDS_AN_HOUR + SLACK
        if value - before > most:
            return f"grows by {value - before:g} kWh in {passed:.0f} s, {most:.3g} are possible"
        return None
