"""The states of an exchange of one request and one response, for both roles.

Clause 9.2 matches requests and responses one to one: a client has one request on its way, a
device executes one at a time. What can happen:

Client  IDLE --ask--> AWAITING --answer--> IDLE. A device that expected another sequence number
        says so (0C) and the client asks again with that number, once: RESYNCING; a second 0C ends
        the exchange, so that two sides that disagree for ever do not talk for ever. Silence and
        answers that do not verify end it too. Repeating the same bytes after silence is a new
        exchange of the same request.
Server  IDLE --request--> JUDGING. A request that is refused (0B, 0C) or a repetition is answered
        without executing anything; an accepted one is executed exactly once, then answered.
"""

from __future__ import annotations

from enum import Enum, auto

from osgp.errors import LocalProtocolError


class State(Enum):
    IDLE = auto()
    AWAITING = auto()
    RESYNCING = auto()
    AWAITING_AGAIN = auto()
    JUDGING = auto()
    EXECUTING = auto()


class Event(Enum):
    ASK = auto()
    ANSWER = auto()
    OUT_OF_SEQUENCE = auto()
    NO_ANSWER = auto()
    UNVERIFIED = auto()
    REQUEST = auto()
    ACCEPTED = auto()
    REFUSED = auto()
    REPEATED = auto()
    EXECUTED = auto()


CLIENT: dict[tuple[State, Event], State] = {
    (State.IDLE, Event.ASK): State.AWAITING,
    (State.AWAITING, Event.ANSWER): State.IDLE,
    (State.AWAITING, Event.OUT_OF_SEQUENCE): State.RESYNCING,
    (State.AWAITING, Event.NO_ANSWER): State.IDLE,
    (State.AWAITING, Event.UNVERIFIED): State.IDLE,
    (State.RESYNCING, Event.ASK): State.AWAITING_AGAIN,
    (State.AWAITING_AGAIN, Event.ANSWER): State.IDLE,
    (State.AWAITING_AGAIN, Event.OUT_OF_SEQUENCE): State.IDLE,
    (State.AWAITING_AGAIN, Event.NO_ANSWER): State.IDLE,
    (State.AWAITING_AGAIN, Event.UNVERIFIED): State.IDLE,
}

SERVER: dict[tuple[State, Event], State] = {
    (State.IDLE, Event.REQUEST): State.JUDGING,
    (State.JUDGING, Event.ACCEPTED): State.EXECUTING,
    (State.JUDGING, Event.REFUSED): State.IDLE,
    (State.JUDGING, Event.REPEATED): State.IDLE,
    (State.EXECUTING, Event.EXECUTED): State.IDLE,
}


class Machine:
    """Follows one role's table; LocalProtocolError for an event the state does not allow."""

    __slots__ = ("_table", "state")

    def __init__(self, table: dict[tuple[State, Event], State]) -> None:
        self._table, self.state = table, State.IDLE

    def fire(self, event: Event) -> State:
        target = self._table.get((self.state, event))
        if target is None:
            raise LocalProtocolError(f"{event.name} in state {self.state.name}")
        self.state = target
        return target
