"""Everything in a meter that works without communication, and the order in which it happens.

`run` works off what is due, in order of time: interval ends, day begins, edges of disturbances.
Each of them is one unit of memory, so a meter that is switched off at any moment, or asked late,
comes to the same state. Times are true time (unix s) unless they are called readings.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec

from osgp.errors import DecodeError
from osgp.lon import NodeState
from osgp.meter.clockwork import DAY, ClockState, Clockwork
from osgp.meter.dims import block_layout, dimensions
from osgp.meter.firmware import Firmware, StartCheck
from osgp.meter.identity import MeterProfile
from osgp.meter.log import EventLog
from osgp.meter.mbus import MBus
from osgp.meter.measuring import (
    PRESENT_SOURCES,
    SOURCES,
    Disturbance,
    GridConditions,
    Happening,
    Household,
    MeasuringEngine,
    present_value,
)
from osgp.meter.mep import MepClients
from osgp.meter.metering import Metering
from osgp.meter.nvm import Nvm
from osgp.meter.profile import Common, Recorder
from osgp.security.access import AccessControl
from osgp.spec import events
from osgp.topology.agent import ACTIVE_TIMEOUT

CELL: Final = "condition"
IDENTIFICATION_CELL: Final = "identification"
ACTIVE_TIMEOUT_CELL: Final = "active timeout"

RATED_VOLTAGE: Final = 230
PLC_USER: Final = 0xFFFE
"""User id in the log (`osgp.spec.codes.USERS`)."""

REPROGRAMMED: Final = 36
POWER_FAILURE_CAUSE: Final = 3
BANK_SWITCH_CAUSE: Final = 5
"""Arguments of the power-up event (`osgp.spec.events`)."""

LOAD_PROFILE_OVERFLOW: Final = 0
PHASE_LOSS: Final = 4
INVALID_PASSWORD: Final = 8
SOFTWARE_CRC: Final = 13
CODE_BANK_CHANGED: Final = 14
POWER_QUALITY: Final = 27
KEY_EXPIRATION_PENDING: Final = 34
"""Manufacturer alarms (`osgp.spec.events.MANUFACTURER_ALARMS`)."""

LOGGED: Final = frozenset(
    {
        events.POWER_DOWN,
        events.POWER_UP,
        events.TIME_CHANGED_OLD,
        events.TIME_CHANGED_NEW,
        events.PHASE_LOSS,
        events.VOLTAGE_SAG,
        events.VOLTAGE_SWELL,
        events.MANUFACTURER_EVENTS + LOAD_PROFILE_OVERFLOW,
        events.MANUFACTURER_EVENTS + INVALID_PASSWORD,
        events.MANUFACTURER_EVENTS + SOFTWARE_CRC,
        events.MANUFACTURER_EVENTS + CODE_BANK_CHANGED,
        REPROGRAMMED,
    }
)
"""Every event that this meter logs (BT72)."""


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Supply and alarms. `lost` is a bit mask of phases, `alarms` are manufacturer alarms."""

    powered: bool = True
    lost: int = 0
    power_failed: bool = False
    alarms: frozenset[int] = frozenset()


class Security(msgspec.Struct, frozen=True):
    """What ET04, ET54 and ET55 show of the power line's security; `modes` are the suites it has.

    `broadcast`: the clock's reading (s) at the last valid one, 0 for none; `lockout`: failed
    authentications and minutes.
    """

    mode: int = 0
    limit: int = 0
    handshakes: int = 0
    base: int = 0
    delta: int = 0
    unicast_uses: int = 0
    broadcast_uses: int = 0
    modes: frozenset[int] = frozenset({0})
    broadcast: int = 0
    lockout: tuple[int, int] = (0, 0)


def _no_security(now: float) -> Security:
    return Security()


class Link(msgspec.Struct):
    """What the parts know of the power line: the device keeps it up to date.

    `sequence` gives the number last accepted, `margin` that of the last frame in dB, None for none.
    `active_timeout` is ET55.15. `set_lockout` takes ET55.20 and ET55.21, `image_check` begins the
    check of a firmware image's MAC; None where there is no such thing.
    """

    sequence: Callable[[], int] = int
    security: Callable[[float], Security] = _no_security
    set_lockout: Callable[[int, int], None] | None = None
    active_timeout: int = ACTIVE_TIMEOUT
    image_check: StartCheck | None = None
    subnet: int = 0
    node: int = 0
    state: int = NodeState.UNCONFIGURED
    margin: float | None = None


class Parts:
    """One meter without its ports. `now` is when it is made; memory with a meter in it goes on."""

    def __init__(self, profile: MeterProfile, nvm: Nvm, now: float) -> None:
        self.profile, self.nvm = profile, nvm
        self.dims = dimensions(profile.set_up)
        self.access = AccessControl(profile.hardware_lock)
        start = math.floor(now)
        error, drift = profile.clock_error, profile.clock_drift
        initial = ClockState(float(start), start + error, drift, profile.zone, profile.dst)
        self.clock = Clockwork(nvm, initial)
        self.firmware = Firmware(nvm, self.clock, profile.program_id)
        self.metering = Metering(nvm, _engine(profile, start), profile.feeder, profile.phases)
        self.log = EventLog(nvm, profile.set_up.log_entries)
        self.recorders = [
            Recorder(nvm, n + 1, data_set, block_layout(profile.set_up, n), start + error)
            for n, data_set in enumerate(profile.set_up.data_sets)
        ]
        self.condition = _condition(nvm)
        self.link = Link(active_timeout=_active_timeout(nvm))
        self.restarts = 0
        self.identification = (
            nvm.get(IDENTIFICATION_CELL) or profile.identification.encode()
        ).decode()
        self._happenings: dict[Happening, Callable[[Disturbance], None]] = {
            Happening.POWER_DOWN: self._power_down,
            Happening.POWER_UP: self._power_up,
            Happening.PHASE_LOST: self._phase_lost,
            Happening.PHASE_RESTORED: self._phase_restored,
            Happening.VOLTAGE_SAG_END: self._sag,
            Happening.VOLTAGE_SWELL_END: self._swell,
        }
        self._closers = [partial(self._close_interval, n) for n in range(len(self.recorders))]
        self.m_bus = self._connected(now) if profile.set_up.m_bus else None
        self.mep = None if self.m_bus is None else self._clients(self.m_bus)

    @property
    def commissioned(self) -> bool:
        """Whether the meter has a place in a domain."""
        return self.link.subnet != 0 or self.link.node != 0

    # --- the agenda --------------------------------------------------------------------------

    def next_due(self) -> float:
        """When `run` has something to do next."""
        return self._next()[0]

    def run(self, now: float) -> None:
        """Work off everything that is due at `now`."""
        due, work = self._next()
        while due <= now:
            work()
            self.nvm.commit()
            due, work = self._next()

    def _next(self) -> tuple[float, Callable[[], None]]:
        """At equal times intervals close before a day or a disturbance begins."""
        due, work = math.inf, self.metering.begin_day
        for number, recorder in enumerate(self.recorders):
            end = self.clock.when(recorder.next_end)
            if end < due:
                due, work = end, self._closers[number]
        if self.metering.next_day < due:
            due, work = self.metering.next_day, self.metering.begin_day
        edge = self.metering.next_edge
        if edge is not None and edge < due:
            due, work = edge, self._edge
        if self.firmware.due < due and self.condition.powered:
            due, work = self.firmware.due, self._switch_bank
        if self.m_bus is not None and self.m_bus.next_due() < due:
            due, work = self.m_bus.next_due(), self._attend_m_bus
        return due, work

    def _close_interval(self, number: int) -> None:
        recorder, clock = self.recorders[number], self.clock
        end, sources = recorder.next_end, recorder.data_set.sources
        coming = partial(self._coming, recorder)
        values = self.metering.values(number, sources, clock.when(end), coming)
        lost = recorder.record(values, clock.summer(end - recorder.seconds))
        if lost:
            self._profile_overflow(end)
        if not self.condition.powered:
            recorder.mark(Common.POWER_FAILED)

    def _coming(self, recorder: Recorder) -> list[int]:
        """True times of the interval ends of a day from now."""
        first = recorder.next_end
        ends = range(first, first + DAY + recorder.seconds, recorder.seconds)
        return [self.clock.when(end) for end in ends]

    def _profile_overflow(self, reading: float) -> None:
        self.log.append(reading, events.MANUFACTURER_EVENTS + LOAD_PROFILE_OVERFLOW)
        self._alarm(LOAD_PROFILE_OVERFLOW)

    def _connected(self, now: float) -> MBus:
        return MBus(
            self.profile.m_bus, self.nvm, self.clock, self.dims, self._device_event, math.floor(now)
        )

    def _clients(self, bus: MBus) -> MepClients | None:
        ports = self.profile.set_up.mep_ports
        return MepClients(ports, bus, self.nvm, self.dims, self._source_value) if ports else None

    def _source_value(self, source: int, now: float) -> int | None:
        """What a source has now, in its stored unit; None where this meter does not measure it."""
        if source in SOURCES:
            return self.metering.registers(now).values([source])[0]
        if source in PRESENT_SOURCES:
            return present_value(self.metering.present(now), source)
        return None

    def _attend_m_bus(self) -> None:
        assert self.m_bus is not None
        self.m_bus.run(self.m_bus.next_due(), powered=self.condition.powered)

    def _device_event(self, now: float, alarm: int, event: int, argument: int) -> None:
        self.log.append(self.clock.reading(now), event, argument)
        self._alarm(alarm)

    def _switch_bank(self) -> None:
        due = self.firmware.due
        self.firmware.switch()
        self.restarts += 1
        self.raise_alarm(CODE_BANK_CHANGED, due)
        self.log.append(self.clock.reading(due), events.POWER_UP, BANK_SWITCH_CAUSE)

    # --- disturbances ------------------------------------------------------------------------

    def _edge(self) -> None:
        edge = self.metering.take_edge()
        happen = self._happenings.get(edge.kind)
        if happen is not None:
            happen(edge)

    def _power_down(self, edge: Disturbance) -> None:
        self._change(powered=False)
        self.log.append(self.clock.reading(edge.time), events.POWER_DOWN)
        for recorder in self.recorders:
            recorder.mark(Common.POWER_FAILED)

    def _power_up(self, edge: Disturbance) -> None:
        self.restarts += 1
        self.firmware.due = max(self.firmware.due, edge.time)
        if self.mep is not None:
            self.mep.restarted()
        self._change(powered=True, power_failed=True)
        self.log.append(self.clock.reading(edge.time), events.POWER_UP, POWER_FAILURE_CAUSE)

    def _phase_lost(self, edge: Disturbance) -> None:
        self._change(lost=self.condition.lost | 1 << (edge.detail.phase - 1))
        self._phase_event(edge)

    def _phase_restored(self, edge: Disturbance) -> None:
        self._change(lost=self.condition.lost & ~(1 << (edge.detail.phase - 1)))
        self._phase_event(edge)

    def _phase_event(self, edge: Disturbance) -> None:
        self.log.append(self.clock.reading(edge.time), events.PHASE_LOSS, self.condition.lost)
        self._alarm(PHASE_LOSS)

    def _sag(self, edge: Disturbance) -> None:
        self._voltage_event(edge, events.VOLTAGE_SAG)

    def _swell(self, edge: Disturbance) -> None:
        self._voltage_event(edge, events.VOLTAGE_SWELL)

    def _voltage_event(self, edge: Disturbance, event: int) -> None:
        """Argument: volts times 4, the phase from 0 in the two low bits."""
        volts = round(RATED_VOLTAGE * edge.detail.level / 1000)
        argument = volts << 2 | max(edge.detail.phase - 1, 0)
        self.log.append(self.clock.reading(edge.time), event, argument)
        self._alarm(POWER_QUALITY)

    # --- what others do to the meter ---------------------------------------------------------

    def set_clock(self, now: float, reading: float, user: int) -> None:
        """Set the clock at `now`; everything due before must have run."""
        old = self.clock.reading(now)
        summer = self.clock.summer(old)
        registers = self.metering.registers(now)
        self.clock.set(now, reading)
        self.firmware.reschedule(self.clock)
        self.log.append(old, events.TIME_CHANGED_OLD, 0, user)
        self.log.append(reading, events.TIME_CHANGED_NEW, 0, user)
        for recorder in self.recorders:
            values = registers.values(recorder.data_set.sources)
            if recorder.clock_set(old, reading, values, summer):
                self._profile_overflow(reading)

    def clear_alarms(self, *, power_failure: bool, alarms: frozenset[int]) -> None:
        """Clear latched alarms of BT03."""
        condition = self.condition
        failed = condition.power_failed and not power_failure
        self._change(power_failed=failed, alarms=condition.alarms - alarms)

    def raise_alarm(self, alarm: int, now: float) -> None:
        """Latch a manufacturer alarm, and log the event that goes with it, if there is one."""
        event = events.alarm_event(alarm)
        if event is not None:
            self.log.append(self.clock.reading(now), event, 0, PLC_USER)
        self._alarm(alarm)

    def reprogrammed(self, now: float) -> None:
        """Log that somebody changed the meter's place in the network, its keys or its mode."""
        self.log.append(self.clock.reading(now), REPROGRAMMED, 0, PLC_USER)

    def identify(self, digits: str) -> None:
        """Keep the utility's number of the device (BT05)."""
        self.identification = digits
        self.nvm.put(IDENTIFICATION_CELL, digits.encode())

    def set_active_timeout(self, minutes: int) -> None:
        """Keep how long contact lasts after the concentrator's last request (ET55.15)."""
        self.link.active_timeout = minutes
        self.nvm.put(ACTIVE_TIMEOUT_CELL, minutes.to_bytes(2, "big"))

    # --- inside ------------------------------------------------------------------------------

    def _alarm(self, alarm: int) -> None:
        self._change(alarms=self.condition.alarms | {alarm})

    def _change(self, **changes: Any) -> None:
        self.condition = msgspec.structs.replace(self.condition, **changes)
        self.nvm.put(CELL, msgspec.msgpack.encode(self.condition))


def _engine(profile: MeterProfile, start: int) -> MeasuringEngine:
    household = Household(profile.seed, profile.number, traits=profile.household_traits)
    grid = GridConditions(profile.seed, nominal=float(RATED_VOLTAGE))
    return MeasuringEngine(household, grid, start)


def _active_timeout(nvm: Nvm) -> int:
    stored = nvm.get(ACTIVE_TIMEOUT_CELL)
    return ACTIVE_TIMEOUT if stored is None else int.from_bytes(stored, "big")


def _condition(nvm: Nvm) -> Condition:
    stored = nvm.get(CELL)
    if stored is None:
        return Condition()
    try:
        return msgspec.msgpack.decode(stored, type=Condition)
    except msgspec.MsgspecError as error:
        raise DecodeError(f"no saved condition: {error}") from error
