"""Who a served meter is: a small TOML file, or a name of those that come along.

    [meter]                         # everything may be left out
    seed = 7                        # names the household and its weather
    serial = "0000000000000007"
    firmware = "4.30"
    annual_energy = 4200            # kWh
    rooftop = 6000                  # W peak
    history_days = 8                # how long it has been measuring already

    [[load_profile]]
    sources = [0, 1, 2, 3]
    interval = 15                   # minutes
    blocks = 10                     # days

    [[m_bus]]                       # up to four devices on the M-Bus port
    medium = "water"                # or hot water, gas, heat
    serial = "12345678"
    yearly = 120                    # m³, heat: kWh
    valve = true                    # it has a valve, which EP19 switches
    status = "power low"            # or "silent"; leave it out for one that is well

    [keys]                          # in the forms of `osgp.security.keys`; test keys if left out
    RK = "..."

The format is this project's own (`Source.PROJECT`).
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final

import msgspec

from osgp.errors import UsageError
from osgp.meter import DataSet, MeterProfile, SetUp
from osgp.meter.mbus_units import MBusUnit
from osgp.meter.measuring import Traits, draw_traits
from osgp.security.keys import Purpose, read_key
from osgp.security.secret import Secret
from osgp.spec.firmware import version

TEST_KEYS: Final = {
    "RK": "read-only key, test!",
    "PK": "provisioning, test!!",
    "MK": "optical unique, test",
    "MBK": "mep basic key, test!",
    "MAK": "mep advanced, test!!",
    "OMAK": "ascii:omak test 12",
}
"""Not secrets: keys of virtual meters that were given none."""

PURPOSES: Final = {
    "RK": Purpose.OPTICAL,
    "PK": Purpose.OPTICAL,
    "MK": Purpose.OPTICAL,
    "MBK": Purpose.MEP,
    "MAK": Purpose.MEP,
    "OMAK": Purpose.OMAK,
}
SUFFIX: Final = ".toml"
_SERIAL_DIGITS: Final = 16


class MeterSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[meter]`. Times in minutes; None: as drawn from the seed."""

    seed: int = 1
    number: int = 0
    serial: str | None = None
    identification: str | None = None
    manufacturer: str = "OSGP"
    model: str = "VIRTUAL "
    firmware: str = "4.30.0"
    tiers: int = 4
    log_entries: int = 100
    zone: int = 60
    dst: int = 60
    clock_error: float = 0.0
    annual_energy: float | None = None
    rooftop: float | None = None
    phases: int | None = None
    disturbed: bool = True
    history_days: float = 8.0


class DataSetSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[load_profile]]`: one data set."""

    sources: tuple[int, ...] = (0, 1, 2, 3)
    interval: int = 15
    blocks: int = 10


class MBusSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[[m_bus]]`: one device behind the meter."""

    medium: str = "water"
    serial: str = "00000000"
    manufacturer: str = "OSG"
    yearly: float = 120.0
    before: float = 0.0
    valve: bool = False
    status: str = ""


class ProfileFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    meter: MeterSection = MeterSection()
    load_profile: tuple[DataSetSection, ...] = (DataSetSection(),)
    m_bus: tuple[MBusSection, ...] = ()
    keys: dict[str, str] = {}


class ServedProfile(msgspec.Struct, frozen=True):
    """A meter to serve: who it is, its keys by name, and seconds that it has run already."""

    name: str
    meter: MeterProfile
    keys: dict[str, Secret]
    history: float

    def of(self, *names: str) -> dict[str, Secret]:
        """Keys of these names, as far as the meter has them."""
        return {name: self.keys[name] for name in names if name in self.keys}


def built_in() -> list[str]:
    """Names of the profiles that come along."""
    found = resources.files(__package__).joinpath("profiles").iterdir()
    return sorted(item.name.removesuffix(SUFFIX) for item in found if item.name.endswith(SUFFIX))


def load_profile(name: str) -> ServedProfile:
    """The profile of a file, or of a built-in name. Raises UsageError with the reason."""
    known = name in built_in()
    try:
        place = resources.files(__package__).joinpath("profiles", f"{name}{SUFFIX}")
        data = place.read_bytes() if known else Path(name).read_bytes()
        return _profile(name, msgspec.toml.decode(data, type=ProfileFile))
    except OSError as error:
        offered = ", ".join(built_in())
        raise UsageError(f"{name}: {error.strerror}; built-in profiles: {offered}") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise UsageError(f"{name}: {error}") from None


def write_keys(profile: ServedProfile, directory: Path) -> list[Path]:
    """The meter's keys as files that `--key-file` takes. Raises UsageError."""
    written = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, key in profile.keys.items():
            path = directory / f"{name.lower()}.txt"
            path.touch(mode=0o600)
            path.write_text(f"hex:{key.reveal().hex()}\n")
            written.append(path)
    except OSError as error:
        raise UsageError(f"{directory}: {error.strerror}") from None
    return written


def _profile(name: str, file: ProfileFile) -> ServedProfile:
    unknown = set(file.keys) - set(PURPOSES)
    if unknown:
        raise UsageError(f"{name}: no key is called {min(unknown)}")
    keys = {
        key: read_key(text, PURPOSES[key]).secret for key, text in (TEST_KEYS | file.keys).items()
    }
    section = file.meter
    meter = MeterProfile(
        neuron_id=b"\x05\x00" + (section.seed << 8 | section.number).to_bytes(8, "big")[-4:],
        omak=keys["OMAK"],
        serial=(section.serial or str(section.seed)).zfill(_SERIAL_DIGITS),
        identification=(section.identification or str(section.number)).zfill(20),
        manufacturer=section.manufacturer,
        model=section.model,
        seed=section.seed,
        number=section.number,
        traits=_traits(section),
        feeder=section.seed if section.disturbed else None,
        set_up=_set_up(file),
        clock_error=section.clock_error,
        zone=section.zone,
        dst=section.dst,
        m_bus=tuple(_unit(name, one) for one in file.m_bus),
    )
    return ServedProfile(name, meter, keys, section.history_days * 86_400)


def _unit(name: str, section: MBusSection) -> MBusUnit:
    """A device; what ails it has ailed it from the beginning."""
    if section.status not in ("", "power low", "silent"):
        raise UsageError(f"{name}: an M-Bus device is well, 'power low' or 'silent'")
    return MBusUnit(
        section.medium,
        section.serial,
        section.manufacturer,
        section.yearly,
        section.before,
        power_low_from=0.0 if section.status == "power low" else None,
        silent_from=0.0 if section.status == "silent" else None,
        valve=section.valve,
    )


def _traits(section: MeterSection) -> Traits:
    share = {None: 0.85, 1: 0.0, 3: 1.0}.get(section.phases)
    if share is None:
        raise UsageError("a meter has 1 or 3 phases")
    drawn = draw_traits(section.seed, section.number, three_phase=share)
    if section.annual_energy is not None:
        drawn = msgspec.structs.replace(drawn, annual_energy=section.annual_energy)
    if section.rooftop is not None:
        roof = {"rooftop": section.rooftop, "rooftop_shares": drawn.shares}
        drawn = msgspec.structs.replace(drawn, **roof)
    return drawn


def _set_up(file: ProfileFile) -> SetUp:
    return SetUp(
        firmware=version(file.meter.firmware),
        tiers=file.meter.tiers,
        log_entries=file.meter.log_entries,
        data_sets=tuple(DataSet(s.sources, s.interval, s.blocks) for s in file.load_profile),
        m_bus=bool(file.m_bus),
    )
