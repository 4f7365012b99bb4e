"""A node on LON/IP: frames of a stack as datagrams between IPv4 hosts, without a socket.

    datagrams ─▶ IpNode.receive_frame ─▶ frames of the machine (a stack, a meter, a concentrator)
    frames    ─▶ IpNode.frames_to_send ─▶ datagrams

A destination that was heard from elsewhere is sent to there, with subnet and node inside; anybody
else to the mapped address, or, where there is none, to the multicast address of his subnet.
A node that is not at its own mapped address announces where it is: at once, whenever its address
changes, and every `AddressMap.period`. Announcements of others go no further than here.

Nothing of this is protected: who can send datagrams can redirect answers. What the messages say
is protected by authentication and by the session's suite, as on a power line.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from osgp.errors import DecodeError, EncodeError
from osgp.lon.addresses import Broadcast, Group, GroupMember, SubnetNode
from osgp.lon.config import NodeConfig
from osgp.lon.events import OutFrame
from osgp.lon.ipmap import HERE, AddressMap, mapped
from osgp.lon.pdu import Lpdu, Npdu, PduType
from osgp.lon.udp import Datagram, from_datagram, multicast_address, to_datagram


class Machine(Protocol):
    """What can be on LON/IP: LPDUs in, LPDUs out."""

    def receive_frame(self, frame: bytes, now: float) -> object: ...
    def frames_to_send(self, now: float) -> Iterable[OutFrame]: ...
    def next_timer(self) -> float | None: ...
    def handle_timer(self, now: float) -> None: ...
    def next_event(self) -> Any: ...


class Joined(msgspec.Struct, frozen=True):
    """The multicast addresses to listen on from now on."""

    groups: frozenset[str]


class IpStatistics(msgspec.Struct):
    """Counters since the start."""

    malformed: int = 0
    unroutable: int = 0
    announcements: int = 0


class IpNode:
    """`machine` with the addresses of `config`, at the IPv4 address `host` (dotted)."""

    def __init__(
        self, machine: Machine, config: NodeConfig, host: str, places: AddressMap | None = None
    ) -> None:
        self.machine, self.config, self.host = machine, config, host
        self.places = places or AddressMap()
        self.statistics = IpStatistics()
        self._announced: frozenset[tuple[bytes, SubnetNode]] = frozenset()
        self._announce_at: float | None = None
        self._groups: frozenset[str] = frozenset()

    def receive_frame(self, frame: Datagram, now: float) -> None:
        """Takes one datagram; one that makes no sense is only counted."""
        if frame.source == self.host:
            return
        try:
            lpdu = from_datagram(frame, self._own())
        except DecodeError:
            self.statistics.malformed += 1
            return
        npdu = lpdu.npdu
        self.places.learn(npdu.domain, npdu.source, frame.source, now)
        if npdu.pdu_type is PduType.APDU and self.places.told(npdu.pdu, npdu.domain):
            self._reschedule(now)
            return
        self.machine.receive_frame(lpdu.encode(), now)

    def frames_to_send(self, now: float) -> list[Datagram]:
        """The datagrams to send, an announcement first where one is due."""
        frames = [Lpdu.decode(frame.data) for frame in self.machine.frames_to_send(now)]
        datagrams = [self._datagram(lpdu, now) for lpdu in (*self._announcements(now), *frames)]
        return [datagram for datagram in datagrams if datagram is not None]

    def next_timer(self) -> float | None:
        timers = (self._announce_at, self.machine.next_timer())
        return min((timer for timer in timers if timer is not None), default=None)

    def handle_timer(self, now: float) -> None:
        if self._announce_at is not None and now >= self._announce_at:
            self._announced = frozenset()
        due = self.machine.next_timer()
        if due is not None and now >= due:
            self.machine.handle_timer(now)

    def next_event(self) -> Any:
        """The machine's events, and `Joined` when its addresses have changed."""
        groups = self._listening()
        if groups != self._groups:
            self._groups = groups
            return Joined(groups)
        return self.machine.next_event()

    # --- addresses ---------------------------------------------------------------------------

    def _addresses(self) -> list[tuple[bytes, SubnetNode]]:
        """Own domains and addresses."""
        if not self.config.configured:
            return []
        return [(entry.domain, entry.address) for entry in self.config.domains if entry.valid]

    def _own(self) -> SubnetNode | None:
        """Whom a datagram means that names nobody: it came to this node's own IP address."""
        return next((at for _, at in self._addresses()), None)

    def _listening(self) -> frozenset[str]:
        found = {multicast_address(Broadcast())}
        found |= {multicast_address(Broadcast(at.subnet)) for _, at in self._addresses()}
        entries = self.config.addresses if self.config.configured else []
        found |= {multicast_address(Group(each.group)) for each in entries if each.is_group}
        return frozenset(found)

    def _datagram(self, lpdu: Lpdu, now: float) -> Datagram | None:
        npdu, to = lpdu.npdu, lpdu.npdu.destination
        known, explicit = None, False
        if isinstance(to, SubnetNode | GroupMember):
            known = self.places.find(npdu.domain, to, now)
            explicit = known is not None or mapped(npdu.domain, _at(to)) is None
        try:
            datagram = to_datagram(lpdu, host=self.host, explicit=explicit)
        except EncodeError:
            self.statistics.unroutable += 1
            return None
        return datagram if known is None else msgspec.structs.replace(datagram, destination=known)

    # --- announcements -----------------------------------------------------------------------

    def _announcements(self, now: float) -> list[Lpdu]:
        """One for each own address that is not mapped to this host."""
        elsewhere = frozenset(
            (domain, at) for domain, at in self._addresses() if mapped(domain, at) != self.host
        )
        if elsewhere == self._announced:
            return []
        self._announced = elsewhere
        self._reschedule(now)
        self.statistics.announcements += len(elsewhere)
        return [_announcement(domain, at) for domain, at in sorted(elsewhere, key=str)]

    def _reschedule(self, now: float) -> None:
        wanted = self._announced and self.places.period
        self._announce_at = now + self.places.period if wanted else None


def _at(to: SubnetNode | GroupMember) -> SubnetNode:
    return SubnetNode(to.subnet, to.node)


def _announcement(domain: bytes, at: SubnetNode) -> Lpdu:
    return Lpdu(False, False, 0, Npdu(PduType.APDU, at, Broadcast(), domain, HERE))
