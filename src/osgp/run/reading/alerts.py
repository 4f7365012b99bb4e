"""Says what a meter alerts its MEP client to, once for each change.

Only MEP ports carry alerts. Flags are read when an alert has arrived, and only then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from osgp.errors import OsgpError
from osgp.ports.mep import alert_flags

if TYPE_CHECKING:
    from .device import Device

MEANINGS: Final = {
    "scheduled_read_request_alert": "scheduled data are wanted (EP39 posts them)",
    "on_demand_request": "a request waits in ET15",
    "m_bus_change": "an M-Bus device changed (EP39 clears this)",
    "delta_data_alert": "a value that ET71 watches has moved (EP39 clears this)",
}
"""By flag of ET13."""


SILENCE: Final = 5.0
"""Seconds; a meter repeats its alert every second, and one second after the last request."""


class Alerts:
    """Alerts that arrived on a port, which was opened when this was made."""

    def __init__(self) -> None:
        self.count = 0
        self._arrived = asyncio.Event()
        self._last = time.monotonic()

    @property
    def over(self) -> bool:
        """None has come for so long that there is no reason left."""
        return time.monotonic() - self._last > SILENCE

    def arrived(self) -> None:
        self.count += 1
        self._last = time.monotonic()
        self._arrived.set()

    def take(self) -> bool:
        """Whether one has arrived since this was asked last."""
        there = self._arrived.is_set()
        self._arrived.clear()
        return there

    async def wait(self, seconds: float) -> None:
        """Until one arrives, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._arrived.wait()


class AlertWatch:
    """`say` gets a line whenever other flags are set than before; one watch for many sessions."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.known: frozenset[str] = frozenset()

    async def follow(self, device: Device) -> None:
        """Reads the flags if the meter has alerted. Never raises an OsgpError."""
        if not device.alerts.take():
            if device.alerts.over:
                self.known = frozenset()
            return
        port = device.mep_port
        try:
            flags = await device.run(lambda reader: alert_flags(reader, port))
        except OsgpError as error:
            self._say(f"alert: the meter has something for its MEP client; ET13: {error}")
            return
        if flags and flags != self.known:
            self._say("alert: " + ", ".join(MEANINGS[name] for name in MEANINGS if name in flags))
        self.known = flags

    async def pause(self, device: Device, seconds: float) -> None:
        """Waits; an alert that arrives meanwhile is told at once, if nothing was told before."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        if not self.known:
            await device.alerts.wait(seconds)
            await self.follow(device)
        await asyncio.sleep(max(end - loop.time(), 0.0))


__all__ = ["MEANINGS", "AlertWatch", "Alerts"]
