"""From what was read to named values, each with its unit and what it means to a home system."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Final

import msgspec

from osgp.run.reading.mbus import MBusDevice
from osgp.run.reading.survey import Reading, Survey
from osgp.run.reading.telegram import Value

from .config import slug

MEASURED, COUNTED, BALANCED = "measurement", "total_increasing", "total"
KILO: Final = 1000.0
FORWARD, REVERSE = 8, 9
"""Source ids of active power over all phases; their difference is the net power."""

NET: Final = "net_power"
DIFFERENCE: Final = 7
"""Source id of the register that counts energy forward minus reverse: it goes back too."""


class Kind(msgspec.Struct, frozen=True):
    """How values of a unit are shown: the shown unit, what to divide by, Home Assistant's classes.

    Device classes and their units: developers.home-assistant.io, 'Sensor entity'.
    """

    unit: str | None
    device_class: str | None
    state_class: str | None
    divisor: float = 1.0


_ENERGIES: Final = {
    "Wh": Kind("kWh", "energy", COUNTED, KILO),
    "varh": Kind("kvarh", None, COUNTED, KILO),
    "VAh": Kind("kVAh", None, COUNTED, KILO),
    "pulses": Kind("pulses", None, COUNTED),
    "s": Kind("s", "duration", COUNTED),
    "1": Kind(None, None, COUNTED),
}
_PRESENT: Final = {
    "W": Kind("W", "power", MEASURED),
    "var": Kind("var", "reactive_power", MEASURED),
    "VA": Kind("VA", "apparent_power", MEASURED),
    "V": Kind("V", "voltage", MEASURED),
    "A": Kind("A", "current", MEASURED),
    "Hz": Kind("Hz", "frequency", MEASURED),
    "1": Kind(None, "power_factor", MEASURED),
    "degree": Kind("°", None, MEASURED),
}
_M_BUS: Final = {
    ("Wh", "energy"): Kind("kWh", "energy", COUNTED, KILO),
    ("J", "energy"): Kind("MJ", "energy", COUNTED, KILO * KILO),
    ("W", "power"): Kind("W", "power", MEASURED),
    ("m³/h", "volume flow"): Kind("m³/h", "volume_flow_rate", MEASURED),
}
_VOLUMES: Final = {"water": "water", "hot water": "water", "cold water": "water", "gas": "gas"}
_PLAIN: Final = Kind(None, None, None)


class Behind(msgspec.Struct, frozen=True):
    """A device behind the meter, which home systems show as a device of its own."""

    slot: int
    medium: str
    serial: str
    manufacturer: str


class Sensor(msgspec.Struct, frozen=True):
    """A named value: `key` in topics, `name` for people, `place` and `obis` for those who ask.

    `behind`: the device behind the meter that it belongs to; None for the meter itself.
    """

    key: str
    name: str
    kind: Kind
    place: str = ""
    obis: str | None = None
    behind: Behind | None = None


class Measured(msgspec.Struct, frozen=True):
    """A sensor and what it shows, in its unit. `at`: when (s), where that is not just now."""

    sensor: Sensor
    value: float | str
    at: float | None = None

    @property
    def number(self) -> float | None:
        return None if isinstance(self.value, str) else self.value


def measured(survey: Survey) -> Iterator[Measured]:
    """Everything in a survey, in order."""
    for reading in survey.energies:
        yield _of(reading, _ENERGIES)
    for reading in survey.present:
        yield _of(reading, _PRESENT)
    yield from _net(survey)
    yield from _state(survey)


def measured_mbus(device: MBusDevice) -> Iterator[Measured]:
    """The present values (storage 0) of an M-Bus device that are numbers, and what ails it.

    Its counter has the OBIS code 0-b:24.2.1 (DLMS UA Blue Book, 'M-Bus'; b counts devices from 1).
    """
    who = device.medium or "device"
    behind = Behind(device.slot, who, device.serial, device.manufacturer)
    place = f"ET16.devices[{device.slot}]"
    code: str | None = f"0-{device.slot + 1}:24.2.1"
    read_at = device.read_at
    at = None if read_at is None else read_at.replace(tzinfo=UTC).timestamp()
    seen: set[str] = set()
    for value in device.values:
        key = _mbus_key(behind, value.quantity)
        if value.storage or isinstance(value.value, str) or key in seen:
            continue
        seen.add(key)
        kind = _m_bus_kind(device.medium, value)
        counts = kind.state_class == COUNTED
        name = value.quantity.capitalize()
        sensor = Sensor(key, name, kind, place, code if counts else None, behind)
        code = None if counts else code
        yield Measured(sensor, _divided(value.value, kind.divisor), at)
    sensor = Sensor(_mbus_key(behind, "alarms"), "Alarms", _PLAIN, place, None, behind)
    yield Measured(sensor, ", ".join(device.remarks) or "none")


def _mbus_key(behind: Behind, quantity: str) -> str:
    return slug(f"mbus {behind.slot + 1} {behind.medium} {quantity}")


def _of(reading: Reading, kinds: dict[str, Kind]) -> Measured:
    tier = "" if reading.tier is None else f"T{reading.tier + 1} "
    kind = kinds.get(reading.unit, _PLAIN)
    if reading.source == DIFFERENCE:
        kind = msgspec.structs.replace(kind, state_class=BALANCED)
    name = tier + reading.name
    sensor = Sensor(key_of(name), name, kind, reading.place, reading.obis)
    return Measured(sensor, _divided(reading.value, kind.divisor))


def key_of(name: str) -> str:
    """`Fwd+Rev Active Wh` and `Fwd-Rev Active Wh` are two quantities."""
    return slug(name.replace("+", " plus ").replace("-", " minus "))


def _net(survey: Survey) -> Iterator[Measured]:
    """Active power with a sign: what is drawn counts positive, what is fed in negative."""
    powers = {reading.source: reading for reading in survey.present}
    if FORWARD in powers and REVERSE in powers:
        forward, reverse = powers[FORWARD], powers[REVERSE]
        place = f"{forward.place} - {reverse.place}"
        sensor = Sensor(NET, "Net active power", _PRESENT["W"], place, "1-0:16.7.0")
        yield Measured(sensor, forward.value - reverse.value)


def _state(survey: Survey) -> Iterator[Measured]:
    state = survey.state
    if state.tier is not None:
        yield Measured(Sensor("tariff", "Tariff", _PLAIN, "BT55", "0-0:96.14.0"), state.tier + 1)
    if state.behind is not None:
        kind = Kind("s", "duration", MEASURED)
        yield Measured(Sensor("clock_lag", "Clock lag", kind, "BT52"), round(state.behind))
    if state.contactor:
        sensor = Sensor("contactor", "Contactor", _PLAIN, "ET23", "0-0:96.3.10")
        yield Measured(sensor, state.contactor)
    yield Measured(Sensor("alarms", "Alarms", _PLAIN, "BT03"), ", ".join(state.alarms) or "none")


def _m_bus_kind(medium: str, value: Value) -> Kind:
    if value.unit == "m³":
        return Kind("m³", _VOLUMES.get(medium, "volume"), COUNTED)
    if value.unit == "°C":
        return Kind("°C", "temperature", MEASURED)
    return _M_BUS.get((value.unit, value.quantity), Kind(value.unit or None, None, None))


def _divided(value: float, divisor: float) -> float:
    return value if divisor == 1 else round(value / divisor, 6)


__all__ = [
    "BALANCED",
    "COUNTED",
    "MEASURED",
    "Behind",
    "Kind",
    "Measured",
    "Sensor",
    "measured",
    "measured_mbus",
]
