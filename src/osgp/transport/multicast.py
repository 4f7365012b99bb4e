"""Listening to IPv4 multicast addresses, beside a socket of one's own that sends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from typing import Any

from osgp.errors import TransportError

Take = Callable[[bytes, tuple[Any, ...]], None]


class Multicast:
    """Hears what is sent to the addresses it follows, on the interface of `host`.

    Each address has a socket of its own, bound to it: what is sent to others stays out, and other
    programs on this machine can listen too.
    """

    def __init__(self, host: str, port: int, take: Take) -> None:
        self._interface, self._port, self._take = socket.inet_aton(host), port, take
        self._sockets: dict[str, socket.socket] = {}

    def follow(self, groups: Iterable[str]) -> None:
        """Listens to these addresses and no others. Raises TransportError (no multicast)."""
        wanted = frozenset(groups)
        for group in self._sockets.keys() - wanted:
            self._leave(group)
        for group in sorted(wanted - self._sockets.keys()):
            self._sockets[group] = self._joined(group)
            asyncio.get_running_loop().add_reader(self._sockets[group], self._hear, group)

    def close(self) -> None:
        """Listens to nothing any more."""
        self.follow(())

    def _leave(self, group: str) -> None:
        left = self._sockets.pop(group)
        asyncio.get_running_loop().remove_reader(left)
        left.close()

    def _joined(self, group: str) -> socket.socket:
        found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            found.setblocking(False)
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind((group, self._port))
            membership = socket.inet_aton(group) + self._interface
            found.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        except OSError as error:
            found.close()
            reason = f"cannot listen to {group}:{self._port}: {error.strerror}"
            raise TransportError(reason, retryable=False) from error
        return found

    def _hear(self, group: str) -> None:
        try:
            data, sender = self._sockets[group].recvfrom(65535)
        except (OSError, KeyError):
            return
        self._take(data, sender)
