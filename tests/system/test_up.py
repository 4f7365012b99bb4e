"""`osgp up` as a user runs it: a small neighbourhood, end to end, in simulated time."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from osgp.cli.main import run
from osgp.concentrator.sink import Device
from osgp.headend.store import open_store
from osgp.topology import Life
from tests.support.kills import assert_stored_once, killed

KEYS = {
    "meters",
    "discovered",
    "commissioned",
    "read",
    "intervals_expected",
    "intervals_stored",
    "intervals_missing",
    "sim_seconds",
    "airtime_seconds",
    "retries",
    "wall_seconds",
    "suites",
}
SMALL = ("up", "--once", "--json", "--days", "0.25", "--seed", "7")


def up(capsys: pytest.CaptureFixture[str], store: str, *options: str) -> dict[str, Any]:
    assert run([*SMALL, "--store", store, *options]) == 0
    out = capsys.readouterr().out
    summary: dict[str, Any] = json.loads(out)
    return summary


def url(tmp_path: Path, name: str = "x.db") -> str:
    return f"sqlite:///{tmp_path / name}"


def test_everything_is_found_read_and_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = up(capsys, url(tmp_path), "--meters", "6")
    assert set(summary) == KEYS
    assert summary["meters"] == summary["discovered"] == summary["commissioned"] == 6
    assert summary["read"] == 6
    assert summary["intervals_expected"] == summary["intervals_stored"] == 6 * 24
    assert summary["intervals_missing"] == 0
    assert summary["airtime_seconds"] > 0


def test_a_second_run_goes_on_and_stores_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    up(capsys, url(tmp_path), "--meters", "4")
    with open_store(url(tmp_path)) as store:
        before = store.counts()
    second = up(capsys, url(tmp_path))
    assert second["intervals_stored"] == 4 * 24
    with open_store(url(tmp_path)) as store:
        after = store.counts()
        ends = [(row.device, row.interval.end) for row in store.intervals()]
        assert not store.conflicts
    assert after["devices"] == before["devices"] == 4
    assert len(ends) == len(set(ends))
    assert len(ends) >= 4 * 48


def test_who_only_claimed_to_be_a_meter_is_not_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    up(capsys, url(tmp_path), "--meters", "3")
    with open_store(url(tmp_path)) as store:
        for number in range(5):
            made_up = bytes((0xBA, 0xD0, 0, 0, 0, number))
            store.save_device(Device(made_up, bytes(8), Life.DISCOVERED, first_seen=1.8e9))
    summary = up(capsys, url(tmp_path))
    assert (summary["meters"], summary["discovered"], summary["read"]) == (3, 3, 3)


def test_the_same_seed_gives_the_same_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = up(capsys, url(tmp_path, "a.db"), "--meters", "4")
    second = up(capsys, url(tmp_path, "b.db"), "--meters", "4")
    for summary in (first, second):
        del summary["wall_seconds"]
    assert first == second


def test_export_writes_utc(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    up(capsys, url(tmp_path), "--meters", "3")
    assert run(["export", "--store", url(tmp_path), "--csv", str(tmp_path / "csv")]) == 0
    with (tmp_path / "csv" / "intervals.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 3 * 24
    assert all(row["end"].endswith("Z") for row in rows)
    assert (tmp_path / "csv" / "registers.csv").stat().st_size
    assert (tmp_path / "csv" / "events.csv").stat().st_size


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["up", "--meters", "-1"], 2),
        (["up", "--meters", "many"], 2),
        (["up", "--once", "--scenario", "nowhere"], 2),
        (["up", "--once", "--store", "nonsense"], 1),
        (["up", "--once", "--store", "sqlite:////nowhere/at/all/x.db"], 1),
        (["export", "--store", "sqlite:///missing.db", "--csv", "out"], 1),
        (["export", "--store", "sqlite:///missing.db"], 2),
        (["nonsense"], 2),
    ],
)
def test_nonsense_is_answered_in_one_line(
    arguments: list[str],
    code: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("osgp: ")
    assert captured.err.count("\n") == 1


def test_another_neighbourhood_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    up(capsys, url(tmp_path), "--meters", "2")
    assert run([*SMALL, "--store", url(tmp_path), "--meters", "3"]) == 2
    assert "has meters 2, not 3" in capsys.readouterr().err


def test_a_killed_run_is_finished_by_the_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`kill -9` somewhere in the middle; the window is completed, nothing is stored twice."""
    options = ("--meters", "12", "--store", url(tmp_path), "--days", "1")
    killed([*SMALL, *options], lambda: _devices(tmp_path) >= 6)
    summary = up(capsys, url(tmp_path))
    assert summary["discovered"] == summary["read"] == 12
    assert summary["intervals_missing"] == 0
    assert_stored_once(url(tmp_path))


def _devices(tmp_path: Path) -> int:
    if not (tmp_path / "x.db").exists():
        return 0
    try:
        with open_store(url(tmp_path), create=False) as store:
            return store.counts()["devices"]
    except Exception:
        return 0
