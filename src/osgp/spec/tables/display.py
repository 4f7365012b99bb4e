"""Display: BT30s, and the extended tables ET07, ET22, ET49, ET62, ET67 and ET77."""

from __future__ import annotations

from osgp.spec.access import EVERY, MEP_WRITE
from osgp.spec.declare import Table
from osgp.spec.firmware import has, since
from osgp.spec.source import Source
from osgp.wire import Record, Ref, array, bits, flag, nested, text, uint8, uint16, uint32

BT30 = Ref("BT30")
BT60 = Ref("BT60")
ET11 = Ref("ET11")
ET54 = Ref("ET54")

CODE = 4 + has("4.0")
"""Characters of an id code on the display: four, from meter firmware 4.0 five."""


class DimensionDisplay(
    Table, number=30, title="Dimension Display", source=Source.MEP_GUIDE, read=EVERY
):
    """Sizes of the display lists."""

    on_time = flag(0, "time that an item is shown can be set", vci="F", default=True)
    off_time = flag(1, "time between items can be set", vci="F", default=False)
    hold_time = flag(2, "time to hold an item can be set", vci="P", default=False)
    number_of_display_sources = uint16("sources that can be shown", vci="P", default=962)
    width_display_sources = uint8("a display source", unit="bytes", vci="F", default=2)
    number_of_primary_list_items = uint16("items of the primary list", vci="P", default=30)
    number_of_primary_lists = uint8("primary lists", vci="P", default=1)
    number_of_secondary_list_items = uint16("not used", vci="P", default=0)
    number_of_secondary_lists = uint8("not used", vci="P", default=0)


class DisplayList(Record):
    """How a list is shown."""

    on_time = bits(0, 3, "time for an item, 6 to 15; 0 = by hand", unit="s", vci="H", default=6)
    off_time = bits(4, 7, "not used", vci="F", default=0)
    hold_time = bits(0, 3, "not used", vci="P", starts=True, default=0)
    default_list = bits(4, 7, "shown in: 1 = normal mode", vci="F", default=1)
    number_of_items = uint8("items in use", vci="H", default=3)


class PrimaryDisplayList(
    Table,
    number=33,
    title="Primary Display List",
    source=Source.MEP_GUIDE,
    read=EVERY,
    write=MEP_WRITE,
):
    """What the display shows in turn."""

    lists = array(nested(DisplayList), BT30.number_of_primary_lists, "how lists are shown")
    display_sources = array(
        uint16(),
        BT30.number_of_primary_list_items,
        "display sources in order",
        vci="H",
        note="printed default: 0x2000, 0x2001, then 0",
    )


class CodeWord(Record):
    """How one value is announced and formatted."""

    id_code = text(
        CODE, "id code, left character first", vci="H", note="defaults of ET62: CH01 to CH16"
    )
    id_decimal_points = uint8("decimal points in the id code, bit 0 rightmost", vci="H")
    digits_after_point = bits(0, 2, "digits after the decimal point, 0 to 3", vci="H")
    digits_before_point = bits(3, 6, "digits before it, 1 to 8", vci="H")
    zero_suppression = flag(7, "leading zeros are hidden", vci="H")


class DisplayItem(Record):
    """How an item of the primary list is announced and formatted: six bytes."""

    id_code = text(4, "id code, left character first", vci="H")
    id_decimal_points = uint8("decimal points in the id code, bit 0 rightmost", vci="H")
    digits_after_point = bits(0, 2, "digits after the decimal point", vci="H")
    digits_before_point = bits(3, 6, "digits before it", vci="H")
    zero_suppression = flag(7, "leading zeros are hidden", vci="H")


class DisplayConfiguration(
    Table,
    number=2055,
    title="Display Configuration",
    source=Source.PROJECT,
    read=EVERY,
    write=MEP_WRITE,
    nvm_write=True,
    note="Known: BT30 sizes it, and the rollover digit follows 6 bytes for each list item.",
):
    """Formats of items, and switches of the display."""

    items = array(nested(DisplayItem), BT30.number_of_primary_list_items, "format of each item")
    accumulator_rollover_digit = uint8(
        "digits before registers roll over, 5 to 9", source=Source.MEP_GUIDE, default=8
    )
    wheel_pulses_per_revolution = uint16("pulses that turn the simulated wheel once")
    show_disconnect_state = flag(0, "the contactor's state is shown")
    show_firmware_at_power_up = flag(1, "the firmware version is shown at power-up")
    show_signal_quality = flag(2, "the power line's quality is shown")
    apply_transformer_ratios = flag(3, "values are shown with the ratios of BT15")
    backlight_time = uint8("backlight after a key", unit="s")


class ErrorDisplay(Record):
    """What the display does about one alarm of BT03."""

    show_as_error = flag(0, "appears on the error screen")
    show_as_caution = flag(1, "appears on the caution screen")
    stop_scrolling = flag(2, "the error screen stays")
    screen = bits(4, 7, "screen it appears on")


class ErrorCodesConfiguration(
    Table,
    number=2070,
    title="Error Codes Configuration",
    source=Source.PROJECT,
    read=EVERY,
    write=MEP_WRITE,
    note="Known: ET11 has the size of its first array, and the number of screens.",
):
    """Which alarms the display shows, in order of BT03's status bits from byte 1 on."""

    alarms = array(nested(ErrorDisplay), ET11.et22_alarm_size, "for each alarm")
    screen_codes = array(text(8), ET11.error_screen_count.or_else(0), "text of each screen")


class LcdOutput(Table, number=2097, title="LCD Output Table", source=Source.PROJECT, read=EVERY):
    """What the display shows at this moment."""

    id_code = text(CODE, "id code")
    id_decimal_points = uint8("decimal points in the id code, bit 0 rightmost")
    value = text(8, "characters of the value")
    value_decimal_points = uint8("decimal points in the value, bit 0 rightmost")
    icons = uint32("icons that are on, one bit each")


class LoadProfileDisplayConfiguration(
    Table,
    number=2110,
    title="Load Profile Display Configuration",
    source=Source.MEP_GUIDE,
    read=EVERY,
    write=MEP_WRITE,
    note="Code words are printed with 6 bytes, right for 3.x; the totals of 4.0 need 7.",
):
    """How the primary load profile is shown."""

    display_local_time = flag(0, "times are local, not UTC", vci="H", default=False)
    use_all_channel_id_characters = flag(
        1, "four characters, not two and a number", vci="H", default=False
    )
    disable_load_profile_display = flag(
        2, "it is not shown; not under Welmec", vci="H", default=False
    )
    list_id_code = text(CODE, "id code of the list", vci="H", default="P01")
    list_id_decimal_points = uint8("its decimal points", vci="H", default=4)
    date_id_code = text(CODE, "id code of dates", vci="H", default="DATE")
    date_id_decimal_points = uint8("its decimal points", vci="H")
    interval_time_id_code = text(CODE, "id code of interval times", vci="H", default="TIME")
    interval_time_id_decimal_points = uint8("its decimal points", vci="H")
    extended_status_id_code = text(CODE, "id code of statuses", vci="H", default="STAT")
    extended_status_id_decimal_points = uint8("its decimal points", vci="H")
    channels = array(nested(CodeWord), BT60.data_sets[0].number_of_channels, "for each channel")
    power_outage_list_id_code = text(
        CODE,
        "id code of the outage list",
        vci="H",
        since=since("3.70", cpm="1.20"),
        note="printed default: blanks",
    )
    power_outage_list_id_decimal_points = uint8(
        "its decimal points", vci="H", since=since("3.70", cpm="1.20"), default=0
    )
    power_outage_number_id_code = text(
        CODE, "id code of an outage", vci="H", default="NUM ", since=since("3.70", cpm="1.20")
    )
    power_outage_number_id_decimal_points = uint8(
        "its decimal points", vci="H", since=since("3.70", cpm="1.20"), default=0
    )


class DisplaySourceMapping(
    Table,
    number=2115,
    title="Display Source ID Mapping Table",
    source=Source.PROJECT,
    read=EVERY,
    write=MEP_WRITE,
    note="Known: BT30 sizes it.",
):
    """Extended source id of each item of the primary list, 0 where BT33 alone says it."""

    extended_sources = array(uint16(), BT30.number_of_primary_list_items, "extended source ids")


class SecondaryDisplayList(
    Table,
    number=2125,
    title="Secondary Display List",
    source=Source.PROJECT,
    read=EVERY,
    write=MEP_WRITE,
    nvm_write=True,
    since=since("3.70", cpm="1.20"),
    note="Known: ET54 has the number of its entries.",
):
    """What the display shows on request; the layout of BT33."""

    list = nested(DisplayList, "how the list is shown")
    display_sources = array(uint16(), ET54.et77_entry_count, "display sources in order")


__all__ = [
    "CodeWord",
    "DimensionDisplay",
    "DisplayConfiguration",
    "DisplayItem",
    "DisplayList",
    "DisplaySourceMapping",
    "ErrorCodesConfiguration",
    "ErrorDisplay",
    "LcdOutput",
    "LoadProfileDisplayConfiguration",
    "PrimaryDisplayList",
    "SecondaryDisplayList",
]
