"""Home Assistant's MQTT discovery: what makes a meter appear there with all its sensors.

Topics and keys: home-assistant.io, 'MQTT' (discovery payload, device, availability) and 'MQTT
Sensor'. Every message is retained, so that Home Assistant finds it after its own restart too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from osgp import __version__
from osgp.run.reading.survey import Meter

from .config import MeterSection, MqttSection
from .sensors import Behind, Sensor

ONLINE, OFFLINE = "online", "offline"
PROJECT: Final = "osgp"
_PRECISION: Final = {"kWh": 3, "V": 1, "A": 2, "Hz": 2, "W": 0, "var": 0, "VA": 0}
_DIAGNOSTIC: Final = frozenset({"clock_lag", "alarms"})


class Topics(msgspec.Struct, frozen=True):
    """Topics of one meter."""

    base: str
    meter: str

    @staticmethod
    def of(mqtt: MqttSection, meter: MeterSection) -> Topics:
        return Topics(mqtt.topic, meter.id)

    @property
    def state(self) -> str:
        return f"{self.base}/{self.meter}/state"

    @property
    def registers(self) -> str:
        return f"{self.base}/{self.meter}/registers"

    @property
    def availability(self) -> str:
        return f"{self.base}/{self.meter}/availability"

    @property
    def bridge(self) -> str:
        return f"{self.base}/bridge/availability"


class Message(msgspec.Struct, frozen=True):
    """A topic and what goes there."""

    topic: str
    payload: bytes


def discovery(
    mqtt: MqttSection, section: MeterSection, meter: Meter, sensors: list[Sensor]
) -> Iterator[Message]:
    """The configuration message of every sensor."""
    topics = Topics.of(mqtt, section)
    node = f"{PROJECT}_{section.id}"
    device = _device(section, meter)
    for sensor in sensors:
        owner = device if sensor.behind is None else _device_behind(section, device, sensor.behind)
        payload = _sensor(topics, section, sensor) | {"device": owner}
        topic = f"{mqtt.discovery}/sensor/{node}/{sensor.key}/config"
        yield Message(topic, msgspec.json.encode(payload))


def _device(section: MeterSection, meter: Meter) -> dict[str, Any]:
    known = {
        "identifiers": [f"{PROJECT}_{meter.serial or section.id}"],
        "name": section.name,
        "manufacturer": meter.manufacturer,
        "model": meter.model,
        "serial_number": meter.serial,
        "sw_version": meter.firmware,
        "hw_version": meter.hardware,
    }
    return {name: value for name, value in known.items() if value}


def _device_behind(section: MeterSection, meter: dict[str, Any], behind: Behind) -> dict[str, Any]:
    """A water or heat meter; it is reached through the electricity meter."""
    known = {
        "identifiers": [f"{PROJECT}_mbus_{behind.serial or f'{section.id}_{behind.slot + 1}'}"],
        "name": f"{section.name} {behind.medium}",
        "manufacturer": behind.manufacturer,
        "serial_number": behind.serial,
        "via_device": meter["identifiers"][0],
    }
    return {name: value for name, value in known.items() if value}


def _sensor(topics: Topics, section: MeterSection, sensor: Sensor) -> dict[str, Any]:
    kind = sensor.kind
    payload = {
        "name": sensor.name,
        "unique_id": f"{PROJECT}_{section.id}_{sensor.key}",
        "default_entity_id": f"sensor.{section.id}_{sensor.key}",
        "state_topic": topics.state,
        "value_template": f"{{{{ value_json['values']['{sensor.key}'] | default(none) }}}}",
        "unit_of_measurement": kind.unit,
        "device_class": kind.device_class,
        "state_class": kind.state_class,
        "suggested_display_precision": _PRECISION.get(kind.unit or ""),
        "entity_category": "diagnostic" if _is_diagnostic(sensor) else None,
        "expire_after": int(section.expires),
        "availability": [{"topic": topics.bridge}, {"topic": topics.availability}],
        "availability_mode": "all",
        "origin": {"name": PROJECT, "sw_version": __version__},
    }
    return {name: value for name, value in payload.items() if value is not None}


def _is_diagnostic(sensor: Sensor) -> bool:
    return sensor.key in _DIAGNOSTIC or sensor.key.endswith("_alarms")


def registers(sensors: list[Sensor]) -> bytes:
    """What each value is: name, unit, place in the tables, OBIS code."""
    rows = {
        sensor.key: {
            "name": sensor.name,
            "unit": sensor.kind.unit,
            "place": sensor.place,
            "obis": sensor.obis,
        }
        for sensor in sensors
    }
    return msgspec.json.encode(rows)
