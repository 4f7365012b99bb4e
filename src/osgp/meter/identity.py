"""Who a virtual meter is, and whole neighbourhoods of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

import msgspec

from osgp.errors import UsageError
from osgp.meter.dims import SetUp
from osgp.meter.mbus_units import MBusUnit
from osgp.meter.measuring import Traits, draw_traits
from osgp.security.access import HardwareLock
from osgp.security.aes import KEY_SIZE
from osgp.security.aes_device import DEFAULT_LIMITS, Limits
from osgp.security.oma import OMAK_SIZE
from osgp.security.secret import Secret
from osgp.spec.tables.mbus import M_BUS_DEVICES

NEURON_ID_SIZE: Final = 6
PROGRAM_ID: Final = bytes.fromhex("9fffff0501840430")
"""This project's own; the first digit 9 is that of devices without a standard profile."""

_NEURON_PREFIX: Final = bytes.fromhex("0500")
_SERIAL_DIGITS: Final = 16
_ID_DIGITS: Final = 20


class MeterProfile(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that tells one virtual meter from another.

    `neuron_id` 6 bytes, `program_id` 8; `serial` 16 and `identification` 20 digits (BT01, BT05).
    `seed` and `number` name the household and its weather; `traits` replaces the drawn ones.
    `feeder` seeds disturbances of the supply, None for none. The clock starts `clock_error`
    seconds off and gains `clock_drift` parts per million; `zone` and `dst` are minutes (BT53).
    `guarded_management`: once commissioned, network management needs authentication. `factory_key`:
    the AES key that it leaves the factory with, None for a meter that knows the old suite only;
    `security` is ET04.123, ET55.20 and ET55.21. `m_bus`: devices on its M-Bus port, by slot.
    `hardware_lock`: what no key opens, None where the lock is not engaged.
    """

    neuron_id: bytes
    omak: Secret
    serial: str = "0" * _SERIAL_DIGITS
    identification: str = "0" * _ID_DIGITS
    program_id: bytes = PROGRAM_ID
    manufacturer: str = "OSGP"
    model: str = "VIRTUAL "
    seed: int = 0
    number: int = 0
    traits: Traits | None = None
    feeder: int | None = None
    set_up: SetUp = SetUp()
    clock_error: float = 0.0
    clock_drift: float = 0.0
    zone: int = 60
    dst: int = 60
    guarded_management: bool = False
    factory_key: Secret | None = None
    security: Limits = DEFAULT_LIMITS
    m_bus: tuple[MBusUnit, ...] = ()
    hardware_lock: HardwareLock | None = None

    def __post_init__(self) -> None:
        if len(self.neuron_id) != NEURON_ID_SIZE or len(self.program_id) != 8:
            raise UsageError("a neuron id has 6 bytes, a program id 8")
        if len(self.omak) != OMAK_SIZE:
            raise UsageError(f"an OMAK has {OMAK_SIZE} bytes")
        if self.factory_key is not None and len(self.factory_key) != KEY_SIZE:
            raise UsageError(f"a factory key has {KEY_SIZE} bytes")
        if len(self.m_bus) > (M_BUS_DEVICES if self.set_up.m_bus else 0):
            raise UsageError(f"an M-Bus port takes {M_BUS_DEVICES} devices")

    @property
    def household_traits(self) -> Traits:
        return self.traits or draw_traits(self.seed, self.number)

    @property
    def phases(self) -> int:
        """Phases that the household is connected to, L1 first."""
        return sum(share > 0 for share in self.household_traits.shares)


def neighbourhood(
    count: int,
    seed: int,
    omak: Callable[[bytes], Secret],
    *,
    set_up: SetUp | None = None,
    disturbed: bool = True,
) -> list[MeterProfile]:
    """`count` different meters on one feeder, the same for the same `seed`.

    `omak` gives a device's key from its neuron id (see `osgp.security.keys.device_omak`). Neuron
    ids and serial numbers are unique; clocks are a little off. `disturbed`: sags, swells and power
    failures happen, to all of them at once. Raises UsageError for a negative count.
    """
    if count < 0:
        raise UsageError(f"no neighbourhood of {count} meters")
    rng = random.Random(f"neighbourhood/{seed}")
    tails = rng.sample(range(1 << 32), count)
    return [
        _meter(rng, seed, number, tail, omak, set_up or SetUp(), seed if disturbed else None)
        for number, tail in enumerate(tails)
    ]


def _meter(
    rng: random.Random,
    seed: int,
    number: int,
    tail: int,
    omak: Callable[[bytes], Secret],
    set_up: SetUp,
    feeder: int | None,
) -> MeterProfile:
    neuron_id = _NEURON_PREFIX + tail.to_bytes(4, "big")
    return MeterProfile(
        neuron_id=neuron_id,
        omak=omak(neuron_id),
        serial=f"{tail:0{_SERIAL_DIGITS}d}",
        identification=f"{seed % 10**8:08d}{number:012d}",
        seed=seed,
        number=number,
        traits=draw_traits(seed, number),
        feeder=feeder,
        set_up=set_up,
        clock_error=round(rng.uniform(-2.0, 2.0), 1),
        clock_drift=round(rng.gauss(0.0, 2.0), 2),
    )
