"""Who holds the master key: the system's keyring, or a program that never shows it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from osgp.errors import OsgpError
from osgp.run import keyholders
from osgp.security.secret import Secret

from .conftest import Runner
from .test_keys import MASTER, NEURON, OMAK, imported, options, silent, written

HOLDER = '''
"""A stand-in for an HSM: AES-GCM under a key of its own, which it never shows."""
import base64, os, sys
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

box = AESGCM(b"h" * 32)
given = base64.b64decode(sys.stdin.readline())
if sys.argv[-1] == "wrap":
    nonce = os.urandom(12)
    answer = nonce + box.encrypt(nonce, given, b"")
else:
    answer = box.decrypt(given[:12], given[12:], b"")
print(base64.b64encode(answer).decode())
'''


class Memory(KeyringBackend):
    """A keyring that forgets; `broken` fails like a locked one."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # has no types
        self.kept: dict[tuple[str, str], str] = {}
        self.broken = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.broken:
            raise KeyringLocked("locked\nand more")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


@pytest.fixture
def ring() -> Iterator[Memory]:
    before, memory = keyring.get_keyring(), Memory()
    keyring.set_keyring(memory)
    yield memory
    keyring.set_keyring(before)


@pytest.fixture
def program(tmp_path: Path) -> str:
    (tmp_path / "holder.py").write_text(HOLDER, encoding="ascii")
    return shlex.join([sys.executable, str(tmp_path / "holder.py")])


def store(tmp_path: Path) -> tuple[str, str]:
    return "--store", str(tmp_path / "keys.json")


def test_the_keyring_gets_a_master_key_once_and_opens_the_store(
    osgp: Runner, tmp_path: Path, ring: Memory
) -> None:
    held = (*store(tmp_path), "--master-keyring", "utility")
    made = osgp("keys", "init", *held)
    assert made.code == 0 and "new master key 'utility'" in made.err
    assert silent(made.err, *ring.kept.values())
    file = written(tmp_path / "key.txt", OMAK)
    assert osgp("keys", "import", NEURON, "omak", "--key-file", file, *held).code == 0
    assert len(osgp("keys", "list", *held, "--json").json) == 1
    second = osgp(
        "keys", "init", "--store", str(tmp_path / "two.json"), "--master-keyring", "utility"
    )
    assert second.code == 0 and "new master key" not in second.err
    assert len(ring.kept) == 1


@pytest.mark.parametrize("broken", [False, True], ids=["another name", "locked"])
def test_a_keyring_without_the_key_is_one_line(
    osgp: Runner, tmp_path: Path, ring: Memory, broken: bool
) -> None:
    assert osgp("keys", "init", *store(tmp_path), "--master-keyring", "utility").code == 0
    ring.broken = broken
    result = osgp("keys", "list", *store(tmp_path), "--master-keyring", "other")
    assert result.code in (1, 2) and result.err.count("\n") == 1
    assert "keyring" in result.err and "and more" not in result.err


def test_without_the_library_the_way_out_is_said(
    osgp: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    result = osgp("keys", "init", *store(tmp_path), "--master-keyring", "utility")
    assert result.code == 2 and result.err.count("\n") == 1
    assert "pip install 'osgp[keyring]'" in result.err
    assert not (tmp_path / "keys.json").exists()


def test_a_program_holds_the_master_key(osgp: Runner, tmp_path: Path, program: str) -> None:
    held = (*store(tmp_path), "--master-program", program)
    assert osgp("keys", "init", *held).code == 0
    file = written(tmp_path / "key.txt", OMAK)
    assert osgp("keys", "import", NEURON, "omak", "--key-file", file, *held).code == 0
    assert len(osgp("keys", "list", *held, "--json").json) == 1
    master = written(tmp_path / "master.txt", MASTER)
    refused = osgp("keys", "list", *store(tmp_path), "--master-file", master)
    assert refused.code == 1 and "held by 'program'" in refused.err


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import sys; sys.exit(3)", "refused (exit code 3)"),
        ("print('no base64!')", "no line of base64"),
        ("pass", "no line of base64"),
        ("raise ValueError('5ec7e7')", "exit code 1"),
    ],
)
def test_a_program_that_fails_is_one_line(
    osgp: Runner, tmp_path: Path, source: str, told: str
) -> None:
    (tmp_path / "bad.py").write_text(source, encoding="ascii")
    command = shlex.join([sys.executable, str(tmp_path / "bad.py")])
    result = osgp("keys", "init", *store(tmp_path), "--master-program", command)
    assert result.code == 1 and result.err.count("\n") == 1
    assert told in result.err and "5ec7e7" not in result.err
    assert not (tmp_path / "keys.json").exists()


@pytest.mark.parametrize("command", ["", "/no/such/program", "a 'quote"])
def test_what_is_no_program_is_one_line(osgp: Runner, tmp_path: Path, command: str) -> None:
    result = osgp("keys", "init", *store(tmp_path), "--master-program", command)
    assert result.code in (1, 2) and result.err.count("\n") == 1


def test_a_program_that_changes_its_mind_opens_nothing(tmp_path: Path, program: str) -> None:
    holder = keyholders.wrapper(keyholders.Holder(program=program))
    wrapped = holder.wrap(Secret(bytes(32)))
    assert holder.unwrap(wrapped) == Secret(bytes(32))
    with pytest.raises(OsgpError):
        holder.unwrap(wrapped[:-1] + bytes((wrapped[-1] ^ 1,)))


def test_one_holder_at_a_time(osgp: Runner, tmp_path: Path, program: str) -> None:
    imported(osgp, tmp_path, {})
    result = osgp("keys", "list", *options(tmp_path), "--master-program", program)
    assert result.code == 2 and result.err.count("\n") == 1


def test_a_store_changes_hands_and_keeps_its_keys(
    osgp: Runner, tmp_path: Path, program: str, ring: Memory
) -> None:
    imported(osgp, tmp_path, {f"{NEURON}.omak": OMAK})
    moved = osgp("keys", "rewrap", *options(tmp_path), "--new-master-program", program)
    assert moved.code == 0
    assert osgp("keys", "list", *options(tmp_path)).code == 1
    held = (*store(tmp_path), "--master-program", program)
    again = osgp("keys", "rewrap", *held, "--new-master-keyring", "utility")
    assert again.code == 0
    out = tmp_path / "out.txt"
    held = (*store(tmp_path), "--master-keyring", "utility")
    arguments = ("keys", "export-for-device", NEURON, "omak", "--out", str(out))
    assert osgp(*arguments, *held).code == 0
    assert out.read_text(encoding="ascii").strip() == OMAK
    nobody = osgp("keys", "rewrap", *held)
    assert nobody.code == 2 and nobody.err.count("\n") == 1
