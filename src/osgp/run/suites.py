"""Which suites the meters of a simulated neighbourhood know, and what their concentrators do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

import msgspec

from osgp.concentrator.core import Concentrator
from osgp.concentrator.plan import Suite
from osgp.concentrator.suites import Speaks
from osgp.errors import StoreError, UsageError
from osgp.meter.identity import MeterProfile
from osgp.security.handshake import FACTORY
from osgp.security.keystore import LocalWrapper

from .vault import FileVault
from .world import MasterKey

DEMO_WRAPPING = "76697274" * 8
"""Not a secret: master key over the keys of simulated meters, which exist nowhere else."""


class Knows(StrEnum):
    """What `osgp up --suite` takes."""

    OMA = "oma"
    AES = "aes"
    MIXED = "mixed"
    MIGRATE = "migrate"

    @property
    def plan(self) -> Suite:
        """What concentrators do with such meters."""
        return _PLANS[self]

    def knows_aes(self, number: int) -> bool:
        """Whether meter `number` knows OSGP-AES-128-PSK: in a mixed neighbourhood every other."""
        return self is not Knows.OMA and (self is not Knows.MIXED or number % 2 == 1)


_PLANS = {
    Knows.OMA: Suite.OMA,
    Knows.AES: Suite.AES,
    Knows.MIXED: Suite.AES,
    Knows.MIGRATE: Suite.MIGRATE,
}


def knows(name: str) -> Knows:
    """Raises UsageError for a name that is none."""
    try:
        return Knows(name)
    except ValueError:
        raise UsageError(f"no suite {name}; there are: {', '.join(Knows)}") from None


def equipped(profiles: list[MeterProfile], suite: Knows, keys: MasterKey) -> list[MeterProfile]:
    """The meters with a factory key, where they know what it is for; `keys` gets to know them."""
    able = [profile.neuron_id for n, profile in enumerate(profiles) if suite.knows_aes(n)]
    keys.able = frozenset(able)
    return [
        msgspec.structs.replace(profile, factory_key=keys.long_term(profile.neuron_id, FACTORY))
        if profile.neuron_id in keys.able
        else profile
        for profile in profiles
    ]


def open_vault(path: Path, suite: Knows, *, begun: bool) -> FileVault | None:
    """Where the concentrators' keys are kept; None where there are none to keep.

    `begun`: the neighbourhood has run before. Raises StoreError where its keys are missing.
    """
    if suite is Knows.OMA:
        return None
    if begun and (not path.exists() or not path.stat().st_size):
        raise StoreError(f"{path}: the keys of this store's devices are missing")
    return FileVault(path, LocalWrapper(lambda: DEMO_WRAPPING))


def spoken(concentrators: Iterable[Concentrator]) -> dict[str, int]:
    """How many registered devices are read in which suite."""
    speaks = {
        neuron_id: each.speaks(neuron_id)
        for each in concentrators
        for neuron_id, known in each.devices.items()
        if known.commissioned
    }
    counts = Counter(speaks.values())
    return {suite.value: counts[suite] for suite in Speaks}
