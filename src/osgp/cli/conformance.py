"""`osgp conformance`: what of the standard exists, entry by entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import typer
from rich.text import Text

from osgp.errors import UsageError

from .inputs import JSON, console, cut, lines, print_json

if TYPE_CHECKING:
    from osgp.export.conformance import Line

EXAMPLE = (
    "Examples: osgp conformance · osgp conformance --status 'not yet' · "
    "osgp conformance 9 --json · osgp conformance F.8"
)

PIPE_WIDTH = 400
"""Columns where nobody looks: no entry is cut."""

_CUT = ("implemented in…", "tested in…", "note…")
_STYLES = {"partly": "yellow", "not yet": "red", "none": "dim", "opaque": "dim"}


def register(app: typer.Typer) -> None:
    app.command("conformance", epilog=EXAMPLE)(conformance)


def conformance(
    clause: str | None = typer.Argument(
        None, help="Only this clause and what is in it: 9, 8.3, B, G.3."
    ),
    status: str | None = typer.Option(
        None, help="Only entries with this status: yes, partly, layout, opaque, not yet, none."
    ),
    json: bool = JSON,
) -> None:
    """Print the conformance statement: a line for each entry of the standard's contents list."""
    from osgp.export.conformance import STATUSES, statement

    if status is not None and status not in STATUSES:
        raise UsageError(f"no status {status!r}; there are {', '.join(STATUSES)}")
    within = [line for line in statement(served()) if _within(line, clause)]
    if not within:
        raise UsageError(f"the contents list has no clause {clause}")
    chosen = [line for line in within if status in (None, line.status)]
    if json:
        print_json([msgspec.to_builtins(line) for line in chosen])
    else:
        _show(chosen)


def served() -> frozenset[str]:
    """Tables that a virtual meter with everything has, and procedures that it executes."""
    from osgp.meter import DataSet, SetUp
    from osgp.meter.procedures import HANDLERS, M_BUS_HANDLERS, MEP_HANDLERS
    from osgp.meter.tables import WRITTEN, readable
    from osgp.spec import procedure_name, table_name
    from osgp.spec.dimensions import MOST_DATA_SETS

    everything = SetUp(data_sets=(DataSet(),) * MOST_DATA_SETS, m_bus=True, mep_ports=2)
    names = [table_name(number) for number in {*WRITTEN, *readable(everything)}]
    called = [procedure_name(number) for number in HANDLERS | M_BUS_HANDLERS | MEP_HANDLERS]
    return frozenset((*names, *called))


def _within(line: Line, clause: str | None) -> bool:
    if clause is None:
        return True
    entry, wanted = line.entry.removeprefix("Annex "), clause.removeprefix("Annex ").upper()
    return entry.upper() == wanted or entry.startswith(f"{wanted}.") or line.name == wanted


def _show(chosen: list[Line]) -> None:
    from osgp.export.conformance import STATUSES, counts

    out = console(PIPE_WIDTH)
    table = lines("entry", "", "title…", "status", "source", *_CUT)
    for line in chosen:
        cells = (
            *(line.entry, line.name, line.title, line.status, line.source),
            *(_first(line.code), _first(line.tests), line.note),
        )
        table.add_row(*map(cut, cells), style=_STYLES.get(line.status, ""))
    out.print(table)
    out.print()
    for status, number in counts(chosen).items():
        if number:
            out.print(Text(f"{number:4} {status:8} {STATUSES[status]}"))


def _first(names: tuple[str, ...]) -> str:
    """The first of several; JSON and docs/conformance.md have all."""
    shown = [name.removeprefix("tests/").removeprefix("osgp.") for name in names[:1]]
    return "".join(shown) + (f" +{len(names) - 1}" if len(names) > 1 else "")
