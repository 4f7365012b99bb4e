"""BT20s: register tables."""

from __future__ import annotations

from osgp.spec.access import EVERY, MEP_WRITE
from osgp.spec.declare import Table
from osgp.spec.source import Source
from osgp.spec.source_ids import SOURCE_NAMES
from osgp.wire import (
    Record,
    Ref,
    STimeDate,
    Time,
    array,
    bits,
    bitset,
    flag,
    nested,
    ni_fmat1,
    ni_fmat2,
    set_bytes,
    uint8,
    uint16,
)

from .lists import CircularList

BT21 = Ref("BT21")


class RegisterDimensions(Table):
    """What BT20 and BT21 have in common: dimensions of the B20s decade."""

    season_info = flag(0, "season fields are used", vci="F", default=True)
    date_time = flag(1, "date and time fields are used", vci="F", default=True)
    demand_reset_counter = flag(2, "demand resets are counted", vci="M")
    demand_reset_lock = flag(3, "a lockout between demand resets", vci="M")
    cumulative_demand = flag(4, "cumulative demand is kept", vci="M")
    continuous_cumulative_demand = flag(5, "continuous cumulative demand is kept", vci="M")
    time_remaining = flag(6, "time left in the demand interval is told", vci="P", default=False)
    self_read_inhibit_overflow = flag(0, "self-reads stop when full", vci="F", default=False)
    self_read_sequence_number = flag(1, "sequence number with self-reads", vci="P")
    daily_self_read = flag(2, "daily self-reads", vci="F", default=True)
    weekly_self_read = flag(3, "weekly self-reads", vci="F", default=True)
    self_read_demand_reset = bits(
        4, 5, "coupling of self-read and demand reset", vci="P", default=0
    )
    number_of_self_reads = uint8("entries of BT26, up to those of BT20", vci="M")
    number_of_summations = uint8(
        "summations in BT23", vci="M", default=19, note="11 in 3.x; more with demand"
    )
    number_of_demands = uint8("demand registers, up to those of BT20", vci="M")
    number_of_coincident_values = uint8(
        "coincident values, two per demand, up to those of BT20", vci="M"
    )
    number_of_occurrences = uint8("maxima per demand register, up to those of BT20", vci="M")
    number_of_tiers = uint8("tariff tiers", vci="P", default=4, note="8 from 3.70, CPM 1.20")
    number_of_present_demands = uint8("present demands in BT28, up to those of BT20", vci="M")
    number_of_present_values = uint8("present values in BT28, up to those of BT20", vci="M")


class DimensionRegister(
    RegisterDimensions,
    number=20,
    title="Dimension Register",
    source=Source.MEP_GUIDE,
    read=EVERY,
    note="Maxima. BT20.9 is printed as 41 or 72, BT28 has 84 values.",
):
    """The most that BT21 may say."""

    demand_reset_counter = flag(2, "demand resets can be counted", vci="P", default=True)
    demand_reset_lock = flag(3, "a lockout between them is possible", vci="P", default=True)
    cumulative_demand = flag(4, "cumulative demand is possible", vci="P", default=True)
    continuous_cumulative_demand = flag(
        5, "continuous cumulative demand is possible", vci="P", default=True
    )
    self_read_sequence_number = flag(
        1, "self-reads have a billing definition", vci="P", default=True
    )
    number_of_self_reads = uint8(
        "most entries of BT26", vci="P", default=253, note="2.0: 12, 2.10: 24, 3.0: 214"
    )
    number_of_summations = uint8("most summations", vci="P", default=19, note="15 before 4.0")
    number_of_demands = uint8("most demand registers", vci="P", default=8)
    number_of_coincident_values = uint8("most coincident values", vci="P", default=16)
    number_of_occurrences = uint8("most maxima per register", vci="P", default=1)
    number_of_present_demands = uint8("most present demands", vci="P", default=8)
    number_of_present_values = uint8(
        "present values there are", vci="P", default=84, note="41 before 4.0, then 72"
    )


class ActualRegister(
    RegisterDimensions,
    number=21,
    title="Actual Register",
    source=Source.MEP_GUIDE,
    read=EVERY,
    nvm_write=True,
):
    """Dimensions in use in the B20s decade."""


class DataSelection(
    Table,
    number=22,
    title="Data Selection",
    source=Source.MEP_GUIDE,
    read=EVERY,
    nvm_read=True,
    nvm_write=True,
    note="SET((BT21..4 +7) /8) in print is over BT21.4.",
):
    """Which quantity each register of BT23 holds, as source ids."""

    summation_sources = array(
        uint8(), BT21.number_of_summations, "source of each summation", enum=SOURCE_NAMES, vci="M"
    )
    demand_select = array(
        uint8(), BT21.number_of_demands, "source of each demand", enum=SOURCE_NAMES, vci="M"
    )
    min_max_flags = bitset(
        set_bytes(BT21.number_of_demands), "demands that keep a maximum, not a minimum", vci="M"
    )
    coincident_select = array(
        uint8(), BT21.number_of_coincident_values, "their sources", enum=SOURCE_NAMES, vci="M"
    )
    coincident_demand_associated = array(
        uint8(), BT21.number_of_coincident_values, "the demand each one goes with", vci="M"
    )


class DemandRecord(Record):
    """One demand register: its extreme values, and when they were."""

    event_time = array(
        nested(STimeDate),
        BT21.number_of_occurrences,
        "when each extreme was, local time",
        when=BT21.date_time,
        vci="M",
    )
    cumulative_demand = ni_fmat1("cumulative demand", when=BT21.cumulative_demand, vci="M")
    continuous_cumulative_demand = ni_fmat1(
        "continuous cumulative demand", when=BT21.continuous_cumulative_demand, vci="M"
    )
    demand = array(ni_fmat2(), BT21.number_of_occurrences, "maxima or minima", vci="M")


class CoincidentRecord(Record):
    """What another quantity was when each extreme of a demand was."""

    coincidents = array(ni_fmat2(), BT21.number_of_occurrences, "one for each extreme", vci="M")


class RegisterBlock(Record):
    """Registers over all tiers, or of one tier."""

    summations = array(
        ni_fmat1(), BT21.number_of_summations, "energies and counters, sources in BT22", vci="M"
    )
    demand_measurements = array(nested(DemandRecord), BT21.number_of_demands, "demand registers")
    coincidents = array(
        nested(CoincidentRecord), BT21.number_of_coincident_values, "coincident values"
    )


class RegisterData(Record):
    """The layout of BT23, which BT24 to BT26 and the read logs repeat."""

    number_of_demand_resets = uint8("demand resets so far", when=BT21.demand_reset_counter, vci="M")
    total_data_block = nested(RegisterBlock, "over all tiers")
    tier_data_block = array(nested(RegisterBlock), BT21.number_of_tiers, "for each tier")


class CurrentRegisterData(
    RegisterData,
    Table,
    number=23,
    title="Current Register Data",
    source=Source.MEP_GUIDE,
    read=EVERY,
    write=MEP_WRITE,
    note=(
        "Values include the ratios of BT15; Wh and varh count in ET55's energy register unit. "
        "Printed offsets of demands hold with event times, cumulative and continuous demands; "
        "strides are not printed."
    ),
):
    """Energies and demands up to now."""


class PreviousSeasonData(
    Table,
    number=24,
    title="Previous Season Data",
    source=Source.MEP_GUIDE,
    read=EVERY,
    write=f"{MEP_WRITE} PK",
    nvm_read=True,
    note="Read-only on meters 3.7x and from 4.10, and on CPM 1.2x.",
):
    """BT23 as it was at the last season change."""

    date_time = nested(STimeDate, "when, local time", when=BT21.date_time, vci="M")
    season = uint8("season that ended", when=BT21.season_info, vci="M")
    register_data = nested(RegisterData, "copy of BT23", vci="M")


class PreviousDemandResetData(
    Table,
    number=25,
    title="Previous Demand Reset Data",
    source=Source.MEP_GUIDE,
    read=EVERY,
    nvm_read=True,
    note="Printed for all 4 tiers; BT21 has the number.",
):
    """BT23 as it was at the last demand reset."""

    date_time = nested(STimeDate, "when, local time", when=BT21.date_time, vci="M")
    season = uint8("season then", when=BT21.season_info, vci="M")
    register_data = nested(RegisterData, "copy of BT23", vci="M")


class SelfRead(Record):
    """One self-read."""

    billing_interface_definition_number = uint16(
        "billing definition at that time",
        when=BT21.number_of_demands > 0,
        vci="M",
        note="printed offsets hold only with demands configured",
    )
    date_time = nested(STimeDate, "when, local time", when=BT21.date_time, vci="M")
    season = uint8("season then", when=BT21.season_info, vci="M")
    register_data = nested(RegisterData, "copy of BT23", vci="M")


class SelfReadData(
    CircularList,
    number=26,
    title="Self-Read Data",
    source=Source.MEP_GUIDE,
    read=EVERY,
    nvm_read=True,
    nvm_write=True,
):
    """A circular list of copies of BT23."""

    entries = array(nested(SelfRead), BT21.number_of_self_reads, "self-reads")


class PresentRegisterSelection(
    Table,
    number=27,
    title="Present Register Selection",
    source=Source.MEP_GUIDE,
    read=EVERY,
    nvm_read=True,
    nvm_write=True,
):
    """Which quantity each value of BT28 is."""

    present_demand_sources = array(
        uint8(),
        BT21.number_of_present_demands,
        "source of each present demand",
        enum=SOURCE_NAMES,
        vci="F",
    )
    present_value_sources = array(
        uint8(),
        BT21.number_of_present_values,
        "source of each present value",
        enum=SOURCE_NAMES,
        vci="F",
    )


class PresentDemand(Record):
    """A demand in the interval that is running."""

    time_remaining = nested(Time, "left in the interval", when=BT21.time_remaining, vci="M")
    demand_value = ni_fmat2("demand so far", vci="M")


class PresentRegisterData(
    Table,
    number=28,
    title="Present Register Data",
    source=Source.MEP_GUIDE,
    read=EVERY,
    note=(
        "Modules from CPM 1.32 give values 75 to 83 only to partial reads. Printed without "
        "the factor 4 for the bytes of a value; value 66 is printed twice, 65 not at all."
    ),
):
    """What is measured now. `source_ids.PRESENT_VALUES` has names and units in default order."""

    demands = array(nested(PresentDemand), BT21.number_of_present_demands, "present demands")
    values = array(
        ni_fmat1(), BT21.number_of_present_values, "instantaneous values, sources in BT27", vci="M"
    )


__all__ = [
    "ActualRegister",
    "CoincidentRecord",
    "CurrentRegisterData",
    "DataSelection",
    "DemandRecord",
    "DimensionRegister",
    "PresentDemand",
    "PresentRegisterData",
    "PresentRegisterSelection",
    "PreviousDemandResetData",
    "PreviousSeasonData",
    "RegisterBlock",
    "RegisterData",
    "SelfRead",
    "SelfReadData",
]
