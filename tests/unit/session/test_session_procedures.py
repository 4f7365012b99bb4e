"""Procedures over BT07 and BT08."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from osgp.errors import (
    EncodeError,
    InvalidParameter,
    ProcedureError,
    ProcedureNotFinished,
    RemoteProtocolError,
    UnrecognizedProcedure,
)
from osgp.session.procedures import (
    MEP_NUMBERS,
    POLL_EVERY,
    POLLS,
    Answers,
    answered_in,
    call,
    next_number,
)
from osgp.session.reader import DeviceReader
from osgp.spec import procedures, tables
from osgp.spec.declare import EXTENDED
from osgp.spec.procedures.basic import UpdateLastReadEntry
from osgp.spec.tables.general import ProcedureInitiate, ProcedureResponse
from tests.support.conversations import Device, Liar, Line, ToyTables
from tests.support.images import general_configuration, images_of

Finish = Callable[[ProcedureInitiate], ProcedureResponse]


def done(request: ProcedureInitiate, result: int = 0, data: bytes = b"") -> ProcedureResponse:
    return ProcedureResponse.make(
        procedure_number=request.procedure_number,
        extended=request.extended,
        sequence_number=request.sequence_number,
        result_code=result,
        response_data=data,
    )


class Busy(ToyTables):
    """Answers in BT08 after `looks` looks at it."""

    def __init__(self, finish: Finish, looks: int = 1) -> None:
        super().__init__({7: b"", 8: ProcedureResponse.bind().encode(_NOTHING)})
        self._finish, self._looks = finish, looks
        self.calls: list[ProcedureInitiate] = []

    def write(self, table: int, offset: int | None, data: bytes, key: str, now: float) -> None:
        super().write(table, offset, data, key, now)
        self.calls.append(ProcedureInitiate.bind().decode(data))

    def read(self, table: int, offset: int, count: int | None, key: str, now: float) -> bytes:
        self._looks -= 1
        if self._looks <= 0 and self.calls:
            answer = self._finish(self.calls[-1])
            self.images[8][:] = ProcedureResponse.bind().encode(answer)
        return super().read(table, offset, count, key, now)


_NOTHING = ProcedureResponse.make(
    procedure_number=0, extended=False, sequence_number=0, result_code=0, response_data=b""
)


def run(tables: Busy, sequence: int = 9) -> tuple[bytes, Line]:
    there = Device(tables)
    line = there.line()
    return line.run(call(there.client, UpdateLastReadEntry(3, 2), sequence)), line


def test_a_call_writes_bt07_and_reads_bt08() -> None:
    tables = Busy(lambda request: done(request, data=b"\x01\x02"))
    data, line = run(tables)
    assert data == b"\x01\x02"
    assert len(line.sent) == 2
    assert line.waited == 0
    (request,) = tables.calls
    assert request.procedure == UpdateLastReadEntry.info.number
    assert request.sequence_number == 9
    assert request.parameters == UpdateLastReadEntry.bind().encode(UpdateLastReadEntry(3, 2))


def test_a_slow_device_is_polled() -> None:
    _, line = run(Busy(done, looks=4))
    assert len(line.sent) == 5
    assert line.waited == 3 * POLL_EVERY


@pytest.mark.parametrize(
    ("result", "error"), [(2, InvalidParameter), (6, UnrecognizedProcedure), (99, ProcedureError)]
)
def test_each_result_code_is_an_error_of_its_own(result: int, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        run(Busy(lambda request: done(request, result)))
    assert isinstance(caught.value, ProcedureError)
    assert caught.value.result_code == result


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: done(request, result=1),
        lambda request: done(request).with_(sequence_number=8),
        lambda request: done(request).with_(extended=True),
        lambda request: done(request).with_(procedure_number=6),
    ],
)
def test_answers_that_never_come_end_after_some_polls(answer: Finish) -> None:
    """Not yet completed, or about another call."""
    there = Device(Busy(answer))
    line = there.line()
    with pytest.raises(ProcedureNotFinished):
        line.run(call(there.client, UpdateLastReadEntry(3, 2), 9))
    assert len(line.sent) == 1 + POLLS
    assert line.waited == (POLLS - 1) * POLL_EVERY


def test_extended_procedures_carry_the_manufacturer_bit() -> None:
    extended = next(
        found
        for name in procedures
        if (found := procedures[name]).info.number >= EXTENDED and not found.wire_fields
    )
    tables = Busy(done)
    there = Device(tables)
    there.line().run(call(there.client, extended(), 1))
    assert tables.calls[0].extended
    assert tables.calls[0].procedure == extended.info.number


def test_a_sequence_number_has_one_byte() -> None:
    there = Device(Busy(done))
    with pytest.raises(EncodeError, match="sequence_number"):
        there.line().run(call(there.client, UpdateLastReadEntry(3, 2), 256))


def test_an_endless_answer_is_refused() -> None:
    long = b"\x00" + (200).to_bytes(2, "big") + bytes(200)
    there = Device(ToyTables())
    with pytest.raises(RemoteProtocolError):
        Line(Liar(b"\x00", long).answer).run(call(there.client, UpdateLastReadEntry(3, 2), 9))


# --- where MEP clients are answered ----------------------------------------------------------


def where(port: int | None, et59: bool | None) -> Answers:
    """For a device whose ET50 has this flag; None: it has no ET50."""
    names = ("BT00", "ET11") if et59 is None else ("BT00", "ET11", "ET50")
    general = tables["BT00"].bind().encode(general_configuration(names))
    space = bytes(30) + bytes((2 if et59 else 0,)) + bytes(200)
    there = Device(
        ToyTables(images_of(names[:2]) | {0: general, tables["ET50"].info.number: space})
    )
    there.client.mep_port = port
    return there.line().run(answered_in(DeviceReader(there.client)))


@pytest.mark.parametrize(
    ("port", "et59", "table"),
    [
        (None, True, "BT08"),
        (1, None, "BT08"),
        (1, False, "BT08"),
        (1, True, "ET59"),
        (2, None, "ET85"),
        (2, True, "ET85"),
    ],
)
def test_mep_clients_are_answered_in_tables_of_their_own(
    port: int | None, et59: bool | None, table: str
) -> None:
    answers = where(port, et59)
    assert answers.table == table
    assert answers.numbers == (range(256) if port is None else MEP_NUMBERS)


@pytest.mark.parametrize(
    ("last", "numbers", "following"),
    [(5, MEP_NUMBERS, 6), (9, MEP_NUMBERS, 5), (200, MEP_NUMBERS, 5), (255, range(256), 0)],
)
def test_numbers_of_calls_stay_in_their_range(last: int, numbers: range, following: int) -> None:
    image = ProcedureResponse.bind().encode(_NOTHING.with_(sequence_number=last))
    there = Device(ToyTables({tables["ET59"].info.number: image}))
    answers = Answers("ET59", numbers)
    assert there.line().run(next_number(there.client, answers)) == following


def test_an_answer_that_is_none_counts_as_no_call() -> None:
    there = Device(ToyTables({8: b""}))
    assert there.line().run(next_number(there.client, Answers(numbers=MEP_NUMBERS))) == 5


def test_the_answer_is_read_where_it_is_given() -> None:
    toy = Busy(lambda request: done(request, data=b"\x07"))
    toy.images[tables["ET59"].info.number] = toy.images[8]
    there = Device(toy)
    talk = call(there.client, UpdateLastReadEntry(3, 2), 6, answers=Answers("ET59", MEP_NUMBERS))
    line = there.line()
    assert line.run(talk) == b"\x07"
    assert line.sent[-1][1:4].hex() == "30083b"
