"""Somebody who answers discovery queries under any name."""

from __future__ import annotations

import random

from osgp.errors import DecodeError
from osgp.lon import NodeConfig, Received, Stack
from osgp.topology import atm


def answer_to(
    frame: bytes, neuron_id: bytes, now: float, *, salt: int | None = None
) -> list[bytes]:
    """Frames with an answer of `neuron_id` to a query in `frame`; none to anything else.

    `salt`: of the query that the answer pretends to be for.
    """
    stack = Stack(NodeConfig(neuron_id, bytes(8)), random.Random(1))
    stack.receive_frame(frame, now, 6.0)
    event = stack.next_event()
    if not isinstance(event, Received) or event.token is None:
        return []
    try:
        asked = atm.parse_query(event.apdu)
    except DecodeError:
        return []
    answer = atm.ANSWER.encode(
        atm.DiscoveryAnswer.make(
            code=atm.MESSAGE_CODE,
            version=atm.VERSION,
            kind=atm.Kind.ANSWER,
            salt=asked.salt if salt is None else salt,
            neuron_id=neuron_id,
            program_id=bytes(8),
            member=False,
            foreign=False,
            margin=30,
        )
    )
    stack.respond(event.token, answer, now)
    return [out.data for out in stack.frames_to_send(now)]
