"""The devices of one concentrator, by neuron id, with their addresses."""

from __future__ import annotations

from typing import Final

from osgp.lon import SubnetNode
from osgp.topology import AddressPool, Life

from .known import KnownDevice
from .plan import Plan
from .sink import Device, Sink

FORGOTTEN_SHARE: Final = 8
"""One in so many strangers, and one more, makes room for others in each cycle."""
_REPEATING = (Life.COMMISSIONED, Life.OPERATING)


class Roster:
    """Devices of other concentrators in the same store are not in it."""

    def __init__(self, sink: Sink, plan: Plan) -> None:
        self._sink, self._plan = sink, plan
        self.devices: dict[bytes, KnownDevice] = {}
        self.turned_away = 0
        self._forgotten = 0
        for device in sink.devices():
            if device.domain in (b"", plan.domain) and not _is_stranger(device):
                self._add(device)
        own = SubnetNode(plan.subnet, plan.node)
        taken = [known.address for known in self.devices.values() if known.device.node]
        self._addresses = AddressPool([own, *taken], plan.subnet)

    def cycle(self) -> None:
        """To be called every `Plan.discover_every`."""
        self._forgotten = 0

    @property
    def has_room(self) -> bool:
        """Whether strangers may be entered."""
        return len(self._strangers()) < self._plan.strangers

    def meet(self, neuron_id: bytes, program_id: bytes, now: float) -> KnownDevice | None:
        """The device, entered if it is new.

        None for a stranger while `Plan.strangers` others have answered but could not be
        commissioned: answers are not authenticated, and anybody can make up ids. Who was tried in
        vain more than once makes room.
        """
        known = self.devices.get(neuron_id)
        if known is None:
            if not (self.has_room or self._make_room()):
                self.turned_away += 1
                return None
            device = Device(
                neuron_id, program_id, Life.DISCOVERED, first_seen=now, domain=self._plan.domain
            )
            known = self._add(device)
            known.save(self._sink)
        return known

    def address_for(self, known: KnownDevice) -> SubnetNode:
        """The device's address: a new one unless it had one before."""
        return known.address if known.device.node else self._addresses.take()

    def address_of(self, neuron_id: bytes) -> SubnetNode:
        """Raises KeyError for a device that is not here."""
        return self.devices[neuron_id].address

    def repeats(self, neuron_id: bytes) -> bool:
        """Whether it may repeat for others."""
        known = self.devices.get(neuron_id)
        return known is not None and known.life in _REPEATING

    def drop(self, neuron_id: bytes) -> KnownDevice | None:
        """The device belongs to somebody else now: nothing more of it is stored."""
        known = self.devices.pop(neuron_id, None)
        if known is not None:
            known.dropped = True
        return known

    def _add(self, device: Device) -> KnownDevice:
        known = KnownDevice(device, self._sink.cursor(device.neuron_id))
        self.devices[device.neuron_id] = known
        return known

    def _strangers(self) -> list[KnownDevice]:
        devices = self.devices.values()
        return [known for known in devices if known.life is Life.DISCOVERED and known.failures]

    def _make_room(self) -> bool:
        """Forgets the stranger that was tried most often, and has its address back.

        A few in each cycle: whoever has new names all the time must not keep the line. Who is no
        stranger needs the room for a moment only.
        """
        if self._forgotten > self._plan.strangers // FORGOTTEN_SHARE:
            return False
        worst = max(self._strangers(), key=lambda known: known.failures)
        if worst.failures < 2:
            return False
        if worst.device.node:
            self._addresses.give_back(worst.address)
        worst.assign(self._plan.domain, SubnetNode(0, 0), self._sink)
        self.drop(worst.device.neuron_id)
        self._forgotten += 1
        return True


def _is_stranger(device: Device) -> bool:
    """It never got an address: if it is there, it will answer again."""
    return device.state == Life.DISCOVERED and not device.node
