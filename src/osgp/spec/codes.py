"""Named codes that fields of several tables share.

Sources: the guides' field tables; result codes and response handling also ANSI C12.19-1997.
"""

from __future__ import annotations

from typing import Final

Codes = dict[int, str]

CHAR_FORMATS: Final[Codes] = {0: "unassigned", 1: "ISO/IEC 646", 2: "ISO 8859-1"}
IDENTIFICATION_FORMATS: Final[Codes] = {0: "characters", 1: "BCD"}
INTEGER_FORMATS: Final[Codes] = {0: "two's complement"}

RESPONSE_HANDLING: Final[Codes] = {
    0: "on completion",
    1: "on exception",
    2: "none",
    3: "at once and on completion",
}

PROCEDURE_RESULTS: Final[Codes] = {
    0: "completed",
    1: "accepted, not finished",
    2: "invalid parameter",
    3: "conflict with set-up",
    4: "timing constraint",
    5: "no authorization",
    6: "unknown procedure",
}

WEEKDAYS: Final[Codes] = {
    0: "Sunday",
    1: "Monday",
    2: "Tuesday",
    3: "Wednesday",
    4: "Thursday",
    5: "Friday",
    6: "Saturday",
}

LIST_TYPES: Final[Codes] = {0: "FIFO", 1: "circular"}
ORDERS: Final[Codes] = {0: "ascending", 1: "descending"}
INTERVAL_FORMATS: Final[Codes] = {32: "INT32 snapshot"}
ENERGY_UNITS: Final[Codes] = {1: "1", 10: "10", 100: "100"}
ENABLED: Final[Codes] = {0: "enabled", 1: "disabled"}

USERS: Final[Codes] = {0xFFFF: "none", 0xFFFE: "PLC, P2P or G3", 0xFFFD: "MEP"}
"""Who was logged in when something was logged; other numbers are optical users."""

DAY_INTERVAL: Final = 84
"""Interval time code of a load profile that stands for 24 hours."""

COMMON_STATUS: Final[Codes] = {
    0: "daylight saving time",
    1: "power failed",
    2: "clock set forward",
    3: "clock set back",
}
"""Bits of the common nibble of a load profile's extended status. Bit 0 = LSB is inferred."""

CHANNEL_STATUS: Final[Codes] = {
    0: "",
    1: "overflow",
    2: "partial interval",
    3: "long interval",
    4: "skipped",
    5: "test mode data",
    8: "decryption failed",
    9: "clock error",
    10: "device missing",
    11: "not current",
    12: "opted out",
    15: "no data yet",
}
"""Values of a channel's nibble."""

CHANNEL_STATUS_PRECEDENCE: Final[dict[int, int]] = {
    0: 0,
    12: 0,
    5: 2,
    9: 3,
    3: 4,
    2: 5,
    10: 6,
    11: 7,
    8: 8,
    1: 10,
    4: 11,
    15: 11,
}
"""Where several apply, the highest is stored."""


def channel_statuses(extended: bytes, channels: int) -> tuple[int, tuple[int, ...]]:
    """Common nibble and one nibble for each channel of an interval's extended status.

    Nibbles run high, low from byte 0 on; the first is the common one.
    """
    nibbles = [nibble for byte in extended for nibble in (byte >> 4, byte & 15)]
    return nibbles[0], tuple(nibbles[1 : channels + 1])


def extended_status(common: int, channels: tuple[int, ...]) -> bytes:
    """The inverse of `channel_statuses`: len(channels) // 2 + 1 bytes."""
    nibbles = [common, *channels]
    nibbles += [0] * (len(nibbles) % 2)
    return bytes(high << 4 | low for high, low in zip(nibbles[::2], nibbles[1::2], strict=True))


BAUD_RATES: Final[Codes] = {
    0: "9600",
    1: "300",
    2: "600",
    3: "1200",
    4: "2400",
    5: "4800",
    6: "9600",
    7: "14400",
    8: "19200",
    9: "28800",
    10: "38400",
    11: "57600",
    12: "115200",
}
"""0 is the default of MEP, 4 that of M-Bus."""

REQUEST_TYPES: Final[Codes] = {
    0: "none",
    1: "M-Bus application reset",
    2: "billing read",
    3: "status read",
    4: "write data",
    5: "time synchronization",
    6: "multicast",
    7: "MEP download start",
    8: "MEP download packet",
    9: "MEP download switchover",
    10: "write data by index",
}
"""Of ET15 and EP19."""
