"""What a meter alerts its MEP client to is told, once for each change."""

from __future__ import annotations

from osgp.errors import InsufficientSecurityClearance
from osgp.run.reading.alerts import MEANINGS, Alerts, AlertWatch
from osgp.run.reading.device import Access, Device, open_device
from osgp.run.serve import ServeOptions, open_serving
from osgp.session import Exchange
from osgp.session.reader import DeviceReader
from osgp.spec import tables
from tests.unit.reading.bench import calm, key_of

from .bench import run

WATCHED = bytes.fromhex("0f000100")
"""Entry of ET71: the voltage of L1, whenever it moves by 1 mV."""


def register(reader: DeviceReader) -> Exchange[None]:
    """The client is there and wants delta data alerts."""
    layout = yield from reader.layout("ET50")
    place = layout.span("clients[0].device_registered").offset
    yield from reader.client.write(tables["ET50"].info.number, b"\x09", place)
    yield from reader.client.write(tables["ET71"].info.number, WATCHED, 0)


def unwatch(reader: DeviceReader) -> Exchange[None]:
    yield from reader.client.write(tables["ET50"].info.number, b"\x00", 30)


def test_an_alert_of_a_served_meter_is_told_once() -> None:
    async def work() -> None:
        served = calm()
        serving = await open_serving(served, ServeOptions(mep="tcp://127.0.0.1:0"))
        key = key_of(served, "MAK")
        said: list[str] = []
        watch = AlertWatch(said.append)
        async with open_device(Access(mep=serving.addresses["mep"], key=key)) as device:
            await device.run(register)
            await watch.pause(device, 2.5)
            await watch.follow(device)
            assert said == ["alert: " + MEANINGS["delta_data_alert"]]
            assert watch.known == {"delta_data_alert"}
            await device.run(unwatch)
            device.alerts.take()
            await device.alerts.wait(1.5)
            assert not device.alerts.take(), "who is not registered is left alone"
        await serving.close()

    run(work)


class Refusing:
    """A device that has alerted and tells nobody why."""

    mep_port = 1

    def __init__(self) -> None:
        self.alerts = Alerts()
        self.alerts.arrived()

    async def run(self, make: object) -> None:
        raise InsufficientSecurityClearance


def test_an_alert_whose_reason_cannot_be_read_is_told_too() -> None:
    async def work() -> None:
        said: list[str] = []
        device: Device = Refusing()  # type: ignore[assignment]
        await AlertWatch(said.append).follow(device)
        assert len(said) == 1
        assert "ET13" in said[0]

    run(work)
