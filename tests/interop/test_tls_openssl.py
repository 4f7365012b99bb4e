"""MEP's TLS against OpenSSL: an implementation that shares no code with mbed TLS.

OpenSSL takes PSK identities as C strings, so only client ids without a zero byte can be tried.
"""

from __future__ import annotations

import importlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from osgp.ports.mep.tls import KeyId, TlsEngine

pytest.importorskip("mbedtls", reason="needs the extra osgp[tls]")
mbed = importlib.import_module("osgp.ports.mep.mbed")
OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="needs the openssl command")

KEY = bytes(range(16))
CLIENT = 0x6464
IDENTITY = "dd\x01"
COMMON = ["-tls1_2", "-cipher", "PSK-AES256-GCM-SHA384", "-psk", KEY.hex()]
PATIENCE = 10.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        yield server


def shake(engine: TlsEngine, peer: socket.socket, hello: bytes) -> None:
    """Drives an engine's handshake over a socket, one read at a time."""
    if out := engine.advance(hello):
        peer.sendall(out)
    while not engine.established:
        data = peer.recv(4096)
        assert data, "the peer closed the connection"
        if out := engine.advance(data):
            peer.sendall(out)


def test_our_client_against_s_server() -> None:
    port = free_port()
    command = [str(OPENSSL), "s_server", "-accept", f"127.0.0.1:{port}", "-nocert", "-quiet"]
    with subprocess.Popen(
        [*command, *COMMON, "-psk_identity", IDENTITY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as server:
        try:
            with connected(port, server) as peer:
                engine = mbed.MbedClient(KEY, KeyId.MAK, CLIENT)
                shake(engine, peer, b"")
                peer.sendall(engine.seal(b"3f084600008e0001\n"))
                assert server.stdout is not None
                assert server.stdout.readline() == b"3f084600008e0001\n"
        finally:
            server.kill()


def connected(port: int, server: subprocess.Popen[bytes]) -> socket.socket:
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        except ConnectionRefusedError:
            assert server.poll() is None, "s_server ended"
            subprocess.run(["sleep", "0.05"], check=True)
    raise AssertionError("s_server does not listen")


def test_our_server_against_s_client(listener: socket.socket) -> None:
    host, port = listener.getsockname()
    command = [str(OPENSSL), "s_client", "-connect", f"{host}:{port}", "-quiet", *COMMON]
    with subprocess.Popen(
        [*command, "-psk_identity", IDENTITY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as client:
        try:
            peer, _ = listener.accept()
            with peer:
                peer.settimeout(PATIENCE)
                engine: Any = mbed.MbedServer({"MAK": KEY})
                shake(engine, peer, peer.recv(4096))
                assert engine.identity == IDENTITY.encode()
                assert client.stdin is not None
                client.stdin.write(b"question\n")
                client.stdin.flush()
                assert engine.open(peer.recv(4096)) == b"question\n"
                peer.sendall(engine.seal(b"answer\n"))
                assert client.stdout is not None
                assert client.stdout.readline() == b"answer\n"
        finally:
            client.kill()
