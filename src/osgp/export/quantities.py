"""What the values of register and load profile tables are: a quantity with name and unit.

The tables themselves hold bare numbers; which quantity each one is stands in another table (BT22,
BT27, BT62), or follows the default order where that table is not at hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from osgp.spec.source_ids import (
    MAPPED,
    PRESENT_VALUES,
    SUMMATIONS,
    ExtendedSource,
    Quantity,
    extended_source,
    quantity,
)

Named = Quantity | ExtendedSource
Images = Mapping[str, Any]
"""Decoded tables by name."""

_REGISTERS = ("BT23", "BT24", "BT25", "BT26")
_PRESENT = ("BT28",)
_PROFILES = ("BT64", "BT65", "BT66", "BT67")

_INDEX = re.compile(r"\[(\d+)\]")
_TIER = re.compile(r"tier_data_block\[(\d+)\]")


def quantity_at(table: str, path: str, images: Images) -> Named | None:
    """The quantity that the value at `path` of `table` is; None where it is none or unknown."""
    for tables, pattern, find in _RULES:
        match = pattern.search(path) if table in tables else None
        if match is not None:
            return find(table, int(match[1]), images)
    return None


def tier_at(path: str) -> int | None:
    """The tariff tier of a register at `path`, from 0."""
    match = _TIER.search(path)
    return None if match is None else int(match[1])


def source_at(images: Images, number: int) -> Named:
    """The quantity of a source id, also of one that ET66 maps to an extended one."""
    if number in MAPPED and "ET66" in images:
        extended = _listed(images["ET66"], "extended_sources", number - MAPPED[0])
        if extended is not None:
            return extended_source(extended)
    return quantity(number)


def _listed(record: Any, name: str, index: int) -> int | None:
    values: Sequence[int] = getattr(record, name, None) or ()
    return values[index] if index < len(values) else None


def _in_list(
    table: str, name: str, default: Sequence[Quantity] = ()
) -> Callable[[str, int, Images], Named | None]:
    """Looks an index up in a list of source ids, or in the default order."""

    def find(_: str, index: int, images: Images) -> Named | None:
        if table in images:
            number = _listed(images[table], name, index)
            return None if number is None else source_at(images, number)
        return default[index] if index < len(default) else None

    return find


def _channel(table: str, index: int, images: Images) -> Named | None:
    control = images.get("BT62")
    data_sets = () if control is None else control.data_sets
    place = _PROFILES.index(table)
    if place >= len(data_sets) or index >= len(data_sets[place].channels):
        return None
    return source_at(images, data_sets[place].channels[index].interval_source)


_RULES: tuple[
    tuple[tuple[str, ...], re.Pattern[str], Callable[[str, int, Images], Named | None]], ...
] = (
    (
        _REGISTERS,
        re.compile(r"\.summations\[(\d+)\]$"),
        _in_list("BT22", "summation_sources", SUMMATIONS),
    ),
    (
        _REGISTERS,
        re.compile(r"\.demand_measurements\[(\d+)\]\.(?:demand\[|cumulative|continuous)"),
        _in_list("BT22", "demand_select"),
    ),
    (
        _REGISTERS,
        re.compile(r"\.coincidents\[(\d+)\]\.coincidents\["),
        _in_list("BT22", "coincident_select"),
    ),
    (
        _PRESENT,
        re.compile(r"^values\[(\d+)\]$"),
        _in_list("BT27", "present_value_sources", PRESENT_VALUES),
    ),
    (
        _PRESENT,
        re.compile(r"^demands\[(\d+)\]\.demand_value$"),
        _in_list("BT27", "present_demand_sources"),
    ),
    (_PROFILES, re.compile(r"(?:\.values|\.end_readings)\[(\d+)\]$"), _channel),
)
