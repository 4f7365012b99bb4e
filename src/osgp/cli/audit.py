"""`osgp audit`: what is wrong with the old suite, and which meters have it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.text import Text

from .inputs import JSON, console, grid, print_json

if TYPE_CHECKING:
    from osgp.run.fleet import FleetAudit

OMAK_EXAMPLE = "Examples: osgp audit omak · osgp audit omak --seed 1 --json"
FLEET_EXAMPLE = (
    "Examples: osgp audit fleet --store sqlite:///osgp.db · "
    "osgp audit fleet --store sqlite:///osgp.db --keys keys.json --master-file master.txt"
)

audit = typer.Typer(help="Weaknesses: of the old suite, of a fleet.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    audit.command("omak", epilog=OMAK_EXAMPLE)(omak)
    audit.command("fleet", epilog=FLEET_EXAMPLE)(fleet)
    app.add_typer(audit, name="audit")


def omak(
    seed: int | None = typer.Option(None, min=0, help="Makes the keys that are drawn repeatable."),
    json: bool = JSON,
) -> None:
    """Recover keys of the old suite from virtual meters that are made for it, and thrown away.

    Nothing is contacted, and no address can be given. Shows how many questions each published
    attack takes, and the way to the AES suite.
    """
    from random import Random

    from osgp.run.audit import ADVICE, attack_omak

    attacks = list(attack_omak(None if seed is None else Random(seed)))
    if json:
        print_json({"attacks": attacks, "advice": ADVICE})
    else:
        out = console()
        table = grid("attack", "needs", "queries", "published", "seconds", "recovered", "right")
        for one in attacks:
            counts = (str(one.queries), one.published, f"{one.seconds:.3f}")
            right = "yes" if one.correct else "no"
            table.add_row(one.name, one.needs, *counts, Text(one.key, "red"), right)
        out.print(table)
        for line in ADVICE:
            out.print(f"\n{line}")
    if not all(one.correct for one in attacks):
        raise typer.Exit(1)


def fleet(
    store: str = typer.Option(..., help="Store to read, e.g. sqlite:///osgp.db."),
    keys: Path | None = typer.Option(
        None, metavar="FILE", help="Key store (osgp keys): finds default and shared keys too."
    ),
    master_file: Path | None = typer.Option(
        None, metavar="FILE", help="File with the key store's master key."
    ),
    master_keyring: str | None = typer.Option(
        None, metavar="NAME", help="The same in the system's keyring."
    ),
    master_program: str | None = typer.Option(
        None, metavar="PROGRAM", help="The same held by a program."
    ),
    json: bool = JSON,
) -> None:
    """List stored meters that run the old suite or have default, shared or worn keys.

    Says also what the store cannot tell. No key is shown.
    """
    from osgp.headend.store import open_store
    from osgp.run.fleet import audit_store

    held = None
    if keys is not None:
        from .keys import opened

        held = opened(keys, master_file, master_keyring, master_program)
    with open_store(store, create=False) as records:
        found = audit_store(records, held)
    if json:
        print_json(_plain(found))
    else:
        _show(found)


def _plain(found: FleetAudit) -> dict[str, Any]:
    return {
        "meters": found.meters,
        "suites": found.suites,
        "findings": [
            {"meter": one.meter, "weakness": one.weakness.name.lower(), "text": one.weakness.value}
            for one in found.findings
        ],
        "unknown": found.unknown,
    }


def _show(found: FleetAudit) -> None:
    out = console()
    table = grid("meter", "weakness")
    for one in found.findings:
        table.add_row(one.meter, Text(one.weakness.value, "yellow"))
    if found.findings:
        out.print(table)
    counts = Counter(one.weakness for one in found.findings)
    for weakness, count in counts.items():
        name = weakness.name.lower().replace("_", " ")
        out.print(f"{name}: {count} of {found.meters} meters", style="bold")
    if not found.findings:
        out.print(f"no finding in {found.meters} meters")
    for question, count in found.unknown.items():
        out.print(f"cannot tell of {count}: {question}", style="dim", soft_wrap=True)
