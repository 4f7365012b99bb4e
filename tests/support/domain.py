"""What tests of the domain key ask a street: who holds which key, and who heard what."""

from __future__ import annotations

from collections.abc import Callable

from osgp.concentrator.happenings import Broadcasted, Visited
from osgp.concentrator.plan import Plan, Suite
from osgp.lon import Broadcast, Lpdu
from osgp.security.aes_device import AesServer
from osgp.security.broadcast import BroadcastReceiver
from osgp.security.profile import Code
from osgp.spec import tables
from osgp.spec.services import REQUESTS, Command, FullReadRequest
from tests.support.street import Fate, Street, neuron

HOUR, DAY = 3600.0, 86_400.0
OWN_ID = b"\xcc" * 6
PLAN = Plan(visit_every=6 * HOUR, ranges=1, suite=Suite.AES)
READ = REQUESTS[Command.FULL_READ].encode(
    FullReadRequest(Command.FULL_READ, tables["BT00"].info.number)
)


def server(street: Street, number: int) -> AesServer:
    found = street.meters[number]._security._aes
    assert found is not None
    return found


def receiver(street: Street, number: int) -> BroadcastReceiver:
    return server(street, number)._broadcasts


def heard(street: Street) -> list[int]:
    """How many broadcasts each meter has taken: its window moves with each."""
    return [receiver(street, number).base for number in range(len(street.meters))]


def generations(street: Street) -> list[int]:
    return [receiver(street, number).generation for number in range(len(street.meters))]


def all_read(street: Street, times: int = 1) -> Callable[[], bool]:
    def each_was() -> bool:
        seen = [visit.neuron_id for visit in street.told(Visited)]
        return all(seen.count(neuron(n)) >= times for n in range(len(street.meters)))

    return each_was


def said(street: Street, count: int = 1) -> Callable[[], bool]:
    return lambda: len(street.told(Broadcasted)) >= count


def broadcasts(street: Street) -> list[bytes]:
    """What was broadcast in the domain's security, by whoever said it; repetitions count."""
    frames = [Lpdu.decode(what[1]).npdu for name, what in street.log if name == "frame"]
    sent = [npdu for npdu in frames if isinstance(npdu.destination, Broadcast)]
    apdus = [getattr(npdu.enclosed(), "apdu", b"") for npdu in sent]
    return [apdu for apdu in apdus if apdu[:1] == bytes((Code.BROADCAST,))]


def taken_in(meters: int, plan: Plan = PLAN, fate: Fate | None = None) -> Street:
    street = Street(meters, plan, fate, aes=range(meters))
    street.run(12 * HOUR, all_read(street))
    assert all_read(street)()
    return street
