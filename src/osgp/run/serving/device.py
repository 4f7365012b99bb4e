"""A virtual meter as its ports see it: tables under the loop's time, durable before an answer."""

from __future__ import annotations

import random
from typing import Any

from osgp.lon import OutFrame
from osgp.meter import MemoryNvm, Nvm, VirtualMeter
from osgp.meter.mep import MepClients

from .clock import WallClock
from .profiles import ServedProfile


class ServedMeter:
    """Tables for local ports (`osgp.session.Tables`), frames for the power line.

    `now` is the loop's time everywhere. What a write changed is durable before its answer leaves.
    """

    def __init__(self, profile: ServedProfile, clock: WallClock, nvm: Nvm | None = None) -> None:
        began = clock.now()
        self.clock = clock
        self.meter = VirtualMeter(
            profile.meter,
            MemoryNvm() if nvm is None else nvm,
            random.SystemRandom(),
            began - profile.history,
        )
        self.meter.handle_timer(began)

    @property
    def clients(self) -> MepClients | None:
        """Its MEP clients, if it has ports for them."""
        return self.meter.parts.mep

    def life(self, now: float) -> int | None:
        """A number that changes whenever the meter starts anew; None while it has no supply."""
        self.meter.handle_timer(self.clock.unix(now))
        return self.restarts() if self.meter.powered else None

    def restarts(self) -> int:
        """How often the meter has started."""
        return self.meter.parts.restarts

    def back_at(self) -> float | None:
        """Unix time at which the supply is back; None while there is one."""
        return None if self.meter.powered else self.meter.parts.metering.power_returns

    def interface(self) -> int:
        """A number that changes with the IDT version."""
        return self.meter.parts.firmware.state.switches

    def read(self, table: int, offset: int, count: int | None, key: str, now: float) -> bytes:
        self.meter.handle_timer(self.clock.unix(now))
        return self.meter.tables.read(table, offset, count, key, self.clock.unix(now))

    def write(self, table: int, offset: int | None, data: bytes, key: str, now: float) -> None:
        self.meter.handle_timer(self.clock.unix(now))
        self.meter.tables.write(table, offset, data, key, self.clock.unix(now))
        self._keep()

    def image(self, table: int, now: float) -> bytes:
        """A table's bytes, whoever asks."""
        return self.meter.tables.image(table, self.clock.unix(now))[:]

    def sample(self, now: float) -> None:
        """What the meter does once a second for its MEP clients."""
        self.meter.handle_timer(self.clock.unix(now))
        if self.clients is not None:
            self.clients.sample(self.clock.unix(now))
            self._keep()

    def _keep(self) -> None:
        self.meter.nvm.commit()
        self.meter.nvm.sync()

    def receive_frame(self, frame: bytes, now: float) -> None:
        self.meter.receive_frame(frame, self.clock.unix(now))

    def frames_to_send(self, now: float) -> list[OutFrame]:
        return self.meter.frames_to_send(self.clock.unix(now))

    def next_timer(self) -> float:
        return self.clock.loop(self.meter.next_timer())

    def handle_timer(self, now: float) -> None:
        self.meter.handle_timer(self.clock.unix(now))

    def next_event(self) -> Any:
        """A meter reports nothing."""
        return None
