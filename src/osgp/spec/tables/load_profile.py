"""BT60s: load profile. Up to four data sets, each a circular list of blocks of intervals."""

from __future__ import annotations

from typing import Final

from osgp.spec.access import EVERY
from osgp.spec.codes import INTERVAL_FORMATS, LIST_TYPES, ORDERS
from osgp.spec.declare import Table, TableMeta
from osgp.spec.dimensions import DATA_SETS, MOST_DATA_SETS
from osgp.spec.source import Source
from osgp.spec.source_ids import SOURCE_NAMES
from osgp.wire import (
    INDEX,
    Expr,
    Record,
    Ref,
    STimeDate,
    array,
    bits,
    bitset,
    flag,
    int32,
    nested,
    ni_fmat1,
    octets,
    set_bytes,
    uint8,
    uint16,
    uint32,
)

BT61 = Ref("BT61")


def _of_set(index: Expr) -> Expr:
    """Whether the set has scalars and divisors: BT61 bits 6 to 9, by set."""
    flags = (
        BT61.set_1_scalar_divisor,
        BT61.set_2_scalar_divisor,
        BT61.set_3_scalar_divisor,
        BT61.set_4_scalar_divisor,
    )
    first, *others = (flag * index.eq(number) for number, flag in enumerate(flags))
    for term in others:
        first = first + term
    return first


class DataSetSize(Record):
    """Size of one data set."""

    number_of_blocks = uint16("blocks", vci="M")
    number_of_intervals = uint16("intervals in a block", vci="M")
    number_of_channels = uint8("channels in an interval", vci="H")
    interval_time = uint8("length of an interval; 84 = 24 hours", unit="min", vci="H")


class DataSetLimit(DataSetSize):
    """The most that one data set may have."""

    number_of_blocks = uint16(
        "most blocks", vci="P", default=21259, note="with 256 KiB; 9530 with 128 KiB"
    )
    number_of_intervals = uint16("most intervals in a block", vci="F", default=1440)
    number_of_channels = uint8("most channels", vci="P", default=16)
    interval_time = uint8("longest interval", unit="min", vci="F", default=255)


class LoadProfileDimensions(Table):
    """What BT60 and BT61 have in common: dimensions of the B60s decade."""

    memory_length = uint32("bytes for all sets together", unit="bytes", vci="M")
    set_1_inhibit_overflow = flag(0, "set 1 stops when full", word=16, vci="F", default=False)
    set_2_inhibit_overflow = flag(1, "set 2 stops when full", word=16, vci="P", default=False)
    set_3_inhibit_overflow = flag(2, "set 3 stops when full", word=16, vci="F", default=False)
    set_4_inhibit_overflow = flag(3, "set 4 stops when full", word=16, vci="F", default=False)
    end_reading_supported = flag(4, "end readings are stored", word=16, vci="P", default=False)
    end_pulse_supported = flag(5, "end pulses are stored", word=16, vci="F", default=False)
    set_1_scalar_divisor = flag(
        6, "set 1 has scalars and divisors", word=16, vci="P", default=False
    )
    set_2_scalar_divisor = flag(
        7, "set 2 has scalars and divisors", word=16, vci="P", default=False
    )
    set_3_scalar_divisor = flag(
        8, "set 3 has scalars and divisors", word=16, vci="F", default=False
    )
    set_4_scalar_divisor = flag(
        9, "set 4 has scalars and divisors", word=16, vci="F", default=False
    )
    extended_interval_status = flag(
        10, "extended status for each interval", word=16, vci="F", default=True
    )
    simple_interval_status = flag(
        11, "status bit for each interval", word=16, vci="F", default=True
    )
    uint8_supported = flag(0, "values may be UINT8", vci="F", default=False)
    uint16_supported = flag(1, "values may be UINT16", vci="F", default=False)
    uint32_supported = flag(2, "values may be UINT32", vci="F", default=False)
    int8_supported = flag(3, "values may be INT8", vci="F", default=False)
    int16_supported = flag(4, "values may be INT16", vci="P", default=False)
    int32_supported = flag(5, "values may be INT32", vci="F", default=True)
    ni_fmat1_supported = flag(6, "values may be NI_FMAT1", vci="F", default=False)
    ni_fmat2_supported = flag(7, "values may be NI_FMAT2", vci="F", default=False)
    data_sets = array(
        nested(DataSetSize), DATA_SETS, "sizes of each data set", source=Source.PROJECT
    )


class DimensionLoadProfile(
    LoadProfileDimensions,
    number=60,
    title="Dimension Load Profile",
    source=Source.MEP_GUIDE,
    read=EVERY,
    note="Maxima; interval_time is printed as 255. The number of sets: see DATA_SETS.",
):
    """The most that BT61 may say."""

    data_sets = array(
        nested(DataSetLimit), DATA_SETS, "limits of each data set", source=Source.PROJECT
    )


class ActualLoadProfile(
    LoadProfileDimensions,
    number=61,
    title="Actual Load Profile",
    source=Source.MEP_GUIDE,
    read=EVERY,
    nvm_write=True,
    note=(
        "The number of sets: see DATA_SETS. Data sets are numbered 1 to 4 in its table, 0 to "
        "3 in reading formulas."
    ),
):
    """Dimensions in use in the B60s decade."""


class ChannelSetting(Record):
    """Where a channel's values come from."""

    end_reading = flag(0, "end readings are stored", vci="F", default=False)
    interval_source = uint8("source of the values", enum=SOURCE_NAMES, vci="H")
    end_reading_source = uint8("source of end readings", enum=SOURCE_NAMES, vci="P", default=0)


class DataSetControl(Record):
    """Set-up of one data set."""

    channels = array(
        nested(ChannelSetting), BT61.data_sets[INDEX].number_of_channels, "for each channel"
    )
    format = uint8("how values are stored", enum=INTERVAL_FORMATS, default=32, vci="P")
    scalars = array(
        uint16(),
        BT61.data_sets[INDEX].number_of_channels,
        "scalar of each channel",
        when=_of_set(INDEX),
        vci="H",
        note="the guides ask BT60 instead of BT61",
    )
    divisors = array(
        uint16(),
        BT61.data_sets[INDEX].number_of_channels,
        "divisor of each channel",
        when=_of_set(INDEX),
        vci="H",
        note="the guides ask BT60 instead of BT61",
    )


class LoadProfileControl(
    Table,
    number=62,
    title="Load Profile Control",
    source=Source.MEP_GUIDE,
    read=EVERY,
    nvm_write=True,
    note="The format is printed at BT61.11 * 3, for one set.",
):
    """What each channel of each data set records."""

    data_sets = array(
        nested(DataSetControl), DATA_SETS, "set-up of each data set", source=Source.PROJECT
    )


class DataSetStatus(Record):
    """State of one data set's list of blocks."""

    block_order = bits(0, 0, "order of blocks", enum=ORDERS, vci="F", default=0)
    overflow = flag(1, "unread blocks were lost", vci="M", note="cleared by EP11, BP04, BP05")
    list_type = bits(2, 2, "kind of list", enum=LIST_TYPES, vci="F", default=1)
    block_inhibit_overflow = flag(3, "the set stops when full", vci="F", default=False)
    interval_order = bits(4, 4, "order of intervals", enum=ORDERS, vci="F", default=0)
    active_mode = flag(5, "the set is recording", vci="M")
    test_mode = flag(6, "test mode data", vci="P", default=False)
    number_of_valid_blocks = uint16("blocks with data", vci="M")
    last_block = uint16("index of the newest block", vci="M")
    last_block_sequence_number = uint32("sequence number of the newest block", vci="M")
    number_of_unread_blocks = uint16("blocks not read", vci="H")
    number_of_valid_intervals = uint16("intervals in the newest block", vci="M")


class LoadProfileStatus(
    Table, number=63, title="Load Profile Status", source=Source.MEP_GUIDE, read=EVERY
):
    """How far each data set has been filled."""

    data_sets = array(
        nested(DataSetStatus), DATA_SETS, "state of each data set", source=Source.PROJECT
    )


class LoadProfileInterval(Record):
    """One interval of any data set. `codes.channel_statuses` reads its extended status."""

    extended_status: bytes
    values: tuple[int, ...]


class LoadProfileBlock(Record):
    """One block of any data set. Intervals that `simple_status` lacks hold no data."""

    end_time: STimeDate
    end_readings: tuple[int, ...] | None
    simple_status: frozenset[int]
    intervals: tuple[LoadProfileInterval, ...]


def _block(data_set: int) -> type[LoadProfileBlock]:
    """Blocks as large as BT61 says for that set."""
    size = BT61.data_sets[data_set]

    class Interval(LoadProfileInterval):
        extended_status = octets(
            size.number_of_channels // 2 + 1,
            "common nibble, then one for each channel",
            when=BT61.extended_interval_status,
            vci="M",
        )
        values = array(
            int32(), size.number_of_channels, "values at the end of the interval", vci="M"
        )

    class Block(LoadProfileBlock):
        end_time = nested(STimeDate, "end of the newest interval, UTC", vci="M")
        end_readings = array(
            ni_fmat1(),
            size.number_of_channels,
            "register values at the end of the block",
            when=BT61.end_reading_supported,
        )
        simple_status = bitset(
            set_bytes(size.number_of_intervals),
            "intervals that were processed",
            when=BT61.simple_interval_status,
            vci="M",
        )
        intervals = array(nested(Interval), size.number_of_intervals, "intervals, oldest first")

    for record in (Interval, Block):
        record.__name__ = record.__qualname__ = f"{record.__name__}{data_set + 1}"
    return Block


class LoadProfileData(Table):
    """Blocks of any data set. A block ends at `end_time`; a complete one at midnight UTC."""

    blocks: tuple[LoadProfileBlock, ...]


def _data(index: int) -> type[LoadProfileData]:
    """BT64 to BT67, by the number of the data set (0 is the first)."""
    blocks = array(nested(_block(index)), BT61.data_sets[index].number_of_blocks, "circular list")
    body = {
        "__doc__": f"Blocks of data set {index + 1}; a complete one ends at midnight UTC.",
        "__module__": __name__,
        "blocks": blocks,
    }
    declared: type[LoadProfileData] = TableMeta(
        f"LoadProfileDataSet{index + 1}",
        (LoadProfileData,),
        body,
        number=64 + index,
        title=f"Load Profile Data, Data Set {index + 1}",
        source=Source.MEP_GUIDE,
        read=EVERY,
        nvm_read=True,
        nvm_write=True,
        note="Offsets are printed with end readings, which BT61 prints as not supported.",
    )
    return declared


LOAD_PROFILE_DATA: Final = tuple(_data(index) for index in range(MOST_DATA_SETS))


__all__ = [
    "LOAD_PROFILE_DATA",
    "ActualLoadProfile",
    "ChannelSetting",
    "DataSetControl",
    "DataSetLimit",
    "DataSetSize",
    "DataSetStatus",
    "DimensionLoadProfile",
    "LoadProfileBlock",
    "LoadProfileControl",
    "LoadProfileData",
    "LoadProfileInterval",
    "LoadProfileStatus",
]
