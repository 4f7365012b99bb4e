"""The concentrator: finds devices, gives them addresses, reads them on a schedule.

Sans-IO: frames, events and `now` (seconds, UTC) go in; frames, events and the next timer come
out. One thing happens on the line at a time, chosen in this order: commissioning of what was
found, looking for devices (see `finder`) until that settles, what is due (visits, and
commissioning that failed). What is due gets its turn after `Plan.searches` of the others, so that
nobody who answers every query under a new name keeps the line to himself. Whatever a visit brings
is in the store before the device is told to move its list pointers.
"""

from __future__ import annotations

import random
from collections.abc import Hashable

from osgp.errors import LocalProtocolError
from osgp.lon.config import NodeConfig
from osgp.lon.events import OutFrame
from osgp.lon.stack import Stack
from osgp.topology import Discovery, Happening, Life

from .broadcasting import MOST_BROADCAST
from .campaign import Campaign
from .crier import Crier
from .happenings import Notice
from .known import REMOVED, KnownDevice
from .loader import Loader
from .plan import Plan
from .registrar import Registrar
from .rounds import Rounds
from .scout import Scout
from .sink import Cursor, Sink, TopologyStore
from .suites import Speaks, Suites
from .vault import KeySource, Unkept, Vault
from .work import Work


class Concentrator:
    """Five verbs like every other machine here; `sink` keeps everything, `rng` draws salts and
    the random numbers of handshakes: outside a simulation `random.SystemRandom`.

    `memory` keeps links and chains; without one they are learnt anew after a restart. `vault` keeps
    keys; without one they are forgotten. `StoreError` of all three passes through: a concentrator
    that cannot store must not go on.
    """

    def __init__(
        self,
        plan: Plan,
        sink: Sink,
        keys: KeySource,
        config: NodeConfig,
        rng: random.Random,
        *,
        memory: TopologyStore | None = None,
        vault: Vault | None = None,
    ) -> None:
        self.plan = plan
        self._work = work = Work(plan, sink, config, rng, memory)
        self.suites = Suites(
            plan,
            sink,
            keys,
            vault or Unkept(),
            work.clock,
            config.neuron_id,
            rng.randbytes,
            work.tell,
            work.roster.devices,
        )
        self._scout = Scout(work, self.suites)
        self._registrar = Registrar(work, self.suites)
        self._rounds = Rounds(work, self.suites, self._scout)
        self._crier = Crier(work, self.suites)
        self._loader = Loader(work, self.suites, self._crier)
        self._searches = 0
        self._cycle_at: float | None = None
        self.roster, self.network, self.finder = work.roster, work.network, work.finder
        for known in self.devices.values():
            self._resume(known)

    @property
    def stack(self) -> Stack:
        """The concentrator's node on the line."""
        return self._work.line.stack

    @property
    def devices(self) -> dict[bytes, KnownDevice]:
        """By neuron id."""
        return self.roster.devices

    @property
    def discovery(self) -> Discovery:
        """The concentrator's own queries."""
        return self.finder.discovery

    @property
    def campaign(self) -> Campaign | None:
        """What `load` began last."""
        return self._loader.campaign

    def speaks(self, neuron_id: bytes) -> Speaks:
        """The suite that a device is read in. Raises KeyError, StoreError."""
        return self.suites.speaks(self.devices[neuron_id])

    # --- the five verbs -----------------------------------------------------------------

    def receive_frame(self, frame: bytes, now: float, margin_db: float = 0.0) -> None:
        self.stack.receive_frame(frame, now, margin_db)
        self._run(now)

    def frames_to_send(self, now: float) -> list[OutFrame]:
        return self.stack.frames_to_send(now)

    def next_timer(self) -> float | None:
        timers = [self._work.line.next_timer(), *self._own_timers()]
        return min((timer for timer in timers if timer is not None), default=None)

    def handle_timer(self, now: float) -> None:
        self._work.line.handle_timer(now)
        self._run(now)

    def next_event(self) -> Notice | None:
        return self._work.notices.popleft() if self._work.notices else None

    def address_keys(self) -> frozenset[Hashable]:
        return self.stack.address_keys()

    # --- what an operator asks for ------------------------------------------------------

    def visit_all(self, at: float) -> None:
        """Schedules a visit of every device at `at`, in place of its next one."""
        for known in self.devices.values():
            if known.commissioned:
                self._work.agenda.put(known, at)

    def decommission(self, neuron_id: bytes) -> None:
        """Takes a device out of the network as soon as the line is free. Raises KeyError.

        That it is to go is kept. It stays out, even if it answers queries, until `admit`. One that
        does not answer counts as removed too: it is told so again every `Plan.search_every`. Its
        keys are forgotten.
        """
        known = self.devices[neuron_id]
        known.happened(Happening.DISMISSED, self._work.sink)
        self._work.to_remove.append(known)

    def admit(self, neuron_id: bytes) -> None:
        """Takes a decommissioned device in again. Raises KeyError, LocalProtocolError."""
        known = self.devices[neuron_id]
        known.happened(Happening.ADMITTED, self._work.sink)
        self._work.to_commission.append(known)

    def broadcast(self, request: bytes) -> None:
        """Says a request of clause 9 (its command first) to all devices of the new suite, as soon
        as the line is free. `Broadcasted` tells what came of it; no device answers, and who is
        away does not hear it.

        Raises LocalProtocolError where there is no such device, or the request is too long.
        """
        if len(request) > MOST_BROADCAST:
            raise LocalProtocolError(f"a broadcast has room for {MOST_BROADCAST} bytes")
        if next(self.suites.members(), None) is None:
            raise LocalProtocolError("no device here is read in OSGP-AES-128-PSK")
        self._work.to_broadcast.append(request)

    def load(self, image: bytes) -> None:
        """Brings a firmware image (its program id first) to all devices of the new suite, also to
        those that join later, and starts it. `Upgraded` tells of each. What was loaded before goes
        on where it stopped. Raises LocalProtocolError for bytes that are no image.
        """
        self._loader.load(image)

    def rekey(self, neuron_id: bytes) -> None:
        """Gives a device the next version of its long-term key, at its next visit.

        Raises KeyError, LocalProtocolError (it is in the old suite, or that is under way), and
        OsgpError where the utility has no such key.
        """
        self.suites.rekey(self.devices[neuron_id])

    def release(self, neuron_id: bytes, now: float) -> None:
        """Another concentrator has registered the device: it is forgotten here."""
        if self.roster.drop(neuron_id) is not None:
            self.suites.drop(neuron_id)
            self._work.forget(neuron_id, now)

    @property
    def idle(self) -> bool:
        return self._work.line.idle

    # --- choosing what to do ------------------------------------------------------------

    def _own_timers(self) -> list[float | None]:
        work = self._work
        if not work.line.idle:
            return [work.line.wake]
        waiting = work.to_commission or work.to_remove or work.to_broadcast
        if waiting or not self.discovery.settled:
            return [work.clock.now]
        return [self._cycle_at, work.agenda.next(), self._loader.next_timer()]

    def _run(self, now: float) -> None:
        self._work.clock.now = now
        self._work.line.run(now, self._start_next)

    def _start_next(self, now: float) -> bool:
        """Whether something was begun or dropped."""
        if self._cycle_at is not None and now >= self._cycle_at:
            self._cycle_at = None
            self._scout.cycle()
            self.finder.cycle()
            self.roster.cycle()
        agenda = self._work.agenda
        due = agenda.is_due(now)
        if not (due and self._searches >= self.plan.searches) and self._look(now):
            self._searches += due
            return True
        self._searches = 0
        if due:
            self._attend(agenda.take(), now)
        else:
            self.network.save_all()
        return due

    def _look(self, now: float) -> bool:
        """Begins to remove, commission or look for one, or tells all; False: nothing to do."""
        work = self._work
        if work.to_remove:
            self._registrar.remove(work.to_remove.popleft(), now)
        elif work.to_commission:
            self._attend(work.to_commission.popleft(), now)
        elif work.to_broadcast:
            self._crier.say(work.to_broadcast.popleft(), now)
        elif self._loader.begin_next(now):
            pass
        elif (task := self.finder.next(now)) is not None:
            self._scout.ask(task, now)
        else:
            if self._cycle_at is None:
                self._cycle_at = now + self.plan.discover_every
            return False
        return True

    def _attend(self, known: KnownDevice, now: float) -> None:
        """Removes again who did not hear it, visits, or commissions."""
        if known.dropped:
            return
        if known.life in REMOVED:
            self._registrar.remove(known, now)
        elif known.commissioned:
            self._rounds.visit(known, now)
        else:
            self._registrar.commission(known, now)

    def _resume(self, known: KnownDevice) -> None:
        """After a restart."""
        device = known.device
        if known.commissioned:
            last = device.last_contact if known.life is Life.OPERATING else None
            self._work.agenda.put(known, 0.0 if last is None else last + self.plan.visit_every)
        elif known.life is Life.LEAVING:
            self._work.to_remove.append(known)
        elif known.life is Life.DISCOVERED:
            self._work.to_commission.append(known)


__all__ = ["Concentrator", "Cursor", "KeySource"]
