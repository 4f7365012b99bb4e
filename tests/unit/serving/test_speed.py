"""A MEP port that was given another speed by ET13 is understood at that speed only."""

from __future__ import annotations

import msgspec
import pytest

from osgp.errors import TransportError
from osgp.run.reading.device import Access, open_device
from osgp.run.serve import ServeOptions, open_serving
from osgp.session import Exchange
from osgp.session.reader import DeviceReader
from osgp.spec import tables
from tests.unit.reading.bench import calm, key_of, run

CODE_19200 = b"\x08"


def set_speed(reader: DeviceReader) -> Exchange[None]:
    layout = yield from reader.layout("ET13")
    place = layout.span("devices[4].baud_rate").offset
    yield from reader.client.write(tables["ET13"].info.number, CODE_19200, place)


def first_bytes(reader: DeviceReader) -> Exchange[bytes]:
    return (yield from reader.client.read(1, 0, 4))


def test_the_other_end_has_to_follow() -> None:
    pytest.importorskip("serialx")

    async def work() -> None:
        served = calm()
        serving = await open_serving(served, ServeOptions(mep="pty"))
        key = key_of(served, "MAK")
        slow = Access(mep=serving.addresses["mep"], key=key)
        fast = msgspec.structs.replace(slow, speed=19200)
        try:
            async with open_device(fast) as device:
                assert await device.run(first_bytes) == b"OSGP", "nobody has set a speed yet"
            async with open_device(slow) as device:
                await device.run(set_speed)
            with pytest.raises(TransportError, match="no answer"):
                async with open_device(slow):
                    pass
            async with open_device(fast) as device:
                assert await device.run(first_bytes) == b"OSGP"
        finally:
            await serving.close()

    run(work)
