"""Device keys at rest: durable, bound to their device, and of no use without the master key."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

from osgp.concentrator.vault import Kept, erased, kept_of, refilled, state_of, taken
from osgp.errors import DecodeError, SecurityError, StoreError
from osgp.run.vault import FileVault
from osgp.security.aes_client import ClientState
from osgp.security.context import ChannelState
from osgp.security.handshake import LongTermKey
from osgp.security.keystore import LocalWrapper
from osgp.security.secret import Secret
from tests.support.street import Keys, neuron, psk

ONE, TWO = neuron(1), neuron(2)
SECRET = b"a record with keys in it"


def wrapper(octet: int = 0x11) -> LocalWrapper:
    return LocalWrapper(lambda: bytes((octet,)).hex() * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.db"


def filled(path: Path) -> FileVault:
    vault = FileVault(path, wrapper())
    vault.put(ONE, SECRET)
    return vault


def edit(path: Path, statement: str) -> None:
    file = sqlite3.connect(path)
    file.execute(statement)
    file.commit()
    file.close()


def test_records_are_there_again(path: Path) -> None:
    filled(path).close()
    vault = FileVault(path, wrapper())
    assert vault.get(ONE) == SECRET
    assert vault.get(TWO) is None
    vault.put(ONE, b"newer")
    assert FileVault(path, wrapper()).get(ONE) == b"newer"


def test_a_record_is_on_the_disk_when_it_is_kept(path: Path) -> None:
    """Numbers are nonces: one that the disk forgets is used twice. 2 is SQLite's FULL."""
    vault = filled(path)
    assert vault._file.execute("PRAGMA synchronous").fetchone() == (2,)


def test_nothing_is_in_clear_and_nobody_else_may_read(path: Path) -> None:
    filled(path).close()
    for file in path.parent.iterdir():
        assert SECRET not in file.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert SECRET.hex() not in repr(filled(path))


def test_another_master_key_opens_nothing(path: Path) -> None:
    filled(path).close()
    with pytest.raises(SecurityError):
        FileVault(path, wrapper(0x22))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE record SET closed = CAST(x'00' || closed AS BLOB)",
        "UPDATE record SET closed = 'text'",
        "UPDATE record SET closed = x''",
        f"UPDATE record SET name = '{ONE.hex()}' WHERE name = '{TWO.hex()}'",
    ],
    ids=["altered", "another type", "emptied", "another device's"],
)
def test_what_was_altered_is_refused(path: Path, statement: str) -> None:
    vault = filled(path)
    if TWO.hex() in statement:
        vault.put(TWO, b"two")
        edit(path, f"DELETE FROM record WHERE name = '{ONE.hex()}'")
    edit(path, statement)
    with pytest.raises(SecurityError):
        vault.get(ONE)


def test_what_is_no_vault_is_refused_in_one_line(path: Path) -> None:
    path.write_bytes(b"no database at all, and long enough to be looked at" * 40)
    with pytest.raises(StoreError, match=r"keys\.db"):
        FileVault(path, wrapper())


def test_a_newer_vault_and_another_wrapper_are_refused(path: Path) -> None:
    filled(path).close()
    edit(path, "UPDATE envelope SET wrapper = 'hsm'")
    with pytest.raises(StoreError, match="held by 'hsm'"):
        FileVault(path, wrapper())
    edit(path, "PRAGMA user_version = 9")
    with pytest.raises(StoreError, match="newer"):
        FileVault(path, wrapper())


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        FileVault(tmp_path / "nowhere" / "keys.db", wrapper())


# --- records ---------------------------------------------------------------------------------


def record() -> Kept:
    newer = LongTermKey(2, psk(1, 2).reveal())
    channel = ChannelState(2, ONE, 7, b"U" * 16, b"W" * 16, number=9)
    state = ClientState(ONE, LongTermKey(1, psk(1, 1).reveal()), newer, True, 7, channel, True)
    return Kept(msgspec.msgpack.encode(state), bound=True, day=5, holder=b"\xcc" * 6)


def test_an_erased_record_remembers_versions_and_epoch_and_no_key() -> None:
    bare = erased(record())
    state = state_of(bare)
    assert (state.epoch, state.channel, bare.bound) == (7, None, True)
    for key in (psk(1, 1), psk(1, 2), Secret(b"U" * 16), Secret(b"W" * 16)):
        assert key.reveal() not in bare.client


def test_an_erased_record_is_refilled_from_the_utility() -> None:
    keys = Keys(2)
    keys.able = {ONE}
    assert refilled(record(), keys) == record()
    full = state_of(refilled(erased(record()), keys))
    assert full.long_term == LongTermKey(1, psk(1, 1).reveal())
    assert full.next_long_term == LongTermKey(2, psk(1, 2).reveal())


def test_who_takes_a_record_gets_no_channel() -> None:
    other = taken(record(), b"\xdd" * 6)
    assert other.holder == b"\xdd" * 6
    assert state_of(other).channel is None
    assert state_of(other).epoch == 7
    assert b"U" * 16 not in other.client


@pytest.mark.parametrize("stored", [b"", b"\xc1", b"\x93\x01\x02\x03", msgspec.msgpack.encode({})])
def test_what_is_no_record_is_refused(stored: bytes) -> None:
    with pytest.raises(DecodeError):
        kept_of(stored)
    with pytest.raises(DecodeError):
        state_of(Kept(stored))


def test_a_record_does_not_show_its_keys() -> None:
    shown = repr(record()) + str(record()) + repr(state_of(record()))
    for key in (psk(1, 1), psk(1, 2)):
        assert key.reveal().hex() not in shown
        assert repr(key.reveal()) not in shown
