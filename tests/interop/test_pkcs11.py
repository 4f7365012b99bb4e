"""A key store whose master key is in a PKCS#11 token: SoftHSM, through docs/examples."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from osgp.errors import OsgpError, SecurityError
from osgp.run.keyholders import Holder, wrapper
from osgp.run.keyring import create
from osgp.security.keystore import KeyStore
from osgp.security.secret import Secret

PROGRAM = Path(__file__).parents[2] / "docs" / "examples" / "pkcs11_holder.py"
TOOLS = shutil.which("softhsm2-util"), shutil.which("pkcs11-tool")
PLACES = ("softhsm/libsofthsm2.so", "*/softhsm/libsofthsm2.so", "*/libsofthsm2.so")
MODULE = next((str(path) for place in PLACES for path in Path("/usr/lib").glob(place)), None)

pytestmark = pytest.mark.skipif(
    None in (*TOOLS, MODULE), reason="needs the programs softhsm2-util and pkcs11-tool"
)

PIN, KEY = "123456", Secret(b"k" * 16)


@pytest.fixture
def holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Holder:
    """A token of its own with one AES key that cannot be taken out."""
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm.conf").write_text(f"directories.tokendir = {tmp_path}/tokens\n")
    given = {"MODULE": str(MODULE), "TOKEN": "osgp", "KEY": "01", "PIN": PIN}
    for name, value in given.items():
        monkeypatch.setenv(f"PKCS11_{name}", value)
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm.conf"))
    tool(TOOLS[0], "--init-token", "--free", "--label", "osgp", "--pin", PIN, "--so-pin", PIN)
    module = ("--module", str(MODULE), "--token-label", "osgp", "--login", "--pin", PIN)
    tool(TOOLS[1], *module, "--keygen", "--key-type", "AES:32", "--label", "osgp", "--id", "01")
    return Holder(program=shlex.join([sys.executable, str(PROGRAM)]))


def tool(program: str | None, *arguments: str) -> None:
    subprocess.run([str(program), *arguments], capture_output=True, timeout=60, check=True)


def test_the_token_wraps_and_unwraps_and_nobody_else(
    holder: Holder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(tmp_path / "keys.json", wrapper(holder))["meter.aes"] = KEY
    assert KeyStore(tmp_path / "keys.json", wrapper(holder))["meter.aes"] == KEY
    monkeypatch.setenv("PKCS11_PIN", "000000")
    with pytest.raises(SecurityError):
        KeyStore(tmp_path / "keys.json", wrapper(holder))


def test_what_was_wrapped_cannot_be_altered(holder: Holder) -> None:
    held = wrapper(holder)
    wrapped = held.wrap(Secret(bytes(range(32))))
    assert held.unwrap(wrapped) == Secret(bytes(range(32)))
    for at in (0, 20, 40, len(wrapped) - 1):
        with pytest.raises(OsgpError):
            held.unwrap(wrapped[:at] + bytes((wrapped[at] ^ 1,)) + wrapped[at + 1 :])


def test_a_missing_setting_is_a_refusal(holder: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PKCS11_MODULE")
    with pytest.raises(SecurityError, match="refused"):
        wrapper(holder).wrap(KEY)
