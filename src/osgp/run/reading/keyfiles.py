"""Keys for a port: from a file or a prompt, never from the command line, where others see them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from getpass import getpass
from pathlib import Path

from osgp.errors import UsageError
from osgp.security.keys import Purpose, ReadKey, read_key
from osgp.security.keystore import read_key_file


def key_for(
    purpose: Purpose, file: Path | None, ask: Callable[[str], str] | None = None
) -> ReadKey:
    """The key for a port. `ask` is shown a prompt; None asks on the terminal, if there is one.

    Raises UsageError, which never shows the key.
    """
    if file is not None:
        return read_key_file(file, purpose)
    if ask is None:
        if not sys.stdin.isatty():
            raise UsageError(f"an {purpose.value} is needed: --key-file FILE")
        ask = getpass
    return read_key(ask(f"{purpose.value}: "), purpose)
