"""Asking M-Bus devices now, instead of waiting for the meter's schedule: EP19, then ET15.

The order is carried out once, whatever becomes of its answer: run it with `Device.run_once`.
"""

from __future__ import annotations

from typing import Any, Final

from osgp.errors import UsageError
from osgp.session import Exchange
from osgp.session.exchange import Wait
from osgp.session.procedures import answered_in, call
from osgp.session.reader import DeviceReader
from osgp.spec.procedures.mep import PostOnDemandRequest

from .changing import check_callable, next_sequence

QUEUE: Final = "ET15"
BILLING: Final = 2
PENDING, SUCCESS = 0, 1
FIRST_OPTICAL, FIRST_MEP = 0x000, 0x400
NUMBERS: Final = 0x100
"""The MEP guide sets transaction numbers aside for the callers of each port (EP19)."""

LOOKS: Final = 30
LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the queue (MEP guide, 'Reading On-Demand M-Bus Data')."""


def order_reads(
    reader: DeviceReader, handles: list[int], *, first: int = FIRST_OPTICAL
) -> Exchange[dict[int, str]]:
    """Has devices read, by handle; those that failed, with the reason.

    Raises UsageError (no such procedure), ProcedureError (queue full, no such device),
    ServiceError, SecurityError, TransportError.
    """
    yield from check_callable(reader, PostOnDemandRequest)
    failed: dict[int, str] = {}
    for handle in handles:
        reason = yield from _order(reader, handle, first)
        if reason:
            failed[handle] = reason
    return failed


def _order(reader: DeviceReader, handle: int, first: int) -> Exchange[str]:
    queue = yield from reader.table(QUEUE)
    number = _unused(queue, first)
    sequence = yield from next_sequence(reader)
    request: Any = PostOnDemandRequest.make(
        transaction_number=number, device=handle, request_type=BILLING
    )
    answers = yield from answered_in(reader)
    yield from call(reader.client, request, sequence, reader.dims, answers)
    return (yield from _outcome(reader, number))


def _outcome(reader: DeviceReader, number: int) -> Exchange[str]:
    """Why a request failed; nothing where it did not."""
    for _ in range(LOOKS):
        yield Wait(LOOK_EVERY)
        queue = yield from reader.table(QUEUE)
        mine = [one for one in queue.requests if one.transaction_number == number]
        if mine and mine[0].result != PENDING:
            return "" if mine[0].result == SUCCESS else _meaning(mine[0])
    return f"still waiting after {LOOKS * LOOK_EVERY:.0f} s"


def _meaning(request: Any) -> str:
    codes = next(field.enum for field in request.wire_fields if field.name == "result") or {}
    return str(dict(codes).get(request.result, f"result {request.result}"))


def _unused(queue: Any, first: int) -> int:
    taken = {one.transaction_number for one in queue.requests}
    for number in range(first + 1, first + NUMBERS):
        if number not in taken:
            return number
    raise UsageError("no transaction number is free")


__all__ = ["FIRST_MEP", "FIRST_OPTICAL", "order_reads"]
