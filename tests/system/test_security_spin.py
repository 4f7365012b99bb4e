"""The models in tests/spin, checked exhaustively by spin; and that they can fail: broken ones do.

renewal.pml: handshake and renewal under loss, replay, reordering, false refusals and power cuts.
numbers.pml: sequence numbers, so nonces, under the same.
broadcast.pml: broadcasts and the renewal of the domain key, under the same.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

MODELS = Path(__file__).parents[1] / "spin"
SPIN, COMPILER = shutil.which("spin"), shutil.which("gcc") or shutil.which("cc")

pytestmark = pytest.mark.skipif(
    SPIN is None or COMPILER is None, reason="needs the programs spin and gcc"
)


def check(folder: Path, text: str, *, liveness: bool = False, **constants: int) -> str:
    """What the verifier that spin generates says about a model."""
    (folder / "model.pml").write_text(text)
    defines = [f"-D{name}={value}" for name, value in constants.items()]
    run(folder, str(SPIN), *defines, "-a", "model.pml")
    flags = ["-DNFAIR=4"] if liveness else ["-DSAFETY", "-DNOCLAIM", "-DCOLLAPSE"]
    run(folder, str(COMPILER), "-w", "-O1", *flags, "-o", "pan", "pan.c")
    return run(folder, "./pan", "-m100000", *(["-a", "-f"] if liveness else []))


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def model(name: str) -> str:
    return (MODELS / name).read_text()


@pytest.mark.parametrize(("faults", "wanted", "renewals"), [(1, 2, 0), (1, 1, 1), (2, 1, 0)])
def test_keys_agree_and_nobody_is_locked_out(
    tmp_path: Path, faults: int, wanted: int, renewals: int
) -> None:
    said = check(tmp_path, model("renewal.pml"), FAULTS=faults, WANTED=wanted, RENEWALS=renewals)
    assert "errors: 0" in said
    assert "Search not completed" not in said


@pytest.mark.parametrize(("wanted", "renewals"), [(2, 0), (1, 1)])
def test_the_wanted_keys_are_always_reached(tmp_path: Path, wanted: int, renewals: int) -> None:
    text = model("renewal.pml")
    said = check(tmp_path, text, liveness=True, FAULTS=1, WANTED=wanted, RENEWALS=renewals)
    assert "errors: 0" in said
    assert "acceptance   cycles \t+ (fairness enabled)" in said


@pytest.mark.parametrize("name", ["numbers.pml", "broadcast.pml"])
def test_no_number_is_used_twice_and_nobody_is_shut_out(tmp_path: Path, name: str) -> None:
    said = check(tmp_path, model(name))
    assert "errors: 0" in said
    assert "Search not completed" not in said


RENEWAL_FAULTS = {
    "a channel is not proven before the next": (
        ":: !c_proven -> goto request",
        ":: false -> goto request",
    ),
    "the old channel is dropped with the Confirm": (
        "d_next = e; truth_random",
        "d_current = 0; d_next = e; truth_random",
    ),
    "the new long-term key is forgotten": (
        "d_key = v; d_newer = NONE",
        "d_newer = NONE",
    ),
    "the random number is not in the key": (
        "r == c_random && e == c_run_epoch && v == c_version -> establish",
        "e > c_epoch -> establish",
    ),
}
NUMBER_FAULTS = {
    "the client does not write ahead": (
        "if :: NEAR(c_last, c_stored) -> c_stored = c_last + RESERVE :: else fi;",
        "skip;",
    ),
    "the device does not write ahead": (
        "if :: NEAR(d_last, d_stored) -> d_stored = d_last + RESERVE :: else fi;",
        "skip;",
    ),
    "the client goes back": (":: last > c_last -> c_last = last;", ":: c_last = last;"),
    "the device accepts its last number again": (":: number > d_last ->", ":: number >= d_last ->"),
}


BROADCAST_FAULTS = {
    "the device forgets the generation in use": (
        "d_old = d_new; d_old_base = d_new_base",
        "d_old = g; d_old_base = n",
    ),
    "the sender does not write ahead": (
        "if :: NEAR(s_last, s_stored) -> s_stored = s_last + RESERVE :: else fi",
        "skip",
    ),
    "the device executes before it writes": (
        "d_old_base = n;\n            if :: cuts > 0 -> cuts-- :: execute(g, n) fi",
        "execute(g, n); if :: cuts > 0 -> cuts-- :: d_old_base = n fi",
    ),
    "the same key again resets the base": (
        "if :: n > d_new_base -> d_new_base = n :: else fi",
        "d_new_base = n",
    ),
    "the device confirms its newest generation only": (
        ":: g == d_old && g != d_new ->",
        ":: false ->",
    ),
    "the next generation is handed out before the present": (
        ":: atomic { s_sure == s_gen && s_next != 0 ->",
        ":: atomic { s_sure != s_next && s_next != 0 ->",
    ),
    "a device that was away is counted on": (
        "away = false; s_sure = 0 ",
        "away = false ",
    ),
    "a device that was away is given its former base": (
        "s_sure != s_next) -> hand(s_gen, s_last) }",
        "s_sure != s_next) -> hand(s_gen, 0) }",
    ),
}


@pytest.mark.parametrize("fault", BROADCAST_FAULTS)
def test_the_broadcast_model_finds_faults(tmp_path: Path, fault: str) -> None:
    """A violated assertion, or an end in which nobody can go on."""
    said = check(tmp_path, broken("broadcast.pml", *BROADCAST_FAULTS[fault]))
    assert "errors: 1" in said


@pytest.mark.parametrize("fault", RENEWAL_FAULTS)
def test_the_renewal_model_finds_faults(tmp_path: Path, fault: str) -> None:
    assert "assertion violated" in check(tmp_path, broken("renewal.pml", *RENEWAL_FAULTS[fault]))


@pytest.mark.parametrize("fault", NUMBER_FAULTS)
def test_the_numbers_model_finds_faults(tmp_path: Path, fault: str) -> None:
    assert "assertion violated" in check(tmp_path, broken("numbers.pml", *NUMBER_FAULTS[fault]))


def broken(name: str, right: str, wrong: str) -> str:
    text = model(name)
    assert right in text
    return text.replace(right, wrong)
