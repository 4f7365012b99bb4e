"""Power cuts at every operation on memory, and everything overheard played again afterwards."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from osgp.lon import Broadcast, Outgoing, Service
from osgp.meter import MemoryNvm, VirtualMeter
from osgp.meter.nvm import PowerCut
from osgp.security.aes_client import DomainWish
from osgp.security.broadcast import BroadcastSender, DomainKey
from osgp.security.omak import PlcScope
from osgp.security.secret import Secret
from osgp.security.suite import ClientSecurity, OmaClient
from osgp.spec import events, procedures
from osgp.spec.services import REQUESTS, Command, FullWriteRequest

from .bench import DOMAIN, OMAK, PLACE, Asker, profile, request
from .test_security import FACTORY, aes_meter, secured, speak, work

DELTA = 2064
MESSAGES = 4
Seal = Callable[[bytes], bytes]


def step(sequence: int) -> bytes:
    """An order to set the clock back ten seconds: each execution is in the log."""
    data = procedures[DELTA].bind().encode(procedures[DELTA].make(delta=-10))
    written = request(DELTA, sequence, data)
    write = FullWriteRequest(Command.FULL_WRITE, 7, len(written), written)
    return b"\0" + REQUESTS[Command.FULL_WRITE].encode(write)


def old_suite() -> tuple[Asker, Seal, bool]:
    asker = Asker(aes_meter())
    asker.commission()
    return asker, in_step(asker, OmaClient(OMAK, PlcScope(PLACE.subnet, PLACE.node))), False


def unicast() -> tuple[Asker, Seal, bool]:
    asker, client = secured()
    return asker, in_step(asker, client), False


def broadcast() -> tuple[Asker, Seal, bool]:
    asker, client = secured()
    key = DomainKey(1, DOMAIN.ljust(6, b"\0"), b"D" * 16)
    client.want_domain_key(DomainWish(key))
    work(asker, client)
    return asker, BroadcastSender(key).seal, True


def in_step(asker: Asker, security: ClientSecurity) -> Seal:
    """With the number that the meter expects after a restart: it skips those it had reserved."""
    twin = restarted(asker, MemoryNvm(dict(asker.device.nvm.items())))
    speak(twin, security)
    twin.run(twin.client.read(1, 0, 4))
    return security.seal_request


def send(asker: Asker, message: bytes, to_all: bool) -> None:
    if not to_all:
        asker.ask(message, PLACE)
        return
    asker.stack.send(Outgoing(Broadcast(0), message, Service.UNACKD), asker.now)
    asker.exchange()
    while asker.stack.next_event() is not None:
        pass


def restarted(asker: Asker, nvm: MemoryNvm) -> Asker:
    device = VirtualMeter(
        profile(factory_key=Secret(FACTORY)), nvm, random.Random(4), asker.now + 30
    )
    return Asker(device, asker.now + 30)


def executed(asker: Asker) -> int:
    log = asker.device.parts.log.entries()
    return sum(entry.event == events.TIME_CHANGED_NEW for entry in log)


def life(asker: Asker, messages: list[bytes], to_all: bool, nvm: MemoryNvm) -> None:
    """From the restart on `nvm` until all messages are sent, or the power fails."""
    again = restarted(asker, nvm)
    for message in messages:
        send(again, message, to_all)


@pytest.mark.parametrize("kept", [True, False], ids=["all kept", "newest lost"])
@pytest.mark.parametrize("prepare", [old_suite, unicast, broadcast])
def test_no_message_is_executed_twice_wherever_the_power_fails(
    prepare: Callable[[], tuple[Asker, Seal, bool]], kept: bool
) -> None:
    asker, seal, to_all = prepare()
    # Procedure numbers alternate, so that those alone stop no repetition.
    messages = [seal(step(1 + turn % 2)) for turn in range(MESSAGES)]
    cells = dict(asker.device.nvm.items())
    whole = MemoryNvm(cells, cut_at=10**9)
    life(asker, messages, to_all, whole)
    assert executed(restarted(asker, whole.survivor(unsynchronised=True))) == MESSAGES
    assert whole.operations > 20
    for cut in range(1, whole.operations):
        nvm = MemoryNvm(cells, cut_at=cut)
        with pytest.raises(PowerCut):
            life(asker, messages, to_all, nvm)
        after = restarted(asker, nvm.survivor(unsynchronised=kept))
        before = executed(after)
        for message in [*messages, *messages]:
            send(after, message, to_all)
        assert executed(after) <= MESSAGES, f"cut at {cut}, {before} before"
