"""What a served meter alerts its MEP clients to, how it is dealt with, and settings that apply."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from osgp.errors import (
    InvalidParameter,
    NoAuthorization,
    OperationNotPossible,
    ProcedureConflict,
    SecurityError,
)
from osgp.meter.mbus_units import MBusUnit
from osgp.ports import Alert, SpeedChanged
from osgp.ports.mep import alert_flags
from osgp.session import Exchange
from osgp.session.procedures import answered_in, call, next_number
from osgp.spec import procedures, tables
from osgp.spec.procedures.mep import (
    ALARMS,
    CLEAR_DELTA_DATA_ALERT,
    CLEAR_M_BUS_ALERT,
    ON_DEMAND_DATA,
    SCHEDULED_DATA,
    SCHEDULED_DATA_AND_ALARMS,
)
from osgp.spec.tables.mbus import MepRead
from osgp.wire import NO_DIMS, bind

from .test_mep_space import NOON, Bench, meter_of, profile

ET13, ET14, ET50, ET71, ET97 = (
    tables[name].info.number for name in ("ET13", "ET14", "ET50", "ET71", "ET97")
)
REGISTERED, M_BUS_ALERTS, DELTA_ALERTS = 1, 4, 8
VALVE = MBusUnit("water", "12345678", valve=True)
HOUR = 3600.0


def place(bench: Bench, table: str, path: str) -> int:
    return tables[table].bind(bench.meter.meter.parts.dims).span(path).offset


def register(bench: Bench, wishes: int = 0, port: int = 1) -> None:
    where = place(bench, "ET50", f"clients[{port - 1}].device_registered")
    bench.ask(bench.client.write(ET50, bytes((REGISTERED | wishes,)), where))


def never_ask(bench: Bench, slot: int) -> None:
    where = place(bench, "ET13", f"devices[{slot}].billing_read_frequency")
    bench.ask(bench.client.write(ET13, b"\4", where))


def alerted(bench: Bench, seconds: float = 3.5) -> int:
    """Alerts within these seconds."""
    before = bench.cable.reported[0].count(Alert())
    bench.cable.wait(seconds)
    return bench.cable.reported[0].count(Alert()) - before


def flags(bench: Bench, port: int = 1) -> frozenset[str]:
    found: frozenset[str] = bench.ask(alert_flags(bench.reader, port))
    return found


def invoke(bench: Bench, procedure: str, **given: Any) -> Any:
    """Calls it; its response."""

    def talk() -> Exchange[Any]:
        answers = yield from answered_in(bench.reader)
        number = yield from next_number(bench.client, answers)
        blank = dict.fromkeys(field.name for field in procedures[procedure].wire_fields)
        wanted = procedures[procedure](**blank | given)
        return (yield from call(bench.client, wanted, number, bench.reader.dims, answers))

    return bench.ask(talk())


def post(bench: Bench, kind: int, data: bytes = b"", number: int = 0, alarms: int = 0) -> None:
    given = {"transaction_number": number, "device_alarms": alarms, "data": data}
    invoke(bench, "EP39", post_type=kind, **given)


def order(bench: Bench, device: int, kind: int = 2, number: int = 0x401, **given: Any) -> None:
    invoke(bench, "EP19", transaction_number=number, device=device, request_type=kind, **given)


def posted(bench: Bench, slot: int = 4) -> Any:
    entry = bench.ask(bench.reader.part("ET16", f"devices[{slot}].data"))
    return bind(MepRead, NO_DIMS).decode(entry)


# --- who is alerted --------------------------------------------------------------------------


def test_a_client_that_registers_gets_an_entry() -> None:
    bench = Bench()
    assert alerted(bench) == 0
    register(bench)
    entry = bench.ask(bench.reader.part("ET14", "devices[4]"))
    assert (entry.device_handle, entry.device_status) == (1000, 3)
    assert bench.ask(bench.reader.part("ET14", "device_occupancy")) >> 4 == 1
    assert alerted(bench) == 0


def test_the_second_port_s_client_has_handles_of_its_own() -> None:
    bench = Bench(port=2)
    register(bench, port=2)
    assert bench.ask(bench.reader.part("ET14", "devices[5].device_handle")) == 2000


def test_a_client_that_is_removed_is_registered_no_more() -> None:
    bench = Bench(key="MBK")
    register(bench)
    with pytest.raises(NoAuthorization):
        invoke(bench, "EP17", action=0, device_handle=1)
    invoke(bench, "EP17", action=0, device_handle=1000)
    assert bench.ask(bench.reader.part("ET50", "clients[0].device_registered")) is False
    assert bench.ask(bench.reader.part("ET14", "devices[4].device_handle")) == 0
    register(bench)
    assert bench.ask(bench.reader.part("ET14", "devices[4].device_handle")) == 1001


def test_only_registered_clients_post() -> None:
    bench = Bench()
    with pytest.raises(NoAuthorization):
        post(bench, CLEAR_M_BUS_ALERT)


def test_nobody_posts_from_the_optical_port() -> None:
    bench = Bench()
    register(bench)
    before = bench.meter.image(8, NOON)
    image = bytes.fromhex("27080101000000")
    bench.meter.write(7, None, image, "MK", NOON + 1)
    answer = bench.meter.image(8, NOON + 1)
    assert answer != before
    assert answer[3] == 5, "no authorization"


# --- scheduled reads -------------------------------------------------------------------------


def test_a_scheduled_read_is_asked_for_until_it_is_posted() -> None:
    bench = Bench()
    register(bench)
    assert alerted(bench, 5.0) == 0
    bench.cable.wait(HOUR)
    assert alerted(bench, 5.0) in (4, 5, 6), "once a second"
    assert flags(bench) == {"scheduled_read_request_alert"}
    post(bench, SCHEDULED_DATA, b"17 litres")
    assert flags(bench) == frozenset()
    assert alerted(bench) == 0
    read = posted(bench)
    assert (read.read_count, read.data) == (1, b"17 litres")
    assert bench.ask(bench.reader.part("ET14", "devices[4].billing_data_collected")) is True


def test_alarms_come_with_the_data_or_alone() -> None:
    bench = Bench()
    register(bench)
    post(bench, SCHEDULED_DATA_AND_ALARMS, b"1", alarms=1)
    post(bench, ALARMS, alarms=4)
    assert bench.ask(bench.reader.part("ET14", "devices[4].device_alarms")) == 5
    assert bench.ask(bench.reader.part("ET14", "devices[4].new_device_alarm")) is True


def test_a_client_that_wants_no_schedule_is_not_asked() -> None:
    bench = Bench()
    register(bench)
    never_ask(bench, 4)
    bench.cable.wait(2 * HOUR)
    assert flags(bench) == frozenset()


def test_who_deregisters_is_left_alone() -> None:
    bench = Bench()
    register(bench)
    bench.cable.wait(HOUR)
    where = place(bench, "ET50", "clients[0].device_registered")
    bench.ask(bench.client.write(ET50, b"\0", where))
    assert alerted(bench) == 0


# --- requests --------------------------------------------------------------------------------


def test_a_request_waits_until_its_answer_is_posted() -> None:
    bench = Bench()
    register(bench)
    order(bench, 1000)
    assert alerted(bench) > 0
    assert flags(bench) == {"on_demand_request"}
    with pytest.raises(ProcedureConflict):
        post(bench, ON_DEMAND_DATA, b"", number=0x402)
    post(bench, ON_DEMAND_DATA, b"there", number=0x401)
    assert flags(bench) == frozenset()
    assert posted(bench).data == b"there"
    assert bench.ask(bench.reader.part("ET15", "requests[0].result")) == 1


def test_a_request_that_nobody_answers_ends_after_30_s() -> None:
    bench = Bench()
    register(bench)
    order(bench, 1000, kind=4, write_data_length=2, write_data=b"hi")
    assert bench.ask(bench.reader.part("ET15", "writes[0].data"))[:2] == b"hi"
    bench.cable.wait(32.0)
    assert flags(bench) == frozenset()
    assert bench.ask(bench.reader.part("ET15", "requests[0].result")) == 2


def test_the_oldest_request_comes_first() -> None:
    bench = Bench()
    register(bench)
    register(bench, port=2)
    order(bench, 2000, number=0x401)
    order(bench, 1000, number=0x402)
    assert bench.clients.waiting(1) == bench.clients.waiting(2) == 2
    with pytest.raises(ProcedureConflict):
        post(bench, ON_DEMAND_DATA, b"", number=0x402)


def test_requests_of_m_bus_devices_are_none_of_the_client_s() -> None:
    bench = Bench()
    register(bench)
    order(bench, 1)
    assert flags(bench) == frozenset()


def test_a_client_cannot_be_asked_for_what_m_bus_devices_can() -> None:
    bench = Bench()
    register(bench)
    with pytest.raises(InvalidParameter):
        order(bench, 1000, kind=3)


# --- M-Bus -----------------------------------------------------------------------------------


def switch(bench: Bench, state: int) -> None:
    data = bytes.fromhex("01fd1a") + bytes((state,))
    order(bench, 1, kind=4, write_data_length=4, write_data=data)
    bench.cable.wait(3.0)
    order(bench, 1, kind=3)
    bench.cable.wait(3.0)


@pytest.mark.parametrize("wish", [0, M_BUS_ALERTS])
def test_a_valve_that_moved_is_told_to_who_wants_to_know(wish: int) -> None:
    bench = Bench(m_bus=(VALVE,))
    register(bench, wish)
    assert bench.ask(bench.reader.part("ET58", "devices[0].control_status")) == 1
    switch(bench, 0)
    assert bench.ask(bench.reader.part("ET58", "devices[0].control_status")) == 0
    assert flags(bench) == ({"m_bus_change"} if wish else frozenset())
    assert bool(alerted(bench)) is bool(wish)
    if wish:
        post(bench, CLEAR_M_BUS_ALERT)
        assert (flags(bench), alerted(bench)) == (frozenset(), 0)


def test_what_is_not_for_the_valve_leaves_it() -> None:
    bench = Bench(m_bus=(VALVE,))
    switch(bench, 7)
    assert bench.ask(bench.reader.part("ET58", "devices[0].control_status")) == 1


# --- delta data ------------------------------------------------------------------------------


def watch(bench: Bench, source: int, delta: int) -> None:
    entry = source.to_bytes(2, "little") + delta.to_bytes(2, "little")
    bench.ask(bench.client.write(ET71, entry, 0))


def test_a_source_that_moved_is_told() -> None:
    bench = Bench()
    register(bench, DELTA_ALERTS)
    watch(bench, 15, 50)
    bench.cable.wait(2.0)
    first = bench.ask(bench.reader.part("ET71", "sources[0]"))
    assert 200_000 < first.sampled_value < 260_000, "mV"
    assert first.comparison_value
    assert flags(bench) == {"delta_data_alert"}
    post(bench, CLEAR_DELTA_DATA_ALERT)
    watch(bench, 15, 60_000)
    post(bench, CLEAR_DELTA_DATA_ALERT)
    bench.cable.wait(60.0)
    assert flags(bench) == frozenset()
    assert bench.ask(bench.reader.part("ET71", "sources[0].comparison_value")) != 0


@pytest.mark.parametrize(("wish", "delta"), [(0, 1), (DELTA_ALERTS, 0)])
def test_nobody_is_told_who_did_not_ask(wish: int, delta: int) -> None:
    bench = Bench()
    register(bench, wish)
    watch(bench, 15, delta)
    bench.cable.wait(3.0)
    assert flags(bench) == frozenset()
    assert bench.ask(bench.reader.part("ET71", "sources[0].sampled_value")) > 0


def test_a_source_that_there_is_not() -> None:
    bench = Bench()
    watch(bench, 0x4001, 1)
    bench.cable.wait(2.0)
    assert bench.ask(bench.reader.part("ET71", "sources[0].source_id_invalid")) is True


def test_what_is_watched_does_not_survive_a_power_failure() -> None:
    bench = Bench()
    watch(bench, 0, 1)
    bench.clients.restarted()
    assert bench.ask(bench.reader.part("ET71", "sources[0].source")) == 255


# --- settings that apply at once -------------------------------------------------------------


def test_a_speed_is_changed_once_the_response_has_left() -> None:
    bench = Bench()
    where = place(bench, "ET13", "devices[4].baud_rate")
    bench.ask(bench.client.write(ET13, b"\x08", where))
    bench.cable.wait(0.5)
    assert SpeedChanged(19200) in bench.cable.reported[1]
    assert bench.server.line.speed == 19200


@pytest.mark.parametrize("code", [13, 255])
def test_a_speed_that_there_is_not(code: int) -> None:
    bench = Bench()
    where = place(bench, "ET13", "devices[4].baud_rate")
    with pytest.raises(OperationNotPossible):
        bench.ask(bench.client.write(ET13, bytes((code,)), where))


def test_tls_can_be_required_while_the_port_is_served() -> None:
    bench = Bench()
    where = place(bench, "ET97", "require_tls_mep_1")
    bench.ask(bench.client.write(ET97, b"\1", where + 1))
    assert bench.ask(bench.client.read(ET97, where, 2)) == b"\0\1", "this is the other port's"
    bench.ask(bench.client.write(ET97, b"\1", where))
    with pytest.raises(SecurityError):
        bench.ask(bench.client.read(1, 0, 4))
    bench.meter.write(ET97, where, b"\0", "MK", NOON)
    bench.cable.wait(2.0)
    assert bench.ask(bench.client.read(1, 0, 4)) == b"OSGP"


def test_tls_on_the_optical_port_cannot_be_required() -> None:
    bench = Bench()
    with pytest.raises(OperationNotPossible):
        bench.ask(bench.client.write(ET97, b"\1", place(bench, "ET97", "require_tls_optical")))


def test_it_all_survives_a_restart() -> None:
    bench = Bench()
    register(bench)
    bench.clients.require_tls(2)
    again = meter_of(bench.served, bench.meter.meter.nvm)
    assert again.clients is not None
    assert again.clients.tls_required(2)
    assert not again.clients.tls_required(1)
    assert again.meter.parts.m_bus is not None
    assert again.meter.parts.m_bus.state.entries[4].handle == 1000


def test_older_meters_have_neither() -> None:
    made = profile(ports=1)
    set_up = msgspec.structs.replace(made.meter.set_up, firmware=(3, 70, 0))
    older = msgspec.structs.replace(made.meter, set_up=set_up)
    meter = meter_of(msgspec.structs.replace(made, meter=older))
    assert meter.clients is not None
    assert not meter.clients.has_settings
    assert not meter.clients.tls_required(1)
    where = tables["ET13"].bind(meter.meter.parts.dims).span("devices[4].baud_rate").offset
    with pytest.raises(OperationNotPossible):
        meter.write(ET13, where, b"\x08", "MAK", NOON)
