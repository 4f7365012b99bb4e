"""Command lines run in this process."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import msgspec
import pytest

from osgp.cli.main import run


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.out)


class Runner:
    """Runs `osgp` with arguments and, perhaps, something on standard input."""

    def __init__(self, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self._capsys, self._patch = capsys, patch

    def __call__(self, *arguments: str, stdin: str = "") -> Result:
        self._patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = run(arguments)
        out, err = self._capsys.readouterr()
        return Result(code, out, err)


@pytest.fixture
def osgp(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(capsys, monkeypatch)
