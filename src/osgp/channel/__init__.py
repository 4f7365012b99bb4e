"""The power line as a medium: attenuation, noise, phases, collisions, airtime; simulated time.

Imported only where things are composed (commands, run modules, tests); it knows no protocol.
"""

from osgp.channel.access import A_BAND, C_BAND, Access, PowerLineAccess
from osgp.channel.clock import Scheduler, Timer
from osgp.channel.feeder import Carrier, Feeder, Segment, Site
from osgp.channel.medium import Endpoint, Medium, OutFrame, Station
from osgp.channel.noise import QUIET, NoiseSettings
from osgp.channel.reception import LineSettings
from osgp.channel.stats import FrameCounts, LinkCounts, StationCounts

__all__ = [
    "A_BAND",
    "C_BAND",
    "QUIET",
    "Access",
    "Carrier",
    "Endpoint",
    "Feeder",
    "FrameCounts",
    "LineSettings",
    "LinkCounts",
    "Medium",
    "NoiseSettings",
    "OutFrame",
    "PowerLineAccess",
    "Scheduler",
    "Segment",
    "Site",
    "Station",
    "StationCounts",
    "Timer",
]
