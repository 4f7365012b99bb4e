"""Overlay files: what they change, and how wrong ones are refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osgp.export.describe import describe
from osgp.spec import procedures, tables
from osgp.spec.overlay import Applied, OverlayError, load, loads
from osgp.wire import Dims, Layout

EXAMPLE = (Path(__file__).parents[3] / "docs" / "overlays.md").read_text(encoding="utf-8")


@pytest.fixture
def undone() -> Iterator[list[Applied]]:
    """Overlays that are taken back when the test ends."""
    applied: list[Applied] = []
    yield applied
    for one in reversed(applied):
        one.undo()


def test_the_example_of_the_documentation(undone: list[Applied], tmp_path: Path) -> None:
    file = tmp_path / "acme.toml"
    file.write_text(EXAMPLE.partition("```toml")[2].partition("```")[0], encoding="utf-8")
    old: Any = procedures["EP16"]
    undone.append(load(file))
    assert undone[0].about == "Layouts of ACME meters, from their manual, revision 3"
    assert [change.name for change in undone[0].changes] == ["EP16", "ET48"]
    new: Any = procedures["EP16"]
    assert new is procedures[2064] is not old
    assert (new.info.title, new.info.call) == ("Change System Clock", old.info.call)
    assert new.info.note == "ACME manual, 4.2"
    assert tables["ET48"].info.note == f"From an overlay. {undone[0].about}"
    layout: Layout[Any] = new.bind()
    assert layout.encode(layout.decode(bytes.fromhex("f6ff01"))) == bytes.fromhex("f6ff01")
    assert layout.decode(bytes.fromhex("f6ff01")).delta == -10
    extended = tables["ET48"].bind(Dims({"ET11": {"et48_entry_count": 1}}))
    assert extended.size is None
    assert extended.span("features").size == 9
    assert describe(tables["ET48"]).rows[-1].condition == "history[n].count > 0"
    undone.pop().undo()
    assert procedures["EP16"] is old


def test_a_later_file_changes_an_earlier_one(undone: list[Applied]) -> None:
    undone.append(loads("[EP16]\nfields = [{name = 'a', type = 'UINT8'}]"))
    undone.append(loads("[EP16]\nextend = true\nfields = [{name = 'b', type = 'UINT8'}]"))
    assert procedures["EP16"].bind().size == 2
    undone.pop().undo()
    assert procedures["EP16"].bind().size == 1


def test_everything_a_field_may_say(undone: list[Applied]) -> None:
    undone.append(
        loads(
            """
            [EP16]
            call = "MK PK"
            since = ["3.13", "CPM 1.20"]
            results = { 1 = "later" }
            response = [{ name = "answer", type = "LIST[2] OF Pair" }]
            [[EP16.fields]]
            name = "level"
            type = "UINT(0..9)"
            word = 16
            unit = "V"
            scale = 0.5
            default = 3
            vci = "H"
            since = "3.70"
            enum = { 0 = "off", 0x3ff = "most" }
            note = "a note"
            meaning = "a level"
            [[EP16.fields]]
            name = "old"
            type = "UINT16"
            until = "4.0"
            in_place = true
            [EP16.records.Pair]
            fields = [{ name = "x", type = "INT24" }, { name = "y", type = "SET(x + 1)" }]
            """
        )
    )
    procedure = procedures["EP16"]
    level, old = describe(procedure).rows
    assert (level.bits, level.unit, level.default, level.vci) == ((0, 9), "V", 3, "H")
    assert level.enum == {0: "off", 1023: "most"}
    assert (level.since, old.until, old.size) == ("3.70", "4.00", 2)
    assert procedure.info.call == {"MK", "PK"}
    assert procedure.info.results == {1: "later"}
    assert procedure.info.response is not None
    assert describe(procedure.info.response).rows[-1].size == "1 + answer[n].x"


def field(**keys: str) -> str:
    pairs = ", ".join(f"{name} = {value}" for name, value in keys.items())
    return f"[ET48]\nfields = [{{ {pairs} }}]"


@pytest.mark.parametrize(
    ("text", "where", "reason"),
    [
        ("[BT23]\nfields = []", "BT23", "stays"),
        ("[BT99]\nfields = []", "BT99", "no such table"),
        ("[ET48]", "ET48", "no fields"),
        ("[ET48", "TOML", ""),
        ("about = 3", "about", "text"),
        ("ET48 = 3", "ET48", "table of keys"),
        ("[ET48]\nfields = 3", "ET48.fields", "list"),
        ("[ET48]\nfields = []\nsize = 3", "ET48.size", "no such key"),
        ("[ET48]\nfields = [{name='a', type='UINT8'}]\nread = 'ME'", "ET48.read", "list of keys"),
        ("[ET48]\nextend = 1\nfields = []", "ET48.extend", "true or false"),
        (
            "[ET48]\nextend = true\nfields = [{name='features', type='UINT8'}]",
            "features",
            "already",
        ),
        ("[ET48]\nfields = [{type = 'UINT8'}]", "ET48.fields[0]", "None cannot be"),
        (field(name="'class'", type="'UINT8'"), "ET48.fields[0]", "cannot be"),
        (field(name="'bind'", type="'UINT8'"), "ET48.fields[0]", "cannot be"),
        (field(name="'_fill0'", type="'UINT8'"), "ET48.fields[0]", "cannot be"),
        (field(name="'a b'", type="'UINT8'"), "ET48.fields[0]", "cannot be"),
        (field(name="'a'"), "ET48.a", "no type"),
        (field(name="'a'", type="'UINT7'"), "ET48.a", "no type"),
        (field(name="'a'", type="'BOOL(9)'"), "ET48.a", "no bits"),
        (field(name="'a'", type="'LIST[2] OF BOOL(1)'"), "ET48.a", "no elements"),
        (field(name="'a'", type="'ARRAY[ET11] OF CHAR'"), "ET48.a", "no field that is a number"),
        (field(name="'a'", type="'ARRAY[ET11.none] OF CHAR'"), "ET48.a", "no field none"),
        (field(name="'a'", type="'ARRAY[ET99.none] OF CHAR'"), "ET48.a", "no table ET99"),
        (field(name="'a'", type="'ARRAY[b] OF CHAR'"), "ET48.a", "no earlier field"),
        (field(name="'a'", type="'ARRAY[n] OF CHAR'"), "ET48", "index of a list"),
        (field(name="'a'", type="'ARRAY[70000] OF CHAR'"), "ET48.a", "outside"),
        (field(name="'a'", type="'ARRAY[0-1] OF CHAR'"), "ET48.a", "outside"),
        (field(name="'a'", type="'ARRAY[f(1)] OF CHAR'"), "ET48.a", "no place"),
        (field(name="'a'", type="'ARRAY[__] OF CHAR'"), "ET48.a", "no place"),
        (field(name="'a'", type="'ARRAY[2**9] OF CHAR'"), "ET48.a", "no place"),
        (field(name="'a'", type="'ARRAY[ET11.__class__] OF CHAR'"), "ET48.a", "no place"),
        (field(name="'a'", type="'ARRAY[1if 2else 3] OF CHAR'"), "ET48.a", "no formula"),
        (field(name="'a'", type="'SET(" + "(" * 300 + ")'"), "ET48.a", "no formula"),
        (field(name="'a'", type="'" + "x" * 500 + "'"), "ET48.a", "500 characters"),
        (field(name="'a'", type="'UINT8'", word="'x'"), "ET48.a.word", "number"),
        (field(name="'a'", type="'UINT8'", starts="true"), "ET48.a", "starts"),
        (field(name="'a'", type="'UINT8'", scale="0"), "ET48.a.scale", "above 0"),
        (field(name="'a'", type="'UINT8'", unit="3"), "ET48.a.unit", "text"),
        (field(name="'a'", type="'UINT8'", since="'new'"), "ET48.a.since", "version"),
        (field(name="'a'", type="'UINT8'", enum="{x = 'y'}"), "ET48.a.enum", "numbers"),
        (field(name="'a'", type="'UINT8'", enum="{1 = 2}"), "ET48.a.enum", "numbers"),
        (field(name="'a'", type="'UINT8'", when="3"), "ET48.a.when", "formula"),
        (field(name="'a'", type="'UINT8'", when="'a ='"), "ET48.a.when", "no formula"),
        (field(name="'a'", type="'UINT8'", colour="'x'"), "ET48.a.colour", "no such key"),
        ("[ET48]\nrecords = 3\nfields = []", "ET48.records", "records"),
        ("[ET48]\nfields = []\n[ET48.records.low]\nfields = []", "ET48.records.low", "capital"),
        ("[ET48]\nfields = []\n[ET48.records.A]\nx = 1", "ET48.records.A.x", "no such key"),
        ("[ET48]\nfields = []", "ET48", "at least one field"),
        (field(name="'Upper'", type="'UINT8'"), "ET48.fields[0]", "cannot be"),
        (field(name="'a'", type="'UINT8'", default="'x'"), "ET48.a.default", "is no UINT8"),
        (field(name="'a'", type="'UINT8'", default="256"), "ET48.a.default", "is no UINT8"),
        (field(name="'a'", type="'INT8'", default="-129"), "ET48.a.default", "is no INT8"),
        (field(name="'a'", type="'BOOL(1)'", default="1"), "ET48.a.default", "is no BOOL"),
        (field(name="'a'", type="'UINT(0..3)'", default="16"), "ET48.a.default", "is no UINT"),
        (field(name="'a'", type="'ARRAY[2] OF CHAR'", default="2"), "ET48.a.default", "is no"),
        ("[EP16]\nfields = []\nresults = 3", "EP16.results", "numbers"),
        (
            "[ET48]\nfields = [{name='a', type='REST'}, {name='b', type='UINT8'}]",
            "ET48.a",
            "follow the rest",
        ),
        (
            "[ET48]\nfields = [{name='a', type='UINT8'}, {name='a', type='UINT8'}]",
            "ET48.a",
            "declared twice",
        ),
    ],
)
def test_wrong_files_are_refused(text: str, where: str, reason: str) -> None:
    before = {name: tables[name] for name in tables}
    with pytest.raises(OverlayError) as caught:
        loads(text)
    assert where in caught.value.where
    assert reason in caught.value.reason
    assert {name: tables[name] for name in tables} == before


def test_one_wrong_table_keeps_all_out() -> None:
    old = procedures["EP16"]
    with pytest.raises(OverlayError):
        loads("[EP16]\nfields = []\n[BT23]\nfields = []")
    assert procedures["EP16"] is old


def test_fields_that_other_sizes_need_must_stay(undone: list[Applied]) -> None:
    undone.append(
        loads(
            "[ET48]\nfields = [{name = 'count', type = 'UINT8'}]\n"
            "[EP16]\nfields = [{name = 'a', type = 'SET(ET48.count)'}]"
        )
    )
    with pytest.raises(OverlayError, match=r"ET48: EP16\.a depends on its field count"):
        loads("[ET48]\nfields = [{name = 'other', type = 'UINT8'}]")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(OverlayError, match="No such file"):
        load(tmp_path / "none.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(OverlayError, match="UTF-8"):
        load(binary)
    binary.write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(OverlayError, match="more than"):
        load(binary)
    with pytest.raises(OverlayError, match=r"none\.toml: BT23"):
        wrong = tmp_path / "none.toml"
        wrong.write_text("[BT23]\nfields = []", encoding="utf-8")
        load(wrong)
