"""BT20s: register tables."""

from __future__ import annotations

from osgp.spec.declare import Table
from osgp.spec.source import Source
from osgp.wire import bits, flag, uint8


class ActualRegister(
    Table, number=21, title="Actual Register", source=Source.MEP_GUIDE, read="MBK MAK RK MK PK"
):
    """Dimensions of the B20s decade."""

    season_info = flag(0, "season fields are used", vci="F", default=True)
    date_time = flag(1, "date and time fields are used", vci="F", default=True)
    demand_reset_counter = flag(2, "demand resets are counted", vci="M")
    demand_reset_lock = flag(3, "a lockout between demand resets is supported", vci="M")
    cumulative_demand = flag(4, "cumulative demand is configured", vci="M")
    continuous_cumulative_demand = flag(5, "continuous cumulative demand is configured", vci="M")
    time_remaining = flag(6, "time left in the demand interval is reported", vci="P")
    self_read_inhibit_overflow = flag(0, "self reads stop when memory is full", vci="F")
    self_read_sequence_number = flag(1, "BT26 has a two-byte configuration number", vci="P")
    daily_self_read = flag(2, "daily self reads are supported", vci="F", default=True)
    weekly_self_read = flag(3, "weekly self reads are supported", vci="F", default=True)
    self_read_demand_reset = bits(4, 5, "coupling of self read and demand reset", vci="P")
    number_of_self_reads = uint8("self-read entries", vci="M")
    number_of_summations = uint8("accumulations in BT23", vci="M", default=11)
    number_of_demands = uint8("demand registers", vci="M")
    number_of_coincident_values = uint8("coincident values", vci="M")
    number_of_occurrences = uint8("maxima for each demand register", vci="M")
    number_of_tiers = uint8("tariffs", vci="P", default=4)
    number_of_present_demands = uint8("present demands in BT28", vci="M")
    number_of_present_values = uint8("instantaneous values in BT28", vci="M")
