"""A load profile as a Parquet file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from osgp.errors import UsageError
from osgp.run.reading.files import save_profile
from osgp.run.reading.profile import Channel, Period, Profile, ProfileInterval, read_profile

from .bench import NOON, run, served, virtual


def profile(*channels: Channel) -> Profile:
    values = tuple(range(len(channels)))
    later = NOON + timedelta(minutes=15)
    rows = (ProfileInterval(NOON, values), ProfileInterval(later, values, ("partial interval",)))
    return Profile(1, 15, channels, rows)


WATTS = Channel(0, "Fwd Active Wh L1L2L3", "Wh")
VARS = Channel(2, "Import Reactive", "varh")


def test_a_file_that_others_read(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    save_profile(profile(WATTS, VARS), path, 0)
    table = parquet.read_table(path)
    names = [field.name for field in table.schema]
    assert names[1:3] == ["Fwd Active Wh L1L2L3 [Wh]", "Import Reactive [varh]"]
    assert (names[0], names[3]) == ("end_utc", "status")
    assert table.column("end_utc").to_pylist() == [NOON, NOON + timedelta(minutes=15)]
    assert table.column(2).to_pylist() == [1, 1]
    assert table.column("status").to_pylist() == ["", "partial interval"]
    assert table.schema.field(1).metadata == {b"unit": b"Wh", b"source": b"0"}
    assert table.schema.metadata[b"interval_minutes"] == b"15"


def test_two_channels_of_one_source_stay_two(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    save_profile(profile(WATTS, WATTS), path, 0)
    table = parquet.read_table(path)
    assert len(set(table.column_names)) == 4
    assert [table.column(n).to_pylist()[0] for n in (1, 2)] == [0, 1]


def test_nothing_is_a_table_without_rows(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    save_profile(Profile(1, 15, (WATTS,), ()), path, 0)
    assert parquet.read_table(path).num_rows == 0


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    csv = pytest.importorskip("pyarrow.csv")
    parquet = pytest.importorskip("pyarrow.parquet")

    async def work() -> Profile:
        async with served(virtual(2.0)) as bench:
            found: Profile = await bench.ask(lambda reader: read_profile(reader, Period()))
            return found

    found = run(work)
    for suffix in ("csv", "parquet"):
        save_profile(found, tmp_path / f"a.{suffix}", 0)
    one, other = csv.read_csv(tmp_path / "a.csv"), parquet.read_table(tmp_path / "a.parquet")
    assert one.column_names == other.column_names
    assert one.num_rows == other.num_rows > 150
    for index in range(1, 5):
        assert one.column(index).to_pylist() == other.column(index).to_pylist()
    ends = [moment.replace(tzinfo=UTC) for moment in one.column(0).to_pylist()]
    assert ends == other.column(0).to_pylist()
    assert ends[0] > datetime(2026, 6, 1, tzinfo=UTC)


def test_without_the_extra_the_advice_is_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("osgp.run.reading.files.import_module", absent)
    with pytest.raises(UsageError, match=r"osgp\[parquet\]"):
        save_profile(profile(WATTS), tmp_path / "a.parquet", 0)


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    for name in ("a.parquet", "a.csv"):
        if name.endswith("parquet"):
            pytest.importorskip("pyarrow")
        with pytest.raises(UsageError, match="nowhere"):
            save_profile(profile(WATTS), tmp_path / "nowhere" / name, 0)
