"""The bridge's configuration: one TOML file (`docs/examples/bridge.toml` has all of it).

    [[meters]]
    name = "main"
    optical = "/dev/ttyUSB0"
    key_file = "rk.txt"
    interval = 60

    [mqtt]
    host = "127.0.0.1"

Passwords and keys stand in files of their own, whose paths are relative to the configuration's.
"""

from __future__ import annotations

import re
from datetime import time
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from osgp.errors import UsageError

_SLUG: Final = re.compile(r"[^a-z0-9]+")
_SPAN: Final = re.compile(r"(\d{1,2}:\d{2})\s*-\s*(\d{1,2}:\d{2})")

Seconds = Annotated[float, Meta(gt=0)]
Port = Annotated[int, Meta(ge=0, le=65535)]


class QuietHours(msgspec.Struct, frozen=True):
    """Times of day, local, in which a port is left alone; may span midnight."""

    begin: time
    end: time

    def has(self, moment: time) -> bool:
        if self.begin <= self.end:
            return self.begin <= moment < self.end
        return moment >= self.begin or moment < self.end


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is plausible: W, V, A, Hz. `confirmations`: readings after which a jump is believed."""

    power: float = 50_000.0
    voltage: float = 300.0
    current: float = 200.0
    frequency: tuple[float, float] = (45.0, 65.0)
    confirmations: Annotated[int, Meta(ge=1)] = 3


class MeterSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[meters]]`: one meter and when it is read.

    `interval`: from one reading to the next. `idle`: at least so long the port is free between two
    sessions, for a utility's own. `stale_after`: age at which what was read counts as unknown.
    `mbus_every`: every how many readings the M-Bus devices are read too; 0 for never. `serial`: the
    only meter that is meant; what another one says under this name is not published.
    """

    name: str
    optical: str | None = None
    mep: str | None = None
    key_file: str | None = None
    tls: str | None = None
    encrypt: bool = False
    speed: int = 9600
    interval: Seconds = 60.0
    idle: Annotated[float, Meta(ge=0)] = 5.0
    quiet_hours: tuple[str, ...] = ()
    stale_after: Seconds | None = None
    mbus_every: Annotated[int, Meta(ge=0)] = 10
    serial: str | None = None
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if not slug(self.name):
            raise ValueError("a meter needs a name with a letter or a digit")
        if (self.optical is None) == (self.mep is None):
            raise ValueError(f"meter {self.name}: one of optical and mep")
        if self.tls not in (None, "MAK", "MBK"):
            raise ValueError(f"meter {self.name}: tls is MAK or MBK")
        _ = self.quiet

    @property
    def id(self) -> str:
        """The name as topics have it."""
        return slug(self.name)

    @property
    def quiet(self) -> tuple[QuietHours, ...]:
        return tuple(_span(text) for text in self.quiet_hours)

    @property
    def expires(self) -> float:
        """Seconds after which a reading counts as unknown."""
        return self.stale_after if self.stale_after is not None else max(3 * self.interval, 180.0)


class MqttSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[mqtt]`. `spool` keeps readings while the broker is away; at most `spool_limit` of them.

    `tls`: the broker's certificate is checked against the system's authorities, or against those in
    `ca_file`; `certificate_file` and `private_key_file` are this program's own, if it wants any.
    """

    host: str = "127.0.0.1"
    port: Port = 1883
    username: str | None = None
    password_file: str | None = None
    tls: bool = False
    ca_file: str | None = None
    certificate_file: str | None = None
    private_key_file: str | None = None
    client_id: str = "osgp-bridge"
    topic: str = "osgp"
    discovery: str = "homeassistant"
    spool: str = "osgp-spool.sqlite"
    spool_limit: Annotated[int, Meta(ge=1)] = 100_000

    def __post_init__(self) -> None:
        if not self.tls and (self.ca_file or self.certificate_file):
            raise ValueError("mqtt: ca_file and certificate_file need tls = true")
        if (self.certificate_file is None) != (self.private_key_file is None):
            raise ValueError("mqtt: certificate_file and private_key_file go together")


class ListenSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[prometheus]` and `[http]`: where to listen."""

    port: Port
    host: str = "127.0.0.1"


class BridgeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    meters: tuple[MeterSection, ...]
    mqtt: MqttSection | None = None
    prometheus: ListenSection | None = None
    http: ListenSection | None = None
    cache: str | None = None

    def __post_init__(self) -> None:
        ids = [meter.id for meter in self.meters]
        if not ids:
            raise ValueError("there is no [[meters]]")
        if len(set(ids)) != len(ids):
            raise ValueError("two meters have the same name")


def load_config(path: Path) -> BridgeConfig:
    """The configuration in a file. Raises UsageError with the reason."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=BridgeConfig)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from None


def slug(name: str) -> str:
    """`Fwd Active Wh L1L2L3` as `fwd_active_wh_l1l2l3`."""
    return _SLUG.sub("_", name.lower()).strip("_")


def _span(text: str) -> QuietHours:
    match = _SPAN.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        return QuietHours(*(time.fromisoformat(part.zfill(5)) for part in match.groups()))
    except ValueError:
        raise ValueError(f"quiet hours are written 02:00-04:30, not {text!r}") from None
