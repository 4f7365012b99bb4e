"""`osgp tables`."""

from __future__ import annotations

from pathlib import Path

from osgp.spec import procedures, tables

from .conftest import Runner

BT21 = "0300010200000000000C"


def test_all_tables(osgp: Runner) -> None:
    result = osgp("tables")
    assert result.code == 0
    for name in tables:
        assert f"\n{name} " in result.out
    line = next(line for line in result.out.splitlines() if line.startswith("ET11"))
    assert line.split() == [
        *("ET11", "2059", "Manufacturer", "Dimensions", "39", "every", "key", "-", "mep-guide")
    ]


def test_all_procedures_as_json(osgp: Runner) -> None:
    shown = osgp("tables", "--procedures", "--json").json
    assert [one["name"] for one in shown] == list(procedures)
    assert shown[0].keys() >= {"name", "number", "title", "call", "source", "size", "fields"}


def test_one_table(osgp: Runner) -> None:
    result = osgp("tables", "et55")
    assert result.code == 0
    assert "ET55 Meter Configuration  2103" in result.out
    line = next(line for line in result.out.splitlines() if "plc_active_timeout" in line)
    assert line.split()[:5] == ["15", "plc_active_timeout", "UINT16", "min", "60"]


def test_one_table_as_json(osgp: Runner) -> None:
    shown = osgp("tables", "2103", "--json").json
    assert list(shown) == [
        *("name", "number", "title", "read", "write", "source", "size", "fields")
    ]
    fields = {field["path"]: field for field in shown["fields"]}
    assert fields["plc_active_timeout"] == {
        "path": "plc_active_timeout",
        "offset": 15,
        "size": 2,
        "bits": None,
        "type": "UINT16",
        "unit": "min",
        "default": 60,
        "vci": "H",
        "since": None,
        "source": "mep-guide",
        "meaning": "silence that ends contact",
    }
    assert fields["step_tariff_source"]["offset"] == "147 + 4*max(BT20.number_of_tiers - 1, 0)"
    assert fields["message_overridden"]["bits"] == [1, 1]


def test_a_procedure_and_its_response(osgp: Runner) -> None:
    result = osgp("tables", "bp10")
    assert "Set Date and Time" in result.out
    assert "Response" in result.out
    assert "clock before" in result.out
    assert osgp("tables", "4", "--procedures").out.startswith("BP04")


def test_an_older_firmware(osgp: Runner) -> None:
    newest = osgp("tables", "ET55", "--json").json
    old = osgp("tables", "ET55", "--json", "--firmware", "3.70").json
    module = osgp("tables", "ET55", "--json", "--firmware", "CPM 1.20").json
    assert len(newest["fields"]) > len(old["fields"]) >= len(module["fields"])
    refused = osgp("tables", "ET55", "--firmware", "newest")
    assert (refused.code, "firmware" in refused.err) == (2, True)


def test_where_fields_are(osgp: Runner) -> None:
    found = osgp("tables", "BT21", "--field", "BT21.1.5")
    assert found.out == "BT21.self_read_demand_reset: offset 1, size 1, bits 4 to 5\n"
    byte = osgp("tables", "BT21", "--field", "1").out
    assert byte.startswith("BT21.self_read_inhibit_overflow: offset 1, size 1 (self_read")
    bound = osgp("tables", "BT23", "--field", "tier_data_block", "--dims", f"BT21={BT21}")
    assert "offset 8, size 0" in bound.out
    shown = osgp("tables", "BT21", "--field", "number_of_tiers", "--json").json
    assert (shown["offset"], shown["size"], shown["bits"]) == (7, 1, None)
    assert osgp("tables", "BT21", "--field", "nonsense").code == 1


def test_generated_python(osgp: Runner) -> None:
    result = osgp("tables", "BT23", "--source", "--dims", f"BT21={BT21}")
    assert result.code == 0
    compile(result.out, "generated", "exec")
    assert "RegisterData" in result.out or "def " in result.out
    lacking = osgp("tables", "BT23", "--source")
    assert (lacking.code, lacking.err) == (
        2,
        "osgp: the size of BT23 depends on BT21 (--dims BT21=HEX)\n",
    )


def test_a_schema(osgp: Runner) -> None:
    schema = osgp("tables", "BT52", "--schema").json
    assert schema["title"] == "BT52 UTC Clock"
    assert schema["properties"]["day_of_week"]["maximum"] == 7
    assert osgp("tables", "--schema").code == 2


def test_provenance(osgp: Runner) -> None:
    counts = osgp("tables", "--provenance", "--json").json
    assert counts["mep-guide"]["tables"] > 50
    assert counts["project"]["fields"] > 0
    printed = osgp("tables", "--provenance").out
    assert "this project's own layout" in printed


def test_what_makes_no_sense(osgp: Runner) -> None:
    unknown = osgp("tables", "BT99")
    assert (unknown.code, unknown.err) == (2, "osgp: no table BT99 (`osgp tables` lists all)\n")
    assert osgp("tables", "--source").code == 2
    assert osgp("tables", "BT21", "--nonsense").code == 2
    assert osgp("tables", "BT23", "--source", "--dims", "BT21").code == 2
    assert osgp("tables", "BT23", "--source", "--dims", "BT21=xy").code == 2


def test_help_has_an_example(osgp: Runner) -> None:
    for command in ("tables", "decode", "encode"):
        result = osgp(command, "--help")
        assert result.code == 0
        assert f"osgp {command} " in result.out


def test_layouts_from_a_file(osgp: Runner, tmp_path: Path) -> None:
    file = tmp_path / "acme.toml"
    file.write_text("[EP16]\nfields = [{name = 'delta', type = 'INT16'}]", encoding="utf-8")
    old = procedures["EP16"]
    assert osgp("decode", "EP16", "0100", "--layouts", str(file)).code == 0
    assert procedures["EP16"] is old
    assert osgp("decode", "EP16", "0100").code == 1
    file.write_text("[BT23]\nfields = []", encoding="utf-8")
    refused = osgp("decode", "EP16", "0100", "--layouts", str(file))
    assert refused.code == 2
    assert "BT23: its layout is from OSGP Alliance" in refused.err


def test_layouts_for_every_command(osgp: Runner, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("[ET48]\nfields = [{name = 'private', type = 'UINT8'}]", encoding="utf-8")
    assert " private " in osgp("--layouts", str(file), "decode", "ET48", "05").out
    assert " private " not in osgp("tables", "ET48").out, "undone when the command has ended"
    refused = osgp("--layouts", str(tmp_path / "none.toml"), "tables")
    assert (refused.code, refused.out) == (2, "")
    assert "none.toml" in refused.err


def test_a_field_by_one_word(osgp: Runner) -> None:
    assert osgp("tables", "BT52.6.3").out == osgp("tables", "BT52", "--field", "6.3").out
    assert osgp("tables", "bt52.day_of_week").out.strip().endswith("bits 0 to 2")
