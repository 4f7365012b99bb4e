"""Which stored meters are in danger, and what a store cannot tell.

A store holds bytes of tables and a device's session numbers, and no keys. The suite follows from
ET04.127 where that was read, otherwise from the session: only the old suite uses the device's
sequence number. Keys are judged if a key store (`osgp keys`) with entries `<neuron id>.<kind>` is
given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from osgp.concentrator.sink import Device, TableImage
from osgp.headend.store import Store
from osgp.security.audit.fleet import Finding, MeterSecurity, audit_fleet
from osgp.security.guard import MAX_USES
from osgp.security.profile import Mode
from osgp.security.secret import Secret
from osgp.spec import tables
from osgp.wire import Dims

_SYSTEM, _STATUS = "ET04", "ET54"
_LAYOUT: Final = Dims(firmware=(3, 80, 0))
"""The first firmware that counts uses; the fields stand where they stand in all later ones."""


class Seen(msgspec.Struct, frozen=True):
    """What the store knows of one device; None: it was never read."""

    device: Device
    mode: int | None
    limit: int | None
    uses: int | None

    @property
    def suite(self) -> Mode | None:
        """The suite it runs, None where nothing says so."""
        if self.mode is not None:
            return Mode.AES if self.mode == Mode.AES else Mode.RC4
        return Mode.RC4 if self.device.sequence else None


class FleetAudit(msgspec.Struct, frozen=True):
    """Findings over `meters` devices, how many run which of the `suites` (oma, aes, unknown), and
    how many devices each question could not be asked of."""

    meters: int
    suites: dict[str, int]
    findings: tuple[Finding, ...]
    unknown: dict[str, int]


FACTORY_KEY: Final = "whether a meter still has its factory key: that is in the meter only"
"""A meter in mode 2 has another: with the factory key nobody changes the mode."""
_SUITES: Final = {Mode.RC4: "oma", Mode.AES: "aes", None: "unknown"}


def audit_store(store: Store, keys: Mapping[str, Secret] | None = None) -> FleetAudit:
    """Judges all devices of a store. Raises StoreError, SecurityError."""
    seen = [_seen(store, device) for device in store.devices()]
    held = dict(keys or {})
    findings = audit_fleet(security for one in seen for security in _securities(one, held))
    known = [one for one in seen if _own_key(one, held) is not None]
    unknown = {
        "which suite it runs (ET04.127 was not read, and it was never talked to)": sum(
            one.suite is None for one in seen
        ),
        "how often its key was used (ET54.82 was not read)": sum(one.uses is None for one in seen),
        "whether its key is a default or shared one (not in the key store given)": len(seen)
        - len(known),
        FACTORY_KEY: sum(one.suite is not Mode.AES for one in seen),
    }
    told = {question: count for question, count in unknown.items() if count}
    suites = Counter(_SUITES[one.suite] for one in seen)
    return FleetAudit(
        len(seen), {name: suites[name] for name in _SUITES.values()}, tuple(findings), told
    )


def _securities(seen: Seen, held: Mapping[str, Secret]) -> Iterator[MeterSecurity]:
    """The key of the suite it runs, then its other keys, whose suite is none of the question."""
    name = seen.device.neuron_id.hex()
    own = _kind(seen)
    # Where nothing says which suite it runs, there is no finding about it: `unknown` counts it.
    yield MeterSecurity(
        name,
        Mode.AES if seen.suite is None else seen.suite,
        held.get(f"{name}.{own}"),
        seen.uses or 0,
        seen.limit or MAX_USES,
    )
    for entry in sorted(held):
        if entry.startswith(f"{name}.") and entry != f"{name}.{own}":
            yield MeterSecurity(entry, Mode.AES, held[entry])


def _own_key(seen: Seen, held: Mapping[str, Secret]) -> Secret | None:
    return held.get(f"{seen.device.neuron_id.hex()}.{_kind(seen)}")


def _kind(seen: Seen) -> str:
    return "aes" if seen.suite is Mode.AES else "omak"


def _seen(store: Store, device: Device) -> Seen:
    mode, limit = _read(store, device, _SYSTEM, "security_mode", "maximum_key_usage_count")
    (uses,) = _read(store, device, _STATUS, "unicast_key_usage_count")
    return Seen(device, mode, limit, uses)


def _read(store: Store, device: Device, table: str, *fields: str) -> list[int | None]:
    """The newest values of integer fields of a table, from the bytes that were read."""
    number = tables[table].info.number
    images = [image for _, image in store.images(device.neuron_id, table=number)]
    return [_newest(images, *_place(table, field)) for field in fields]


def _place(table: str, field: str) -> tuple[int, int]:
    span = tables[table].bind(_LAYOUT).span(field)
    return span.offset, span.size


def _newest(images: Iterable[TableImage], offset: int, size: int) -> int | None:
    value = None
    for image in sorted(images, key=lambda image: image.read_at):
        start = offset - image.offset
        if start >= 0 and start + size <= len(image.data):
            value = int.from_bytes(image.data[start : start + size], "little")
    return value
