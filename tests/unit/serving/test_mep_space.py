"""A served meter's MEP ports: what clients keep there, and where their calls are answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from osgp.errors import (
    InappropriateActionRequested,
    InsufficientSecurityClearance,
    OperationNotPossible,
    TransportError,
    UsageError,
)
from osgp.meter import FileStore
from osgp.meter.measuring import Kind, Spell
from osgp.ports import Caller
from osgp.ports.mep import MepPort, MepServer, OmaTables, oma_tables
from osgp.ports.optical import OpticalPort, OpticalServer, OpticalSession
from osgp.run.serve import MepNumber, ServeOptions, open_serving
from osgp.run.serving.clock import WallClock
from osgp.run.serving.device import ServedMeter
from osgp.run.serving.mep import AttendedPort, MepPortTables
from osgp.run.serving.profiles import ServedProfile, load_profile
from osgp.run.serving.supply import SuppliedPort
from osgp.session import Exchange
from osgp.session.procedures import answered_in, call, next_number
from osgp.session.reader import DeviceReader
from osgp.spec import tables
from osgp.spec.procedures.clock import ChangeSystemClockByDelta
from tests.unit.ports.cable import Cable
from tests.unit.reading.bench import calm, run

NOON = 1_767_960_000.0
ET50, ET59, ET85 = (tables[name].info.number for name in ("ET50", "ET59", "ET85"))


def profile(ports: int = 2, **meter: Any) -> ServedProfile:
    found = calm()
    set_up = msgspec.structs.replace(found.meter.set_up, mep_ports=ports)
    replaced = msgspec.structs.replace(found.meter, set_up=set_up, **meter)
    return msgspec.structs.replace(found, meter=replaced)


def meter_of(served: ServedProfile, nvm: Any = None) -> ServedMeter:
    return ServedMeter(served, WallClock(lambda: NOON, NOON), nvm)


class Bench:
    """A served meter, and a client on one of its MEP ports."""

    def __init__(self, port: int = 1, ports: int = 2, key: str = "MAK", **meter: Any) -> None:
        self.served = profile(ports, **meter)
        self.meter = meter_of(self.served)
        clients = self.meter.clients
        assert clients is not None
        self.clients = clients
        seen = MepPortTables(self.meter, clients, port)
        self.server = MepServer(seen, {**self.served.of("MAK", "MBK")})
        clients.numbers[port] = lambda: self.server.sequence
        attended = AttendedPort(self.server, self.meter, clients, port)
        self.cable = Cable(Caller(MepPort()), attended, start=NOON)
        self.client: OmaTables = oma_tables(self.served.keys[key])
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
    set_up = msgspec.structs.replace(served.meter.set_up, m_bus=True, mep_ports=1)
    older = msgspec.structs.replace(served.meter, set_up=set_up)
    meter = meter_of(msgspec.structs.replace(served, meter=older, history=3600.0))
    assert meter.clients is not None
    meter.clients.numbers[1] = lambda: 0x01020304
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
    served = profile()
    supply: list[int | None] = [0]
    meter = meter_of(served)
    port = OpticalPort()
    session = OpticalSession(port, served.keys["RK"])
    made: list[OpticalServer] = []

    def make() -> OpticalServer:
        made.append(OpticalServer(meter, {**served.of("RK")}))
        return made[-1]

    cable = Cable(Caller(port), SuppliedPort(make, lambda now: supply[0]), start=NOON)
    cable.call(session.open())
    supply[0] = None
    with pytest.raises(TransportError, match="no answer"):
        cable.call(session.tables.read(1, 0, 4))
    assert not cable.call(session.close())
    supply[0] = 1
    # Whatever session there was is gone; a new one comes about.
    data = cable.call(session.during(lambda: session.tables.read(1, 0, 4)))
    assert data == served.meter.manufacturer.encode()[:4]
    assert len(made) == 2


def test_a_served_meter_knows_its_supply() -> None:
    meter = meter_of(profile())
    assert meter.life(NOON) == meter.meter.parts.restarts
    meter.meter.parts.condition = msgspec.structs.replace(
        meter.meter.parts.condition, powered=False
    )
    assert meter.life(NOON) is None


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


def test_a_restart_that_nobody_noticed_ends_sessions() -> None:
    made: list[int] = []
    life: list[int | None] = [1]

    def make() -> Any:
        made.append(1)
        return MepServer(meter, {**served.of("MAK")})

    served = profile()
    meter = meter_of(served)
    port = SuppliedPort(make, lambda now: life[0])
    port.handle_timer(NOON)
    port.handle_timer(NOON)
    life[0] = 2
    port.handle_timer(NOON)
    assert len(made) == 2


# --- which port this is ----------------------------------------------------------------------


@pytest.mark.parametrize(("port", "ports"), [(1, 1), (1, 2), (2, 2)])
def test_clients_can_tell_which_port_they_are_on(port: int, ports: int) -> None:
    bench = Bench(port, ports)
    field = "current_comm_channel_index"
    assert bench.ask(bench.reader.part("ET70", field)) == port
    assert bench.ask(bench.reader.part("ET54", "multiple_mep_clients")) is (ports == 2)
    assert bench.ask(bench.reader.has("ET85")) is (ports == 2)


def test_an_optical_client_is_on_no_mep_port() -> None:
    meter = meter_of(profile())
    assert meter.read(2118, 142, 1, "RK", NOON) == b"\0"


def test_meters_without_the_port_have_none_of_its_tables() -> None:
    meter = meter_of(profile(ports=0))
    with pytest.raises(InappropriateActionRequested):
        meter.read(ET50, 0, 1, "MK", NOON)


def test_it_is_known_when_a_failed_supply_is_back() -> None:
    meter = meter_of(profile())
    before = meter.life(NOON)
    failure = Spell(Kind.POWER_FAILURE, 0, NOON + 10, NOON + 250)
    meter.meter.parts.metering.undergo([failure])
    assert meter.back_at() is None
    assert meter.life(NOON + 11) is None
    assert meter.back_at() == NOON + 250
    after = meter.life(NOON + 251)
    assert (after is None, after == before, meter.back_at()) == (False, False, None)
