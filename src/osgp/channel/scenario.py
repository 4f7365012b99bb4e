"""Scenario files: a layout, its noise and its line in TOML.

    description = "what to expect"
    band = "A"                  # or "C"
    [layout]
    kind = "street"             # rural, block, neighbours, or tree with everything spelled out
    meters = 50
    [noise]                     # fields of NoiseSettings
    [[noise.appliance]]         # fields of Appliance, as often as wanted
    [line]                      # fields of LineSettings

and in front of the tables, if meters are to know OSGP-AES-128-PSK, `suite = "aes"`, or mixed, or
migrate (see `osgp up --suite`).

The format is the project's own (Source.PROJECT).  Files that come with the package are known by
name: `names()`.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Literal

import msgspec

from osgp.channel.access import A_BAND, C_BAND, Access
from osgp.channel.clock import Scheduler
from osgp.channel.feeder import Feeder
from osgp.channel.layouts import Layout, Street, with_meters
from osgp.channel.medium import DestinationKey, Medium, Tap
from osgp.channel.noise import NoiseSettings
from osgp.channel.reception import LineSettings
from osgp.errors import UsageError

DEFAULT = "default"
_MOST_BYTES = 4_000_000


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything about the line, and of who talks on it no more than which suite he knows."""

    description: str = ""
    band: Literal["A", "C"] = "A"
    layout: Layout = Street()
    noise: NoiseSettings = NoiseSettings()
    line: LineSettings = LineSettings()
    suite: Literal["oma", "aes", "mixed", "migrate"] | None = None

    def feeder(self, rng: Random, meters: int | None = None) -> Feeder:
        """The feeder, with `meters` instead of the file's number. Raises UsageError."""
        layout = self.layout if meters is None else with_meters(self.layout, meters)
        return layout.build(rng)

    def medium(
        self,
        scheduler: Scheduler,
        rng: Random,
        destination_key: DestinationKey,
        *,
        meters: int | None = None,
        access: Access | None = None,
        tap: Tap | None = None,
    ) -> Medium:
        """The line of this scenario, with nobody attached yet. `access` replaces the band's.

        With another number of `meters`, appliances at meters that are left out are too.
        """
        feeder = self.feeder(Random(rng.getrandbits(64)), meters)
        return Medium(
            scheduler,
            feeder,
            rng,
            destination_key,
            access=access or (A_BAND if self.band == "A" else C_BAND),
            noise=self.noise if meters is None else _noise_of(self.noise, feeder),
            settings=self.line,
            tap=tap,
        )


def _noise_of(noise: NoiseSettings, feeder: Feeder) -> NoiseSettings:
    sites = {site.name for site in feeder.sites}
    there = tuple(appliance for appliance in noise.appliance if appliance.at in sites)
    return msgspec.structs.replace(noise, appliance=there)


def names() -> tuple[str, ...]:
    """Scenarios that come with the package, in alphabetical order."""
    entries = files("osgp.channel").joinpath("scenarios").iterdir()
    return tuple(sorted(entry.name[:-5] for entry in entries if entry.name.endswith(".toml")))


def load(scenario: str | Path) -> Scenario:
    """A scenario by its name, or from the TOML file at a path.

    Raises UsageError, in one line, for an unknown name, an unreadable file, or nonsense in it.
    """
    return parse(_read(scenario), str(scenario))


def parse(text: str, origin: str) -> Scenario:
    """A scenario from TOML; `origin` is how errors call it. Raises UsageError."""
    try:
        return msgspec.toml.decode(text, type=Scenario)
    except msgspec.DecodeError as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"scenario {origin}: {reason}") from None


def _read(scenario: str | Path) -> str:
    if scenario in names():
        return files("osgp.channel").joinpath("scenarios", f"{scenario}.toml").read_text("utf-8")
    path = Path(scenario)
    if not path.suffix:
        raise UsageError(f"no scenario {scenario}; there are: {', '.join(names())}")
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(f"scenario {scenario}: larger than {_MOST_BYTES} bytes")
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise UsageError(f"scenario {scenario}: {error}") from None
