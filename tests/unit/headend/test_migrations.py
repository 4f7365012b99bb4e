"""Stores of every older schema open and keep what they hold.

`schema_0001.sql` is a small store as schema 0001 wrote it. A new migration comes with such a dump
of the schema before it; dumps are never edited.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from osgp.concentrator.sink import Cursor, Interval, ProfileChannels
from osgp.errors import StoreError
from osgp.headend import schema
from osgp.headend.database import MIGRATIONS, insert_new, schema_version, upsert
from osgp.headend.rows import KINDS
from osgp.headend.store import open_store

OLD_STORES = sorted(Path(__file__).parent.glob("schema_*.sql"))
SCRIPTS = ScriptDirectory(str(MIGRATIONS))
METER = bytes.fromhex("0500a1b2c3d4")
T0 = 1_704_067_200
DIALECTS = {"sqlite": sqlite.dialect(), "postgresql": postgresql.dialect()}  # type: ignore[no-untyped-call]  # has no types


def _old_store(path: Path, dump: Path) -> str:
    """Makes a store of an older schema at `path`; its URL."""
    connection = sqlite3.connect(path)
    connection.executescript(dump.read_text())
    connection.close()
    return f"sqlite:///{path}"


def _tables(path: Path) -> dict[str, str]:
    connection = sqlite3.connect(path)
    rows = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
    ).fetchall()
    connection.close()
    return {name: " ".join(sql.split()) for name, sql in rows}


def test_there_is_a_dump_of_every_schema() -> None:
    revisions = {f"schema_{script.revision}" for script in SCRIPTS.walk_revisions()}
    assert {dump.stem for dump in OLD_STORES} == revisions


@pytest.mark.parametrize("dump", OLD_STORES, ids=lambda dump: dump.stem)
def test_old_store_opens_with_all_it_holds(dump: Path, tmp_path: Path) -> None:
    url = _old_store(tmp_path / "old.db", dump)
    for _ in range(2):
        with open_store(url, create=False) as store:
            assert [device.state for device in store.devices()] == ["commissioned"] * 2
            assert store.cursor(METER) == Cursor(3, 4, 70_001)
            assert store.channels(METER) == ProfileChannels(1, (0, 1), ("Wh", "Wh"), 15)
            first = next(store.intervals())
            assert first.interval == Interval(1, T0 + 900, (100, 0), (0, 4), 1)
            assert [event.sequence for _, event in store.events()] == [70_000, 70_001]
            assert [register.value for _, register in store.registers()] == [2**31 - 1, -5]
            assert [image.data for _, image in store.images()] == [b"\x01\x02", b"\x03"]
            assert [link.requests for link in store.link_summary()] == [12]
            assert [run.summary for run in store.runs()] == [{"meters": 2}]


@pytest.mark.parametrize("dump", OLD_STORES, ids=lambda dump: dump.stem)
def test_an_upgraded_store_is_like_a_new_one(dump: Path, tmp_path: Path) -> None:
    """Also pins every migration: one that is edited later no longer leads to the same tables."""
    open_store(_old_store(tmp_path / "old.db", dump)).close()
    open_store(f"sqlite:///{tmp_path}/new.db").close()
    assert _tables(tmp_path / "old.db") == _tables(tmp_path / "new.db")


def test_migrations_lead_to_the_declared_tables(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/x.db") as store, store._engine.connect() as connection:
        options = {"version_table": schema.VERSION_TABLE, "compare_type": True}
        migrated = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(migrated, schema.metadata) == []
        assert schema_version(connection) == SCRIPTS.get_current_head()


def test_a_newer_schema_is_left_alone(tmp_path: Path) -> None:
    url = _old_store(tmp_path / "x.db", OLD_STORES[-1])
    connection = sqlite3.connect(tmp_path / "x.db")
    connection.execute("UPDATE osgp_schema SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match=r"newer version of osgp \(schema 9999\); update osgp"):
        open_store(url)


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "x.db")
    connection.execute("CREATE TABLE events (id INTEGER)")
    connection.close()
    before = (tmp_path / "x.db").read_bytes()
    with pytest.raises(StoreError, match="another program"):
        open_store(f"sqlite:///{tmp_path}/x.db")
    assert (tmp_path / "x.db").read_bytes() == before


def test_two_programs_may_make_the_same_store(tmp_path: Path) -> None:
    url, found = f"sqlite:///{tmp_path}/x.db", []

    def make() -> None:
        with open_store(url) as store:
            found.append(store.counts()["meta"])

    makers = [threading.Thread(target=make) for _ in range(4)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert found == [1, 1, 1, 1]


def test_postgresql_gets_the_same_tables() -> None:
    """Compiles only; what a server makes of it is tested where there is one."""
    dialect = DIALECTS["postgresql"]
    made = [
        str(CreateTable(table).compile(dialect=dialect)) for table in schema.metadata.sorted_tables
    ]
    assert len(made) == len(schema.metadata.tables)
    assert not any("ROWID" in statement for statement in made)
    assert any("channel_values BYTEA NOT NULL" in statement for statement in made)


@pytest.mark.parametrize("name", DIALECTS)
def test_inserts_leave_known_keys_alone(name: str) -> None:
    for kind in KINDS:
        statement = insert_new(name, kind.table).compile(dialect=DIALECTS[name])
        assert str(statement).split("VALUES")[1].endswith(") ON CONFLICT DO NOTHING")


def test_upserts_name_the_natural_key() -> None:
    dialect = DIALECTS["postgresql"]
    cursor = upsert("postgresql", schema.cursors, not_older="read_at").compile(dialect=dialect)
    assert "ON CONFLICT (device_id) DO UPDATE" in str(cursor)
    assert str(cursor).endswith("WHERE excluded.read_at >= cursors.read_at")
    device = str(upsert("postgresql", schema.devices).compile(dialect=dialect))
    assert "ON CONFLICT (neuron_id) DO UPDATE SET program_id = excluded.program_id" in device
