"""Which package of `osgp` imports which: read from the source, for the test and the picture."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "src" / "osgp"


def modules() -> list[Path]:
    """Every module inside a package of `osgp`, in order."""
    return sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT)


def package_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


def imports(path: Path) -> Iterator[str]:
    """First-level packages of `osgp` that a module imports, however it writes it."""
    inside = ("osgp", *path.relative_to(ROOT).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for name in _imported(node, inside):
            if len(name) > 1 and name[0] == "osgp" and not name[1].startswith("__"):
                yield name[1]


def _imported(node: ast.AST, inside: tuple[str, ...]) -> list[tuple[str, ...]]:
    if isinstance(node, ast.Import):
        return [tuple(alias.name.split(".")) for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = inside[: len(inside) - node.level + 1] if node.level else ()
    module = (*base, *(node.module.split(".") if node.module else ()))
    return [(*module, alias.name) for alias in node.names] if module == ("osgp",) else [module]


def graph() -> dict[str, set[str]]:
    """Package to the packages it imports, itself left out."""
    found: dict[str, set[str]] = {}
    for path in modules():
        package = package_of(path)
        found.setdefault(package, set()).update(set(imports(path)) - {package})
    return found


def reduced(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """Without edges that a longer path implies: what a picture needs."""
    return {
        package: {
            name
            for name in names
            if not any(name in _reach(edges, other) for other in names - {name})
        }
        for package, names in edges.items()
    }


def _reach(edges: dict[str, set[str]], start: str) -> set[str]:
    reach: set[str] = set()
    todo = set(edges.get(start, ()))
    while todo:
        name = todo.pop()
        reach.add(name)
        todo |= edges.get(name, set()) - reach
    return reach


def mermaid() -> str:
    """The import graph as a Mermaid flowchart, lower packages below."""
    edges = reduced(graph())
    lines = [f"    {a} --> {b}" for a in sorted(edges) for b in sorted(edges[a])]
    return "\n".join(["flowchart TD", *lines])
