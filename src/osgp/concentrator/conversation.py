"""Drives one conversation (see `osgp.session.exchange`) over an EN 14908-1 stack."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import msgspec

from osgp.errors import EncodeError, OsgpError, StoreError, TransportError
from osgp.lon.events import Completed, Outgoing, ResponseReceived
from osgp.lon.stack import Stack
from osgp.session import Exchange, Send, Wait

from .sink import LinkSample


class Clock:
    """The time of the step that is being taken, for scripts that stamp what they read."""

    __slots__ = ("now",)

    def __init__(self, now: float) -> None:
        self.now = now


class Outcome(msgspec.Struct, frozen=True):
    """What a conversation came to: its value, or the error that ended it."""

    value: Any = None
    error: OsgpError | None = None


class LinkMeter:
    """Counts what talking to one device cost."""

    __slots__ = ("failures", "margins", "requests", "responses", "retries")

    def __init__(self) -> None:
        self.requests = self.responses = self.retries = self.failures = 0
        self.margins: list[float] = []

    @property
    def margin_db(self) -> float | None:
        """Mean signal margin of the answers; None without any."""
        return sum(self.margins) / len(self.margins) if self.margins else None

    def sample(self, now: float) -> LinkSample:
        """All of it as a record."""
        counts = (self.requests, self.responses, self.retries, self.failures)
        return LinkSample(now, *counts, self.margin_db)


class Via(Protocol):
    """How APDUs get to the device and its answers back."""

    def message(self, apdu: bytes, now: float) -> Outgoing:
        """Address, service, timers of the next try. Raises EncodeError."""

    def heard(
        self, answer: bytes | None, tries: int, margin_db: float | None, now: float
    ) -> bytes | None:
        """The device's response, of what came back after `tries`; None: there is none."""


class Conversation:
    """One script, one request on its way at a time. Over when `outcome` is set.

    `StoreError` passes through: it is nothing that the device did.
    """

    def __init__(self, script: Exchange[Any], via: Via, clock: Clock) -> None:
        self._script, self._via, self._clock = script, via, clock
        self._handle: int | None = None
        self._answer: bytes | None = None
        self._margin: float | None = None
        self.wake: float | None = None
        self.outcome: Outcome | None = None
        self.link = LinkMeter()

    @property
    def over(self) -> bool:
        return self.outcome is not None

    def start(self, stack: Stack, now: float) -> None:
        self._step(stack, now, partial(next, self._script))

    def response(self, event: ResponseReceived) -> None:
        if event.handle == self._handle:
            self._answer, self._margin = event.apdu, event.margin_db
            self.link.responses += 1
            self.link.margins.append(event.margin_db)

    def completed(self, stack: Stack, event: Completed, now: float) -> None:
        if event.handle != self._handle:
            return
        self._handle = None
        self.link.retries += event.tries - 1
        answer = self._answer if event.success else None
        answer = self._via.heard(answer, event.tries, self._margin, now)
        if answer is not None:
            self._step(stack, now, partial(self._script.send, answer))
        else:
            self.link.failures += 1
            self._step(stack, now, partial(self._script.throw, TransportError("no answer")))

    def tick(self, stack: Stack, now: float) -> None:
        """Goes on after a pause."""
        if self.wake is not None and now >= self.wake:
            self.wake = None
            self._step(stack, now, partial(self._script.send, b""))

    def _step(self, stack: Stack, now: float, resume: Callable[[], Send | Wait]) -> None:
        self._clock.now = now
        try:
            wanted = resume()
        except StopIteration as stop:
            self.outcome = Outcome(stop.value)
        except StoreError:
            raise
        except OsgpError as error:
            self.outcome = Outcome(error=error)
        else:
            self._take(stack, now, wanted)

    def _take(self, stack: Stack, now: float, wanted: Send | Wait) -> None:
        match wanted:
            case Send(apdu):
                self._send(stack, apdu, now)
            case Wait(seconds):
                self.wake = now + seconds

    def _send(self, stack: Stack, apdu: bytes, now: float) -> None:
        """A message that no chain has room for is the script's to make shorter."""
        self.link.requests += 1
        self._answer = self._margin = None
        try:
            self._handle = stack.send(self._via.message(apdu, now), now)
        except EncodeError as error:
            self._step(stack, now, partial(self._script.throw, error))
