"""Fields by path, by name, and by the offsets that guides cite."""

from __future__ import annotations

from typing import Any

import pytest

from osgp.errors import PathError
from osgp.spec import tables
from osgp.wire import Dims, Layout, Record, bind, bits, bitset, flag, nested, octets, this, uint8
from osgp.wire.places import places
from osgp.wire.resolve import Resolved, resolve

TWO_CLIENTS = Dims({"ET11": {"mep_channel_count": 2, "mep_data_sources": 6}})
ONE_CLIENT = Dims({"ET11": {"mep_channel_count": 1, "mep_data_sources": 6}})


def layout(name: str, dims: Dims | None = None) -> Layout[Any]:
    return tables[name].bind(dims)


@pytest.mark.parametrize(
    ("text", "path", "offset", "size", "bits"),
    [
        ("ET50.30.2", "clients[0].m_bus_alerts", 30, 1, (2, 2)),
        ("et50.101.2", "clients[1].m_bus_alerts", 101, 1, (2, 2)),
        ("30.2", "clients[0].m_bus_alerts", 30, 1, (2, 2)),
        ("31", "clients[0].icon_display_control[0]", 31, 2, None),
        ("clients[1].device_registered", "clients[1].device_registered", 101, 1, (0, 0)),
        ("ET50.clients[1]", "clients[1]", 71, 71, None),
        ("clients[1].data_sources[2:4]", "clients[1].data_sources[2:4]", 122, 8, None),
        ("5", "clients[0].identification", 5, 1, None),
    ],
)
def test_all_ways_to_name_a_field(
    text: str, path: str, offset: int, size: int, bits: tuple[int, int] | None
) -> None:
    assert resolve(layout("ET50", TWO_CLIENTS), text) == Resolved(path, offset, size, bits)


@pytest.mark.parametrize("text", ["device_registered", "Device Registered", "ET50.30.0"])
def test_names_that_only_one_field_has(text: str) -> None:
    found = resolve(layout("ET50", ONE_CLIENT), text)
    assert found == Resolved("clients[0].device_registered", 30, 1, (0, 0))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense", "no field nonsense"),
        ("device_registered", "say which element"),
        ("clients[2]", "2 elements"),
        ("32", "byte 32 is inside ET50.clients\\[0\\].icon_display_control\\[0\\]"),
        ("31.3", "no bit field"),
        ("30.7", "bit 7 of byte 30 has no meaning"),
        ("142", "142 bytes, no byte 142"),
        ("ET50.", "no field is named"),
        ("ET51.0", "no field path"),
        ("", "no field is named"),
    ],
)
def test_what_is_not_there(text: str, reason: str) -> None:
    with pytest.raises(PathError, match=reason):
        resolve(layout("ET50", TWO_CLIENTS), text)


def test_a_byte_of_flags_names_them_all() -> None:
    found = resolve(layout("BT21"), "BT21.1")
    assert (found.path, found.bits) == ("self_read_inhibit_overflow", None)
    assert found.names[-1] == "self_read_demand_reset"


def test_bits_of_a_word_count_on_into_its_second_byte() -> None:
    for text in ("4.10", "5.2", "extended_interval_status"):
        found = resolve(layout("BT60"), text)
        assert found == Resolved("extended_interval_status", 4, 2, (10, 10))


class Big(Record, byte_order="big"):
    low = flag(0, word=16)
    high = bits(9, 12, word=16)
    members = bitset(2)
    length = uint8()
    data = octets(this.length)
    after = uint8()


class Sibling(Record):
    one = nested(Big)


def test_big_endian_words_have_their_low_byte_last() -> None:
    big: Layout[Any] = bind(Big, Dims())
    assert resolve(big, "1.0").path == "low"
    assert resolve(big, "0.1").path == "high"


def test_members_of_sets_are_bits() -> None:
    assert resolve(bind(Big, Dims()), "3.1") == Resolved("members", 2, 2, (9, 9))
    assert resolve(bind(Sibling, Dims()), "3.1") == Resolved("one.members", 2, 2, (9, 9))
    with pytest.raises(PathError, match="no bit field"):
        resolve(bind(Big, Dims()), "2.16")


@pytest.mark.parametrize("text", ["5", "after", "6"])
def test_places_that_the_data_decides_are_refused(text: str) -> None:
    with pytest.raises(PathError, match="depends on the data"):
        resolve(bind(Big, Dims()), text)


def test_places_behind_data_of_any_length() -> None:
    big: Layout[Any] = bind(Big, Dims())
    record = big.decode(bytes.fromhex("1201 0180 03 aabbcc 07"))
    found = [(place.path, place.offset, place.size, place.bits) for place in places(big, record)]
    assert found == [
        ("low", 0, 2, (0, 0)),
        ("high", 0, 2, (9, 12)),
        ("members", 2, 2, None),
        ("length", 4, 1, None),
        ("data", 5, 3, None),
        ("after", 8, 1, None),
    ]
