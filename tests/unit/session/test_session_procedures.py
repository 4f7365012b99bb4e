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
from osgp.session.procedures import POLL_EVERY, POLLS, call
from osgp.spec import procedures
from osgp.spec.declare import EXTENDED
from osgp.spec.procedures.basic import UpdateLastReadEntry
from osgp.spec.tables.general import ProcedureInitiate, ProcedureResponse
from tests.support.conversations import Device, Liar, Line, ToyTables

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
