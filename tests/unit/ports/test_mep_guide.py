"""The exchanges printed in the MEP guide, replayed both ways, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from osgp.ports import Answered
from osgp.ports.line import UNLIMITED
from osgp.ports.mep import UNHURRIED, MepPort, MepServer, TlsPort, oma_tables, tls_tables
from osgp.ports.mep.tls import TlsKeys
from osgp.session import Exchange

from .cable import Cable, Shelf, calling
from .tls_psk import PskClient, PskServer

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "mep_exchanges.json").read_text())
OMA, TLS = VECTORS["oma"], VECTORS["tls"]
NAMES = [case["name"] for case in OMA]


def frames(case: dict[str, Any], side: str) -> list[bytes]:
    return [bytes.fromhex(text) for who, text in case["frames"] if who == side]


def image(case: dict[str, Any]) -> Shelf:
    data = bytes(case["offset"]) + bytes.fromhex(case["image"])
    return Shelf({case["table"]: data, 2100: bytes(896)})


def meter(case: dict[str, Any]) -> MepServer:
    return MepServer(
        image(case),
        {"MAK": bytes.fromhex(case["key"]) + b"more"},
        last=int(case["last"], 16),
        line=UNLIMITED,
        timing=UNHURRIED,
    )


def conversation(case: dict[str, Any]) -> Exchange[Any]:
    """What the guide's client does, in the terms of a table client."""
    tables = oma_tables(bytes.fromhex(case["key"]), last=int(case["next"], 16) - 1)
    for request in frames(case, "client"):
        command, table = request[2], int.from_bytes(request[3:5])
        if command == 0x40:
            yield from tables.write_whole(table, request[7:-12])
            continue
        offset, count = int.from_bytes(request[5:8]), int.from_bytes(request[8:10])
        data = request[10:-12]
        if command == 0x4F:
            yield from tables.write(table, data, offset)
        else:
            yield from tables.read(table, offset, count)


@pytest.mark.parametrize("case", OMA, ids=NAMES)
def test_our_meter_answers_as_the_guides_meter(case: dict[str, Any]) -> None:
    server = meter(case)
    now = 0.0
    for request, response in zip(frames(case, "client"), frames(case, "server"), strict=True):
        server.receive(request, now)
        assert server.data_to_send(now) == response
        now += 1.0


@pytest.mark.parametrize("case", OMA[1:], ids=NAMES[1:])
def test_our_client_asks_as_the_guides_client(case: dict[str, Any]) -> None:
    cable = calling(MepPort(UNLIMITED, UNHURRIED), meter(case), speed=None)
    cable.call(conversation(case))
    assert b"".join(cable.sent[0]) == b"".join(frames(case, "client"))
    assert b"".join(cable.sent[1]) == b"".join(frames(case, "server"))


def test_our_client_takes_over_the_sequence_number() -> None:
    case = OMA[0]
    cable = calling(MepPort(UNLIMITED, UNHURRIED), meter(case), speed=None)
    tables = oma_tables(bytes.fromhex(case["key"]), last=int(case["next"], 16) - 1)
    assert cable.call(tables.read(23, 0, 44)) == bytes.fromhex(case["image"])
    assert cable.sent[0] == frames(case, "client")
    assert tables.statistics.resyncs == 1


def tls_meter() -> tuple[MepServer, PskServer]:
    keys = TlsKeys({"MAK": bytes.fromhex(TLS["key"])})
    side = PskServer(keys.of, bytes.fromhex(TLS["server_random"]), bytes.fromhex(TLS["session"]))
    tables = Shelf({2118: bytes(142) + b"\x02"})
    return MepServer(tables, {}, engine=lambda: side, line=UNLIMITED, timing=UNHURRIED), side


def test_our_meter_speaks_tls_as_the_guides_meter() -> None:
    server, side = tls_meter()
    for request, response in zip(frames(TLS, "client"), frames(TLS, "server"), strict=True):
        server.receive(request, 0.0)
        assert server.data_to_send(0.0) == response
    assert side.identity.hex() == TLS["identity"]
    assert server.tls is not None
    assert server.tls.client == 0x64


def test_our_client_speaks_tls_as_the_guides_client() -> None:
    server, _ = tls_meter()
    client = PskClient(
        bytes.fromhex(TLS["key"]),
        bytes.fromhex(TLS["identity"]),
        bytes.fromhex(TLS["client_random"]),
    )
    port = TlsPort(MepPort(UNLIMITED, UNHURRIED), lambda: client)
    cable = calling(port, server, speed=None)
    assert cable.call(tls_tables().read(2118, 142, 1)) == b"\x02"
    # The guide's client sends its second flight twice; ours has no reason to.
    printed = frames(TLS, "client")
    assert cable.sent[0] == [printed[0], *printed[2:]]


def test_requests_inside_tls_are_what_the_guide_prints_in_clear() -> None:
    server, _ = tls_meter()
    client = PskClient(
        bytes.fromhex(TLS["key"]),
        bytes.fromhex(TLS["identity"]),
        bytes.fromhex(TLS["client_random"]),
    )
    port = TlsPort(MepPort(UNLIMITED, UNHURRIED), lambda: client)
    cable = Cable(port, server, speed=None)
    port.request(bytes.fromhex(TLS["request"]), cable.now)
    cable.run(cable.now + 5, lambda: bool(cable.reported[0]))
    assert cable.reported[0] == [Answered(bytes.fromhex(TLS["response"]))]
