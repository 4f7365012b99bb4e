"""A conversation learns that a message has no room on its way, and may say it shorter."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from osgp.concentrator.conversation import Clock, Conversation
from osgp.errors import EncodeError
from osgp.lon import DomainEntry, NodeConfig, NodeState, Outgoing, Stack, SubnetNode
from osgp.session import Exchange, Send


class Narrow:
    """A way with room for two bytes."""

    def message(self, apdu: bytes, now: float) -> Outgoing:
        if len(apdu) > 2:
            raise EncodeError("room for 2 bytes", field="apdu")
        return Outgoing(SubnetNode(1, 2), apdu)

    def heard(
        self, answer: bytes | None, tries: int, margin_db: float | None, now: float
    ) -> bytes | None:
        return answer


def stack() -> Stack:
    config = NodeConfig(bytes(6), bytes(8))
    config.domains[0] = DomainEntry(b"OSG", 1, 1)
    config.state = NodeState.CONFIGURED_ONLINE
    return Stack(config, random.Random(1))


def stubborn() -> Exchange[bytes]:
    return (yield Send(b"\0" * 9))


def yielding() -> Exchange[bytes]:
    try:
        return (yield Send(b"\0" * 9))
    except EncodeError:
        return (yield Send(b"\0" * 2))


@pytest.mark.parametrize(("script", "sent"), [(stubborn, 0), (yielding, 1)])
def test_what_has_no_room(script: Callable[[], Exchange[bytes]], sent: int) -> None:
    line = stack()
    talk = Conversation(script(), Narrow(), Clock(0.0))
    talk.start(line, 0.0)
    assert len(line.frames_to_send(0.0)) == sent
    assert talk.over is not bool(sent)
    if talk.outcome is not None:
        assert isinstance(talk.outcome.error, EncodeError)
