"""Drives one conversation (see `osgp.session.exchange`) over an EN 14908-1 stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from osgp.errors import OsgpError, TransportError
from osgp.lon.events import Completed, Outgoing, ResponseReceived
from osgp.lon.stack import Stack
from osgp.session import Exchange, Send, Wait


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


Via = Callable[[bytes], Outgoing]
"""How to send an APDU to the device: address, service, timers."""


class Conversation:
    """One script, one request on its way at a time. Over when `outcome` is set."""

    def __init__(self, script: Exchange[Any], via: Via, clock: Clock) -> None:
        self._script, self._via, self._clock = script, via, clock
        self._handle: int | None = None
        self._answer = b""
        self.wake: float | None = None
        self.outcome: Outcome | None = None
        self.link = LinkMeter()

    def start(self, stack: Stack, now: float) -> None:
        self._step(stack, now, lambda: next(self._script))

    def response(self, event: ResponseReceived) -> None:
        if event.handle == self._handle:
            self._answer = event.apdu
            self.link.responses += 1
            self.link.margins.append(event.margin_db)

    def completed(self, stack: Stack, event: Completed, now: float) -> None:
        if event.handle != self._handle:
            return
        self._handle = None
        self.link.retries += event.tries - 1
        if event.success:
            answer = self._answer
            self._step(stack, now, lambda: self._script.send(answer))
        else:
            self.link.failures += 1
            self._step(stack, now, lambda: self._script.throw(TransportError("no answer")))

    def tick(self, stack: Stack, now: float) -> None:
        """Goes on after a pause."""
        if self.wake is not None and now >= self.wake:
            self.wake = None
            self._step(stack, now, lambda: self._script.send(b""))

    def _step(self, stack: Stack, now: float, resume: Callable[[], Send | Wait]) -> None:
        self._clock.now = now
        try:
            wanted = resume()
        except StopIteration as stop:
            self.outcome = Outcome(stop.value)
        except OsgpError as error:
            self.outcome = Outcome(error=error)
        else:
            self._take(stack, now, wanted)

    def _take(self, stack: Stack, now: float, wanted: Send | Wait) -> None:
        match wanted:
            case Send(apdu):
                self.link.requests += 1
                self._handle = stack.send(self._via(apdu), now)
            case Wait(seconds):
                self.wake = now + seconds
