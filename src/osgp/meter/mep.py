"""The MEP clients of a virtual meter: who is there, and what each is alerted to.

A client registers by a flag in ET50 and gets an entry among the M-Bus devices (`osgp.meter.mbus`),
the first one handle 1000, or 2000 on the second port. ET13 shows its alert flags:

| flag | set | cleared |
|---|---|---|
| scheduled read request | at the entry's billing times (ET13) | scheduled data are posted (EP39) |
| on-demand request | a request for the client waits in ET15 | its answer (EP39), or 30 s |
| M-Bus change | a control state (ET58) changed, and ET50 wants M-Bus alerts | EP39 |
| delta data | a source of ET71 moved by its delta, and ET50 wants delta data alerts | EP39 |

While a flag is set and the client is registered, its port sends the alert sequence. Source: MEP
guide v1.1, 'Alert Sequence', 'Delta Data Alerts', 'Replacing a MEP Client Device', ET13, ET50,
ET71. `Source.PROJECT`: EP39's layout; that a request of any type is answered by posting on-demand
data; that what is posted goes to ET16 and counts as an answer; that a removed client's successor
gets the next handle; that M-Bus load profiles, which this meter does not have, raise nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from osgp.errors import (
    DecodeError,
    InvalidParameter,
    NoAuthorization,
    OperationNotPossible,
    ProcedureConflict,
)
from osgp.meter.dims import LN_SETTINGS, declared
from osgp.meter.mbus import MBus
from osgp.meter.mbus_state import DELTA_DATA, M_BUS_CHANGE, SCHEDULED
from osgp.meter.nvm import Nvm
from osgp.spec.codes import BAUD_RATES
from osgp.spec.procedures.mep import (
    ALARMS,
    CLEAR_DELTA_DATA_ALERT,
    CLEAR_M_BUS_ALERT,
    ON_DEMAND_DATA,
    SCHEDULED_DATA,
    SCHEDULED_DATA_AND_ALARMS,
    PostMepData,
)
from osgp.spec.tables.configuration import MeterConfigurationLn
from osgp.spec.tables.mbus import M_BUS_DEVICES, DeviceConfiguration, MepRead
from osgp.spec.tables.mep import DeltaDataAlerts, MepInboundDataSpace
from osgp.wire import NO_DIMS, Dims, bind

CELL: Final = "mep"
PORTS: Final = (1, 2)
HANDLES: Final = (1000, 2000)
"""Where the handles of each port's clients begin (ET14)."""

SPACE: Final = MepInboundDataSpace.info.number
DELTAS: Final = DeltaDataAlerts.info.number
SETTINGS: Final = MeterConfigurationLn.info.number
NO_ANSWER: Final = bytes(4)
NO_SOURCE: Final = 255
"""ET71: an entry that is not in use."""

FASTEST_BEFORE_4_0: Final = 6
"""Code of 9600 bits a second: faster ones came with generation 4 (MEP guide, 'Baud Rate')."""

Value = Callable[[int, float], int | None]
"""A source's value at a true time; None where there is no such source."""


class MepState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Images of ET50 and ET97, and how many clients each port has had."""

    space: bytes
    settings: bytes
    clients: tuple[int, int] = (0, 0)


class MepClients:
    """Clients of the first `ports` MEP ports. Cells are put, not committed.

    Raises DecodeError for a damaged memory.
    """

    def __init__(self, ports: int, bus: MBus, nvm: Nvm, dims: Dims, value: Value) -> None:
        self.ports = PORTS[:ports]
        self._bus, self._nvm, self._dims, self._value = bus, nvm, dims, value
        self._state = self._stored()
        self._calling: int | None = None
        self.numbers: dict[int, Callable[[], int]] = {}
        self.restarted()
        bus.on_change = self._m_bus_changed

    def restarted(self) -> None:
        """The supply is back: what is in RAM only begins anew."""
        self.answers = [NO_ANSWER, NO_ANSWER]
        self._deltas = self._blank_deltas()

    # --- ports -------------------------------------------------------------------------------

    @contextmanager
    def calling(self, port: int) -> Iterator[None]:
        """What happens meanwhile is done by the client of `port`."""
        self._calling = port
        try:
            yield
        finally:
            self._calling = None

    @property
    def calling_handle(self) -> int | None:
        """The handle of the client that is calling; None if it has none or nobody is."""
        if self._calling is None:
            return None
        return self._bus.state.entries[_slot(self._calling)].handle or None

    def answered(self, port: int, response: bytes) -> None:
        """The client of `port` called a procedure; `response` is the image of BT08."""
        if port != 1 or self._says(port, "et59_response"):
            self.answers[port - 1] = response

    def waiting(self, port: int) -> int:
        """Alert flags of a client that is to be alerted; 0 for nothing."""
        return self._bus.alerts(_slot(port)) if self._is_registered(port) else 0

    def line_speed(self, port: int) -> int:
        """Bits a second of a port (ET13)."""
        code = self._bus.settings.record("ET13").devices[_slot(port)].baud_rate
        return int(BAUD_RATES.get(code, BAUD_RATES[0]))

    def tls_required(self, port: int) -> bool:
        """Whether a port takes TLS only (ET97)."""
        return bool(self.has_settings and getattr(self._settings(), f"require_tls_mep_{port}"))

    def require_tls(self, port: int) -> None:
        """Has ET97 say so, where there is one."""
        if self.has_settings:
            settings = self._settings().with_(**{f"require_tls_mep_{port}": True})
            self._keep(settings=self._layout(MeterConfigurationLn).encode(settings))

    def sequences(self) -> tuple[int, int]:
        """Numbers of the messages last accepted (ET04)."""
        first, second = (self.numbers.get(port, int)() for port in PORTS)
        return first, second

    # --- tables ------------------------------------------------------------------------------

    def image(self, table: int) -> bytes:
        """ET50, ET71 or ET97."""
        images: dict[int, bytes] = {
            SPACE: self._state.space,
            SETTINGS: self._state.settings,
            DELTAS: self._deltas,
        }
        return images[table]

    def write(self, table: int, image: bytes, now: float) -> None:
        """Replaces a table by bytes that it can have. Raises OperationNotPossible."""
        if table == SPACE:
            self._keep(space=image)
            self._discover(now)
        elif table == SETTINGS:
            self._set(image)
        else:
            self._deltas = image

    def check_speeds(self, image: bytes) -> None:
        """Raises OperationNotPossible for an image of ET13 with a speed that no port has."""
        fast = self._dims.firmware is None or self._dims.firmware >= (4, 0)
        known = [code for code in BAUD_RATES if fast or code <= FASTEST_BEFORE_4_0]
        devices = self._layout(DeviceConfiguration).decode(image).devices
        if any(one.baud_rate not in known for one in devices[M_BUS_DEVICES:]):
            raise OperationNotPossible("no such speed of a MEP port")

    def _set(self, image: bytes) -> None:
        wanted: Any = self._layout(MeterConfigurationLn).decode(image)
        if wanted.require_tls_optical:
            raise OperationNotPossible("this meter has no TLS on its optical port")
        self._keep(settings=image)

    # --- registration ------------------------------------------------------------------------

    def _discover(self, now: float) -> None:
        for port in self.ports:
            there = self._bus.state.entries[_slot(port)].handle
            if self._is_registered(port) and not there:
                count = self._state.clients[port - 1]
                self._bus.register(_slot(port), HANDLES[port - 1] + count % HANDLES[0], now)
                counts = list(self._state.clients)
                counts[port - 1] += 1
                self._keep(clients=(counts[0], counts[1]))

    def removed(self, slots: Sequence[int]) -> None:
        """Clients were taken away (EP17): they are not registered any more."""
        for port in self.ports:
            if _slot(port) in slots:
                layout = self._layout(MepInboundDataSpace)
                space = layout.decode(self._state.space)
                clients = [
                    one.with_(device_registered=one.device_registered and at != port)
                    for at, one in enumerate(space.clients, 1)
                ]
                self._keep(space=layout.encode(space.with_(clients=tuple(clients))))

    def _is_registered(self, port: int) -> bool:
        return self._says(port, "device_registered")

    def _says(self, port: int, flag: str) -> bool:
        part = self._said(port, flag)
        start, count = part.span
        return bool(part.decode(self._state.space[start : start + count]))

    def _said(self, port: int, flag: str) -> Any:
        return self._layout(MepInboundDataSpace).part(f"clients[{port - 1}].{flag}")

    # --- alerts ------------------------------------------------------------------------------

    def post(self, posted: PostMepData, now: float) -> None:
        """What a client posts (EP39). Raises ProcedureError."""
        port = self._calling
        if port is None or not self._is_registered(port):
            raise NoAuthorization("only a registered MEP client posts data")
        slot = _slot(port)
        handle = _POSTS.get(posted.post_type)
        if handle is None:
            raise InvalidParameter(f"no post of type {posted.post_type}")
        handle(self, slot, posted, now)

    def _scheduled_data(self, slot: int, posted: PostMepData, now: float) -> None:
        self._deliver(slot, posted, now)
        self._bus.alert(slot, clear=SCHEDULED)

    def _scheduled_data_and_alarms(self, slot: int, posted: PostMepData, now: float) -> None:
        self._scheduled_data(slot, posted, now)
        self._alarms(slot, posted, now)

    def _on_demand_data(self, slot: int, posted: PostMepData, now: float) -> None:
        self._bus.complete(slot, posted.transaction_number)
        if posted.data:
            self._deliver(slot, posted, now)

    def _alarms(self, slot: int, posted: PostMepData, now: float) -> None:
        self._bus.complain(slot, posted.device_alarms, now)

    def _clear_m_bus(self, slot: int, posted: PostMepData, now: float) -> None:
        self._bus.alert(slot, clear=M_BUS_CHANGE)

    def _clear_delta(self, slot: int, posted: PostMepData, now: float) -> None:
        self._bus.alert(slot, clear=DELTA_DATA)

    def _deliver(self, slot: int, posted: PostMepData, now: float) -> None:
        answers = self._bus.state.entries[slot].answers + 1
        length = len(posted.data)
        if length > self._dims["ET11"].data_entry_size - _READ_HEADER:
            raise ProcedureConflict("more data than an entry of ET16 holds")
        read = MepRead(answers & 0xFFFF, length, posted.data, b"")
        self._bus.deliver(slot, bind(MepRead, NO_DIMS).encode(read), now)

    def _m_bus_changed(self) -> None:
        self._raise(M_BUS_CHANGE, "m_bus_alerts")

    def _raise(self, flag: int, wanted: str) -> None:
        for port in self.ports:
            if self._is_registered(port) and self._says(port, wanted):
                self._bus.alert(_slot(port), add=flag)

    # --- ET71 --------------------------------------------------------------------------------

    def sample(self, now: float) -> None:
        """Looks at every source that ET71 names; to be called once a second."""
        table: Any = self._layout(DeltaDataAlerts).decode(self._deltas)
        if all(one.source == NO_SOURCE for one in table.sources):
            return
        seen = tuple(self._sampled(one, now) for one in table.sources)
        self._deltas = self._layout(DeltaDataAlerts).encode(table.with_(sources=seen))

    def _sampled(self, entry: Any, now: float) -> Any:
        if entry.source == NO_SOURCE:
            return entry
        value = self._value(entry.source, now)
        if value is None:
            return entry.with_(source_id_invalid=True)
        seen = entry.with_(sampled_value=value, source_id_invalid=False)
        if not entry.delta or abs(value - entry.comparison_value) < entry.delta:
            return seen
        self._raise(DELTA_DATA, "delta_data_alerts")
        return seen.with_(comparison_value=value)

    def _blank_deltas(self) -> bytes:
        blank: Any = declared(DeltaDataAlerts, self._dims)
        unused = tuple(one.with_(source=NO_SOURCE) for one in blank.sources)
        image: bytes = self._layout(DeltaDataAlerts).encode(blank.with_(sources=unused))
        return image

    # --- memory ------------------------------------------------------------------------------

    @property
    def has_settings(self) -> bool:
        """Whether there is an ET97."""
        return self._dims.firmware is not None and self._dims.firmware >= LN_SETTINGS

    def _settings(self) -> Any:
        return self._layout(MeterConfigurationLn).decode(self._state.settings)

    def _layout(self, table: Any) -> Any:
        return table.bind(self._dims)

    def _stored(self) -> MepState:
        stored = self._nvm.get(CELL)
        if stored is None:
            blank = bytes(self._layout(MepInboundDataSpace).size)
            settings = self._layout(MeterConfigurationLn).size if self.has_settings else 0
            return MepState(blank, bytes(settings))
        try:
            return msgspec.msgpack.decode(stored, type=MepState)
        except msgspec.MsgspecError as error:
            raise DecodeError(f"no saved MEP clients: {error}") from error

    def _keep(self, **changes: Any) -> None:
        self._state = msgspec.structs.replace(self._state, **changes)
        self._nvm.put(CELL, msgspec.msgpack.encode(self._state))


def _slot(port: int) -> int:
    """The index of a port's client in ET13 and so on."""
    return M_BUS_DEVICES + port - 1


_READ_HEADER: Final = 7 + 4
"""Bytes of ET16's entry before a client's data."""

_POSTS: Final[dict[int, Callable[[MepClients, int, PostMepData, float], None]]] = {
    SCHEDULED_DATA: MepClients._scheduled_data,
    SCHEDULED_DATA_AND_ALARMS: MepClients._scheduled_data_and_alarms,
    ON_DEMAND_DATA: MepClients._on_demand_data,
    ALARMS: MepClients._alarms,
    CLEAR_M_BUS_ALERT: MepClients._clear_m_bus,
    CLEAR_DELTA_DATA_ALERT: MepClients._clear_delta,
}
"""What each type of EP39 does."""

__all__ = ["MepClients"]
