"""What goes into a stack from its application, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from osgp.lon.addresses import Destination, Service, SubnetNode


class Outgoing(msgspec.Struct, frozen=True):
    """A message to send.

    `apdu` is code and data. `domain` is an index into the domain table, or the domain itself; a
    node that is no member of it sends from 0/0, which only unacknowledged services can do.
    `retry` is the number of further tries or repeats (0..15), `timer_code` the wait between them
    (see `timers`; `long_timer` selects the long table). `path` forces the primary (False) or the
    alternate (True) path; None uses the alternate one for the last two tries. `tid` forces the
    transaction number. `extra_last_wait` (seconds) is added after the last try.
    `alternate_key` (6 or 12 bytes) answers challenges in place of the node's own key.
    `max_responses` and `backlog` (0..63) apply to broadcast requests; `backlog` 0 announces 15.
    """

    destination: Destination
    apdu: bytes
    service: Service = Service.REQUEST
    domain: bytes | int = 0
    retry: int = 3
    timer_code: int = 13
    long_timer: bool = False
    authenticated: bool = False
    priority: bool = False
    max_responses: int = 1
    backlog: int = 0
    path: bool | None = None
    tid: int | None = None
    extra_last_wait: float = 0.0
    alternate_key: bytes | None = None

    def __repr__(self) -> str:
        return (
            f"Outgoing({self.service.name} to {self.destination}, apdu={self.apdu.hex()!r}, "
            f"domain={self.domain!r}, retry={self.retry})"
        )


class OutFrame(msgspec.Struct, frozen=True):
    """An encoded LPDU, and what the medium access needs to know of it."""

    data: bytes
    priority: bool
    alternate_path: bool
    delta_backlog: int


class Received(msgspec.Struct, frozen=True):
    """A message for the application.

    `source` is 0/0 for a sender that is no member of the domain. `domain_index` is None on a
    domain this node is no member of. `margin_db` is the signal margin of the frame. `token`
    goes to `Stack.respond` or `Stack.decline`; None when no response is expected.
    `proof_wanted`: the sender asked to be challenged; if it is not `authenticated` then, it has
    failed to prove its key, or could not be challenged.
    """

    apdu: bytes
    service: Service
    source: SubnetNode
    source_domain: bytes
    domain_index: int | None
    destination: Destination
    authenticated: bool
    priority: bool
    alternate_path: bool
    margin_db: float
    tid: int
    token: int | None
    proof_wanted: bool = False

    @property
    def unproven(self) -> bool:
        """Whether authentication was asked for and did not succeed."""
        return self.proof_wanted and not self.authenticated


class ResponseReceived(msgspec.Struct, frozen=True):
    """A response to the request `handle`; several may come to a group or broadcast request."""

    handle: int
    apdu: bytes
    source: SubnetNode
    source_domain: bytes
    margin_db: float


class Completed(msgspec.Struct, frozen=True):
    """The message `handle` is over after `tries` transmissions.

    `success`: it was acknowledged or answered (by every member of a group, by at least one node
    of a broadcast), or it needed neither.
    """

    handle: int
    success: bool
    tries: int


class ConfigChanged(msgspec.Struct, frozen=True):
    """Network management changed the configuration: store it, and read `address_keys` again."""


class ServicePin(msgspec.Struct, frozen=True):
    """A node announced itself."""

    neuron_id: bytes
    program_id: bytes
    margin_db: float


class Wink(msgspec.Struct, frozen=True):
    """Somebody asks this node to make itself noticed."""


class ResetRequested(msgspec.Struct, frozen=True):
    """Network management asks for a restart of the application."""


Event = Received | ResponseReceived | Completed | ConfigChanged | ServicePin | Wink | ResetRequested


@dataclass(slots=True)
class Statistics:
    """Counters since the last clear. Noise is counted here instead of becoming events."""

    received: int = 0
    sent: int = 0
    not_addressed: int = 0
    own_source: int = 0
    crc_errors: int = 0
    malformed: int = 0
    duplicates: int = 0
    receive_full: int = 0
    lost: int = 0
    late_answers: int = 0
    late_responses: int = 0
    retries: int = 0
    failures: int = 0
    challenges: int = 0
    refused: int = 0

    def clear(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)
