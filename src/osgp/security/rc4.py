"""RC4, the stream cipher of the legacy suite.  Broken; kept for meters that know nothing else."""

from __future__ import annotations

from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher


def rc4(key: bytes, data: bytes, skip: int = 0) -> bytes:
    """`data` exclusive-or'ed with the key stream of a 16-byte `key`, from stream byte `skip` on."""
    stream = Cipher(ARC4(key), mode=None).encryptor()
    stream.update(bytes(skip))
    return stream.update(data)
