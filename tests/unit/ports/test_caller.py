"""Conversations over a port: one after another, cancelled ones included."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from osgp.errors import LocalProtocolError, TransportError
from osgp.ports import Alert, Answered, Caller, Failed, PortEvent
from osgp.session import Exchange, Send, Wait


class Desk:
    """A port that is answered by hand."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.events: deque[PortEvent] = deque()

    def request(self, message: bytes, now: float) -> None:
        if len(message) > 9:
            raise LocalProtocolError("too long")
        self.asked.append(message)

    def receive(self, data: bytes, now: float) -> None:
        self.events.append(Answered(data))

    def data_to_send(self, now: float) -> bytes:
        return b""

    def next_timer(self) -> float | None:
        return None

    def handle_timer(self, now: float) -> None:
        pass

    def next_event(self) -> PortEvent | None:
        return self.events.popleft() if self.events else None


def asking(*messages: bytes, pause: float = 0.0) -> Exchange[list[bytes]]:
    answers = []
    for message in messages:
        if pause:
            yield Wait(pause)
        answer = yield Send(message)
        answers.append(answer)
    return answers


def bench() -> tuple[Desk, Caller]:
    desk = Desk()
    return desk, Caller(desk)


def test_a_conversation_asks_and_returns() -> None:
    desk, caller = bench()
    caller.start(asking(b"one", b"two"), 0.0)
    caller.receive(b"1", 0.1)
    caller.receive(b"2", 0.2)
    assert caller.result() == [b"1", b"2"]
    assert desk.asked == [b"one", b"two"]


def test_pauses() -> None:
    desk, caller = bench()
    caller.start(asking(b"one", pause=2.0), 10.0)
    assert (desk.asked, caller.next_timer()) == ([], 12.0)
    caller.handle_timer(12.0)
    assert desk.asked == [b"one"]
    assert caller.next_timer() is None


def test_failures_reach_the_conversation() -> None:
    desk, caller = bench()

    def patient() -> Exchange[str]:
        try:
            yield Send(b"one")
        except TransportError:
            return "caught"
        return "answered"

    caller.start(patient(), 0.0)
    desk.events.append(Failed(TransportError("silence")))
    caller.handle_timer(1.0)
    assert caller.result() == "caught"
    caller.start(asking(b"two"), 2.0)
    desk.events.append(Failed(TransportError("silence")))
    caller.handle_timer(3.0)
    with pytest.raises(TransportError):
        caller.result()


def test_other_events_are_handed_on() -> None:
    desk, caller = bench()
    caller.start(asking(b"one"), 0.0)
    desk.events.append(Alert())
    caller.handle_timer(1.0)
    assert caller.next_event() == Alert()
    assert not caller.finished


def test_a_message_that_the_port_refuses_ends_the_conversation() -> None:
    _, caller = bench()
    caller.start(asking(b"much too long"), 0.0)
    with pytest.raises(LocalProtocolError, match="too long"):
        caller.result()


def test_after_a_dropped_conversation_the_next_waits_for_its_turn() -> None:
    desk, caller = bench()
    caller.start(asking(b"old"), 0.0)
    caller.cancel()
    with pytest.raises(LocalProtocolError, match="cancelled"):
        caller.result()
    caller.start(asking(b"new"), 1.0)
    assert desk.asked == [b"old"]
    caller.receive(b"old answer", 2.0)
    assert desk.asked == [b"old", b"new"]
    caller.receive(b"new answer", 3.0)
    assert caller.result() == [b"new answer"]


def test_an_old_answer_does_not_end_a_pause() -> None:
    desk, caller = bench()
    caller.start(asking(b"old"), 0.0)
    caller.cancel()
    caller.start(asking(b"new", pause=5.0), 1.0)
    caller.receive(b"old answer", 2.0)
    assert not caller.finished
    caller.handle_timer(6.0)
    caller.receive(b"new answer", 7.0)
    assert caller.result() == [b"new answer"]
    assert desk.asked == [b"old", b"new"]


def test_one_conversation_at_a_time() -> None:
    _, caller = bench()
    caller.start(asking(b"one"), 0.0)
    with pytest.raises(LocalProtocolError):
        caller.start(asking(b"two"), 0.0)
    with pytest.raises(LocalProtocolError):
        caller.result()


def test_answers_to_nobody_are_dropped() -> None:
    desk, caller = bench()
    caller.receive(b"what?", 0.0)
    assert caller.next_event() is None
    assert desk.asked == []


def test_an_event_of_an_idle_port_is_seen() -> None:
    desk, caller = bench()
    event: Any = Alert()
    desk.events.append(event)
    assert caller.next_event() == event
