"""The virtual device: what a meter measures, keeps, answers and decides."""

from .device import VirtualMeter
from .dims import DataSet, SetUp
from .identity import MeterProfile, neighbourhood
from .nvm import FileNvm, FileStore, MemoryNvm, Nvm

__all__ = [
    "DataSet",
    "FileNvm",
    "FileStore",
    "MemoryNvm",
    "MeterProfile",
    "Nvm",
    "SetUp",
    "VirtualMeter",
    "neighbourhood",
]
