"""Imports point downward (docs/architecture.md): a package imports only what it is allowed to."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import osgp

ROOT = Path(osgp.__file__).parent

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


def imports(path: Path) -> Iterator[str]:
    """First-level packages of `osgp` that a module imports, however it writes it."""
    relative = path.relative_to(ROOT.parent).with_suffix("").parts
    package = relative if path.name == "__init__.py" else relative[:-1]
    package = tuple(part for part in package if part != "__init__")
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            names = [base + (node.module.split(".") if node.module else [])]
            if names[0] == ["osgp"]:
                names = [["osgp", alias.name] for alias in node.names]
        else:
            continue
        yield from (
            parts[1]
            for parts in names
            if parts[0] == "osgp" and len(parts) > 1 and not parts[1].startswith("__")
        )


MODULES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downward(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    wrong = {name for name in imports(path) if name not in allowed(package)}
    assert not wrong, f"{package} must not import {sorted(wrong)}"


def test_every_package_is_placed() -> None:
    packages = {path.relative_to(ROOT).parts[0] for path in MODULES}
    assert packages <= set(DIRECT) | COMPOSING


def test_no_cycles() -> None:
    for package in DIRECT:
        assert package not in below(package)


def test_only_one_exec() -> None:
    guilty = [
        path.name
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("exec", "eval")
    ]
    assert guilty == ["layout.py"]


def test_files_stay_short() -> None:
    long = {
        path.name: n
        for path in ROOT.rglob("*.py")
        if (n := len(path.read_text().splitlines())) > 450
    }
    assert not long
