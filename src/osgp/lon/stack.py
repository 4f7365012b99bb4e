"""One EN 14908-1 node without a socket and without a clock.

Bytes and `now` (seconds, monotonic) go in; frames, events and the time of the next timer come
out. Network management and diagnostics are answered here; everything else is the application's.

    receive_frame ─▶ Network ─▶ Receiver ─▶ Responder (management) or events
                          └───▶ Transmitter (answers to own messages) ─▶ events
    send, respond ─▶ Transmitter, Receiver ─▶ Network ─▶ frames_to_send
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Hashable
from itertools import count

import msgspec

from osgp.errors import DecodeError, EncodeError, LocalProtocolError
from osgp.lon import nm
from osgp.lon.addresses import Broadcast, Group, GroupMember, Service
from osgp.lon.auth import CHALLENGES
from osgp.lon.config import NodeConfig
from osgp.lon.events import (
    Completed,
    ConfigChanged,
    Event,
    OutFrame,
    Outgoing,
    Received,
    ServicePin,
    Statistics,
)
from osgp.lon.network import Domain, Header, Incoming, Network
from osgp.lon.pdu import MAX_BACKLOG, PduType
from osgp.lon.receive import Receiver
from osgp.lon.responder import Outcome, Responder
from osgp.lon.timers import transmit_seconds
from osgp.lon.tpdu import Apdu, ApduKind, AuthPdu, Spdu, SpduType, Tpdu, TpduType, apdu_kind
from osgp.lon.transmit import Transmitter

MAX_APDU = 229
"""Longest APDU in bytes: with the longest headers a frame stays within 255 (Source.PROJECT)."""
MAX_RETRY = 15

_MANAGED = (ApduKind.DIAGNOSTIC, ApduKind.MANAGEMENT)


class Stack:
    """The five verbs, `send`, and `respond`/`decline` for the requests that were received.

    `rng` draws challenges: pass `random.SystemRandom()` on a real network.
    """

    def __init__(self, config: NodeConfig, rng: random.Random) -> None:
        self.config = config
        self.statistics = Statistics()
        self._events: deque[Event] = deque()
        self._handles = count(1)
        self._network = Network(config, self.statistics)
        self._transmitter = Transmitter(self._network, self._events)
        self._receiver = Receiver(self._network, rng, self._deliver)
        self._responder = Responder(config, self.statistics, self._events)

    # --- the five verbs ----------------------------------------------------------------------

    def receive_frame(self, frame: bytes, now: float, margin_db: float = 0.0) -> None:
        """Takes one LPDU from the medium; anything unsound or foreign is only counted."""
        incoming = self._network.accept(frame, now, margin_db)
        if incoming is None:
            return
        try:
            pdu = incoming.npdu.enclosed()
        except DecodeError:
            self.statistics.malformed += 1
            return
        self._dispatch(incoming, pdu)

    def frames_to_send(self, now: float) -> list[OutFrame]:
        """The frames to put on the medium, oldest first; each is handed out once."""
        frames, self._network.frames = self._network.frames, []
        return frames

    def next_timer(self) -> float | None:
        """When `handle_timer` is needed next; None while nothing is pending."""
        return self._transmitter.next_timer()

    def handle_timer(self, now: float) -> None:
        """Repeats or gives up what has waited long enough."""
        self._transmitter.handle_timer(now)
        self._receiver.forget(now)

    def next_event(self) -> Event | None:
        """The oldest event that was not fetched yet."""
        return self._events.popleft() if self._events else None

    # --- the application ---------------------------------------------------------------------

    def send(self, message: Outgoing, now: float) -> int:
        """Sends `message` and returns the handle that its events carry.

        Raises EncodeError for a value outside its range, LocalProtocolError for a combination
        that cannot work (an answered service on a domain this node is no member of, ...).
        """
        domain = self._network.domain(message.domain)
        _check(message, domain)
        handle = next(self._handles)
        if message.service is Service.UNACKD:
            self._send_unacknowledged(message, domain)
            self._events.append(Completed(handle, True, 1))
        else:
            self._transmitter.submit(handle, message, now)
        return handle

    def cancel(self, handle: int, now: float) -> None:
        """Gives up a message that is not over yet; it completes without success."""
        self._transmitter.cancel(handle, now)

    def respond(self, token: int, apdu: bytes, now: float) -> bool:
        """Answers the request `token`. False: too late, its receive timer has passed."""
        if not 0 < len(apdu) <= MAX_APDU:
            raise EncodeError(f"1..{MAX_APDU} bytes", field="apdu")
        return self._receiver.respond(token, apdu, now)

    def decline(self, token: int) -> None:
        """Leaves the request `token` without response; its repetitions are ignored."""
        self._receiver.decline(token)

    def service_pin(self, now: float) -> None:
        """Announces this node's Neuron ID and program ID to everybody."""
        apdu = nm.service_pin(self.config.neuron_id, self.config.program_id)
        self._network.emit(PduType.APDU, apdu, Header(Broadcast(), Domain(b"")))

    def address_keys(self) -> frozenset[Hashable]:
        """The values of `destination_key` that this node listens to, besides broadcasts."""
        return self._network.keys

    @property
    def soft_offline(self) -> bool:
        """Whether network management has put the application offline until the next reset."""
        return self._responder.soft_offline

    def close_management(self, closed: bool) -> None:
        """While closed a configured node refuses changes, however they are authenticated."""
        self._responder.closed = closed

    def manage(self, message: Received, apdu: bytes) -> tuple[bytes | None, bool]:
        """Executes network management that came inside `message`, whose sender the application has
        proven: also while closed.

        The response, and whether the configuration changed; `reindex` puts it in force, after the
        response was given, because the asker knows the old address.
        """
        closed, self._responder.closed = self._responder.closed, False
        inner = msgspec.structs.replace(message, apdu=apdu, authenticated=True)
        outcome = self._responder.handle(inner)
        self._responder.closed = closed
        return outcome.response, outcome.changed

    def reindex(self) -> None:
        """To be called after the application changed `config`."""
        self._network.reindex()

    # --- inside ------------------------------------------------------------------------------

    def _dispatch(self, incoming: Incoming, pdu: Tpdu | Spdu | AuthPdu | Apdu) -> None:
        if isinstance(pdu, Apdu):
            self._receiver.receive_unacknowledged(incoming, incoming.npdu.pdu)
        elif isinstance(pdu, AuthPdu):
            if pdu.kind in CHALLENGES:
                self._transmitter.receive_challenge(incoming, pdu)
            else:
                self._receiver.receive_reply(incoming, pdu)
        elif isinstance(pdu, Tpdu) and pdu.kind is TpduType.ACK:
            self._transmitter.receive_ack(incoming, pdu)
        elif isinstance(pdu, Spdu) and pdu.kind is SpduType.RESPONSE:
            self._transmitter.receive_response(incoming, pdu)
        else:
            self._receiver.receive_message(incoming, pdu)

    def _deliver(self, message: Received, now: float) -> None:
        code = message.apdu[0]
        if code == nm.SERVICE_PIN:
            self._announce(message)
        elif apdu_kind(code) in _MANAGED:
            self._manage(message, now)
        else:
            self._events.append(message)

    def _announce(self, message: Received) -> None:
        try:
            neuron_id, program_id = nm.parse_service_pin(message.apdu)
        except DecodeError:
            self.statistics.malformed += 1
            return
        self._events.append(ServicePin(neuron_id, program_id, message.margin_db))
        if message.token is not None:
            self._receiver.decline(message.token)

    def _manage(self, message: Received, now: float) -> None:
        outcome = self._responder.handle(message)
        self._answer(message, outcome, now)
        if outcome.changed:
            self._network.reindex()
            self._events.append(ConfigChanged())

    def _answer(self, message: Received, outcome: Outcome, now: float) -> None:
        """Before the new configuration is in force: the asker knows the old address."""
        if message.token is None:
            return
        if outcome.response is None:
            self._receiver.decline(message.token)
            return
        self._receiver.respond(message.token, outcome.response, now, anonymous=outcome.anonymous)

    def _send_unacknowledged(self, message: Outgoing, domain: Domain) -> None:
        header = Header(message.destination, domain, message.priority, bool(message.path))
        self._network.emit(PduType.APDU, message.apdu, header)


def _check(message: Outgoing, domain: Domain) -> None:
    if not 0 < len(message.apdu) <= MAX_APDU:
        raise EncodeError(f"1..{MAX_APDU} bytes", field="apdu")
    if not 0 <= message.retry <= MAX_RETRY:
        raise EncodeError("0..15", field="retry")
    if not 0 <= message.backlog <= MAX_BACKLOG:
        raise EncodeError("0..63", field="backlog")
    transmit_seconds(message.timer_code, message.long_timer)
    if isinstance(message.destination, GroupMember):
        raise LocalProtocolError("a group member is only answered, never addressed")
    if message.service in (Service.ACKD, Service.REQUEST):
        _check_answerable(message, domain)


def _check_answerable(message: Outgoing, domain: Domain) -> None:
    if domain.index is None:
        raise LocalProtocolError("no answer can reach a node outside its own domains")
    if isinstance(message.destination, Group) and message.destination.size == 0:
        raise LocalProtocolError("a group without size is too large to answer")
    if message.max_responses < 1:
        raise EncodeError("at least 1", field="max_responses")
