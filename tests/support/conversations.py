"""Drives conversations against a device in memory, on a line that loses and damages messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum, auto
from itertools import chain, repeat
from typing import TypeVar

from osgp.errors import InappropriateActionRequested, OperationNotPossible, TransportError
from osgp.security.omak import PlcScope
from osgp.security.suite import OmaClient, OmaServer
from osgp.session import Exchange, Send, TableClient, TableServer

T = TypeVar("T")
KEY = bytes(range(1, 13))
SCOPE = PlcScope(1, 2)
Answer = Callable[[bytes], bytes | None]


class Fault(Enum):
    """What happens to one request and its response."""

    NONE = auto()
    REQUEST_LOST = auto()
    RESPONSE_LOST = auto()
    REQUEST_TWICE = auto()
    REQUEST_DAMAGED = auto()
    RESPONSE_DAMAGED = auto()


class Line:
    """Carries requests to `answer`; `faults` strike one after another, then the line is sound.

    Refuses to go on after `most` requests: whoever asks more often than that asks for ever.
    """

    def __init__(self, answer: Answer, faults: Iterable[Fault] = (), most: int = 1_000) -> None:
        self._answer, self._most = answer, most
        self._faults = chain(faults, repeat(Fault.NONE))
        self.sent: list[bytes] = []
        self.waited = 0.0

    def run(self, talk: Exchange[T]) -> T:
        """The conversation's result; its errors pass through."""
        try:
            step = next(talk)
            while True:
                if isinstance(step, Send):
                    response = self._carry(step.apdu)
                    silent = TransportError("no answer")
                    step = talk.throw(silent) if response is None else talk.send(response)
                else:
                    self.waited += step.seconds
                    step = talk.send(b"")
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # what a generator returns has no type

    def _carry(self, request: bytes) -> bytes | None:
        self.sent.append(request)
        assert len(self.sent) <= self._most, "asks for ever"
        match next(self._faults):
            case Fault.REQUEST_LOST:
                return None
            case Fault.RESPONSE_LOST:
                self._answer(request)
                return None
            case Fault.REQUEST_TWICE:
                self._answer(request)
                return self._answer(request)
            case Fault.REQUEST_DAMAGED:
                return self._answer(damaged(request))
            case Fault.RESPONSE_DAMAGED:
                response = self._answer(request)
                return None if response is None else damaged(response)
        return self._answer(request)


def damaged(message: bytes) -> bytes:
    """One bit in the middle is wrong."""
    middle = len(message) // 2
    return message[:middle] + bytes((message[middle] ^ 4,)) + message[middle + 1 :]


class ToyTables:
    """Tables as plain bytes. Remembers every write that was executed, to see doubles."""

    def __init__(self, images: dict[int, bytes] | None = None) -> None:
        self.images = {number: bytearray(image) for number, image in (images or {}).items()}
        self.reads = 0
        self.writes: list[tuple[int, int | None, bytes]] = []

    def read(self, table: int, offset: int, count: int | None, key: str, now: float) -> bytes:
        self.reads += 1
        image = self._image(table)
        end = len(image) if count is None else offset + count
        if end > len(image):
            raise OperationNotPossible("beyond the end")
        return bytes(image[offset:end])

    def write(self, table: int, offset: int | None, data: bytes, key: str, now: float) -> None:
        image = self._image(table)
        self.writes.append((table, offset, data))
        if offset is None:
            image[:] = data
        elif offset + len(data) > len(image):
            raise OperationNotPossible("beyond the end")
        else:
            image[offset : offset + len(data)] = data

    def _image(self, table: int) -> bytearray:
        if table not in self.images:
            raise InappropriateActionRequested(f"no table {table}")
        return self.images[table]


class Device:
    """A table server with its security, and the client that has its key."""

    def __init__(self, tables: ToyTables, *, key: bytes = KEY, last: int = 0) -> None:
        self.tables = tables
        self.server = TableServer(OmaServer(KEY, SCOPE, last=last), tables)
        self.client = TableClient(OmaClient(key, SCOPE))

    def answer(self, request: bytes) -> bytes | None:
        return self.server.receive(request, 0.0)

    def line(self, faults: Iterable[Fault] = (), most: int = 1_000) -> Line:
        return Line(self.answer, faults, most)


class Liar:
    """Has the key, and answers every request with the next of `bodies`, the last one for ever."""

    def __init__(self, *bodies: bytes) -> None:
        self._security = OmaServer(KEY, SCOPE)
        self._bodies = list(bodies)

    def answer(self, request: bytes) -> bytes | None:
        opened = self._security.open_request(request)
        if opened.reply is not None:
            return opened.reply
        body = self._bodies.pop(0) if len(self._bodies) > 1 else self._bodies[0]
        return self._security.seal_response(opened, b"\x00" + body)
