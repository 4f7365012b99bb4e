"""Power quality and outages: ET09, ET10, ET80, ET81."""

from __future__ import annotations

from osgp.spec.access import EVERY, MEP, MEP_WRITE
from osgp.spec.declare import Table
from osgp.spec.firmware import since
from osgp.spec.source import Source
from osgp.wire import (
    LTimeDate,
    Record,
    Ref,
    array,
    flag,
    int32,
    nested,
    ni_fmat1,
    octets,
    uint8,
    uint16,
    uint32,
)

from .lists import CircularList, entries_of

OUTAGES = Ref("ET04").max_power_outages_recorded
"""Power outages that ET09 and ET10 keep."""

RESET_CAUSES = {3: "power failure", 4: "watchdog", 5: "bank switch", 8: "brown-out"}

PHASES = 3


class PowerOutage(Record):
    """One power cycle."""

    power_on = nested(LTimeDate, "power came back, UTC", vci="M")
    reset_cause = uint8("why the device restarted", enum=RESET_CAUSES, vci="M")
    reserved_7 = octets(1, "")
    power_off = nested(LTimeDate, "power went, UTC", vci="M")
    power_off_duration = uint32("rounded down", unit="s", vci="M")


class EventCount(Record):
    """Events on one phase."""

    most_recent = nested(LTimeDate, "latest event, UTC", vci="M")
    events = uint16("events since reset", vci="M")


class ThdEvent(Record):
    """Harmonic distortion on one phase: 22 bytes by the sizes around it, 18 of them printed."""

    event_count = uint16("events", vci="M")
    event_timestamp = nested(LTimeDate, "latest event, UTC", vci="M")
    max_thd = uint16("highest in the latest event", unit="%", scale=0.1, vci="M")
    max_thd_timestamp = nested(LTimeDate, "when that was, UTC", vci="M")
    average_thd = uint16("mean of the latest event", unit="%", scale=0.1, vci="M")
    reserved_18 = octets(4, "undocumented")


class ThdRecord(Record):
    """Harmonic distortion of voltage, current or apparent power."""

    thd_time_threshold = uint16("least duration, at least 10", unit="s", vci="H")
    thd_threshold = uint16("level, 0 = off", unit="%", scale=0.1, vci="H")
    events = array(nested(ThdEvent), PHASES, "for each phase")


class VoltageQuality(Record):
    """Share of time with precarious and with critical voltage."""

    drp = uint16("precarious voltage", unit="%", scale=0.1, vci="M")
    drc = uint16("critical voltage", unit="%", scale=0.1, vci="M")
    time_stamp = nested(LTimeDate, "when recorded", vci="M")


class PowerQuality(
    Table,
    number=2057,
    title="Power Quality",
    source=Source.MEP_GUIDE,
    read=MEP,
    write=MEP_WRITE,
    note=(
        "Offsets as in the table of the guide; its introduction says A+12 for A+120. A THD "
        "event is printed with 22 bytes and fields of 18."
    ),
):
    """Thresholds and counters of outages, sags, surges, distortion."""

    long_outage_duration_threshold = uint16("shorter ones are short outages", unit="s", vci="H")
    sag_surge_time_minutes = uint8("least duration of sags and surges", unit="min", vci="H")
    sag1_threshold = uint8("below rated voltage", unit="%", default=10, vci="H")
    surge_threshold = uint8("above rated voltage", unit="%", default=10, vci="H")
    over_current_threshold = uint8("above reference current", unit="%", vci="H")
    power_outages = array(nested(PowerOutage), OUTAGES, "latest power cycles, newest first")
    sag1_events = array(nested(EventCount), PHASES, "sags on each phase")
    surge_events = array(nested(EventCount), PHASES, "surges on each phase")
    min_frequency = int32("lowest since reset", unit="mHz", vci="M")
    min_frequency_time = nested(LTimeDate, "when that was, UTC", vci="M")
    max_frequency = int32("highest since reset", unit="mHz", vci="M")
    max_frequency_time = nested(LTimeDate, "when that was, UTC", vci="M")
    over_current_events = array(uint32(), PHASES, "since reset, on each phase", vci="M")
    phase_l1_lost = flag(0, "L1 is lost", vci="M")
    phase_l2_lost = flag(1, "L2 is lost", vci="M")
    phase_l3_lost = flag(2, "L3 is lost", vci="M")
    phase_loss_events = array(nested(EventCount), PHASES, "losses of each phase")
    sag1_voltages = array(ni_fmat1(), PHASES, "lowest in the latest sag", unit="mV", vci="M")
    surge_voltages = array(ni_fmat1(), PHASES, "highest in the latest surge", unit="mV", vci="M")
    short_outage_count = uint32("outages below the threshold", vci="M")
    pq_configuration_id = uint32(
        "the host's id of these thresholds", vci="H", since=since("2.12", cpm="1.0")
    )
    sag_surge_time_seconds = uint8(
        "added to the minutes", unit="s", vci="H", since=since("2.12", cpm="1.0")
    )
    power_up_quality_hold_time = uint8(
        "no events after power-up", unit="s", default=2, vci="H", since=since("3.10", cpm="1.0")
    )
    over_current_time_threshold = uint16(
        "least duration", unit="s", vci="H", since=since("3.10", cpm="1.0")
    )
    thd = array(
        nested(ThdRecord), 3, "of V, I, VA; modules: V only", since=since("3.10", cpm="1.0")
    )
    voltage_quality = array(
        nested(VoltageQuality), 12, "latest records of voltage quality", since=since("3.70")
    )
    sag2_time_threshold = uint16("least duration", unit="s", vci="H", since=since("4.10"))
    sag2_threshold = uint8(
        "below rated voltage", unit="%", default=255, vci="H", since=since("4.10")
    )
    sag2_events = array(
        nested(EventCount), PHASES, "second kind of sags on each phase", since=since("4.10")
    )
    sag2_voltages = array(
        ni_fmat1(), PHASES, "lowest in the latest", unit="mV", vci="M", since=since("4.10")
    )
    average_current_interval = uint16(
        "averaging time of currents",
        unit="s",
        default=600,
        vci="F",
        since=since("4.10"),
        note="VCI F although described as settable",
    )
    early_sag_surge_event = flag(
        0, "events also at their start", vci="H", since=since("4.21"), default=False
    )


class InternalPowerOutages(
    Table,
    number=2058,
    title="Internal Power Outages",
    source=Source.PROJECT,
    read=EVERY,
    note="Known: ET04 byte 53 is its number of entries. Entries are those of ET09.",
):
    """Restarts without an outage of the mains."""

    outages = array(nested(PowerOutage), OUTAGES, "newest first")


class AveragePowerSettings(
    Table,
    number=2128,
    title="Average Power Settings",
    source=Source.MEP_GUIDE,
    read=EVERY,
    write=MEP_WRITE,
    nvm_write=True,
    since=since("3.70", cpm="1.20"),
    note="The headings VCI and Value are swapped in print; the text cites byte 3 as 2.",
):
    """Mean power, block or rolling, and the level that opens the disconnect."""

    average_power_enabled = uint8("average power is computed", default=0, vci="H")
    sub_interval = uint16("a divisor of a minute, hour or day", unit="s", default=1, vci="H")
    interval_multiplier = uint8("sub-intervals in an interval", default=15, vci="H")
    disconnect_threshold = uint32("opens the disconnect, 0 = never", unit="W", default=0, vci="H")


class Outage(Record):
    """One outage."""

    start_timestamp = nested(LTimeDate, "start, local time", vci="M")
    end_timestamp = nested(LTimeDate, "end, local time", vci="M")


class PowerOutageLog(
    CircularList,
    number=2129,
    title="Power Outage Log",
    source=Source.MEP_GUIDE,
    read=EVERY,
    nvm_read=True,
    since=since("3.70", cpm="1.20"),
    note=(
        "The headings VCI and Value are swapped in print; last_entry_element has VCI F in print."
    ),
):
    """A circular list of outages."""

    entries = array(nested(Outage), entries_of("ET81"), "outages")


__all__ = [
    "AveragePowerSettings",
    "EventCount",
    "InternalPowerOutages",
    "Outage",
    "PowerOutage",
    "PowerOutageLog",
    "PowerQuality",
    "ThdEvent",
    "ThdRecord",
    "VoltageQuality",
]
