"""What tests of the two suites ask a street: what was said, in which suite, what came of it."""

from __future__ import annotations

import random
from collections.abc import Callable

from osgp.concentrator.happenings import Visited
from osgp.concentrator.plan import Plan, Suite
from osgp.concentrator.suites import Speaks
from osgp.lon import Lpdu
from osgp.meter import MemoryNvm, VirtualMeter
from osgp.security.profile import Code, Mode
from osgp.topology import Life
from tests.support.street import Street, neuron

HOUR, DAY = 3600.0, 86_400.0
AES = Plan(visit_every=6 * HOUR, ranges=1, suite=Suite.AES)
MIGRATE = Plan(visit_every=6 * HOUR, ranges=1, suite=Suite.MIGRATE)
OLD_CODES = (0x00, 0x01)


def apdu(frame: bytes) -> bytes:
    return getattr(Lpdu.decode(frame).npdu.enclosed(), "apdu", b"")


def asked(street: Street, *codes: int, begin: int = 0) -> list[bytes]:
    """What the concentrator asked with these message codes; repetitions count."""
    frames = [what for name, what in street.log[begin:] if name == "frame" and what[0] == 0]
    return [apdu(what[1]) for what in frames if apdu(what[1])[:1] in map(code, codes)]


def code(number: int) -> bytes:
    """A message code as a message has it."""
    return bytes((number,))


def challenges(street: Street, begin: int = 0) -> int:
    return len([each for each in asked(street, Code.HANDSHAKE, begin=begin) if each[1] == 1])


def mode(street: Street, number: int = 0) -> Mode:
    return street.meters[number]._security.mode


def visits(street: Street, count: int) -> Callable[[], bool]:
    return lambda: len(street.told(Visited)) >= count


def bound(street: Street, number: int = 0) -> bool:
    return street.concentrator.speaks(neuron(number)) is Speaks.AES


def has_place(street: Street) -> bool:
    return street.meters[0].address is not None


def lives(street: Street) -> list[Life]:
    """In order of neuron ids, which is that of the meters."""
    return [known.life for _, known in sorted(street.concentrator.devices.items())]


def after_a_cut(street: Street, number: int = 0) -> None:
    """A meter has no power for a moment."""
    old = street.meters[number]
    assert isinstance(old.nvm, MemoryNvm)
    memory = old.nvm.survivor(unsynchronised=False)
    street.meters[number] = VirtualMeter(old.profile, memory, random.Random(99), street.now)


def settled(street: Street) -> bool:
    """The device is read, and will never be in the old suite again, whoever asks."""
    devices = street.concentrator.devices
    return (
        lives(street) == [Life.OPERATING] and bool(devices) and bound(street) and in_mode_2(street)
    )


def in_mode_2(street: Street) -> bool:
    return mode(street) is Mode.AES
