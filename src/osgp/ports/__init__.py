"""Local ports of a meter, in both roles: optical (ANSI C12.18) and MEP (OSGP Alliance).

A port is a machine without socket and clock: `receive`, `data_to_send`, `next_timer`,
`handle_timer`, `next_event`. On top of a client's port runs a `Caller`, which drives the same
conversations that run over the power line: `TableClient`, `DeviceReader`, procedures.
"""

from .caller import Caller, ClientPort
from .events import (
    Alert,
    Answered,
    Broken,
    Echoed,
    Failed,
    PasswordRefused,
    PortEvent,
    SessionEnded,
    SpeedChanged,
    Unsolicited,
)
from .line import UNLIMITED, Line
from .tables import PortTables

__all__ = [
    "UNLIMITED",
    "Alert",
    "Answered",
    "Broken",
    "Caller",
    "ClientPort",
    "Echoed",
    "Failed",
    "Line",
    "PasswordRefused",
    "PortEvent",
    "PortTables",
    "SessionEnded",
    "SpeedChanged",
    "Unsolicited",
]
