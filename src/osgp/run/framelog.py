"""`--log FILE`: every frame on a port, in hex and in words.

    12:00:01.204 optical > EE 00 20 00 00 01 20 13 10   identify
    12:00:01.211 optical < 06                           ACK

What came of whole reads is noted in lines with `-` (`osgp.run.reading.said`): also what TLS hides.
Passwords never reach the file: the frame that carries one is written with `··` in its place, in
both directions, for an optical head may reflect it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final, TextIO

from osgp.errors import DecodeError, UsageError
from osgp.ports.mep.frame import FrameParser, Mark
from osgp.ports.optical.packet import HEADER, MAX_DATA, TRAILER, Packet, PacketParser, Signal
from osgp.ports.optical.psem import PASSWORD_SIZE, Service
from osgp.spec import table_name
from osgp.spec.services import REQUESTS, Command, ResponseCode

ARROWS: Final = {"in": "<", "out": ">"}
HIDDEN: Final = "··"
_TABLE_COMMANDS: Final = {
    Command.FULL_READ: "read",
    Command.PARTIAL_READ: "read",
    Command.FULL_WRITE: "write",
    Command.PARTIAL_WRITE: "write",
}

Line = tuple[str, str]
"""Hex digits and words of one frame."""


class FrameLog:
    """A log of one port; `port` ('optical', 'mep') says how its frames are found."""

    def __init__(self, path: Path, port: str) -> None:
        try:
            self._file: TextIO = path.open("a", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None
        self._port = port
        make = OpticalFrames if port.startswith("optical") else MepFrames
        self._frames = {direction: make() for direction in ARROWS}

    def tap(self, direction: str, data: bytes, now: float) -> None:
        """Takes what a driver sees on the line."""
        for digits, words in self._frames[direction].feed(data):
            self._write(direction, digits, words)

    def note(self, words: str) -> None:
        """A line of its own."""
        self._write("", "", words)

    def close(self) -> None:
        for direction, frames in self._frames.items():
            for digits, words in frames.flush():
                self._write(direction, digits, words)
        self._file.close()

    def _write(self, direction: str, digits: str, words: str) -> None:
        moment = datetime.now().astimezone().strftime("%H:%M:%S.%f")[:-3]
        arrow = ARROWS.get(direction, "-")
        self._file.write(f"{moment} {self._port} {arrow} {digits:<48}  {words}\n")
        self._file.flush()


class OpticalFrames:
    """Finds packets, signals and noise in one direction of an optical port."""

    def __init__(self) -> None:
        self._parser = PacketParser(MAX_DATA)
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[Line]:
        lines: list[Line] = []
        for value in data:
            items = self._parser.feed(bytes((value,)))
            if items or not self._parser.inside:
                lines += self.flush(items[0] if items else None, bytes((value,)))
            else:
                self._bytes.append(value)
        return lines

    def flush(self, item: object = None, last: bytes = b"") -> list[Line]:
        """What is held back; `item` is what it came to."""
        taken = bytes(self._bytes) + last
        self._bytes.clear()
        self._parser.listen()
        if not taken:
            return []
        return [(_digits(taken, _password(taken)), _optical_words(item))]


class MepFrames:
    """Finds messages in one direction of a MEP port."""

    def __init__(self) -> None:
        self._parser = FrameParser()
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[Line]:
        lines: list[Line] = []
        for value in data:
            self._bytes.append(value)
            for item in self._parser.feed(bytes((value,))):
                lines += self.flush(item)
        return lines

    def flush(self, item: bytes | Mark | None = None) -> list[Line]:
        taken = bytes(self._bytes)
        self._bytes.clear()
        self._parser.listen()
        return [(_digits(taken, None), _mep_words(item))] if taken else []


def _digits(data: bytes, hidden: slice | None) -> str:
    cells = [f"{value:02X}" for value in data]
    if hidden is not None:
        cells[hidden] = [HIDDEN] * len(cells[hidden])
    return " ".join(cells)


def _password(data: bytes) -> slice | None:
    """Where a (possibly damaged) packet carries a password, with the CRC that depends on it."""
    if len(data) > HEADER and data[HEADER] == Service.SECURITY:
        return slice(HEADER + 1, HEADER + 1 + PASSWORD_SIZE + TRAILER)
    return None


def _optical_words(item: object) -> str:
    match item:
        case Packet():
            place = f" [{item.sequence} to go]" if item.multiple else ""
            toggle = " toggle" if item.toggle else ""
            said = "" if item.multiple and not item.first else words_of(item.data)
            return f"{said}{place}{toggle}".strip()
        case Signal():
            return item.name
        case None:
            return "noise"
    return str(getattr(item, "reason", item))


def _mep_words(item: bytes | Mark | None) -> str:
    if isinstance(item, Mark):
        return item.value
    return "incomplete" if item is None else words_of(item)


def words_of(message: bytes) -> str:
    """A request or response in words, as far as its first bytes tell."""
    if not message:
        return "empty"
    code = message[0]
    service = _SERVICES.get(code)
    if service is not None:
        return service(message)
    if code in _CODES:
        return f"{ResponseCode(code).name.lower().replace('_', ' ')}, {len(message) - 1} bytes"
    return f"code {code:02X}, {len(message) - 1} bytes"


def _table_words(message: bytes) -> str:
    verb = _TABLE_COMMANDS[Command(message[0])]
    try:
        record, _ = REQUESTS[message[0]].decode_from(message)
    except DecodeError:
        return verb
    name = table_name(record.table)  # type: ignore[attr-defined]  # checked by its kind
    offset = getattr(record, "offset", None)
    count = getattr(record, "count", None)
    at = "" if offset is None else f" at {offset}"
    size = "" if count is None else f", {count} bytes"
    return f"{verb} {name}{at}{size}"


def _named(words: str) -> Callable[[bytes], str]:
    return lambda message: words


_CODES: Final = frozenset(ResponseCode)
_TLS: Final = {
    0x57: "TLS ends",
    0x58: "TLS handshake begins",
    0x59: "TLS handshake",
    0x80: "TLS data",
}
"""Messages of the MEP port that carry TLS (MEP guide, 'TLS')."""
_SERVICES: Final[dict[int, Callable[[bytes], str]]] = {
    **{int(service): _named(service.name.lower()) for service in Service},
    **{Service.NEGOTIATE + n: _named(f"negotiate, {n} speeds") for n in range(1, 12)},
    **dict.fromkeys(map(int, _TABLE_COMMANDS), _table_words),
    **{code: _named(words) for code, words in _TLS.items()},
}
