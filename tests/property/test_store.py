"""Whatever readings come, twice or in any order, the store ends up with the same records."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

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
    TableImage,
)
from osgp.headend.rows import pack_interval, pack_values, unpack_interval, unpack_values
from osgp.headend.schema import metadata
from osgp.headend.store import Store, open_store

METERS = (bytes(6), bytes.fromhex("0500a1b2c3d4"))
INT32 = st.integers(-(2**31), 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
UINT32 = st.integers(0, 2**32 - 1)
TIMES = st.floats(0, 2**32, allow_nan=False)
NIBBLES = st.integers(0, 15)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    channels = draw(st.integers(0, 16))
    values = draw(st.lists(INT32 | INT64, min_size=channels, max_size=channels))
    status = draw(st.lists(NIBBLES, min_size=channels, max_size=channels))
    return Interval(
        draw(st.integers(1, 4)), draw(UINT32), tuple(values), tuple(status), draw(NIBBLES)
    )


def some(records: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(records, max_size=3).map(tuple)


TABLES = st.integers(0, 4095)
OFFSETS = st.integers(0, 2**24 - 1)
DATA = st.binary(max_size=84)
READINGS = st.builds(
    Reading,
    neuron_id=st.sampled_from(METERS),
    read_at=TIMES,
    images=some(st.builds(TableImage, TABLES, OFFSETS, DATA, TIMES)),
    registers=some(
        st.builds(
            RegisterValue, TABLES, TEXTS, INT64, TEXTS, TIMES, st.none() | st.integers(0, 255)
        )
    ),
    channels=some(
        st.builds(
            ProfileChannels,
            st.integers(1, 4),
            st.lists(st.integers(0, 255), max_size=4).map(tuple),
            st.lists(TEXTS, max_size=4).map(tuple),
            st.integers(1, 1440),
        )
    ),
    blocks=some(st.builds(ProfileBlock, st.integers(1, 4), UINT32, OFFSETS, DATA, TIMES)),
    intervals=some(intervals()),
    events=some(
        st.builds(
            LoggedEvent, UINT32, UINT32, st.integers(0, 4095), INT64, st.integers(0, 65535), TEXTS
        )
    ),
    link=st.none()
    | st.builds(LinkSample, TIMES, *[st.integers(0, 999)] * 4, st.none() | TIMES, TIMES),
    cursor=st.none()
    | st.builds(Cursor, st.none() | UINT32, st.integers(0, 96), st.none() | UINT32),
)


def new_store() -> Store:
    store = open_store("sqlite://")
    for meter in METERS:
        store.save_device(Device(meter, bytes(8), "commissioned", 0.0))
    return store


def content(store: Store) -> dict[str, list[tuple[object, ...]]]:
    with store._reading() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(table.select())]
            for table in metadata.sorted_tables
        }


@settings(deadline=None, max_examples=60)
@given(st.lists(READINGS, min_size=1, max_size=3, unique_by=lambda r: r.read_at), st.data())
def test_storing_a_reading_twice_is_storing_it_once(
    readings: list[Reading], data: st.DataObject
) -> None:
    with new_store() as store:
        for reading in readings:
            store.store(reading)
        once = content(store)
        store.store(data.draw(st.sampled_from(readings)))
        assert content(store) == once


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 12)), min_size=1, max_size=6), st.data()
)
def test_overlapping_readings_in_any_order_leave_the_same_intervals(
    spans: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Each reading brings a stretch of one load profile, as visits that overlap do."""
    readings = [_visit(number, *span) for number, span in enumerate(spans)]
    shuffled = data.draw(st.permutations([*readings, *readings[:2]]))
    with new_store() as one, new_store() as other:
        for reading in readings:
            one.store(reading)
        for reading in shuffled:
            other.store(reading)
        assert list(one.intervals()) == list(other.intervals())
        wanted = sorted({n for first, count in spans for n in range(first, first + count)})
        assert [stored.interval for stored in one.intervals()] == [_interval(n) for n in wanted]
        assert one.cursor(METERS[0]) == other.cursor(METERS[0]) == readings[-1].cursor
        assert not one.conflicts and not other.conflicts


def _interval(n: int) -> Interval:
    return Interval(1, 900 * n, (n * n, -n), (n % 16, 0), n % 2)


def _visit(number: int, first: int, count: int) -> Reading:
    return Reading(
        METERS[0],
        1_000_000.0 + number,
        channels=(ProfileChannels(1, (0, 1), ("Wh", "Wh"), 15),),
        intervals=tuple(_interval(n) for n in range(first, first + count)),
        cursor=Cursor(number, count),
    )


@given(st.lists(INT32, max_size=16) | st.lists(INT64, max_size=16))
def test_packed_values_come_back(values: list[int]) -> None:
    assert unpack_values(pack_values(values), len(values)) == tuple(values)


@given(st.lists(INT32, min_size=1, max_size=16))
def test_values_of_a_load_profile_take_four_bytes_each(values: list[int]) -> None:
    assert len(pack_values(values)) == 4 * len(values)


@given(intervals())
def test_intervals_come_back(interval: Interval) -> None:
    row = pack_interval(interval)
    assert unpack_interval(*(row[name] for name in Interval.__struct_fields__)) == interval
