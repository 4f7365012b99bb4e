"""Switching and tariffs: ET05, ET30, ET46, ET47, ET56, ET60, ET61."""

from __future__ import annotations

from osgp.spec.access import EVERY, MEP, MEP_WRITE
from osgp.spec.declare import Table
from osgp.spec.firmware import since
from osgp.spec.source import Source
from osgp.spec.source_ids import SOURCE_NAMES
from osgp.wire import (
    LTimeDate,
    Record,
    Ref,
    array,
    bits,
    flag,
    int32,
    nested,
    octets,
    uint8,
    uint16,
    uint32,
)

ET11 = Ref("ET11")

ACCUMULATORS = 8
"""Energy accumulators that can be set up (`Source.PROJECT`)."""


class RelaySettings(Record):
    """How a control relay follows the time-based calendar."""

    mode = bits(
        0,
        2,
        "use of the calendar",
        enum={0: "none", 1: "all days", 2: "by weekday", 3: "by season"},
    )
    follow_tier = flag(3, "closed in tiers of the mask")
    randomize = flag(4, "operations are spread at random")
    tier_mask = uint8("tiers in which it is closed, one bit each")
    random_duration = uint16("longest random delay", unit="s")


class ControlOutputSettings(
    Table,
    number=2053,
    title="Control Output Settings",
    source=Source.PROJECT,
    read=EVERY,
    write=f"{MEP_WRITE} PK",
    note=(
        "Known from references: primary maximum power at 0, rates of tiers 1 to 4 at 8 to 23, "
        "maximum thresholds enabled at 25.0, mode of the relay calendar somewhere."
    ),
):
    """Limits, prepayment and relays."""

    primary_maximum_power = uint32("power that opens the disconnect", unit="W")
    secondary_maximum_power = uint32("second level, set by EP22", unit="W")
    prepay_tier_rates = array(
        uint32(), 4, "credit taken per kWh in tiers 1 to 4", unit="Wh", source=Source.MEP_GUIDE
    )
    maximum_power_time = uint8("how long a level must be exceeded", unit="s")
    enable_maximum_levels = flag(0, "levels open the disconnect", source=Source.MEP_GUIDE)
    use_secondary_level = flag(1, "the secondary level applies")
    enable_prepay = flag(2, "credit is taken and the disconnect opens at 0")
    enable_push_button = flag(3, "the disconnect can be closed by hand")
    negative_credit_enabled = flag(4, "credit may go below 0")
    emergency_credit = uint32("credit granted once at 0", unit="Wh")
    prepay_warning_level = uint32("credit that raises the warning", unit="Wh")
    prepay_power_limit = uint32("power allowed without credit", unit="W")
    disconnect_pulse_time = uint8("pulse of the contactor", unit="ms")
    reconnect_attempts = uint8("closings by hand after a limit")
    reconnect_delay = uint16("wait before the next closing", unit="s")
    relays = array(nested(RelaySettings), 2, "control relays 1 and 2")


class MaximumLevelControl(
    Table,
    number=2078,
    title="Maximum Power or Current Level Control",
    source=Source.PROJECT,
    read=EVERY,
):
    """State of the limits and of prepayment."""

    active_level = uint8("level in force", enum={0: "primary", 1: "secondary"})
    level_exceeded = flag(0, "the level is exceeded now")
    disconnected_by_level = flag(1, "the disconnect was opened by a level")
    disconnected_by_prepay = flag(2, "the disconnect was opened for lack of credit")
    secondary_level_time_left = uint32("until the primary level applies again", unit="s")
    prepay_credit = int32("credit left", unit="Wh")
    emergency_credit_used = uint32("emergency credit taken", unit="Wh")
    closings_left = uint8("closings by hand left")


class ControlOutputReadOnlyData(
    Table,
    number=2094,
    title="Control Output Read-Only Data",
    source=Source.MEP_GUIDE,
    read=EVERY,
    note="The heading prints number 2046; every other table has 2048 + n.",
):
    """What limits compare and when they last acted."""

    reserved_0 = octets(11, "")
    disconnect_control_type = uint8(
        "compared with limits", enum={0: "power", 1: "current"}, vci="M/H"
    )
    reserved_12 = octets(1, "")
    prepay_negative_credit = int32(
        "negative credit allowed", unit="Wh", vci="M/H", since=since("3.70", cpm="1.20")
    )
    disconnect_open_time = nested(
        LTimeDate, "last opening by a limit", vci="M", since=since("3.70", cpm="1.20")
    )


class CalendarOverrideSettings(
    Table,
    number=2095,
    title="Calendar Override Settings",
    source=Source.MEP_GUIDE,
    read=EVERY,
    write=MEP_WRITE,
    nvm_write=True,
    note="Pending table 6191 mirrors it.",
):
    """A tariff in place of the calendar's."""

    tariff = uint8("tier, 255 = cancel the override", default=255, vci="HD,HI")
    cancellation = uint8(
        "how it ends",
        enum={0: "at the next switch", 1: "never", 2: "after the duration", 3: "at the time"},
        vci="HD,HI",
    )
    override_duration = uint32("length, 0 = none", unit="s", vci="HD,HI")
    cancellation_time = nested(LTimeDate, "end, UTC", vci="HD,HI")
    calendar_id = uint32("calendar id shown meanwhile", vci="HD,HI")


class LoadSideCalibration(
    Table,
    number=2104,
    title="Load Side State Calibration",
    source=Source.PROJECT,
    read=EVERY,
    write=f"{MEP_WRITE} PK",
    locked=True,
):
    """Levels from which the contactor's position is told by the voltage behind it."""

    open_level = array(uint16(), 3, "below on L1 to L3: open", unit="V")
    closed_level = array(uint16(), 3, "above on L1 to L3: closed", unit="V")
    unknown_time = uint16("so long in between is an alarm", unit="ms", default=2500)


class AccumulatorSetting(Record):
    """What an energy accumulator sums."""

    source = uint8("source id", enum=SOURCE_NAMES)
    phases = bits(0, 2, "L1, L2, L3, one bit each")
    quadrants = bits(4, 7, "quadrants 1 to 4, one bit each")


class EnergyAccumulatorSettings(
    Table,
    number=2108,
    title="Configurable Energy Accumulator Settings",
    source=Source.PROJECT,
    read=EVERY,
    write=MEP_WRITE,
    note="Pending table 6204 mirrors it.",
):
    """What the configurable accumulators sum."""

    configuration_id = uint32("id of this set-up")
    accumulators = array(nested(AccumulatorSetting), ACCUMULATORS, "accumulators")


class RelaySwitch(Record):
    """A switch of a relay."""

    relay_state = flag(0, "closed from here on", word=16, vci="H")
    minute = bits(5, 10, "minute", word=16, unit="min", vci="H")
    hour = bits(11, 15, "hour", word=16, unit="h", vci="H")


class RelayCalendar(Record):
    """The switches of one relay."""

    switches = array(nested(RelaySwitch), ET11.time_based_relay_switches, "ten a day")


class TimeBasedRelayControl(
    Table,
    number=2109,
    title="Time-Based Relay Control Calendar",
    source=Source.MEP_GUIDE,
    read=MEP,
    write=MEP_WRITE,
    note=(
        "What a block of ten switches stands for depends on the mode in ET05. Its text begins "
        "with ET62's name."
    ),
):
    """When the control relays switch."""

    relays = array(nested(RelayCalendar), 2, "relays; the second from 4.30")


__all__ = [
    "AccumulatorSetting",
    "CalendarOverrideSettings",
    "ControlOutputReadOnlyData",
    "ControlOutputSettings",
    "EnergyAccumulatorSettings",
    "LoadSideCalibration",
    "MaximumLevelControl",
    "RelayCalendar",
    "RelaySettings",
    "RelaySwitch",
    "TimeBasedRelayControl",
]
