"""The life of a metering device as its concentrator sees it (clause 4.2).

Manufactured and installed are what a device is before anybody hears of it. Its own evidence of what
follows is ET04: subnet and node (ET04.10 and .11) are not 0 from COMMISSIONED on.

DISCOVERED    it answered a query and is registered nowhere
COMMISSIONED  it has an address, and has answered an authenticated request there
OPERATING     it has been read
LOST          it did not answer for long; it is still tried, and may come back
REFUSED       its answers do not authenticate: the key is wrong, or it is not the device
LEAVING       it is to be removed, as soon as the line is free for that
DECOMMISSIONED  it was removed on purpose, and is not taken back until somebody admits it
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
    LEAVING = "leaving"
    DECOMMISSIONED = "decommissioned"


class Happening(StrEnum):
    ADDRESSED = "addressed"
    READ = "read"
    SILENT = "silent"
    UNVERIFIED = "unverified"
    FOUND_AGAIN = "found again"
    DISMISSED = "dismissed"
    REMOVED = "removed"
    ADMITTED = "admitted"


_PRESENT = (Life.DISCOVERED, Life.COMMISSIONED, Life.OPERATING, Life.LOST, Life.REFUSED)

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
    (Life.LEAVING, Happening.ADMITTED): Life.DISCOVERED,
    (Life.DECOMMISSIONED, Happening.ADMITTED): Life.DISCOVERED,
    (Life.DECOMMISSIONED, Happening.DISMISSED): Life.LEAVING,
}
TRANSITIONS |= {(life, Happening.FOUND_AGAIN): Life.DISCOVERED for life in _PRESENT}
TRANSITIONS |= {(life, Happening.DISMISSED): Life.LEAVING for life in _PRESENT}
TRANSITIONS |= {
    (life, Happening.REMOVED): Life.DECOMMISSIONED for life in (*_PRESENT, Life.LEAVING)
}
_ON_THE_LINE = (
    *(Happening.ADDRESSED, Happening.READ, Happening.SILENT, Happening.UNVERIFIED),
    *(Happening.FOUND_AGAIN, Happening.DISMISSED),
)
"""What was under way when the device was dismissed may still end."""
TRANSITIONS |= {(Life.LEAVING, happening): Life.LEAVING for happening in _ON_THE_LINE}


def after(life: Life, happening: Happening) -> Life:
    """The next state; LocalProtocolError for what cannot happen in this one."""
    following = TRANSITIONS.get((life, happening))
    if following is None:
        raise LocalProtocolError(f"{happening} cannot happen to a device that is {life}")
    return following
