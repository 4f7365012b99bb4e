"""Names that stay put, and an `import osgp` that stays light."""

from __future__ import annotations

import subprocess
import sys

import osgp

PUBLIC = {
    "Dims",
    "Source",
    "__version__",
    "errors",
    "lon",
    "oma_digest",
    "procedures",
    "tables",
}
HEAVY = {"numpy", "sqlalchemy", "cryptography", "rich", "typer", "matplotlib", "pandas"}


def test_public_names() -> None:
    assert set(dir(osgp)) == PUBLIC
    assert all(getattr(osgp, name) is not None for name in PUBLIC)


def test_the_design_s_examples() -> None:
    assert osgp.tables["BT23"] is osgp.tables[23]
    assert osgp.procedures["EP16"] is osgp.procedures[2064]
    layout = osgp.tables["BT21"].bind({})
    assert layout.size == 10
    assert layout.span("number_of_tiers") == (7, 1)
    assert layout.encode(layout.decode(bytes(10))) == bytes(10)
    assert osgp.lon.crc16(b"\x00") == 0x1E0F
    assert osgp.oma_digest(bytes(8), bytes(12)).hex()


def test_unknown_names_are_refused() -> None:
    assert not hasattr(osgp, "nonsense")


def test_import_is_light() -> None:
    program = "import osgp, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not HEAVY & {name.partition(".")[0] for name in loaded}


def test_declarations_need_nothing_heavy() -> None:
    program = (
        "import osgp, sys; osgp.tables['BT21'].bind({}).decode(bytes(10)); print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not HEAVY & {name.partition(".")[0] for name in loaded}
