"""`osgp up --capture FILE`: every frame on the simulated line, as a capture for Wireshark.

Each frame is written when it ends, as it was sent, with its sender's name as a comment; what
became of it at its receivers is not in the file. Times are those of the simulation.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from osgp.channel import Station
from osgp.errors import UsageError
from osgp.export.pcapng import Frame, Writer


class Capture:
    """A capture file, written anew; closed by `with`. Raises UsageError where it cannot be."""

    def __init__(self, path: Path) -> None:
        self._path, self._writer = path, Writer()
        try:
            self._file: BinaryIO = path.open("wb")
        except OSError as error:
            raise self._unwritable(error) from None
        self._write(self._writer.header())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def tap(self, time: float, frame: bytes, station: Station) -> None:
        """Takes a frame from the medium."""
        self._write(self._writer.frame(Frame(time, frame, station.name)))

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> UsageError:
        return UsageError(f"{self._path}: the capture cannot be written: {error.strerror}")
