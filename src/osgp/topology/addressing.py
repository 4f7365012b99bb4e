"""Subnet and node numbers for the devices of one domain."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from osgp.errors import LocalProtocolError
from osgp.lon import SubnetNode

SUBNETS = range(1, 256)
NODES = range(1, 127)
"""127 is left to tools."""


class AddressPool:
    """Gives every device an address of its own; `taken` ones are not given.

    `first`: the subnet to begin with. Concentrators in earshot of each other begin with different
    ones: on the discovery domain, which they share, their devices are then told apart.
    """

    def __init__(self, taken: Iterable[SubnetNode] = (), first: int = SUBNETS[0]) -> None:
        self._taken = set(taken)
        self._free: Iterator[SubnetNode] = (
            address
            for subnet in (*range(first, SUBNETS.stop), *range(SUBNETS.start, first))
            for node in NODES
            if (address := SubnetNode(subnet, node)) not in self._taken
        )

    def take(self) -> SubnetNode:
        """A free address. Raises LocalProtocolError when the domain is full."""
        address = next(self._free, None)
        if address is None:
            raise LocalProtocolError("the domain has no free address")
        self._taken.add(address)
        return address

    def give_back(self, address: SubnetNode) -> None:
        """Nobody has it any more; it is given again when no other is left."""
        self._taken.discard(address)
        self._free = itertools.chain(self._free, (address,))
