"""What is this project's own and no table: read from the docstrings that say `Source.PROJECT`.

Formats of messages and files, models of the power line and of a device, choices where the sources
are silent. Whoever makes one says so where it is made; the provenance page gathers them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from osgp.export.pages import Own

SOURCE = Path(__file__).resolve().parent.parent / "src" / "osgp"
MARK = "Source.PROJECT"
DECLARED = ("spec", "export")
"""Packages that declare tables, where the mark is an argument, and that read those."""

_SENTENCE = re.compile(r"(?<=\.)\s+(?=[A-Z*`(])")
_BARE = re.compile(rf"\s*\(`?{re.escape(MARK)}`?\)")
_VERSIONED = re.compile(rf"\({re.escape(MARK)}, (?=version)")
_IN_WORDS = re.compile(rf"`?{re.escape(MARK)}`?")
_SHORT = 60
"""A sentence of fewer characters needs the one in front of it."""


def own() -> list[Own]:
    """Every docstring with the mark, in order of module and line."""
    files = sorted(path for path in SOURCE.rglob("*.py") if _part(path)[0] not in DECLARED)
    return [found for path in files if (found := _of_module(path)) is not None]


def _part(path: Path) -> tuple[str, ...]:
    return path.relative_to(SOURCE).with_suffix("").parts


def _of_module(path: Path) -> Own | None:
    text = path.read_text(encoding="utf-8")
    if MARK not in text:
        return None
    tree = ast.parse(text)
    said = [_saying(docstring) for docstring in _docstrings(tree) if MARK in docstring]
    module = ".".join(part for part in _part(path) if part != "__init__")
    title = _plain(ast.get_docstring(tree) or "").partition(". ")[0].rstrip(".:")
    return Own(module, _unmarked(title), " ".join(said)) if said else None


def _docstrings(tree: ast.Module) -> Iterator[str]:
    """Strings that stand by themselves, in order of line."""
    nodes = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    texts = [node for node in nodes if isinstance(node, ast.Constant)]
    for node in sorted(texts, key=lambda node: node.lineno):
        if isinstance(node.value, str):
            yield node.value


def _plain(text: str) -> str:
    """On one line, without literal blocks' marks."""
    return " ".join(text.replace("::", ":").split())


def _saying(text: str) -> str:
    """The paragraph's sentences with the mark, less the mark itself."""
    paragraph = next(part for part in re.split(r"\n\s*\n", text) if MARK in part)
    sentences = _SENTENCE.split(_plain(paragraph))
    chosen: list[str] = []
    for before, sentence in zip(["", *sentences], sentences, strict=False):
        if MARK in sentence:
            short = len(sentence) < _SHORT and before not in chosen
            chosen += [before, sentence] if short else [sentence]
    return _unmarked(" ".join(part for part in chosen if part))


def _unmarked(text: str) -> str:
    """The mark in words; none where it is all that parentheses hold, or the version's."""
    return _IN_WORDS.sub("this project's own", _VERSIONED.sub("(", _BARE.sub("", text)))
