"""A dump is what the meter said; a meter made of it says the same."""

from __future__ import annotations

import asyncio
import stat
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from osgp.errors import InappropriateActionRequested, UsageError
from osgp.run.dumps import Dump, DumpedTable, DumpedTables, read_dump, write_dump
from osgp.run.reading.dumping import read_dump_of
from osgp.run.reading.survey import survey
from osgp.run.serving.clock import WallClock

from .bench import MK, NOON, images_of, imagined, run, served, virtual


def test_there_and_back(tmp_path: Path) -> None:
    path = tmp_path / "dump.json"

    async def work() -> None:
        meter = virtual(2.0)
        async with served(meter) as bench:
            before = await bench.ask(survey)
            write_dump(path, await bench.ask(read_dump_of, MK))
        dump = read_dump(path)
        clock = WallClock(asyncio.get_running_loop().time, NOON.timestamp())
        async with served(DumpedTables(dump, clock)) as bench:
            after = await bench.ask(survey)
        assert after.meter == before.meter
        places = [(one.place, one.obis, one.tier) for one in after.energies]
        assert places == [(one.place, one.obis, one.tier) for one in before.energies]
        values = [one.value for one in before.energies]
        assert [one.value for one in after.energies] == pytest.approx(values, abs=2)

    run(work)


def test_images_are_as_they_were_sent() -> None:
    async def work() -> None:
        images = await images_of(virtual(1.0))
        async with served(imagined(images)) as bench:
            dump = await bench.ask(read_dump_of, MK)
        still = {n: image for n, image in images.items() if n not in (7, 8, 52, 55)}
        assert {n: image for n, image in dump.images().items() if n in still} == still
        assert "BT07" not in dump.tables

    run(work)


def test_refusals_are_kept() -> None:
    async def work() -> None:
        images = await images_of(virtual(1.0))
        del images[3]
        async with served(imagined(images)) as bench:
            dump = await bench.ask(read_dump_of, MK)
        assert dump.tables["BT03"].image is None
        assert "05" in (dump.tables["BT03"].refused or "")

    run(work)


def test_others_cannot_read_a_dump(tmp_path: Path) -> None:
    path = tmp_path / "dump.json"
    write_dump(path, Dump(NOON, {}))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"osgp_dump":1}',
        b'{"osgp_dump":2,"taken":"2026-01-01T00:00:00Z","tables":{}}',
        b'{"osgp_dump":1,"taken":"2026-01-01T00:00:00Z","tables":{"XX1":{"hex":"00"}}}',
        b'{"osgp_dump":1,"taken":"2026-01-01T00:00:00Z","tables":{"BT01":{"hex":"0"}}}',
    ],
)
def test_what_is_no_dump(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "dump.json"
    path.write_bytes(content)
    with pytest.raises(UsageError):
        read_dump(path)


def test_the_clock_of_an_impersonated_meter_goes_on() -> None:
    async def work() -> None:
        images = await images_of(virtual(1.0))
        dump = Dump(NOON, {"BT52": DumpedTable(hex=images[52].hex())})
        clock = WallClock(asyncio.get_running_loop().time, NOON.timestamp() + 3600)
        later = DumpedTables(dump, clock).read(52, 0, None, "RK", asyncio.get_running_loop().time())
        assert later[3] == images[52][3] + 1
        with pytest.raises(InappropriateActionRequested):
            DumpedTables(dump, clock).write(52, 0, b"", "MK", 0.0)

    run(work)


def test_times_survive() -> None:
    taken = datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert msgspec.json.decode(msgspec.json.encode(Dump(taken, {})), type=Dump).taken == taken
