"""What a reading becomes for home systems: names, units, classes, discovery messages."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from osgp.run.bridge.config import MeterSection, MqttSection
from osgp.run.bridge.discovery import Message, discovery, registers
from osgp.run.bridge.plausible import Plausibility
from osgp.run.bridge.sample import Sample, sample_of, worth_showing
from osgp.run.bridge.sensors import Measured, measured, measured_mbus
from osgp.run.reading.mbus import MBusDevice
from osgp.run.reading.survey import Meter, Reading, State, Survey, survey
from osgp.run.reading.telegram import Value
from tests.unit.reading.bench import run, served, virtual

SECTION = MeterSection(name="Main meter", optical="/dev/ttyUSB0")
MQTT = MqttSection()
NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)


def survey_of(*present: Reading, energies: tuple[Reading, ...] = (), tier: int = 0) -> Survey:
    return Survey(NOW, Meter(serial="7"), State(tier=tier), energies, present)


def power(source: int, name: str, value: float) -> Reading:
    return Reading(f"BT28.values[{source - 8}]", source, name, value, "W", None)


def energy(source: int, name: str, value: float, tier: int | None = None) -> Reading:
    return Reading(f"BT23.summations[{source}]", source, name, value, "Wh", None, tier)


def by_key(found: Survey) -> dict[str, Measured]:
    return {one.sensor.key: one for one in measured(found)}


def real() -> Survey:
    async def work() -> Survey:
        async with served(virtual(2.0)) as bench:
            found: Survey = await bench.ask(survey)
            return found

    return run(work)


@pytest.fixture(scope="module")
def found() -> Survey:
    return real()


def test_keys_are_unique(found: Survey) -> None:
    keys = [one.sensor.key for one in measured(found)]
    assert len(keys) == len(set(keys)) > 50


def test_net_power_has_a_sign() -> None:
    drawn = survey_of(power(8, "Fwd Active W", 500), power(9, "Rev Active W", 0))
    fed_in = survey_of(power(8, "Fwd Active W", 0), power(9, "Rev Active W", 1200))
    assert by_key(drawn)["net_power"].value == 500
    assert by_key(fed_in)["net_power"].value == -1200
    assert "net_power" not in by_key(survey_of(power(8, "Fwd Active W", 500)))


def test_energies_count_in_kilowatt_hours() -> None:
    (one,) = [
        one
        for one in measured(survey_of(energies=(energy(0, "Fwd Active Wh L1L2L3", 1234567),)))
        if one.sensor.key == "fwd_active_wh_l1l2l3"
    ]
    kind = one.sensor.kind
    assert one.value == 1234.567
    assert (kind.unit, kind.device_class, kind.state_class) == ("kWh", "energy", "total_increasing")


def test_the_difference_of_energies_may_fall() -> None:
    found = by_key(survey_of(energies=(energy(7, "Fwd-Rev Active Wh L1L2L3", 5),)))
    assert found["fwd_minus_rev_active_wh_l1l2l3"].sensor.kind.state_class == "total"


def test_tariffs_count_from_one() -> None:
    found = by_key(survey_of(energies=(energy(0, "Fwd Active Wh L1L2L3", 5, tier=0),), tier=2))
    assert "t1_fwd_active_wh_l1l2l3" in found
    assert found["tariff"].value == 3


@pytest.mark.parametrize(
    ("medium", "value", "device_class", "shown"),
    [
        ("water", Value("volume", 12.565, "m³"), "water", 12.565),
        ("gas", Value("volume", 3.5, "m³"), "gas", 3.5),
        ("heat", Value("energy", 5_000_000.0, "Wh"), "energy", 5000.0),
        ("heat", Value("flow temperature", 61.5, "°C"), "temperature", 61.5),
        ("other", Value("on time", 7.0, "h"), None, 7.0),
    ],
)
def test_mbus_values(medium: str, value: Value, device_class: str | None, shown: float) -> None:
    device = MBusDevice(1, "M-Bus up", medium=medium, values=(value,))
    one, alarms = measured_mbus(device)
    assert alarms.value == "none"
    assert one.sensor.kind.device_class == device_class
    assert one.value == shown
    assert one.sensor.key.startswith("mbus_2_")


def test_stored_mbus_values_are_not_present_ones() -> None:
    values = (Value("volume", 1.0, "m³"), Value("volume", 2.0, "m³", 1), Value("id", "text"))
    found = list(measured_mbus(MBusDevice(0, "M-Bus up", values=values)))
    assert [one.sensor.key for one in found] == ["mbus_1_device_volume", "mbus_1_device_alarms"]


def test_a_silent_mbus_device_s_values_are_withheld(found: Survey) -> None:
    volume = (Value("volume", 1.0, "m³"),)
    silent = MBusDevice(0, "M-Bus down", medium="water", values=volume, remarks=("failed",))
    sample = sample_of(found, [silent], Plausibility(SECTION.limits), NOW.timestamp())
    values = msgspec.json.decode(sample.body)["values"]
    assert "mbus_1_water_volume" not in values
    assert values["mbus_1_water_alarms"] == "failed"
    assert "does not answer" in sample.withheld["mbus_1_water_volume"]


def test_zeros_are_not_introduced_but_published(found: Survey) -> None:
    sample = sampled(found)
    shown = {sensor.key for sensor in worth_showing(sample.values)}
    everything = msgspec.json.decode(sample.body)["values"]
    assert shown < set(everything)
    assert "net_power" in shown


def test_values_have_obis_names_beside(found: Survey) -> None:
    body = msgspec.json.decode(sampled(found).body)
    assert body["obis"]["1-0:1.8.0"] == body["values"]["fwd_active_wh_l1l2l3"]
    rows = msgspec.json.decode(registers([one.sensor for one in measured(found)]))
    assert rows["fwd_active_wh_l1l2l3"]["place"].startswith("BT23.")


def sampled(found: Survey) -> Sample:
    return sample_of(found, [], Plausibility(SECTION.limits), NOW.timestamp())


# --- discovery --------------------------------------------------------------------------------


UNITS: dict[str, set[str | None]] = {
    "apparent_power": {"VA", "kVA"},
    "current": {"A", "mA"},
    "duration": {"d", "h", "min", "s", "ms"},
    "energy": {"Wh", "kWh", "MWh", "J", "kJ", "MJ", "GJ"},
    "frequency": {"Hz", "kHz"},
    "gas": {"m³", "ft³"},
    "power": {"W", "kW"},
    "power_factor": {None, "%"},
    "reactive_power": {"var", "kvar"},
    "temperature": {"°C", "K"},
    "voltage": {"V", "mV"},
    "volume": {"m³", "L"},
    "volume_flow_rate": {"m³/h"},
    "water": {"m³", "L"},
}
"""Home Assistant's sensor device classes and the units they take
(developers.home-assistant.io, 'Sensor entity', table 'Available device classes')."""

COUNTING = {"total", "total_increasing"}
STATES = {kind: {"measurement"} for kind in UNITS} | {
    "duration": {"measurement", *COUNTING},
    "energy": COUNTING,
    "gas": COUNTING,
    "volume": COUNTING,
    "water": COUNTING,
}
"""State classes that each device class takes (the same page)."""

ALLOWED = {
    "name",
    "unique_id",
    "default_entity_id",
    "state_topic",
    "value_template",
    "unit_of_measurement",
    "device_class",
    "state_class",
    "suggested_display_precision",
    "entity_category",
    "expire_after",
    "availability",
    "availability_mode",
    "origin",
    "device",
}
DEVICE = {
    "identifiers",
    "name",
    "manufacturer",
    "model",
    "serial_number",
    "sw_version",
    "hw_version",
    "via_device",
}
TEMPLATE = re.compile(r"\{\{ value_json\['values'\]\['([a-z0-9_]+)'\] \| default\(none\) \}\}")


def check(message: Message) -> dict[str, Any]:
    """A discovery message as Home Assistant's schema of MQTT sensors wants it."""
    payload: dict[str, Any] = msgspec.json.decode(message.payload)
    topic = re.fullmatch(
        r"homeassistant/sensor/([a-zA-Z0-9_-]+)/([a-zA-Z0-9_-]+)/config", message.topic
    )
    assert topic is not None, message.topic
    assert set(payload) <= ALLOWED, set(payload) - ALLOWED
    assert {"state_topic", "unique_id", "device", "name"} <= set(payload)
    device = payload["device"]
    assert set(device) <= DEVICE
    assert device["identifiers"]
    assert all(isinstance(device[name], str) for name in DEVICE & set(device) - {"identifiers"})
    kind, unit = payload.get("device_class"), payload.get("unit_of_measurement")
    if kind is not None:
        assert unit in UNITS[kind], (kind, unit)
    state = payload.get("state_class")
    assert state in {None, "measurement", "total", "total_increasing"}
    if kind is not None:
        assert state in STATES[kind], (kind, state)
    if state is not None:
        assert "entity_category" not in payload or payload["entity_category"] == "diagnostic"
    if payload.get("suggested_display_precision") is not None:
        assert state is not None
    assert re.fullmatch(r"sensor\.[a-z0-9_]+", payload["default_entity_id"])
    assert isinstance(payload["expire_after"], int)
    assert payload["expire_after"] > 0
    assert payload["availability_mode"] in {"all", "any", "latest"}
    assert all(set(one) == {"topic"} for one in payload["availability"])
    assert payload.get("entity_category") in {None, "diagnostic"}
    assert payload["origin"]["name"]
    match = TEMPLATE.fullmatch(payload["value_template"])
    assert match is not None
    assert match[1] == topic[2]
    return payload


def test_every_discovery_message_is_valid(found: Survey) -> None:
    sensors = [one.sensor for one in measured(found)]
    volume = (Value("volume", 1.0, "m³"),)
    water = MBusDevice(0, "M-Bus up", serial="12345678", medium="water", values=volume)
    sensors += [one.sensor for one in measured_mbus(water)]
    payloads = [check(message) for message in discovery(MQTT, SECTION, found.meter, sensors)]
    assert len(payloads) == len(sensors)
    assert len({payload["unique_id"] for payload in payloads}) == len(payloads)
    owners = {tuple(payload["device"]["identifiers"]): payload["device"] for payload in payloads}
    assert set(owners) == {("osgp_20260105",), ("osgp_mbus_12345678",)}
    assert owners[("osgp_mbus_12345678",)]["via_device"] == "osgp_20260105"


def test_the_template_finds_its_value(found: Survey) -> None:
    sample = sampled(found)
    values = msgspec.json.decode(sample.body)["values"]
    for message in discovery(MQTT, SECTION, found.meter, worth_showing(sample.values)):
        match = TEMPLATE.fullmatch(msgspec.json.decode(message.payload)["value_template"])
        assert match is not None
        assert match[1] in values
