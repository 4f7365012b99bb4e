"""Imports point downward (docs/architecture.md): a package imports only what it is allowed to."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from tools import docs
from tools.imports import ROOT, imports, modules, package_of

DIRECT: dict[str, set[str]] = {
    "errors": set(),
    "wire": {"errors"},
    "spec": {"wire"},
    "security": {"spec"},
    "lon": {"spec", "security"},
    "repeating": {"lon"},
    "session": {"security", "lon", "spec"},
    "topology": {"repeating", "session"},
    "ports": {"session"},
    "meter": {"session", "ports", "topology"},
    "concentrator": {"session", "repeating", "topology"},
    "export": {"spec"},
    "headend": {"concentrator", "export"},
    "channel": {"errors"},
    "transport": {"errors"},
}
COMPOSING = {"cli", "run", "web"}
MODULES = modules()


def below(package: str) -> set[str]:
    """What a package may import, directly or through others."""
    reach: set[str] = set()
    todo = set(DIRECT[package])
    while todo:
        name = todo.pop()
        reach.add(name)
        todo |= DIRECT[name] - reach
    return reach


def allowed(package: str) -> set[str]:
    if package in COMPOSING:
        return set(DIRECT) | COMPOSING
    return below(package) | {"errors", package}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downward(path: Path) -> None:
    package = package_of(path)
    wrong = set(imports(path)) - allowed(package)
    assert not wrong, f"{package} must not import {sorted(wrong)}"


def test_every_package_is_placed() -> None:
    assert {package_of(path) for path in MODULES} <= set(DIRECT) | COMPOSING


def test_no_cycles() -> None:
    for package in DIRECT:
        assert package not in below(package)


def test_only_one_exec() -> None:
    guilty = [
        path.name
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("exec", "eval")
    ]
    assert guilty == ["layout.py"]


def test_files_stay_short() -> None:
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert not {name: lines for name, lines in lengths.items() if lines > 450}


def test_generated_pages_are_up_to_date() -> None:
    assert docs.stale() == [], "run `make docs`"
