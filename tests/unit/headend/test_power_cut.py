"""A power cut at any statement of `Store.store` leaves all of a reading, or nothing of it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, event

from osgp.concentrator.sink import (
    Cursor,
    Device,
    Interval,
    LinkSample,
    LoggedEvent,
    ProfileBlock,
    ProfileChannels,
    Reading,
    RegisterValue,
    TableImage,
)
from osgp.headend import database
from osgp.headend.store import open_store

METER = bytes(6)
DEVICE = Device(METER, bytes(8), "commissioned", 0.0)


def _reading(n: int) -> Reading:
    at = 3600.0 * n
    return Reading(
        METER,
        at,
        images=(TableImage(23, 0, b"\x01", at),),
        registers=(RegisterValue(23, "current", n, "Wh", at, 0),),
        channels=(ProfileChannels(1, (0,), ("Wh",), 15),),
        blocks=(ProfileBlock(1, n, 0, b"\x02", at),),
        intervals=tuple(Interval(1, 3600 * n + 900 * k, (n,), (0,)) for k in range(4)),
        events=(LoggedEvent(n, 3600 * n, 2, 0, 0),),
        link=LinkSample(at, 4, 4, 0, 0),
        cursor=Cursor(n, 4, n),
    )


class PowerCutError(Exception):
    """What the test cuts the power with."""


class _Breaker:
    """Counts statements on an engine and cuts the power before number `at`."""

    def __init__(self, engine: Engine, at: int) -> None:
        self.at, self.seen = at, 0
        event.listen(engine, "before_cursor_execute", self._step)
        event.listen(engine, "commit", self._step)

    def _step(self, *_: object) -> None:
        self.seen += 1
        if self.seen == self.at:
            raise PowerCutError


def _content(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def _statements(path: Path) -> int:
    with open_store(f"sqlite:///{path}") as store:
        store.save_device(DEVICE)
        store.store(_reading(1))
        breaker = _Breaker(store._engine, at=0)
        store.store(_reading(2))
        return breaker.seen


def test_cut_before_every_statement_and_before_the_commit(tmp_path: Path) -> None:
    steps = _statements(tmp_path / "count.db")
    assert steps >= 2 + 6 + 2, "an insert for each kind of record, at least"
    for at in range(1, steps + 1):
        path = tmp_path / f"{at}.db"
        with open_store(f"sqlite:///{path}") as store:
            store.save_device(DEVICE)
            store.store(_reading(1))
            before = _content(path)
            _Breaker(store._engine, at)
            with pytest.raises(PowerCutError):
                store.store(_reading(2))
            assert _content(path) == before
            assert store.cursor(METER) == Cursor(1, 4, 1)
            store.store(_reading(2))
            assert store.cursor(METER) == Cursor(2, 4, 2)
            assert store.counts()["intervals"] == 8


def test_a_device_of_a_cut_reading_is_looked_up_again(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/x.db") as store:
        store.save_device(DEVICE)
        _Breaker(store._engine, 4)
        with pytest.raises(PowerCutError):
            store.store(_reading(1))
        assert store._device_ids == {}


CUT_DEAD = """
import os, sys
from sqlalchemy import event
sys.path.insert(0, sys.argv[1])
from test_power_cut import DEVICE, _reading
from osgp.headend.store import open_store
store = open_store("sqlite:///" + sys.argv[2])
store.save_device(DEVICE)
store.store(_reading(1))
event.listen(store._engine, "commit", lambda connection: os._exit(9))
store.store(_reading(2))
"""


def test_a_process_that_dies_before_the_commit(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    here = str(Path(__file__).parent)
    run = [sys.executable, "-c", CUT_DEAD, here, str(path)]
    assert subprocess.run(run, check=False, timeout=60).returncode == 9
    with open_store(f"sqlite:///{path}", create=False) as store:
        assert store.cursor(METER) == Cursor(1, 4, 1)
        assert store.counts()["intervals"] == 4
        store.store(_reading(2))
        assert store.counts()["intervals"] == 8


def test_a_cut_migration_leaves_no_half_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.db"
    engine_on = database._engine

    def fragile(url: URL) -> Engine:
        engine = engine_on(url)
        _Breaker(engine, 12)
        return engine

    with monkeypatch.context() as patched:
        patched.setattr(database, "_engine", fragile)
        with pytest.raises(PowerCutError):
            open_store(f"sqlite:///{path}")
    assert not [line for line in _content(path) if line.startswith("CREATE")]
    with open_store(f"sqlite:///{path}") as store:
        assert store.devices() == []
