"""The `osgp` command: one function per command, one line per error, never a traceback.

Commands import what they need when they run: `osgp --help` stays quick, and an extra that is not
installed is missed only by the commands that use it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog
import typer

from osgp import __version__
from osgp.errors import OsgpError, UsageError
from osgp.export.printable import printable

from . import (
    audit,
    bridge,
    call,
    conformance,
    decode,
    dissect,
    dump,
    encode,
    events,
    export,
    keys,
    mbus,
    meter,
    profile,
    read,
    selfreads,
    tables,
    top,
    up,
    write,
)
from .inputs import LAYOUTS, layouts_from

OK, FAILED, USAGE = 0, 1, 2
INTERRUPTED = 130

app = typer.Typer(
    name="osgp",
    help="The Open Smart Grid Protocol: read, simulate and look into OSGP devices.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
COMMANDS = (
    up,
    read,
    top,
    profile,
    events,
    selfreads,
    mbus,
    bridge,
    dump,
    write,
    call,
    meter,
    export,
    tables,
    decode,
    encode,
    dissect,
    conformance,
    audit,
    keys,
)
"""Modules of commands, in the order of `osgp --help`; each has `register(app)`."""

for module in COMMANDS:
    module.register(app)


@app.callback(invoke_without_command=True)
def common(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
    layouts: list[Path] | None = LAYOUTS,
) -> None:
    context.with_resource(layouts_from(layouts))
    if version:
        typer.echo(f"osgp {__version__}")
        raise typer.Exit


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line; its exit code: 0 done, 1 refused or failed, 2 not understood."""
    configure_logging()
    try:
        result = app(args=arguments, prog_name="osgp", standalone_mode=False)
    except typer.TyperException as error:
        told = error.format_message()  # nothing where the help was shown instead
        return complain(told, "", USAGE) if told else USAGE
    except typer.Abort:
        return complain("interrupted", "", INTERRUPTED)
    except UsageError as error:
        return complain(str(error), error.hint, USAGE)
    except OsgpError as error:
        return complain(str(error), error.hint, FAILED)
    except ModuleNotFoundError as error:
        return complain(f"{error.name} is not installed", "pip install 'osgp[all]'", FAILED)
    except KeyboardInterrupt:
        return complain("interrupted", "", INTERRUPTED)
    except BrokenPipeError:
        return FAILED
    return result if isinstance(result, int) else OK


def complain(reason: str, hint: str, code: int) -> int:
    """One line on stderr."""
    line = printable(" ".join(reason.split()))
    print(f"osgp: {line} ({hint})" if hint else f"osgp: {line}", file=sys.stderr)  # noqa: T201  # rich would break the line
    return code


def configure_logging() -> None:
    """Warnings and worse to stderr, a line each, so that stdout carries results only."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        # Asked for at every line: a progress display puts its own stream in the place of stderr.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def main() -> None:
    sys.exit(run())


if __name__ == "__main__":
    main()
