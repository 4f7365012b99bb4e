#!/usr/bin/env python3
"""Holds the master key of an osgp key store in a PKCS#11 token; the key never leaves it.

Use: osgp keys init --master-program "python3 pkcs11_holder.py"

Needs OpenSC's pkcs11-tool, an AES-256 key in the token that encrypts and decrypts::

    pkcs11-tool --module $PKCS11_MODULE --login --keygen --key-type AES:32 --label osgp --id 01

and four variables: PKCS11_MODULE (the token's library), PKCS11_TOKEN (its label), PKCS11_KEY (the
key's id, 01), PKCS11_PIN. Wrapped: initial value 16 ‖ AES-CBC-PAD(data key 32 ‖ its SHA-256).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import subprocess
import sys

BLOCK = 16
SIZE = 32


def token(verb: str, start: bytes, text: bytes) -> bytes:
    """One operation with the token's key; the PIN goes by the environment."""
    where = ("--module", os.environ["PKCS11_MODULE"], "--token-label", os.environ["PKCS11_TOKEN"])
    key = ("--id", os.environ["PKCS11_KEY"], "--mechanism", "AES-CBC-PAD", "--iv", start.hex())
    command = ("pkcs11-tool", *where, "--login", "--pin", "env:PKCS11_PIN", verb, *key)
    done = subprocess.run(  # noqa: S603  # its words are the owner's settings, without a shell
        command, input=text, capture_output=True, check=True
    )
    return done.stdout


def wrap(data_key: bytes) -> bytes:
    start = os.urandom(BLOCK)
    return start + token("--encrypt", start, data_key + hashlib.sha256(data_key).digest())


def unwrap(wrapped: bytes) -> bytes:
    text = token("--decrypt", wrapped[:BLOCK], wrapped[BLOCK:])
    data_key, check = text[:SIZE], text[SIZE:]
    if not hmac.compare_digest(hashlib.sha256(data_key).digest(), check):
        raise ValueError("altered")
    return data_key


def main() -> int:
    work = {"wrap": wrap, "unwrap": unwrap}.get(sys.argv[-1])
    if work is None:
        return 2
    try:
        answer = work(base64.b64decode(sys.stdin.readline()))
    except (KeyError, ValueError, OSError, subprocess.CalledProcessError):
        return 1
    print(base64.b64encode(answer).decode("ascii"))  # noqa: T201  # the answer
    return 0


if __name__ == "__main__":
    sys.exit(main())
