"""Table images of a small device, made from the declarations and their defaults."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from osgp.spec import tables
from osgp.spec.declare import EXTENDED
from osgp.wire import Dims
from osgp.wire.kinds import BitSet

CHANNELS, INTERVALS, BLOCKS, EVENTS = 2, 8, 4, 5


def general_configuration(names: Iterable[str]) -> Any:
    """BT00 of a device with exactly these tables."""
    numbers = [tables[name].info.number for name in names]
    declared = tables["BT00"]
    given: dict[str, Any] = {
        field.name: frozenset() if isinstance(field.kind, BitSet) else field.default or 0
        for field in declared.wire_fields
    }
    given["basic_tables_used"] = frozenset(n for n in numbers if n < EXTENDED)
    given["extended_tables_used"] = frozenset(n - EXTENDED for n in numbers if n >= EXTENDED)
    return declared(**given)


def table(name: str, **values: Any) -> Any:
    """A table of zeros, declared defaults and `values`."""
    layout = tables[name].bind(dimensions())
    blank = layout.blank()
    defaults = {
        field.name: field.default
        for field in layout.record.wire_fields
        if field.default is not None and getattr(blank, field.name) is not None
    }
    return blank.with_(**(defaults | values))


@cache
def dimensions() -> Dims:
    """Two registers, one tariff, a load profile of 4 blocks of 8 intervals and 2 channels."""
    registers = _sized(
        "BT21",
        date_time=True,
        number_of_summations=2,
        number_of_occurrences=1,
        number_of_tiers=1,
        number_of_present_values=2,
    )
    size = {
        "number_of_blocks": BLOCKS,
        "number_of_intervals": INTERVALS,
        "number_of_channels": CHANNELS,
        "interval_time": 15,
    }
    profile: Any = tables["BT61"].bind().blank()
    profile = profile.with_(
        extended_interval_status=True,
        simple_interval_status=True,
        data_sets=(profile.data_sets[0].with_(**size),),
    )
    logs = _sized(
        "BT71",
        history_date_time=True,
        history_data_length=2,
        number_of_history_entries=EVENTS,
    )
    held = {"BT00": general_configuration(()), "BT21": registers, "BT61": profile, "BT71": logs}
    return Dims(held)


def _sized(name: str, **values: Any) -> Any:
    return tables[name].bind().blank().with_(**values)


def images_of(names: Iterable[str]) -> dict[int, bytes]:
    """Images of these tables by number; BT00 says that exactly these are there."""
    names = tuple(names)
    known = {name: dimensions()[name] for name in dimensions()}
    known["BT00"] = general_configuration(names)
    return {
        tables[name].info.number: tables[name]
        .bind(dimensions())
        .encode(known[name] if name in known else table(name))
        for name in names
    }
