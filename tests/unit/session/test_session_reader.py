"""Reading a device by what it declares of itself."""

from __future__ import annotations

import pytest

from osgp.errors import (
    DimensionError,
    InappropriateActionRequested,
    InsufficientSecurityClearance,
    OperationNotPossible,
)
from osgp.session.reader import DeviceReader
from osgp.spec import tables
from osgp.spec.services import PLC_LIMITS
from osgp.wire import Dims
from osgp.wire.bind import dependencies
from tests.support.conversations import Device, Line, ToyTables
from tests.support.images import general_configuration, images_of

NAMES = ("BT00", "BT01", "BT21", "BT23")


def reader_of(images: dict[int, bytes]) -> tuple[DeviceReader, Line, ToyTables]:
    there = Device(ToyTables(images))
    return DeviceReader(there.client), there.line(), there.tables


def images(*names: str) -> dict[int, bytes]:
    return images_of(names or NAMES)


def test_dimension_tables_are_read_first_and_once() -> None:
    reader, line, _ = reader_of(images())
    seen: list[int] = []
    reader.on_image = lambda table, offset, data: seen.append(table)
    record = line.run(reader.table("BT23"))
    assert type(record) is tables["BT23"]
    assert seen == [0, 1, 21, 23]
    line.run(reader.table("BT23"))
    assert seen == [0, 1, 21, 23, 23]


def test_every_image_is_handed_on_as_it_was_received() -> None:
    held = images()
    reader, line, _ = reader_of(held)
    seen: dict[int, bytes] = {}
    reader.on_image = lambda table, offset, data: seen.update({table: data})
    line.run(reader.table("BT23"))
    assert seen == {number: held[number] for number in (0, 1, 21, 23)}


def test_a_table_whose_length_depends_on_itself_is_read_in_steps() -> None:
    reader, line, toy = reader_of(images())
    record = line.run(reader.table("BT00"))
    assert record == tables["BT00"].bind().decode(bytes(toy.images[0]))
    assert len(toy.images[0]) > PLC_LIMITS.read
    assert len(line.sent) <= 4


def test_presence_is_what_bt00_says() -> None:
    reader, line, _ = reader_of(images("BT00", "BT21", "ET11"))
    assert line.run(reader.has("BT00"))
    assert line.sent == []
    assert [line.run(reader.has(name)) for name in ("BT21", "ET11")] == [True, True]
    assert [line.run(reader.has(name)) for name in ("BT23", "ET50", "BT12")] == [False] * 3


def test_dimensions_that_the_device_lacks_keep_their_defaults_or_fail() -> None:
    reader, line, _ = reader_of(images("BT00", "BT23"))
    with pytest.raises(DimensionError, match="BT21, which has not been read"):
        line.run(reader.table("BT23"))


def general_image(*names: str) -> bytes:
    return tables["BT00"].bind().encode(general_configuration(names))


class Closed(ToyTables):
    """Tables of which one is not for this key."""

    closed = tables["ET54"].info.number

    def read(self, table: int, offset: int, count: int | None, key: str, now: float) -> bytes:
        if table == self.closed:
            self.asked += 1
            raise InsufficientSecurityClearance
        return super().read(table, offset, count, key, now)

    asked = 0


def test_dimensions_that_the_key_does_not_open_are_done_without() -> None:
    status = tables["ET54"].info.number
    held = images("BT00", "BT01", "BT61") | {0: general_image("BT00", "BT01", "BT61", "ET54")}
    toy = Closed(held | {status: b""})
    there = Device(toy)
    reader, line = DeviceReader(there.client), there.line()
    for _ in range(2):
        assert line.run(reader.layout("BT64"))
    assert (toy.asked, reader.refused) == (1, {"ET54"})
    with pytest.raises(InsufficientSecurityClearance):
        line.run(reader.table("ET54"))
    reader.forget()
    assert line.run(reader.layout("BT64"))
    assert toy.asked == 3


def test_a_part_is_read_alone() -> None:
    reader, line, toy = reader_of(images())
    layout = line.run(reader.layout("BT23"))
    before = len(line.sent)
    path = "total_data_block.summations[0]"
    toy.images[23][layout.span(path).offset] = 7
    assert line.run(reader.part("BT23", path)) == 7
    assert len(line.sent) == before + 1
    assert line.sent[-1][7:9] == b"\x00\x04"


def test_tables_that_do_not_change_are_read_once() -> None:
    reader, line, _ = reader_of(images())
    first = line.run(reader.once("BT01"))
    sent = len(line.sent)
    assert line.run(reader.once("BT01")) is first
    assert len(line.sent) == sent
    reader.forget()
    line.run(reader.once("BT01"))
    assert len(line.sent) > sent


def test_the_firmware_is_what_bt01_says() -> None:
    held = images()
    held[1] = held[1][:14] + bytes((0x30, 0x18)) + held[1][16:]
    reader, line, _ = reader_of(held)
    line.run(reader.layout("BT21"))
    assert reader.dims.firmware == (3, 0, 24)
    reader.forget()
    assert len(reader.dims) == 0
    line.run(reader.layout("BT21"))
    assert reader.dims.firmware == (3, 0, 24)


def test_a_firmware_that_is_known_is_not_asked_for() -> None:
    there = Device(ToyTables(images("BT00", "BT21")))
    for firmware in ((3, 40), None):
        reader, line = DeviceReader(there.client, Dims(firmware=firmware)), there.line()
        line.run(reader.table("BT21"))
        assert reader.dims.firmware == firmware
        assert b"\x3f\x00\x01" not in [request[1:4] for request in line.sent]


def test_a_device_without_the_table_refuses() -> None:
    reader, line, _ = reader_of(images("BT00"))
    with pytest.raises(InappropriateActionRequested):
        line.run(reader.table("BT01"))


def test_a_table_cut_short_is_one_error() -> None:
    held = images()
    reader, line, _ = reader_of(held | {21: held[21][:-1]})
    with pytest.raises(OperationNotPossible):
        line.run(reader.table("BT23"))
    asked = [int.from_bytes(request[2:4], "big") for request in line.sent]
    assert asked == [0] * asked.count(0) + [1, 21]


def test_no_table_depends_on_itself_by_way_of_others() -> None:
    for name in tables:
        assert name not in _needed(name, frozenset()), name


def _needed(name: str, on_the_way: frozenset[str]) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for needed in dependencies(tables[name]) - {name}:
        assert needed not in on_the_way, f"{needed} depends on {name} and the other way round"
        found |= {needed} | _needed(needed, on_the_way | {name})
    return found


def test_the_configuration_used_here_is_sound() -> None:
    assert general_configuration(("BT00", "BT21")).basic_tables_used == frozenset({0, 21})
