"""Calling a procedure: write BT07, read BT08 until it answers for this call (clause 9.10)."""

from __future__ import annotations

from osgp.errors import ProcedureError, ProcedureNotFinished, RemoteProtocolError
from osgp.spec import Procedure, tables
from osgp.spec.declare import EXTENDED
from osgp.spec.tables.general import ProcedureInitiate, ProcedureResponse
from osgp.wire import Dims

from .client import TableClient
from .exchange import Exchange, Wait

POLLS = 10
POLL_EVERY = 1.0
"""Seconds between looks at BT08 while the device is still at it."""

_MANUFACTURER_BIT = 11


def call(
    client: TableClient, parameters: Procedure, sequence: int, dims: Dims | None = None
) -> Exchange[bytes]:
    """Runs the procedure that `parameters` belong to; its response data.

    `sequence` (0..255) tells this call's answer from an earlier one's. Raises ProcedureError
    (one class per result code), ServiceError, SecurityError, TransportError, EncodeError.
    """
    info = parameters.info
    extended = info.number >= EXTENDED
    request = ProcedureInitiate.make(
        procedure_number=info.number & (1 << _MANUFACTURER_BIT) - 1,
        extended=extended,
        response_handling=0,
        sequence_number=sequence,
        parameters=type(parameters).bind(dims).encode(parameters),
    )
    image = ProcedureInitiate.bind().encode(request)
    yield from client.write_whole(ProcedureInitiate.info.number, image)
    response = yield from _response(client, request)
    if response.result_code:
        raise ProcedureError.from_result(response.result_code, info.name)
    return response.response_data


def _response(client: TableClient, request: ProcedureInitiate) -> Exchange[ProcedureResponse]:
    """BT08 once it is about this call and final."""
    for poll in range(POLLS):
        if poll:
            yield Wait(POLL_EVERY)
        response = yield from _poll(client)
        if _answers(response, request):
            return response
    raise ProcedureNotFinished(tables[ProcedureResponse.info.number].info.name)


def _answers(response: ProcedureResponse, request: ProcedureInitiate) -> bool:
    asked = (request.procedure, request.sequence_number)
    about = (response.procedure, response.sequence_number)
    return about == asked and response.result_code != ProcedureNotFinished.result


def _poll(client: TableClient) -> Exchange[ProcedureResponse]:
    data = yield from client.read_whole(ProcedureResponse.info.number)
    if len(data) > client.limits.read:
        raise RemoteProtocolError("a procedure response longer than the port's buffer")
    return ProcedureResponse.bind().decode(data)


__all__ = ["call"]
