"""Both roles of the MEP port against each other: digests, noise, alerts, time, speed."""

from __future__ import annotations

import pytest

from osgp.errors import (
    LocalProtocolError,
    OperationNotPossible,
    SecurityError,
    SequenceNumberError,
    TransportError,
)
from osgp.ports import (
    Alert,
    Answered,
    Broken,
    Caller,
    Failed,
    PortTables,
    SpeedChanged,
    Unsolicited,
)
from osgp.ports.line import Line
from osgp.ports.mep import MepPort, MepServer, oma_tables
from osgp.ports.mep.frame import FrameParser, Mark, frame
from osgp.session import Exchange

from .cable import Cable, Noise, Shelf, calling

MAK, MBK = b"advancedadvanced", b"basicbasicbasic!"
KEYS = {"MAK": MAK, "MBK": MBK}
BIG = bytes(i * 7 & 0xFF for i in range(3000))


def shelf() -> Shelf:
    return Shelf({0: bytes(range(19)), 23: BIG, 7: bytes(40), 64: BIG, 2061: bytes(30)})


def bench(key: bytes = MAK, **kwargs: object) -> tuple[Cable, PortTables, MepServer, Shelf]:
    tables = shelf()
    server = MepServer(tables, KEYS, last=9, **kwargs)  # type: ignore[arg-type]  # a mapping of arguments
    return calling(MepPort(), server), oma_tables(key, last=9), server, tables


def test_reading_and_writing() -> None:
    cable, client, _, tables = bench()
    assert cable.call(client.read(23, 100, 50)) == BIG[100:150]
    cable.call(client.write(7, b"\1\2\3", 5))
    cable.call(client.write_whole(7, b"\xee" * 12))
    assert tables.reads == [(23, 100, 50, "MAK")]
    assert [w[:2] for w in tables.writes] == [(7, 5), (7, None)]


def test_long_reads_fill_the_messages() -> None:
    cable, client, _, tables = bench()
    assert cable.call(client.read(23, 0, 1000)) == BIG[:1000]
    assert [count for _, _, count, _ in tables.reads] == [455, 455, 90]
    assert max(len(b) for b in b"".join(cable.sent[1]).split()) <= 478
    cable.call(client.write(23, bytes(1000)))
    assert [len(w[2]) for w in tables.writes] == [456, 456, 88]


def test_the_key_decides_the_name() -> None:
    cable, client, _, tables = bench(MBK + b"more")
    cable.call(client.read(0, 0, 1))
    assert tables.reads[-1][3] == "MBK"


def test_a_wrong_key_reads_nothing() -> None:
    cable, client, _, tables = bench(b"x" * 16)
    with pytest.raises(SecurityError, match="another key"):
        cable.call(client.read(0, 0, 1))
    assert not tables.reads


def test_encryption_hides_the_data() -> None:
    cable, _, _, _ = bench()
    client = oma_tables(MAK, encrypt=True)
    assert cable.call(client.read(23, 0, 40)) == BIG[:40]
    assert BIG[:10] not in b"".join(cable.sent[1])


def test_a_full_read_names_its_length() -> None:
    cable, client, _, _ = bench()
    assert cable.call(client.read_whole(0)) == bytes(range(19))
    assert cable.sent[0][0][2:7].hex() == "30000001d1"
    with pytest.raises(OperationNotPossible):
        cable.call(client.read_whole(23))
    assert cable.call(client.whole(23, 900)) == BIG[:900]


def test_a_full_read_with_a_smaller_length_is_cut() -> None:
    from osgp.ports.mep.dialect import MepServerDialect, PlainServer

    suite = MepServerDialect(PlainServer("MAK"))
    opened = suite.open_request(bytes.fromhex("3000000002"))
    assert opened.apdu.hex() == "300000"
    assert suite.seal_response(opened, bytes.fromhex("000003aabbcc")).hex() == "000002aabb"
    opened = suite.open_request(bytes.fromhex("300000"))
    assert suite.seal_response(opened, bytes.fromhex("000003aabbcc")).hex() == "000003aabbcc"


def test_an_unknown_sequence_number_costs_one_exchange() -> None:
    cable, _, server, _ = bench()
    client = oma_tables(MAK, last=77)
    assert cable.call(client.read(0, 0, 2)) == b"\0\1"
    assert (client.statistics.resyncs, server.sequence) == (1, 10)


def test_a_changed_interface_moves_the_sequence_number() -> None:
    versions = [3]
    server = MepServer(shelf(), KEYS, last=9, interface=lambda: versions[0])
    cable = calling(MepPort(), server)
    client = oma_tables(MAK, last=9)
    cable.call(client.read(0, 0, 2))
    assert (client.statistics.resyncs, server.sequence) == (0, 10)
    versions[0] += 1
    assert cable.call(client.read(0, 0, 2)) == b"\0\1"
    assert (client.statistics.resyncs, server.sequence) == (1, 36)


def test_a_meter_that_always_wants_another_number_ends_the_exchange() -> None:
    class Never(MepServer):
        def receive(self, data: bytes, now: float) -> None:
            self._suite._window._set(self.sequence + 1000)
            super().receive(data, now)

    cable = calling(MepPort(), Never(shelf(), KEYS))
    client = oma_tables(MAK, last=1)
    with pytest.raises(SequenceNumberError):
        cable.call(client.read(0, 0, 2))
    assert client.statistics.requests == 2


def test_silence_is_answered_with_the_same_bytes() -> None:
    cable, client, _, _ = bench()
    cable.cut = True
    with pytest.raises(TransportError, match="no answer") as caught:
        cable.call(client.read(0, 0, 2))
    assert "ET13" in caught.value.hint
    assert len(cable.sent[0]) == 3
    assert len(set(cable.sent[0])) == 1


def test_a_response_has_half_a_second_from_the_last_byte_of_the_request() -> None:
    port = MepPort()
    port.request(bytes(28), 10.0)
    sent = port.data_to_send(10.0)
    left = 10.0 + len(sent) * 10 / 9600
    assert port.next_timer() == pytest.approx(left + 0.5)
    port.handle_timer(left + 0.49)
    assert port.next_event() is None
    # The length has come in time; the rest may take longer.
    port.receive(b"\0\x05", left + 0.49)
    port.handle_timer(left + 0.51)
    assert port.next_event() is None
    port.receive(b"12345", left + 0.6)
    assert port.next_event() == Answered(b"12345")


def test_a_repeated_write_is_executed_once() -> None:
    cable, client, _, tables = bench()
    cable.noise = Noise(delayed=1.0, delay=0.6)
    cable.call(client.write(7, b"\1"))
    cable.wait(5)
    cable.noise = Noise()
    assert cable.call(client.read(0, 0, 2)) == b"\0\1"
    assert len(tables.writes) == 1


@pytest.mark.parametrize("seed", range(12))
def test_noise_never_changes_data(seed: int) -> None:
    cable, client, _, _ = bench()
    cable.noise = Noise(dropped=0.001, doubled=0.001, flipped=0.001, delayed=0.1, delay=0.7)
    cable._random.seed(seed)
    good = 0
    for offset in range(0, 1500, 100):
        try:
            assert cable.call(client.read(64, offset, 100)) == BIG[offset : offset + 100]
            good += 1
        except (TransportError, SecurityError):
            pass
    cable.noise = Noise()
    cable.wait(5)
    assert cable.call(client.read(64, 0, 400)) == BIG[:400]
    assert good > 10


def test_requests_keep_their_distance() -> None:
    cable, client, _, _ = bench()
    begun = cable.now
    for _ in range(10):
        cable.call(client.read(0, 0, 1))
    assert cable.now - begun > 0.9


def test_responses_leave_in_segments() -> None:
    server = MepServer(shelf(), KEYS, last=9)
    request = oma_tables(MAK, last=9)._security.seal_request(bytes.fromhex("3f0017000000012c"))
    server.receive(frame(request), 10.0)
    segments, times = [], []
    while (due := server.next_timer()) is not None:
        segments.append(server.data_to_send(due))
        times.append(due)
    assert [len(s) for s in segments] == [117, 117, 79]
    assert times[1] - times[0] == pytest.approx(117 * 10 / 9600 + 0.025)


def test_a_long_read_fills_four_segments_each() -> None:
    cable, client, _, tables = bench()
    assert cable.call(client.read(64, 0, 1375)) == BIG[:1375]
    # The last piece takes what would else cost a request of its own.
    assert [count for _, _, count, _ in tables.reads] == [455, 455, 465]
    assert [len(segment) for segment in cable.sent[1]] == [117] * 8 + [117] * 4 + [10]


def test_a_request_in_the_middle_of_a_response_does_not_cut_it() -> None:
    server = MepServer(shelf(), KEYS, last=9)
    suite = oma_tables(MAK, last=9)._security
    server.receive(frame(suite.seal_request(bytes.fromhex("3f0017000000012c"))), 10.0)
    response = server.data_to_send(10.0)
    server.receive(frame(suite.seal_request(bytes.fromhex("3f0000000000 0001"))), 10.01)
    while (due := server.next_timer()) is not None:
        response += server.data_to_send(due)
    assert FrameParser().feed(response) == [response[2:]]


def test_responses_keep_their_distance() -> None:
    server = MepServer(shelf(), KEYS)
    server.receive(frame(bytes(14)), 10.0)
    assert server.data_to_send(10.0)
    server.receive(frame(bytes(14)), 10.02)
    assert not server.data_to_send(10.02)
    assert server.next_timer() == pytest.approx(10.1)


def test_a_pause_inside_a_request_discards_it() -> None:
    cable, client, server, _ = bench()
    server.receive(b"\0\x14\x3f", cable.now)
    cable.wait(0.06)
    assert cable.call(client.read(0, 0, 2)) == b"\0\1"


def test_alerts_once_a_second_until_they_are_answered() -> None:
    cable, client, server, _ = bench()
    server.alert(True, cable.now)
    cable.wait(3.5)
    assert cable.reported[0] == [Alert()] * 4
    cable.call(client.read(2061, 0, 4))
    answered = cable.now
    server.alert(True, cable.now)
    cable.run(cable.now + 5, lambda: len(cable.reported[0]) == 5)
    assert cable.now - answered > 0.9
    server.alert(False, cable.now)
    cable.wait(5)
    assert len(cable.reported[0]) == 5


def test_a_new_alert_waits_for_the_last_request_to_be_a_second_old() -> None:
    server = MepServer(shelf(), KEYS)
    server.receive(frame(bytes(14)), 10.0)
    server.data_to_send(10.0)
    server.alert(True, 10.3)
    assert server.next_timer() == pytest.approx(11.0)


def test_an_alert_does_not_pass_for_the_answer() -> None:
    port = MepPort()
    port.request(b"question", 1.0)
    port.data_to_send(1.0)
    port.receive(b"\0\0", 1.1)
    port.receive(b"\0\0\0\2ok", 1.2)
    assert [port.next_event() for _ in range(3)] == [Alert(), Alert(), Answered(b"ok")]


def test_an_alert_does_not_stretch_the_patience() -> None:
    port = MepPort()
    port.request(b"question", 1.0)
    port.data_to_send(1.0)
    for tick in range(5):
        port.receive(b"\0\0", 1.1 + tick / 10)
    port.handle_timer(1.52)
    events = [port.next_event() for _ in range(6)]
    assert isinstance(events[-1], Failed)


def test_the_speed_changes_after_the_response() -> None:
    cable, client, server, tables = bench()
    write = tables.write

    def changing(table: int, offset: int | None, data: bytes, key: str, now: float) -> None:
        write(table, offset, data, key, now)
        server.change_speed(19200)

    tables.write = changing  # type: ignore[method-assign]  # the test's own in its place
    cable.call(client.write(2061, b"\x01"))
    caller = cable.ends[0]
    assert isinstance(caller, Caller)
    port = caller.port
    assert isinstance(port, MepPort)
    port.change_speed(19200)
    cable.wait(1)
    assert cable.reported == ([SpeedChanged(19200)], [SpeedChanged(19200)])
    assert port.line == server.line == Line(19200)


def test_what_must_survive_is_written_before_the_response() -> None:
    kept: list[bytes] = []
    server = MepServer(shelf(), KEYS, last=9, persist=kept.append)
    cable, client = calling(MepPort(), server), oma_tables(MAK, last=9)
    cable.call(client.read(0, 0, 1))
    assert len(kept) == 1
    revived = MepServer(shelf(), KEYS, restore=kept[-1])
    assert revived.sequence > server.sequence


def test_a_number_is_written_before_its_request_is_executed() -> None:
    notes: list[str] = []
    tables = shelf()
    served = tables.read

    def reading(table: int, offset: int, count: int | None, key: str, now: float) -> bytes:
        notes.append("executed")
        return served(table, offset, count, key, now)

    tables.read = reading  # type: ignore[method-assign]  # the test's own in its place
    server = MepServer(tables, KEYS, last=9, persist=lambda _: notes.append("written"))
    cable, client = calling(MepPort(), server), oma_tables(MAK, last=9)
    cable.call(client.read(0, 0, 1))
    assert notes == ["written", "executed"]


def test_health_counts_only_what_verifies() -> None:
    cable, client, server, _ = bench()
    server.receive(frame(bytes(20)), cable.now)
    assert server.last_success is None
    cable.call(client.read(0, 0, 1))
    assert server.last_success is not None


def test_messages_that_nobody_asked_for() -> None:
    port = MepPort()
    port.receive(frame(b"hello"), 1.0)
    assert port.next_event() == Unsolicited(b"hello")


def test_impossible_lengths() -> None:
    port = MepPort()
    port.request(b"question", 1.0)
    port.data_to_send(1.0)
    port.receive(b"\xff\xff" + bytes(5000), 1.1)
    assert port.next_event() == Broken("a length beyond 476")
    port.handle_timer(1.4)
    assert isinstance(port.next_event(), Failed)
    port.request(b"question", 2.0)
    port.data_to_send(2.0)
    port.receive(frame(b"answer"), 2.1)
    assert port.next_event() == Answered(b"answer")


def test_messages_too_long_or_empty_are_the_callers_bug() -> None:
    for size in (0, 477):
        with pytest.raises(LocalProtocolError):
            frame(bytes(size))
    assert len(frame(bytes(476))) == 478
    port = MepPort()
    port.request(b"a", 0.0)
    with pytest.raises(LocalProtocolError):
        port.request(b"b", 0.0)


def test_the_parser_takes_any_pieces() -> None:
    stream = b"\0\0" + frame(b"abc") + b"\0\0" + frame(b"d")
    parser = FrameParser()
    items = [item for at in range(len(stream)) for item in parser.feed(stream[at : at + 1])]
    assert items == [Mark.ALERT, b"abc", Mark.ALERT, b"d"]


def test_two_ports_of_one_meter_have_their_own_numbers() -> None:
    tables = shelf()
    first, second = (MepServer(tables, KEYS, last=n) for n in (5, 500))
    for server in (first, second):
        cable, client = calling(MepPort(), server), oma_tables(MAK)
        assert cable.call(client.read(0, 0, 2)) == b"\0\1"
    assert (first.sequence, second.sequence) == (6, 501)


def test_statistics_tell_what_noise_cost() -> None:
    cable, client, _, _ = bench()
    cable.noise = Noise(flipped=0.02)

    def reading() -> Exchange[None]:
        for _ in range(10):
            yield from client.read(0, 0, 2)

    with pytest.raises((TransportError, SecurityError)):
        for _ in range(50):
            cable.call(reading())
    assert client.statistics.repeats > 0
