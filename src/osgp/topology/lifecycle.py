"""The life of a metering device as its concentrator sees it (clause 4.2).

DISCOVERED    it answered a query and is registered nowhere
COMMISSIONED  it has an address, and has answered an authenticated request there
OPERATING     it has been read
LOST          it did not answer for long; it is still tried, and may come back
REFUSED       its answers do not authenticate: the key is wrong, or it is not the device
"""

from __future__ import annotations

from enum import StrEnum

from osgp.errors import LocalProtocolError


class Life(StrEnum):
    DISCOVERED = "discovered"
    COMMISSIONED = "commissioned"
    OPERATING = "operating"
    LOST = "lost"
    REFUSED = "refused"


class Happening(StrEnum):
    ADDRESSED = "addressed"
    READ = "read"
    SILENT = "silent"
    UNVERIFIED = "unverified"
    FOUND_AGAIN = "found again"


TRANSITIONS: dict[tuple[Life, Happening], Life] = {
    (Life.DISCOVERED, Happening.ADDRESSED): Life.COMMISSIONED,
    (Life.DISCOVERED, Happening.SILENT): Life.DISCOVERED,
    (Life.DISCOVERED, Happening.UNVERIFIED): Life.REFUSED,
    (Life.COMMISSIONED, Happening.READ): Life.OPERATING,
    (Life.COMMISSIONED, Happening.SILENT): Life.LOST,
    (Life.COMMISSIONED, Happening.UNVERIFIED): Life.REFUSED,
    (Life.OPERATING, Happening.READ): Life.OPERATING,
    (Life.OPERATING, Happening.SILENT): Life.LOST,
    (Life.OPERATING, Happening.UNVERIFIED): Life.REFUSED,
    (Life.LOST, Happening.READ): Life.OPERATING,
    (Life.LOST, Happening.SILENT): Life.LOST,
    (Life.LOST, Happening.UNVERIFIED): Life.REFUSED,
    (Life.REFUSED, Happening.READ): Life.OPERATING,
    (Life.REFUSED, Happening.SILENT): Life.REFUSED,
    (Life.REFUSED, Happening.UNVERIFIED): Life.REFUSED,
} | {(life, Happening.FOUND_AGAIN): Life.DISCOVERED for life in Life}


def after(life: Life, happening: Happening) -> Life:
    """The next state; LocalProtocolError for what cannot happen in this one."""
    following = TRANSITIONS.get((life, happening))
    if following is None:
        raise LocalProtocolError(f"{happening} cannot happen to a device that is {life}")
    return following
