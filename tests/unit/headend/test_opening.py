"""Whatever is wrong with the place of a store is said in one line, without its password."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from osgp.errors import StoreError
from osgp.headend.store import open_store

SECRET = "hunter2"


def _refusal(url: str, *, create: bool = True) -> str:
    with pytest.raises(StoreError) as refused:
        open_store(url, create=create)
    said = str(refused.value)
    assert "\n" not in said
    assert SECRET not in said
    return said


@pytest.mark.parametrize("slashes", ["absolute", "relative"])
def test_sqlite_paths(slashes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"{tmp_path}/x.db" if slashes == "absolute" else "x.db"
    open_store(f"sqlite:///{name}").close()
    assert [path.name for path in tmp_path.iterdir()] == ["x.db"]
    open_store(f"sqlite:///{name}", create=False).close()


def test_sqlite_is_set_up_to_survive_a_power_cut(tmp_path: Path) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 30_000}
    with open_store(f"sqlite:///{tmp_path}/x.db") as store, store._engine.connect() as connection:
        for pragma, value in wanted.items():
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def test_a_store_in_memory() -> None:
    with open_store("sqlite://") as store:
        assert store.counts()["devices"] == 0


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "not the URL of a store"),
        ("meters.db", "not the URL of a store"),
        (f"postgresql://user:{SECRET}@host:port/x", "not the URL of a store"),
        (f"mysql://user:{SECRET}@host/x", "cannot be kept in 'mysql'"),
        (f"postgres://user:{SECRET}@host/x", "cannot be kept in 'postgres'"),
        (f"postgresql+asyncpg://user:{SECRET}@host/x", "cannot be kept in 'postgresql+asyncpg'"),
        ("sqlite+aiosqlite:///x.db", "cannot be kept in 'sqlite+aiosqlite'"),
        ("sqlite://x.db", "no host and no options"),
        ("sqlite:///x.db?mode=ro", "no host and no options"),
        ("sqlite:////nowhere/at/all/x.db", "no directory /nowhere/at/all; create it first"),
        ("sqlite:////dev/null", "that is no file"),
        ("sqlite:////dev/null/x.db", "no directory /dev/null"),
        ("sqlite:///a\0b", "null"),
    ],
)
def test_impossible_places(url: str, said: str) -> None:
    assert said in _refusal(url)


def test_files_that_are_no_store(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("Dear diary, today the meters were quiet.")
    (tmp_path / "damaged").write_bytes(b"SQLite format 3\x00" + bytes(5000))
    url = f"sqlite:///{tmp_path}"
    assert "that is no file" in _refusal(url)
    assert "not a database; name another one" in _refusal(f"{url}/text")
    assert "restore a copy" in _refusal(f"{url}/damaged")
    assert "no such file" in _refusal(f"{url}/missing", create=False)
    assert (tmp_path / "text").read_text().startswith("Dear")
    assert not (tmp_path / "missing").exists()


def test_an_empty_database_is_a_store_only_when_asked_to_create_one(tmp_path: Path) -> None:
    (tmp_path / "x.db").touch()
    url = f"sqlite:///{tmp_path}/x.db"
    assert "holds no store yet" in _refusal(url, create=False)
    open_store(url).close()


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(f"sqlite:///{tmp_path}/x.db").close()

    def deny(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", deny)
    assert "Permission denied" in _refusal(f"sqlite:///{tmp_path}/x.db")


def test_a_store_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    open_store(f"sqlite:///{path}").close()
    path.write_bytes(path.read_bytes()[:6000])
    assert "restore a copy" in _refusal(f"sqlite:///{path}")


def test_a_store_that_lost_a_table(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/x.db") as store, store._engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE link_samples")
    with open_store(f"sqlite:///{tmp_path}/x.db") as store, pytest.raises(StoreError) as refused:
        store.counts()
    assert "restore a copy" in str(refused.value)


def test_a_driver_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    said = _refusal(f"postgresql://user:{SECRET}@localhost/meters?password={SECRET}")
    assert said.startswith("store postgresql://localhost/meters: its driver is not installed")
    assert "pip install" in said


def test_a_server_that_is_not_there() -> None:
    pytest.importorskip("psycopg", reason="the PostgreSQL driver is not installed")
    said = _refusal(f"postgresql://user:{SECRET}@127.0.0.1:1/meters")
    assert said.startswith("store postgresql://127.0.0.1:1/meters: ")
