"""Bytes fetched in one go: the same bytes, in fewer requests."""

from __future__ import annotations

from collections.abc import Generator
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from osgp.run.reading.ahead import PIECE, ReadAhead, joined
from osgp.session import Exchange
from osgp.spec import tables

IMAGE = bytes(number * 7 % 251 for number in range(12_000))
SPANS = st.lists(
    st.tuples(st.integers(0, 9000), st.integers(1, 2500)).map(lambda at: (at[0], sum(at))),
    max_size=6,
)


class Paper:
    """A reader of one image; notes what was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def bytes_at(self, table: Any, offset: int, count: int) -> Exchange[bytes]:
        self.asked.append((offset, count))
        yield from ()
        return IMAGE[offset : offset + count]


def done(exchange: Generator[Any, bytes, Any]) -> Any:
    try:
        next(exchange)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits for something")


def ahead() -> tuple[ReadAhead, Paper]:
    paper = Paper()
    return ReadAhead(paper, tables["BT64"]), paper  # type: ignore[arg-type]


@given(SPANS, st.integers(0, 9000), st.integers(1, 2500))
def test_bytes_are_what_they_are(spans: list[tuple[int, int]], offset: int, count: int) -> None:
    reader, paper = ahead()
    done(reader.fetch(spans))
    fetched = len(paper.asked)
    assert done(reader.bytes_at(offset, count)) == IMAGE[offset : offset + count]
    inside = any(begin <= offset and offset + count <= end for begin, end in joined(spans))
    assert (len(paper.asked) == fetched) is inside
    assert all(size <= PIECE for _, size in paper.asked)


@given(SPANS)
def test_joined_spans_cover_the_same_and_do_not_touch(spans: list[tuple[int, int]]) -> None:
    covered = {byte for begin, end in spans for byte in range(begin, end)}
    whole = joined(spans)
    assert {byte for begin, end in whole for byte in range(begin, end)} == covered
    assert all(a[1] < b[0] for a, b in pairwise(whole))


def test_neighbours_are_one_request() -> None:
    reader, paper = ahead()
    done(reader.fetch([(100, 200), (0, 100), (500, 600)]))
    assert paper.asked == [(0, 200), (500, 100)]
