"""What a virtual meter measures: a household's load on a feeder, integrated into registers.

Pure computation on unix time (UTC): the same arguments give the same numbers, in any order of
calls. It knows nothing of tables or of the power line as a medium.
"""

from .disturbances import Disturbance, Happening, Kind, Spell, disturbances, spells
from .engine import MeasuringEngine, PowerSource
from .grid import GridConditions
from .household import Household, Traits, draw_traits
from .load import LoadShape, StandardLoad, standard_load
from .present import PRESENT_SOURCES, PresentValues, present_value
from .registers import SOURCES, Channel, EnergyRegisters, Register

__all__ = [
    "PRESENT_SOURCES",
    "SOURCES",
    "Channel",
    "Disturbance",
    "EnergyRegisters",
    "GridConditions",
    "Happening",
    "Household",
    "Kind",
    "LoadShape",
    "MeasuringEngine",
    "PowerSource",
    "PresentValues",
    "Register",
    "Spell",
    "StandardLoad",
    "Traits",
    "disturbances",
    "draw_traits",
    "present_value",
    "spells",
    "standard_load",
]
