"""OMA digests: one by one, and a whole capture at once."""

from __future__ import annotations

import random

from osgp.security import oma
from osgp.security.batch import digest_many, digests, pack

from .table import Row, best

TITLE = "OMA digest of 96-byte messages"
MESSAGES, LENGTH = 50_000, 96


def run() -> list[Row]:
    rng = random.Random(1)
    key = rng.randbytes(oma.OMAK_SIZE)
    messages = [rng.randbytes(LENGTH) for _ in range(MESSAGES)]
    schedule = oma.OmaKey(key)
    assert digest_many(messages, key)[:3] == [schedule.digest(m) for m in messages[:3]]
    scalar = best(lambda: [schedule.digest(message) for message in messages], 2)
    listed = best(lambda: digest_many(messages, key))
    packed = pack(messages)
    batch = best(lambda: digests(packed, key))
    return [
        Row("scalar", f"{MESSAGES / scalar:,.0f} /s"),
        Row("batch, from a list", f"{MESSAGES / listed:,.0f} /s", f"{scalar / listed:.0f} x"),
        Row("batch, packed", f"{MESSAGES / batch:,.0f} /s", f"{scalar / batch:.0f} x", ">= 50 x"),
    ]
