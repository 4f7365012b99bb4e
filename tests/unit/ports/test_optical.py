"""Both roles of the optical port against each other: sessions, tables, states, time."""

from __future__ import annotations

from collections import deque
from contextlib import suppress

import pytest

from osgp.errors import (
    InsufficientSecurityClearance,
    InvalidServiceSequenceState,
    LocalProtocolError,
    OperationNotPossible,
    ServiceError,
    ServiceFailed,
    TransportError,
)
from osgp.ports import Caller, PasswordRefused, SessionEnded, SpeedChanged
from osgp.ports.line import UNLIMITED
from osgp.ports.optical import (
    DenialOfService,
    OpticalPort,
    OpticalServer,
    OpticalSession,
    Size,
    Timing,
    psem,
)
from osgp.ports.optical.checksum import ChecksumClient, checksum
from osgp.ports.optical.psem import STATES, Kind, State
from osgp.security.guard import Lockout
from osgp.session import Exchange, Send

from .cable import Cable, Noise, Shelf, calling

RK, MK, PK = b"readreadreadreadread", bytes(range(20)), b"tenbytekey"
KEYS = {"RK": RK, "MK": MK, "PK": PK}
BIG = bytes(i * 7 & 0xFF for i in range(3000))


def shelf() -> Shelf:
    return Shelf({0: bytes(range(19)), 23: BIG, 7: bytes(40), 64: BIG})


def bench(**kwargs: object) -> tuple[Cable, OpticalSession, OpticalServer, Shelf]:
    tables = shelf()
    server = OpticalServer(tables, KEYS, **kwargs)  # type: ignore[arg-type]  # a mapping of arguments
    port = OpticalPort()
    return calling(port, server), OpticalSession(port, RK), server, tables


def active(server: OpticalServer) -> bool:
    return server.active


def test_a_session_from_identification_to_terminate() -> None:
    cable, session, server, tables = bench()
    identity = cable.call(session.open())
    assert (identity.standard, identity.version, identity.revision) == (0, 1, 0)
    assert active(server)
    assert cable.call(session.tables.read(23, 100, 50)) == BIG[100:150]
    assert tables.reads == [(23, 100, 50, "RK")]
    cable.call(session.close())
    cable.wait(3)
    assert not active(server)
    assert SessionEnded("terminated") in cable.reported[1]


def test_negotiation_makes_room_for_long_messages() -> None:
    cable, session, _, tables = bench(largest=Size(256, 20))
    assert session.tables.limits.read == 52
    cable.call(session.open())
    assert session.tables.limits.read == 248 * 20 - 4
    assert cable.call(session.tables.read(23, 0, 3000)) == BIG
    assert len(tables.reads) == 1


def test_without_negotiation_reads_are_cut_to_fit() -> None:
    cable, session, _, tables = bench(largest=Size(64, 1))
    cable.call(session.open())
    assert cable.call(session.tables.read(23, 0, 200)) == BIG[:200]
    assert [count for _, _, count, _ in tables.reads] == [52, 52, 52, 44]


def test_writing_in_parts_and_whole() -> None:
    cable, session, _, tables = bench()
    cable.call(session.open())
    cable.call(session.tables.write(7, b"\x01\x02\x03", 5))
    cable.call(session.tables.write_whole(7, b"\xee" * 12))
    assert tables.images[7][:12] == b"\xee" * 12
    assert [w[:2] for w in tables.writes] == [(7, 5), (7, None)]


def test_the_checksum_of_written_data() -> None:
    # C12.18: the two's complement of the sum of the data bytes.
    assert checksum(bytes.fromhex("010203")) == 0xFA
    sealed = ChecksumClient().seal_request(bytes.fromhex("4f0007000005000301 0203"))
    assert sealed[-1] == 0xFA


def raw(*messages: bytes) -> Exchange[list[bytes]]:
    answers = []
    for message in messages:
        answer = yield Send(message)
        answers.append(answer)
    return answers


IDENTIFY, TERMINATE, LOGOFF = b"\x20", b"\x21", b"\x52"
LOGON = psem.LOGON.encode(psem.Logon(0x50, 2, psem.user_name("me")))


def secure(key: bytes) -> bytes:
    return psem.SECURITY.encode(psem.Security(0x51, psem.password_of(key)))


def test_a_wrong_checksum_writes_nothing() -> None:
    cable, _, _, tables = bench()
    write = bytes.fromhex("4f00070000050003010203 00")
    assert cable.call(raw(IDENTIFY, LOGON, secure(MK), write))[-1] == b"\x01"
    wrong_count = bytes.fromhex("4f00070000050009010203fa")
    assert cable.call(raw(wrong_count)) == [b"\x01"]
    assert not tables.writes


def test_the_key_decides_under_which_name_tables_are_read() -> None:
    for key, name in ((RK, "RK"), (MK, "MK"), (PK, "PK"), (None, "NONE")):
        cable, session, _, tables = bench()
        session._key = key
        cable.call(session.open())
        cable.call(session.tables.read(0, 0, 1))
        assert tables.reads[-1][3] == name


def test_a_wrong_key_is_refused_and_gives_no_rights() -> None:
    cable, session, _, tables = bench()
    session._key = b"wrong"
    with pytest.raises(InsufficientSecurityClearance):
        cable.call(session.open())
    assert PasswordRefused(0) in cable.reported[1]
    assert cable.call(raw(bytes.fromhex("300000")))[0][0] == 0
    assert tables.reads[-1][3] == "NONE"


def test_a_wrong_key_ends_the_rights_of_a_right_one() -> None:
    cable, _, _, tables = bench()
    cable.call(raw(IDENTIFY, LOGON, secure(MK), secure(b"x"), bytes.fromhex("300000")))
    assert tables.reads[-1][3] == "NONE"


def test_logging_off_ends_the_rights() -> None:
    cable, _, _, tables = bench()
    answers = cable.call(
        raw(
            IDENTIFY,
            LOGON,
            secure(MK),
            LOGOFF,
            bytes.fromhex("300000"),
            LOGON,
            bytes.fromhex("300000"),
        )
    )
    assert answers[4] == b"\x0a"
    assert tables.reads == [(0, 0, None, "NONE")]


def test_lockout_after_failed_passwords() -> None:
    cable, _, _, _ = bench(lockout=Lockout(deque(), threshold=2, minutes=1))
    begin = (IDENTIFY, LOGON)
    assert cable.call(raw(*begin, secure(b"a"), secure(b"b"), secure(MK)))[2:] == [b"\x03"] * 3
    cable.wait(61)
    assert cable.call(raw(*begin, secure(MK)))[-1] == b"\x00"


REQUESTS = {
    Kind.IDENTIFY: IDENTIFY,
    Kind.NEGOTIATE: bytes.fromhex("60004001"),
    Kind.LOGON: LOGON,
    Kind.SECURITY: secure(RK),
    Kind.TABLE: bytes.fromhex("300000"),
    Kind.WAIT: bytes.fromhex("7005"),
    Kind.LOGOFF: LOGOFF,
    Kind.TERMINATE: TERMINATE,
}
WAYS = {
    State.BASE: (),
    State.IDENTIFIED: (IDENTIFY,),
    State.SESSION: (IDENTIFY, LOGON),
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("kind", REQUESTS)
def test_every_service_in_every_state(state: State, kind: Kind) -> None:
    cable, _, server, _ = bench()
    answers = cable.call(raw(*WAYS[state], REQUESTS[kind]))
    allowed = (state, kind) in STATES
    assert (answers[-1][0] == 0) is allowed
    if not allowed:
        assert answers[-1] == b"\x0a"
    target = STATES.get((state, kind), state)
    cable.wait(0.5)
    assert active(server) is (target is not State.BASE)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("99", 0x02),
        ("6c004001060606060606060606060606", 0x02),
        ("5100", 0x01),
        ("70", 0x01),
        ("3000", 0x04),
        ("3f0017000000ffff", 0x04),
        ("300999", 0x04),
    ],
)
def test_what_no_meter_serves(message: str, code: int) -> None:
    cable, _, _, _ = bench()
    assert cable.call(raw(IDENTIFY, LOGON, bytes.fromhex(message)))[-1] == bytes((code,))


def test_codes_become_errors() -> None:
    cable, session, _, _ = bench()
    cable.call(session.open())
    with pytest.raises(OperationNotPossible):
        cable.call(session.tables.read(99, 0, 1))
    with pytest.raises(ServiceError):
        cable.call(session.tables.read_whole(99))


def test_silence_ends_a_session() -> None:
    cable, session, server, _ = bench()
    port = OpticalPort(keep_alive=None)
    cable = calling(port, server)
    session = OpticalSession(port, RK)
    cable.call(session.open())
    cable.wait(5.5)
    assert active(server)
    cable.wait(1.0)
    assert not active(server)
    with pytest.raises(InvalidServiceSequenceState):
        cable.call(session.tables.read(0, 0, 1))


def test_the_wait_service_extends_the_silence_once() -> None:
    _, _, server, _ = bench()
    cable = calling(OpticalPort(keep_alive=None), server)
    cable.call(raw(IDENTIFY, LOGON, bytes.fromhex("7014")))
    cable.wait(19)
    assert active(server)
    cable.call(raw(bytes.fromhex("300000")))
    cable.wait(7)
    assert not active(server)


def test_an_idle_session_is_kept_alive() -> None:
    cable, session, server, _ = bench()
    cable.call(session.open())
    cable.wait(600)
    assert active(server)
    assert cable.call(session.tables.read(0, 0, 3)) == b"\0\1\2"


def test_a_request_during_a_keep_alive_waits_for_its_answer() -> None:
    cable, session, _, _ = bench()
    cable.call(session.open())
    before = len(cable.sent[0])
    cable.run(cable.now + 10, lambda: len(cable.sent[0]) > before)
    assert cable.call(session.tables.read(0, 0, 3)) == b"\0\1\2"


def test_a_meter_that_leaves_ends_the_session_in_the_clients_view() -> None:
    cable, session, _, _ = bench()
    cable.call(session.open())
    cable.cut = True
    cable.wait(60)
    assert [type(e) for e in cable.reported[0]].count(SessionEnded) == 1


def test_nobody_answers() -> None:
    cable, session, _, _ = bench()
    cable.cut = True
    with pytest.raises(TransportError, match="no answer") as caught:
        cable.call(session.open())
    assert "head's position" in caught.value.hint


def test_a_lost_session_is_opened_again_for_reading() -> None:
    _, _, server, _ = bench()
    port = OpticalPort(keep_alive=None)
    cable, session = calling(port, server), OpticalSession(port, RK)
    cable.call(session.open())
    cable.wait(30)
    assert cable.call(session.during(lambda: session.tables.read(0, 0, 2))) == b"\0\1"
    session._key = b"wrong"
    session.identity = None
    with pytest.raises(InsufficientSecurityClearance):
        cable.call(session.during(lambda: session.tables.read(0, 0, 2)))


def test_a_session_left_open_by_somebody_else_is_taken_over() -> None:
    cable, session, _, _ = bench()
    cable.call(raw(IDENTIFY, LOGON, secure(MK)))
    cable.wait(1)
    cable.call(session.open())
    assert cable.call(session.tables.read(0, 0, 2)) == b"\0\1"


def test_the_speed_changes_on_both_sides_once_the_answer_is_acknowledged() -> None:
    cable, _, _, _ = bench(speeds=frozenset({9600, 19200}))
    port = cable.ends[0]
    assert isinstance(port, Caller)
    optical = port.port
    assert isinstance(optical, OpticalPort)
    session = OpticalSession(optical, RK, speeds=(57600, 19200))
    cable.call(session.open())
    cable.wait(0.5)
    assert SpeedChanged(19200) in cable.reported[0]
    assert SpeedChanged(19200) in cable.reported[1]
    cable.call(session.close())
    cable.wait(3)
    assert cable.reported[0][-1] == SpeedChanged(9600)
    assert SpeedChanged(9600) in cable.reported[1]


def test_an_overlong_session_is_ended_and_the_port_deaf_for_a_while() -> None:
    cable, session, server, _ = bench(denial=DenialOfService(session=60, hold_off=30))
    cable.call(session.open())
    cable.wait(65)
    assert not active(server)
    server.receive(bytes.fromhex("ee0000000001201310"), cable.now)
    assert server.data_to_send(cable.now + 1) == b""
    cable.wait(30)
    cable.call(session.open())
    assert active(server)


def test_the_turn_around_delay() -> None:
    server = OpticalServer(shelf(), KEYS)
    server.receive(bytes.fromhex("ee0000000001201310"), 5.0)
    assert server.data_to_send(5.0) == b""
    due = server.next_timer()
    assert due is not None
    assert due == pytest.approx(5.0 + 175e-6)
    assert server.data_to_send(due).startswith(b"\x06\xee")


def test_a_pause_in_a_packet_is_answered_with_nak() -> None:
    server = OpticalServer(shelf(), KEYS)
    server.receive(bytes.fromhex("ee00000000"), 5.0)
    assert server.next_timer() == pytest.approx(5.5)
    server.handle_timer(5.5)
    assert server.data_to_send(5.5) == b"\x15"


def test_one_request_at_a_time() -> None:
    port = OpticalPort()
    port.request(IDENTIFY, 0.0)
    with pytest.raises(LocalProtocolError):
        port.request(IDENTIFY, 0.0)


def test_a_message_that_the_port_cannot_carry() -> None:
    port = OpticalPort()
    with pytest.raises(LocalProtocolError):
        port.request(bytes(57), 0.0)
    port.request(bytes(56), 0.0)


def test_nothing_holds_up_a_line_without_limit() -> None:
    tables = shelf()
    server = OpticalServer(tables, KEYS, line=UNLIMITED, timing=Timing(turn_around=0.0))
    port = OpticalPort(UNLIMITED, Timing(turn_around=0.0))
    cable = calling(port, server, speed=None)
    session = OpticalSession(port, RK)
    start = cable.now
    cable.call(session.open())
    assert cable.call(session.tables.read(23, 0, 3000)) == BIG
    assert cable.now == start


@pytest.mark.parametrize("seed", range(12))
def test_noise_costs_time_and_nothing_else(seed: int) -> None:
    tables = shelf()
    server = OpticalServer(tables, KEYS)
    port = OpticalPort()
    noise = Noise(dropped=0.002, doubled=0.002, flipped=0.002, delayed=0.05)
    cable = calling(port, server, noise=noise, seed=seed)
    session = OpticalSession(port, RK, offer=Size(128, 8))

    def reading() -> Exchange[bytes]:
        return session.tables.read(64, 0, 1500)

    assert cable.call(session.during(reading, attempts=6)) == BIG[:1500]


@pytest.mark.parametrize("seed", range(6))
def test_a_write_is_executed_once_however_often_packets_repeat(seed: int) -> None:
    tables = shelf()
    port = OpticalPort()
    cable = calling(port, OpticalServer(tables, KEYS), seed=seed)
    session = OpticalSession(port, MK)
    cable.call(session.open())
    cable.noise = Noise(dropped=0.01, flipped=0.01, doubled=0.01)

    def writing() -> Exchange[None]:
        for n in range(10):
            yield from session.tables.write(7, bytes((n,)), n)

    with suppress(TransportError):
        cable.call(writing())
    done = [data[0] for _, _, data, _ in tables.writes]
    assert done == list(range(len(done)))


def test_an_error_code_of_the_meter_ends_identification_after_some_attempts() -> None:
    class Refusing(OpticalServer):
        def _identify(self, now: float) -> bytes:
            raise ServiceFailed

    port = OpticalPort()
    cable = calling(port, Refusing(shelf(), KEYS))
    with pytest.raises(ServiceFailed):
        cable.call(OpticalSession(port, RK).open())
