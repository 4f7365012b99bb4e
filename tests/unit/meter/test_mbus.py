"""M-Bus devices behind the meter: schedules, requests, alarms, configuration, power cuts."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osgp.errors import (
    InappropriateActionRequested,
    InsufficientSecurityClearance,
    OperationNotPossible,
    UsageError,
)
from osgp.meter import MemoryNvm
from osgp.meter.mbus import LOGGED, TAKES
from osgp.meter.mbus_units import MEDIA, MBusUnit, telegram
from osgp.meter.nvm import PowerCut
from osgp.spec import tables
from osgp.spec.tables.mbus import MBusDeviceConfig, VariableRead
from osgp.wire import NO_DIMS, bind

from .bench import DAY, HOUR, START, Asker, meter, profile, small_set_up

WATER = MBusUnit("water", "12345678", "OSG", yearly=120.0, before=50.0)
HEAT = MBusUnit("heat", "87654321", "OSG", yearly=9000.0)
SET_UP = small_set_up(m_bus=True, log_entries=40)
COMPLETED, INVALID, NO_DEVICE, UNAUTHORISED, UNKNOWN, FULL = 0, 2, 3, 5, 6, 7
ET13, ET14, ET15, ET16, ET34 = (2048 + number for number in (13, 14, 15, 16, 34))
REMOVE, CLEAR, POST = 2065, 2066, 2067
BILLING = 2


def asker(
    *units: MBusUnit, hours: float = 0, nvm: MemoryNvm | None = None, commissioned: bool = True
) -> Asker:
    made = Asker(meter(nvm, set_up=SET_UP, m_bus=units or (WATER, HEAT)))
    if commissioned:
        made.commission()
    made.now = START + hours * HOUR + 30
    made.device.handle_timer(made.now)
    return made


def at(one: Asker, now: float) -> None:
    one.now = now
    one.device.handle_timer(now)


def read_of(one: Asker, slot: int) -> Any:
    return bind(VariableRead, NO_DIMS).decode_from(one.table(ET16).devices[slot].data)[0]


# --- the devices ------------------------------------------------------------------------------


@given(
    st.sampled_from(sorted(MEDIA)),
    st.floats(0, 20_000),
    st.lists(st.floats(1.6e9, 2.2e9), min_size=2, max_size=12),
)
def test_counters_never_count_back(medium: str, yearly: float, times: list[float]) -> None:
    unit = MBusUnit(medium, yearly=yearly)
    counted = [unit.counted(time) for time in sorted(times)]
    assert all(later >= before - 1e-6 for before, later in pairwise(counted))
    assert all(unit.rate(time) >= 0 for time in times)


@pytest.mark.parametrize("medium", sorted(MEDIA))
def test_a_year_s_use(medium: str) -> None:
    unit = MBusUnit(medium, yearly=1000.0)
    year = 365.25 * DAY
    assert unit.counted(START + year) - unit.counted(START) == pytest.approx(1000.0, abs=2.0)


@pytest.mark.parametrize("medium", sorted(MEDIA))
def test_telegrams_are_decoded_by_a_library_of_others(medium: str) -> None:
    meterbus = pytest.importorskip("meterbus")
    unit = MBusUnit(medium, "12345678", "ABC", 1000.0)
    moment = datetime.fromtimestamp(START, UTC)
    body = bytes((0x08, 0x05, 0x72)) + telegram(unit, START, moment, 7)
    size = len(body)
    frame = meterbus.load(bytes((0x68, size, size, 0x68)) + body + bytes((sum(body) & 255, 0x16)))
    shown = frame.to_JSON()
    assert "0x12, 0x34, 0x56, 0x78" in shown or "12345678" in shown
    assert '"ABC"' in shown
    assert len(frame.records) >= 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"medium": "steam"},
        {"serial": "1234567"},
        {"serial": "1234567x"},
        {"manufacturer": "ab"},
        {"manufacturer": "A1C"},
        {"yearly": -1.0},
    ],
)
def test_units_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        MBusUnit(**wrong)


def test_a_meter_without_a_port_takes_no_devices() -> None:
    with pytest.raises(UsageError):
        profile(m_bus=(WATER,))
    with pytest.raises(UsageError):
        profile(m_bus=(WATER,) * 5, set_up=SET_UP)


# --- tables -----------------------------------------------------------------------------------


def test_bt00_lists_the_tables_of_meters_that_have_the_port() -> None:
    wanted = {13, 14, 15, 16, 34, 57, 58}
    general: Any = tables[0].bind().decode(asker().image(0))
    without: Any = tables[0].bind().decode(meter().tables.read(0, 0, None, "OMAK", START))
    assert wanted <= general.extended_tables_used
    assert not wanted & without.extended_tables_used
    assert {17, 18, 19} <= general.extended_procedures_used
    assert not {17, 18, 19} & without.extended_procedures_used
    assert {13, 34} <= general.extended_tables_write
    with pytest.raises(InappropriateActionRequested):
        meter().tables.read(ET14, 0, 1, "OMAK", START)
    with pytest.raises(InappropriateActionRequested):
        meter().tables.write(ET13, 0, b"\0", "OMAK", START)


def test_bt72_lists_the_events_of_the_port() -> None:
    one = asker()
    supported = one.table(72)
    numbers = supported.standard_events_supported | {
        64 + number for number in supported.manufacturer_events_supported
    }
    assert numbers >= LOGGED


@pytest.mark.parametrize("number", [13, 14, 15, 16, 34, 57, 58])
def test_every_size_follows_et11(number: int) -> None:
    one = asker()
    layout = tables[2048 + number].bind(one.device.parts.dims)
    assert len(one.image(2048 + number)) == layout.size


def test_devices_are_found_and_read_at_once() -> None:
    one = asker()
    status = one.table(ET14)
    assert status.device_occupancy == 0b11
    assert [entry.device_handle for entry in status.devices] == [1, 2, 0, 0, 0, 0]
    assert [entry.device_status for entry in status.devices[:3]] == [1, 1, 0]
    assert status.devices[0].billing_data_collected
    assert status.devices[1].m_bus_primary_address == 2
    read = read_of(one, 0)
    assert (read.serial_number, read.medium, read.access_number) == ("78563412", 7, 1)
    size = status.devices[0].billing_read_length
    assert size == 7 + 1 + read.length
    assert one.image(ET16)[size:517] == bytes(517 - size)


def test_readings_grow_hourly() -> None:
    one = asker(hours=0)
    seen = []
    for hour in range(1, 5):
        at(one, START + hour * HOUR + 30)
        read = one.table(ET16).devices[0]
        assert read.timestamp.minute == 0
        seen.append(bytes(read.data))
    assert len(set(seen)) == 4
    entry = one.table(ET14).devices[0]
    assert (entry.read_attempts, entry.read_answers) == (5, 5)


@pytest.mark.parametrize(
    ("frequency", "day", "expected"),
    [(1, 0, 10), (2, 32, 2), (2, 39, 0), (3, 1, 1), (3, 5, 1), (4, 0, 0)],
)
def test_schedules(frequency: int, day: int, expected: int) -> None:
    """Ten days from the night of a Friday, the 29th of May, over the first of June."""
    one = asker(WATER)
    configuration = bytes((day, 6, 30, frequency))
    one.device.tables.write(ET13, 0, configuration, "MAK", one.now)
    at(one, START + 10 * DAY)
    assert one.table(ET14).devices[0].read_answers - 1 == expected
    if expected:
        stamp = one.table(ET16).devices[0].timestamp
        assert (stamp.hour, stamp.minute) == (6, 30)


def test_status_reads_between_billing_reads() -> None:
    one = asker(WATER)
    never_and_ten_minutes = bytes((0, 0, 0, 4, 10, 0))
    one.device.tables.write(ET13, 0, never_and_ten_minutes, "MAK", one.now)
    at(one, START + HOUR + 1)
    entry = one.table(ET14).devices[0]
    assert entry.read_attempts == 7
    assert entry.status_read_timestamp.minute == 0
    assert entry.last_read_attempt.hour == 2, "two hours east in summer, read at midnight UTC"


# --- alarms -----------------------------------------------------------------------------------


def test_a_weak_battery_is_an_alarm_once() -> None:
    weak = MBusUnit("water", "00000001", power_low_from=START + HOUR)
    one = asker(weak, hours=3.5)
    entry = one.table(ET14).devices[0]
    assert entry.device_alarms == 4
    assert entry.new_device_alarm
    assert 17 in one.table(3).manufacturer_alarms
    logged = [entry for entry in one.device.parts.log.entries() if entry.event == 64 + 17]
    assert [entry.argument for entry in logged] == [0, 2]
    assert read_of(one, 0).power_low


def test_silence_is_an_alarm_and_the_last_read_stays() -> None:
    gone = MBusUnit("gas", "00000002", silent_from=START + 1.5 * HOUR)
    one = asker(WATER, gone, hours=1.2)
    before = one.table(ET16).devices[1]
    at(one, START + 4.2 * HOUR)
    entry = one.table(ET14).devices[1]
    assert (entry.device_status, entry.failed_comms_on_read) == (2, True)
    assert (entry.read_attempts, entry.read_answers) == (5, 2)
    assert one.table(ET16).devices[1] == before
    assert one.table(ET14).devices[0].device_status == 1
    assert one.device.parts.log.entries()[-1].argument == 1 << 13 | 4


def test_alarms_are_cleared_where_the_masks_have_ones() -> None:
    weak = MBusUnit("water", "00000001", power_low_from=0.0)
    one = asker(weak, HEAT)
    answer = one.call(CLEAR, 1, device_handle=1, mep_alarms=1, device_alarms=0)
    assert answer.result_code == COMPLETED
    first, second = one.table(ET14).devices[:2]
    assert (first.billing_data_collected, first.new_device_alarm) == (False, True)
    assert second.billing_data_collected
    one.call(CLEAR, 2, device_handle=0xFFFF, mep_alarms=0xFFFF, device_alarms=255)
    assert one.table(ET14).devices[0].device_alarms == 0
    wrong = one.call(CLEAR, 3, device_handle=9, mep_alarms=1, device_alarms=0)
    assert wrong.result_code == NO_DEVICE


# --- requests ---------------------------------------------------------------------------------


def ask(one: Asker, sequence: int, device: int, kind: int, data: bytes | None = None) -> Any:
    given: dict[str, Any] = {"transaction_number": 0x400 + sequence, "device": device}
    if data is not None:
        given |= {"write_data_length": len(data), "write_data": data}
    return one.call(POST, sequence, request_type=kind, **given)


def test_a_billing_read_on_demand() -> None:
    one = asker()
    at(one, START + 1800)
    before = one.table(ET16).devices[1]
    answer = ask(one, 1, 2, BILLING)
    assert (answer.result_code, answer.response_data[:1]) == (COMPLETED, b"\0")
    waiting = one.table(ET15)
    assert (waiting.write_pointer, waiting.read_pointer, waiting.requests[0].result) == (1, 0, 0)
    at(one, one.now + TAKES + 1)
    done = one.table(ET15)
    assert done.requests[0].transaction_number == 0x401
    assert (done.read_pointer, done.requests[0].result) == (1, 1)
    assert one.table(ET16).devices[1].timestamp != before.timestamp
    assert one.table(ET16).devices[0].timestamp == before.timestamp


def test_a_silent_device_does_not_respond() -> None:
    one = asker(MBusUnit("gas", "00000002", silent_from=0.0))
    ask(one, 1, 1, BILLING)
    at(one, one.now + TAKES + 1)
    assert one.table(ET15).requests[0].result == 2


def test_writes_and_multicasts_are_shown_in_the_queue() -> None:
    one = asker()
    assert ask(one, 1, 1, 4, b"open").result_code == COMPLETED
    assert ask(one, 2, 0xFFFF, 6, b"\x53\x50all").result_code == COMPLETED
    assert ask(one, 3, 0b10, 10, b"shut").result_code == COMPLETED
    at(one, one.now + TAKES + 1)
    table = one.table(ET15)
    assert [request.result for request in table.requests[:3]] == [1, 1, 1]
    assert (table.writes[0].length, table.writes[0].data[:4]) == (4, b"open")
    assert (table.multicast_length, table.multicast[:5]) == (5, b"\x53\x50all")
    assert table.writes[1].length == 0


def test_groups_are_those_of_et34() -> None:
    one = asker()
    assert ask(one, 1, 0b100, 6, b"\x53\x50").result_code == NO_DEVICE
    one.device.tables.write(ET34, 22 + 2, b"\x04", "MAK", one.now)
    assert ask(one, 2, 0b100, 6, b"\x53\x50").result_code == COMPLETED
    at(one, one.now + TAKES + 1)
    assert [entry.read_attempts for entry in one.table(ET14).devices[:2]] == [1, 2]


@pytest.mark.parametrize(
    ("device", "kind", "result"), [(9, BILLING, NO_DEVICE), (1, 0, INVALID), (1, 9, INVALID)]
)
def test_requests_that_make_no_sense(device: int, kind: int, result: int) -> None:
    assert ask(asker(), 1, device, kind).result_code == result


def test_the_queue_is_full_until_requests_are_carried_out() -> None:
    one = asker(commissioned=True)
    one.step = 0.001
    for sequence in range(5):
        assert ask(one, sequence + 1, 1, 5).result_code == COMPLETED
    assert ask(one, 6, 1, 5).result_code == FULL
    at(one, one.now + TAKES + 1)
    assert ask(one, 7, 1, 5).result_code == COMPLETED


def test_removed_devices_stay_away() -> None:
    one = asker()
    assert one.call(REMOVE, 1, action=2, device_handle=1).result_code == INVALID
    assert one.call(REMOVE, 2, action=0, device_handle=7).result_code == NO_DEVICE
    assert one.call(REMOVE, 3, action=0, device_handle=1).result_code == COMPLETED
    at(one, one.now + 3 * HOUR)
    status = one.table(ET14)
    assert status.device_occupancy == 0b10
    assert status.devices[0].device_handle == 0
    assert one.table(ET16).devices[0].data == bytes(510)
    assert 16 in one.table(3).manufacturer_alarms
    assert one.call(REMOVE, 4, action=0, device_handle=0xFFFF).result_code == COMPLETED
    assert one.table(ET14).device_occupancy == 0


def test_the_basic_key_removes_no_m_bus_device() -> None:
    one = asker()
    request = (REMOVE & 0x7FF | 0x800).to_bytes(2, "little") + bytes((1, 0, 1, 0))
    one.device.tables.write(7, None, request, "MBK", one.now)
    assert one.table(8).result_code == UNAUTHORISED


def test_a_meter_without_the_port_knows_no_such_procedures() -> None:
    one = Asker(meter(set_up=small_set_up()))
    one.commission()
    assert one.call(REMOVE, 1, action=0, device_handle=1).result_code == UNKNOWN


# --- configuration ----------------------------------------------------------------------------


def test_keys_are_kept_but_their_first_bytes_not_shown() -> None:
    one = asker()
    layout = bind(MBusDeviceConfig, NO_DIMS)
    place = 8 + layout.span("security_key").offset
    secret = bytes(range(1, 17))
    one.device.tables.write(ET13, place, secret, "MAK", one.now)
    shown = one.image(ET13)[place : place + 16]
    assert shown == bytes(8) + secret[8:]
    one.device.tables.write(ET13, 3, b"\x01", "MAK", one.now)
    bus = one.device.parts.m_bus
    assert bus is not None
    assert bus.settings.image("ET13")[place : place + 16] == secret


@pytest.mark.parametrize(("offset", "data"), [(66 * 6, b"\0"), (None, b"short"), (0, bytes(397))])
def test_writes_beyond_the_end(offset: int | None, data: bytes) -> None:
    with pytest.raises(OperationNotPossible):
        asker().device.tables.write(ET13, offset, data, "MAK", START + 60)


def test_the_basic_key_reads_but_does_not_write() -> None:
    device = asker().device
    assert len(device.tables.read(ET13, 0, None, "MBK", START + 60)) == 66 * 6
    with pytest.raises(InsufficientSecurityClearance):
        device.tables.write(ET13, 0, b"\0", "MBK", START + 60)


# --- memory -----------------------------------------------------------------------------------


def test_a_restart_goes_on() -> None:
    nvm = MemoryNvm()
    one = asker(nvm=nvm, hours=2.2)
    before = one.image(ET14), one.image(ET16)
    again = Asker(meter(nvm, now=one.now, set_up=SET_UP, m_bus=(WATER, HEAT)))
    read = again.device.tables.read
    assert (
        read(ET14, 0, None, "OMAK", one.now),
        read(ET16, 0, None, "OMAK", one.now),
    ) == before


def test_late_or_in_time_comes_to_the_same() -> None:
    often, late = asker(commissioned=False), asker(commissioned=False)
    for minute in range(0, 24 * 60, 7):
        at(often, START + 60 * minute + 40)
    at(often, START + DAY + 50)
    at(late, START + DAY + 50)
    for number in (ET14, ET16):
        images = [one.device.tables.image(number, one.now)[:] for one in (often, late)]
        assert images[0] == images[1]


def test_power_cuts_leave_a_read_whole() -> None:
    """Whatever the step at which power goes: ET14 speaks of the read that ET16 has."""
    cuts = 0
    for cut_at in range(0, 160, 5):
        nvm = MemoryNvm(cut_at=cut_at)
        try:
            device = meter(nvm, set_up=SET_UP, m_bus=(WATER, HEAT))
            device.handle_timer(START + 6 * HOUR)
        except PowerCut:
            cuts += 1
        for unsynchronised in (True, False):
            memory = nvm.survivor(unsynchronised=unsynchronised)
            after = Asker(meter(memory, START + 6 * HOUR, set_up=SET_UP, m_bus=(WATER, HEAT)))
            tables_ = after.device.tables
            status = tables_.image(ET14, START + 6 * HOUR)[:]
            reads = tables_.image(ET16, START + 6 * HOUR)[:]
            for slot in range(2):
                length = int.from_bytes(status[6 + 36 * slot + 4 :][:2], "little")
                entry = reads[517 * slot : 517 * (slot + 1)]
                assert entry[7] == length - 8 > 0
                assert not any(entry[length:])
    assert cuts > 10
