"""Firmware for the meters of a simulated neighbourhood: `osgp up --firmware FILE`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec

from osgp.concentrator.campaign import Stage
from osgp.concentrator.core import Concentrator
from osgp.concentrator.image import Image
from osgp.errors import LocalProtocolError, UsageError

from .suites import Knows


class Loaded(msgspec.Struct, frozen=True):
    """What a campaign came to: meters that run the image, refuse it, or are not there yet."""

    running: int
    refused: int
    waiting: int


def image_of(path: Path, suite: Knows) -> bytes:
    """Raises UsageError for a file that cannot be read or is no image, and where no meter could
    prove one."""
    if suite is Knows.OMA:
        raise UsageError("firmware is for meters that speak AES: --suite aes, mixed or migrate")
    try:
        return Image(path.read_bytes()).data
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except LocalProtocolError as error:
        raise UsageError(f"{path}: {error}") from None


def loaded(concentrators: Iterable[Concentrator]) -> Loaded | None:
    """None where nothing is to be loaded."""
    campaigns = [each.campaign for each in concentrators if each.campaign is not None]
    if not campaigns:
        return None
    stages = Counter(one.stage for campaign in campaigns for one in campaign.devices.values())
    running, refused = stages[Stage.DONE], stages[Stage.FAILED]
    return Loaded(running, refused, stages.total() - running - refused)
