"""Events of the logs BT74 and ET79, and the alarms of BT03 that go with them.

Numbers up to 36 are those of ANSI C12.19; 37 to 50 follow the standard status bits of BT03, and
64 + n is manufacturer alarm n, up to 95. Others are the manufacturer's.
Sources: Echelon ANSI meter v3.1 user's guide 79010 (events, arguments), Termineter's data (names of
C12.19 codes), both guides (alarm bits). The guides leave the list to each device's documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from .codes import Codes
from .firmware import Releases, since

MANUFACTURER_EVENTS: Final = 64
"""Number of the event that goes with manufacturer alarm 0."""

_ALARMED_EVENTS: Final = range(MANUFACTURER_EVENTS, MANUFACTURER_EVENTS + 32)

MANUFACTURER_ALARMS: Final[Codes] = dict(
    enumerate(
        (
            "load profile overflow",
            "self-read occurred",
            "load disconnect changed state",
            "control relay 1 open",
            "phase loss",
            "phase inversion",
            "PLC configuration failure",
            "general error",
            "invalid password",
            "remote communications inactive",
            "current on missing or unused phase",
            "pulse input 1 tamper",
            "pulse input 2 tamper",
            "software CRC error",
            "code bank changed",
            "load profile backfill failed",
            "MEP device installed or removed",
            "M-Bus alarm",
            "M-Bus auto-discovery complete",
            "phase rotation changed",
            "prepay credit exhausted",
            "prepay warning acknowledged",
            "event log overflow pending",
            "manufacturer log entry available",
            "dimension changed",
            "magnetic tamper",
            "access lockout override",
            "power quality event",
            "event log has unread entries",
            "THD state changed",
            "load profile 1 has unread entries",
            "load-side voltage",
            "unbalanced voltage",
            "password table written",
            "key expiration pending",
            "P2P security",
            "firmware separation violation",
            "modem error",
            "G3 alarm",
            "G3 event logged",
            "control relay 2 open",
        )
    )
)
"""Bits of BT03's manufacturer alarms, from byte 4 on."""

ALARMS_SINCE: Final[dict[int, Releases]] = (
    dict.fromkeys(range(16, 22), since("2.10"))
    | dict.fromkeys(range(22, 30), since("2.12", "3.01"))
    | {30: since("3.10"), 31: since("3.30"), 32: since("3.60"), 33: since("3.70")}
    | {34: since("2.04", "2.13", "3.13", "3.80")}
    | dict.fromkeys(range(35, 38), since("4.10"))
    | {38: since("4.20"), 39: since("4.20"), 40: since("4.30")}
)
"""First firmware of manufacturer alarms that did not exist from the beginning."""

EXTENDED_ALARMS: Final[Codes] = {
    0: "load profile 2 has unread entries",
    1: "load profile 3 has unread entries",
    2: "load profile 4 has unread entries",
    3: "neutral current deviation",
}
"""Bits of BT03 byte 3."""

STANDARD_EVENTS: Final[Codes] = {
    0: "none",
    1: "power down",
    2: "power up",
    3: "time changed, old time",
    4: "time changed, new time",
    7: "accessed for read",
    8: "accessed for write",
    9: "procedure invoked",
    10: "table written",
    11: "programmed",
    12: "communication ended",
    13: "communication broke off",
    14: "list pointers reset",
    15: "list pointers updated",
    16: "history log cleared",
    17: "history log pointers updated",
    18: "event log cleared",
    19: "event log pointers updated",
    20: "demand reset",
    21: "self-read",
    22: "daylight saving on",
    23: "daylight saving off",
    24: "season changed",
    25: "rate changed",
    26: "special schedule activated",
    27: "tier switched",
    28: "pending table activated",
    29: "pending table cleared",
    30: "test mode started",
    31: "test mode stopped",
    36: "reprogrammed",
    37: "configuration error",
    38: "system reset",
    39: "RAM failure",
    40: "ROM failure",
    41: "non-volatile memory failure",
    42: "clock error",
    43: "measurement error",
    44: "low battery",
    45: "low loss potential",
    46: "demand overload",
    47: "cover removed",
    48: "reverse energy",
    49: "data backup incomplete",
    50: "disconnect switch error",
}
"""30 and 31 as the meter manual has them; C12.19 has metering mode there."""

OTHER_EVENTS: Final[Codes] = {
    96: "MEP device status",
    97: "maximum power switched",
    98: "voltage sag",
    99: "voltage swell",
    100: "maximum voltage THD",
    101: "average voltage THD",
    102: "maximum current THD",
    103: "average current THD",
    104: "maximum power THD",
    105: "average power THD",
    106: "disconnect pulsed",
    107: "load-side voltage",
}

EVENT_NAMES: Final[Codes] = (
    STANDARD_EVENTS
    | {number: MANUFACTURER_ALARMS[number - MANUFACTURER_EVENTS] for number in _ALARMED_EVENTS}
    | OTHER_EVENTS
)

POWER_DOWN: Final = 1
POWER_UP: Final = 2
TIME_CHANGED_OLD: Final = 3
TIME_CHANGED_NEW: Final = 4
SELF_READ: Final = 21
PHASE_LOSS: Final = 68
VOLTAGE_SAG: Final = 98
VOLTAGE_SWELL: Final = 99


class Occurrence(msgspec.Struct, frozen=True):
    """A logged event in words: its name and what its argument says (may be empty)."""

    number: int
    name: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.detail}" if self.detail else self.name


def occurrence(number: int, argument: bytes = b"") -> Occurrence:
    """An event with its argument decoded. Never fails: unknown ones keep their number."""
    name = EVENT_NAMES.get(number, f"event {number}")
    detail = _DETAILS.get(number)
    if detail is None or not argument:
        return Occurrence(number, name)
    return Occurrence(number, name, detail(int.from_bytes(argument, "little")))


def alarm_event(alarm: int) -> int | None:
    """Number of the event that goes with a manufacturer alarm; None where none is known."""
    number = MANUFACTURER_EVENTS + alarm
    return number if number in _ALARMED_EVENTS else None


def _coded(codes: Codes) -> Callable[[int], str]:
    return lambda argument: codes.get(argument, f"code {argument}")


def _listed(names: Codes, argument: int) -> str:
    found = [name for bit, name in names.items() if argument >> bit & 1]
    return ", ".join(found)


def _bitwise(names: Codes) -> Callable[[int], str]:
    return lambda argument: _listed(names, argument)


_PHASES: Final[Codes] = {0: "L1", 1: "L2", 2: "L3"}

_DISCONNECT_STATES: Final[Codes] = {1: "closed", 2: "open", 3: "locked open"}

_DISCONNECT_REASONS: Final[Codes] = {
    1: "EP02",
    2: "maximum power",
    3: "prepay",
    4: "prepay power",
    5: "EP23",
    6: "manual",
    7: "schedule",
    8: "EP30",
    9: "resynchronization",
    10: "resynchronization at power-up",
}

_DISCONNECT_FLAGS: Final[Codes] = {4: "failed", 6: "was internal", 7: "was external"}


def _disconnect(argument: int) -> str:
    """Bits 0..3 state, 4 failure, 6 and 7 previous source; high byte: reason."""
    state = _DISCONNECT_STATES.get(argument & 0x0F, f"state {argument & 0x0F}")
    reason = _DISCONNECT_REASONS.get(argument >> 8, f"reason {argument >> 8}")
    return _joined(state, _listed(_DISCONNECT_FLAGS, argument & 0xF0), f"by {reason}")


def _device(codes: Codes, argument: int) -> str:
    """Bits 13..15 device index, the rest a code."""
    low = argument & 0x1FFF
    return f"device {argument >> 13}, {codes.get(low, f'code {low}')}"


def _device_coded(codes: Codes) -> Callable[[int], str]:
    return lambda argument: _device(codes, argument)


def _voltage(argument: int) -> str:
    """Bits 0 and 1 phase; the whole argument divided by 4 is the voltage."""
    phase = _PHASES.get(argument & 3, f"phase {argument & 3}")
    return f"{phase} {argument // 4} V"


def _power_quality(argument: int) -> str:
    kinds: Iterable[str] = ("sag", "surge", "overcurrent")
    names = [f"{kind} {phase}" for kind in kinds for phase in _PHASES.values()]
    return _listed(dict(enumerate(names)), argument)


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


_DETAILS: Final[dict[int, Callable[[int], str]]] = {
    2: _coded(
        {
            3: "power failure",
            4: "watchdog",
            5: "bank switch",
            8: "brown-out",
            11: "boot ROM switch",
        }
    ),
    26: _coded({0: "A", 1: "B"}),
    27: lambda tier: f"tier {tier}",
    28: lambda table: f"table {table}",
    29: lambda table: f"table {table}",
    38: _coded({0: "watchdog", 1: "event buffer overflow", 2: "abnormal power"}),
    66: _disconnect,
    68: _bitwise(_PHASES),
    69: lambda code: f"rotated by {60 * code} degrees",
    80: _coded({0: "installed", 1: "removed"}),
    81: _device_coded(
        {
            0: "billing read",
            1: "application errors",
            2: "status alarms",
            3: "overflow",
            4: "read failed",
            5: "serial number mismatch",
        }
    ),
    91: _power_quality,
    96: _device_coded(
        {0: "commissioned", 1: "no position", 2: "lost", 4: "removed", 5: "registered"}
    ),
    98: _voltage,
    99: _voltage,
}
"""What an argument says. 69: 60-degree steps, as bits 5..7 of ET04.12 count them (inferred)."""
