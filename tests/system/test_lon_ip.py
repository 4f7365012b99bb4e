"""A virtual meter on LON/IP in a process of its own: found, given an address, and asked."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator

import pytest

from osgp.errors import TransportError, UsageError
from osgp.lon import (
    Broadcast,
    Completed,
    DomainEntry,
    NeuronId,
    NodeConfig,
    NodeState,
    Outgoing,
    ResponseReceived,
    Stack,
    SubnetNode,
    nm,
)
from osgp.run.lonip import LonIpPort

HOST, METER = "127.0.1.1", "127.0.1.2"
DOMAIN = b"\x7f\x00\x00"
ELSEWHERE = b"\x4f\x53\x47"
"""A domain that no IPv4 address stands for."""
PATIENCE = 20.0


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind((METER, 0))
        port: int = found.getsockname()[1]
        return port


def iter_object(lines: Iterable[str]) -> Iterator[str]:
    """The lines of one JSON object."""
    for line in lines:
        yield line
        if line.startswith("}"):
            return


@pytest.fixture
def served() -> Iterator[int]:
    """The port at which a meter listens."""
    port = free_port()
    command = [sys.executable, "-m", "osgp.cli.main", "meter", "serve", "flat", "--json"]
    with subprocess.Popen(
        [*command, "--lon-ip", f"{METER}:{port}"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = json.loads("".join(iter_object(process.stdout)) or "{}")
        try:
            if "lon-ip" not in said:
                pytest.skip("no multicast on this machine's loopback")
            assert said["lon-ip"] == f"{METER}:{port}"
            yield port
        finally:
            process.terminate()


class Asker:
    """A node at `HOST` that asks one question at a time."""

    def __init__(self, port: int, domain: bytes) -> None:
        config = NodeConfig(b"\0\xa1\0\0\0\1", bytes(8))
        config.domains[0] = DomainEntry(domain, 1, 1)
        config.state = NodeState.CONFIGURED_ONLINE
        self.stack = Stack(config, random.Random(1))
        self.port = LonIpPort(self.stack, config, HOST, port, self._event)
        self._answers: list[bytes] = []
        self._over = asyncio.Event()

    async def ask(self, to: SubnetNode | NeuronId | Broadcast, apdu: bytes) -> list[bytes]:
        self._answers, self._over = [], asyncio.Event()
        message = Outgoing(to, apdu, retry=3, timer_code=13)
        self.stack.send(message, asyncio.get_running_loop().time())
        self.port.pump()
        await asyncio.wait_for(self._over.wait(), PATIENCE)
        return self._answers

    def _event(self, event: object) -> None:
        if isinstance(event, ResponseReceived):
            self._answers.append(event.apdu)
        if isinstance(event, Completed):
            self._over.set()


async def commission_and_ask(port: int, domain: bytes) -> tuple[bytes, bytes]:
    """Status by address, and what a broadcast brings, once the meter is in the domain."""
    asker = Asker(port, domain)
    await asker.port.open()
    try:
        (found,) = await asker.ask(Broadcast(), nm.query_id(nm.Selector.UNCONFIGURED))
        neuron_id = nm.parse_query_id(found).neuron_id
        place = DomainEntry(domain, 1, 2)
        to = NeuronId(neuron_id)
        (joined,) = await asker.ask(to, nm.join_domain(0, place))
        nm.expect(nm.Code.EXPANDED, joined, sub=nm.Expanded.JOIN_DOMAIN)
        mode = nm.set_node_mode(nm.Mode.CHANGE_STATE, NodeState.CONFIGURED_ONLINE)
        (online,) = await asker.ask(to, mode)
        nm.expect(nm.Code.SET_NODE_MODE, online)
        (status,) = await asker.ask(SubnetNode(1, 2), nm.query_status())
        (answer,) = await asker.ask(Broadcast(1), nm.query_status())
        return status, answer
    finally:
        asker.port.close()


@pytest.mark.parametrize("domain", [DOMAIN, ELSEWHERE], ids=["mapped", "announced"])
def test_a_meter_in_another_process(served: int, domain: bytes) -> None:
    for answer in asyncio.run(commission_and_ask(served, domain)):
        assert nm.parse_query_status(answer).state == NodeState.CONFIGURED_ONLINE


def test_two_nodes_cannot_have_one_address(served: int) -> None:
    config = NodeConfig(bytes(6), bytes(8))

    async def open_second() -> None:
        await LonIpPort(Stack(config, random.Random(1)), config, METER, served).open()

    with pytest.raises(TransportError, match="cannot bind"):
        asyncio.run(open_second())


@pytest.mark.parametrize("host", ["0.0.0.0", "239.192.0.1", "::1", "meter.example"])
def test_a_node_has_one_address(host: str) -> None:
    config = NodeConfig(bytes(6), bytes(8))
    with pytest.raises(UsageError, match=r"IPv4 address|one address"):
        LonIpPort(Stack(config, random.Random(1)), config, host)
