"""Giving a discovered device its place in the domain (clause 4.4).

The device is addressed by its neuron id. It joins the domain without a key on the line: its OMAK
was put into it at the factory and given to the utility. Then it goes online, and tells its phase.
That it is the device, and has its address, is proven by the first visit: the digests of its answers
cover both.
"""

from __future__ import annotations

from osgp.errors import DecodeError, RemoteProtocolError
from osgp.lon import nm
from osgp.lon.config import UNUSED_DOMAIN, DomainEntry, NodeState
from osgp.session import Exchange, Send

DOMAIN_INDEX = 0


def commission(entry: DomainEntry) -> Exchange[None]:
    """Joins the device to the domain of `entry`, at its subnet and node, and sets it online.

    Raises RemoteProtocolError where the device refuses, TransportError where it is silent.
    """
    joined = yield Send(nm.join_domain(DOMAIN_INDEX, entry))
    nm.expect(nm.Code.EXPANDED, joined, sub=nm.Expanded.JOIN_DOMAIN)
    online = yield Send(nm.set_node_mode(nm.Mode.CHANGE_STATE, NodeState.CONFIGURED_ONLINE))
    nm.expect(nm.Code.SET_NODE_MODE, online)


def phase() -> Exchange[int]:
    """Which phase the device is on: 0 unknown, 1..6 for 0, 60, ... 300 degrees.

    0 also where it does not say. Raises TransportError where it is silent.
    """
    answer = yield Send(nm.phase())
    try:
        return nm.parse_phase(answer)
    except (DecodeError, RemoteProtocolError):
        return 0


def decommission() -> Exchange[None]:
    """Takes the device's place from it: it is unconfigured, and a member of no domain.

    The OMAK, which it came with, stays (LEAVE_DOMAIN would erase half of it), so that it may be
    discovered anew. Raises RemoteProtocolError where it refuses, TransportError where it is silent.
    """
    answer = yield Send(nm.set_node_mode(nm.Mode.CHANGE_STATE, NodeState.UNCONFIGURED))
    nm.expect(nm.Code.SET_NODE_MODE, answer)
    left = yield Send(nm.join_domain(DOMAIN_INDEX, UNUSED_DOMAIN))
    nm.expect(nm.Code.EXPANDED, left, sub=nm.Expanded.JOIN_DOMAIN)
