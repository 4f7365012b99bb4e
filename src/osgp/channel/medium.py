"""The power line as a medium: it drives sans-IO endpoints against one another in simulated time.

Life of a frame: an endpoint hands it out -> it waits in its station's queue, priority frames
first -> the station contends -> it transmits -> the addressed stations receive it, or not.

Contention: a station with something to send draws an access delay whenever it finds the channel
idle.  If it senses a transmission before the delay is over, it gives the attempt up and draws
again once all that it senses has ended.  It senses what reaches it at the sense level or above,
so distant stations do not know of each other (hidden nodes), and not within the detection time,
so attempts in the same slot collide.

The same seed and the same calls give the same sequence of events: every tie is broken by site
index or by order of scheduling.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from math import inf
from random import Random
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from osgp.channel.access import A_BAND, Access, Backlog
from osgp.channel.addressing import AddressIndex
from osgp.channel.clock import Scheduler, Timer
from osgp.channel.feeder import Carrier, Feeder
from osgp.channel.noise import Noise, NoiseSettings, placed
from osgp.channel.reception import LineSettings, Reception, Transmission
from osgp.channel.stats import FrameCounts, LinkCounts, StationCounts
from osgp.errors import LocalProtocolError, UsageError

QUEUE_LIMIT = 32
"""Frames that wait in one station, per priority; more are dropped and counted."""
_RESTLESS = 1000

Tap = Callable[[float, bytes, "Station"], object]
DestinationKey = Callable[[bytes], Hashable | None]


class OutFrame(Protocol):
    """What an endpoint hands out."""

    @property
    def data(self) -> bytes: ...
    @property
    def priority(self) -> bool: ...
    @property
    def alternate_path(self) -> bool: ...
    @property
    def delta_backlog(self) -> int: ...


class Endpoint(Protocol):
    """A sans-IO machine at the line. Times are the scheduler's, in seconds."""

    def receive_frame(self, frame: bytes, now: float, margin_db: float) -> object:
        """False says that the frame changed nothing: no timer, nothing to send."""
        ...

    def frames_to_send(self, now: float) -> Sequence[OutFrame]: ...
    def next_timer(self) -> float | None: ...
    def handle_timer(self, now: float) -> None: ...
    def address_keys(self) -> frozenset[Hashable]:
        """Keys it answers to. Return the same object while unchanged: asked after every call."""


class Station:
    """An endpoint's place at the line. Made by `Medium.attach`."""

    __slots__ = (
        "_attached",
        "_attempt",
        "_fired_at",
        "_frames",
        "_keys",
        "_medium",
        "_priority_frames",
        "_restless",
        "_sensed",
        "_timer",
        "_transmitting",
        "_urgent",
        "counts",
        "endpoint",
        "name",
        "site",
    )

    def __init__(self, medium: Medium, endpoint: Endpoint, site: int, name: str) -> None:
        self.endpoint: Final = endpoint
        self.site: Final = site
        self.name: Final = name
        self.counts: Final = StationCounts()
        self._medium = medium
        self._frames: deque[OutFrame] = deque()
        self._priority_frames: deque[OutFrame] = deque()
        self._attempt: Timer | None = None
        self._timer: Timer | None = None
        self._keys: frozenset[Hashable] = frozenset()
        self._attached = True
        self._urgent = False
        self._sensed = 0
        self._restless = 0
        self._fired_at = -inf
        self._transmitting = False

    @property
    def queued(self) -> int:
        """Frames that wait for the channel."""
        return len(self._frames) + len(self._priority_frames)

    def poke(self, now: float) -> None:
        """Collect the endpoint's frames, re-arm its timer: after any call into it from outside.

        Does nothing once the station is detached.
        """
        if not self._attached:
            return
        frames = self.endpoint.frames_to_send(now)
        if frames:
            self._queue(frames)
        self._arm(now)
        self.readdress()

    def readdress(self) -> None:
        """Index the endpoint's address keys anew, if they have changed."""
        keys = self.endpoint.address_keys()
        if keys is not self._keys and keys != self._keys:
            self._medium._index.change(self.site, keys)
        self._keys = keys

    def _queue(self, frames: Sequence[OutFrame]) -> None:
        for frame in frames:
            queue = self._priority_frames if frame.priority else self._frames
            if len(queue) < QUEUE_LIMIT:
                queue.append(frame)
            else:
                self.counts.overflowed += 1
                self._medium.counts.overflowed += 1
        if not self._transmitting:
            self._medium._contend(self)

    def _next_frame(self) -> OutFrame:
        return (self._priority_frames or self._frames).popleft()

    def _arm(self, now: float) -> None:
        """A timer that fires too early re-arms itself; one that fires too late is replaced."""
        due, timer = self.endpoint.next_timer(), self._timer
        if timer is not None:
            if due is not None and timer.time <= due:
                return
            timer.cancel()
            self._timer = None
        if due is not None:
            time = due if due > now else now
            self._timer = self._medium.scheduler.at(time, self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = None
        now = self._medium.scheduler.now
        self._guard(now)
        due = self.endpoint.next_timer()
        if due is not None and due <= now:
            self.endpoint.handle_timer(now)
        self.poke(now)

    def _guard(self, now: float) -> None:
        """An endpoint whose timer never gets past `now` would stop the simulated clock."""
        self._restless = self._restless + 1 if now == self._fired_at else 0
        self._fired_at = now
        if self._restless > _RESTLESS:
            raise LocalProtocolError(f"station {self.name}: its timer stays due at {now} s")


class Medium:
    """The line of one feeder.

    `destination_key(frame)` names whom a frame is for, None for everybody in hearing (also for
    frames it cannot make sense of: it must not raise).  `access` decides on slots and airtime.
    `tap(time, frame, station)` sees every frame when it ends, as it was sent.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        feeder: Feeder,
        rng: Random,
        destination_key: DestinationKey,
        *,
        access: Access = A_BAND,
        noise: NoiseSettings | None = None,
        settings: LineSettings | None = None,
        tap: Tap | None = None,
    ) -> None:
        self.scheduler: Final = scheduler
        self.feeder = feeder
        self.counts: Final = FrameCounts()
        self.links: Final = LinkCounts(len(feeder.sites))
        self.tap = tap
        self._rng = rng
        self._destination_key = destination_key
        self._access = access
        self._settings = settings or LineSettings()
        self._noise_settings = noise or NoiseSettings()
        self._noise_seed = rng.getrandbits(64)
        self._index = AddressIndex()
        self._stations: dict[int, Station] = {}
        self._contenders: dict[Station, None] = {}
        self._active: list[Transmission] = []
        self._backlog = Backlog(len(feeder.sites), _idle_window(access))
        self._rewire(feeder)

    @property
    def stations(self) -> tuple[Station, ...]:
        """In order of sites."""
        return tuple(self._stations[site] for site in sorted(self._stations))

    def attach(self, endpoint: Endpoint, position: int | str) -> Station:
        """Connect `endpoint` at a site (index or name) of the feeder.

        Raises UsageError for a site that the feeder lacks, LocalProtocolError for a taken one.
        """
        site = self.feeder.site_index(position) if isinstance(position, str) else position
        if not 0 <= site < len(self.feeder.sites):
            raise UsageError(f"the feeder has no site number {site}")
        if site in self._stations:
            raise LocalProtocolError(f"site {self.feeder.sites[site].name} is taken")
        station = Station(self, endpoint, site, self.feeder.sites[site].name)
        self._stations[site] = station
        self._index.add(site, frozenset())
        station.poke(self.scheduler.now)
        return station

    def detach(self, station: Station) -> None:
        """Cut `station` off: its queue is lost; a frame it is sending ends unheard."""
        if self._stations.get(station.site) is not station:
            raise LocalProtocolError(f"station {station.name} is not attached")
        del self._stations[station.site]
        station._attached = False
        self._index.remove(station.site)
        self._contenders.pop(station, None)
        for timer in (station._attempt, station._timer):
            if timer is not None:
                timer.cancel()
        station._frames.clear()
        station._priority_frames.clear()

    def rewire(self, feeder: Feeder) -> None:
        """Switch the grid over: other segments and losses, the same sites in the same order."""
        if [site.name for site in feeder.sites] != [site.name for site in self.feeder.sites]:
            raise UsageError("a feeder can only be replaced by one with the same sites")
        self._rewire(feeder)
        for station in self._contenders:
            self._listen(station)

    def reach(self, position: int) -> NDArray[np.bool_]:
        """Sites that sense site number `position` on the primary carrier, as a mask."""
        senses: NDArray[np.bool_] = self._senses[Carrier.PRIMARY, position].copy()
        return senses

    def _rewire(self, feeder: Feeder) -> None:
        self.feeder = feeder
        loss = feeder.path_loss()
        self._senses: NDArray[np.bool_] = np.greater_equal(
            self._settings.tx_level - loss, self._settings.sense_level
        )
        site_noise = np.array([site.noise for site in feeder.sites], dtype=np.float64)
        placed_there = placed(self._noise_settings, [site.name for site in feeder.sites], loss)
        noise = Noise(self._noise_settings, site_noise, self._noise_seed, placed_there)
        self._reception = Reception(loss, self._settings, noise, self._rng, self.counts, self.links)

    def _contend(self, station: Station) -> None:
        """`station` has something to send, perhaps with more priority than before."""
        attempt = station._attempt
        if station not in self._contenders:
            self._contenders[station] = None
            self._listen(station)
        elif attempt and station._priority_frames and not (station._urgent or station._sensed):
            attempt.cancel()
            self._draw(station)

    def _listen(self, station: Station) -> None:
        """Count what `station` senses now; draw if that is nothing."""
        hears = self._senses
        station._sensed = sum(
            hears.item(sent.carrier, sent.sender, station.site) for sent in self._active
        )
        attempt = station._attempt
        if station._sensed and attempt is not None:
            attempt.cancel()
            station._attempt = None
        elif not station._sensed and attempt is None:
            self._draw(station)

    def _draw(self, station: Station) -> None:
        now = self.scheduler.now
        backlog = self._backlog.level(station.site, now)
        station._urgent = bool(station._priority_frames)
        delay = self._access.delay(backlog, station._urgent, self._rng)
        station._attempt = self.scheduler.at(now + delay, self._transmit, station)

    def _transmit(self, station: Station) -> None:
        now = self.scheduler.now
        del self._contenders[station]
        station._attempt = None
        station._transmitting = True
        frame = station._next_frame()
        carrier = Carrier.SECONDARY if frame.alternate_path else Carrier.PRIMARY
        airtime = self._access.airtime(len(frame.data))
        sent = Transmission(
            station.site, frame.data, carrier, frame.delta_backlog, now, now + airtime
        )
        self._overlap(sent)
        self._silence(sent)
        self._account(station, airtime)
        self.scheduler.at(sent.end, self._finish, station, sent)

    def _account(self, station: Station, airtime: float) -> None:
        for counts in (self.counts, station.counts):
            counts.sent += 1
            counts.airtime += airtime

    def _overlap(self, sent: Transmission) -> None:
        for other in self._active:
            other.overlaps.append(sent)
            sent.overlaps.append(other)
        self._active.append(sent)

    def _silence(self, sent: Transmission) -> None:
        """Contenders that sense `sent` give their attempts up, unless too close to notice."""
        hears, deadline = self._senses, sent.start + self._settings.detection_time
        for station in self._contenders:
            if hears.item(sent.carrier, sent.sender, station.site):
                station._sensed += 1
                attempt = station._attempt
                if attempt is not None and attempt.time >= deadline:
                    attempt.cancel()
                    station._attempt = None

    def _release(self, sent: Transmission) -> None:
        """Contenders that sensed nothing but `sent` draw anew."""
        hears = self._senses
        for station in self._contenders:
            if hears.item(sent.carrier, sent.sender, station.site):
                station._sensed -= 1
                if not station._sensed and station._attempt is None:
                    self._draw(station)

    def _finish(self, station: Station, sent: Transmission) -> None:
        now = self.scheduler.now
        self._active.remove(sent)
        station._transmitting = False
        self._backlog.heard(self._senses[sent.carrier, sent.sender], sent.delta_backlog, now)
        self._release(sent)
        if self.tap is not None:
            self.tap(now, sent.data, station)
        if self._stations.get(station.site) is station:
            self._deliver(sent, now)
            if station.queued and not station._transmitting:
                self._contend(station)

    def _deliver(self, sent: Transmission, now: float) -> None:
        key = self._destination_key(sent.data)
        receivers = self._index.find(key)
        if not len(receivers):
            self.counts.unaddressed += 1
            return
        for site, margin, intact in self._reception.arrivals(sent, receivers, key is None):
            station = self._stations.get(site)
            if station is not None:
                data = sent.data if intact else self._reception.corrupt(sent.data)
                station.counts.received += 1
                if station.endpoint.receive_frame(data, now, margin) is not False:
                    station.poke(now)


def _idle_window(access: Access) -> float:
    """Seconds of idle channel after which one frame less is expected: about a base window.

    That is twice the mean access delay, measured by asking the strategy, whose slots the medium
    does not know.
    """
    probe = Random(0)
    return max(1e-3, 2.0 * sum(access.delay(1, False, probe) for _ in range(64)) / 64.0)
