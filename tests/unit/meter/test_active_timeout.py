"""ET55.15: how long a meter stays with its concentrator is a register of it, and is kept."""

from __future__ import annotations

import pytest

from osgp.lon import Broadcast
from osgp.topology import atm
from osgp.topology.atm import EVERYBODY

from .bench import Asker, meter

CONFIGURATION = 2103
TIMEOUT_AT = 15


def found_by_another(asker: Asker, minutes: float, since: float) -> bool:
    """Whether the meter answers a query of a foreign domain so long after the last contact."""
    asker.now = since + 60 * minutes
    query = atm.query(int(minutes), EVERYBODY, domain=b"OSH", idle=0)
    return asker.ask(query, Broadcast(0), domain=asker.stack.config.domains[0].domain) is not None


def commissioned() -> Asker:
    asker = Asker(meter())
    asker.commission()
    return asker


def contact(asker: Asker) -> float:
    """The concentrator proves to be there; when."""
    asker.image(1)
    return asker.now


def test_it_is_an_hour_unless_it_is_set() -> None:
    asker = commissioned()
    assert asker.table(CONFIGURATION).plc_active_timeout == 60
    since = contact(asker)
    assert not found_by_another(asker, 59, since)
    assert found_by_another(asker, 61, since)


@pytest.mark.parametrize("minutes", [5, 240])
def test_it_can_be_set_and_survives_a_power_cut(minutes: int) -> None:
    asker = commissioned()
    asker.run(asker.client.write(CONFIGURATION, minutes.to_bytes(2, "little"), TIMEOUT_AT))
    assert asker.table(CONFIGURATION).plc_active_timeout == minutes
    asker.device = meter(asker.device.nvm, asker.now)
    assert asker.table(CONFIGURATION).plc_active_timeout == minutes
    since = contact(asker)
    assert not found_by_another(asker, minutes - 1, since)
    assert found_by_another(asker, minutes + 1, since)
