"""Searching through a registered device: the asking side of SEARCH and FETCH (see `atm`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from osgp.errors import DecodeError, OsgpError, RemoteProtocolError, ServiceError
from osgp.session import Exchange, Send, TableClient, Wait
from osgp.spec.services import ResponseCode
from osgp.wire import Layout, Record

from . import atm
from .discovery import Ask
from .links import Carrier

COLLECT: Final = 2.5
"""Seconds from SEARCH to the first FETCH: the query's own timer and some answers."""
MORE: Final = 1.5
MAX_FETCHES: Final = 12
"""FETCHes of one search: all pages of the most that a device keeps, and some of waiting."""


class FieldClient(TableClient):
    """A table client that can also have its device search for others.

    Both share the session: one key, one sequence of numbers.
    """

    def search(self, ask: Ask, idle: int) -> Exchange[list[atm.FoundDevice]]:
        """What the device hears in answer to `ask`; `idle` as in a query.

        Raises RemoteProtocolError (it does not do what was asked), and as `TableClient.read`.
        """
        request = atm.SearchRequest.make(
            command=atm.Command.SEARCH,
            salt=ask.salt,
            low=ask.range.low,
            high=ask.range.high,
            members=ask.members,
            secondary=ask.carrier is Carrier.SECONDARY,
            idle=idle,
        )
        started = yield from self._command(request, atm.SEARCH_RESPONSE)
        _check(started.salt == ask.salt)
        yield Wait(COLLECT)
        return (yield from self._fetch_all(ask.salt))

    def _fetch_all(self, salt: int) -> Exchange[list[atm.FoundDevice]]:
        found: list[atm.FoundDevice] = []
        for _ in range(MAX_FETCHES):
            request = atm.FetchRequest.make(command=atm.Command.FETCH, salt=salt, first=len(found))
            page = yield from self._command(request, atm.FETCH_RESPONSE)
            _check(page.salt == salt)
            found += page.found
            if len(found) < page.total and page.found:
                continue
            if not page.running:
                break
            yield Wait(MORE)
        return found

    def _command(self, request: Record, layout: Layout[Any]) -> Exchange[Any]:
        body = atm.COMMANDS[request.command].encode(request)  # type: ignore[attr-defined]  # every ATM message has it
        response = yield from _enveloped(self._exchange(self._head + body))
        if response[0] != ResponseCode.OK:
            raise ServiceError.from_code(response[0])
        try:
            return layout.decode(response)
        except DecodeError as error:
            raise RemoteProtocolError(f"a malformed ATM response: {error}") from error


def _enveloped(exchange: Exchange[bytes]) -> Exchange[bytes]:
    """The same conversation in ATM messages."""
    resume: Callable[[], Send | Wait] = partial(next, exchange)
    while True:
        try:
            wanted = resume()
        except StopIteration as stop:
            result: bytes = stop.value
            return result
        sent = Send(atm.ENVELOPE + wanted.apdu) if isinstance(wanted, Send) else wanted
        try:
            response = yield sent
        except OsgpError as error:
            resume = partial(exchange.throw, error)
        else:
            resume = partial(exchange.send, _opened(wanted, response))


def _opened(wanted: Send | Wait, response: bytes) -> bytes:
    if isinstance(wanted, Wait):
        return response
    if not response.startswith(atm.ENVELOPE):
        raise RemoteProtocolError("no ATM response")
    return response[len(atm.ENVELOPE) :]


def _check(expected: bool) -> None:
    if not expected:
        raise RemoteProtocolError("the device searched for something else")
