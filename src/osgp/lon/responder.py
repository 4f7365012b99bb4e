"""Network management and diagnostics, answering side.

One handler per code; what has none is refused. While `NodeConfig.nm_auth` is set a configured
node refuses unauthenticated requests except the harmless ones in OPEN. Keys are shown to
authenticated requests only, whatever the configuration: a decision of this project, stricter
than the stacks it was compared with.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec

from osgp.errors import DecodeError
from osgp.lon import nm
from osgp.lon.addresses import Group
from osgp.lon.config import (
    ADDRESS_RECORD_LENGTH,
    KEY_LENGTH,
    KEYLESS_RECORD_LENGTH,
    OMA_KEY_LENGTH,
    UNUSED_DOMAIN,
    AddressEntry,
    DomainEntry,
    NodeConfig,
    NodeState,
)
from osgp.lon.events import Event, Received, ResetRequested, Statistics, Wink
from osgp.lon.memory import counters, image
from osgp.lon.nm import Capability, Code, Expanded
from osgp.lon.xcvr import registers_for

FIRMWARE = 1
MODEL = 0
NM_VERSION = 2
CAPABILITIES = (
    Capability.OMA
    | Capability.ENHANCED_PROXY
    | Capability.PHASE
    | Capability.SIGNAL_STRENGTH
    | Capability.INIT_CONFIG
)

OPEN = frozenset(
    {
        Code.QUERY_ID,
        Code.RESPOND_TO_QUERY,
        Code.QUERY_STATUS,
        Code.QUERY_STATUS_FLEX,
        Code.SIGNAL_STRENGTH,
        Code.PHASE,
        Code.FULL_VERSION,
    }
)
"""Answered without authentication even when `nm_auth` is set."""

_MAINS_HZ = 50
_HIDDEN_KEY = b"\xff" * KEY_LENGTH
_POWER_UP = 1


class Outcome(msgspec.Struct, frozen=True):
    """`response` is None for silence. `anonymous`: answer from 0/0. `changed`: configuration."""

    response: bytes | None
    changed: bool = False
    anonymous: bool = False


class Refused(Exception):
    """Ends a handler with the negative response; never leaves this module."""


Handler = Callable[[Received, bytes], Outcome]
SILENT = Outcome(None)
_CHANGED = Outcome(b"", changed=True)
_DONE = Outcome(b"")


class Responder:
    """Answers for one node; changes its `config`."""

    def __init__(self, config: NodeConfig, statistics: Statistics, events: deque[Event]) -> None:
        self._config = config
        self._statistics = statistics
        self._events = events
        self._selected = False
        self._reset_cause = _POWER_UP
        self.soft_offline = False
        self.closed = False
        self._handlers: dict[int, Handler] = {
            Code.QUERY_STATUS: self._query_status,
            Code.CLEAR_STATUS: self._clear_status,
            Code.TRANSCEIVER_STATUS: self._registers,
            Code.QUERY_STATUS_FLEX: self._query_status_flex,
            Code.SIGNAL_STRENGTH: self._registers,
            Code.PHASE: self._phase,
            Code.FULL_VERSION: self._full_version,
            Code.EXPANDED: self._expanded,
            Code.QUERY_ID: self._query_id,
            Code.RESPOND_TO_QUERY: self._respond_to_query,
            Code.UPDATE_DOMAIN: self._update_domain,
            Code.LEAVE_DOMAIN: self._leave_domain,
            Code.UPDATE_KEY: self._update_key,
            Code.UPDATE_ADDRESS: self._update_address,
            Code.QUERY_ADDRESS: self._query_address,
            Code.UPDATE_GROUP_ADDRESS: self._update_group_address,
            Code.QUERY_DOMAIN: self._query_domain,
            Code.SET_NODE_MODE: self._set_node_mode,
            Code.READ_MEMORY: self._read_memory,
            Code.WINK: self._wink,
        }
        self._sub_handlers: dict[int, Handler] = {
            Expanded.QUERY_VERSION: self._query_version,
            Expanded.JOIN_DOMAIN: self._join_domain,
            Expanded.QUERY_DOMAIN: self._query_domain_no_key,
            Expanded.QUERY_OMA_KEY: self._query_oma_key,
            Expanded.UPDATE_OMA_KEY: self._update_oma_key,
            Expanded.INIT_CONFIG: self._init_config,
        }

    def handle(self, message: Received) -> Outcome:
        """Executes the request in `message` and says what to answer."""
        code, data = message.apdu[0], message.apdu[1:]
        sub = data[:1] if code == Code.EXPANDED else b""
        try:
            if self._locked(message, code, sub):
                raise Refused
            outcome = self._handlers.get(code, _refuse)(message, data)
        except (Refused, DecodeError):
            return Outcome(bytes((nm.response_code(code, success=False),)) + sub)
        if outcome.response is None:
            return outcome
        response = bytes((nm.response_code(code),)) + sub + outcome.response
        return Outcome(response, outcome.changed, outcome.anonymous)

    def _locked(self, message: Received, code: int, sub: bytes) -> bool:
        config = self._config
        unproven = config.nm_auth and not message.authenticated
        if not (config.configured and (unproven or self.closed)):
            return False
        return code not in OPEN and sub != bytes((Expanded.QUERY_VERSION,))

    def _expanded(self, message: Received, data: bytes) -> Outcome:
        if not data:
            raise Refused
        return self._sub_handlers.get(data[0], _refuse)(message, data[1:])

    # --- diagnostics -------------------------------------------------------------------------

    def _query_status(self, message: Received, data: bytes) -> Outcome:
        state = NodeState.SOFT_OFFLINE if self._reports_offline() else self._config.state
        tail = bytes((self._reset_cause, state, FIRMWARE, 0, MODEL))
        return Outcome(counters(self._statistics) + tail)

    def _reports_offline(self) -> bool:
        return self.soft_offline and self._config.state is NodeState.CONFIGURED_ONLINE

    def _query_status_flex(self, message: Received, data: bytes) -> Outcome:
        return Outcome(self._query_status(message, data).response, anonymous=True)

    def _clear_status(self, message: Received, data: bytes) -> Outcome:
        self._statistics.clear()
        self._reset_cause = 0
        return _DONE

    def _registers(self, message: Received, data: bytes) -> Outcome:
        return Outcome(registers_for(message.margin_db, message.alternate_path))

    def _phase(self, message: Received, data: bytes) -> Outcome:
        return Outcome(bytes((self._config.phase, _MAINS_HZ, 0, 0)))

    def _full_version(self, message: Received, data: bytes) -> Outcome:
        return Outcome(bytes((FIRMWARE, 0, 0, 0, 0, 0)))

    # --- identity ----------------------------------------------------------------------------

    def _query_id(self, message: Received, data: bytes) -> Outcome:
        selector = _byte(data, 0)
        if selector > nm.Selector.SELECTED_UNCONFIGURED:
            raise Refused
        if selector != nm.Selector.UNCONFIGURED and not self._selected:
            return SILENT
        if selector != nm.Selector.SELECTED and self._config.configured:
            return SILENT
        if len(data) > 1 and not self._memory_matches(data[1:]):
            return SILENT
        return Outcome(self._config.neuron_id + self._config.program_id)

    def _memory_matches(self, match: bytes) -> bool:
        wanted = match[4 : 4 + _byte(match, 3)]
        return self._memory(match) == wanted

    def _respond_to_query(self, message: Received, data: bytes) -> Outcome:
        if _byte(data, 0) > 1:
            raise Refused
        self._selected = data[0] == 1
        return _DONE

    # --- domains and keys --------------------------------------------------------------------

    def _update_domain(self, message: Received, data: bytes) -> Outcome:
        self._config.domains[self._domain_index(data)] = DomainEntry.from_record(data[1:])
        return _CHANGED

    def _leave_domain(self, message: Received, data: bytes) -> Outcome:
        index = self._domain_index(data)
        self._config.domains[index] = UNUSED_DOMAIN
        if not any(entry.valid for entry in self._config.domains):
            self._config.state = NodeState.UNCONFIGURED
        return Outcome(None if index == message.domain_index else b"", changed=True)

    def _query_domain(self, message: Received, data: bytes) -> Outcome:
        record = self._config.domains[self._domain_index(data)].to_record()
        key = record[KEYLESS_RECORD_LENGTH:] if message.authenticated else _HIDDEN_KEY
        return Outcome(record[:KEYLESS_RECORD_LENGTH] + key)

    def _join_domain(self, message: Received, data: bytes) -> Outcome:
        index = self._domain_index(data)
        key = self._config.domains[index].key
        self._config.domains[index] = DomainEntry.from_record(data[1:], key)
        return _CHANGED

    def _query_domain_no_key(self, message: Received, data: bytes) -> Outcome:
        record = self._config.domains[self._domain_index(data)].to_record()
        return Outcome(record[:KEYLESS_RECORD_LENGTH])

    def _update_key(self, message: Received, data: bytes) -> Outcome:
        index = self._domain_index(data)
        if len(data) < 1 + KEY_LENGTH:
            raise Refused
        self._increment(index, data[1 : 1 + KEY_LENGTH])
        return _CHANGED

    def _query_oma_key(self, message: Received, data: bytes) -> Outcome:
        if not message.authenticated:
            raise Refused
        return Outcome(self._config.oma_key)

    def _update_oma_key(self, message: Received, data: bytes) -> Outcome:
        key = data[1 : 1 + OMA_KEY_LENGTH]
        if len(key) < OMA_KEY_LENGTH:
            raise Refused
        for index in range(len(self._config.domains)):
            half = key[index * KEY_LENGTH : (index + 1) * KEY_LENGTH]
            if data[0] != 1:
                self._replace_key(index, bytes(KEY_LENGTH))
            self._increment(index, half)
        return _CHANGED

    def _increment(self, index: int, increments: bytes) -> None:
        key = self._config.domains[index].key
        self._replace_key(index, bytes(a + b & 0xFF for a, b in zip(key, increments, strict=True)))

    def _replace_key(self, index: int, key: bytes) -> None:
        entry = self._config.domains[index]
        self._config.domains[index] = msgspec.structs.replace(entry, key=key)

    def _domain_index(self, data: bytes) -> int:
        index = _byte(data, 0)
        if index >= len(self._config.domains):
            raise Refused
        return index

    # --- addresses ---------------------------------------------------------------------------

    def _update_address(self, message: Received, data: bytes) -> Outcome:
        index = self._address_index(data)
        record = data[1 : 1 + ADDRESS_RECORD_LENGTH]
        if len(record) < ADDRESS_RECORD_LENGTH:
            raise Refused
        self._config.addresses[index] = AddressEntry(record)
        return _CHANGED

    def _query_address(self, message: Received, data: bytes) -> Outcome:
        return Outcome(self._config.addresses[self._address_index(data)].record)

    def _update_group_address(self, message: Received, data: bytes) -> Outcome:
        to = message.destination
        if not isinstance(to, Group) or len(data) < ADDRESS_RECORD_LENGTH:
            raise Refused
        wanted = AddressEntry(data[:ADDRESS_RECORD_LENGTH])
        for index, entry in enumerate(self._config.addresses):
            own = entry.is_group and entry.group == to.group and wanted.is_group
            if own and entry.domain_index == message.domain_index:
                self._config.addresses[index] = entry.with_timers_of(wanted)
                return _CHANGED
        raise Refused

    def _address_index(self, data: bytes) -> int:
        index = _byte(data, 0)
        if index >= len(self._config.addresses):
            raise Refused
        return index

    def _init_config(self, message: Received, data: bytes) -> Outcome:
        self._config.addresses = [AddressEntry()] * len(self._config.addresses)
        return _CHANGED

    # --- state and memory --------------------------------------------------------------------

    def _set_node_mode(self, message: Received, data: bytes) -> Outcome:
        match _byte(data, 0):
            case nm.Mode.OFFLINE | nm.Mode.ONLINE as mode:
                self.soft_offline = mode == nm.Mode.OFFLINE
                return _CHANGED
            case nm.Mode.RESET:
                self._events.append(ResetRequested())
                return SILENT
            case nm.Mode.CHANGE_STATE:
                return self._change_state(_byte(data, 1))
        raise Refused

    def _change_state(self, state: int) -> Outcome:
        try:
            self._config.state = NodeState(state)
        except ValueError:
            raise Refused from None
        return _CHANGED

    def _read_memory(self, message: Received, data: bytes) -> Outcome:
        return Outcome(self._memory(data))

    def _memory(self, place: bytes) -> bytes:
        """What lies at a place given as mode, offset (2 bytes), count."""
        count = _byte(place, 3)
        offset = place[1] << 8 | place[2]
        memory = image(place[0], self._config, self._statistics)
        if offset + count > len(memory):
            raise Refused
        return memory[offset : offset + count]

    def _wink(self, message: Received, data: bytes) -> Outcome:
        self._events.append(Wink())
        return _DONE

    def _query_version(self, message: Received, data: bytes) -> Outcome:
        return Outcome(bytes((NM_VERSION,)) + CAPABILITIES.to_bytes(2, "big"))


def _refuse(message: Received, data: bytes) -> Outcome:
    raise Refused


def _byte(data: bytes, at: int) -> int:
    if len(data) <= at:
        raise Refused
    return data[at]
