"""Calling a procedure: write BT07, read BT08 until it answers for this call (clause 9.10).

MEP clients are answered elsewhere: in ET59 where ET50 says so, the second port's always in ET85.
Their calls are numbered 5 to 9, which tells them from everybody else's.
Source: MEP guide v1.1, 'Calling Procedures'.
"""

from __future__ import annotations

from typing import Final

import msgspec

from osgp.errors import (
    DecodeError,
    InsufficientSecurityClearance,
    OperationNotPossible,
    ProcedureError,
    ProcedureNotFinished,
    RemoteProtocolError,
)
from osgp.spec import Procedure, tables
from osgp.spec.declare import EXTENDED
from osgp.spec.services import REQUESTS, Command, FullWriteRequest
from osgp.spec.tables.general import ProcedureInitiate, ProcedureResponse
from osgp.wire import Dims

from .client import TableClient
from .exchange import Exchange, Wait
from .reader import DeviceReader


class Answers(msgspec.Struct, frozen=True):
    """The table in which a port finds answers, and the numbers that its calls may have."""

    table: str = ProcedureResponse.info.name
    numbers: range = range(256)


ORDINARY: Final = Answers()
MEP_NUMBERS: Final = range(5, 10)
SECOND_PORT: Final = 2

POLLS = 10
POLL_EVERY = 1.0
"""Seconds between looks at BT08 while the device is still at it."""

_MANUFACTURER_BIT = 11


def call(
    client: TableClient,
    parameters: Procedure,
    sequence: int,
    dims: Dims | None = None,
    answers: Answers = ORDINARY,
) -> Exchange[bytes]:
    """Runs the procedure that `parameters` belong to; its response data.

    `sequence` (0..255) tells this call's answer from an earlier one's. Raises ProcedureError
    (one class per result code), ServiceError, SecurityError, TransportError, EncodeError.
    """
    request = yield from _initiate(client, _initiation(parameters, sequence, dims), answers)
    response = yield from _response(client, request, answers)
    if response.result_code:
        raise ProcedureError.from_result(response.result_code, parameters.info.name)
    return response.response_data


def request_of(parameters: Procedure, sequence: int, dims: Dims | None = None) -> bytes:
    """The request of clause 9 that runs a procedure, for broadcasts: nobody reads BT08 after it.

    Raises EncodeError.
    """
    data = ProcedureInitiate.bind().encode(_initiation(parameters, sequence, dims))
    table = ProcedureInitiate.info.number
    return REQUESTS[Command.FULL_WRITE].encode(
        FullWriteRequest(Command.FULL_WRITE, table, len(data), data)
    )


def _initiation(parameters: Procedure, sequence: int, dims: Dims | None) -> ProcedureInitiate:
    info = parameters.info
    return ProcedureInitiate.make(
        procedure_number=info.number & (1 << _MANUFACTURER_BIT) - 1,
        extended=info.number >= EXTENDED,
        response_handling=0,
        sequence_number=sequence,
        parameters=type(parameters).bind(dims).encode(parameters),
    )


def _initiate(
    client: TableClient, request: ProcedureInitiate, answers: Answers
) -> Exchange[ProcedureInitiate]:
    """Writes BT07; what was written.

    The device refuses the number of the last call, which was perhaps another's: the next one is
    tried, once. What was refused was not executed.
    """
    layout, table = ProcedureInitiate.bind(), ProcedureInitiate.info.number
    try:
        yield from client.write_whole(table, layout.encode(request))
    except OperationNotPossible:
        request = request.with_(sequence_number=_following(request.sequence_number, answers))
        yield from client.write_whole(table, layout.encode(request))
    return request


def answered_in(reader: DeviceReader) -> Exchange[Answers]:
    """Where calls over the reader's port are answered. Raises as `DeviceReader.table`."""
    port = reader.client.mep_port
    if port is None:
        return ORDINARY
    if port == SECOND_PORT:
        return Answers("ET85", MEP_NUMBERS)
    wanted = (yield from reader.has("ET50")) and (yield from _in_et59(reader))
    return Answers("ET59", MEP_NUMBERS) if wanted else Answers(numbers=MEP_NUMBERS)


def _in_et59(reader: DeviceReader) -> Exchange[bool]:
    try:
        return bool((yield from reader.part("ET50", "clients[0].et59_response")))
    except InsufficientSecurityClearance:
        return False


def next_number(client: TableClient, answers: Answers) -> Exchange[int]:
    """A number that the last call did not have: devices refuse a repeated one."""
    data = yield from client.read_whole(tables[answers.table].info.number)
    try:
        last = ProcedureResponse.bind().decode(data).sequence_number
    except DecodeError:
        last = answers.numbers[-1]
    return _following(last, answers)


def _following(last: int, answers: Answers) -> int:
    return last + 1 if last + 1 in answers.numbers else answers.numbers[0]


def _response(
    client: TableClient, request: ProcedureInitiate, answers: Answers
) -> Exchange[ProcedureResponse]:
    """The response table once it is about this call and final."""
    for poll in range(POLLS):
        if poll:
            yield Wait(POLL_EVERY)
        response = yield from _poll(client, answers)
        if _answers(response, request):
            return response
    raise ProcedureNotFinished(tables[answers.table].info.name)


def _answers(response: ProcedureResponse, request: ProcedureInitiate) -> bool:
    asked = (request.procedure, request.sequence_number)
    about = (response.procedure, response.sequence_number)
    return about == asked and response.result_code != ProcedureNotFinished.result


def _poll(client: TableClient, answers: Answers) -> Exchange[ProcedureResponse]:
    data = yield from client.read_whole(tables[answers.table].info.number)
    if len(data) > client.limits.read:
        raise RemoteProtocolError("a procedure response longer than the port's buffer")
    return ProcedureResponse.bind().decode(data)


__all__ = ["Answers", "answered_in", "call", "next_number", "request_of"]
