"""`osgp keys`: keys at rest, in a file that is of no use without its master key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .inputs import JSON, console, grid, print_json
from .ports import said

if TYPE_CHECKING:
    from osgp.security.keystore import KeyStore

INIT = "Example: osgp keys init --make-master master.txt"
IMPORT = "Example: osgp keys import 050012345678 omak --key-file omak.txt --master-file master.txt"
LIST = "Example: osgp keys list --master-file master.txt"
EXPORT = (
    "Example: osgp keys export-for-device 050012345678 aes --out aes.txt --master-file master.txt"
)

keys = typer.Typer(
    help="Keys at rest. The master key: --master-file, OSGP_MASTER_KEY, or a prompt.",
    no_args_is_help=True,
)

STORE = typer.Option(Path("keys.json"), "--store", metavar="FILE", help="The key store.")
MASTER = typer.Option(None, metavar="FILE", help="File with the master key: 64 hex digits.")
NAME = typer.Argument(help="Whose key: a neuron id, or another name.")
KIND = typer.Argument(help="optical, mep, omak or aes.")


def register(app: typer.Typer) -> None:
    keys.command("init", epilog=INIT)(init)
    keys.command("import", epilog=IMPORT)(import_)
    keys.command("list", epilog=LIST)(list_)
    keys.command("export-for-device", epilog=EXPORT)(export_for_device)
    app.add_typer(keys, name="keys")


def init(
    store: Path = STORE,
    master_file: Path | None = MASTER,
    make_master: Path | None = typer.Option(
        None, metavar="FILE", help="Draw a master key into this new file, and use it."
    ),
) -> None:
    """Make an empty key store."""
    from osgp.errors import UsageError
    from osgp.run import keyring

    if make_master is not None:
        if master_file is not None:
            raise UsageError("--make-master or --master-file, not both")
        if store.exists():
            raise UsageError(f"{store} exists already")
        keyring.make_master(make_master)
        said(
            f"{make_master}: a new master key. Keep it apart from the store; nobody can replace it."
        )
    keyring.create(store, keyring.master_source(make_master or master_file))
    said(f"{store}: an empty key store")


def import_(
    name: str = NAME,
    kind: str = KIND,
    key_file: Path | None = typer.Option(
        None, metavar="FILE", help="File with the key; asked for if not given."
    ),
    replace: bool = typer.Option(False, "--replace", help="In the place of the one that is there."),
    store: Path = STORE,
    master_file: Path | None = MASTER,
    json: bool = JSON,
) -> None:
    """Keep a key. Says in which form it was read, because forms are easily confused."""
    from osgp.run.keyring import add, entry_name

    entry = entry_name(name, kind)
    held = opened(store, master_file)
    found = add(held, name, kind, key_file, replace=replace, ask=None)
    if json:
        print_json(
            {
                "entry": entry,
                "form": str(found.form),
                "bytes": len(found.secret),
                "remark": found.remark,
            }
        )
    else:
        said(f"{entry}: {found}")


def list_(store: Path = STORE, master_file: Path | None = MASTER, json: bool = JSON) -> None:
    """List the keys' names, kinds and lengths; never the keys."""
    from osgp.run.keyring import entries

    found = list(entries(opened(store, master_file)))
    if json:
        print_json(found)
        return
    table = grid("name", "kind", "bytes")
    for entry in found:
        table.add_row(entry.name, entry.kind, str(entry.bytes))
    console().print(table)


def export_for_device(
    name: str = NAME,
    kind: str = KIND,
    out: Path = typer.Option(..., metavar="FILE", help="New file, for its owner only (0600)."),
    store: Path = STORE,
    master_file: Path | None = MASTER,
) -> None:
    """Write one key to a file that a tool for the device reads. Delete it afterwards."""
    from osgp.run.keyring import export

    export(opened(store, master_file), name, kind, out)
    said(f"{out}: the key in clear, readable by you only; delete it when it is in the device")


def opened(store: Path, master_file: Path | None) -> KeyStore:
    """The key store, with the master key that this call gives. Raises OsgpError."""
    from osgp.run.keyring import master_source, open_existing

    return open_existing(store, master_source(master_file))
