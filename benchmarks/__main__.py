"""`python -m benchmarks [NAME ...]`: all benchmarks, or the named ones."""

from __future__ import annotations

import sys
from importlib import import_module

from rich.console import Console

from osgp.errors import UsageError

from .table import show

NAMES = ("records", "binding", "digests", "aes", "line", "ports", "topology", "neighbourhood")


def main(wanted: list[str]) -> int:
    unknown = set(wanted) - set(NAMES)
    if unknown:
        raise UsageError(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    console = Console()
    for name in wanted or NAMES:
        module = import_module(f"benchmarks.{name}")
        with console.status(name):
            rows = module.run()
        show(module.TITLE, rows, console)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
