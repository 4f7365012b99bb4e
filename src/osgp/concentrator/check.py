"""What is looked at in a device besides its readings: its place, its clock, its security."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

from osgp.errors import DecodeError, PathError, ProcedureError, ServiceError
from osgp.lon import SubnetNode
from osgp.session import Exchange
from osgp.session.procedures import call
from osgp.session.reader import DeviceReader
from osgp.spec import tables
from osgp.spec.procedures.basic import SetDateAndTime
from osgp.wire import LTimeDate

from .conversation import Clock

SYSTEM: Final = "ET04"
STATUS: Final = "ET54"
CLOCK: Final = "BT52"
WANTED: Final = {"BT64": "no load profile", "BT74": "no event log"}

_REFUSALS: Final = (ServiceError, ProcedureError, PathError, DecodeError)
"""What one look may come to without the others being in vain."""


class Shown(NamedTuple):
    """What a device shows of its security: ET04.123, ET04.127."""

    uses: int
    mode: int


class Check:
    """Looks at one device through `reader`, whose images are kept."""

    def __init__(self, reader: DeviceReader, clock: Clock) -> None:
        self._reader, self._clock = reader, clock
        self.clock_error: float | None = None
        self.clock_looked_at = self.clock_set = False
        self.problems: list[str] = []
        self.shown: Shown | None = None
        self.broadcast_uses = 0

    def place(self, address: SubnetNode) -> Exchange[None]:
        """Is it where it was put (ET04.10 and .11)? Raises as `DeviceReader.part`, but refusals."""
        try:
            found = yield from self._bytes(SYSTEM, "subnet_id", "node_id")
        except _REFUSALS as error:
            self.problems.append(f"its address is not known: {error}")
            return
        if tuple(found) != (address.subnet, address.node):
            self.problems.append(f"it says that its address is {found[0]}/{found[1]}")

    def lists(self) -> Exchange[None]:
        """Has it what is to be collected?"""
        for name, problem in WANTED.items():
            if not (yield from self._reader.has(name)):
                self.problems.append(problem)

    def security(self) -> Exchange[None]:
        """ET04.123 to .128: limit of the keys' uses, security mode, handshakes; if it has them."""
        try:
            found = yield from self._bytes(SYSTEM, "maximum_key_usage_count", "fcm_message_count")
        except _REFUSALS:
            return
        self.shown = Shown(int.from_bytes(found[:4], "little"), found[4])

    def usage(self) -> Exchange[None]:
        """ET54.82 to .89: how often the keys were used; if it counts that."""
        try:
            first, last = "unicast_key_usage_count", "broadcast_key_usage_count"
            counts = yield from self._bytes(STATUS, first, last)
        except _REFUSALS:
            return
        self.broadcast_uses = int.from_bytes(counts[-4:], "little")

    def time(self, tolerance: float) -> Exchange[None]:
        """Sets the clock (BP10) if it is off by more than `tolerance` seconds."""
        self.clock_looked_at = True
        try:
            yield from self._set_right(tolerance)
        except _REFUSALS as error:
            self.problems.append(f"its clock cannot be set: {error}")

    def _set_right(self, tolerance: float) -> Exchange[None]:
        asked = self._clock.now
        record = yield from self._reader.table(CLOCK)
        way = (self._clock.now - asked) / 2
        shown = record.clock_calendar.to_datetime().timestamp()
        self.clock_error = round(shown - (asked + way), 1)
        if abs(self.clock_error) <= tolerance:
            return
        number = self._reader.next_call(int(self._clock.now))
        yield from call(self._reader.client, _setting(self._clock.now + way), number)
        self.clock_set = True

    def _bytes(self, table: str, first: str, last: str) -> Exchange[bytes]:
        """The bytes from one field to another of the same table."""
        layout = yield from self._reader.layout(table)
        begin, end = layout.span(first), layout.span(last)
        count = end.offset + end.size - begin.offset
        return (yield from self._reader.bytes_at(tables[table], begin.offset, count))


def _setting(time: float) -> SetDateAndTime:
    """BP10 for a time (seconds UTC)."""
    moment = datetime.fromtimestamp(time, UTC)
    return SetDateAndTime(
        set_time=True,
        set_date=True,
        set_qualifier=False,
        date_time=LTimeDate.of(moment),
        day_of_week=moment.isoweekday() % 7,
        daylight_saving_time=False,
        greenwich_mean_time=True,
        time_zone_applied=False,
        dst_applied=False,
    )
