"""What is this project's own and no table: every place that says so is on the page."""

from __future__ import annotations

from tools.provenance import MARK, SOURCE, own

FOUND = own()


def test_messages_files_and_models_are_listed() -> None:
    listed = {one.module: one.says for one in FOUND}
    for module in ("topology.atm", "channel.scenario", "channel.noise", "security.profile"):
        assert module in listed
    assert "third byte" in listed["repeating.uplink"]
    assert "G.5.4" in listed["repeating.uplink"]


def test_every_module_that_says_so_is_listed() -> None:
    marked = [
        path
        for path in SOURCE.rglob("*.py")
        if path.relative_to(SOURCE).parts[0] not in ("spec", "export", "cli")
        and MARK in path.read_text(encoding="utf-8")
    ]
    assert len(marked) > 25
    modules = {one.module for one in FOUND}
    for path in marked:
        parts = path.relative_to(SOURCE).with_suffix("").parts
        assert ".".join(part for part in parts if part != "__init__") in modules, path


def test_each_says_what_in_words() -> None:
    for one in FOUND:
        assert one.title and not one.title.endswith((".", ":")), one
        assert len(one.says) > 15, one
        assert "\n" not in one.says
