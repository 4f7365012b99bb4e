"""The meter's power line under OSGP-AES-128-PSK: commissioned, served, guarded, over power cuts."""

from __future__ import annotations

import random
from typing import Any

import pytest

from osgp.errors import InsufficientSecurityClearance, SecurityError, TransportError, UsageError
from osgp.lon import Broadcast, Completed, NeuronId, NodeState, Outgoing, Service, nm
from osgp.meter import MemoryNvm, MeterProfile, VirtualMeter
from osgp.meter.measuring import Kind, Spell
from osgp.meter.nvm import PowerCut
from osgp.security.aes_client import AesClient, ClientState, DomainWish
from osgp.security.aes_device import Limits
from osgp.security.broadcast import BroadcastSender, DomainKey
from osgp.security.handshake import LongTermKey
from osgp.security.omak import PlcScope
from osgp.security.profile import AUTHENTICATION_FAILURE, Mode
from osgp.security.secret import Secret
from osgp.security.suite import ClientSecurity, OmaClient
from osgp.session.client import TableClient
from osgp.spec.services import REQUESTS, Command, FullWriteRequest
from osgp.spec.tables.identity import DeviceIdentification
from osgp.topology import atm

from .bench import DAY, DOMAIN, HOUR, OMAK, PLACE, START, Asker, meter, profile

FACTORY, UTILITY = bytes(range(16)), bytes(range(100, 116))
NEURON = profile().neuron_id
CONCENTRATOR = bytes.fromhex("0509080706c3")
READ = b"\x00\x30\x00\x01"
INVALID_PASSWORD, REPROGRAMMED = 72, 36


def aes_meter(nvm: MemoryNvm | None = None, now: float = START, **changes: Any) -> VirtualMeter:
    return meter(nvm, now, **{"factory_key": Secret(FACTORY)} | changes)


def aes_client(key: bytes = FACTORY, seed: int = 7) -> AesClient:
    state = ClientState(NEURON, LongTermKey(0, key))
    return AesClient(state, CONCENTRATOR, random.Random(seed).randbytes)


def work(asker: Asker, client: AesClient, to: Any = PLACE) -> list[bytes]:
    """Let the client do all it wants; the answers of the meter. Raises TransportError."""
    answers = []
    while (message := client.work()) is not None:
        answer = asker.ask(message, to)
        if answer is None:
            client.abandon()
            raise TransportError("silence")
        answers.append(answer)
        client.answer(answer)
    return answers


def speak(asker: Asker, security: ClientSecurity) -> None:
    asker.client = TableClient(security)


def secured(**changes: Any) -> tuple[Asker, AesClient]:
    """A meter with its utility key in mode 2, and a concentrator that has its channel."""
    asker, client = Asker(aes_meter(**changes)), aes_client()
    asker.commission()
    client.want_long_term_key(UTILITY)
    client.want_mode(Mode.AES)
    work(asker, client)
    speak(asker, client)
    return asker, client


def events(asker: Asker) -> list[int]:
    return [entry.event for entry in asker.device.parts.log.entries()]


def alarms(asker: Asker) -> frozenset[int]:
    return asker.device.parts.condition.alarms


# --- the way to mode 2, and what is served there ------------------------------------------------


def test_from_the_factory_key_to_mode_2_while_the_old_suite_still_reads() -> None:
    asker, client = Asker(aes_meter()), aes_client()
    asker.commission()
    assert asker.table(2052).security_mode == Mode.RC4
    client.want_long_term_key(UTILITY)
    work(asker, client)
    assert asker.table(1).manufacturer_serial_number == profile().serial
    client.want_mode(Mode.AES)
    work(asker, client)
    speak(asker, client)
    assert asker.table(1).manufacturer_serial_number == profile().serial
    assert asker.table(2052).security_mode == Mode.AES
    assert client.key_version == 1
    assert events(asker) == [REPROGRAMMED] * 3


def test_reads_writes_and_procedures_in_the_channel() -> None:
    asker, _ = secured()
    number = "98765432109876543210"
    asker.run(asker.client.write_whole(5, identification(number)))
    assert asker.table(5).identification == number
    assert asker.call(2064, 1, delta=-10).result_code == 0
    assert len(asker.image(23)) == len(asker.device.tables.image(23, asker.now))


def test_counters_are_shown() -> None:
    asker, client = secured()
    client.want_status()
    work(asker, client)
    system, status = asker.table(2052), asker.table(2102)
    assert client.status is not None
    assert status.unicast_key_usage_count > client.status.unicast_uses > 0
    assert status.broadcast_key_usage_count == 0
    assert status.supported_security_modes == {Mode.RC4, Mode.AES}
    assert (system.maximum_key_usage_count, system.fcm_message_count) == (1_000_000, 2)


def test_the_factory_key_opens_no_table_and_no_search() -> None:
    asker, client = Asker(aes_meter()), aes_client()
    asker.commission()
    work(asker, client)
    speak(asker, client)
    assert asker.refusal(asker.client.read(1, 0, 4)) == InsufficientSecurityClearance.code
    fetch = atm.FetchRequest.make(command=atm.Command.FETCH, salt=0, first=0)
    command = atm.COMMANDS[atm.Command.FETCH].encode(fetch)
    sealed = client.seal_request(b"\x00" + command)
    answer = asker.ask(atm.ENVELOPE + sealed, PLACE)
    assert answer is not None
    body = client.open_response(sealed, answer.removeprefix(atm.ENVELOPE))
    assert body == bytes((0, InsufficientSecurityClearance.code))
    client.want_mode(Mode.AES)
    with pytest.raises(InsufficientSecurityClearance):
        work(asker, client)


def test_another_factory_key_gets_nothing() -> None:
    asker, stranger = Asker(aes_meter()), aes_client(bytes(16))
    asker.commission()
    with pytest.raises(SecurityError):
        work(asker, stranger)
    assert not stranger.established


# --- what mode 2 refuses ------------------------------------------------------------------------


@pytest.mark.parametrize("encrypt", [False, True])
@pytest.mark.parametrize("envelope", [b"", atm.ENVELOPE])
def test_every_message_of_the_old_suite_is_refused(encrypt: bool, envelope: bytes) -> None:
    asker, _ = secured()
    legacy = OmaClient(OMAK, PlcScope(PLACE.subnet, PLACE.node), encrypt=encrypt)
    last = asker.device._security.last
    answer = asker.ask(envelope + legacy.seal_request(READ), PLACE)
    assert answer == envelope + AUTHENTICATION_FAILURE
    assert asker.device._security.last == last


@pytest.mark.parametrize(
    "change",
    [
        nm.leave_domain(0),
        nm.set_node_mode(nm.Mode.CHANGE_STATE, NodeState.UNCONFIGURED),
        nm.update_oma_key(bytes(12)),
        nm.init_config(),
        nm.query_oma_key(),
    ],
    ids=["leave", "unconfigure", "key", "initialise", "ask for the key"],
)
@pytest.mark.parametrize("proven", [False, True])
def test_configuration_is_refused_however_it_is_authenticated(change: bytes, proven: bool) -> None:
    asker, _ = secured()
    before = asker.device.stack.config.to_bytes()
    answer = manage(asker, change, OMAK if proven else None)
    assert answer is not None and answer[:1] == bytes((nm.response_code(change[0], False),))
    assert asker.device.stack.config.to_bytes() == before
    assert asker.device.address == PLACE


def manage(asker: Asker, change: bytes, proof: bytes | None = OMAK) -> bytes | None:
    return asker.ask(change, NeuronId(NEURON), proof=proof)


def test_mode_changes_back_only_in_the_channel_and_opens_the_configuration() -> None:
    asker, client = secured()
    refused = manage(asker, nm.set_node_mode(nm.Mode.CHANGE_STATE, NodeState.UNCONFIGURED))
    client.want_mode(Mode.RC4)
    work(asker, client)
    asker.use_place(PLACE)
    assert asker.table(2052).security_mode == Mode.RC4
    done = manage(asker, nm.set_node_mode(nm.Mode.CHANGE_STATE, NodeState.UNCONFIGURED))
    assert refused is not None and done is not None and refused != done
    assert asker.device.address is None


def test_a_meter_without_factory_key_does_not_know_the_suite() -> None:
    asker, client = Asker(meter()), aes_client()
    asker.commission()
    with pytest.raises(TransportError):
        work(asker, client)
    assert asker.table(2102).supported_security_modes == {Mode.RC4}
    with pytest.raises(UsageError):
        profile(factory_key=Secret(bytes(12)))


def test_no_key_is_shown() -> None:
    given: MeterProfile = profile(factory_key=Secret(FACTORY))
    assert FACTORY.hex() not in repr(given) and repr(FACTORY)[2:-1] not in repr(given)


# --- guards -------------------------------------------------------------------------------------


def test_at_80_percent_there_is_an_alarm_and_the_channel_is_renewed() -> None:
    asker, client = secured(security=Limits(uses=60))
    while not alarms(asker):
        asker.run(asker.client.read(1, 0, 4))
    assert alarms(asker) == {34}
    assert asker.table(2102).unicast_key_usage_count >= 48
    client.want_channel()
    work(asker, client)
    assert asker.table(2102).unicast_key_usage_count < 20
    assert 34 in asker.table(3).manufacturer_alarms


def test_lockout_is_for_both_suites_and_ends_by_itself_and_is_logged() -> None:
    asker, _ = secured(security=Limits(lockout_threshold=3, lockout_minutes=2))
    for _ in range(3):
        assert asker.ask(b"\x10" * 20, PLACE) == AUTHENTICATION_FAILURE
    assert asker.ask(b"\x00" * 20, PLACE) is None
    assert events(asker)[-1] == INVALID_PASSWORD and 8 in alarms(asker)
    again = Asker(aes_meter(asker.device.nvm, security=Limits(60, 3, 2)), asker.now)  # type: ignore[arg-type]  # the same memory
    again.stack = asker.stack
    assert again.ask(b"\x10" * 20, PLACE) is None
    again.now += 121
    assert again.ask(b"\x10" * 20, PLACE) == AUTHENTICATION_FAILURE


def test_a_hundred_handshakes_a_day_and_then_the_channel_still_works() -> None:
    asker, client = secured()
    challenge = aes_client(seed=9).work()
    assert challenge is not None
    for _ in range(98):
        assert asker.ask(challenge, PLACE) is not None
    assert asker.ask(challenge, PLACE) is None
    assert asker.table(2052).fcm_message_count == 100
    assert events(asker)[-1] == INVALID_PASSWORD
    asker.now = START + DAY + 60
    client.want_channel()
    work(asker, client)
    assert asker.table(2052).fcm_message_count == 1


# --- broadcasts ---------------------------------------------------------------------------------


def test_a_secured_broadcast_is_executed_once_and_answered_by_nobody() -> None:
    asker, client = secured()
    key = DomainKey(1, DOMAIN.ljust(6, b"\0"), b"D" * 16)
    client.want_domain_key(DomainWish(key, base=10, delta=50))
    work(asker, client)
    sender = BroadcastSender(key, 10)
    numbers = ["1" * 20, "2" * 20]
    sealed = [sender.seal(written(number)) for number in numbers]
    for message in (sealed[0], sealed[1], sealed[0]):
        shout(asker, message)
    assert asker.device.parts.identification == numbers[1]
    system = asker.table(2052)
    assert (system.broadcast_base, system.broadcast_delta) == (12, 50)
    assert asker.table(2102).broadcast_key_usage_count >= 2
    again = aes_meter(asker.device.nvm, asker.now)  # type: ignore[arg-type]  # the same memory
    assert again.parts.link.security(asker.now).base == 12


def identification(number: str) -> bytes:
    return DeviceIdentification.bind().encode(DeviceIdentification.make(identification=number))


def written(number: str) -> bytes:
    data = identification(number)
    request = FullWriteRequest(Command.FULL_WRITE, 5, len(data), data)
    return b"\x00" + REQUESTS[Command.FULL_WRITE].encode(request)


def shout(asker: Asker, apdu: bytes) -> None:
    asker.stack.send(Outgoing(Broadcast(0), apdu, Service.UNACKD), asker.now)
    asker.exchange()
    while (event := asker.stack.next_event()) is not None:
        assert isinstance(event, Completed)


# --- power cuts ---------------------------------------------------------------------------------


def test_mode_and_channel_survive_a_power_failure_of_the_supply() -> None:
    asker, _ = secured()
    device = asker.device
    outage = Spell(Kind.POWER_FAILURE, 0, START + HOUR, START + 2 * HOUR)
    device.parts.metering.undergo([outage])
    device.handle_timer(START + 3 * HOUR)
    asker.now = START + 3 * HOUR
    assert asker.table(2052).security_mode == Mode.AES
    legacy = OmaClient(OMAK, PlcScope(PLACE.subnet, PLACE.node))
    assert asker.ask(legacy.seal_request(READ), PLACE) == AUTHENTICATION_FAILURE


def test_a_memory_in_mode_2_stays_there_whatever_the_profile_says() -> None:
    asker, client = secured()
    forgetful = Asker(meter(asker.device.nvm, asker.now), asker.now)
    forgetful.stack = asker.stack
    legacy = OmaClient(OMAK, PlcScope(PLACE.subnet, PLACE.node))
    assert forgetful.ask(legacy.seal_request(READ), PLACE) == AUTHENTICATION_FAILURE
    speak(forgetful, client)
    assert forgetful.table(2052).security_mode == Mode.AES


class Life:
    """One commissioning to mode 2 with a cut of the meter's power at operation `cut`."""

    def __init__(self, cut: int) -> None:
        self.nvm = MemoryNvm(cut_at=cut)
        self.client, self.epochs = aes_client(), list[bytes]()
        self.now = float(START)
        self.client.want_long_term_key(UTILITY)
        self.client.want_mode(Mode.AES)

    def live(self) -> Asker:
        """Ends with PowerCut, or in mode 2 with one table read."""
        asker = Asker(aes_meter(self.nvm, self.now), self.now)
        ask = asker.ask

        def heard(apdu: bytes, *to: Any, **how: Any) -> bytes | None:
            try:
                answer = ask(apdu, *to, **how)
            finally:
                self.now = asker.now
            if answer is not None and answer[:2] == b"\x12\x02":
                self.epochs.append(answer[9:13])
            return answer

        asker.ask = heard  # type: ignore[method-assign]  # the test's own in its place
        if asker.device.address is None:
            asker.commission()
        for _ in range(4):
            try:
                work(asker, self.client)
                break
            except SecurityError:
                self.client.abandon()
        speak(asker, self.client)
        assert asker.table(1).manufacturer_serial_number == profile().serial
        return asker

    def cut(self, *, kept: bool) -> None:
        self.nvm = self.nvm.survivor(unsynchronised=kept)
        self.client.abandon()
        self.now += 60


@pytest.mark.parametrize("kept", [True, False])
def test_a_power_cut_at_any_operation_locks_nobody_out(kept: bool) -> None:
    whole = Life(10**9)
    whole.live()
    operations = whole.nvm.operations
    assert operations > 20
    for cut in range(operations):
        life = Life(cut)
        with pytest.raises(PowerCut):
            life.live()
        life.cut(kept=kept)
        asker = life.live()
        assert asker.table(2052).security_mode == Mode.AES, f"cut at {cut} of {operations}"
        assert life.client.key_version == 1
        assert len(set(life.epochs)) == len(life.epochs), f"an epoch twice, cut at {cut}"
