"""Giving a discovered device its place in the domain (clause 4.4).

The device is addressed by its neuron id. It joins the domain without a key on the line: its OMAK
was put into it at the factory and given to the utility. Then it goes online.
"""

from __future__ import annotations

from osgp.lon import nm
from osgp.lon.config import DomainEntry, NodeState
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
