"""Client and server of the table services against each other, on good and on bad lines."""

from __future__ import annotations

import pytest

from osgp.errors import (
    DigestError,
    EncodeError,
    InappropriateActionRequested,
    LocalProtocolError,
    OperationNotPossible,
    RemoteProtocolError,
    SecurityError,
    SequenceNumberError,
    ServiceNotSupported,
    TransportError,
)
from osgp.security.suite import OmaClient, Outcome
from osgp.session import Send, TableClient
from osgp.session.states import CLIENT, SERVER, Event, Machine, State
from osgp.spec.services import PLC_LIMITS
from tests.support.conversations import KEY, SCOPE, Device, Fault, Line, ToyTables

LONG = bytes(n % 251 for n in range(300))


def device(last: int = 0) -> Device:
    return Device(ToyTables({23: LONG, 2048: b"short", 7: b""}), last=last)


def test_long_reads_come_in_pieces_that_fit_the_buffers() -> None:
    there = device()
    line = there.line()
    assert line.run(there.client.read(23, 10, 280)) == LONG[10:290]
    assert len(line.sent) == 4
    assert all(len(request) <= PLC_LIMITS.message for request in line.sent)
    assert line.run(there.client.read(23, 0, 0)) == b""
    assert there.client.statistics.requests == 4


def test_a_read_request_byte_for_byte() -> None:
    """Clause 9.6.1: code 00, 3F, table, offset, count, then sequence number and digest."""
    there = device()
    line = there.line()
    line.run(there.client.read(23, 0x102, 4))
    assert line.sent[0][:-12].hex() == "00" + "3f" + "0017" + "000102" + "0004"
    assert line.sent[0][-12:-8].hex() == "00000001"


def test_long_writes_come_in_pieces() -> None:
    there = device()
    line = there.line()
    line.run(there.client.write(23, b"\xaa" * 160, offset=20))
    assert [len(data) for _, _, data in there.tables.writes] == [75, 75, 10]
    assert bytes(there.tables.images[23]) == LONG[:20] + b"\xaa" * 160 + LONG[180:]
    assert all(len(request) <= PLC_LIMITS.message for request in line.sent)


def test_whole_tables() -> None:
    there = device()
    line = there.line()
    assert line.run(there.client.read_whole(2048)) == b"short"
    line.run(there.client.write_whole(2048, b"another"))
    assert line.run(there.client.read_whole(2048)) == b"another"
    with pytest.raises(OperationNotPossible):
        line.run(there.client.read_whole(23))
    with pytest.raises(OperationNotPossible):
        line.run(there.client.write_whole(2048, bytes(76)))


def test_refusals_are_errors_of_their_own_class() -> None:
    there = device()
    with pytest.raises(InappropriateActionRequested) as caught:
        there.line().run(there.client.read(99, 0, 1))
    assert caught.value.response_code == 0x05
    with pytest.raises(OperationNotPossible):
        there.line().run(there.client.read(23, 299, 2))


def test_silence_is_answered_with_the_same_bytes() -> None:
    there = device()
    line = there.line([Fault.REQUEST_LOST, Fault.RESPONSE_LOST])
    line.run(there.client.write(23, b"\x01"))
    assert len(line.sent) == 3
    assert len(set(line.sent)) == 1
    assert len(there.tables.writes) == 1
    assert there.server.outcomes[Outcome.REPEATED] == 1
    assert there.client.statistics.repeats == 2


def test_silence_for_ever_is_one_transport_error() -> None:
    there = device()
    line = there.line([Fault.REQUEST_LOST] * 3)
    with pytest.raises(TransportError):
        line.run(there.client.read(23, 0, 1))
    assert len(line.sent) == 3
    assert there.client.statistics.failures == 1
    assert line.run(there.client.read(23, 0, 1)) == LONG[:1]


def test_an_error_that_repeating_cannot_help_is_not_repeated() -> None:
    there = device()
    talk = there.client.read(23, 0, 1)
    assert isinstance(next(talk), Send)
    with pytest.raises(TransportError):
        talk.throw(TransportError("port closed", retryable=False))


def test_a_request_that_arrives_twice_is_executed_once() -> None:
    there = device()
    there.line([Fault.REQUEST_TWICE]).run(there.client.write(23, b"\x07"))
    assert there.tables.writes == [(23, 0, b"\x07")]


def test_a_number_out_of_sequence_is_corrected_once() -> None:
    there = device(last=5_000)
    line = there.line()
    assert line.run(there.client.read(23, 0, 2)) == LONG[:2]
    assert there.client.statistics.resyncs == 1
    assert [int.from_bytes(request[-12:-8], "big") for request in line.sent] == [1, 5_001]
    assert line.run(there.client.read(23, 0, 2)) == LONG[:2]
    assert len(line.sent) == 3


def test_a_device_that_is_always_out_of_sequence_ends_the_exchange() -> None:
    there = device()
    line = Line(lambda request: _always_0c(there, request))
    with pytest.raises(SequenceNumberError):
        line.run(there.client.read(23, 0, 2))
    assert len(line.sent) == 2


def _always_0c(there: Device, request: bytes) -> bytes | None:
    """An authenticated 0C, whatever the number."""
    opened = there.server.security.open_request(request)
    if opened.reply is not None:
        return opened.reply
    return there.server.security.seal_response(opened, b"\x00\x0c\x00\x00\x00\x63")


def test_many_lost_requests_leave_the_window_and_cost_one_correction() -> None:
    there = device()
    for _ in range(10):
        with pytest.raises(TransportError):
            there.line([Fault.REQUEST_LOST] * 3).run(there.client.read(23, 0, 1))
    there.line().run(there.client.read(23, 0, 1))
    assert there.client.statistics.resyncs == 1


def test_a_wrong_key_costs_one_refusal() -> None:
    there = Device(ToyTables({23: LONG}), key=bytes(12))
    line = there.line()
    with pytest.raises(SecurityError):
        line.run(there.client.read(23, 0, 84))
    assert len(line.sent) == 1
    assert there.tables.reads == 0
    assert there.client.statistics.unverified == 1


@pytest.mark.parametrize("fault", [Fault.REQUEST_DAMAGED, Fault.RESPONSE_DAMAGED])
def test_a_damaged_message_costs_one_refusal_and_no_more(fault: Fault) -> None:
    there = device()
    line = there.line([fault])
    with pytest.raises(SecurityError):
        line.run(there.client.read(23, 0, 84))
    assert line.run(there.client.read(23, 0, 84)) == LONG[:84]
    assert len(line.sent) == 2


def test_the_state_is_stored_before_anything_is_sent() -> None:
    stored: list[bytes] = []
    client = TableClient(OmaClient(KEY, SCOPE), persist=stored.append)
    talk = client.read(23, 0, 1)
    next(talk)
    assert len(stored) == 1
    there = device()
    again = TableClient(OmaClient(KEY, SCOPE, restore=stored[0]))
    line = there.line()
    assert line.run(again.read(23, 0, 1)) == LONG[:1]
    used = [int.from_bytes(request[-12:-8], "big") for request in line.sent]
    assert used[0] > int.from_bytes(stored[0], "big")


def test_what_no_request_can_carry_is_refused_before_sending() -> None:
    there = device()
    line = there.line()
    with pytest.raises(EncodeError):
        line.run(there.client.read(23, 1 << 24, 1))
    with pytest.raises(EncodeError):
        line.run(there.client.read(1 << 16, 0, 1))
    assert line.sent == []


@pytest.mark.parametrize(
    ("apdu", "error"),
    [
        ("00 31 0017", ServiceNotSupported),
        ("00", ServiceNotSupported),
        ("00 30", OperationNotPossible),
        ("00 30 0017 00", OperationNotPossible),
        ("00 3f 0017 000000", OperationNotPossible),
        ("00 4f 0017 000000 0005 01020304", OperationNotPossible),
        ("00 40 0017 0003 01020304", OperationNotPossible),
        ("00 3f 0017 000000 0055", OperationNotPossible),
        ("00 3f 0017 ffffff 0001", OperationNotPossible),
    ],
)
def test_malformed_requests_are_answered_with_a_code(apdu: str, error: type[Exception]) -> None:
    """85 bytes are more than the port's buffer holds."""
    there = device()
    security = OmaClient(KEY, SCOPE)
    sealed = security.seal_request(bytes.fromhex(apdu))
    if len(sealed) < 14:
        assert there.answer(sealed) == b"\x00\x0b"
        return
    response = there.answer(sealed)
    assert response is not None
    code = security.open_response(sealed, response)[1]
    assert code == error.code  # type: ignore[attr-defined]  # as declared
    assert there.tables.writes == []


def test_refusing_a_digest_is_not_signed() -> None:
    """A signed refusal would hand out digests to any stranger."""
    assert device().answer(bytes(40)) == b"\x00\x0b"
    assert DigestError.code == 0x0B


def test_an_empty_response_is_an_error_of_the_peer() -> None:
    class Hollow:
        """A suite that lets empty responses through."""

        must_persist = False

        def export_state(self) -> bytes:
            return b""

        def seal_request(self, apdu: bytes) -> bytes:
            return apdu

        def open_response(self, request: bytes, response: bytes) -> bytes:
            return response

    with pytest.raises(RemoteProtocolError, match="empty"):
        Line(lambda request: b"\x00").run(TableClient(Hollow()).read(23, 0, 1))


@pytest.mark.parametrize("table", [CLIENT, SERVER])
def test_states_are_all_reached_and_all_left(table: dict[tuple[State, Event], State]) -> None:
    left = {state for state, _ in table}
    reached = {State.IDLE} | set(table.values())
    assert left == reached
    machine = Machine(table)
    with pytest.raises(LocalProtocolError, match="EXECUTED in state IDLE"):
        machine.fire(Event.EXECUTED)
