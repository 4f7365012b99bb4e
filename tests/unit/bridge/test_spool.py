"""Neither lost nor repeated: the spool against a broker whose line breaks at any moment."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osgp.errors import StoreError
from osgp.run.bridge.spool import Spool

METERS = ("a", "b")


class Broker:
    """Keeps all it got, and what it retains."""

    def __init__(self) -> None:
        self.got: list[tuple[str, int]] = []
        self.retained: dict[str, dict[str, object]] = {}

    def take(self, meter: str, payload: bytes) -> None:
        body = msgspec.json.decode(payload)
        self.got.append((meter, body["reading"]))
        self.retained[meter] = body


READ = st.tuples(st.just("read"), st.sampled_from(METERS))
DELIVER = st.tuples(st.just("deliver"), st.sampled_from(("arrives", "unseen", "lost")))
CRASH = st.tuples(st.just("crash"), st.just(""))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(READ, DELIVER, CRASH), max_size=40))
def test_every_reading_arrives_once_and_in_order(steps: list[tuple[str, str]]) -> None:
    """`unseen`: the broker has it, but the acknowledgement is lost with the connection."""
    broker, made = Broker(), list[tuple[str, int]]()
    with TemporaryDirectory() as directory:
        file = Path(directory) / "spool.sqlite"
        spool = Spool(file, 1000)
        for what, how in steps:
            if what == "read":
                made.append((how, len(made)))
                spool.add(how, msgspec.json.encode({"reading": len(made) - 1}))
            elif what == "crash":
                spool.close()
                spool = Spool(file, 1000)
                _recall(spool, broker)
            else:
                _deliver(spool, broker, how)
        _recall(spool, broker)
        while _deliver(spool, broker, "arrives"):
            pass
        spool.close()
    assert broker.got == made


def _recall(spool: Spool, broker: Broker) -> None:
    for meter, body in broker.retained.items():
        spool.has_arrived(meter, int(str(body["number"])), str(body["spool"]))


def _deliver(spool: Spool, broker: Broker, how: str) -> bool:
    one = spool.oldest()
    if one is None or how == "lost":
        return False
    broker.take(one.meter, one.payload)
    if how == "arrives":
        spool.delivered(one.number)
    else:
        _recall(spool, broker)
    return True


def test_a_new_spool_is_not_mistaken_for_an_old_one(tmp_path: Path) -> None:
    """The broker retains number 500 of a spool that was deleted: nothing new is dropped."""
    spool = Spool(tmp_path / "new.sqlite", 10)
    spool.add("a", b'{"x":1}')
    spool.has_arrived("a", 500, "another")
    assert len(spool) == 1
    spool.has_arrived("a", 500, spool.name)
    assert len(spool) == 0
    spool.close()


def test_numbers_go_on(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    spool = Spool(path, 10)
    first = spool.add("a", b'{"x":1}')
    spool.delivered(first)
    spool.close()
    again = Spool(path, 10)
    assert again.add("a", b'{"x":1}') == first + 1
    one = again.oldest()
    assert one is not None
    body = msgspec.json.decode(one.payload)
    assert (body["number"], body["spool"], body["x"]) == (first + 1, again.name, 1)
    again.close()


def test_the_oldest_go_when_it_is_full(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.sqlite", 3)
    numbers = [spool.add("a", b'{"x":1}') for _ in range(5)]
    assert len(spool) == 3
    assert spool.dropped == 2
    one = spool.oldest()
    assert one is not None
    assert one.number == numbers[2]
    spool.close()


def test_a_file_that_is_no_spool(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    path.write_bytes(b"not a database, and long enough to be looked at" * 40)
    with pytest.raises(StoreError):
        Spool(path, 3)
