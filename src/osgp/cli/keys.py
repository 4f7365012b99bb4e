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
REWRAP = (
    "Example: osgp keys rewrap --master-file master.txt --new-master-program /usr/local/bin/hsm"
)

keys = typer.Typer(
    help=(
        "Keys at rest. The master key: --master-file, --master-keyring, --master-program, "
        "OSGP_MASTER_KEY, or a prompt."
    ),
    no_args_is_help=True,
)

STORE = typer.Option(Path("keys.json"), "--store", metavar="FILE", help="The key store.")
MASTER = typer.Option(None, metavar="FILE", help="File with the master key: 64 hex digits.")
RING = typer.Option(
    None, "--master-keyring", metavar="NAME", help="Master key in the system's keyring."
)
PROGRAM = typer.Option(
    None, "--master-program", metavar="PROGRAM", help="Program that holds it: an HSM, a Vault."
)
NAME = typer.Argument(help="Whose key: a neuron id, or another name.")
KIND = typer.Argument(help="optical, mep, omak or aes.")


def register(app: typer.Typer) -> None:
    keys.command("init", epilog=INIT)(init)
    keys.command("import", epilog=IMPORT)(import_)
    keys.command("list", epilog=LIST)(list_)
    keys.command("export-for-device", epilog=EXPORT)(export_for_device)
    keys.command("rewrap", epilog=REWRAP)(rewrap)
    app.add_typer(keys, name="keys")


def init(
    store: Path = STORE,
    master_file: Path | None = MASTER,
    master_keyring: str | None = RING,
    master_program: str | None = PROGRAM,
    make_master: Path | None = typer.Option(
        None, metavar="FILE", help="Draw a master key into this new file, and use it."
    ),
) -> None:
    """Make an empty key store."""
    from osgp.errors import UsageError
    from osgp.run import keyholders, keyring

    if store.exists():
        raise UsageError(f"{store} exists already")
    if make_master is not None:
        if any((master_file, master_keyring, master_program)):
            raise UsageError("--make-master draws a key; the other options use one that is there")
        keyring.make_master(make_master)
        said(
            f"{make_master}: a new master key. Keep it apart from the store; nobody can replace it."
        )
    holder = keyholders.Holder(make_master or master_file, master_keyring, master_program)
    if master_keyring is not None and keyholders.make_in_keyring(master_keyring):
        said(f"the system's keyring has a new master key '{master_keyring}'")
    keyring.create(store, keyholders.wrapper(holder))
    said(f"{store}: an empty key store")


def rewrap(
    store: Path = STORE,
    master_file: Path | None = MASTER,
    master_keyring: str | None = RING,
    master_program: str | None = PROGRAM,
    new_file: Path | None = typer.Option(
        None, "--new-master-file", metavar="FILE", help="File with the master key from now on."
    ),
    new_keyring: str | None = typer.Option(
        None, "--new-master-keyring", metavar="NAME", help="The same in the system's keyring."
    ),
    new_program: str | None = typer.Option(
        None, "--new-master-program", metavar="PROGRAM", help="The same held by a program."
    ),
) -> None:
    """Hand the store to another master key. The keys in it stay as they are."""
    from osgp.errors import UsageError
    from osgp.run import keyholders

    if not any((new_file, new_keyring, new_program)):
        raise UsageError("to whom? --new-master-file, --new-master-keyring, --new-master-program")
    held = opened(store, master_file, master_keyring, master_program)
    if new_keyring is not None and keyholders.make_in_keyring(new_keyring):
        said(f"the system's keyring has a new master key '{new_keyring}'")
    held.rewrap(keyholders.wrapper(keyholders.Holder(new_file, new_keyring, new_program)))
    said(f"{store}: opens with the new master key only; old copies of the file with the old one")


def import_(
    name: str = NAME,
    kind: str = KIND,
    key_file: Path | None = typer.Option(
        None, metavar="FILE", help="File with the key; asked for if not given."
    ),
    replace: bool = typer.Option(False, "--replace", help="In the place of the one that is there."),
    store: Path = STORE,
    master_file: Path | None = MASTER,
    master_keyring: str | None = RING,
    master_program: str | None = PROGRAM,
    json: bool = JSON,
) -> None:
    """Keep a key. Says in which form it was read, because forms are easily confused."""
    from osgp.run.keyring import add, entry_name

    entry = entry_name(name, kind)
    held = opened(store, master_file, master_keyring, master_program)
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


def list_(
    store: Path = STORE,
    master_file: Path | None = MASTER,
    master_keyring: str | None = RING,
    master_program: str | None = PROGRAM,
    json: bool = JSON,
) -> None:
    """List the keys' names, kinds and lengths; never the keys."""
    from osgp.run.keyring import entries

    found = list(entries(opened(store, master_file, master_keyring, master_program)))
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
    master_keyring: str | None = RING,
    master_program: str | None = PROGRAM,
) -> None:
    """Write one key to a file that a tool for the device reads. Delete it afterwards."""
    from osgp.run.keyring import export

    export(opened(store, master_file, master_keyring, master_program), name, kind, out)
    said(f"{out}: the key in clear, readable by you only; delete it when it is in the device")


def opened(
    store: Path,
    master_file: Path | None = None,
    master_keyring: str | None = None,
    master_program: str | None = None,
) -> KeyStore:
    """The key store, with the master key that this call gives. Raises OsgpError."""
    from osgp.run.keyholders import Holder, wrapper
    from osgp.run.keyring import open_existing

    holder = Holder(master_file, master_keyring, master_program)
    return open_existing(store, lambda: wrapper(holder))
