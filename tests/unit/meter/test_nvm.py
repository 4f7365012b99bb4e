"""Memory: whole units or nothing, per meter, across restarts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from osgp.errors import StoreError
from osgp.meter.nvm import FileStore, MemoryNvm, Nvm, PowerCut

ONE, TWO = bytes(6), b"\1" * 6


@pytest.fixture(params=["memory", "file"])
def nvm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Nvm]:
    if request.param == "memory":
        yield MemoryNvm()
        return
    with closing(FileStore(tmp_path / "meters.db")) as store:
        yield store.memory(ONE)


def found(path: Path, meter: bytes) -> dict[str, bytes]:
    """What a new process finds in the file."""
    with closing(FileStore(path)) as store:
        return dict(store.memory(meter).items())


def test_what_was_put_is_read_before_and_after_commit(nvm: Nvm) -> None:
    assert nvm.get("a") is None
    nvm.put("a", b"1")
    assert nvm.get("a") == b"1"
    nvm.commit()
    nvm.put("a", b"2")
    nvm.put("ab", b"3")
    assert list(nvm.items()) == [("a", b"2"), ("ab", b"3")]
    assert list(nvm.items("ab")) == [("ab", b"3")]
    nvm.commit()
    nvm.sync()
    assert nvm.get("a") == b"2"


def test_an_empty_unit_is_nothing(nvm: Nvm) -> None:
    nvm.commit()
    nvm.sync()
    assert list(nvm.items()) == []


def test_a_cut_takes_the_open_unit_and_perhaps_unsynchronised_ones() -> None:
    nvm = MemoryNvm(cut_at=6)
    nvm.put("a", b"1")
    nvm.commit()
    nvm.sync()
    nvm.put("a", b"2")
    nvm.commit()
    nvm.put("a", b"3")
    with pytest.raises(PowerCut):
        nvm.commit()
    with pytest.raises(PowerCut):
        nvm.put("b", b"4")
    assert list(nvm.survivor(unsynchronised=True).items()) == [("a", b"2")]
    assert list(nvm.survivor(unsynchronised=False).items()) == [("a", b"1")]


def test_a_file_keeps_what_was_synchronised_when_the_process_ends(tmp_path: Path) -> None:
    path = tmp_path / "meters.db"
    store = FileStore(path)
    one, two = store.memory(ONE), store.memory(TWO)
    one.put("a", b"1")
    one.commit()
    one.sync()
    two.put("a", b"2")
    two.commit()
    two.sync()
    one.put("a", b"lost")
    one.commit()
    two.put("a", b"lost too")
    two.sync()
    assert found(path, ONE) == {"a": b"1"}
    assert found(path, TWO) == {"a": b"2"}
    store.close()


def test_closing_writes_what_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "meters.db"
    store = FileStore(path)
    store.memory(ONE).put("never committed", b"")
    memory = store.memory(ONE)
    memory.put("a", b"1")
    memory.commit()
    store.close()
    assert found(path, ONE) == {"a": b"1"}


def test_a_large_batch_is_written_unasked(tmp_path: Path) -> None:
    path = tmp_path / "meters.db"
    store = FileStore(path, batch=100)
    memory = store.memory(ONE)
    for number in range(150):
        memory.put(f"{number:05d}", b"x")
        memory.commit()
    assert len(found(path, ONE)) == 100
    store.close()


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "meters.db"
    path.write_bytes(b"not a database at all, but long enough to look like one" * 20)
    with pytest.raises(StoreError):
        FileStore(path)
    with pytest.raises(StoreError):
        FileStore(tmp_path / "missing" / "meters.db")


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "meters.db"
    FileStore(path).close()
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA user_version=99")
    with pytest.raises(StoreError, match="newer"):
        FileStore(path)


def test_nobody_else_may_read_the_meters_keys(tmp_path: Path) -> None:
    path = tmp_path / "meters.db"
    with closing(FileStore(path)) as store:
        store.memory(ONE).put("a", b"1")
        modes = {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert modes == {0o600}
