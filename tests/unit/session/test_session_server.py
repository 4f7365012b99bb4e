"""What a request used up is in memory before the request is executed."""

from __future__ import annotations

from osgp.security.omak import PlcScope
from osgp.security.suite import OmaClient, OmaServer
from osgp.session.server import TableServer
from osgp.spec.services import REQUESTS, Command, FullWriteRequest

KEY, SCOPE = bytes(range(12)), PlcScope(1, 5)
WRITE = b"\0" + REQUESTS[Command.FULL_WRITE].encode(
    FullWriteRequest(Command.FULL_WRITE, 5, 3, b"abc")
)


class Diary:
    """A device's tables and memory that note what happens, in order."""

    def __init__(self) -> None:
        self.security = OmaServer(KEY, SCOPE)
        self.memory = self.security.export_state()
        self.notes: list[str] = []
        self.server = TableServer(self.security, self, keep=self.keep)

    def keep(self) -> None:
        self.memory = self.security.export_state()
        self.notes.append("kept")

    def read(self, table: int, offset: int, count: int | None, key: str, now: float) -> bytes:
        return b""

    def write(self, table: int, offset: int | None, data: bytes, key: str, now: float) -> None:
        self.notes.append("written")


def test_numbers_are_kept_before_the_effect() -> None:
    diary, client = Diary(), OmaClient(KEY, SCOPE)
    for _ in range(200):
        assert diary.server.receive(client.seal_request(WRITE), 0.0) is not None
    assert diary.notes.count("written") == 200
    kept = [at for at, note in enumerate(diary.notes) if note == "kept"]
    assert 2 <= len(kept) < 20
    assert all(diary.notes[at + 1] == "written" for at in kept)


def test_whenever_the_power_fails_nothing_is_executed_twice() -> None:
    for lives in range(1, 150):
        diary, client = Diary(), OmaClient(KEY, SCOPE)
        sealed = [client.seal_request(WRITE) for _ in range(lives)]
        for message in sealed:
            diary.server.receive(message, 0.0)
        restarted = Diary()
        restarted.security = OmaServer(KEY, SCOPE, restore=diary.memory)
        restarted.server = TableServer(restarted.security, restarted)
        for message in sealed:
            restarted.server.receive(message, 1.0)
        assert restarted.notes == []


def test_what_is_refused_changes_no_memory() -> None:
    diary = Diary()
    assert diary.server.receive(bytes(20), 0.0) == b"\0\x0b"
    assert diary.notes == []
