"""Devices that have the key and lie: they cost a bounded number of requests and one error."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osgp.errors import DecodeError, OsgpError, RemoteProtocolError
from osgp.security.suite import OmaClient
from osgp.session import TableClient
from osgp.session.procedures import POLLS, call
from osgp.session.reader import MAX_WHOLE, DeviceReader
from osgp.spec import tables
from osgp.spec.procedures.basic import UpdateLastReadEntry
from osgp.spec.services import PLC_LIMITS
from tests.support.conversations import KEY, SCOPE, Device, Liar, Line, ToyTables
from tests.support.images import images_of

MOST = MAX_WHOLE // PLC_LIMITS.read + 200
"""Requests that the worst table may cost, with everything that is read before it."""

NAMES = ("BT00", "BT01", "BT21", "BT22", "BT23", "BT27", "BT28", "BT61", "BT62", "BT63", "BT64",
         "ET21", "BT71", "BT74")  # fmt: skip


def client() -> TableClient:
    return TableClient(OmaClient(KEY, SCOPE))


@pytest.mark.parametrize(
    "body",
    [
        b"\x00",
        b"\x00\x00",
        b"\x00\x00\x0a",
        b"\x00\x00\x0a" + bytes(9),
        b"\x00\x00\x0a" + bytes(11),
        b"\x00\x00\x09" + bytes(9),
        b"\x00\xff\xff" + bytes(10),
    ],
)
def test_answers_of_the_wrong_length(body: bytes) -> None:
    line = Line(Liar(body).answer)
    with pytest.raises((DecodeError, RemoteProtocolError)):
        line.run(client().read(23, 0, 10))
    assert len(line.sent) == 1


@given(st.lists(st.binary(min_size=1, max_size=90), min_size=1, max_size=6))
@settings(deadline=None, max_examples=60)
def test_any_authenticated_answers_end_a_call(bodies: list[bytes]) -> None:
    line = Line(Liar(*bodies).answer, most=2 * (POLLS + 1))
    with suppress(OsgpError):
        line.run(call(client(), UpdateLastReadEntry(1, 1), 1))


class Endless(ToyTables):
    """Every table is there, and as long as anybody asks, filled with one byte."""

    def __init__(self, fill: int) -> None:
        super().__init__()
        self.fill = fill

    def read(self, table: int, offset: int, count: int | None, key: str, now: float) -> bytes:
        return bytes([self.fill]) * (PLC_LIMITS.read if count is None else count)


@pytest.mark.parametrize("fill", [0x00, 0x01, 0x7F, 0x80, 0xFF])
def test_endless_tables_end(fill: int) -> None:
    there = Device(Endless(fill))
    for name in tables:
        line = there.line(most=MOST)
        try:
            line.run(DeviceReader(there.client).table(name))
        except OsgpError as error:
            assert str(error)


class Odd(ToyTables):
    """A device like any other, but that one table is not what it should be."""

    def __init__(self, name: str, image: bytes) -> None:
        super().__init__(images_of(NAMES))
        self.images[tables[name].info.number][:] = image


@given(st.sampled_from(NAMES), st.sampled_from(NAMES), st.data())
@settings(deadline=None, max_examples=80)
def test_one_strange_table_is_at_most_one_error(odd: str, wanted: str, data: st.DataObject) -> None:
    right = images_of(NAMES)[tables[odd].info.number]
    kind = data.draw(st.sampled_from(("short", "noise", "ones")))
    image = {
        "short": right[: data.draw(st.integers(0, max(0, len(right) - 1)))],
        "noise": data.draw(st.binary(min_size=len(right), max_size=len(right))),
        "ones": b"\xff" * len(right),
    }[kind]
    there = Device(Odd(odd, image))
    line = there.line(most=MOST)
    try:
        line.run(DeviceReader(there.client).table(wanted))
    except OsgpError as error:
        assert "\n" not in str(error)


def test_a_table_said_to_be_longer_than_any_is_not_read() -> None:
    """BT21 with every dimension at its most: half a mebibyte of registers."""
    there = Device(Odd("BT21", b"\xff" * 10))
    line = there.line()
    with pytest.raises(OsgpError, match=r"BT23.*bytes"):
        line.run(DeviceReader(there.client).table("BT23"))
    assert len(line.sent) < 20


class Growing(ToyTables):
    """BT00 announces more with every look."""

    def read(self, table: int, offset: int, count: int | None, key: str, now: float) -> bytes:
        self.reads += 1
        return bytes([min(255, 10 * self.reads)]) * (count or 0)


def test_a_table_that_grows_while_it_is_read_ends() -> None:
    there = Device(Growing())
    line = there.line(most=100)
    try:
        line.run(DeviceReader(there.client).table("BT00"))
    except OsgpError as error:
        assert isinstance(error, DecodeError | RemoteProtocolError)
