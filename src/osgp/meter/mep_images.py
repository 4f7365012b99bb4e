"""Images of the tables that MEP ports bring: ET50, ET59, ET70, ET71, ET85, ET90, ET97."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from osgp.meter.dims import LN_SETTINGS, TWO_PORTS, SetUp, declared
from osgp.meter.mep import DELTAS, SETTINGS, SPACE, MepClients
from osgp.meter.parts import Parts
from osgp.spec.tables.configuration import DimensionLn
from osgp.spec.tables.hardware import RamOnlyStatus
from osgp.spec.tables.mep import MepProcedureResponse, MepProcedureResponse2
from osgp.wire import Dims

ANSWERS: Final = (MepProcedureResponse.info.number, MepProcedureResponse2.info.number)
STATUS: Final = RamOnlyStatus.info.number
LN_SIZES: Final = DimensionLn.info.number
DELTA_DATA: Final = (3, 40)
"""Firmware from which there is ET71."""

Image = Callable[[Parts], bytes]


def _clients(parts: Parts) -> MepClients:
    assert parts.mep is not None
    return parts.mep


@lru_cache(maxsize=64)
def _blank_status(dims: Dims) -> bytes:
    """ET70 for who is on no MEP port; `MepPortTables` tells clients which port they are on."""
    return RamOnlyStatus.bind(dims).encode(declared(RamOnlyStatus, dims))


MEP_IMAGES: Final[dict[int, Image]] = {
    SPACE: lambda parts: _clients(parts).image(SPACE),
    ANSWERS[0]: lambda parts: _clients(parts).answers[0],
    STATUS: lambda parts: _blank_status(parts.dims),
    DELTAS: lambda parts: _clients(parts).image(DELTAS),
    ANSWERS[1]: lambda parts: _clients(parts).answers[1],
    LN_SIZES: lambda parts: DimensionLn.bind(parts.dims).encode(parts.dims["ET90"]),
    SETTINGS: lambda parts: _clients(parts).image(SETTINGS),
}
"""By number; what there is of them depends on ports and firmware."""


@lru_cache(maxsize=64)
def mep_tables(set_up: SetUp) -> frozenset[int]:
    """Tables that can be read because of MEP ports."""
    if not set_up.mep_ports:
        return frozenset()
    there = {SPACE: True, ANSWERS[0]: True, DELTAS: set_up.firmware >= DELTA_DATA}
    there |= {STATUS: set_up.firmware >= TWO_PORTS, ANSWERS[1]: set_up.mep_ports > 1}
    there |= dict.fromkeys((LN_SIZES, SETTINGS), set_up.firmware >= LN_SETTINGS)
    return frozenset(number for number, present in there.items() if present)


def mep_written(set_up: SetUp) -> frozenset[int]:
    """Those that can be written besides."""
    return mep_tables(set_up) & {SPACE, DELTAS, SETTINGS}


__all__ = ["MEP_IMAGES", "mep_tables", "mep_written"]
