"""What nobody should send to a meter, and power that goes at the worst moment."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from osgp.lon import SubnetNode
from osgp.meter import FileStore, MemoryNvm, VirtualMeter
from osgp.meter.nvm import PowerCut
from osgp.meter.tables import readable
from osgp.repeating.message import REQUEST_CODE
from osgp.repeating.uplink import FAILURE_CODE, SUCCESS_CODE
from osgp.spec import procedures
from osgp.spec.services import ResponseCode
from tests.unit.meter.bench import (
    DAY,
    HOUR,
    PLACE,
    START,
    Asker,
    meter,
    profile,
    request,
    small_set_up,
)

MANY = settings(max_examples=60, deadline=None)
NOON = START + DAY / 2


@pytest.fixture(scope="module")
def victim() -> Asker:
    asker = Asker(meter(set_up=small_set_up()))
    asker.commission()
    asker.now = START + 4 * DAY
    asker.device.handle_timer(asker.now)
    return asker


CODES = st.sampled_from([0x00, 0x01, 0x02, 0x03, 0x3F, REQUEST_CODE])


def cells(device: VirtualMeter) -> dict[str, bytes]:
    """The memory without the sequence number that requests may use up."""
    return {name: value for name, value in device.nvm.items() if name != "sequence"}


def sealed(asker: Asker, body: bytes) -> bytes | None:
    """Send an authenticated APDU of any content; the plain response."""
    message = asker.security.seal_request(b"\x00" + body)
    answer = asker.ask(message, asker.place)
    return None if answer is None else asker.security.open_response(message, answer)


# --- frames and APDUs ------------------------------------------------------------------------


@MANY
@given(st.binary(max_size=120))
def test_noise_does_nothing(victim: Asker, frame: bytes) -> None:
    before = cells(victim.device)
    victim.device.receive_frame(frame, victim.now)
    assert victim.device.frames_to_send(victim.now) == []
    assert cells(victim.device) == before


@MANY
@given(st.binary(min_size=1, max_size=110), CODES)
@example(b"\x00\x08\x00\x00\x00\x00", REQUEST_CODE)
def test_unauthenticated_messages_get_0b_what_repeaters_say_or_nothing(
    victim: Asker, body: bytes, code: int
) -> None:
    """A repeater passes on for anybody, and says when it has sent what nobody answers."""
    before = cells(victim.device)
    answer = victim.ask(bytes((code,)) + body, PLACE)
    if code == REQUEST_CODE and answer is not None:
        assert answer[0] == FAILURE_CODE or answer == bytes((SUCCESS_CODE,))
    else:
        assert answer in (None, b"\x00\x0b")
    assert cells(victim.device) == before


@MANY
@given(st.integers(0, 8 * 40), st.booleans())
def test_a_changed_bit_is_noticed(victim: Asker, bit: int, write: bool) -> None:
    body = b"\x40\x00\x07\x00\x06" + request(5, 250, b"\3\1\0") if write else b"\x30\x00\x17"
    message = bytearray(victim.security.seal_request(b"\x00" + body))
    place = bit % (8 * (len(message) - 1)) + 8
    message[place // 8] ^= 1 << place % 8
    before = cells(victim.device)
    assert victim.ask(bytes(message), PLACE) == b"\x00\x0b"
    assert cells(victim.device) == before


@MANY
@given(st.binary(min_size=1, max_size=80))
def test_authenticated_nonsense_gets_a_code(victim: Asker, body: bytes) -> None:
    before = cells(victim.device)
    answer = sealed(victim, body)
    assert answer is not None
    assert ResponseCode(answer[1])
    if body[:1] not in (b"\x40", b"\x4f"):
        assert cells(victim.device) == before


@MANY
@given(
    st.one_of(st.integers(0, 0xFFFF), st.sampled_from(sorted(readable(small_set_up())))),
    st.integers(0, 0xFFFFFF),
    st.integers(0, 0xFFFF),
)
def test_absurd_reads_are_refused(victim: Asker, table: int, offset: int, count: int) -> None:
    body = b"\x3f" + table.to_bytes(2, "big") + offset.to_bytes(3, "big") + count.to_bytes(2, "big")
    answer = sealed(victim, body)
    assert answer is not None
    if answer[1] == ResponseCode.OK:
        assert count <= 84
        assert len(answer) == 4 + count
    else:
        assert answer[1] in (3, 4, 5)


@MANY
@given(st.integers(0, 0xFFF), st.integers(0, 255), st.binary(max_size=60), st.integers(0, 15))
def test_any_procedure_with_any_parameters_has_a_result(
    victim: Asker, number: int, sequence: int, parameters: bytes, handling: int
) -> None:
    data = request(number, sequence, parameters, handling)
    answer = sealed(victim, b"\x40\x00\x07" + len(data).to_bytes(2, "big") + data)
    assert answer is not None
    assert answer[1] in (0, 4)
    response = sealed(victim, b"\x3f\x00\x08\x00\x00\x00\x00\x04")
    assert response is not None
    assert response[4 + 3] in range(7)


@MANY
@given(st.binary(max_size=30), st.integers(0, 0xFFFFFF), st.sampled_from([5, 7, 53, 23, 64, 500]))
def test_any_write_leaves_a_meter_that_can_be_read(
    victim: Asker, data: bytes, offset: int, table: int
) -> None:
    place = (offset % 12).to_bytes(3, "big") if offset % 2 else offset.to_bytes(3, "big")
    body = b"\x4f" + table.to_bytes(2, "big") + place + len(data).to_bytes(2, "big") + data
    assert sealed(victim, body) is not None
    for number in (5, 53, 55, 63):
        assert victim.table(number) is not None


# --- repetition and replay -------------------------------------------------------------------


def update(count: int, sequence: int) -> bytes:
    data = request(5, sequence, b"\3" + count.to_bytes(2, "little"))
    return b"\x00\x40\x00\x07" + len(data).to_bytes(2, "big") + data


def full() -> Asker:
    asker = Asker(meter(set_up=small_set_up()))
    asker.commission()
    asker.now = START + 4 * DAY
    asker.device.handle_timer(asker.now)
    return asker


def unread(asker: Asker) -> int:
    return asker.device.parts.recorders[0].state.unread


def test_the_same_bytes_again_are_answered_alike_and_executed_once() -> None:
    asker = full()
    message = asker.security.seal_request(update(1, 1))
    first = asker.ask(message, PLACE)
    assert unread(asker) == 2
    assert asker.ask(message, PLACE) == first
    assert unread(asker) == 2


def test_an_old_message_gets_0c_and_is_not_executed() -> None:
    asker = full()
    old = asker.security.seal_request(update(1, 1))
    asker.ask(old, PLACE)
    asker.call(5, 2, list=3, entries_read=0)
    answer = asker.ask(old, PLACE)
    assert answer is not None
    assert answer[1] == ResponseCode.SEQUENCE_NUMBER_ERROR
    assert unread(asker) == 2


def test_an_old_message_is_not_executed_after_a_restart_either() -> None:
    nvm = MemoryNvm()
    asker = Asker(meter(nvm, set_up=small_set_up()))
    asker.commission()
    asker.now = START + 4 * DAY
    old = asker.security.seal_request(update(1, 1))
    asker.ask(old, PLACE)
    again = Asker(meter(nvm, asker.now, set_up=small_set_up()), asker.now + 60)
    answer = again.ask(old, PLACE)
    assert answer is not None
    assert answer[1] == ResponseCode.SEQUENCE_NUMBER_ERROR
    assert unread(again) == 2


def test_a_message_for_another_address_does_not_open_this_meter() -> None:
    asker = full()
    asker.use_place(SubnetNode(1, 6))
    message = asker.security.seal_request(b"\x00\x30\x00\x00")
    assert asker.ask(message, PLACE) == b"\x00\x0b"


# --- power cuts ------------------------------------------------------------------------------

Step = tuple[float, Callable[[Asker], None]]

EVENTFUL = {"set_up": small_set_up(), "feeder": 564}
"""A feeder with a sag after 8 hours and a power failure from 9:49 to 10:16."""


def commission(asker: Asker) -> None:
    asker.commission()


def procedure(number: int, sequence: int, **parameters: Any) -> Callable[[Asker], None]:
    def act(asker: Asker) -> None:
        """Again after a cut, the meter may say that it has done it."""
        data = _parameters(asker, number, parameters)
        script = asker.client.write_whole(7, request(number, sequence, data))
        assert asker.refusal(script) in (0, 4)
        response = asker.table(8)
        assert (response.sequence_number, response.result_code) == (sequence, 0)

    return act


def _parameters(asker: Asker, number: int, parameters: dict[str, Any]) -> bytes:
    declaration = procedures[number]
    return declaration.bind(asker.device.parts.dims).encode(declaration.make(**parameters))


def idle(asker: Asker) -> None:
    asker.device.handle_timer(asker.now)


def script() -> Iterator[Step]:
    """A day and a half with everything in it that changes memory."""
    yield START + 100.0, commission
    for hour in range(1, 7):
        yield START + hour * HOUR, idle
    yield START + 6.5 * HOUR, procedure(5, 1, list=3, entries_read=1)
    yield START + 7.5 * HOUR, procedure(2064, 2, delta=600)
    yield START + 12 * HOUR, idle
    yield START + 13.5 * HOUR, procedure(2064, 3, delta=-1200)
    yield START + 14 * HOUR, procedure(5, 4, list=8, entries_read=3)
    yield START + 26 * HOUR, idle
    yield START + 26.5 * HOUR, procedure(5, 5, list=3, entries_read=1)
    yield START + 36 * HOUR, idle


def lived(nvm: MemoryNvm, steps: list[Step], start: float) -> Iterator[tuple[VirtualMeter, int]]:
    """Work off steps; yields after each one that was acknowledged."""
    device = meter(nvm, start, **EVENTFUL)
    asker = Asker(device, start)
    for number, (now, act) in enumerate(steps):
        asker.now, asker.step = now, 0.001
        act(asker)
        yield device, number


def outcome(device: VirtualMeter) -> Any:
    parts = device.parts
    recorder = parts.recorders[0]
    entries = [(entry.sequence, entry.event, entry.time) for entry in parts.log.entries()]
    profile_state = (recorder.state, recorder[0 : len(recorder)])
    registers = parts.metering.registers(START + 36 * HOUR + 10)
    return profile_state, entries, parts.log.state, parts.condition, device.address, registers


@pytest.fixture(scope="module")
def undisturbed() -> Any:
    steps = list(script())
    *_, (device, _) = lived(MemoryNvm(cut_at=10**9), steps, START)
    return outcome(device), device.nvm.operations  # type: ignore[attr-defined]  # memory that counts


@pytest.mark.parametrize("kept", [True, False])
def test_a_cut_at_any_operation_loses_and_doubles_nothing(undisturbed: Any, kept: bool) -> None:
    wanted, operations = undisturbed
    assert operations > 150
    assert [event for _, event, _ in wanted[1] if event in (1, 2, 98)] == [98, 1, 2]
    steps = list(script())
    for cut in range(operations):
        nvm, done = MemoryNvm(cut_at=cut), 0
        try:
            for _, number in lived(nvm, steps, START):
                done = number + 1
        except PowerCut:
            pass
        left = steps[done:]
        again = nvm.survivor(unsynchronised=kept)
        device = meter_after(again, left)
        assert outcome(device) == wanted, f"cut at {cut} of {operations}"


def meter_after(nvm: MemoryNvm, left: list[Step]) -> VirtualMeter:
    """Switched on again at once, and asked again for what it did not acknowledge."""
    born = nvm.get("metering") is not None
    device = meter(nvm, left[0][0] if born else START, **EVENTFUL)
    asker = Asker(device, START)
    if device.address is not None:
        asker.use_place(device.address)
    for now, act in left:
        asker.now, asker.step = now, 0.001
        act(asker)
    return device


# --- the file --------------------------------------------------------------------------------


def test_a_killed_process_finds_its_meters_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "meters.db"
    twin = meter(set_up=small_set_up(), feeder=4)
    killed = FileStore(path)
    memory = killed.memory(profile().neuron_id)
    device = VirtualMeter(profile(set_up=small_set_up(), feeder=4), memory, random.Random(1), START)
    for hour in range(1, 60):
        device.handle_timer(START + hour * HOUR)
        if hour == 30:
            memory.sync()
    with closing(FileStore(path)) as store:
        found = VirtualMeter(
            profile(set_up=small_set_up(), feeder=4),
            store.memory(profile().neuron_id),
            random.Random(1),
            START + 70 * HOUR,
        )
        twin.handle_timer(START + 70 * HOUR)
        ours, its = found.parts.recorders[0], twin.parts.recorders[0]
        assert ours[0 : len(ours)] == its[0 : len(its)]
        assert found.parts.log.entries() == twin.parts.log.entries()
    killed.close()
