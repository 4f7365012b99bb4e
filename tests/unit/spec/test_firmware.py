"""Firmware versions: what a field's `since` means for meters, older branches and modules."""

from __future__ import annotations

from typing import Any

import pytest

from osgp.spec import tables
from osgp.spec.firmware import has, packed_version, since, str_of, version
from osgp.wire import Dims


def reached(firmware: tuple[int, ...], *meter: str, cpm: str | None = None) -> bool:
    return firmware >= since(*meter, cpm=cpm)


@pytest.mark.parametrize(
    ("firmware", "expected"),
    [
        ((3, 13, 0), True),
        ((3, 19), True),
        ((3, 12, 31), False),
        ((3, 20), False),
        ((3, 79), False),
        ((3, 80), True),
        ((4, 0), True),
        ((0, 1, 32), False),
    ],
)
def test_a_change_that_reached_an_older_branch(firmware: tuple[int, ...], expected: bool) -> None:
    assert reached(firmware, "3.13", "3.80") is expected
    assert (firmware < since("3.13", "3.80")) is not expected


def test_modules_count_on_their_own_line() -> None:
    assert reached((0, 1, 20), "3.70", cpm="1.20")
    assert not reached((0, 1, 19), "3.70", cpm="1.20")
    assert not reached((1, 20), "3.70", cpm="1.20")
    assert reached((0, 1, 32), cpm="1.11")
    assert not reached((4, 30), cpm="1.11")


def test_versions_as_text() -> None:
    assert version("2.10q") == (2, 10, 17)
    assert version("3.70") == (3, 70)
    assert str_of((3, 70, 5)) == "3.70.05"
    assert str(since("3.70", cpm="1.20")) == "CPM 1.20; 3.70"
    with pytest.raises(ValueError, match="invalid literal"):
        version("new")


def test_the_packed_version_of_bt01() -> None:
    assert packed_version(0x30, 0x18) == (3, 0, 24)


def test_sizes_that_grew() -> None:
    assert str(has("4.0")) == "[firmware from 4.00]"
    dims = {"BT60": {"data_sets": ({"number_of_channels": 0},)}}
    old = tables["ET62"].bind(Dims(dims, firmware=(3, 50)))
    new = tables["ET62"].bind(Dims(dims, firmware=(4, 0)))
    module = tables["ET62"].bind(Dims(dims, firmware=(0, 1, 10)))
    assert old.span("list_id_code").size == 4
    assert new.span("list_id_code").size == 5
    assert module.size == old.size == 21


def test_fields_in_place_shift_nothing() -> None:
    """ET04 byte 67 means nothing from 4.0 on; what follows stays where it is."""
    for firmware in ((2, 0), (3, 70), (4, 10), (0, 1, 10)):
        layout = tables["ET04"].bind(Dims(firmware=firmware))
        assert layout.span("rk_bp10_and_ep16_access").offset == 71
        assert layout.span("plc_signal_quality_status").offset == 90


def test_a_field_of_later_firmware_is_none() -> None:
    old = tables["ET04"].bind(Dims(firmware=(3, 10)))
    image: Any = old.blank()
    assert image.security_mode is None
    assert old.encode(image) == bytes(121)
