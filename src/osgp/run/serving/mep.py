"""A served meter's MEP ports: each sees the same tables a little differently, and is attended.

What clients keep in the meter and are alerted to is `osgp.meter.mep`. Here a port's settings follow
the tables while it runs: the line's speed is ET13's, whether it takes TLS only ET97's
(`Source.PROJECT`: from the next request on; no source says when), and while ET13 has an alert flag
for its client, it sends the alert sequence.
"""

from __future__ import annotations

from typing import Final

from osgp.meter.mep import MepClients
from osgp.ports import PortEvent
from osgp.ports.line import DEFAULT_SPEED
from osgp.ports.mep import MepServer
from osgp.spec.tables.general import ProcedureInitiate, ProcedureResponse
from osgp.spec.tables.hardware import RamOnlyStatus

from .device import ServedMeter

CALL, ANSWER = ProcedureInitiate.info.number, ProcedureResponse.info.number
STATUS: Final = RamOnlyStatus.info.number
CHANNEL: Final = 142
"""Byte of ET70 that tells a client which port it is on."""

LOOK_EVERY: Final = 1.0
"""Seconds between looks at what a client is alerted to: ET71's period, about one second."""


class MepPortTables:
    """A meter's tables as the client of one MEP port sees them."""

    def __init__(self, served: ServedMeter, clients: MepClients, port: int) -> None:
        self._served, self._clients, self._port = served, clients, port

    def read(self, table: int, offset: int, count: int | None, key: str, now: float) -> bytes:
        data = self._served.read(table, offset, count, key, now)
        place = CHANNEL - offset
        if table != STATUS or not 0 <= place < len(data):
            return data
        return data[:place] + bytes((self._port,)) + data[place + 1 :]

    def write(self, table: int, offset: int | None, data: bytes, key: str, now: float) -> None:
        with self._clients.calling(self._port):
            self._served.write(table, offset, data, key, now)
        if table == CALL:
            self._clients.answered(self._port, self._served.image(ANSWER, now))


class AttendedPort:
    """A MEP port of a served meter: settings and alerts follow the tables.

    `tls_only`: it takes TLS only, where there is no ET97 to say so.
    """

    def __init__(
        self,
        server: MepServer,
        meter: ServedMeter,
        clients: MepClients,
        port: int,
        tls_only: bool = False,
    ) -> None:
        self._server, self._meter, self._clients, self._port = server, meter, clients, port
        self._tls_only = tls_only and not clients.has_settings
        self._speed, self._look_at = int(DEFAULT_SPEED), float("-inf")

    def receive(self, data: bytes, now: float) -> None:
        self._server.receive(data, now)
        self._follow(now)

    def data_to_send(self, now: float) -> bytes:
        return self._server.data_to_send(now)

    def next_timer(self) -> float:
        due = self._server.next_timer()
        return self._look_at if due is None else min(due, self._look_at)

    def handle_timer(self, now: float) -> None:
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY
            self._meter.sample(now)
            self._follow(now)
        self._server.handle_timer(now)

    def next_event(self) -> PortEvent | None:
        return self._server.next_event()

    def _follow(self, now: float) -> None:
        self._server.tls_required = self._tls_only or self._clients.tls_required(self._port)
        self._server.alert(bool(self._clients.waiting(self._port)), now)
        wanted = self._clients.line_speed(self._port)
        if wanted != self._speed:
            self._speed = wanted
            self._server.change_speed(wanted)


__all__ = ["AttendedPort", "MepPortTables"]
