"""The parts of docs/security.md that follow from declarations: message tables, state diagrams.

``python -m osgp.security.describe docs/security.md`` writes them between their markers; a test
fails when the page and the declarations differ.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from osgp.errors import PathError
from osgp.security import management, profile
from osgp.security.guard import EventKind
from osgp.security.handshake import INITIATOR, RESPONDER, InitiatorState, ResponderState
from osgp.security.machine import mermaid
from osgp.wire import NO_DIMS, Field, Record, bind

_BLOCK: Final = re.compile(r"(<!-- begin (\S+) -->\n).*?(<!-- end \2 -->)", re.DOTALL)


def message_table(message: type[Record]) -> str:
    """A Markdown table of a message: offset, size, field, meaning."""
    lines = [f"**{message.__name__}**: {_first_line(message)}", ""]
    lines += ["| offset | size | field | meaning |", "|---|---|---|---|"]
    lines += [
        f"| {offset} | {size} | `{field.name}` | {field.meaning} |"
        for offset, size, field in _places(message)
    ]
    return "\n".join(lines)


def _places(message: type[Record]) -> Iterator[tuple[str, str, Field]]:
    """Offset and size of each field; behind a list of n bytes they depend on n."""
    layout, end, behind = bind(message, NO_DIMS), 0, ""
    for field in message.wire_fields:
        try:
            span = layout.span(field.name)
            end = span.offset + span.size
            yield str(span.offset), str(span.size), field
        except PathError:
            size = str(profile.MAC_SIZE) if behind else "n"
            yield f"{end}{behind}", size, field
            behind = " + n"


def blocks() -> dict[str, str]:
    """Every generated part of the page by the name in its markers."""
    return {
        "handshake-messages": _tables(profile.MESSAGES),
        "management-messages": _tables((*management.COMMANDS.values(), *management.RESPONSES)),
        "initiator": _diagram(mermaid(INITIATOR, InitiatorState.IDLE)),
        "responder": _diagram(mermaid(RESPONDER, ResponderState.IDLE)),
        "suites": _suites(),
        "events": "\n".join(f"* `{kind.name}`: {kind.value}" for kind in EventKind),
    }


def rewritten(page: str) -> str:
    """The page with every generated part as the declarations have it now."""
    generated = blocks()
    return _BLOCK.sub(lambda match: f"{match[1]}{generated[match[2]]}\n{match[3]}", page)


def _tables(messages: tuple[type[Record], ...]) -> str:
    return "\n\n".join(message_table(message) for message in messages)


def _first_line(message: type[Record]) -> str:
    return (message.__doc__ or "").strip().splitlines()[0]


def _diagram(text: str) -> str:
    return f"```mermaid\n{text}\n```"


def _suites() -> str:
    lines = ["| number | name | tag | strength |", "|---|---|---|---|"]
    lines += [
        f"| {suite.number:02X} | {suite.name} | {suite.tag} bytes | {suite.strength} |"
        for suite in profile.SUITES.values()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(rewritten(target.read_text(encoding="utf-8")), encoding="utf-8")
