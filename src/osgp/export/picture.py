"""Figures, and how they become files: one figure each, the same bytes for the same content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from osgp.errors import StoreError, UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH: Final = 150
INK: Final = "#1f2933"
FAINT: Final = "#7b8794"
GRID: Final = "#e4e7eb"
FORMS: Final = ("png", "svg")


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches. Raises StoreError where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise StoreError("pictures need matplotlib: python -m pip install 'osgp[sim]'") from None
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, facecolor="white")
    figure.set_layout_engine("constrained", w_pad=0.15, h_pad=0.15)
    return figure


def form_of(path: Path, what: str) -> str:
    """PNG or SVG, by the suffix. Raises UsageError for another one."""
    form = path.suffix.lower().removeprefix(".")
    if form not in FORMS:
        raise UsageError(f"{path}: {what} is drawn to a .png or .svg file")
    return form


def save_figure(figure: Figure, path: Path, form: str) -> None:
    """Writes the whole file or nothing. Raises StoreError where it cannot be written."""
    picture = _render(figure, form)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(picture)
        part.replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def _render(figure: Figure, form: str) -> bytes:
    from io import BytesIO

    from matplotlib import rc_context

    # Without these a picture would carry the time it was made and random identifiers.
    stamps: dict[str, dict[str, Any]] = {"png": {"Software": None}, "svg": {"Date": None}}
    picture = BytesIO()
    with rc_context({"svg.hashsalt": "osgp"}):
        figure.savefig(picture, format=form, metadata=stamps[form])
    return picture.getvalue()
