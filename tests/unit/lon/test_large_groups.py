"""A group of 64: more answers than the backlog field can announce."""

from __future__ import annotations

import random

from osgp.lon import Group, Lpdu, Service
from osgp.lon.config import DomainEntry, NodeConfig, NodeState
from osgp.lon.events import Outgoing
from osgp.lon.pdu import MAX_BACKLOG
from osgp.lon.stack import Stack


def test_a_full_group_announces_the_most_the_field_can_say() -> None:
    config = NodeConfig(bytes(6), state=NodeState.CONFIGURED_ONLINE)
    config.domains[0] = DomainEntry(b"\x0a", 1, 1)
    stack = Stack(config, random.Random(1))
    stack.send(Outgoing(Group(7, size=64), b"\x05", Service.ACKD), 0.0)
    (frame,) = stack.frames_to_send(0.0)
    assert Lpdu.decode(frame.data).delta_backlog == MAX_BACKLOG
