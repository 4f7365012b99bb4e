"""What a meter remembers of its M-Bus devices and MEP clients, and the codes that stand for it."""

from __future__ import annotations

import math
from typing import Final

import msgspec

INSTALLED, ALARM = 16, 17
"""Manufacturer alarms: device installed or removed, M-Bus alarm."""

STATUS_EVENT: Final = 96
COMMISSIONED, REMOVED = 0, 4
"""Event of a device that came or went, and its values."""

COLLECTED, NEW_ALARM, FAILED = 0, 2, 4
"""Bits of an entry's alarms (ET14); the M-Bus event's values are the same numbers."""

HEADER: Final = 8
"""Bytes of ET16's entry before the telegram."""

UP, DOWN, CLIENT_UP = 1, 2, 3
"""States of an entry (`osgp.spec.tables.mbus.DEVICE_STATES`)."""

RESET, BILLING, STATUS, WRITE, SYNCHRONISE, MULTICAST, BY_INDEX = 1, 2, 3, 4, 5, 6, 10
SINGLE: Final = frozenset({RESET, BILLING, STATUS, WRITE, SYNCHRONISE})
"""Request types (`osgp.spec.codes.REQUEST_TYPES`)."""

CLIENT_KINDS: Final = frozenset({BILLING, WRITE})
"""Those that a MEP client may be asked (ET15; downloads are not here)."""

CLIENT_TAKES: Final = 30
"""Seconds until a client that does not answer has not responded: ET51's default."""

SCHEDULED, ON_DEMAND, M_BUS_CHANGE, DELTA_DATA = 1 << 0, 1 << 1, 1 << 3, 1 << 4
"""Alert flags in a client's entry of ET13."""

PENDING, SUCCESS, SILENT = 0, 1, 2
EVERYBODY: Final = 0xFFFF
M_BUS_TYPE: Final = 1
"""Kind of an entry of ET57."""

VALVE_TYPE: Final = 1
"""Data type of the valves that this meter comes with (`Source.PROJECT`)."""

QUEUE_FULL: Final = 7
"""Result of EP19."""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """State of one device, as ET14 has it; handle 0: nothing there. Times are local, s.

    `billed` and `asked`: readings of the clock at the last billing and status read that was due.
    `control`: ET58's state of a valve, `switched`: what the valve was last told. `alerts`: flags of
    a MEP client's entry in ET13, but ON_DEMAND, which follows from the queue.
    """

    handle: int = 0
    state: int = 0
    length: int = 0
    attempts: int = 0
    answers: int = 0
    alarms: int = 0
    device_alarms: int = 0
    access: int = 0
    billed: int = 0
    asked: int = 0
    control: int = 0
    switched: int = 1
    alerts: int = 0
    status_read: int | None = None
    last_attempt: int | None = None


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of ET15. `due`: true time at which it is carried out."""

    number: int = 0
    device: int = 0
    kind: int = 0
    result: int = PENDING
    data: bytes = b""
    due: float = math.inf


class BusState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything but configuration and billing reads. `write`, `read`: pointers into the queue."""

    entries: tuple[Entry, ...]
    requests: tuple[Request, ...]
    write: int = 0
    read: int = 0
    multicast: bytes = b""
