"""Values as people write and read them."""

from __future__ import annotations

from typing import Any

import pytest

from osgp.errors import DimensionError, EncodeError, PathError, UsageError
from osgp.export.assign import assembled, parsed
from osgp.export.explain import explain, quantity_text
from osgp.export.lookup import MissingDimensions, bound, dims_of, find
from osgp.export.plain import plain, record_of
from osgp.export.quantities import quantity_at, source_at
from osgp.spec import procedures, tables
from osgp.spec.declare import UnknownDeclaration
from osgp.wire import Dims, Layout, LTimeDate, Record, bind, bits, bitset, nested, octets, text
from osgp.wire.fields import array, int32, uint8, uint16
from osgp.wire.record import Field


class Part(Record):
    a = uint8()
    b = uint8()


class Sample(Record):
    voltage = int32("level", unit="mV")
    share = uint16("share", unit="%", scale=0.1)
    mode = bits(0, 2, "mode", enum={0: "off", 1: "slow start", 2: "on"})
    name = text(4)
    raw = octets(2)
    time = nested(LTimeDate)
    days = bitset(1, enum={0: "Sunday", 1: "Monday"})
    parts = array(nested(Part), 2)
    values = array(uint16(), 3)


SAMPLE: Layout[Any] = bind(Sample, Dims())


def sample(**values: str) -> dict[str, Any]:
    return plain(assembled(SAMPLE, {}, values.items()))


@pytest.mark.parametrize(
    ("name", "typed", "stored"),
    [
        ("voltage", "230000", 230_000),
        ("voltage", "230.5 V", 230_500),
        ("voltage", "-5mV", -5),
        ("voltage", "0x10", 16),
        ("share", "12.5", 125),
        ("share", "12 %", 120),
        ("mode", "slow start", 1),
        ("mode", "ON", 2),
        ("mode", "7", 7),
        ("name", "abcd", "abcd"),
        ("raw", "AB CD", "abcd"),
        ("time", "2026-01-05T12:30:00", "2026-01-05T12:30:00"),
        ("days", "Sunday, 3", [0, 3]),
        ("days", "none", []),
        ("values", "1,2,0x3", [1, 2, 3]),
        ("parts", '[{"b": 2}, {}]', [{"a": 0, "b": 2}, {"a": 0, "b": 0}]),
    ],
)
def test_values_as_they_are_typed(name: str, typed: str, stored: Any) -> None:
    found = sample(**{name: typed})[name]
    if name == "parts":
        found = [{"a": part.get("a") or 0, "b": part.get("b") or 0} for part in found]
    assert found == stored


@pytest.mark.parametrize(
    ("name", "typed", "reason"),
    [
        ("voltage", "230 A", "A does not go with mV"),
        ("voltage", "much", "no value of it"),
        ("voltage", "0.0001", "between two values"),
        ("mode", "medium", "no value of it"),
        ("raw", "xy", "hex digits"),
        ("time", "yesterday", "is no LTimeDate"),
        ("time", "1999-12-31T00:00:00", "is no LTimeDate"),
        ("parts", "1", "written as JSON|an object"),
        ("values", '{"a": 1}', "a list"),
        ("values", "[", "no JSON"),
        ("nonsense", "1", "no field nonsense"),
    ],
)
def test_values_that_do_not_fit_are_refused(name: str, typed: str, reason: str) -> None:
    with pytest.raises((EncodeError, PathError), match=reason):
        sample(**{name: typed})


def test_texts_are_padded_and_set_by_element() -> None:
    record = assembled(SAMPLE, {"values": [7]}, [("name", "ab"), ("parts[1].b", "9")])
    assert SAMPLE.encode(record)[7:11] == b"ab  "
    assert record.parts[1].b == 9  # type: ignore[attr-defined]  # as declared
    assert record.values == (7, 0, 0)  # type: ignore[attr-defined]  # as declared


def test_unused_bits_survive() -> None:
    record = SAMPLE.decode(bytes([0, 0, 0, 0, 0, 0, 0xF8]) + bytes((SAMPLE.size or 0) - 7))
    tree = plain(record)
    assert tree["_fill0"] == 0x1F
    assert record_of(Sample, tree) == record


@pytest.mark.parametrize("tree", [{"mode": "off"}, {"parts": [{"c": 1}]}, {"raw": 5}, {"time": 3}])
def test_trees_of_another_shape_are_refused_by_field(tree: dict[str, Any]) -> None:
    with pytest.raises(EncodeError) as caught:
        assembled(SAMPLE, tree, [])
    assert caught.value.field.startswith(next(iter(tree)))


def test_quantities_in_base_units() -> None:
    assert quantity_text(230_000, "mV") == "230 V"
    assert quantity_text(985, "PF") == "0.985"
    assert quantity_text(49_987, "mHz") == "49.987 Hz"
    assert quantity_text(7, "Wh") == "7 Wh"
    assert quantity_text(12.5, "%") == "12.5 %"


BT21 = (
    tables["BT21"]
    .bind()
    .blank()
    .with_(number_of_summations=2, number_of_tiers=1, number_of_present_values=12)
)


def words(name: str, data: str, dims: Dims) -> dict[str, Any]:
    layout: Layout[Any] = tables[name].bind(dims)
    record = layout.decode(bytes.fromhex(data))
    return {row.path: row for row in explain(name, layout, record, dims)}


def test_registers_have_names_and_units() -> None:
    dims = Dims({"BT21": BT21})
    found = words("BT23", "01000000 02000000 03000000 04000000", dims)
    first = found["total_data_block.summations[0]"]
    assert (first.name, first.unit, first.text) == ("Fwd Active Wh L1L2L3", "Wh", "1 Wh")
    assert found["tier_data_block[0].summations[1]"].name == "T0 Rev Active Wh L1L2L3"
    chosen = tables["BT22"].make(
        summation_sources=(5, 108),
        demand_select=(),
        min_max_flags=frozenset(),
        coincident_select=(),
        coincident_demand_associated=(),
    )
    other = words("BT23", "00" * 16, dims.with_table("BT22", chosen))
    assert other["total_data_block.summations[1]"].name == "Q1 Reactive VArh L1L2L3"


def test_present_values_are_scaled() -> None:
    values = [0] * 12
    values[4], values[7], values[11] = 1500, 230_000, 49_980
    data = b"".join(value.to_bytes(4, "little") for value in values).hex()
    found = words("BT28", data, Dims({"BT21": BT21}))
    assert found["values[4]"].text == "1.5 A"
    assert found["values[7]"].text == "230 V"
    assert found["values[11]"].text == "49.98 Hz"


def test_mapped_and_m_bus_sources() -> None:
    mapping = tables["ET66"].make(extended_sources=(0x4203, 10))
    assert str(source_at({"ET66": mapping}, 112)) == "M-Bus device 2, data type 3"
    assert getattr(source_at({"ET66": mapping}, 113), "unit", "") == "var"
    assert getattr(source_at({}, 112), "name", "") == "Mapped Source 0"
    assert quantity_at("BT28", "values[7]", {}) is not None
    assert quantity_at("BT28", "values[99]", {}) is None
    assert quantity_at("ET11", "values[7]", {}) is None


def test_events_in_words() -> None:
    log = {
        "history_date_time": True,
        "history_sequence_number": True,
        "event_number": False,
        "history_data_length": 2,
        "number_of_history_entries": 1,
    }
    header = "0401000000010000000000"
    entry = "1a01050c1e00 0700 feff 0200 0300"
    found = words("BT74", header + entry.replace(" ", ""), Dims({"BT71": log}))
    assert found["entries[0].event"].text == "power up: power failure"
    assert found["entries[0].time"].text == "2026-01-05T12:30:00"
    assert found["entries[0].user_id"].text == "PLC, P2P or G3"


def test_declarations_as_people_name_them() -> None:
    assert find("bt23") is find("23") is find("BT23") is tables["BT23"]
    assert find("et5") is tables["ET05"]
    assert find("0x80B") is find("2059") is tables["ET11"]
    assert find("ep17") is procedures["EP17"]
    assert find("4", procedure=True) is procedures["BP04"]
    assert find("ET2103") is tables["ET55"]
    for wrong in ("BT99", "EP99", "nonsense", "", "BT"):
        with pytest.raises(UnknownDeclaration):
            find(wrong)


def test_dimensions_decode_each_other() -> None:
    sizes = bytes.fromhex("00000000000000000000")
    dims = dims_of({"bt22": b"", "BT21": sizes})
    assert dims["BT21"].number_of_tiers == 0
    assert dims["BT22"].summation_sources == ()
    with pytest.raises(MissingDimensions, match="BT22 depends on BT21") as caught:
        dims_of({"BT22": b""})
    assert caught.value.hint == "--dims BT21=HEX"


def test_layouts_say_which_tables_they_lack() -> None:
    with pytest.raises(UsageError, match="BT23 depends on BT21"):
        bound(tables["BT23"], Dims())
    with pytest.raises(DimensionError):
        bound(tables["BT23"], Dims({"BT21": BT21.with_(number_of_tiers=10**6)}))


def test_a_flag_is_a_truth() -> None:
    season: Any = tables["BT21"].wire_fields[0]
    assert isinstance(season, Field)
    assert parsed(season, "yes") is True
    assert parsed(season, "0") == 0
