"""A client's session on the optical port, as conversations: log on, read, log off.

`OpticalSession.tables` has the methods of every other port's client and exists as long as the
session object; `open` fits its limits to what meter and port negotiated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from osgp.errors import (
    DecodeError,
    InvalidServiceSequenceState,
    OsgpError,
    RemoteProtocolError,
    RenegotiateRequest,
    ServiceError,
    TransportError,
)
from osgp.ports.tables import PortTables
from osgp.security.secret import KeyLike, key_bytes
from osgp.session import Exchange, Send, Wait
from osgp.spec.services import Limits, ResponseCode

from . import psem
from .assembly import DEFAULT_SIZE, Size
from .checksum import ChecksumClient
from .client import OpticalPort

T = TypeVar("T")

IDENTIFY_ATTEMPTS: Final = 3
IDENTIFY_PAUSE: Final = 0.3
"""Seconds between attempts: the first identification after idle is often lost or answered NAK."""

READ_OVERHEAD: Final = 4
WRITE_OVERHEAD: Final = 9
MAX_COUNT: Final = 0xFFFF


class Identity(msgspec.Struct, frozen=True):
    """What the meter said to IDENTIFY."""

    standard: int
    version: int
    revision: int
    features: bytes = b""


def limits_of(size: Size) -> Limits:
    """Bytes of table data that fit one message."""
    return Limits(
        read=min(size.message - READ_OVERHEAD, MAX_COUNT),
        write=min(size.message - WRITE_OVERHEAD, MAX_COUNT),
        message=size.message,
    )


class OpticalSession:
    """Conversations of one client with one meter over `port`.

    `key`: RK, PK or MK, 10 or 20 bytes; None reads only what is open. `user` and `user_id` appear
    in the meter's events and are not checked. `speeds`: bits a second to offer, none to stay.
    `wake`: bytes to send before the first identification.
    """

    def __init__(
        self,
        port: OpticalPort,
        key: KeyLike | None = None,
        *,
        user: str = "",
        user_id: int = 0,
        offer: Size | None = None,
        speeds: tuple[int, ...] = (),
        wake: bytes = b"",
    ) -> None:
        self.tables = PortTables(ChecksumClient(), limits_of(DEFAULT_SIZE), repeats=0)
        self.identity: Identity | None = None
        self._looped = False
        self._port, self._key = port, key
        self._user, self._user_id = psem.user_name(user), user_id
        self._offer, self._speeds, self._wake = offer or port.capacity, speeds, wake

    def open(self) -> Exchange[Identity]:
        """Identifies, negotiates, logs on and presents the key.

        Raises TransportError (no meter), InsufficientSecurityClearance (the meter does not know
        the key), another ServiceError, RemoteProtocolError.
        """
        self.identity = yield from self._identify()
        yield from self._negotiate()
        yield from self._ask(
            psem.LOGON.encode(psem.Logon(psem.Service.LOGON, self._user_id, self._user))
        )
        if self._key is not None:
            password = psem.password_of(key_bytes(self._key))
            yield from self._ask(
                psem.SECURITY.encode(psem.Security(psem.Service.SECURITY, password))
            )
        self._port.opened()
        return self.identity

    def close(self) -> Exchange[None]:
        """Logs off and terminates, so that the line is free for others at once; never raises."""
        if self._looped:
            return
        for service in (psem.Service.LOGOFF, psem.Service.TERMINATE):
            try:
                yield from self._ask(bytes((service,)))
            except OsgpError:
                continue
        self._forget()

    def during(self, make: Callable[[], Exchange[T]], attempts: int = 2) -> Exchange[T]:
        """What the conversation from `make` returns, in an open session.

        If the session is lost, it is opened again and `make` begins anew: for reading only.
        Raises as `open` and the conversation do.
        """
        for remaining in reversed(range(attempts)):
            try:
                if self.identity is None:
                    yield from self.open()
                return (yield from make())
            except (TransportError, InvalidServiceSequenceState, RenegotiateRequest) as error:
                looped = self.identity is None and self._is_looped(error)
                self._forget()
                if not remaining or looped:
                    raise
        raise AssertionError("unreachable")

    def _forget(self) -> None:
        self.identity = None
        self.tables.limits = limits_of(DEFAULT_SIZE)
        self._port.closed()

    def _identify(self) -> Exchange[Identity]:
        if self._wake:
            self._port.wake(self._wake)
            yield Wait(IDENTIFY_PAUSE)
        for remaining in reversed(range(IDENTIFY_ATTEMPTS)):
            try:
                return (yield from self._identified())
            except (TransportError, RemoteProtocolError) as error:
                if not remaining or self._is_looped(error):
                    raise
            except InvalidServiceSequenceState:
                if not remaining:
                    raise
                yield from self._leave()
            yield Wait(IDENTIFY_PAUSE)
        raise AssertionError("unreachable")

    def _is_looped(self, error: OsgpError) -> bool:
        """Nobody is there but this side: its packet came back each of the four times it was sent.

        More attempts would reach no meter; of one that sleeps, four identifications are enough.
        """
        self._looped = isinstance(error, TransportError) and not error.retryable
        return self._looped

    def _identified(self) -> Exchange[Identity]:
        response = yield from self._ask(bytes((psem.Service.IDENTIFY,)))
        self._looped = False
        try:
            found = psem.IDENTIFICATION.decode(response)
        except DecodeError as error:
            raise RemoteProtocolError(str(error)) from error
        return Identity(found.standard, found.version, found.revision, found.features)

    def _leave(self) -> Exchange[None]:
        """Ends what an earlier client may have left open."""
        try:
            yield from self._ask(bytes((psem.Service.TERMINATE,)))
        except OsgpError:
            self._port.closed()

    def _negotiate(self) -> Exchange[None]:
        """Settles packet size and speed; a meter that refuses keeps the defaults."""
        codes = bytes(psem.SPEED_CODES[speed] for speed in self._speeds)
        service = psem.Service.NEGOTIATE + len(codes)
        offer = psem.Negotiate(service, self._offer.packet, self._offer.packets, codes)
        try:
            response = yield from self._ask(psem.NEGOTIATE.encode(offer))
            agreed = psem.NEGOTIATED.decode(response)
        except (ServiceError, DecodeError):
            return
        size = Size(
            min(agreed.packet_size, self._offer.packet), min(agreed.packets, self._offer.packets)
        )
        if size.packet < DEFAULT_SIZE.packet or not size.packets:
            raise RemoteProtocolError(f"packets of {size.packet} bytes, {size.packets} a message")
        self._port.adopt(size, psem.SPEEDS.get(agreed.speed) if codes else None)
        self.tables.limits = limits_of(size)

    def _ask(self, message: bytes) -> Exchange[bytes]:
        """A service's response, code included; raises the ServiceError of any code but OK."""
        response = yield Send(message)
        if not response:
            raise RemoteProtocolError("an empty response")
        if response[0] != ResponseCode.OK:
            raise ServiceError.from_code(response[0])
        return response
