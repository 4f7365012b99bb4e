"""Load profile, logs, self-reads and M-Bus as the meter holds them."""

from __future__ import annotations

import io
import math
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from osgp.errors import UsageError
from osgp.run.reading.files import chart_of, curve_of, save_profile, write_csv
from osgp.run.reading.logs import read_events, read_self_reads
from osgp.run.reading.mbus import letters, read_mbus
from osgp.run.reading.profile import (
    Channel,
    Period,
    Profile,
    ProfileInterval,
    differences,
    read_profile,
)
from osgp.run.reading.telegram import values_of
from osgp.spec import tables
from osgp.wire import Dims

from .bench import NOON, images_of, imagined, listing, made, run, served, virtual

QUARTER = timedelta(minutes=15)


def interval(minutes: int, *values: int) -> ProfileInterval:
    return ProfileInterval(NOON + timedelta(minutes=minutes), values)


def sample(*intervals: ProfileInterval) -> Profile:
    return Profile(1, 15, (Channel(0, "Fwd Active Wh L1L2L3", "Wh"),), intervals)


def test_every_interval_is_read_with_its_values() -> None:
    async def work() -> None:
        meter = virtual(3.0)
        async with served(meter) as bench:
            found = await bench.ask(lambda reader: read_profile(reader, Period()))
        recorder = meter.meter.parts.recorders[0]
        cells = [block for block in recorder.blocks if block is not None]
        assert len(found.intervals) == sum(block.processed.bit_count() for block in cells)
        ends = [one.end for one in found.intervals]
        assert all(after - before == QUARTER for before, after in pairwise(ends))
        assert int(ends[-1].timestamp()) == recorder.state.recorded
        held = meter.meter.parts.metering.registers(meter.clock.now()).values((0,))
        assert found.intervals[-1].values[0] <= held[0]
        assert [channel.source for channel in found.channels] == [0, 1, 2, 3]

    run(work)


@pytest.mark.parametrize("hours", [1, 5, 30])
def test_only_the_period_is_read(hours: int) -> None:
    async def work() -> None:
        async with served(virtual(3.0)) as bench:
            until = NOON - timedelta(hours=2)
            period = Period(until - timedelta(hours=hours), until)
            found = await bench.ask(lambda reader: read_profile(reader, period))
            read = sum(count or 0 for table, _, count in bench.tables.reads if table == 64)
        assert len(found.intervals) == 4 * hours
        assert found.intervals[0].end > until - timedelta(hours=hours)
        interval_size = 3 + 16
        assert read <= len(found.intervals) * interval_size + 4 * 40

    run(work)


def test_an_empty_period() -> None:
    async def work() -> None:
        async with served(virtual(1.0)) as bench:
            later = Period(NOON + timedelta(days=1), NOON + timedelta(days=2))
            found = await bench.ask(lambda reader: read_profile(reader, later))
        assert found.intervals == ()

    run(work)


def test_a_data_set_that_is_not_there() -> None:
    async def work() -> None:
        async with served(virtual(1.0)) as bench:
            with pytest.raises(UsageError, match="data set 2"):
                await bench.ask(lambda reader: read_profile(reader, Period(), 2))

    run(work)


def test_differences_guess_nothing() -> None:
    found = sample(interval(0, 10), interval(15, 14), interval(45, 20), interval(60, 3))
    assert [value for _, value in differences(found, 0)] == [None, 4, None, None]


def test_gaps_stay_gaps_in_a_curve() -> None:
    curve = curve_of(sample(interval(0, 10), interval(15, 14), interval(60, 20)), 0)
    assert len(curve.ends) == 5
    assert list(curve.meters) == [1] * 5
    assert [math.isfinite(watts) for watts in curve.watts] == [False, True, False, False, False]
    assert curve.watts[1] == 16.0


def test_csv_has_a_row_for_each_interval() -> None:
    out = io.StringIO()
    flagged = ProfileInterval(NOON, (7,), ("partial interval",))
    write_csv(sample(flagged), out)
    assert out.getvalue().splitlines() == [
        "end_utc,Fwd Active Wh L1L2L3 [Wh],status",
        "2026-06-10T12:07:00Z,7,partial interval",
    ]


def test_pictures_and_missing_channels(tmp_path: Path) -> None:
    found = sample(interval(0, 10), interval(15, 14))
    save_profile(found, tmp_path / "a.csv", 0)
    assert (tmp_path / "a.csv").read_text().count("\n") == 3
    assert chart_of(found, 0).curve.known
    with pytest.raises(UsageError, match="1 channels"):
        curve_of(found, 1)


def test_events_are_the_logs_own() -> None:
    async def work() -> None:
        meter = virtual(8.0)
        async with served(meter) as bench:
            found = await bench.ask(read_events)
            newest = await bench.ask(lambda reader: read_events(reader, 1))
        entries = meter.meter.parts.log.entries()
        assert [one.sequence for one in found] == [entry.sequence for entry in entries]
        assert [one.event for one in found] == [entry.event for entry in entries]
        times = [int(one.time.timestamp()) for one in found if one.time]
        assert times == [entry.time for entry in entries]
        assert newest == found[-1:]

    run(work)


def test_a_meter_without_self_reads() -> None:
    async def work() -> None:
        async with served(virtual(1.0)) as bench:
            assert await bench.ask(read_self_reads) == []

    run(work)


def test_self_reads_in_order_of_their_numbers() -> None:
    async def work() -> None:
        meter = virtual(1.0)
        images = await images_of(meter)
        dims = _with(meter.meter.parts.dims, "BT21", number_of_self_reads=3)
        entries = [{"register_data": _registers(value)} for value in (300, 100, 200)]
        head = {"number_of_valid_entries": 3, "last_entry_element": 0}
        images[21] = tables["BT21"].bind(dims).encode(dims["BT21"])
        images[26] = made(
            "BT26", {**head, "last_entry_sequence_number": 9, "entries": entries}, dims
        )
        async with served(imagined(images)) as bench:
            found = await bench.ask(read_self_reads)
        assert [one.sequence for one in found] == [7, 8, 9]
        assert [one.registers[0][2] for one in found] == [100, 200, 300]
        assert found[0].registers[0][:2] == ("Fwd Active Wh L1L2L3", "Wh")

    run(work)


VOLUME = bytes.fromhex("0413 15310000")
"""Data record of EN 13757-3: 32-bit integer, volume in litres, 12565."""

TELEGRAM = bytes.fromhex("13 78563412 2423 40 07 55 00 0000") + VOLUME


async def _with_water(signature: int = 0) -> dict[int, bytes]:
    meter = virtual(1.0)
    images = await images_of(meter)
    dims = meter.meter.parts.dims
    images[0] = listing(images[0], ("ET14", "ET16"))
    telegram = bytearray(TELEGRAM)
    telegram[11] = signature
    size = dims["ET11"].data_entry_size - 7
    status = {"device_status": 1, "device_handle": 5, "billing_read_length": len(telegram)}
    read = {"timestamp": "2026-06-10T06:00:00", "data": telegram.ljust(size, b"\0").hex()}
    images[2062] = made("ET14", {"devices": [{}, status]}, dims)
    images[2064] = made("ET16", {"devices": [{}, read]}, dims)
    return images


def test_water_behind_the_meter() -> None:
    async def work() -> None:
        async with served(imagined(await _with_water())) as bench:
            (found,) = await bench.ask(read_mbus)
        assert (found.slot, found.serial, found.medium) == (1, "12345678", "water")
        assert found.read_at == datetime(2026, 6, 10, 6)  # noqa: DTZ001  # local time of the meter
        if pytest.importorskip("meterbus"):
            assert [(one.quantity, one.value, one.unit) for one in found.values] == [
                ("volume", 12.565, "m³")
            ]

    run(work)


def test_encrypted_telegrams_stay_bytes() -> None:
    async def work() -> None:
        async with served(imagined(await _with_water(signature=5))) as bench:
            (found,) = await bench.ask(read_mbus)
        assert found.values == ()
        assert found.raw == VOLUME.hex()
        assert "encrypted" in found.remarks

    run(work)


@pytest.mark.parametrize("size", range(0, 40, 3))
def test_no_records_break_the_decoder(size: int) -> None:
    values, raw, remark = values_of(bytes(range(1, size + 1)))
    assert values or raw or remark or not size


def test_manufacturer_letters() -> None:
    """Kamstrup's registered letters are KAM; 2C2D as in EN 13757-3's examples of public readers."""
    assert letters(0x2C2D) == "KAM"


def _registers(value: int) -> dict[str, Any]:
    return {"total_data_block": {"summations": [value]}}


def _with(dims: Dims, name: str, **values: int) -> Dims:
    return dims.with_table(name, dims[name].with_(**values))


def test_nothing_is_marked_as_read() -> None:
    async def work() -> None:
        meter = virtual(2.0)
        before = meter.meter.parts.log.state, meter.meter.parts.recorders[0].state.unread
        async with served(meter) as bench:
            await bench.ask(read_events)
            await bench.ask(lambda reader: read_profile(reader, Period()))
            assert bench.tables.writes == []
        assert (meter.meter.parts.log.state, meter.meter.parts.recorders[0].state.unread) == before

    run(work)
