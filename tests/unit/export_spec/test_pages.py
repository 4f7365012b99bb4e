"""Generated pages, and the conformance statement behind one of them."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from osgp.cli.conformance import served
from osgp.errors import UsageError
from osgp.export import conformance
from osgp.export.conformance import STATUSES, Line, contents, counts, statement
from osgp.export.pages import conformance_page, declaration_page, index, pages, provenance_page
from osgp.spec import Source, procedures, tables

ROOT = Path(__file__).parents[3]
LINES = statement(served())
each_line = pytest.mark.parametrize("line", LINES, ids=lambda line: line.entry)


def test_every_entry_of_the_contents_list_has_one_line() -> None:
    listed = contents()
    parts: tuple[dict[str, Any], ...] = (
        *(listed.annexes, listed.clauses, listed.tables, listed.procedures),
    )
    assert [len(part) for part in parts] == [7, 194, 108, 53]
    assert len(LINES) == 362
    assert len({line.entry for line in LINES}) == 362


def test_every_table_and_procedure_of_the_list_is_declared() -> None:
    names = {line.name for line in LINES if line.name}
    assert len(names) == 161
    assert names <= set(tables) | set(procedures)


@each_line
def test_a_line_names_what_exists(line: Line) -> None:
    assert line.status in STATUSES
    if line.status in ("none", "not yet"):
        assert not line.code
        return
    assert line.code
    assert line.tests
    assert line.source in {str(source) for source in Source}
    for name in line.code:
        assert exists(name), name
    for test in line.tests:
        assert (ROOT / test).is_file(), test
        assert "def test_" in (ROOT / test).read_text(encoding="utf-8")


def test_what_is_there_in_part_says_what_lacks() -> None:
    assert [line.entry for line in LINES if line.status == "partly" and not line.note] == []


def test_what_a_device_acts_on_is_tested_there() -> None:
    acting = [line for line in LINES if line.note.startswith("the virtual meter ")]
    lines = [line for line in acting if line.name and line.status == "yes"]
    assert len(lines) > 40
    acts = ("tests/unit/meter/", "tests/unit/serving/")
    assert all(line.tests[0].startswith(acts) for line in lines)


def exists(name: str) -> bool:
    """Whether a module, or a class in one, can be imported."""
    module, _, last = name.rpartition(".")
    if last[0].isupper():
        return hasattr(importlib.import_module(module), last)
    return importlib.import_module(name) is not None


def test_partial_lines_say_what_lacks() -> None:
    """At the clause itself, or at one inside it."""
    for line in LINES:
        if line.status == "partly" and not line.note:
            assert any(one.entry.startswith(f"{line.entry}.") and one.note for one in LINES), line


def test_the_document_s_order() -> None:
    entries = [line.entry for line in LINES]
    assert entries[:3] == ["European Foreword", "Introduction", "1"]
    assert entries[-1] == "Bibliography"
    wanted = ["9.10.3", "Annex A", "A.1", "A.14", "A.14.1", "A.41", "Annex B", "B.1"]
    places = [entries.index(entry) for entry in wanted]
    assert places == sorted(places)
    assert entries.index("8.7.9") < entries.index("8.7.10") < entries.index("8.8")


def test_what_the_meter_serves_is_said() -> None:
    by_name = {line.name: line for line in LINES}
    assert by_name["BT23"].status == "yes"
    assert by_name["BP10"].note == "the virtual meter executes it"
    assert by_name["ET00"].status == "opaque"
    assert by_name["ET02"].note == "own layout"
    assert {line.status for line in statement() if line.name} <= {"layout", "opaque"}


def test_clauses_that_nothing_is_said_of_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    known = conformance._map()
    clauses = {name: one for name, one in known.clauses.items() if name != "9"}
    lacking = type(known)(known.declarations, clauses)
    monkeypatch.setattr(conformance, "_map", lambda: lacking)
    with pytest.raises(UsageError, match="says nothing of 9"):
        statement()


def test_counts_are_of_all_lines() -> None:
    assert sum(counts(LINES).values()) == len(LINES)
    assert str(counts(LINES)["yes"]) in conformance_page(LINES)


def test_a_page_for_everything() -> None:
    made = pages()
    names = {name for name in made if name.startswith("tables/")} - {"tables/README.md"}
    assert names == {f"tables/{name}.md" for name in [*tables, *procedures]}
    for name, text in made.items():
        assert text.startswith("<!-- made by"), name
        for target in re.findall(r"\]\(([\w/.]+\.md)\)", text):
            page = (Path(name).parent / target).as_posix().replace("tables/../", "")
            assert page in made or (ROOT / "docs" / page).is_file(), (name, target)


def test_a_page_shows_fields_and_codes() -> None:
    page = declaration_page(tables["ET55"])
    assert "| `15` | `plc_active_timeout` | `UINT16` | min | 60 | H |  |" in page
    assert "- `over_power_source`: " in page
    nested = declaration_page(tables["ET50"])
    assert (
        "| `+30.0` | &emsp;`device_registered` | `BOOL(0)` | no | M | the client is present |"
        in nested
    )
    assert "## Response" in declaration_page(procedures["BP10"])
    assert "None." in declaration_page(procedures["BP12"])
    assert "[BT23](BT23.md)" in index()


def test_every_own_layout_is_listed() -> None:
    page = provenance_page()
    registries: tuple[Any, ...] = (tables, procedures)
    for registry in registries:
        for name in registry:
            own = registry[name].info.source is Source.PROJECT
            assert (f"| [{name}](tables/{name}.md) |" in page) == (own or name in FIELDS), name


FIELDS = {
    name
    for name in tables
    if tables[name].info.source is not Source.PROJECT
    and f"[{name}](tables/{name}.md)" in provenance_page().partition("## Fields of")[2]
}
