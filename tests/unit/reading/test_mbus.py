"""M-Bus devices as a reader sees them: byte orders, what ails them, reads on demand."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osgp.errors import NoAuthorization, UsageError
from osgp.meter import SetUp
from osgp.meter.dims import dimensions
from osgp.meter.mbus_units import MBusUnit
from osgp.run.bridge.sensors import measured_mbus
from osgp.run.reading.mbus import REVERSED, device_of, number_of, read_mbus
from osgp.run.reading.ordering import order_reads
from osgp.run.serving.device import ServedMeter
from osgp.run.serving.profiles import ServedProfile
from osgp.spec import tables
from osgp.spec.tables.mbus import BillingRead, DeviceStatusEntry
from osgp.wire import bind

from .bench import MK, NOON, RK, images_of, imagined, profile, run, served, virtual


def with_units(*units: MBusUnit) -> ServedProfile:
    base = profile(1.0)
    meter = msgspec.structs.replace(base.meter, m_bus=units)
    return msgspec.structs.replace(base, meter=meter)


def behind(*units: MBusUnit) -> ServedMeter:
    """To be called inside a running loop."""
    made = virtual(1.0)
    return ServedMeter(with_units(*units), made.clock)


def test_what_the_virtual_meter_has_is_what_is_read() -> None:
    pytest.importorskip("meterbus")

    async def work() -> None:
        meter = virtual(1.0)
        async with served(meter) as bench:
            water, heat = await bench.ask(read_mbus)
        unit = meter.meter.profile.m_bus[0]
        assert (water.medium, water.serial) == ("water", unit.serial)
        on_the_hour = NOON.replace(minute=0).timestamp()
        assert water.values[0].value == int(unit.counted(on_the_hour) * 1000) / 1000
        assert heat.remarks == ("power is low",)
        assert heat.values[0].quantity == "energy"

    run(work)


def test_a_silent_device_says_so() -> None:
    async def work() -> None:
        silent = MBusUnit(silent_from=NOON.timestamp() - 3600)
        async with served(behind(silent)) as bench:
            (found,) = await bench.ask(read_mbus)
        assert found.state == "M-Bus down"
        assert "the last read failed" in found.remarks
        assert found.values

    run(work)


def test_the_customer_s_id_where_the_key_opens_it() -> None:
    async def work() -> None:
        meter = behind(MBusUnit(), MBusUnit("gas"))
        meter.meter.tables.write(2061, 66 + 8, b"CUSTOMER 42", "MAK", NOON.timestamp())
        async with served(meter) as bench:
            found = await bench.ask(read_mbus, MK)
            without = await bench.ask(read_mbus, RK)
        assert [one.customer for one in found] == ["", "CUSTOMER 42"]
        assert [one.customer for one in without] == ["", ""]

    run(work)


@given(
    st.integers(0, 5),
    st.binary(min_size=36, max_size=36),
    st.binary(min_size=517, max_size=517),
    st.binary(min_size=66 * 6, max_size=66 * 6),
)
def test_no_bytes_break_it(slot: int, status: bytes, read: bytes, configuration: bytes) -> None:
    """Whatever stands in ET13, ET14 and ET16: a device with remarks, or raw bytes."""
    dims = dimensions(SetUp(m_bus=True))
    entry = bind(DeviceStatusEntry, dims).decode(status)
    billing = bind(BillingRead, dims).decode(read)
    found = device_of(slot, entry, billing, tables["ET13"].bind(dims).decode(configuration))
    assert found.slot == slot
    list(measured_mbus(found))


def test_serial_numbers_in_both_orders() -> None:
    """Mode 1 sends 12345678 as 78 56 34 12 (EN 13757-3), mode 2 the other way round."""
    assert number_of("78563412") == "12345678"
    assert number_of("12345678", reverse=True) == "12345678"


def test_mode_2_is_shown_as_it_is() -> None:
    async def work() -> None:
        meter = virtual(1.0)
        images = await images_of(meter)
        changed = bytearray(images[2064])
        changed[6] |= 1
        changed[8:12] = bytes.fromhex("20260101")
        changed[12:14] = changed[12:14][::-1]
        images[2064] = bytes(changed)
        async with served(imagined(images)) as bench:
            found = (await bench.ask(read_mbus))[0]
        assert (found.serial, found.manufacturer) == ("20260101", "OSG")
        assert (found.values, REVERSED in found.remarks) == ((), True)
        assert found.raw.startswith("0c13")

    run(work)


def test_reads_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("osgp.run.reading.ordering.LOOK_EVERY", 0.2)

    async def work() -> None:
        silent = MBusUnit("gas", silent_from=NOON.timestamp() - 3600)
        async with served(behind(MBusUnit(), silent)) as bench, bench.device(MK) as device:
            before = await device.run(read_mbus)
            failed = await device.run_once(lambda reader: order_reads(reader, [1, 2]))
            after = await device.run(read_mbus)
        assert failed == {2: "no response"}
        times = [[one.read_at for one in found] for found in (before, after)]
        assert times[1][0] != times[0][0]
        assert times[1][1] == times[0][1]

    run(work)


def test_reads_on_demand_need_a_key_that_may() -> None:
    async def work() -> None:
        async with served(virtual(1.0)) as bench, bench.device(RK) as device:
            with pytest.raises(NoAuthorization):
                await device.run_once(lambda reader: order_reads(reader, [1]))

    run(work)


def test_a_meter_without_the_port() -> None:
    async def work() -> None:
        meter = msgspec.structs.replace(
            profile(1.0).meter,
            m_bus=(),
            set_up=msgspec.structs.replace(profile().meter.set_up, m_bus=False),
        )
        plain = ServedMeter(msgspec.structs.replace(profile(1.0), meter=meter), virtual().clock)
        async with served(plain) as bench:
            with pytest.raises(UsageError, match="ET14"):
                await bench.ask(read_mbus)

    run(work)


def test_a_meter_that_cannot() -> None:
    async def work() -> None:
        meter = virtual(1.0)
        images = await images_of(meter)
        layout: Any = tables["BT00"].bind()
        record = layout.decode(images[0])
        none = record.with_(extended_procedures_used=frozenset())
        images[0] = layout.encode(none)
        async with served(imagined(images)) as bench, bench.device(MK) as device:
            with pytest.raises(UsageError, match="EP19"):
                await device.run_once(lambda reader: order_reads(reader, [1]))

    run(work)
