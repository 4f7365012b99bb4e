"""docs/security.md says what the declarations say."""

from __future__ import annotations

import re
from pathlib import Path

from osgp.security import describe
from osgp.security.profile import ChallengeResponse

PAGE = Path(__file__).parents[3] / "docs" / "security.md"
TESTS = Path(__file__).parents[2]


def test_the_page_is_generated_from_the_declarations() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert describe.rewritten(page) == page, (
        "run: python -m osgp.security.describe docs/security.md"
    )


def test_every_generated_part_has_its_place() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in describe.blocks():
        assert page.count(f"<!-- begin {name} -->") == page.count(f"<!-- end {name} -->") == 1


def test_tables_give_offsets_behind_lists() -> None:
    table = describe.message_table(ChallengeResponse)
    assert "| 30 | n | `suites` |" in table
    assert "| 30 + n | 16 | `mac` |" in table


def test_an_outdated_part_is_replaced() -> None:
    old = "text\n<!-- begin events -->\nold\n<!-- end events -->\nmore\n"
    new = describe.rewritten(old)
    assert "old" not in new
    assert "KEY_USAGE_HIGH" in new
    assert new.endswith("<!-- end events -->\nmore\n")


def test_the_tests_that_the_page_names_exist() -> None:
    page = PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"\btest_[a-z_]+[a-z]\b|[a-z]+\.pml", page))
    there = {file.stem for file in TESTS.rglob("test_*.py")}
    there |= {file.name for file in TESTS.rglob("*.pml")}
    assert len(named) > 10
    assert named <= there
