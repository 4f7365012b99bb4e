"""Network management and diagnostics, asked and answered over the wire."""

from __future__ import annotations

import msgspec
import pytest

from osgp.errors import DecodeError, RemoteProtocolError
from osgp.lon import (
    AddressEntry,
    AuthScheme,
    Broadcast,
    Completed,
    ConfigChanged,
    Destination,
    DomainEntry,
    Event,
    Group,
    NeuronId,
    NodeConfig,
    NodeState,
    Outgoing,
    ResetRequested,
    ResponseReceived,
    Service,
    ServicePin,
    SubnetNode,
    Wink,
    nm,
)
from osgp.lon.memory import PROGRAM_ID_AT
from osgp.lon.nm import Memory, MemoryMatch, Mode, Selector
from osgp.lon.xcvr import SignalQuality, registers_for

from .bus import DOMAIN, Bus, configured, neuron

FRESH = neuron(9)
TARGET = SubnetNode(1, 2)


def ask(
    bus: Bus, apdu: bytes, to: Destination = TARGET, *, authenticated: bool = False
) -> bytes | None:
    """The response of node 1 of the bus to `apdu` from node 0; None for silence."""
    for events in bus.events:
        events.clear()
    message = Outgoing(to, apdu, authenticated=authenticated, max_responses=5)
    bus.stacks[0].send(message, bus.now)
    bus.run(40)
    responses = [event for event in bus.events[0] if isinstance(event, ResponseReceived)]
    return responses[0].apdu if responses else None


def answered(
    bus: Bus, apdu: bytes, to: Destination = TARGET, *, authenticated: bool = False
) -> bytes:
    response = ask(bus, apdu, to, authenticated=authenticated)
    assert response is not None
    return response


def pair(*, nm_auth: bool = False, auth: AuthScheme = AuthScheme.STANDARD) -> Bus:
    target = configured(2, auth=auth, group=AddressEntry.of_group(7, 3, 1))
    target.nm_auth = nm_auth
    return Bus(configured(1), target)


def events_of(bus: Bus, node: int) -> list[Event]:
    return bus.events[node]


def test_commissioning_of_a_fresh_node() -> None:
    """Query id, domain with key, state, then it answers on its new address."""
    bus = Bus(configured(1), NodeConfig(FRESH, b"OSGPTEST"))
    identity = nm.parse_query_id(answered(bus, nm.query_id(), Broadcast()))
    assert identity == nm.Identity(FRESH, b"OSGPTEST")
    entry = DomainEntry(DOMAIN, 3, 77, bytes(range(6)))
    nm.expect(0x63, answered(bus, nm.update_domain(0, entry), NeuronId(FRESH)))
    assert events_of(bus, 1) == [ConfigChanged()]
    online = nm.set_node_mode(Mode.CHANGE_STATE, NodeState.CONFIGURED_ONLINE)
    nm.expect(0x6C, answered(bus, online, NeuronId(FRESH)))
    assert ("s", DOMAIN, 3, 77) in bus.stacks[1].address_keys()
    status = nm.parse_query_status(answered(bus, nm.query_status(), SubnetNode(3, 77)))
    assert status.state == NodeState.CONFIGURED_ONLINE
    assert bus.stacks[1].config.domains[0] == entry


def test_node_that_changes_its_address_answers_from_the_old_one() -> None:
    bus = pair()
    moved = DomainEntry(DOMAIN, 4, 5, bytes(6))
    nm.expect(0x63, answered(bus, nm.update_domain(0, moved)))
    assert ask(bus, nm.query_status()) is None
    assert ask(bus, nm.query_status(), SubnetNode(4, 5)) is not None


def test_configured_node_does_not_answer_a_query_for_unconfigured_ones() -> None:
    bus = pair()
    assert ask(bus, nm.query_id(), Broadcast()) is None


def test_selection() -> None:
    bus = Bus(configured(1), NodeConfig(FRESH))
    fresh = NeuronId(FRESH)
    assert ask(bus, nm.query_id(Selector.SELECTED), fresh) is None
    nm.expect(0x62, answered(bus, nm.respond_to_query(True), fresh))
    assert ask(bus, nm.query_id(Selector.SELECTED), fresh) is not None
    assert ask(bus, nm.query_id(Selector.SELECTED_UNCONFIGURED), fresh) is not None
    nm.expect(0x62, answered(bus, nm.respond_to_query(False), fresh))
    assert ask(bus, nm.query_id(Selector.SELECTED), fresh) is None


@pytest.mark.parametrize(
    ("match", "answers"),
    [
        (MemoryMatch(Memory.READ_ONLY, PROGRAM_ID_AT, b"OSGP"), True),
        (MemoryMatch(Memory.READ_ONLY, 0, FRESH[:5]), True),
        (MemoryMatch(Memory.READ_ONLY, PROGRAM_ID_AT, b"LAMP"), False),
        (MemoryMatch(Memory.READ_ONLY, 0, b""), True),
    ],
)
def test_memory_match(match: MemoryMatch, answers: bool) -> None:
    bus = Bus(configured(1), NodeConfig(FRESH, b"OSGPTEST"))
    assert (ask(bus, nm.query_id(match=match), Broadcast()) is not None) is answers


def test_memory_match_outside_memory_is_refused() -> None:
    bus = Bus(configured(1), NodeConfig(FRESH))
    match = MemoryMatch(Memory.READ_ONLY, 1000, b"x")
    with pytest.raises(RemoteProtocolError):
        nm.parse_query_id(answered(bus, nm.query_id(match=match), Broadcast()))


def test_domains_and_keys() -> None:
    bus = pair()
    config = bus.stacks[1].config
    nm.expect(0x65, answered(bus, nm.update_key(0, b"\xff" * 6)))
    assert config.domains[0].key == bytes((255, 0, 1, 2, 3, 4))
    joined = DomainEntry(b"xyz", 7, 8, bytes(6))
    nm.expect(0x60, answered(bus, nm.join_domain(1, joined)), sub=7)
    assert config.domains[1].key == bytes(range(6, 12))
    assert config.domains[1].address == SubnetNode(7, 8)
    shown = nm.parse_query_domain_no_key(answered(bus, nm.query_domain_no_key(1)))
    assert (shown.domain, shown.address) == (b"xyz", SubnetNode(7, 8))
    nm.expect(0x64, answered(bus, nm.leave_domain(1)))
    assert not config.domains[1].valid
    assert ask(bus, nm.leave_domain(0)) is None
    assert config.state is NodeState.UNCONFIGURED


def test_keys_are_shown_to_authenticated_requests_only() -> None:
    bus = pair(auth=AuthScheme.OMA)
    assert nm.parse_query_domain(answered(bus, nm.query_domain(0))).key == b"\xff" * 6
    proven = answered(bus, nm.query_domain(0), authenticated=True)
    assert nm.parse_query_domain(proven) == bus.stacks[1].config.domains[0]
    with pytest.raises(RemoteProtocolError):
        nm.parse_query_oma_key(answered(bus, nm.query_oma_key()))
    response = answered(bus, nm.query_oma_key(), authenticated=True)
    assert nm.parse_query_oma_key(response) == bytes(range(12))


def test_oma_key_is_written_and_incremented() -> None:
    bus = pair()
    config = bus.stacks[1].config
    nm.expect(0x60, answered(bus, nm.update_oma_key(bytes(range(12)))), sub=0x0A)
    assert config.oma_key == bytes(range(12))
    nm.expect(0x60, answered(bus, nm.update_oma_key(b"\x01" * 12, increment=True)), sub=0x0A)
    assert config.oma_key == bytes(range(1, 13))


CHANGES = [
    nm.update_domain(1, DomainEntry(b"", 1, 1)),
    nm.leave_domain(1),
    nm.update_key(0, bytes(6)),
    nm.update_address(0, AddressEntry()),
    nm.join_domain(1, DomainEntry(b"", 1, 1)),
    nm.update_oma_key(bytes(12)),
    nm.init_config(),
    nm.set_node_mode(Mode.CHANGE_STATE, NodeState.CONFIGURED_ONLINE),
    nm.read_memory(Memory.READ_ONLY, 0, 6),
    nm.query_domain(0),
    nm.clear_status(),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda apdu: apdu[:2].hex())
def test_nm_auth_locks_the_configuration(change: bytes) -> None:
    bus = pair(nm_auth=True)
    before = bus.stacks[1].config.to_bytes()
    with pytest.raises(RemoteProtocolError):
        nm.expect(change[0], answered(bus, change))
    assert bus.stacks[1].config.to_bytes() == before
    nm.expect(change[0], answered(bus, change, authenticated=True))


def test_harmless_questions_need_no_authentication() -> None:
    bus = pair(nm_auth=True)
    for apdu in (nm.query_status(), nm.signal_strength(), nm.query_version()):
        nm.expect(apdu[0], answered(bus, apdu))


def test_addresses() -> None:
    bus = pair()
    entry = AddressEntry.of_group(9, 12, 3, receive_timer=4)
    nm.expect(0x66, answered(bus, nm.update_address(1, entry)))
    assert nm.parse_query_address(answered(bus, nm.query_address(1))) == entry
    assert ("g", DOMAIN, 9) in bus.stacks[1].address_keys()
    wanted = AddressEntry.of_group(7, 20, 0, receive_timer=2)
    nm.expect(0x69, answered(bus, nm.update_group_address(wanted), Group(7, 1)))
    changed = bus.stacks[1].config.addresses[0]
    assert (changed.member, changed.size, changed.receive_timer) == (1, 20, 2)
    nm.expect(0x60, answered(bus, nm.init_config()), sub=0x0F)
    assert not any(entry.is_group for entry in bus.stacks[1].config.addresses)


def test_modes() -> None:
    bus = pair()
    nm.expect(0x6C, answered(bus, nm.set_node_mode(Mode.OFFLINE)))
    offline = bus.stacks[1].soft_offline
    assert offline
    status = nm.parse_query_status(answered(bus, nm.query_status()))
    assert status.state == NodeState.SOFT_OFFLINE
    nm.expect(0x6C, answered(bus, nm.set_node_mode(Mode.ONLINE)))
    assert not bus.stacks[1].soft_offline
    assert ask(bus, nm.set_node_mode(Mode.RESET)) is None
    assert events_of(bus, 1) == [ResetRequested()]


def test_status_counts_and_clears() -> None:
    bus = pair()
    for _ in range(3):
        bus.stacks[1].receive_frame(bytes.fromhex("0119018101820a0500000000"), bus.now)
    status = nm.parse_query_status(answered(bus, nm.query_status()))
    assert (status.transmission_errors, status.reset_cause) == (3, 1)
    nm.expect(0x53, answered(bus, nm.clear_status()))
    cleared = nm.parse_query_status(answered(bus, nm.query_status()))
    assert (cleared.transmission_errors, cleared.reset_cause) == (0, 0)


def test_flex_status_is_answered_without_address() -> None:
    bus = pair()
    message = Outgoing(Broadcast(), bytes((nm.Code.QUERY_STATUS_FLEX,)))
    bus.stacks[0].send(message, bus.now)
    bus.run(5)
    (response,) = (e for e in bus.events[0] if isinstance(e, ResponseReceived))
    assert response.source == SubnetNode(0, 0)
    assert response.apdu[0] == 0x36


def test_signal_strength_both_ways() -> None:
    bus = pair()
    bus.stacks[0].send(Outgoing(TARGET, nm.signal_strength()), bus.now)
    bus.run(5)
    (response,) = (e for e in bus.events[0] if isinstance(e, ResponseReceived))
    assert nm.parse_signal_strength(response.apdu) == SignalQuality(12, None, False)
    assert response.margin_db == 12.0


@pytest.mark.parametrize(("margin", "reported"), [(-20.0, -6), (0.0, 0), (13.4, 12), (100.0, 36)])
def test_margins_are_reported_in_steps(margin: float, reported: int) -> None:
    quality = SignalQuality.from_registers(registers_for(margin, alternate_path=True))
    assert quality == SignalQuality(None, reported, True)
    assert quality.margin_db == reported


def test_small_questions() -> None:
    bus = pair()
    bus.stacks[1].config.phase = 3
    assert nm.parse_phase(answered(bus, nm.phase(1))) == 3
    assert nm.parse_full_version(answered(bus, nm.full_version()))[0] == 1
    version, capabilities = nm.parse_query_version(answered(bus, nm.query_version()))
    assert (version, capabilities & nm.Capability.OMA) == (2, 1)
    quality = nm.parse_transceiver_status(answered(bus, nm.transceiver_status()))
    assert quality.primary_db == 12
    memory = nm.parse_read_memory(answered(bus, nm.read_memory(Memory.READ_ONLY, 0, 6)))
    assert memory == neuron(2)
    configuration = nm.read_memory(Memory.CONFIGURATION, 0, 25)
    assert len(nm.parse_read_memory(answered(bus, configuration))) == 25
    nm.expect(0x70, answered(bus, nm.wink()))
    assert events_of(bus, 1) == [Wink()]


def test_unanswered_service_has_its_effect() -> None:
    bus = pair()
    bus.stacks[0].send(Outgoing(TARGET, nm.wink(), Service.UNACKD), bus.now)
    bus.run(1)
    assert events_of(bus, 1) == [Wink()]
    assert events_of(bus, 0) == [Completed(1, True, 1)]


def test_service_pin_reaches_everybody() -> None:
    bus = Bus(NodeConfig(FRESH, b"OSGPTEST"), NodeConfig(neuron(8)), NodeConfig(neuron(7)))
    bus.stacks[0].service_pin(bus.now)
    bus.run(1)
    assert events_of(bus, 1) == events_of(bus, 2) == [ServicePin(FRESH, b"OSGPTEST", 12.0)]
    npdu = bus.frames[0].npdu
    assert (npdu.source, npdu.domain, npdu.destination) == (SubnetNode(0, 0), b"", Broadcast())


REFUSED = [
    "50", "52", "5a", "60", "6002", "6e0000", "6c", "6c09", "6c0301", "6c03ff", "6d00",
    "6d01ffff01", "61", "6109", "62", "6202", "63", "6300", "6309", "650000", "66", "660f",
    "6600", "670f", "6a02", "6900", "600700", "600a0000", "7a",
]  # fmt: skip


@pytest.mark.parametrize("apdu", REFUSED)
def test_nonsense_is_refused(apdu: str) -> None:
    bus = pair()
    before = bus.stacks[1].config.to_bytes()
    request = bytes.fromhex(apdu)
    with pytest.raises(RemoteProtocolError):
        nm.expect(request[0], answered(bus, request))
    assert bus.stacks[1].config.to_bytes() == before


@pytest.mark.parametrize("response", [b"", b"\x22", b"\x21", b"\x21" + bytes(13)])
def test_malformed_responses(response: bytes) -> None:
    with pytest.raises(DecodeError):
        nm.parse_query_id(response)


def test_configuration_survives_a_power_cut() -> None:
    config = configured(5, auth=AuthScheme.OMA, group=AddressEntry.of_group(7, 3, 1))
    config.domains[1] = DomainEntry(b"abcdef", 1, 2, bytes(range(6)))
    config.location, config.phase, config.nm_auth = b"cellar", 4, True
    assert NodeConfig.from_bytes(config.to_bytes()) == config


def test_damaged_image_is_refused() -> None:
    image = configured(5).to_bytes()
    for at in (0, len(image) // 2, len(image) - 1):
        damaged = bytearray(image)
        damaged[at] ^= 1
        with pytest.raises(DecodeError):
            NodeConfig.from_bytes(bytes(damaged))
    with pytest.raises(DecodeError):
        NodeConfig.from_bytes(b"")


@pytest.mark.parametrize("domain", [b"", b"a", b"abc", b"abcdef"])
@pytest.mark.parametrize("auth", AuthScheme)
def test_domain_record_round_trip(domain: bytes, auth: AuthScheme) -> None:
    entry = DomainEntry(domain, 1, 2, bytes(range(6)), auth)
    assert len(entry.to_record()) == 15
    assert DomainEntry.from_record(entry.to_record()) == entry
    unused = msgspec.structs.replace(entry, valid=False)
    assert DomainEntry.from_record(unused.to_record()) == unused
