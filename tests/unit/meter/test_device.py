"""The whole device over EN 14908-1 frames: found, commissioned, read, switched off and on."""

from __future__ import annotations

import random

from osgp.errors import DecodeError
from osgp.lon import NeuronId, SubnetNode
from osgp.meter import MemoryNvm, VirtualMeter
from osgp.meter.measuring import Kind, Spell
from osgp.spec import tables
from osgp.topology import atm

from .bench import DAY, DOMAIN, HOUR, PLACE, START, Asker, meter, profile

NEURON = NeuronId(profile().neuron_id)


def ready(now: float = START) -> Asker:
    asker = Asker(meter(now=START), now)
    asker.commission()
    return asker


def test_an_unregistered_meter_answers_discovery_and_a_registered_one_is_silent() -> None:
    asker = Asker(meter())
    query = atm.query(1, atm.EVERYBODY)
    answer = asker.broadcast(query)
    assert answer is not None
    assert atm.parse_answer(answer).neuron_id == profile().neuron_id
    assert atm.parse_answer(answer).margin == 40
    asker.commission()
    assert asker.broadcast(query) is None


def test_commissioning_gives_a_place_and_is_logged_and_survives() -> None:
    nvm = MemoryNvm()
    asker = Asker(meter(nvm))
    assert not asker.device.parts.commissioned
    before = asker.device.address_keys()
    asker.commission()
    assert asker.device.address == PLACE
    assert asker.device.address_keys() > before
    again = meter(nvm, asker.now)
    assert again.address == PLACE
    assert again.address_keys() == asker.device.address_keys()
    assert [entry.event for entry in again.parts.log.entries()] == [36]


def test_et04_shows_the_link() -> None:
    asker = ready()
    assert asker.table(2052).subnet_id == PLACE.subnet
    system = asker.table(2052)
    assert (system.subnet_id, system.node_id, system.neuron_state) == (1, 5, 4)
    assert system.transceiver_id == profile().neuron_id
    assert system.sequence_number == asker.device._security.last - 1
    assert system.plc_signal_quality_status == 4


def test_every_table_that_bt00_names_can_be_read_and_decodes() -> None:
    asker = ready()
    asker.device.handle_timer(START + 2 * DAY)
    asker.now = START + 2 * DAY + 60
    general = asker.table(0)
    numbers = set(general.basic_tables_used) | {2048 + n for n in general.extended_tables_used}
    for number in sorted(numbers - {7, 64}):
        assert tables[number].bind(asker.device.parts.dims).decode(asker.image(number)), number
    block: bytes = asker.run(asker.client.read(64, 0, 1841))
    assert block == asker.device.tables.image(64, asker.now)[:1841]


def test_registers_read_over_the_line_are_the_meters_own() -> None:
    asker = ready()
    asker.device.handle_timer(START + DAY)
    asker.now = START + DAY + 0.5
    image = asker.image(23)
    assert image == asker.device.tables.last_image(23)
    read = tables[23].bind(asker.device.parts.dims).decode(image)
    sources = asker.device.profile.set_up.summations
    held = asker.device.engine.registers
    own = [held.value(source) if source not in (26, 27, 28) else 0 for source in sources]
    assert list(read.total_data_block.summations) == own  # type: ignore[attr-defined]  # as declared
    assert own[0] > 5000


def test_the_newest_interval_is_where_et21s_arithmetic_says() -> None:
    asker = ready()
    asker.device.handle_timer(START + 3 * DAY + 5 * HOUR)
    asker.now = START + 3 * DAY + 5 * HOUR + 1
    inner, status = asker.table(2069).data_sets[0], asker.table(63).data_sets[0]
    offset = status.last_block * inner.block_size + inner.block_header_size
    offset += inner.last_interval_number * inner.interval_size
    data: bytes = asker.run(asker.client.read(64, offset, inner.interval_size))
    snapshot = meter().engine.snapshots([START + 3 * DAY + 5 * HOUR], (0, 1, 2, 3))[0]
    assert data[inner.channel_0_offset_from_interval :] == b"".join(
        int(value).to_bytes(4, "little") for value in snapshot
    )
    assert (status.last_block, status.number_of_valid_intervals) == (3, 20)


def test_a_wrong_key_gets_0b_and_changes_nothing() -> None:
    asker = ready()
    stranger = Asker(asker.device, asker.now, key=bytes(12))
    last = asker.device._security.last
    sealed = stranger.security.seal_request(b"\x00\x30\x00\x00")
    assert stranger.ask(sealed, PLACE) == b"\x00\x0b"
    assert asker.device._security.last == last


def test_an_encrypted_request_gets_an_encrypted_response() -> None:
    asker = ready()
    asker.security.encrypt = True
    assert asker.table(1).manufacturer_serial_number == profile().serial


def test_power_off_silences_the_meter_and_loses_no_interval() -> None:
    asker = ready()
    device = asker.device
    outage = Spell(Kind.POWER_FAILURE, 0, START + HOUR + 60.0, START + 2 * HOUR + 60.0)
    device.parts.metering.undergo([outage])
    device.handle_timer(START + HOUR + 120)
    asker.now = START + HOUR + 120
    supply = [device.powered]
    assert asker.ask(asker.security.seal_request(b"\x00\x30\x00\x00"), PLACE) is None
    assert device.next_timer() <= START + HOUR + 900
    device.handle_timer(START + 3 * HOUR)
    supply.append(device.powered)
    assert supply == [False, True]
    asker.now = START + 3 * HOUR
    status = asker.table(63).data_sets[0]
    assert status.number_of_valid_intervals == 12
    flags = [device.parts.recorders[0][17 + 19 * n : 18 + 19 * n][0] >> 4 for n in range(12)]
    assert flags == [1] * 4 + [3] * 5 + [1] * 3
    assert asker.table(3).power_failure
    assert [entry.event for entry in device.parts.log.entries()] == [36, 1, 2]


def test_a_restart_during_an_outage_stays_dark_until_power_returns() -> None:
    nvm = MemoryNvm()
    asker = Asker(meter(nvm))
    asker.commission()
    outage = Spell(Kind.POWER_FAILURE, 0, START + 600.0, START + 1200.0)
    asker.device.parts.metering.undergo([outage])
    asker.device.handle_timer(START + 700)
    again = Asker(meter(nvm, START + 800), START + 800)
    message = again.security.seal_request(b"\x00\x30\x00\x01")
    assert again.ask(message, PLACE) is None
    again.now = START + 1200
    again.device.handle_timer(START + 1200)
    assert again.ask(again.security.seal_request(b"\x00\x30\x00\x01"), PLACE) is not None


def test_a_damaged_memory_is_reported_not_used() -> None:
    nvm = MemoryNvm()
    meter(nvm)
    for name, _ in list(nvm.items()):
        broken = MemoryNvm(dict(nvm.items()))
        broken.put(name, b"\xff\x00")
        broken.commit()
        try:
            VirtualMeter(profile(), broken, random.Random(1), START)
        except DecodeError:
            continue
        raise AssertionError(f"{name} was believed")


def test_leaving_the_domain_makes_it_findable_again() -> None:
    asker = ready()
    asker.commission(SubnetNode(2, 9))
    assert asker.device.address == SubnetNode(2, 9)
    assert asker.table(2052).node_id == 9
    assert asker.device.stack.config.domains[0].domain == DOMAIN
