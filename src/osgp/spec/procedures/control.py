"""Extended procedures that switch: disconnect, relays, tariff, prepayment, limits."""

from __future__ import annotations

from osgp.spec.access import MEP_WRITE, OPTICAL_WRITE
from osgp.spec.declare import Procedure
from osgp.spec.source import Source
from osgp.wire import LTimeDate, Record, int32, nested, uint8, uint16, uint32

OUTPUTS = {0: "load disconnect", 1: "control relay 1", 2: "control relay 2"}
COMMANDS = {0: "open", 1: "close", 2: "open and lock", 3: "allow closing by hand"}


class ControlOutputCommand(
    Procedure,
    number=2050,
    title="Control Output Command",
    source=Source.PROJECT,
    call=f"{MEP_WRITE} PK",
    note="Known: it switches the load disconnect.",
):
    """Switches an output."""

    output = uint8("output", enum=OUTPUTS)
    command = uint8("what to do", enum=COMMANDS)
    random_delay = uint16("spread at random over", unit="s")


class SetTariff(
    Procedure,
    number=2063,
    title="Set Tariff",
    source=Source.PROJECT,
    call=f"{OPTICAL_WRITE} MAK",
    note="Known: BT55's tier_drive tells of manual tiers, until the next switch or for good.",
):
    """Overrides the calendar's tier."""

    tier = uint8("tier, 255 = back to the calendar")
    indefinitely = uint8("how long", enum={0: "until the next switch", 1: "for good"})


class PrepayCredit(Record):
    """Credit after the procedure."""

    credit = int32("credit left", unit="Wh")


class AddPrepayCredit(
    Procedure,
    number=2069,
    title="Add Prepay Credit",
    source=Source.PROJECT,
    call=f"{OPTICAL_WRITE} MAK",
    response=PrepayCredit,
):
    """Adds to the credit; a voucher counts once."""

    voucher = uint32("number of the purchase")
    credit = int32("to add", unit="Wh")


class SwitchMaximumLevel(
    Procedure,
    number=2070,
    title="Switch Maximum Power or Current Level",
    source=Source.PROJECT,
    call=f"{OPTICAL_WRITE} MAK",
):
    """Makes the secondary level of ET05 apply, or the primary one again."""

    level = uint8("level", enum={0: "primary", 1: "secondary"})
    duration = uint32("how long, 0 = until changed", unit="s")


class RemoteDisconnectRequest(
    Procedure,
    number=2071,
    title="Remote Disconnect Request",
    source=Source.PROJECT,
    call=f"{OPTICAL_WRITE} MAK",
):
    """Opens or closes the load disconnect, at a time if one is given."""

    command = uint8("what to do", enum=COMMANDS)
    at = nested(LTimeDate, "when, UTC; all zero = now")


class SynchronizeDisconnectStatus(
    Procedure,
    number=2078,
    title="Synchronize Disconnect Status",
    source=Source.PROJECT,
    call=f"{OPTICAL_WRITE} MAK",
):
    """Makes the contactor what the meter holds it to be, where both differ."""


class ScheduleDisconnectLockOpen(
    Procedure,
    number=2084,
    title="Schedule Disconnect Lock Open",
    source=Source.PROJECT,
    call=f"{OPTICAL_WRITE} MAK",
    note="Known: a duration of 0 has no end.",
):
    """Opens and locks the disconnect for a time."""

    start = nested(LTimeDate, "when, UTC")
    duration = uint32("how long, 0 = no end", unit="min")


class ControlOutputSettingsProcedure(
    Procedure,
    number=2090,
    title="Control Output Settings",
    source=Source.PROJECT,
    call=f"{OPTICAL_WRITE} MAK",
):
    """Changes limits of ET05 without writing the table."""

    primary_maximum_power = uint32("primary level", unit="W")
    secondary_maximum_power = uint32("secondary level", unit="W")
    maximum_power_time = uint8("how long a level must be exceeded", unit="s")


__all__ = [
    "COMMANDS",
    "OUTPUTS",
    "AddPrepayCredit",
    "ControlOutputCommand",
    "ControlOutputSettingsProcedure",
    "PrepayCredit",
    "RemoteDisconnectRequest",
    "ScheduleDisconnectLockOpen",
    "SetTariff",
    "SwitchMaximumLevel",
    "SynchronizeDisconnectStatus",
]
