"""A served meter's MEP ports: what clients keep there, and where their calls are answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from osgp.errors import (
    InsufficientSecurityClearance,
    OperationNotPossible,
    TransportError,
    UsageError,
)
from osgp.meter import FileStore
from osgp.ports import Alert, Caller
from osgp.ports.mep import MepPort, MepServer, OmaTables, alert_flags, oma_tables
from osgp.ports.mep.alerts import FLAGS
from osgp.ports.optical import OpticalPort, OpticalServer, OpticalSession
from osgp.run.serve import MepNumber, ServeOptions, open_serving
from osgp.run.serving.clock import WallClock
from osgp.run.serving.device import ServedMeter
from osgp.run.serving.mep import MepPortTables, MepSpace
from osgp.run.serving.profiles import ServedProfile, load_profile
from osgp.run.serving.supply import SuppliedPort
from osgp.session import Exchange
from osgp.session.procedures import answered_in, call, next_number
from osgp.session.reader import DeviceReader
from osgp.spec import tables
from osgp.spec.procedures.clock import ChangeSystemClockByDelta
from tests.unit.ports.cable import Cable
from tests.unit.reading.bench import run

NOON = 1_767_960_000.0
ET50, ET59, ET85 = (tables[name].info.number for name in ("ET50", "ET59", "ET85"))


def profile(**meter: Any) -> ServedProfile:
    found = load_profile("demo")
    replaced = msgspec.structs.replace(found.meter, feeder=None, **meter)
    return msgspec.structs.replace(found, meter=replaced, history=3600.0)


def meter_of(served: ServedProfile, nvm: Any = None) -> ServedMeter:
    return ServedMeter(served, WallClock(lambda: NOON, NOON), nvm)


class Bench:
    """A served meter, and a client on one of its MEP ports."""

    def __init__(self, port: int = 1) -> None:
        self.served = profile()
        self.meter = meter_of(self.served)
        seen = MepPortTables(self.meter, self.meter.mep, port)
        self.server = MepServer(seen, {**self.served.of("MAK", "MBK")})
        self.meter.mep.numbers += [lambda: 0] * (port - 1) + [lambda: self.server.sequence]
        self.cable = Cable(Caller(MepPort()), self.server, start=NOON)
        self.client: OmaTables = oma_tables(self.served.keys["MAK"])
        self.client.mep_port = port
        self.reader = DeviceReader(self.client)

    def ask(self, exchange: Exchange[Any]) -> Any:
        return self.cable.call(exchange)

    def shift(self, delta: int) -> str:
        """Calls a procedure; the table that had the answer."""

        def talk() -> Exchange[str]:
            answers = yield from answered_in(self.reader)
            number = yield from next_number(self.client, answers)
            wanted: Any = ChangeSystemClockByDelta(delta)
            yield from call(self.client, wanted, number, self.reader.dims, answers)
            return answers.table

        found: str = self.ask(talk())
        return found


def test_what_a_client_says_of_itself_is_kept() -> None:
    bench = Bench()
    bench.ask(bench.client.write(ET50, b"client 17", 0))
    space = bench.ask(bench.reader.table("ET50"))
    assert space.clients[0].identification.rstrip(b"\0") == b"client 17"
    with pytest.raises(OperationNotPossible):
        bench.ask(bench.client.write(ET50, b"\0", 142))


def test_the_configuration_lists_what_mep_clients_have() -> None:
    bench = Bench()
    assert all(bench.ask(bench.reader.has(name)) for name in ("ET50", "ET59", "ET85"))
    parts = bench.ask(bench.client.read(0, 0, 60)) + bench.ask(bench.client.read(0, 60, 20))
    assert parts == bench.ask(bench.client.read(0, 0, 80))


def test_calls_are_answered_in_bt08_until_the_client_wants_et59() -> None:
    bench = Bench()
    assert bench.shift(1) == "BT08"
    assert bench.ask(bench.client.read_whole(ET59)) == bytes(4)
    bench.ask(bench.client.write(ET50, b"\x02", 30))
    assert bench.shift(1) == "ET59"
    assert bench.ask(bench.client.read_whole(ET59))[2] in range(5, 10)


def test_the_second_port_is_answered_in_et85() -> None:
    bench = Bench(port=2)
    assert bench.shift(1) == "ET85"
    assert bench.ask(bench.client.read_whole(ET59)) == bytes(4)


def test_the_numbers_of_messages_are_shown() -> None:
    bench = Bench(port=2)
    shown = bench.ask(bench.reader.part("ET04", "mep_sequence_numbers"))
    # Reading it took one more number than the meter showed, at most.
    assert shown[0] == 0
    assert bench.server.sequence - shown[1] <= 1


def test_older_meters_show_one_number() -> None:
    served = load_profile("flat")
    meter = meter_of(msgspec.structs.replace(served, history=3600.0))
    meter.mep.numbers.append(lambda: 0x01020304)
    place = tables["ET04"].bind(meter.meter.parts.dims).span("mep_sequence_number")
    assert meter.read(2052, place.offset, place.size, "MAK", NOON) == b"\4\3\2\1"


def test_rights() -> None:
    meter = meter_of(profile())
    with pytest.raises(InsufficientSecurityClearance):
        meter.read(ET50, 0, 1, "NONE", NOON)
    with pytest.raises(InsufficientSecurityClearance):
        meter.write(ET50, 0, b"\0", "RK", NOON)
    with pytest.raises(OperationNotPossible):
        meter.write(ET50, None, b"\0", "MAK", NOON)


def test_it_survives_a_restart(tmp_path: Path) -> None:
    served = profile()
    for text in (b"first", None):
        store = FileStore(tmp_path / "meter")
        memory = store.memory(served.meter.neuron_id)
        number = MepNumber(memory, "mep port")
        meter = meter_of(served, memory)
        server = MepServer(
            meter, {**served.of("MAK")}, restore=number.kept, persist=number.keep, last=4
        )
        number.follow(server)
        cable = Cable(Caller(MepPort()), server, start=NOON)
        client = oma_tables(served.keys["MAK"], last=number.last)
        if text is not None:
            cable.call(client.write(ET50, text, 0))
            before = number.last
        else:
            assert cable.call(client.read(ET50, 0, 5)) == b"first"
            assert number.last > before
        store.close()


# --- supply ----------------------------------------------------------------------------------


def test_no_port_answers_without_supply() -> None:
    served, supply = profile(), [True]
    meter = meter_of(served)
    port = OpticalPort()
    session = OpticalSession(port, served.keys["RK"])
    made: list[OpticalServer] = []

    def make() -> OpticalServer:
        made.append(OpticalServer(meter, {**served.of("RK")}))
        return made[-1]

    cable = Cable(Caller(port), SuppliedPort(make, lambda now: supply[0]), start=NOON)
    cable.call(session.open())
    supply[0] = False
    with pytest.raises(TransportError, match="no answer"):
        cable.call(session.tables.read(1, 0, 4))
    assert not cable.call(session.close())
    supply[0] = True
    # Whatever session there was is gone; a new one comes about.
    data = cable.call(session.during(lambda: session.tables.read(1, 0, 4)))
    assert data == served.meter.manufacturer.encode()[:4]
    assert len(made) == 2


def test_a_served_meter_knows_its_supply() -> None:
    meter = meter_of(profile())
    assert meter.powered(NOON)
    meter.meter.parts.condition = msgspec.structs.replace(
        meter.meter.parts.condition, powered=False
    )
    assert not meter.powered(NOON)


# --- serving both ----------------------------------------------------------------------------


def test_both_ports_are_served() -> None:
    async def serve() -> list[str]:
        here = "tcp://127.0.0.1:0"
        serving = await open_serving(profile(), ServeOptions(mep=here, mep2=here))
        await serving.close()
        return list(serving.addresses)

    assert run(serve) == ["mep", "mep2"]


def test_meters_before_4_0_have_one_port() -> None:
    async def serve() -> None:
        await open_serving(load_profile("flat"), ServeOptions(mep2="tcp://127.0.0.1:0"))

    with pytest.raises(UsageError, match=r"4\.0"):
        run(serve)


def test_a_space_is_made_for_each_meter() -> None:
    meter = meter_of(profile())
    assert MepSpace(meter.meter).read(ET50, 0, 3, "MAK", NOON) == bytes(3)


# --- alerts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "names"),
    [(0, set()), (0b1001, {"scheduled_read_request_alert", "m_bus_change"}), (2, {FLAGS[1]})],
)
def test_what_an_alert_is_about(flags: int, names: set[str]) -> None:
    bench = Bench()
    dims = bench.meter.meter.parts.dims
    place = tables["ET13"].bind(dims).span("devices[4].details")
    inner, number = bench.meter.mep.read, tables["ET13"].info.number

    def read(table: int, offset: int, count: int | None, key: str, now: float) -> bytes:
        data = bytearray(inner(table, offset, count, key, now))
        if table == number and 0 <= place.offset - offset < len(data):
            data[place.offset - offset] = flags
        return bytes(data)

    bench.meter.mep.read = read  # type: ignore[method-assign]
    bench.server.alert(waiting=bool(flags), now=NOON)
    bench.cable.wait(1.5)
    told = Alert() in bench.cable.reported[0]
    assert told is bool(flags)
    assert bench.ask(alert_flags(bench.reader)) == names
