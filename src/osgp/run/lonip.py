"""A node on LON/IP: sockets for `osgp.lon.lonip`.

One socket is bound to the node's own address, another one listens to the multicast addresses that
its configuration asks for. All nodes use the same port.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any

from osgp.errors import TransportError, UsageError
from osgp.lon.config import NodeConfig
from osgp.lon.lonip import IpNode, Joined, Machine
from osgp.lon.udp import PORT, Datagram
from osgp.transport import FrameDriver, open_udp
from osgp.transport.multicast import Multicast


class LonIpPort:
    """`machine` on the network. To be opened inside a running loop."""

    def __init__(
        self,
        machine: Machine,
        config: NodeConfig,
        host: str,
        port: int = PORT,
        on_event: Callable[[Any], None] | None = None,
    ) -> None:
        self.host, self.port = _checked(host), port
        self.node = IpNode(machine, config, self.host)
        self._on_event = on_event or (lambda event: None)
        self.driver = FrameDriver(self.node, self._pack, self._unpack, self._event)
        self._multicast: Multicast | None = None
        self._groups: frozenset[str] = frozenset()

    async def open(self) -> None:
        """Raises TransportError where the addresses are in use or there is no multicast."""
        await open_udp(self.driver, self.host, self.port)
        self._multicast = Multicast(self.host, self.port, self.driver.datagram_received)
        try:
            self._multicast.follow(self._groups)
        except TransportError:
            self.close()
            raise

    def pump(self) -> None:
        """To be called after anything was asked of the machine from outside."""
        self.driver.pump()

    def close(self) -> None:
        """Closes the sockets."""
        self.driver.close()
        if self._multicast is not None:
            self._multicast.close()

    def _pack(self, datagram: Datagram) -> tuple[bytes, tuple[str, int]]:
        return datagram.payload, (datagram.destination, self.port)

    def _unpack(self, data: bytes, sender: tuple[str, int]) -> Any:
        return Datagram(data, sender[0], self.host)

    def _event(self, event: Any) -> None:
        if not isinstance(event, Joined):
            self._on_event(event)
            return
        self._groups = event.groups
        if self._multicast is not None:
            self._multicast.follow(event.groups)


def _checked(host: str) -> str:
    try:
        address = IPv4Address(host)
    except ValueError:
        raise UsageError(f"{host}: LON/IP needs an IPv4 address of this machine") from None
    if address.is_unspecified or address.is_multicast:
        raise UsageError(f"{host}: LON/IP needs one address, of this machine")
    return str(address)
