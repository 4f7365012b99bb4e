"""State machines as dictionaries: the code fires events, the docs draw the same dictionary."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Generic, TypeVar

from osgp.errors import LocalProtocolError

S = TypeVar("S", bound=Enum)
E = TypeVar("E", bound=Enum)

Transitions = Mapping[tuple[S, E], S]


class Machine(Generic[S, E]):
    """A state that moves only as its table says."""

    __slots__ = ("_table", "state")

    def __init__(self, table: Transitions[S, E], start: S) -> None:
        self._table, self.state = table, start

    def allows(self, event: E) -> bool:
        """Does the table know this event in the present state?"""
        return (self.state, event) in self._table

    def fire(self, event: E) -> S:
        """The state after `event`; LocalProtocolError if the table has no such transition."""
        target = self._table.get((self.state, event))
        if target is None:
            raise LocalProtocolError(f"{event.value} is not possible when {self.state.value}")
        self.state = target
        return target


def mermaid(table: Transitions[S, E], start: S) -> str:
    """A Mermaid state diagram of a transition table, its lines in the table's order."""
    lines = ["stateDiagram-v2", f"    [*] --> {_node(start)}"]
    lines += [f"    {_node(state)} : {state.value}" for state in type(start)]
    lines += [
        f"    {_node(before)} --> {_node(after)} : {event.value}"
        for (before, event), after in table.items()
    ]
    return "\n".join(lines)


def _node(state: Enum) -> str:
    return state.name.title().replace("_", "")
