"""Declarations in words."""

from __future__ import annotations

from osgp.export.declared import declaration_json, keys_text, offset_text, provenance
from osgp.export.describe import Row, describe, names_of
from osgp.spec import Source, procedures, tables
from osgp.spec.access import EVERY, FULL, MEP, OPEN
from osgp.spec.services import Command


def rows(name: str) -> dict[str, Row]:
    return {row.path: row for row in describe(tables[name]).rows}


def test_fixed_places_are_numbers() -> None:
    found = rows("ET55")
    timeout = found["plc_active_timeout"]
    assert (timeout.offset, timeout.size, timeout.unit, timeout.default) == (15, 2, "min", 60)
    override = found["disable_message_override"]
    assert (override.offset, override.bits, override.type) == (78, (0, 0), "BOOL(0)")


def test_places_that_depend_on_dimensions_are_formulas() -> None:
    found = rows("ET50")
    assert found["clients"].size == "ET11.mep_channel_count*(35 + 6*ET11.mep_data_sources)"
    house = found["clients[n].house_icon"]
    assert house.offset == ("31 + n*(35 + 6*ET11.mep_data_sources) + 6*ET11.mep_data_sources")
    assert house.inner == "31 + 6*ET11.mep_data_sources"
    assert house.bits == (0, 3)


def test_conditions_and_long_sizes_are_written_once() -> None:
    found = rows("BT23")
    assert found["number_of_demand_resets"].condition == "BT21.demand_reset_counter"
    assert found["tier_data_block[n]"].offset == (
        "[BT21.demand_reset_counter] + size(total_data_block) + n*size(tier_data_block[n])"
    )
    assert found["tier_data_block[n].summations"].inner == 0


def test_an_older_firmware_has_other_places() -> None:
    newest, old = describe(tables["ET55"]), describe(tables["ET55"], (3, 70, 0))
    both = {row.path: row.since for row in newest.rows}
    assert both["delta_time_adjustment_increment"] == "4.00"
    names = [row.path for row in old.rows]
    assert "delta_time_adjustment_increment" not in names
    places = {row.path: row.offset for row in old.rows}
    assert places["delta_time_adjustment_increment_3x"] == 4
    assert places["message_text"] == 57


def test_fields_that_a_release_ended_say_so() -> None:
    fields = {field["path"]: field for field in declaration_json(tables["ET55"])["fields"]}
    assert fields["delta_time_adjustment_increment_3x"]["since"] == "until 4.00"
    assert fields["general_cover_threshold"]["since"] is None


def test_times_are_one_field() -> None:
    found = rows("BT52")
    assert found["clock_calendar"].type == "LTIME_DATE"
    assert found["clock_calendar"].size == 6
    assert "clock_calendar.year" not in found


def test_a_procedure_with_its_response() -> None:
    shown = declaration_json(procedures["BP10"])
    assert [field["path"] for field in shown["response"]["fields"]] == ["before", "after"]
    assert shown["response"]["size"] == 12
    assert "MK" in shown["call"]
    assert declaration_json(procedures["BP04"])["response"] is None


def test_offsets_as_guides_write_them() -> None:
    found = rows("BT60")
    assert offset_text(found["extended_interval_status"]) == "4.10"
    assert offset_text(rows("BT21")["self_read_demand_reset"]) == "1.4-5"
    assert offset_text(rows("ET50")["clients[n].device_registered"]) == "+30.0"
    assert offset_text(rows("ET50")["clients[n].house_icon"]).startswith("(+31 + ")


def test_keys_in_words() -> None:
    assert keys_text(frozenset(EVERY.split())) == "every key"
    assert keys_text(frozenset(OPEN.split())) == "anybody"
    assert keys_text(frozenset(MEP.split())) == "MK MBK MAK"
    assert keys_text(frozenset(FULL.split())) == "MK"
    assert keys_text(frozenset()) == "-"


def test_codes_of_enumerations() -> None:
    assert names_of(Command) == {
        0x30: "full read",
        0x3F: "partial read",
        0x40: "full write",
        0x4F: "partial write",
    }
    assert names_of(None) is None


def test_provenance_counts_everything_once() -> None:
    counts = provenance()
    assert set(counts) == set(Source)
    assert sum(count["tables"] for count in counts.values()) == len(tables)
    assert sum(count["procedures"] for count in counts.values()) == len(procedures)
    assert counts["mep-guide"]["fields"] > 1000
