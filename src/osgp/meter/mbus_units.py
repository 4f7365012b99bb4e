"""M-Bus devices behind a virtual meter: what they have counted, and the telegrams that say so.

Consumption is a steady flow with yearly and daily swings that never reverse it, so a reading
follows from the time alone (`Source.PROJECT`). Telegrams have the variable structure of EN 13757-3
(CI 72): a header of 12 bytes, then data records of DIF, VIF and value.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from osgp.errors import UsageError

EPOCH: Final = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
"""When every counter stood at its beginning."""

DAY: Final = 86_400.0
HOUR: Final = 3600.0
YEAR: Final = 365.25 * DAY
MEDIA: Final = {"gas": 3, "heat": 4, "hot water": 6, "water": 7}
"""Codes of media, as ET16 has them."""

POWER_LOW: Final = 0x04
"""Bit of the status byte."""

CLOSED, OPEN = 0, 1
VALVE: Final = bytes.fromhex("01fd1a")
"""DIF, VIF and VIFE of a byte of digital outputs (EN 13757-3). That they are a valve, and that the
same record written to the device switches it, is `Source.PROJECT`."""

_SWINGS: Final = {
    "heat": ((YEAR, 0.80), (DAY, 0.15)),
    "gas": ((YEAR, 0.75), (DAY, 0.20)),
    "hot water": ((DAY, 0.60), (DAY / 2, 0.35)),
    "water": ((YEAR, 0.10), (DAY, 0.50), (DAY / 2, 0.35)),
}
"""Period (s) and share of each swing; shares add up to less than 1."""

_SPREAD: Final = 30.0
"""K between flow and return of a heat meter."""

_WATER_HEAT: Final = 1.163
"""kWh that a cubic metre of water carries for each kelvin."""


class MBusUnit(msgspec.Struct, frozen=True):
    """One device. `yearly`: m³ a year, kWh of heat; `before`: what it had counted in 2020.

    `serial` has 8 digits, `manufacturer` 3 letters. From `power_low_from` on (unix s) its battery
    is weak, from `silent_from` on it does not answer. `valve`: it has one that can be switched.
    """

    medium: str = "water"
    serial: str = "00000000"
    manufacturer: str = "OSG"
    yearly: float = 120.0
    before: float = 0.0
    power_low_from: float | None = None
    silent_from: float | None = None
    valve: bool = False

    def __post_init__(self) -> None:
        if self.medium not in MEDIA:
            raise UsageError(f"no M-Bus medium {self.medium!r}; there are {', '.join(MEDIA)}")
        if len(self.serial) != 8 or not self.serial.isdecimal():
            raise UsageError("an M-Bus serial number has 8 digits")
        letters = self.manufacturer
        if len(letters) != 3 or not all("A" <= letter <= "Z" for letter in letters):
            raise UsageError("an M-Bus manufacturer has 3 capital letters")
        if self.yearly < 0 or self.before < 0:
            raise UsageError("an M-Bus counter does not count back")

    def answers(self, now: float) -> bool:
        return self.silent_from is None or now < self.silent_from

    def status(self, now: float) -> int:
        """The status byte of a telegram."""
        weak = self.power_low_from is not None and now >= self.power_low_from
        return POWER_LOW if weak else 0

    def counted(self, now: float) -> float:
        """m³, or kWh of heat, at true time `now`."""
        passed = now - EPOCH
        for period, share in _SWINGS[self.medium]:
            passed += share * period / math.tau * math.sin(self._angle(now, period))
        return self.before + max(self.yearly * passed / YEAR, 0.0)

    def rate(self, now: float) -> float:
        """m³, or kWh of heat, an hour."""
        swings = _SWINGS[self.medium]
        share = 1.0 + sum(part * math.cos(self._angle(now, period)) for period, part in swings)
        return self.yearly / YEAR * HOUR * share

    def _angle(self, now: float, period: float) -> float:
        """Of a swing; most is used in winter, and at a time of day of this device's own."""
        shift = 0.0 if period == YEAR else zlib.crc32(self.serial.encode()) % 1000 / 1000
        return math.tau * ((now - EPOCH) / period - shift)


def telegram(
    unit: MBusUnit, now: float, local: datetime, access: int, switched: int = OPEN
) -> bytes:
    """Header and records of the answer number `access`, from the serial number on.

    `local`: what the device's clock shows; `switched`: what its valve was told, if it has one.
    """
    records = b"".join(_records(unit, now, local, switched))
    return _header(unit, now, access) + records


def control_value(
    unit: MBusUnit, now: float, local: datetime, switched: int, headers: Sequence[bytes]
) -> int | None:
    """The first byte of the record that has one of the headers (ET57); None where there is none."""
    for record in _records(unit, now, local, switched):
        for header in (padded.rstrip(b"\0") for padded in headers):
            if header and record.startswith(header) and len(record) > len(header):
                return record[len(header)]
    return None


def switched(data: bytes) -> int | None:
    """What user data tell a valve: OPEN, CLOSED; None where they are about something else."""
    wanted = data[len(VALVE) :] if data.startswith(VALVE) else b""
    return wanted[0] if wanted in (bytes((OPEN,)), bytes((CLOSED,))) else None


def _records(unit: MBusUnit, now: float, local: datetime, switched: int) -> list[bytes]:
    valve = [VALVE + bytes((switched,))] if unit.valve else []
    return _RECORDS[unit.medium](unit, now, local) + valve


def _header(unit: MBusUnit, now: float, access: int) -> bytes:
    """EN 13757-3, 5.4 to 5.9: numbers least significant byte first; version 1, no encryption."""
    packed = 0
    for letter in unit.manufacturer:
        packed = packed * 32 + ord(letter) - 64
    described = (1, MEDIA[unit.medium], access % 256, unit.status(now))
    return (
        bytes.fromhex(unit.serial)[::-1]
        + packed.to_bytes(2, "little")
        + bytes(described)
        + bytes(2)
    )


# --- records ---------------------------------------------------------------------------------

VOLUME_LITRES, VOLUME_10_LITRES, ENERGY_KWH = 0x13, 0x14, 0x06
POWER_100_W, FLOW_LITRES, FLOW_TEMPERATURE, RETURN_TEMPERATURE = 0x2D, 0x3B, 0x5A, 0x5E
DATE, DATE_TIME = 0x6C, 0x6D
"""VIFs (EN 13757-3, table 'Primary VIF-codes')."""

_BCD_DIFS: Final = {4: 0x0A, 6: 0x0B, 8: 0x0C}
STORED: Final = 0x40
"""Bit of the DIF: storage number 1, the value at the last due date."""


def _volumes(unit: MBusUnit, now: float, local: datetime) -> list[bytes]:
    """Water and gas: volume, flow, clock, and the volume when the month began."""
    due = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    then = unit.counted(now - (local - due).total_seconds())
    return [
        _bcd(8, VOLUME_LITRES, unit.counted(now) * 1000),
        _bcd(6, FLOW_LITRES, unit.rate(now) * 1000),
        bytes((0x04, DATE_TIME)) + _minute(local) + _day(local),
        _bcd(8, VOLUME_LITRES, then * 1000, STORED),
        bytes((0x02 | STORED, DATE)) + _day(due),
    ]


def _heat(unit: MBusUnit, now: float, local: datetime) -> list[bytes]:
    """Heat: energy, volume, power, flow, both temperatures, clock."""
    energy, rate = unit.counted(now), unit.rate(now)
    carried = _WATER_HEAT * _SPREAD
    return [
        _bcd(8, ENERGY_KWH, energy),
        _bcd(8, VOLUME_10_LITRES, energy / carried * 100),
        _bcd(6, POWER_100_W, rate * 10),
        _bcd(6, FLOW_LITRES, rate / carried * 1000),
        _bcd(4, FLOW_TEMPERATURE, 650),
        _bcd(4, RETURN_TEMPERATURE, (65.0 - _SPREAD) * 10),
        bytes((0x04, DATE_TIME)) + _minute(local) + _day(local),
    ]


_RECORDS: Final[dict[str, Callable[[MBusUnit, float, datetime], list[bytes]]]] = {
    "gas": _volumes,
    "heat": _heat,
    "hot water": _volumes,
    "water": _volumes,
}


def _bcd(digits: int, vif: int, value: float, flags: int = 0) -> bytes:
    """A record of BCD digits; a counter that is full begins anew."""
    shown = f"{int(value) % 10**digits:0{digits}d}"
    return bytes((_BCD_DIFS[digits] | flags, vif)) + bytes.fromhex(shown)[::-1]


def _minute(moment: datetime) -> bytes:
    """The first half of type F (date and time)."""
    return bytes((moment.minute, moment.hour))


def _day(moment: datetime) -> bytes:
    """Type G (date), and the second half of type F."""
    year = moment.year % 100
    return bytes((moment.day | (year & 7) << 5, moment.month | (year >> 3) << 4))


__all__ = ["MEDIA", "POWER_LOW", "MBusUnit", "control_value", "switched", "telegram"]
