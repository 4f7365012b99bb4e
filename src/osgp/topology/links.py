"""How well any two nodes understand each other, in both directions and on both carriers.

A link is a pair of nodes and a carrier. What is known of it comes from two sources:

* margins, one for each direction, from discovery answers and from responses: smoothed, because
  they change with the time of day;
* exchanges that used it, as successes and failed tries. They count half after `HALF_LIFE`, so that
  a link that was bad last night is tried again, and one that was good is not believed for ever.

`quality` joins them into one estimate of how likely an exchange over the link succeeds at once: the
margin gives a first guess worth `PRIOR` exchanges, and every observation moves it. The worse
direction decides, since an exchange needs both. Nodes are named by their 6-byte neuron ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from math import exp
from typing import Final

import msgspec

Node = bytes

HALF_LIFE: Final = 4 * 3600.0
"""Seconds after which an exchange counts half."""
FORGET_AFTER: Final = 14 * 86_400.0
"""Seconds without any news after which a link is forgotten."""
PRIOR: Final = 3.0
SMOOTHING: Final = 0.4
"""Weight of a new margin."""
COIN_TOSS_DB: Final = 2.0
"""Margin at which half of all exchanges are expected to succeed."""
SLOPE_DB: Final = 1.5
AMPLE_DB: Final = 15.0
"""The upper threshold: a stronger link is no better than this, so that fewer hops win."""
UNKNOWN: Final = 0.5
"""First guess for a link without a margin."""


class Carrier(IntEnum):
    """The two frequencies: the primary or the alternate path of a frame."""

    PRIMARY = 0
    SECONDARY = 1


CARRIERS: Final = tuple(Carrier)


class LinkKey(msgspec.Struct, frozen=True, order=True, gc=False):
    """`one` < `other`: both directions are one link."""

    one: Node
    other: Node
    carrier: Carrier

    @classmethod
    def between(cls, a: Node, b: Node, carrier: Carrier) -> LinkKey:
        return cls(a, b, carrier) if a < b else cls(b, a, carrier)


class LinkRecord(msgspec.Struct, frozen=True):
    """A link as it is stored. `forth_db`: margin from `one` to `other`; `back_db`: the reverse.

    `successes` and `failures` as of `at` (seconds UTC).
    """

    one: Node
    other: Node
    carrier: int
    forth_db: float | None
    back_db: float | None
    successes: float
    failures: float
    at: float

    @property
    def strength_db(self) -> float | None:
        """Margin of the worse direction; None while neither is known."""
        forth, back = self.forth_db, self.back_db
        if forth is None or back is None:
            return back if forth is None else forth
        return min(forth, back)

    def quality(self, now: float) -> float:
        """Chance (0..1) that one exchange over the link succeeds at the first try."""
        keep = _fading(now - self.at)
        successes, failures = self.successes * keep, self.failures * keep
        seen = successes + failures
        return (guess(self.strength_db) * PRIOR + successes) / (PRIOR + seen)


class Links:
    """Everything that one concentrator knows of the links in its network."""

    def __init__(self, records: Iterable[LinkRecord] = ()) -> None:
        self._records: dict[LinkKey, LinkRecord] = {}
        self._neighbours: dict[Node, dict[Node, None]] = {}
        self._changed: dict[LinkKey, None] = {}
        for record in records:
            self._put(LinkKey.between(record.one, record.other, Carrier(record.carrier)), record)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[LinkRecord]:
        return iter(self._records.values())

    def get(self, a: Node, b: Node, carrier: Carrier) -> LinkRecord | None:
        return self._records.get(LinkKey.between(a, b, carrier))

    def at(self, key: LinkKey) -> LinkRecord | None:
        """What is known of one link."""
        return self._records.get(key)

    def between(self, a: Node, b: Node) -> list[LinkKey]:
        """The links of two nodes that are known, by carrier."""
        keys = [LinkKey.between(a, b, carrier) for carrier in CARRIERS]
        return [key for key in keys if key in self._records]

    def neighbours(self, node: Node) -> tuple[Node, ...]:
        """Nodes that a link of `node` is known to."""
        return tuple(self._neighbours.get(node, ()))

    def heard(
        self, sender: Node, receiver: Node, carrier: Carrier, margin_db: float, now: float
    ) -> None:
        """`receiver` understood a frame of `sender`, `margin_db` above its limit."""
        if sender == receiver:
            return
        key = LinkKey.between(sender, receiver, carrier)
        record = self._faded(key, now)
        if sender == key.one:
            changed = msgspec.structs.replace(record, forth_db=_smooth(record.forth_db, margin_db))
        else:
            changed = msgspec.structs.replace(record, back_db=_smooth(record.back_db, margin_db))
        self._change(key, changed)

    def tried(
        self, a: Node, b: Node, carrier: Carrier, now: float, *, worked: bool, misses: int = 0
    ) -> None:
        """An exchange used the link; `misses` tries before (or instead of) success failed."""
        key = LinkKey.between(a, b, carrier)
        record = self._faded(key, now)
        self._change(
            key,
            msgspec.structs.replace(
                record,
                successes=record.successes + worked,
                failures=record.failures + misses,
            ),
        )

    def forget(self, node: Node) -> None:
        """The node is gone for good."""
        for key in [key for key in self._records if node in (key.one, key.other)]:
            del self._records[key]
            self._neighbours[key.one].pop(key.other, None)
            self._neighbours[key.other].pop(key.one, None)

    def changed(self) -> list[LinkRecord]:
        """What changed since the last call: to be stored."""
        records = [self._records[key] for key in self._changed if key in self._records]
        self._changed.clear()
        return records

    def _faded(self, key: LinkKey, now: float) -> LinkRecord:
        record = self._records.get(key)
        if record is None or now - record.at > FORGET_AFTER:
            return LinkRecord(key.one, key.other, key.carrier, None, None, 0.0, 0.0, now)
        keep = _fading(now - record.at)
        return msgspec.structs.replace(
            record,
            successes=record.successes * keep,
            failures=record.failures * keep,
            at=max(now, record.at),
        )

    def _change(self, key: LinkKey, record: LinkRecord) -> None:
        self._put(key, record)
        self._changed[key] = None

    def _put(self, key: LinkKey, record: LinkRecord) -> None:
        self._records[key] = record
        self._neighbours.setdefault(key.one, {})[key.other] = None
        self._neighbours.setdefault(key.other, {})[key.one] = None


def guess(strength_db: float | None) -> float:
    """Chance of success that a margin promises."""
    if strength_db is None:
        return UNKNOWN
    strength = min(strength_db, AMPLE_DB)
    return 1.0 / (1.0 + exp(-(strength - COIN_TOSS_DB) / SLOPE_DB))


def _fading(age: float) -> float:
    return float(0.5 ** (max(0.0, age) / HALF_LIFE))


def _smooth(known: float | None, margin_db: float) -> float:
    return margin_db if known is None else known + SMOOTHING * (margin_db - known)
