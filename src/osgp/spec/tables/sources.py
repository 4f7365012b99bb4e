"""BT10s: units, demand intervals, constants and definitions of sources."""

from __future__ import annotations

from osgp.spec.access import EVERY, MEP_WRITE
from osgp.spec.declare import Table
from osgp.spec.source import Source
from osgp.wire import Record, Ref, array, bits, flag, nested, ni_fmat1, uint8

BT10 = Ref("BT10")

QUANTITIES = {0: "W", 1: "var", 2: "VA", 8: "V", 12: "A", 33: "Hz"}
"""Codes of C12.19 that electric meters use most."""

TIME_BASES = {0: "bulk", 1: "instantaneous", 2: "period", 3: "demand"}


class DimensionSourcesLimiting(
    Table,
    number=10,
    title="Dimension Sources Limiting",
    source=Source.GS_OSG,
    read=EVERY,
    note="C12.19 has a table of actual sizes, BT11; OSGP has not, so these are the sizes in use.",
):
    """Sizes of the B10s decade."""

    power_fail_exclusion = flag(0, "demand exclusion after power failures")
    reset_exclusion = flag(1, "no demand reset shortly after another")
    block_demand = flag(2, "block demand is possible")
    sliding_demand = flag(3, "sliding demand is possible")
    thermal_demand = flag(4, "thermal demand is possible")
    set_1_constants = flag(5, "first set of constants")
    set_2_constants = flag(6, "second set of constants")
    number_of_uom_entries = uint8("entries of BT12")
    number_of_demand_control_entries = uint8("entries of BT13")
    data_control_length = uint8("bytes of a data control entry", unit="bytes")
    number_of_data_control_entries = uint8("data control entries")
    number_of_constants_entries = uint8("entries of BT15")
    constants_selector = uint8("kind of constants, 2 = electric")
    number_of_sources = uint8("entries of BT16")


class UnitOfMeasure(Record):
    """A unit, as C12.19's UOM_ENTRY_BFLD codes it."""

    id_code = bits(0, 7, "quantity", word=32, enum=QUANTITIES)
    time_base = bits(8, 10, "how it is taken over time", word=32, enum=TIME_BASES)
    multiplier = bits(11, 13, "power of thousand: 0 = 1, 1 = 100, 2 = 1000", word=32)
    q1 = flag(14, "quadrant 1 counts", word=32)
    q2 = flag(15, "quadrant 2 counts", word=32)
    q3 = flag(16, "quadrant 3 counts", word=32)
    q4 = flag(17, "quadrant 4 counts", word=32)
    net_flow = flag(18, "delivered minus received", word=32)
    segmentation = bits(19, 21, "phases, 0 = all", word=32)
    harmonic = flag(22, "a harmonic", word=32)
    non_standard = flag(31, "defined by the manufacturer", word=32)


class UnitOfMeasureEntry(
    Table, number=12, title="Unit of Measure Entry", source=Source.GS_OSG, read=EVERY
):
    """Units that sources refer to."""

    units = array(nested(UnitOfMeasure), BT10.number_of_uom_entries, "units")


class DemandInterval(Record):
    """Length of a demand interval."""

    sub_interval = uint8("sub-interval", unit="min")
    interval_multiplier = uint8("sub-intervals in an interval")


class DemandControl(
    Table,
    number=13,
    title="Demand Control",
    source=Source.GS_OSG,
    read=EVERY,
    note="ET42 refers to bytes 4 and 5; C12.19 has one UINT16 there where demand is not sliding.",
):
    """Demand intervals and what interrupts them."""

    reset_exclusion = uint8("no second reset within", unit="min", when=BT10.reset_exclusion)
    power_fail_recognition_time = uint8(
        "shorter failures do not count", unit="min", when=BT10.power_fail_exclusion
    )
    power_fail_exclusion = uint8(
        "no demand after a failure", unit="min", when=BT10.power_fail_exclusion
    )
    cold_load_pickup = uint8("no demand after power-up", unit="min", when=BT10.power_fail_exclusion)
    intervals = array(
        nested(DemandInterval), BT10.number_of_demand_control_entries, "demand intervals"
    )


class Constants(
    Table,
    number=15,
    title="Constants",
    source=Source.MEP_GUIDE,
    read=EVERY,
    write=MEP_WRITE,
    nvm_write=True,
):
    """Multiplier, offset and transformer ratios of the one electric constants record."""

    multiplier = ni_fmat1("multiplier of meter data", vci="H")
    offset = ni_fmat1("added to meter data", vci="H")
    applied = flag(0, "the ratios are applied to meter data", vci="H", default=False)
    ct_ratio = ni_fmat1("current transformer ratio", vci="H")
    vt_ratio = ni_fmat1("voltage transformer ratio", vci="H")


class SourceFlags(Record):
    """Which tables say something about a source."""

    uom = flag(0, "BT12 has its unit")
    demand_control = flag(1, "BT13 has its interval")
    data_control = flag(2, "data control has its origin")
    constants = flag(3, "BT15 has its constants")
    pulse_engineering = flag(4, "in pulses, not engineering units")
    constants_applied = flag(5, "constants are applied")


class SourceDefinition(
    Table, number=16, title="Source Definition", source=Source.GS_OSG, read=EVERY
):
    """What is known of each source, in order of its id."""

    sources = array(nested(SourceFlags), BT10.number_of_sources, "sources")


__all__ = [
    "Constants",
    "DemandControl",
    "DemandInterval",
    "DimensionSourcesLimiting",
    "SourceDefinition",
    "SourceFlags",
    "UnitOfMeasure",
    "UnitOfMeasureEntry",
]
