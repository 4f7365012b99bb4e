"""More of what is measured: ET06, ET12, ET43, ET44."""

from __future__ import annotations

from osgp.spec.access import EVERY, MEP_WRITE
from osgp.spec.declare import Table
from osgp.spec.source import Source
from osgp.wire import LTimeDate, Record, Ref, array, flag, nested, ni_fmat1, uint8, uint16, uint32

TE_REGISTERS = Ref("ET04").max_number_of_te_registers


class PulseInput(Record):
    """One pulse input."""

    active = flag(0, "pulses are counted", source=Source.MEP_GUIDE)
    tamper_enabled = flag(1, "an open loop is an alarm")
    idle_closed = flag(2, "the contact is closed between pulses")
    minimum_pulse_width = uint16("shorter ones are noise", unit="ms")
    multiplier = uint16("counts for a pulse", default=1)
    divisor = uint16("pulses for a count", default=1)
    unit_code = uint8("M-Bus VIF of a count, 0 = none")


class PulseInputs(
    Table,
    number=2054,
    title="Pulse Inputs",
    source=Source.PROJECT,
    read=EVERY,
    write=MEP_WRITE,
    note="Known: each channel has an Active bit.",
):
    """Set-up of the pulse inputs."""

    inputs = array(nested(PulseInput), 2, "inputs 1 and 2")


class DailyEnergies(Record):
    """Energies of a day."""

    active_forward = uint32("consumed", unit="Wh")
    active_reverse = uint32("generated", unit="Wh")
    reactive_import = uint32("imported", unit="varh")
    reactive_export = uint32("exported", unit="varh")


class DailyConsumption(
    Table, number=2060, title="Daily Consumption", source=Source.GS_OSG, read=EVERY
):
    """Energies of yesterday and of today."""

    last_day = array(nested(DailyEnergies), TE_REGISTERS, "of yesterday")
    today = array(nested(DailyEnergies), TE_REGISTERS, "of today so far")


class TestingModeConfiguration(
    Table,
    number=2091,
    title="Test Mode Configuration",
    source=Source.PROJECT,
    read=EVERY,
    write=MEP_WRITE,
):
    """How test mode goes."""

    timeout = uint16("test mode ends by itself", unit="min", default=30)
    demand_sub_interval = uint8("sub-interval in test mode", unit="min")
    demand_multiplier = uint8("sub-intervals in an interval")
    record_load_profile = flag(0, "load profile goes on, marked as test data")
    allow_button = flag(1, "test mode can be started by hand")


class TestingModeStatus(
    Table, number=2092, title="Test Mode Status", source=Source.PROJECT, read=EVERY
):
    """What was measured in test mode."""

    active = flag(0, "test mode is on")
    started = nested(LTimeDate, "since when, UTC")
    time_left = uint16("until it ends", unit="s")
    active_forward = ni_fmat1("consumed since then", unit="Wh")
    active_reverse = ni_fmat1("generated since then", unit="Wh")
    reactive_import = ni_fmat1("imported since then", unit="varh")
    reactive_export = ni_fmat1("exported since then", unit="varh")


__all__ = [
    "DailyConsumption",
    "DailyEnergies",
    "PulseInput",
    "PulseInputs",
    "TestingModeConfiguration",
    "TestingModeStatus",
]
