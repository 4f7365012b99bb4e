"""Advice to install an extra names one that exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"osgp\[([a-z,]+)\]")


def test_every_extra_that_is_named_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = set(project["optional-dependencies"])
    named: dict[str, Path] = {}
    for path in (*ROOT.glob("src/**/*.py"), *ROOT.glob("docs/**/*.md"), ROOT / "README.md"):
        for match in NAMED.finditer(path.read_text(encoding="utf-8")):
            named |= dict.fromkeys(match[1].split(","), path)
    assert len(named) > 4
    assert {name: path.name for name, path in named.items() if name not in extras} == {}
