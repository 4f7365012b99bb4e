"""`osgp keys`: keys go in from files or prompts, come out into private files, and show nowhere."""

from __future__ import annotations

import base64
import contextlib
import logging
import stat
import traceback
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from osgp.cli.main import app
from osgp.errors import OsgpError
from osgp.run import keyholders, keyring
from osgp.security.keys import Purpose, read_key
from osgp.security.keystore import KeyStore, LocalWrapper

from .conftest import Result, Runner

MASTER = "5ec7e7" + "a5" * 29
OTHER = "0badbad0" * 8
OMAK = "c0ffee" * 4
OPTICAL = "correct horse batter"
NEURON = "050012345678"


def forms(secret: str) -> set[str]:
    """A key as it could turn up: as it was typed, in hex of either case, in base64, in a repr."""
    raw = {secret.encode()}
    with contextlib.suppress(ValueError):
        raw.add(bytes.fromhex(secret))
    shown = {secret, secret.upper()}
    for value in raw:
        shown |= {value.hex(), value.hex(" "), base64.b64encode(value).decode(), repr(value)[2:-1]}
    return shown


def silent(text: str, *secrets: str) -> bool:
    return not any(form in text for secret in secrets for form in forms(secret))


def written(path: Path, text: str) -> str:
    path.write_text(text + "\n", encoding="ascii")
    return str(path)


def imported(osgp: Runner, tmp_path: Path, keys: dict[str, str]) -> Path:
    """A key store with these keys, by entry, in hex."""
    store, master = tmp_path / "keys.json", written(tmp_path / "master.txt", MASTER)
    options = ("--store", str(store), "--master-file", master)
    if not store.exists():
        assert osgp("keys", "init", *options).code == 0
    for entry, key in keys.items():
        name, _, kind = entry.partition(".")
        file = written(tmp_path / "key.txt", key)
        assert osgp("keys", "import", name, kind, "--key-file", file, *options).code == 0
    return store


def options(tmp_path: Path) -> tuple[str, ...]:
    store = ("--store", str(tmp_path / "keys.json"))
    return (*store, "--master-file", str(tmp_path / "master.txt"))


def test_a_drawn_master_key_is_private_and_opens_the_store(osgp: Runner, tmp_path: Path) -> None:
    master, store = tmp_path / "master.txt", tmp_path / "keys.json"
    result = osgp("keys", "init", "--store", str(store), "--make-master", str(master))
    assert result.code == 0
    assert stat.S_IMODE(master.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    assert silent(result.out + result.err, master.read_text(encoding="ascii").strip())
    assert osgp("keys", "list", *options(tmp_path), "--json").json == []


def test_nothing_is_written_over(osgp: Runner, tmp_path: Path) -> None:
    store = imported(osgp, tmp_path, {f"{NEURON}.omak": OMAK})
    before = store.read_bytes()
    again = osgp("keys", "init", *options(tmp_path))
    drawn = osgp("keys", "init", "--store", str(store), "--make-master", str(tmp_path / "m2"))
    file = written(tmp_path / "key.txt", "11" * 12)
    twice = osgp("keys", "import", NEURON, "omak", "--key-file", file, *options(tmp_path))
    assert (again.code, drawn.code, twice.code) == (2, 2, 2)
    assert not (tmp_path / "m2").exists()
    assert store.read_bytes() == before
    arguments = ("keys", "import", NEURON, "omak", "--key-file", file, "--replace")
    assert osgp(*arguments, *options(tmp_path)).code == 0
    assert store.read_bytes() != before


@pytest.mark.parametrize(
    ("kind", "key", "form", "size"),
    [
        ("optical", OPTICAL, "20 characters", 20),
        ("optical", "ab" * 20, "40 hex digits", 20),
        ("mep", OPTICAL, "20 characters", 16),
        ("mep", "ab" * 16, "32 hex digits", 16),
        ("omak", OMAK, "24 hex digits", 12),
        ("aes", "cd" * 16, "32 hex digits", 16),
    ],
)
def test_the_form_is_said(
    osgp: Runner, tmp_path: Path, kind: str, key: str, form: str, size: int
) -> None:
    imported(osgp, tmp_path, {})
    file = written(tmp_path / "key.txt", key)
    arguments = ("keys", "import", NEURON, kind, "--key-file", file, *options(tmp_path))
    found = osgp(*arguments, "--json").json
    assert (found["form"], found["bytes"], found["entry"]) == (form, size, f"{NEURON}.{kind}")
    assert form in osgp(*arguments, "--replace").err


def test_the_list_has_names_and_no_keys(osgp: Runner, tmp_path: Path) -> None:
    imported(osgp, tmp_path, {f"{NEURON}.omak": OMAK, "utility.aes": "cd" * 16})
    result = osgp("keys", "list", *options(tmp_path), "--json")
    assert result.json == [
        {"name": NEURON, "kind": "omak", "bytes": 12},
        {"name": "utility", "kind": "aes", "bytes": 16},
    ]
    shown = osgp("keys", "list", *options(tmp_path))
    assert "omak" in shown.out and silent(shown.out + result.out, OMAK, "cd" * 16, MASTER)


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("omak", OMAK),
        ("aes", "cd" * 16),
        ("mep", "0123456789abcdef" * 2),
        ("optical", OPTICAL),
        ("optical", "hex:" + "0123456789" * 2),
    ],
)
def test_an_exported_key_is_private_and_reads_back(
    osgp: Runner, tmp_path: Path, kind: str, key: str
) -> None:
    imported(osgp, tmp_path, {f"{NEURON}.{kind}": key})
    out = tmp_path / "device.txt"
    arguments = ("keys", "export-for-device", NEURON, kind, "--out", str(out))
    result = osgp(*arguments, *options(tmp_path))
    assert result.code == 0 and result.out == "" and silent(result.err, key)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    purpose = keyring.PURPOSES[kind]
    exported = read_key(out.read_text(encoding="ascii"), purpose)
    assert exported.secret == read_key(key, purpose).secret
    assert osgp(*arguments, *options(tmp_path)).code == 2


@pytest.mark.parametrize("place", ["-", "/dev/stdout", "no/such/directory/key.txt"])
def test_keys_are_written_to_new_files_only(osgp: Runner, tmp_path: Path, place: str) -> None:
    imported(osgp, tmp_path, {f"{NEURON}.omak": OMAK})
    arguments = ("keys", "export-for-device", NEURON, "omak", "--out", place)
    result = osgp(*arguments, *options(tmp_path))
    assert result.code == 2 and silent(result.out + result.err, OMAK)


def test_no_link_is_followed(osgp: Runner, tmp_path: Path) -> None:
    imported(osgp, tmp_path, {f"{NEURON}.omak": OMAK})
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    arguments = ("keys", "export-for-device", NEURON, "omak", "--out", str(tmp_path / "link"))
    assert osgp(*arguments, *options(tmp_path)).code == 2
    assert not (tmp_path / "elsewhere").exists()


def test_no_command_takes_a_key_on_its_command_line(osgp: Runner) -> None:
    assert app.info.name == "osgp"
    for command in ("init", "import", "list", "export-for-device"):
        told = osgp("keys", command, "--help")
        assert told.code == 0
        assert "--key " not in told.out and "--master " not in told.out and "Example" in told.out


def test_the_environment_and_the_prompt(
    osgp: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported(osgp, tmp_path, {})
    arguments = ("keys", "list", "--store", str(tmp_path / "keys.json"))
    assert osgp(*arguments).code == 2
    monkeypatch.setenv(keyholders.VARIABLE, MASTER)
    assert osgp(*arguments).code == 0
    monkeypatch.delenv(keyholders.VARIABLE)
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return MASTER

    held = keyholders.wrapper(ask=ask)
    assert len(keyring.open_existing(tmp_path / "keys.json", lambda: held)) == 0
    assert asked == ["master key (64 hex digits): "]


WRONG: dict[str, tuple[str, ...]] = {
    "another master key": ("list", "--master-file", "other.txt"),
    "no master key": ("list", "--master-file", "key.txt"),
    "no file": ("list", "--master-file", "none.txt"),
    "a key as a name": ("import", OMAK, "omak", "--master-file", "master.txt"),
    "no kind": ("import", NEURON, "omac", "--master-file", "master.txt"),
    "no key": ("import", "two", "aes", "--key-file", "key.txt", "--master-file", "master.txt"),
    "no text": ("import", "two", "aes", "--key-file", "raw.bin", "--master-file", "master.txt"),
    "no terminal": ("import", "two", "aes", "--master-file", "master.txt"),
    "no entry": ("export-for-device", "two", "aes", "--out", "x", "--master-file", "master.txt"),
}


@pytest.fixture
def street(osgp: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    imported(osgp, tmp_path, {f"{NEURON}.omak": OMAK})
    written(tmp_path / "other.txt", OTHER)
    written(tmp_path / "key.txt", OMAK)
    (tmp_path / "raw.bin").write_bytes(bytes.fromhex(OMAK) + b"\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG.keys())
def test_refusals_are_one_line_and_show_no_key(
    osgp: Runner, street: Path, caplog: pytest.LogCaptureFixture, arguments: tuple[str, ...]
) -> None:
    before = (street / "keys.json").read_bytes()
    with caplog.at_level(logging.DEBUG), capture_logs() as logs:
        result: Result = osgp("keys", *arguments)
    assert result.code in (1, 2) and result.out == ""
    assert result.err.startswith("osgp: ") and result.err.count("\n") == 1
    assert silent(result.err + caplog.text + repr(logs), MASTER, OTHER, OMAK)
    assert (street / "keys.json").read_bytes() == before
    assert not (street / "x").exists()


def test_nothing_that_is_kept_or_raised_shows_a_key(street: Path) -> None:
    held = KeyStore(street / "keys.json", LocalWrapper(lambda: MASTER))
    found = read_key(OMAK, Purpose.OMAK)
    entries = list(keyring.entries(held))
    kept = (street / "keys.json").read_text(encoding="utf-8")
    assert silent(repr((held, found, entries, held[f"{NEURON}.omak"])) + kept, OMAK, MASTER)
    told = []
    for master in (OTHER, MASTER + "00", "x" + MASTER[1:]):
        try:
            KeyStore(street / "keys.json", LocalWrapper(lambda text=master: text))  # type: ignore[misc]  # a default binds it now
        except OsgpError as error:
            told.append("".join(traceback.format_exception(error)) + repr(error.args))
    assert len(told) == 3 and silent("".join(told), OTHER, MASTER, OMAK)


@pytest.mark.parametrize("group", ["keys", "audit"])
def test_a_group_alone_shows_its_help_and_no_empty_complaint(osgp: Runner, group: str) -> None:
    result = osgp(group)
    assert result.code == 2 and result.err == ""
    assert "Usage: osgp " + group in result.out
