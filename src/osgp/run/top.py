"""`osgp top`: a meter as it is now, as a picture in the terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import Final, Literal

import msgspec
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from osgp.run.reading.survey import Meter, Reading, State, Surveyor
from osgp.session import Exchange
from osgp.session.reader import DeviceReader

PHASES: Final = ("L1", "L2", "L3")
FORWARD, REVERSE = "Fwd Active W", "Rev Active W"
VOLTAGE, CURRENT, FACTOR = "RMS Voltage", "RMS Current", "Power Factor"
TOTAL: Final = "L1L2L3"
KEPT: Final = 120
"""Powers that the line of the last readings shows."""

WIDEST: Final = 100
BAR: Final = 24
BESIDE_BAR: Final = 44
"""Columns that the numbers of a phase and the frame take."""

FRAME: Final = 4
LEAST_SCALE: Final = 1000.0
"""W: bars are not drawn for less than this at full width."""

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"


class Glance(msgspec.Struct, frozen=True):
    """What one look brought."""

    taken: datetime
    meter: Meter
    state: State
    present: tuple[Reading, ...]

    def value(self, name: str, place: str) -> float | None:
        """A present value by name and phase; None where the meter has none."""
        wanted = f"{name} {place}"
        found = (reading.value for reading in self.present if reading.name == wanted)
        return next(found, None)

    def power(self, place: str = TOTAL) -> float | None:
        """Active power, W: positive what is drawn, negative what is fed in."""
        forward, reverse = self.value(FORWARD, place), self.value(REVERSE, place)
        return None if forward is None else forward - (reverse or 0.0)


def glance(reader: DeviceReader, meter: Meter | None, now: datetime) -> Exchange[Glance]:
    """Reads what the view shows; who the meter is only once."""
    surveyor = Surveyor(reader)
    known = meter if meter is not None else (yield from surveyor.meter())
    state = yield from surveyor.state(now)
    present = yield from surveyor.present()
    return Glance(now, known, state, present)


class View:
    """The picture; remembers the powers it has shown."""

    def __init__(self) -> None:
        self._powers: deque[float] = deque(maxlen=KEPT)
        self._last: Glance | None = None
        self._trouble = ""
        self.remark = ""

    @property
    def meter(self) -> Meter | None:
        return None if self._last is None else self._last.meter

    def show(self, seen: Glance) -> None:
        self._last, self._trouble = seen, ""
        power = seen.power()
        if power is not None:
            self._powers.append(power)

    def remarked(self, line: str) -> None:
        """What stands below the picture; nothing for an empty line."""
        self.remark = line

    def trouble(self, reason: str) -> None:
        """The last look failed; what was seen before stays, marked as old."""
        self._trouble = reason

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.picture(options.max_width)

    def picture(self, columns: int) -> RenderableType:
        """The picture for a terminal of so many columns."""
        if self._last is None:
            return Text(self._trouble or "logging on …", "yellow" if self._trouble else "dim")
        width = min(columns, WIDEST)
        style = "dim" if self._trouble else ""
        parts = list(self._parts(self._last, width))
        title = " ".join(filter(None, (self._last.meter.manufacturer, self._last.meter.model)))
        number = self._last.meter.utility_number or self._last.meter.serial
        return Panel(Group(*parts), title=f"{title} {number}".strip(), style=style, width=width)

    def _parts(self, seen: Glance, width: int) -> Iterator[RenderableType]:
        power = seen.power()
        if power is not None:
            direction = "drawn" if power >= 0 else "fed in"
            colour = "bold cyan" if power >= 0 else "bold green"
            yield Text.assemble((f"{abs(power):,.0f} W ", colour), direction)
            yield Text(sparkline(self._powers, width - FRAME), "cyan")
        yield self._phases(seen, max(width - BESIDE_BAR, 0))
        yield self._facts(seen)
        if self.remark:
            yield Text(self.remark, "yellow")
        if self._trouble:
            yield Text(f"{seen.taken.astimezone():%H:%M:%S} and not since: {self._trouble}", "red")

    def _phases(self, seen: Glance, width: int) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for heading in ("", "W", "", "V", "A", "cos φ"):
            justify: Literal["left", "right"] = "right" if heading else "left"
            table.add_column(heading, justify=justify, no_wrap=True)
        known = [abs(seen.power(phase) or 0.0) for phase in PHASES]
        scale = max(LEAST_SCALE, *known)
        for phase in PHASES:
            power = seen.power(phase)
            voltage = seen.value(VOLTAGE, phase)
            if not power and not voltage:
                continue
            drawn = Text(
                bar((power or 0.0) / scale, width), "green" if (power or 0) < 0 else "cyan"
            )
            cells = (voltage, seen.value(CURRENT, phase), seen.value(FACTOR, phase))
            digits = (1, 2, 2)
            table.add_row(
                phase,
                "" if power is None else f"{power:,.0f}",
                drawn,
                *("" if v is None else f"{v:.{n}f}" for v, n in zip(cells, digits, strict=True)),
            )
        return table

    def _facts(self, seen: Glance) -> Table:
        state = seen.state
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        frequency = next((r.value for r in seen.present if r.unit == "Hz"), None)
        rows = (
            ("tariff", "" if state.tier is None else f"T{state.tier + 1}"),
            ("contactor", state.contactor),
            ("signal", state.signal),
            ("frequency", f"{frequency:.2f} Hz" if frequency else ""),
            ("clock", state.local),
            ("alarms", ", ".join(state.alarms) or "none"),
        )
        for name, text in rows:
            if text:
                table.add_row(Text(name, "dim"), Text(text))
        return table


def bar(share: float, width: int = BAR) -> str:
    """A bar of eighths; `share` of the full width, whatever its sign."""
    eighths = round(min(abs(share), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def sparkline(values: deque[float], width: int = 60) -> str:
    """The newest values as blocks between the least and the most of them."""
    shown = list(values)[-width:]
    if not shown:
        return ""
    low, high = min(*shown, 0.0), max(*shown, 1.0)
    steps = len(_BLOCKS) - 1
    return "".join(_BLOCKS[round((value - low) / (high - low) * steps)] for value in shown)
