"""MEP sequence numbers between sessions: no correction after a clean end, one after another end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from osgp.ports import UNLIMITED
from osgp.ports.mep import UNHURRIED, MepServer
from osgp.run.reading.device import Access, open_device
from osgp.run.reading.sequences import SequenceFile
from osgp.security.keys import Purpose, read_key
from osgp.spec.declare import EXTENDED
from osgp.transport import Driver, serve_tcp

from .bench import Counted, profile, run, virtual

MAK = "mep advanced, test!!"
QUICK_ALERTS = msgspec.structs.replace(UNHURRIED, alert_every=0.02)


async def resyncs(directory: Path | None, sessions: int) -> list[int]:
    """How many corrections each of several sessions needed."""
    served = profile(1.0)
    server = MepServer(
        virtual(1.0), dict(served.of("MAK")), last=1000, line=UNLIMITED, timing=UNHURRIED
    )
    listening = await serve_tcp(Driver(server))
    place = f"tcp://127.0.0.1:{listening.port}"
    access = Access(mep=place, key=read_key(MAK, Purpose.MEP), cache=directory)
    needed = []
    for _ in range(sessions):
        async with open_device(access) as device:
            needed.append(device.tables.statistics.resyncs)
    await listening.close()
    return needed


def test_only_the_first_session_is_corrected(tmp_path: Path) -> None:
    assert run(lambda: resyncs(tmp_path, 3)) == [1, 0, 0]


def test_without_a_place_to_keep_it_every_session_is() -> None:
    assert run(lambda: resyncs(None, 2)) == [1, 1]


@pytest.mark.parametrize("kept", [b"", b"\0" * 5])
def test_a_file_of_something_else(tmp_path: Path, kept: bytes) -> None:
    file = SequenceFile(tmp_path, "tcp://127.0.0.1:1")
    assert file.load() is None
    file.keep(b"\0\0\0\7")
    assert file.load() == b"\0\0\0\7"
    next(tmp_path.iterdir()).write_bytes(kept)
    assert file.load() is None


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    file = SequenceFile(tmp_path / "file", "mep")
    file.keep(b"\0\0\0\7")
    assert file.load() is None


def test_ports_have_numbers_of_their_own(tmp_path: Path) -> None:
    SequenceFile(tmp_path, "a").keep(b"\0\0\0\1")
    assert SequenceFile(tmp_path, "b").load() is None


@pytest.mark.parametrize("kept", [True, False])
def test_a_changed_interface_is_noticed_in_the_middle_of_a_session(
    tmp_path: Path, kept: bool
) -> None:
    async def work() -> tuple[list[int], list[int]]:
        version = [1]
        tables = Counted(virtual(1.0))
        server = MepServer(
            tables,
            dict(profile(1.0).of("MAK")),
            line=UNLIMITED,
            timing=UNHURRIED,
            interface=lambda: version[0],
        )
        listening = await serve_tcp(Driver(server))
        place = f"tcp://127.0.0.1:{listening.port}"
        cache = tmp_path if kept else None
        access = Access(mep=place, key=read_key(MAK, Purpose.MEP), cache=cache)
        async with open_device(access) as device:
            await device.run(lambda reader: reader.table("BT23"))
            tables.reads.clear()
            await device.run(lambda reader: reader.table("BT23"))
            same = [table for table, *_ in tables.reads]
            version[0] += 1
            tables.reads.clear()
            await device.run(lambda reader: reader.table("BT23"))
        await listening.close()
        return same, [table for table, *_ in tables.reads]

    same, changed = run(work)
    assert set(same) == {23}
    looked_at = {4 + EXTENDED} if kept else {0, 21}
    assert looked_at < set(changed)


def test_alerts_are_counted() -> None:
    async def work() -> int:
        server = MepServer(
            virtual(1.0), dict(profile(1.0).of("MAK")), line=UNLIMITED, timing=QUICK_ALERTS
        )
        driver = Driver(server)
        listening = await serve_tcp(driver)
        place = f"tcp://127.0.0.1:{listening.port}"
        async with open_device(Access(mep=place, key=read_key(MAK, Purpose.MEP))) as device:
            server.alert(waiting=True, now=asyncio.get_running_loop().time())
            driver.pump()
            while not device.alerts.count:  # noqa: ASYNC110 - bounded by `run`
                await asyncio.sleep(0.01)
            count = device.alerts.count
        await listening.close()
        return count

    assert run(work) >= 1
