"""Whatever a line does to messages: reads are right or fail, writes happen once or not at all."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from osgp.errors import OsgpError, SecurityError, TransportError
from osgp.session.client import REPEATS
from osgp.spec.services import PLC_LIMITS
from tests.support.conversations import Device, Fault, ToyTables

SIZE = 400
LOSSES = (Fault.REQUEST_LOST, Fault.RESPONSE_LOST, Fault.REQUEST_TWICE)


class Operation(NamedTuple):
    """A read (no data) or a write at an offset, and what befalls its messages."""

    offset: int
    data: bytes
    wanted: int
    faults: list[Fault]


def operations(faults: st.SearchStrategy[Fault]) -> st.SearchStrategy[list[Operation]]:
    one = st.builds(
        Operation,
        st.integers(0, 150),
        st.binary(max_size=200),
        st.integers(0, 250),
        st.lists(faults, max_size=8),
    )
    return st.lists(one, min_size=1, max_size=8)


def perform(there: Device, operation: Operation) -> bytes | None:
    line = there.line(operation.faults)
    if operation.data:
        line.run(there.client.write(23, operation.data, operation.offset))
        return None
    return line.run(there.client.read(23, operation.offset, operation.wanted))


@settings(deadline=None)
@given(operations(st.sampled_from(Fault)))
def test_an_exchange_does_what_it_says_or_fails(todo: list[Operation]) -> None:
    there = Device(ToyTables({23: bytes(SIZE)}))
    expected = bytearray(SIZE)
    for operation in todo:
        end = operation.offset + len(operation.data)
        written = len(there.tables.writes)
        try:
            found = perform(there, operation)
        except (TransportError, SecurityError):
            new = there.tables.writes[written:]
            offsets = [offset for _, offset, _ in new]
            assert len(offsets) == len(set(offsets)), "a piece was written twice"
            expected[:] = there.tables.images[23]
            continue
        if operation.data:
            expected[operation.offset : end] = operation.data
            pieces = -(-len(operation.data) // PLC_LIMITS.write)
            assert len(there.tables.writes) - written == pieces
        else:
            assert found == bytes(expected[operation.offset : operation.offset + operation.wanted])
        assert there.tables.images[23] == expected


@settings(deadline=None)
@given(operations(st.sampled_from(LOSSES)))
def test_single_losses_are_never_noticed(todo: list[Operation]) -> None:
    """Fewer losses in a row than there are repeats, and nobody above sees any."""
    there = Device(ToyTables({23: bytes(SIZE)}))
    for operation in todo:
        spaced = [f for fault in operation.faults for f in (fault, *[Fault.NONE] * 2)]
        perform(there, operation._replace(faults=spaced))
    assert there.client.statistics.failures == 0
    assert there.client.statistics.unverified == 0


@settings(deadline=None)
@given(st.integers(0, (1 << 32) - 1), st.lists(st.sampled_from(LOSSES), max_size=6))
def test_any_sequence_number_is_found_with_one_correction(last: int, faults: list[Fault]) -> None:
    there = Device(ToyTables({23: bytes(SIZE)}), last=last)
    line = there.line(faults)
    try:
        line.run(there.client.read(23, 0, 10))
    except TransportError:
        assert len(line.sent) <= 2 * (REPEATS + 1)
    assert there.client.statistics.resyncs <= 1
    there.line().run(there.client.read(23, 0, 10))
    assert there.client.statistics.resyncs <= 2


@settings(deadline=None)
@given(st.binary(max_size=130))
def test_noise_never_reaches_the_tables(noise: bytes) -> None:
    there = Device(ToyTables({23: bytes(SIZE)}))
    there.answer(noise)
    there.answer(b"\x00" + noise)
    assert there.tables.reads == 0
    assert there.tables.writes == []


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=130), st.booleans())
def test_noise_for_an_answer_is_one_error(noise: bytes, coded: bool) -> None:
    there = Device(ToyTables({23: bytes(SIZE)}))
    talk = there.client.read(23, 0, 10)
    next(talk)
    try:
        talk.send(b"\x00" + noise if coded else noise)
    except OsgpError as error:
        assert isinstance(error, SecurityError)
    else:
        raise AssertionError("noise was taken for an answer")
