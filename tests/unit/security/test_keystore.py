"""The key store: nothing in clear, nothing exchangeable, nothing lost half-way."""

from __future__ import annotations

import json
import os
import random
import stat
from pathlib import Path

import pytest

from osgp.errors import SecurityError, StoreError, UsageError
from osgp.security.keys import Purpose
from osgp.security.keystore import KeyStore, LocalWrapper, from_environment, read_key_file
from osgp.security.secret import Secret

ENTROPY = random.Random(4).randbytes
MASTER = "aa" * 32
KEY = Secret(b"0123456789ab")


def wrapper(master: str = MASTER) -> LocalWrapper:
    return LocalWrapper(lambda: master, ENTROPY)


def filled(path: Path) -> KeyStore:
    store = KeyStore(path, wrapper(), ENTROPY)
    store["meter 1"], store["meter 2"] = KEY, Secret(b"another key!")
    return store


def test_keys_come_back(tmp_path: Path) -> None:
    filled(tmp_path / "keys")
    store = KeyStore(tmp_path / "keys", wrapper(), ENTROPY)
    assert list(store) == ["meter 1", "meter 2"]
    assert store["meter 1"] == KEY
    del store["meter 1"]
    again = KeyStore(tmp_path / "keys", wrapper())
    assert dict(again) == {"meter 2": Secret(b"another key!")}
    with pytest.raises(KeyError):
        again["meter 1"]
    with pytest.raises(KeyError):
        del again["meter 1"]


def test_the_file_shows_nothing_and_is_private(tmp_path: Path) -> None:
    store = filled(tmp_path / "keys")
    raw = (tmp_path / "keys").read_bytes()
    for secret in (KEY.reveal(), KEY.reveal().hex().encode(), b"another key!"):
        assert secret not in raw
        assert secret.decode() not in repr(store)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["keys"]


def test_a_store_is_on_the_disk_before_it_replaces_the_former(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, sync, replace = list[str](), os.fsync, Path.replace

    def synced(handle: int) -> None:
        steps.append("sync")
        sync(handle)

    def replaced(self: Path, target: Path) -> Path:
        steps.append("replace")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    KeyStore(tmp_path / "keys.json", LocalWrapper(lambda: "11" * 32))["a"] = Secret(bytes(16))
    assert steps == ["sync", "replace"]


def test_another_master_key_opens_nothing(tmp_path: Path) -> None:
    filled(tmp_path / "keys")
    with pytest.raises(SecurityError):
        KeyStore(tmp_path / "keys", wrapper("ab" * 32))


def test_entries_cannot_be_exchanged_or_altered(tmp_path: Path) -> None:
    filled(tmp_path / "keys")
    image = json.loads((tmp_path / "keys").read_text())
    one, two = image["keys"]["meter 1"], image["keys"]["meter 2"]
    image["keys"] = {"meter 1": two, "meter 2": one[:-4] + "AAA=", "short": "AAAA"}
    (tmp_path / "keys").write_text(json.dumps(image))
    store = KeyStore(tmp_path / "keys", wrapper())
    for name in store:
        with pytest.raises(SecurityError):
            store[name]


def test_rewrapping_changes_the_master_key_only(tmp_path: Path) -> None:
    store = filled(tmp_path / "keys")
    store.rewrap(wrapper("cd" * 32))
    store["meter 3"] = KEY
    assert KeyStore(tmp_path / "keys", wrapper("cd" * 32))["meter 3"] == KEY
    with pytest.raises(SecurityError):
        KeyStore(tmp_path / "keys", wrapper())


def test_a_holder_outside_never_gives_the_master_key_away(tmp_path: Path) -> None:
    class Hsm:
        name = "hsm"

        def __init__(self) -> None:
            self.held: dict[bytes, Secret] = {}

        def wrap(self, data_key: Secret) -> bytes:
            self.held[b"handle"] = data_key
            return b"handle"

        def unwrap(self, wrapped: bytes) -> Secret:
            return self.held[wrapped]

    hsm = Hsm()
    KeyStore(tmp_path / "keys", hsm, ENTROPY)["a"] = KEY
    assert KeyStore(tmp_path / "keys", hsm)["a"] == KEY
    with pytest.raises(StoreError, match="hsm"):
        KeyStore(tmp_path / "keys", wrapper())


def test_the_environment_is_a_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSGP_MASTER_KEY", MASTER)
    sealed = wrapper().wrap(KEY)
    assert LocalWrapper(from_environment()).unwrap(sealed) == KEY
    monkeypatch.delenv("OSGP_MASTER_KEY")
    with pytest.raises(UsageError, match="OSGP_MASTER_KEY"):
        LocalWrapper(from_environment())


@pytest.mark.parametrize("master", ["", "zz" * 32, "aa" * 31])
def test_bad_master_keys_are_refused_without_showing_them(master: str) -> None:
    with pytest.raises(UsageError) as caught:
        wrapper(master)
    assert not master or master not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"osgp-keystore": 2}', b"\xff"])
def test_what_is_no_key_store_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "keys").write_bytes(content)
    with pytest.raises(StoreError):
        KeyStore(tmp_path / "keys", wrapper())


def test_a_later_version_is_refused(tmp_path: Path) -> None:
    filled(tmp_path / "keys")
    raw = (tmp_path / "keys").read_text().replace('"osgp-keystore":1', '"osgp-keystore":2')
    (tmp_path / "keys").write_text(raw)
    with pytest.raises(StoreError, match="version 2"):
        KeyStore(tmp_path / "keys", wrapper())


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    store = KeyStore(tmp_path / "missing" / "keys", wrapper())
    with pytest.raises(StoreError):
        store["a"] = KEY


def test_key_files(tmp_path: Path) -> None:
    path = tmp_path / "rk.txt"
    path.write_text("Utility key no. 0042\nsecond line\n")
    assert read_key_file(path, Purpose.OPTICAL).secret.reveal() == b"Utility key no. 0042"
    path.write_text("")
    with pytest.raises(UsageError):
        read_key_file(path, Purpose.OPTICAL)
    path.write_bytes(b"\xff" * 20)
    with pytest.raises(UsageError, match="ASCII"):
        read_key_file(path, Purpose.OPTICAL)
    with pytest.raises(UsageError):
        read_key_file(tmp_path / "absent", Purpose.OPTICAL)
