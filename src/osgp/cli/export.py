"""`osgp export`: what is stored, as files."""

from __future__ import annotations

from pathlib import Path

import msgspec
import typer
from rich.console import Console

from osgp.errors import UsageError

EXAMPLE = "Example: osgp export --store sqlite:///osgp.db --csv out"


def register(app: typer.Typer) -> None:
    app.command("export", epilog=EXAMPLE)(export)


def export(
    store: str = typer.Option(..., help="Store to read, e.g. sqlite:///osgp.db."),
    csv: Path | None = typer.Option(
        None, help="Directory for registers.csv, intervals.csv and events.csv."
    ),
    json: bool = typer.Option(False, "--json", help="Print the row counts as JSON."),
) -> None:
    """Write registers, intervals (UTC) and events of a store as CSV files."""
    from osgp.headend.exporting import export_csv
    from osgp.headend.store import open_store

    if csv is None:
        raise UsageError("say where to: --csv DIR")
    with open_store(store, create=False) as opened:
        counts = export_csv(opened, csv)
    if json:
        typer.echo(msgspec.json.encode(counts).decode())
        return
    console = Console()
    for name, rows in counts.items():
        console.print(f"{csv / name}.csv: {rows:,} rows", highlight=False, soft_wrap=True)
