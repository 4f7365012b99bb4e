"""What is seen while a neighbourhood runs: simulated time, and how far its devices are."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bars

from osgp.concentrator.happenings import (
    Broadcasted,
    Commissioned,
    Discovered,
    Failed,
    Notice,
    Upgraded,
    Visited,
)

from .up import Run

FAST_CHUNK = 300.0
"""Simulated seconds between two looks at the screen when nothing holds time back."""

LOOK_EVERY = 0.5
"""Real seconds between two looks when time is paced."""


FIRMWARE = "new firmware"


class Progress:
    """A bar for time and for each stage of a meter, or nothing (`quiet`). With `speed` simulated
    time is held to that pace."""

    def __init__(
        self, run: Run, console: Console, *, quiet: bool = False, speed: float | None = None
    ) -> None:
        self._run, self._quiet, self._speed = run, quiet, speed
        self.chunk = FAST_CHUNK if speed is None else speed * LOOK_EVERY
        self._bars = Bars(
            TextColumn("{task.description:14}"),
            BarColumn(bar_width=40),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[remark]}", style="dim"),
            console=console,
            disable=quiet,
        )
        self._sets: dict[str, set[bytes]] = {"found": set(), "commissioned": set(), "read": set()}
        self._failures = self._said = 0
        self._begun = (time.monotonic(), run.world.now)

    def __enter__(self) -> Self:
        window = self._run.window
        hours = (window.end - window.begin) / 3600
        self._clock = self._bars.add_task("simulated h", total=round(hours), remark="")
        self._tasks = {
            name: self._bars.add_task(name, total=window.meters, remark="") for name in self._sets
        }
        if self._run.world.concentrator.campaign is not None:
            self._sets[FIRMWARE] = set()
            self._tasks[FIRMWARE] = self._bars.add_task(FIRMWARE, total=self._run.able, remark="")
        self._seed_from_store()
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def notice(self, event: Notice) -> None:
        match event:
            case Discovered(neuron_id=neuron_id):
                self._count("found", neuron_id)
            case Commissioned(neuron_id=neuron_id):
                self._count("commissioned", neuron_id)
            case Visited(neuron_id=neuron_id):
                self._count("read", neuron_id)
            case Broadcasted():
                self._said += 1
                self._remark_firmware(f"{self._said} packets said to all")
            case Upgraded(neuron_id=neuron_id, reason=""):
                self._count(FIRMWARE, neuron_id)
            case Failed():
                self._failures += 1

    def tick(self, now: float) -> None:
        """Called between chunks of simulated time."""
        hours = (now - self._run.window.begin) / 3600
        counts = self._run.world.medium.counts
        remark = f"{counts.airtime:,.0f} s of airtime, {self._failures} failed visits"
        self._bars.update(self._clock, completed=int(hours), remark=remark)
        if self._speed is not None:
            wall, simulated = self._begun
            ahead = (now - simulated) / self._speed - (time.monotonic() - wall)
            time.sleep(max(0.0, ahead))

    def _seed_from_store(self) -> None:
        for neuron_id, known in self._run.world.concentrator.devices.items():
            self._count("found", neuron_id)
            if known.commissioned:
                self._count("commissioned", neuron_id)

    def _remark_firmware(self, remark: str) -> None:
        if FIRMWARE in self._tasks:
            self._bars.update(self._tasks[FIRMWARE], remark=remark)

    def _count(self, name: str, neuron_id: bytes) -> None:
        self._sets[name].add(neuron_id)
        self._bars.update(self._tasks[name], completed=len(self._sets[name]))
