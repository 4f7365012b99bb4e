"""The meter's side of the MEP port.

Requests are opened by the OMA / RC4 suite or by a TLS session and served by the same `TableServer`
as on other ports, under the name of the key (MBK, MAK). Responses leave in segments, and alerts
leave once a second while something waits to be looked at.
Source: MEP guide v1.1, 'MEP Protocol', 'Alert Sequence', 'MEP Protocol Timing'.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from osgp.ports.events import Broken, PortEvent, SpeedChanged
from osgp.ports.line import NORMAL, Line
from osgp.security.omak import MepScope
from osgp.security.secret import KeyLike, key_bytes
from osgp.security.suite import OmaServer, Outcome
from osgp.session import Tables, TableServer

from .dialect import RC4_LIMITS, MepServerDialect
from .frame import ALERT_SEQUENCE, STANDARD, FrameParser, Item, Mark, MepTiming, frame
from .tls import PSK_SIZE, Answer, TlsEngine
from .tls_server import TlsServer

NOT_NOW: Final = bytes((Answer.NO_SESSION,))
"""An RC4 request while TLS is up or required: the guide says 'not accepted' and names no code."""

INTERFACE_STEP: Final = 25
"""Sequence numbers that a change of the interface skips (MEP guide, IDT version)."""

KEY_NAMES: Final = ("MAK", "MBK")
"""In the order in which the meter tries them."""


class MepServer:
    """One MEP port of a meter.

    `keys`: MAK and MBK, of which the first 16 bytes count. `last`: ET04.103, or `restore`: what
    `persist` was given last; it is called before anything is executed or sent whenever it has to
    be. `engine` makes server sides of TLS; `tls_required` is the port's setting in ET97.
    `interface` changes with the IDT version: by skipping numbers the meter has its client look at
    that.
    """

    def __init__(
        self,
        tables: Tables,
        keys: Mapping[str, KeyLike],
        *,
        last: int = 0,
        restore: bytes | None = None,
        persist: Callable[[bytes], None] | None = None,
        engine: Callable[[], TlsEngine] | None = None,
        tls_required: bool = False,
        interface: Callable[[], int] = int,
        line: Line = NORMAL,
        timing: MepTiming = STANDARD,
    ) -> None:
        self.line, self.timing, self.tls_required = line, timing, tls_required
        ordered = {name: key_bytes(keys[name])[:PSK_SIZE] for name in KEY_NAMES if name in keys}
        suite = OmaServer(dict(ordered), MepScope(), last=last, restore=restore)
        self._suite, self._persist = suite, persist
        self._interface, self._known = interface, interface()
        self._rc4 = TableServer(
            MepServerDialect(suite), tables, limits=RC4_LIMITS, head=b"", keep=self._keep
        )
        self._tls = None if engine is None else TlsServer(tables, engine)
        self._parser = FrameParser()
        self._events: deque[PortEvent] = deque()
        self._segments: deque[bytes] = deque()
        self._gate = self._left = 0.0
        self._partly = False
        self._expiry: float | None = None
        self._alert_at: float | None = None
        self._heard = self._answered = float("-inf")
        self._new_speed: int | None = None
        self.last_success: float | None = None

    @property
    def tls(self) -> TlsServer | None:
        """The TLS side, if the port has one."""
        return self._tls

    @property
    def sequence(self) -> int:
        """ET04.103: the sequence number last accepted."""
        return self._suite.last

    def alert(self, waiting: bool, now: float) -> None:
        """Something waits to be looked at (ET13's alert flags), or nothing does any more."""
        if not waiting:
            self._alert_at = None
        elif self._alert_at is None:
            self._alert_at = max(now, self._heard + self.timing.alert_every)

    def change_speed(self, speed: int) -> None:
        """ET13 was written: the line changes once the response has left."""
        self._new_speed = speed

    def receive(self, data: bytes, now: float) -> None:
        for item in self._parser.feed(data):
            self._item(item, now)
        waits = self._parser.inside or self._parser.deaf
        self._expiry = now + self.timing.byte_gap if waits else None

    def data_to_send(self, now: float) -> bytes:
        if not self._segments or now < self._gate:
            return b""
        segment = self._segments.popleft()
        self._partly = bool(self._segments)
        self._left = max(now, self._left) + self.line.airtime(len(segment))
        self._gate = self._left + self.timing.segment_pause if self._segments else 0.0
        return segment

    def next_timer(self) -> float | None:
        gate = self._gate if self._segments else None
        change = self._left if self._new_speed is not None and not self._segments else None
        timers = (gate, change, self._expiry, self._alert_at)
        return min((t for t in timers if t is not None), default=None)

    def handle_timer(self, now: float) -> None:
        if self._expiry is not None and now >= self._expiry:
            self._parser.listen()
            self._expiry = None
        if self._new_speed is not None and not self._segments and now >= self._left:
            self.line = self.line.at(self._new_speed)
            self._events.append(SpeedChanged(self._new_speed))
            self._new_speed = None
        if self._alert_at is not None and now >= self._alert_at:
            self._alert_at = now + self.timing.alert_every
            if not self._segments and not self._parser.inside:
                self._segments.append(ALERT_SEQUENCE)

    def next_event(self) -> PortEvent | None:
        return self._events.popleft() if self._events else None

    def _item(self, item: Item, now: float) -> None:
        if isinstance(item, Mark):
            if item is not Mark.ALERT:
                self._events.append(Broken(item.value))
            return
        self._heard = now
        if self._alert_at is not None:
            self._alert_at = now + self.timing.alert_every
        response = self._response(item, now)
        if self._suite.must_persist:
            self._keep()
        if response is not None:
            self._answer(response, now)

    def _keep(self) -> None:
        if self._persist is not None:
            self._persist(self._suite.export_state())

    def _response(self, message: bytes, now: float) -> bytes | None:
        if self._tls is not None and self._tls.speaks(message):
            response = self._tls.receive(message, now)
            if self._tls.established:
                self.last_success = now
            return response
        if self.tls_required or (self._tls is not None and self._tls.established):
            return NOT_NOW
        self._follow_interface()
        accepted = self._rc4.outcomes[Outcome.ACCEPTED]
        answer = self._rc4.receive(message, now)
        if self._rc4.outcomes[Outcome.ACCEPTED] > accepted:
            self.last_success = now
        return answer

    def _follow_interface(self) -> None:
        found = self._interface()
        if found != self._known:
            self._known = found
            self._suite.skip(INTERFACE_STEP)

    def _answer(self, response: bytes, now: float) -> None:
        """Queues a response; one that is partly out is finished, and the new one is not given."""
        if self._partly:
            return
        framed, size = frame(response), self.timing.segment
        self._segments = deque(framed[at : at + size] for at in range(0, len(framed), size))
        self._gate = max(now, self._answered + self.timing.spacing)
        self._answered = self._gate
