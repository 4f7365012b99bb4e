"""TLS on the MEP port: mbed TLS on both sides, and against an independent implementation."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest

from osgp.errors import OperationNotPossible, OsgpError, SecurityError, TransportError
from osgp.ports import Caller
from osgp.ports.mep import (
    TERMINATE,
    KeyId,
    MepPort,
    MepServer,
    TlsEngine,
    TlsPort,
    oma_tables,
    tls_tables,
)
from osgp.ports.mep.frame import frame
from osgp.ports.mep.tls import IDENTITY, Identity, TlsKeys, key_name
from osgp.session import Exchange, Send

from .cable import Cable, Noise, Shelf, calling
from .test_mep import BIG, KEYS, MAK, MBK, shelf
from .tls_psk import PskClient, PskServer

pytest.importorskip("mbedtls", reason="needs the extra osgp[tls]")
mbed = importlib.import_module("osgp.ports.mep.mbed")

CLIENT = 0x1234
Engine = Callable[[], TlsEngine]


def own_client(key: bytes = MAK, key_id: KeyId = KeyId.MAK, client: int = CLIENT) -> Engine:
    identity = IDENTITY.encode(Identity(client, key_id))
    return lambda: PskClient(key[:16], identity, bytes(range(32)))


def own_server(keys: dict[str, bytes] = KEYS) -> Engine:
    return lambda: PskServer(TlsKeys(keys).of, bytes(range(32)), bytes(32))


def mbed_client(key: bytes = MAK, key_id: KeyId = KeyId.MAK, client: int = CLIENT) -> Engine:
    return lambda: mbed.MbedClient(key, key_id, client)


def mbed_server(keys: dict[str, bytes] = KEYS) -> Engine:
    return lambda: mbed.MbedServer(keys)


def bench(
    client: Engine | None = None, server: Engine | None = None, **kwargs: Any
) -> tuple[Cable, MepServer, Shelf]:
    tables = shelf()
    meter = MepServer(tables, KEYS, engine=server or mbed_server(), **kwargs)
    return calling(TlsPort(MepPort(), client or mbed_client()), meter), meter, tables


@pytest.mark.parametrize("client", [mbed_client, own_client])
@pytest.mark.parametrize("server", [mbed_server, own_server])
def test_implementations_understand_each_other(client: Any, server: Any) -> None:
    cable, meter, tables = bench(client(), server())
    reader = tls_tables()
    assert cable.call(reader.read(23, 100, 500)) == BIG[100:600]
    cable.call(reader.write(7, b"\1\2"))
    assert cable.call(reader.read_whole(0)) == bytes(range(19))
    assert {key for *_, key in tables.reads + tables.writes} == {"MAK"}
    assert meter.tls is not None
    assert meter.tls.client == CLIENT
    assert BIG[100:120] not in b"".join(cable.sent[1])


@pytest.mark.parametrize("client", [mbed_client, own_client])
@pytest.mark.parametrize("server", [mbed_server, own_server])
def test_the_basic_key_and_an_identity_with_zeros(client: Any, server: Any) -> None:
    cable, _, tables = bench(client(MBK, KeyId.MBK, 0), server())
    cable.call(tls_tables().read(0, 0, 1))
    assert tables.reads[-1][3] == "MBK"


@pytest.mark.parametrize("identity", [0x80, 0xFF00, 0xFFFF])
def test_identities_that_are_no_text(identity: int) -> None:
    cable, meter, _ = bench(mbed_client(client=identity), own_server())
    cable.call(tls_tables().read(0, 0, 1))
    assert meter.tls is not None
    assert meter.tls.client == identity


def test_a_meter_on_mbed_tls_refuses_ids_that_are_no_text() -> None:
    # docs/adr/0006-tls-psk.md: the binding decodes identities as UTF-8.
    cable, _, tables = bench(mbed_client(client=0x80))
    with pytest.raises(SecurityError):
        cable.call(tls_tables().read(0, 0, 1))
    assert not tables.reads


@pytest.mark.parametrize("client", [mbed_client, own_client])
@pytest.mark.parametrize("server", [mbed_server, own_server])
@pytest.mark.parametrize("wrong", [(b"x" * 16, KeyId.MAK), (MAK, KeyId.MBK)])
def test_a_wrong_key_reads_nothing(client: Any, server: Any, wrong: Any) -> None:
    cable, meter, tables = bench(client(*wrong), server())
    with pytest.raises(SecurityError, match="refuses the client id or the key"):
        cable.call(tls_tables().read(0, 0, 1))
    assert not tables.reads
    assert meter.tls is not None
    assert not meter.tls.established


def test_a_key_that_the_meter_does_not_have() -> None:
    cable, _, _ = bench(server=mbed_server({"MAK": MAK}), client=mbed_client(MBK, KeyId.MBK))
    with pytest.raises(SecurityError):
        cable.call(tls_tables().read(0, 0, 1))


def test_an_impostor_without_the_key_learns_and_delivers_nothing() -> None:
    cable, _, _ = bench(server=own_server({"MAK": b"guess" * 4}))
    with pytest.raises(SecurityError):
        cable.call(tls_tables().read(0, 0, 1))


def test_no_digest_is_accepted_while_a_session_is_up_or_required() -> None:
    cable, meter, tables = bench()
    cable.call(tls_tables().read(0, 0, 1))
    request = frame(oma_tables(MAK)._security.seal_request(bytes.fromhex("3f00000000000001")))
    cable.wait(1)
    meter.receive(request, cable.now)
    assert meter.data_to_send(cable.now) == b"\0\1\x0a"
    required = MepServer(tables, KEYS, engine=mbed_server(), tls_required=True)
    required.receive(request, 0.0)
    assert required.data_to_send(0.0) == b"\0\1\x0a"
    assert len(tables.reads) == 1


def ending() -> Exchange[bytes]:
    return (yield Send(TERMINATE))


def test_terminate_ends_the_session_for_digests_to_work_again() -> None:
    cable, meter, _ = bench()
    cable.call(tls_tables().read(0, 0, 1))
    assert cable.call(ending()) == b"\0"
    assert meter.tls is not None
    assert not meter.tls.established
    plain = calling(MepPort(), meter, start=cable.now + 1)
    assert plain.call(oma_tables(MAK).read(0, 0, 2)) == b"\0\1"
    again = Cable(cable.ends[0], meter, start=plain.now + 1)
    assert again.call(tls_tables().read(0, 0, 2)) == b"\0\1"


def test_a_meter_that_lost_the_session_is_greeted_anew() -> None:
    cable, meter, _ = bench()
    reader = tls_tables()
    cable.call(reader.write(7, b"\1"))
    assert meter.tls is not None
    meter.tls._lose()
    cable.call(reader.write(7, b"\2"))
    assert meter.tls.established


def test_refusals_inside_the_session_are_refusals() -> None:
    cable, _, _ = bench()
    with pytest.raises(OperationNotPossible):
        cable.call(tls_tables().read(99, 0, 1))


def test_repeated_bytes_get_repeated_answers_and_write_once() -> None:
    cable, _, tables = bench()
    reader = tls_tables()
    cable.call(reader.read(0, 0, 1))
    cable.noise = Noise(delayed=1.0, delay=0.6)
    cable.call(reader.write(7, b"\1"))
    assert len(tables.writes) == 1


def test_a_write_whose_answer_is_damaged_is_not_repeated() -> None:
    cable, meter, tables = bench()
    reader = tls_tables()
    cable.call(reader.read(0, 0, 1))
    spoil_next(meter)
    with pytest.raises(SecurityError):
        cable.call(reader.write(7, b"\1"))
    cable.wait(1)
    assert len(tables.writes) == 1
    assert cable.call(reader.read(0, 0, 2)) == b"\0\1"


def test_a_read_whose_answer_is_damaged_is_repeated_in_a_new_session() -> None:
    cable, meter, tables = bench()
    reader = tls_tables()
    cable.call(reader.read(0, 0, 1))
    spoil_next(meter)
    assert cable.call(reader.read(0, 0, 2)) == b"\0\1"
    assert len(tables.reads) == 3


def spoil_next(meter: MepServer) -> None:
    """Flips a bit in the meter's next piece."""
    send = meter.data_to_send

    def spoil(now: float) -> bytes:
        data = send(now)
        if data:
            meter.data_to_send = send  # type: ignore[method-assign]  # the test's own in its place
            return data[:-1] + bytes((data[-1] ^ 1,))
        return b""

    meter.data_to_send = spoil  # type: ignore[method-assign]  # the test's own in its place


@pytest.mark.parametrize("seed", range(8))
def test_noise_never_changes_data(seed: int) -> None:
    cable, _, _ = bench()
    cable.noise = Noise(dropped=0.0005, flipped=0.0005, doubled=0.0005)
    cable._random.seed(seed)
    reader, good = tls_tables(), 0
    for offset in range(0, 1500, 100):
        try:
            assert cable.call(reader.read(64, offset, 100)) == BIG[offset : offset + 100]
            good += 1
        except (TransportError, SecurityError):
            pass
    assert good > 8


def test_silence() -> None:
    cable, _, _ = bench()
    cable.cut = True
    with pytest.raises(TransportError):
        cable.call(tls_tables().read(0, 0, 1))
    assert len(cable.sent[0]) == 3


@pytest.mark.parametrize("answer", ["01", "0a", "03", "00", "7f", "00160303000400000000", "0b"])
def test_a_meter_that_never_gets_it_done(answer: str) -> None:
    class Stubborn:
        out = b""

        def receive(self, data: bytes, now: float) -> None:
            self.out = frame(bytes.fromhex(answer))

        def data_to_send(self, now: float) -> bytes:
            out, self.out = self.out, b""
            return out

        def next_timer(self) -> None:
            return None

        def handle_timer(self, now: float) -> None:
            raise AssertionError

        def next_event(self) -> None:
            return None

    cable = Cable(Caller(TlsPort(MepPort(), mbed_client())), Stubborn())
    with pytest.raises(OsgpError):
        cable.call(tls_tables().read(0, 0, 1))
    assert len(cable.sent[0]) <= 6


@pytest.mark.parametrize(
    "request_", ["59160301000100", "80170303000100", "58160303000100", "5800", "80", "5700", "57"]
)
def test_requests_out_of_place(request_: str) -> None:
    meter = MepServer(shelf(), KEYS, engine=mbed_server())
    meter.receive(frame(bytes.fromhex(request_)), 0.0)
    answer = meter.data_to_send(0.0)
    assert answer[2:] in (b"\x01", b"\x03", b"\x0a", b"\x0b")


def test_an_encrypted_request_may_begin_like_a_tls_code() -> None:
    tables = shelf()
    meter = MepServer(tables, KEYS, engine=mbed_server(), last=0)
    first: set[int] = set()
    for last in range(3000):
        meter._suite._window._set(last)
        sealed = oma_tables(MAK, last=last, encrypt=True)._security.seal_request(
            bytes.fromhex("3f00000000000001")
        )
        if sealed[0] in (0x57, 0x58, 0x59, 0x80):
            first.add(sealed[0])
            meter.receive(frame(sealed), float(last))
            assert len(meter.data_to_send(float(last))) == 2 + 12
    assert first == {0x57, 0x58, 0x59, 0x80}


def test_identities() -> None:
    # MEP guide v1.1 p. 14: 64 00 01 is client 100 with MAK.
    assert IDENTITY.encode(Identity(100, KeyId.MAK)).hex() == "640001"
    assert key_name(bytes.fromhex("640001")) == "MAK"
    assert key_name(bytes.fromhex("640000")) == "MBK"
    for wrong in ("640002", "6400", "", "64000100"):
        assert key_name(bytes.fromhex(wrong)) is None


def test_keys_are_not_shown() -> None:
    assert "advanced" not in repr(TlsKeys(KEYS))
