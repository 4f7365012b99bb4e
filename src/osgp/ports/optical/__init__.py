"""The optical port: ANSI C12.18, packets, sessions and table services."""

from .assembly import DEFAULT_SIZE, Size
from .client import OpticalPort
from .link import Timing
from .server import DenialOfService, OpticalServer
from .session import Identity, OpticalSession

__all__ = [
    "DEFAULT_SIZE",
    "DenialOfService",
    "Identity",
    "OpticalPort",
    "OpticalServer",
    "OpticalSession",
    "Size",
    "Timing",
]
