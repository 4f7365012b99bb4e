"""1,000 load-profile blocks of 24 x 8 int32: to objects and to columns, against peers.

The same values go through construct (a declaration like ours, interpreted and compiled) and through
dlms-cosem's ProfileGeneric parser (the same profile as DLMS meters send it). All take turns; ratios
are medians of the rounds.
"""

from __future__ import annotations

import random
import struct
from typing import Any

from construct import Array, Byte, Bytes, Int32sl
from construct import Struct as ConstructStruct
from dlms_cosem import cosem, enumerations
from dlms_cosem.parsers import ProfileGenericBufferParser

from osgp.spec import tables
from osgp.spec.tables.load_profile import ActualLoadProfile, DataSetSize
from osgp.wire import Dims, Layout

from .table import Row, interleaved, ratio

TITLE = "Load profile: 1,000 blocks of 24 intervals x 8 channels"
BLOCKS, INTERVALS, CHANNELS = 1000, 24, 8
VALUES = BLOCKS * INTERVALS * CHANNELS


def run() -> list[Row]:
    layout = _layout()
    values = _values()
    images = [_image(layout, block) for block in values]
    buffers = [_dlms(block) for block in values]
    joined = b"".join(images)
    interpreted = _construct()
    compiled = interpreted.compile()
    parser = _parser()
    assert layout.decode(images[0]).intervals[3].values == tuple(values[0][3])
    assert interpreted.parse(images[0]).intervals[3]["values"] == values[0][3]
    assert parser.parse_bytes(buffers[0])[3][1].value == values[0][3][0]

    took = interleaved(
        {
            "objects": lambda: [layout.decode(image) for image in images],
            "columns": lambda: float(layout.columns(joined)["intervals.values"].sum()),
            "construct": lambda: [interpreted.parse(image) for image in images],
            "compiled": lambda: [compiled.parse(image) for image in images],
            "dlms": lambda: [parser.parse_bytes(buffer) for buffer in buffers],
        }
    )
    over_construct = ratio(took["construct"], took["objects"])
    over_compiled = ratio(took["compiled"], took["objects"])
    over_dlms = ratio(took["dlms"], took["columns"])
    return [
        Row("osgp objects", _rate(took["objects"]), f"{over_construct:.0f} x construct", ">= 15 x"),
        Row("osgp objects", "", f"{over_compiled:.1f} x construct compiled", ""),
        Row("osgp columns", _rate(took["columns"]), f"{over_dlms:,.0f} x dlms-cosem", ">= 100 x"),
        Row("construct", _rate(took["construct"])),
        Row("construct, compiled", _rate(took["compiled"])),
        Row("dlms-cosem ProfileGeneric", _rate(took["dlms"])),
    ]


def _rate(seconds: list[float]) -> str:
    return f"{VALUES / min(seconds):,.0f} values/s"


def _layout() -> Layout[Any]:
    actual = (
        ActualLoadProfile.bind()
        .blank()
        .with_(
            extended_interval_status=True,
            simple_interval_status=True,
            data_sets=(DataSetSize(1, INTERVALS, CHANNELS, 60),),
        )
    )
    return tables["BT64"].bind(Dims({"BT61": actual})).element("blocks[0]")


def _values() -> list[list[list[int]]]:
    rng = random.Random(1)
    return [
        [[rng.randrange(-(1 << 31), 1 << 31) for _ in range(CHANNELS)] for _ in range(INTERVALS)]
        for _ in range(BLOCKS)
    ]


def _image(layout: Layout[Any], block: list[list[int]]) -> bytes:
    header = bytes((26, 1, 5, 0, 0)) + b"\xff" * (INTERVALS // 8)
    body = b"".join(bytes(CHANNELS // 2 + 1) + struct.pack("<8i", *values) for values in block)
    assert len(header + body) == layout.size
    return header + body


def _construct() -> ConstructStruct:
    interval = ConstructStruct(
        "extended_status" / Bytes(CHANNELS // 2 + 1), "values" / Array(CHANNELS, Int32sl)
    )
    return ConstructStruct(
        "end_time" / Array(5, Byte),
        "simple_status" / Bytes(INTERVALS // 8),
        "intervals" / Array(INTERVALS, interval),
    )


def _dlms(block: list[list[int]]) -> bytes:
    """A-XDR: an array of structures of a null (the clock follows from the period) and values."""
    entries = [
        bytes((2, CHANNELS + 1, 0)) + b"".join(b"\x05" + struct.pack(">i", v) for v in values)
        for values in block
    ]
    first = bytes((2, CHANNELS + 1, 9, 12)) + bytes.fromhex("07ea01050100000000000000")
    entries[0] = first + entries[0][3:]
    return bytes((1, len(entries))) + b"".join(entries)


def _parser() -> ProfileGenericBufferParser:
    def attribute(interface: enumerations.CosemInterface, obis: tuple[int, ...]) -> object:
        return cosem.CosemAttribute(interface, cosem.Obis(*obis), 2)

    objects = [attribute(enumerations.CosemInterface.CLOCK, (0, 0, 1, 0, 0, 255))]
    objects += [
        attribute(enumerations.CosemInterface.REGISTER, (1, 0, n + 1, 8, 0, 255))
        for n in range(CHANNELS)
    ]
    return ProfileGenericBufferParser(capture_objects=objects, capture_period=60)
