"""Files appear whole or not at all, and a spreadsheet or pandas reads back what went in."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osgp.errors import StoreError
from osgp.export.csv import EVENTS, INTERVALS, REGISTERS, iso_utc, write_sheets

METER = bytes.fromhex("0500a1b2c3d4")
T0 = 1_704_067_200
EVENT = [METER, 70_000, T0 + 1, 2, 'power "up", again', 3, 0xFFFF]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (T0 - 900, "2023-12-31T23:45:00Z"),
        (T0 + 0.0, "2024-01-01T00:00:00.000Z"),
        (T0 + 0.25, "2024-01-01T00:00:00.250Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (-62135596800, "0001-01-01T00:00:00Z"),
        (253402300799, "9999-12-31T23:59:59Z"),
    ],
)
def test_times(seconds: float, text: str) -> None:
    assert iso_utc(seconds) == text


def test_files(tmp_path: Path) -> None:
    counts = write_sheets(
        tmp_path / "made" / "here",
        [
            (REGISTERS, [[METER, 23, "current.summations[0]", None, -5, "Wh", T0 + 0.5]]),
            (
                INTERVALS,
                [[METER, 1, T0, 0, "Wh", 100, 0, 0, 1], [METER, 1, T0, 1, "Wh", 0, 4, 1, 1]],
            ),
            (EVENTS, []),
        ],
    )
    assert counts == {"registers": 1, "intervals": 2, "events": 0}
    made = {path.name: path.read_text() for path in (tmp_path / "made" / "here").iterdir()}
    assert made == {
        "registers.csv": "device,table,path,source,value,unit,read_at\n"
        "0500a1b2c3d4,23,current.summations[0],,-5,Wh,2024-01-01T00:00:00.500Z\n",
        "intervals.csv": "device,data_set,end,source,unit,value,status,channel,common_status\n"
        "0500a1b2c3d4,1,2024-01-01T00:00:00Z,0,Wh,100,0,0,1\n"
        "0500a1b2c3d4,1,2024-01-01T00:00:00Z,1,Wh,0,4,1,1\n",
        "events.csv": "device,sequence,at,number,name,argument,user\n",
    }


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_is_one_cell(text: str) -> None:
    row = [*EVENT[:4], text, *EVENT[5:]]
    assert EVENTS.cells(row)[4] == text


@pytest.mark.parametrize("name", ['power "up", again', "zwei\nZeilen", "Zähler ⚡", "", " "])
def test_awkward_text_comes_back(name: str, tmp_path: Path) -> None:
    write_sheets(tmp_path, [(EVENTS, [[*EVENT[:4], name, *EVENT[5:]]])])
    with (tmp_path / "events.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["name"] == name
    assert row["user"] == "65535"


def test_a_failure_on_the_way_leaves_the_old_files(tmp_path: Path) -> None:
    write_sheets(tmp_path, [(EVENTS, [EVENT])])
    before = (tmp_path / "events.csv").read_text()

    def broken() -> Iterator[Sequence[Any]]:
        yield [METER, 23, "current", 0, 1, "Wh", T0 + 0.5]
        raise StoreError("the disk went away")

    with pytest.raises(StoreError, match="went away"):
        write_sheets(tmp_path, [(EVENTS, [EVENT, EVENT]), (REGISTERS, broken())])
    assert [path.name for path in tmp_path.iterdir()] == ["events.csv"]
    assert (tmp_path / "events.csv").read_text() == before


def test_a_row_of_another_sheet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="argument"):
        write_sheets(tmp_path, [(REGISTERS, [EVENT[:3]])])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_places_that_cannot_be_written(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here first")
    with pytest.raises(StoreError, match="cannot be written") as refused:
        write_sheets(tmp_path / place, [(EVENTS, [EVENT])])
    assert "\n" not in str(refused.value)
    assert (tmp_path / "file").read_text() == "here first"


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("osgp.export.csv.os.fsync", full)
    with pytest.raises(StoreError, match="No space left on device"):
        write_sheets(tmp_path, [(EVENTS, [EVENT])])
    assert list(tmp_path.iterdir()) == []
