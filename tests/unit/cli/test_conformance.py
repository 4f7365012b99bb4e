"""`osgp conformance`."""

from __future__ import annotations

from .conftest import Runner


def test_one_line_for_each_entry(osgp: Runner) -> None:
    result = osgp("conformance")
    assert result.code == 0
    lines = result.out.splitlines()
    listed = lines[1 : lines.index("")]
    assert len(listed) == 362
    clause = next(line for line in listed if line.startswith("9.8 "))
    assert clause.split()[:6] == ["9.8", "Response", "error", "codes", "yes", "gs-osg"]
    assert "errors +1" in clause


def test_as_json(osgp: Runner) -> None:
    shown = osgp("conformance", "--json").json
    assert len(shown) == 362
    assert shown[0].keys() == {
        *("entry", "title", "name", "status", "code", "tests", "source", "note")
    }


def test_one_clause_and_one_status(osgp: Runner) -> None:
    entries = [line["entry"] for line in osgp("conformance", "F.8", "--json").json]
    assert entries == ["F.8", "F.8.1", "F.8.2", "F.8.3", "F.8.4"]
    annex = osgp("conformance", "g", "--json").json
    assert annex[0]["entry"] == "Annex G"
    assert len(annex) == 21
    only = osgp("conformance", "A", "--status", "yes", "--json").json
    assert {line["status"] for line in only} == {"yes"}
    assert osgp("conformance", "BT23", "--json").json[0]["entry"] == "A.18"


def test_what_makes_no_sense(osgp: Runner) -> None:
    assert osgp("conformance", "17").code == 2
    refused = osgp("conformance", "--status", "maybe")
    assert (refused.code, "not yet" in refused.err) == (2, True)
