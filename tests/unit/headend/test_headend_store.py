"""The store keeps what it is given, once, on SQLite and on PostgreSQL.

For PostgreSQL set OSGP_TEST_POSTGRESQL to the URL of a database in which schemas may be made.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from osgp.concentrator.sink import (
    Cursor,
    Device,
    Interval,
    LinkSample,
    LoggedEvent,
    ProfileBlock,
    ProfileChannels,
    Reading,
    RegisterValue,
    Sink,
    TableImage,
)
from osgp.errors import LocalProtocolError, StoreError
from osgp.headend.results import Coverage, LinkSummary, Run
from osgp.headend.store import Store, open_store

POSTGRESQL = os.environ.get("OSGP_TEST_POSTGRESQL", "")
NO_POSTGRESQL = pytest.mark.skipif(not POSTGRESQL, reason="OSGP_TEST_POSTGRESQL is not set")

ONE, TWO = bytes.fromhex("0500a1b2c3d4"), bytes.fromhex("0500a1b2c3d5")
T0 = 1_704_067_200
"""2024-01-01 00:00:00 UTC."""
CHANNELS = ProfileChannels(1, (0, 1), ("Wh", "Wh"), 15)

READING = Reading(
    neuron_id=ONE,
    read_at=T0 + 3600.25,
    images=(
        TableImage(23, 0, b"\x01\x02", T0 + 3600.25),
        TableImage(23, 84, b"\x03", T0 + 3600.25),
    ),
    registers=(
        RegisterValue(23, "current.summations[0]", 2**31 - 1, "Wh", T0 + 3600.25, 0),
        RegisterValue(28, "present[0]", -5, "W", T0 + 3600.25),
    ),
    channels=(CHANNELS,),
    blocks=(ProfileBlock(1, 2**32 - 1, 5, b"\xff" * 84, T0 + 3600.25),),
    intervals=tuple(Interval(1, T0 + 900 * n, (100 * n, 0), (0, 4), 1) for n in range(1, 5)),
    events=(
        LoggedEvent(70_000, T0 + 10, 2, 3, 0xFFFF, "power up"),
        LoggedEvent(70_001, T0 + 20, 68, 6, 0xFFFE),
    ),
    link=LinkSample(T0 + 3600.25, 12, 11, 2, 1, 9.5, 4.25),
    cursor=Cursor(3, 4, 70_001),
)


def _device(neuron_id: bytes = ONE, **changes: object) -> Device:
    device = Device(neuron_id, bytes(8), "commissioned", T0 + 0.5, b"\x0a", 2, 7, identity="4711")
    return msgspec.structs.replace(device, **changes)


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    schema = f"osgp_{uuid4().hex}"
    engine = sa.create_engine(POSTGRESQL)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(schema))
    url = sa.make_url(POSTGRESQL).update_query_dict({"options": f"-csearch_path={schema}"})
    yield url.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(sa.schema.DropSchema(schema, cascade=True))
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=NO_POSTGRESQL)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/x.db"
    found: str = request.getfixturevalue("postgresql_url")
    return found


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_store(url, clock=iter((1.0, 2.0)).__next__) as store:
        store.save_device(_device())
        yield store


def test_store_is_a_sink(store: Store) -> None:
    sink: Sink = store
    assert sink.cursor(ONE) == Cursor()
    assert sink.devices() == [_device()]


def test_saved_device_replaces_what_was_known_of_it(store: Store) -> None:
    store.save_device(_device(TWO, commissioned_at=None, domain=b""))
    store.save_device(_device(sequence=2**32 - 1, last_contact=T0 + 99.0, node=8))
    assert store.devices() == [
        _device(sequence=2**32 - 1, last_contact=T0 + 99.0, node=8),
        _device(TWO, domain=b""),
    ]


def test_a_reading_comes_back_as_it_was_stored(url: str, store: Store) -> None:
    store.store(READING)
    store.close()
    with open_store(url, create=False) as store:
        assert [image for _, image in store.images(ONE)] == list(READING.images)
        assert [register for _, register in store.registers()] == list(READING.registers)
        assert [stored.interval for stored in store.intervals()] == list(READING.intervals)
        assert {stored.channels for stored in store.intervals()} == {CHANNELS}
        assert [event for _, event in store.events()] == list(READING.events)
        assert store.channels(ONE) == CHANNELS
        assert store.cursor(ONE) == READING.cursor
        assert {stored.device for stored in store.intervals()} == {ONE}


def test_storing_twice_is_storing_once(store: Store) -> None:
    store.store(READING)
    once = store.counts()
    store.store(READING)
    assert store.counts() == once
    assert not store.conflicts
    assert once["intervals"] == 4 and once["table_images"] == 2 and once["profile_blocks"] == 1


def test_another_value_under_the_same_key_is_kept_out_and_told(store: Store) -> None:
    store.store(READING)
    before = list(store.intervals())
    other = Interval(1, T0 + 900, (101, 0), (0, 4), 1)
    worded = msgspec.structs.replace(READING.events[0], name="Netz ein")
    changed = msgspec.structs.replace(READING, intervals=(other,), events=(worded,), registers=())
    with capture_logs() as logs:
        store.store(changed)
    assert list(store.intervals()) == before
    assert store.conflicts == {"intervals": 1}
    told = {"event": "store.conflicts", "log_level": "warning", "device": ONE.hex()}
    assert logs == [told | {"intervals": 1}]


def test_of_two_values_within_one_reading_the_first_stays(store: Store) -> None:
    twice = (Interval(1, T0, (1,), (0,)), Interval(1, T0, (2,), (0,)))
    store.store(Reading(ONE, T0 + 1.0, intervals=twice))
    assert [stored.interval for stored in store.intervals()] == [twice[0]]
    assert store.conflicts == {"intervals": 1}


def test_cursor_follows_the_newest_reading(store: Store) -> None:
    newer = Reading(ONE, READING.read_at + 900, cursor=Cursor(0, 1, None))
    store.store(READING)
    store.store(newer)
    store.store(READING)
    assert store.cursor(ONE) == newer.cursor
    assert store.cursor(TWO) == Cursor()


def test_interval_keeps_the_channels_of_its_time(store: Store) -> None:
    again = ProfileChannels(1, (1,), ("Wh",), 30)
    store.store(READING)
    late = Interval(1, T0 + 7200, (9,), (0,))
    store.store(Reading(ONE, T0 + 7201.0, channels=(again,), intervals=(late,)))
    later = Interval(1, T0 + 9000, (10,), (0,))
    store.store(Reading(ONE, T0 + 9001.0, intervals=(later,)))
    known = [stored.channels for stored in store.intervals()]
    assert known == [CHANNELS] * 4 + [again] * 2
    assert store.channels(ONE) == again
    assert [series.values.tolist() for series in store.series(1)] == [[0] * 4, [9, 10]]


def test_interval_without_known_channels_is_kept(store: Store) -> None:
    store.store(Reading(ONE, T0 + 1.0, intervals=READING.intervals))
    assert {stored.channels for stored in store.intervals()} == {None}
    assert list(store.series(0)) == []


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 2**63 - 1, -(2**63)])
def test_interval_values_wider_than_the_rest(store: Store, value: int) -> None:
    wide = Interval(1, T0 + 4500, (value, 0), (0, 0))
    store.store(READING)
    store.store(Reading(ONE, T0 + 4501.0, intervals=(wide,)))
    assert [stored.interval for stored in store.intervals()][-1] == wide
    (series,) = store.series(0)
    assert series.values.tolist() == [100, 200, 300, 400, value]
    assert (series.unit, series.interval_seconds) == ("Wh", 900)
    assert series.ends.tolist() == [T0 + 900 * n for n in range(1, 6)]


def test_periods(store: Store) -> None:
    store.store(READING)
    period = (T0 + 900, T0 + 2700)
    assert [s.interval.end - T0 for s in store.intervals(ONE, *period)] == [1800, 2700]
    assert [s.ends.tolist() for s in store.series(0, start=period[0], end=period[1])] == [
        [T0 + 1800, T0 + 2700]
    ]
    assert [event.sequence for _, event in store.events(None, T0 + 10, T0 + 20)] == [70_000]
    assert list(store.registers(None, None, READING.read_at)) == []
    assert len(list(store.registers(None, READING.read_at, None))) == 2
    assert [register.table for _, register in store.registers(table=28)] == [28]
    assert list(store.images(TWO)) == []


def test_latest_registers(store: Store) -> None:
    store.store(READING)
    newer = msgspec.structs.replace(READING.registers[0], value=7, read_at=T0 + 7200.0)
    store.store(Reading(ONE, T0 + 7200.0, registers=(newer,)))
    assert [r for _, r in store.latest_registers()] == [newer, READING.registers[1]]
    assert [r for _, r in store.latest_registers(ONE, table=23)] == [newer]


def test_coverage_counts_missing_intervals_of_every_device(store: Store) -> None:
    store.save_device(_device(TWO))
    store.store(READING)
    assert store.interval_coverage(T0, T0 + 7200) == [
        Coverage(ONE, 8, 4, T0 + 900, T0 + 3600),
        Coverage(TWO, 8, 0, None, None),
    ]
    assert [c.missing for c in store.interval_coverage(T0, T0 + 3600)] == [0, 4]
    assert [c.missing for c in store.interval_coverage(T0 + 1, T0 + 899)] == [0, 0]


def test_link_summary_adds_up(store: Store) -> None:
    store.store(READING)
    sample = LinkSample(T0 + 7200.0, 8, 8, 0, 0, None, 1.75)
    store.store(Reading(ONE, T0 + 7200.0, link=sample))
    worse = LinkSample(T0 + 9000.0, 1, 1, 0, 0, 4.5, 0.0)
    store.store(Reading(ONE, T0 + 9000.0, link=worse))
    assert store.link_summary() == [LinkSummary(ONE, 3, 21, 20, 2, 1, 6.0, 7.0, 4.5, T0 + 9000.0)]


def test_runs(store: Store) -> None:
    number = store.begin_run({"seed": 7, "start": T0})
    assert store.runs() == [Run(number, 1.0, None, {"seed": 7, "start": T0}, None)]
    store.finish_run({"missing": 0})
    assert store.runs() == [Run(number, 1.0, 2.0, {"seed": 7, "start": T0}, {"missing": 0})]
    with pytest.raises(LocalProtocolError):
        store.finish_run({})


REFUSED = {
    "unknown device": Reading(TWO, T0 + 1.0),
    "status for one of two values": Reading(ONE, 1.0, intervals=(Interval(1, 0, (1, 2), (0,)),)),
    "status of nine bits": Reading(ONE, 1.0, intervals=(Interval(1, 0, (1,), (256,)),)),
    "value of 65 bits": Reading(ONE, 1.0, intervals=(Interval(1, 0, (2**63,), (0,)),)),
    "register of 65 bits": Reading(ONE, 1.0, registers=(RegisterValue(23, "a", 2**64, "", 1.0),)),
    "argument of 65 bits": Reading(ONE, 1.0, events=(LoggedEvent(1, 1, 1, 2**64, 0),)),
    "end after the year 9999": Reading(ONE, 1.0, intervals=(Interval(1, 2**60, (1,), (0,)),)),
    "read at no time": Reading(ONE, float("nan")),
    "half a surrogate": Reading(ONE, 1.0, events=(LoggedEvent(1, 1, 1, 0, 0, "\ud800"),)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_row_can_hold_is_refused_whole(store: Store, name: str) -> None:
    bad = msgspec.structs.replace(REFUSED[name], images=(TableImage(0, 0, b"", 1.0),))
    before = store.counts()
    with pytest.raises(StoreError) as refused:
        store.store(bad)
    assert "\n" not in str(refused.value)
    assert store.counts() == before


def test_a_run_that_is_no_json_is_refused(store: Store) -> None:
    with pytest.raises(StoreError):
        store.begin_run({"key": b"bytes"})


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    store.close()
    for ask in (
        store.devices,
        store.counts,
        lambda: store.store(READING),
        lambda: [*store.events()],
    ):
        with pytest.raises(StoreError, match="closed"):
            ask()


def test_two_writers_take_turns(url: str, store: Store) -> None:
    def write(first: int) -> None:
        with open_store(url) as other:
            for n in range(first, first + 20):
                interval = Interval(1, T0 + 900 * n, (n,), (0,))
                other.store(Reading(ONE, T0 + n * 1.0, intervals=(interval,)))

    writers = [threading.Thread(target=write, args=(first,)) for first in (0, 10)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [stored.interval.values for stored in store.intervals()] == [(n,) for n in range(30)]
