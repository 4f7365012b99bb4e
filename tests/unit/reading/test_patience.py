"""Peers that talk without end, or say nothing of use, are given up with one line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from osgp.errors import SecurityError, TransportError
from osgp.ports.optical.packet import Packet
from osgp.run.reading import patience
from osgp.run.reading.device import Access, open_device
from osgp.run.reading.patience import Patience
from osgp.run.reading.survey import survey
from osgp.security.keys import Purpose, read_key

from .bench import key, profile, run, served, virtual

OK = Packet(bytes(1)).encode()
Talk = Callable[[int], bytes]


@asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[str]:
    """Somebody who sends and never stops; what it reads does not matter."""
    tasks: set[asyncio.Task[None] | None] = set()

    async def go_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with suppress(OSError):
            for number in range(10**9):
                writer.write(talk(number))
                await writer.drain()
                await asyncio.sleep(0)
        writer.transport.abort()

    server = await asyncio.start_server(go_on, "127.0.0.1", 0)
    try:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task), return_exceptions=True)


@pytest.mark.parametrize(
    "talk",
    [
        lambda n: OK * 20,
        lambda n: b"\x06" + Packet(bytes(1), toggle=n % 2 == 0).encode(),
        lambda n: b"\x06" * 100,
        lambda n: b"\xee\x00\x80\xff\xff\xff",
    ],
)
def test_endless_talk_ends(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "SPARE", 0.4)
    monkeypatch.setattr(patience, "LONGEST_MESSAGE", 0)

    async def work() -> None:
        async with talking(talk) as place:
            with pytest.raises(TransportError):
                async with open_device(Access(optical=place, key=key())) as device:
                    await device.run(survey)

    run(work)


def test_whoever_delivers_has_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow reading of many parts, each in time."""
    monkeypatch.setattr(patience, "SPARE", 0.2)
    monkeypatch.setattr(patience, "LONGEST_MESSAGE", 0)

    async def work() -> None:
        waits = Patience(9600)

        async def parts() -> str:
            for _ in range(5):
                await asyncio.sleep(0.1)
                waits.something_came()
            return "all"

        assert await waits.wait(parts()) == "all"
        with pytest.raises(TransportError, match="without any data"):
            await waits.wait(asyncio.sleep(5))

    run(work)


def test_a_long_message_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        assert Patience(9600).lasts > 65_536 * 10 / 9600
        assert Patience(300).lasts > 65_536 * 10 / 300

    run(work)


def test_a_wrong_key_on_the_mep_port_comes_with_advice() -> None:
    from osgp.ports.mep import UNHURRIED, MepServer
    from osgp.transport import Driver, serve_tcp

    async def work() -> None:
        keys = {name: profile().keys[name] for name in ("MAK", "MBK")}
        driver = Driver(MepServer(virtual(1.0), keys, timing=UNHURRIED))
        server = await serve_tcp(driver)
        wrong = read_key("00" * 16, Purpose.MEP)
        try:
            with pytest.raises(SecurityError) as caught:
                async with open_device(
                    Access(mep=f"tcp://127.0.0.1:{server.port}", key=wrong)
                ) as device:
                    await device.run(survey)
        finally:
            await server.close()
        assert "this meter's key" in caught.value.hint

    run(work)


def test_a_session_is_over_when_its_meter_goes() -> None:
    """Unplugged in the middle of a reading: one error, at once."""

    async def work() -> None:
        async with served(virtual(1.0)) as bench:
            bench.tables.hook = lambda table: bench.driver.close() if table == 23 else None
            with pytest.raises(TransportError) as caught:
                await bench.ask(survey)
        assert "\n" not in str(caught.value)

    run(work)
