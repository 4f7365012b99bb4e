"""Writes the generated parts of `docs/`: `python -m tools.docs`; with `--check`, only compares."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from osgp.cli.conformance import served
from osgp.export.pages import DIRECTORY
from osgp.export.pages import pages as declared_pages
from tools.imports import mermaid
from tools.provenance import own

DOCS = Path(__file__).resolve().parent.parent / "docs"
BEGIN, END = "<!-- generated: {} -->", "<!-- end of {} -->"

BLOCKS: dict[str, dict[str, Callable[[], str]]] = {
    "architecture.md": {"imports": lambda: f"```mermaid\n{mermaid()}\n```"},
}
"""Page to the blocks in it, and what makes each."""


def filled(text: str, blocks: dict[str, Callable[[], str]]) -> str:
    """`text` with every generated block renewed."""
    for name, make in blocks.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}\n{make()}\n{end}{after}"
    return text


def stale() -> list[Path]:
    """Pages that are not what they should be, and those that nothing makes any more."""
    made = pages()
    return [path for path, wanted in made if _text(path) != wanted] + abandoned(made)


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def pages() -> list[tuple[Path, str]]:
    """Every page with generated parts, and what it should be."""
    with_blocks = [
        (DOCS / name, filled((DOCS / name).read_text(encoding="utf-8"), blocks))
        for name, blocks in BLOCKS.items()
    ]
    return with_blocks + [
        (DOCS / name, text) for name, text in declared_pages(served(), own()).items()
    ]


def abandoned(made: list[tuple[Path, str]]) -> list[Path]:
    """Pages of declarations that are gone."""
    wanted = {path for path, _ in made}
    return sorted(path for path in (DOCS / DIRECTORY).glob("*.md") if path not in wanted)


def main() -> int:
    if "--check" in sys.argv:
        return 1 if stale() else 0
    made = pages()
    for path in abandoned(made):
        path.unlink()
    for path, wanted in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
