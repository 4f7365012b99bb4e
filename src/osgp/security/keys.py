"""Keys as people write them, and keys derived from a utility's master key.

Users confuse the forms more often than anything else, so reading a key also says how it was read.

| purpose | bytes used | forms |
|---|---|---|
| OPTICAL (RK, MK, PK) | 20 or 10 | 20 characters; 40 hex digits; 10 characters; `hex:` 20 digits |
| MEP (MAK, MBK) | first 16 | 20 or 16 characters; 40 or 32 hex digits |
| OMAK | 12 | 24 hex digits; `ascii:` 12 characters |
| AES | 16 | 32 hex digits; `ascii:` 16 characters |

20 characters that happen to be hex digits are taken as characters, with a remark; `hex:` and
`ascii:` in front force a form.  Between hex digits blanks, colons and dashes may stand.
Sources: MEP guide v1.1 ('Access Levels': up to 20 bytes, only the first 16 count); optical guide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from osgp.errors import UsageError
from osgp.security.aes import KEY_SIZE, osgp_kdf
from osgp.security.oma import OMAK_SIZE
from osgp.security.secret import Secret, key_bytes


class Purpose(Enum):
    """What a key is for; the value is its name in messages to the user."""

    OPTICAL = "optical key (RK, MK, PK)"
    MEP = "MEP key (MAK, MBK)"
    OMAK = "OMAK"
    AES = "AES key"


@dataclass(frozen=True, slots=True)
class Form:
    """One accepted way of writing a key: `characters` long, standing for `size` bytes."""

    characters: int
    is_hex: bool

    @property
    def size(self) -> int:
        """Bytes that the written key stands for."""
        return self.characters // 2 if self.is_hex else self.characters

    def __str__(self) -> str:
        return f"{self.characters} {'hex digits' if self.is_hex else 'characters'}"


_FORMS: Final = {
    Purpose.OPTICAL: (Form(20, False), Form(40, True), Form(10, False), Form(20, True)),
    Purpose.MEP: (Form(20, False), Form(40, True), Form(32, True), Form(16, False)),
    Purpose.OMAK: (Form(24, True), Form(12, False)),
    Purpose.AES: (Form(32, True), Form(16, False)),
}
"""Accepted forms, the preferred reading first."""

_FORCED_ASCII: Final = frozenset({Purpose.OMAK, Purpose.AES})
_USED: Final = {Purpose.MEP: 16}
_HEX_SEPARATORS: Final = re.compile(r"[ :\-]")
_HEX: Final = re.compile(r"[0-9A-Fa-f]+")


@dataclass(frozen=True, slots=True)
class ReadKey:
    """A key and how it was read; `remark` tells the user what may be a misunderstanding."""

    secret: Secret
    form: Form
    remark: str = ""

    def __str__(self) -> str:
        read = f"read as {self.form}, {len(self.secret)} bytes used"
        return f"{read}; {self.remark}" if self.remark else read


def read_key(text: str, purpose: Purpose) -> ReadKey:
    """The key that `text` writes, for `purpose`; UsageError, which never shows it, otherwise."""
    written = text.rstrip("\r\n")
    forced, bare = _prefix(written)
    for form in _FORMS[purpose]:
        if forced is not None and forced != form.is_hex:
            continue
        if forced is None and not form.is_hex and purpose in _FORCED_ASCII:
            continue
        value = _value(bare, form)
        if value is not None:
            used = value[: _USED.get(purpose, len(value))]
            return ReadKey(Secret(used), form, _remark(bare, form, len(value) - len(used)))
    raise UsageError(_complaint(bare, purpose))


def _prefix(written: str) -> tuple[bool | None, str]:
    for prefix, is_hex in (("hex:", True), ("ascii:", False)):
        if written.lower().startswith(prefix):
            return is_hex, written[len(prefix) :]
    return None, written


def _value(bare: str, form: Form) -> bytes | None:
    if form.is_hex:
        digits = _HEX_SEPARATORS.sub("", bare).removeprefix("0x")
        if len(digits) == form.characters and _HEX.fullmatch(digits):
            return bytes.fromhex(digits)
    elif len(bare) == form.characters and bare.isascii() and bare.isprintable():
        return bare.encode("ascii")
    return None


def _remark(bare: str, form: Form, unused: int) -> str:
    remarks = []
    if unused:
        remarks.append(f"the last {unused} bytes do not count on MEP")
    if not form.is_hex and _HEX.fullmatch(bare):
        remarks.append("all of them are hex digits: write hex: in front if hex was meant")
    return "; ".join(remarks)


def _complaint(bare: str, purpose: Purpose) -> str:
    prefix = "ascii: and " if purpose in _FORCED_ASCII else ""
    forms = [f"{'' if form.is_hex else prefix}{form}" for form in _FORMS[purpose]]
    kind = "hex digits" if _HEX.fullmatch(_HEX_SEPARATORS.sub("", bare)) else "characters"
    count = len(_HEX_SEPARATORS.sub("", bare)) if kind == "hex digits" else len(bare)
    return f"an {purpose.value} is written as {' or '.join(forms)}; this is {count} {kind}"


def device_omak(master: Secret, device: bytes, generation: int = 1) -> Secret:
    """A device's own OMAK (12 bytes) from a utility master key (16 bytes).

    Source.PROJECT: OSGP_KDF with label `OSGP device OMAK v1` and context device ‖ generation (2
    bytes, big endian).  `device`: the 6-byte transceiver id, or any other unchanging identity.
    """
    return _derived(master, b"OSGP device OMAK v1", device, generation, OMAK_SIZE)


def device_psk(master: Secret, device: bytes, generation: int = 1) -> Secret:
    """A device's own long-term AES key (16 bytes) from a utility master key (16 bytes).

    Source.PROJECT: as `device_omak`, with the label `OSGP device PSK v1`.
    """
    return _derived(master, b"OSGP device PSK v1", device, generation, KEY_SIZE)


def _derived(master: Secret, label: bytes, device: bytes, generation: int, size: int) -> Secret:
    context = device + generation.to_bytes(2, "big")
    return Secret(osgp_kdf(key_bytes(master), label, context, size))
