"""When a meter is read, and what becomes of failures.

A session lasts as long as one reading. Between two sessions the port is free for at least the idle
window, and in quiet hours all the time: a utility's own session must find it so. After failures the
pauses grow, up to `LONGEST_PAUSE`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from osgp.errors import DecodeError, OsgpError, ServiceError, StoreError, UsageError
from osgp.run.reading.alerts import AlertWatch
from osgp.run.reading.device import Access, Device, open_device
from osgp.run.reading.keyfiles import key_for
from osgp.run.reading.mbus import MBusDevice, read_mbus
from osgp.run.reading.survey import Survey, survey
from osgp.security.keys import Purpose

from .config import MeterSection
from .plausible import Plausibility
from .sample import Sample, sample_of

LONGEST_PAUSE: Final = 900.0
HELD_BACK: Final = 1.3
"""Seconds after a request in which a meter sends no alert, and a little more."""

LONGEST_SESSION: Final = 120.0
"""Seconds after which a session is broken off: a meter may talk for ever."""

MINUTE: Final = 60.0

log = structlog.get_logger()


class Status:
    """How reading a meter goes; for metrics and pages."""

    def __init__(self) -> None:
        self.readings = self.failures = self.withheld = self.in_a_row = 0
        self.last: Sample | None = None
        self.last_error = ""

    def age(self, now: float) -> float | None:
        """Seconds since the last good reading."""
        return None if self.last is None else now - self.last.taken.timestamp()


class Poller:
    """Reads one meter again and again. `publish` gets every sample that is believed.

    `clock`: true time, s. Relative paths of the configuration begin at `directory`.
    """

    def __init__(
        self,
        section: MeterSection,
        publish: Callable[[MeterSection, Sample], None],
        *,
        directory: Path,
        cache: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.section, self.status = section, Status()
        self._publish, self._clock = publish, clock
        self._judge = Plausibility(section.limits)
        self._access = access_of(section, directory, cache)
        self._mbus: list[MBusDevice] = []
        self._alerts = AlertWatch(self._alerted)
        self._visits = 0

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            begun = asyncio.get_running_loop().time()
            if not self.is_quiet():
                await self.once()
            spent = asyncio.get_running_loop().time() - begun
            await asyncio.sleep(self.pause(spent))

    async def once(self) -> Sample | None:
        """One reading; None where it failed or is not believed. Never raises an OsgpError."""
        try:
            async with asyncio.timeout(LONGEST_SESSION):
                sample = await self._read()
        except (OsgpError, TimeoutError) as error:
            self._failed(str(error) or "the session took too long", getattr(error, "hint", ""))
            return None
        if sample.old:
            self._failed(sample.old, "")
            return None
        try:
            self._succeeded(sample)
        except StoreError as error:
            self._failed(str(error), "the reading is lost")
            return None
        return sample

    def is_fresh(self) -> bool:
        """Whether what was read last still holds."""
        age = self.status.age(self._clock())
        return age is not None and age <= self.section.expires

    def is_quiet(self) -> bool:
        """Whether the port is to be left alone now."""
        moment = datetime.fromtimestamp(self._clock()).astimezone().time()
        return any(span.has(moment) for span in self.section.quiet)

    def pause(self, spent: float) -> float:
        """Seconds until the next session, `spent` after this one began."""
        if self.is_quiet():
            return MINUTE
        period = self.section.interval * float(2 ** min(self.status.in_a_row, 6))
        longest = max(LONGEST_PAUSE, self.section.interval)
        return max(min(period, longest) - spent, self.section.idle)

    async def _read(self) -> Sample:
        async with open_device(self._access) as device:
            found = await device.run(survey)
            self._check_serial(found)
            await self._read_mbus(device)
            await self._listen(device)
        return self._sample(found)

    async def _listen(self, device: Device) -> None:
        """Stays on a MEP port for as long as the meter holds an alert back after a request."""
        if self.section.mep is not None:
            await device.alerts.wait(HELD_BACK)
            await self._alerts.follow(device)

    def _alerted(self, line: str) -> None:
        log.warning(line, meter=self.section.id)

    def _check_serial(self, found: Survey) -> None:
        wanted, serial = self.section.serial, found.meter.serial
        if wanted is not None and serial.lstrip("0") != wanted.lstrip("0"):
            error = UsageError(f"another meter answers: serial number {serial or 'unknown'}")
            error.hint = f"{wanted} is wanted"
            raise error

    async def _read_mbus(self, device: Device) -> None:
        every = self.section.mbus_every
        due = every and self._visits % every == 0
        self._visits += 1
        if due:
            try:
                self._mbus = await device.run(read_mbus)
            except UsageError:
                self._mbus = []
            except (ServiceError, DecodeError) as error:
                self._mbus = []
                log.warning("M-Bus not read", meter=self.section.id, reason=str(error))

    def _sample(self, found: Survey) -> Sample:
        return sample_of(found, self._mbus, self._judge, self._clock())

    def _succeeded(self, sample: Sample) -> None:
        status = self.status
        status.readings += 1
        status.withheld += len(sample.withheld)
        status.in_a_row, status.last, status.last_error = 0, sample, ""
        for key, reason in sample.withheld.items():
            log.warning("withheld", meter=self.section.id, value=key, reason=reason)
        self._publish(self.section, sample)

    def _failed(self, reason: str, hint: str) -> None:
        self.status.failures += 1
        self.status.in_a_row += 1
        self.status.last_error = f"{reason} ({hint})" if hint else reason
        log.warning("not read", meter=self.section.id, reason=self.status.last_error)


def access_of(section: MeterSection, directory: Path, cache: Path | None = None) -> Access:
    """How to reach a meter. Raises UsageError for a key file that holds none."""
    key = None
    if section.key_file is not None:
        purpose = Purpose.OPTICAL if section.optical else Purpose.MEP
        key = key_for(purpose, directory / section.key_file)
    return Access(
        optical=section.optical,
        mep=section.mep,
        key=key,
        tls=section.tls,
        encrypt=section.encrypt,
        speed=section.speed,
        cache=cache,
    )
