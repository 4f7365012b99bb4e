"""Codes, events, sources and units."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osgp.spec import codes, events, services
from osgp.spec.dimensions import data_sets_in
from osgp.spec.source import Source
from osgp.spec.source_ids import (
    PRESENT_VALUES,
    SOURCES,
    SUMMATIONS,
    ExtendedSource,
    extended_source,
    quantity,
)
from osgp.spec.units import UNITS, in_base

SWITCHED = "load disconnect changed state"
GUIDES = Path(__file__).parents[2] / "vectors" / "guides"


def guide(name: str) -> dict[str, Any]:
    return dict(json.loads((GUIDES / f"{name}.json").read_text()))


@given(st.integers(0, 15), st.lists(st.integers(0, 15), max_size=16).map(tuple))
def test_extended_status(common: int, channels: tuple[int, ...]) -> None:
    packed = codes.extended_status(common, channels)
    assert len(packed) == len(channels) // 2 + 1
    assert codes.channel_statuses(packed, len(channels)) == (common, channels)


def test_nibbles_run_from_high_to_low() -> None:
    assert codes.channel_statuses(b"\x21\x43", 3) == (2, (1, 4, 3))


def test_channel_statuses_are_those_of_the_guide() -> None:
    said = {row["code"]: row["precedence"] for row in guide("extended_status")["channel"]}
    assert said == codes.CHANNEL_STATUS_PRECEDENCE
    assert set(said) == set(codes.CHANNEL_STATUS)


@pytest.mark.parametrize(
    ("number", "argument", "text"),
    [
        (1, b"", "power down"),
        (2, b"\x03\x00", "power up: power failure"),
        (2, b"\x63\x00", "power up: code 99"),
        (27, b"\x02\x00", "tier switched: tier 2"),
        (28, b"\x17\x10", "pending table activated: table 4119"),
        (66, b"\x01\x05", f"{SWITCHED}: closed, by EP23"),
        (66, b"\x52\x02", f"{SWITCHED}: open, failed, was internal, by maximum power"),
        (68, b"\x05\x00", "phase loss: L1, L3"),
        (81, b"\x04\x20", "M-Bus alarm: device 1, read failed"),
        (91, b"\x41\x00", "power quality event: sag L1, overcurrent L1"),
        (96, b"\x05\x80", "MEP device status: device 4, registered"),
        (98, b"\x81\x03", "voltage sag: L2 224 V"),
        (3999, b"\x01\x00", "event 3999"),
    ],
)  # fmt: skip
def test_events_in_words(number: int, argument: bytes, text: str) -> None:
    assert str(events.occurrence(number, argument)) == text


@given(st.integers(0, 4095), st.binary(max_size=4))
def test_no_event_breaks_the_log(number: int, argument: bytes) -> None:
    assert str(events.occurrence(number, argument))


def test_alarms_are_those_of_the_guide() -> None:
    rows = [r for r in guide("bt03")["rows"] if r.get("group") == "Manufacturer Alarms"]
    assert len(rows) == len(events.MANUFACTURER_ALARMS)
    for row in rows:
        bit = 8 * (int(row["offset"]) - 4) + row["bits"][0]
        assert bit in events.MANUFACTURER_ALARMS
        assert (bit in events.ALARMS_SINCE) == (row["since"] is not None)


def test_alarms_log_events() -> None:
    assert events.alarm_event(0) == 64
    assert events.alarm_event(27) == 91
    assert events.alarm_event(32) is None
    assert events.EVENT_NAMES[64] == events.MANUFACTURER_ALARMS[0]


def test_source_ids_are_those_of_the_guide() -> None:
    corrected = {182, 219, 223, 227, 231}
    for row in guide("source_ids")["sources"]:
        if row["id"] is not None and row["id"] not in corrected:
            assert SOURCES[row["id"]].name.lower() == row["name"].lower()
        if row.get("unit") and row["unit"] not in ("1/1000", "minutes"):
            assert SOURCES[row["id"]].unit == row["unit"]
    assert set(SOURCES) == set(range(245))


def test_default_orders_have_the_units_of_the_guide() -> None:
    assert len(SUMMATIONS) == 19
    assert len(PRESENT_VALUES) == 84
    for name, order in (("bt23", SUMMATIONS), ("bt28", PRESENT_VALUES)):
        for row in guide(name)["rows"]:
            if "element" in row and row.get("unit") not in (None, "1/1000"):
                assert order[row["element"]].unit == row["unit"], row["name"]


def test_sources_by_number() -> None:
    assert quantity(15).name == "RMS Voltage L1"
    assert quantity(250).name == "Source 250"
    assert extended_source(0x4101) == ExtendedSource(device=1, data_type=1)
    assert extended_source(0x4101) == extended_source(ExtendedSource(1, 1).number)
    assert str(extended_source(0x4305)) == "M-Bus device 3, data type 5"
    assert extended_source(19) == quantity(19)


def test_values_in_base_units() -> None:
    assert quantity(15).scaled(230_250) == (230.25, "V")
    assert quantity(18).scaled(-995) == (-0.995, "1")
    assert in_base(5, "furlong") == (5, "furlong")
    assert {q.unit for q in (*SOURCES.values(), *SUMMATIONS)} <= {*UNITS, ""}


def test_data_sets_of_an_image() -> None:
    assert [data_sets_in(bytes(size)) for size in (0, 7, 13, 31)] == [0, 0, 1, 4]


def test_sources_name_their_documents() -> None:
    assert all(source.document for source in Source)


def test_response_codes_have_their_errors() -> None:
    from osgp.errors import ServiceError

    for code in services.ResponseCode:
        if code is not services.ResponseCode.OK:
            assert type(ServiceError.from_code(code)) is not ServiceError
