"""Keys from files and prompts, the log of frames, places, and served ports."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osgp.errors import TransportError, UsageError
from osgp.meter import SetUp
from osgp.meter.dims import dimensions
from osgp.ports.mep.frame import frame
from osgp.ports.optical.packet import Packet
from osgp.run.framelog import FrameLog, MepFrames, OpticalFrames, words_of
from osgp.run.lines import endpoint
from osgp.run.reading.device import Access, open_device
from osgp.run.reading.keyfiles import key_for
from osgp.run.reading.said import fields_of
from osgp.run.reading.survey import survey
from osgp.run.serve import ServeOptions, open_serving
from osgp.run.serving.profiles import built_in, load_profile, write_keys
from osgp.security.keys import Purpose
from osgp.wire import Dims

from .bench import RK, profile, run, served, virtual

PASSWORD = bytes((0x51,)) + RK.encode()


def test_keys_come_from_files(tmp_path: Path) -> None:
    file = tmp_path / "rk.txt"
    file.write_text(RK + "\n")
    assert key_for(Purpose.OPTICAL, file).secret.reveal() == RK.encode()


def test_keys_come_from_a_prompt() -> None:
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return RK

    assert key_for(Purpose.OPTICAL, None, answer).secret.reveal() == RK.encode()
    assert "RK" in asked[0]


def test_no_key_and_nobody_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open() as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        with pytest.raises(UsageError, match="--key-file"):
            key_for(Purpose.OPTICAL, None)


@given(st.lists(st.integers(1, 7), min_size=1, max_size=40))
def test_passwords_are_hidden_however_they_arrive(sizes: list[int]) -> None:
    frames, data, lines = OpticalFrames(), Packet(PASSWORD).encode(), []
    for size in sizes:
        lines += frames.feed(data[:size])
        data = data[size:]
    lines += frames.feed(data) + frames.flush()
    assert RK.encode().hex(" ")[:12].upper() not in " ".join(digits for digits, _ in lines)
    assert sum(digits.count("··") for digits, _ in lines) >= 20


@pytest.mark.parametrize("cut", range(1, 27))
def test_a_password_cut_off_is_hidden_too(cut: int) -> None:
    frames = OpticalFrames()
    lines = frames.feed(Packet(PASSWORD).encode()[:cut]) + frames.flush()
    shown = bytes.fromhex("".join(d for d, _ in lines).replace("·", "").replace(" ", ""))
    assert RK[:2].encode() not in shown


@given(st.binary(max_size=200))
def test_anything_on_the_line_is_logged_byte_for_byte(data: bytes) -> None:
    for frames in (OpticalFrames(), MepFrames()):
        lines = frames.feed(data) + frames.flush()
        digits = " ".join(digits for digits, _ in lines).split()
        if "··" not in digits:
            assert bytes.fromhex("".join(digits)) == data


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("20", "identify"),
        ("3F 0017 000004 0008", "read BT23 at 4, 8 bytes"),
        ("30 0801", "read ET01"),
        ("40 0007 0003 AABBCC", "write BT07, 3 bytes"),
        ("3F 00", "read"),
        ("03", "insufficient security clearance, 0 bytes"),
        ("FE 01", "code FE, 1 bytes"),
        ("58 16", "TLS handshake begins"),
        ("80 17", "TLS data"),
        ("57 00", "TLS ends"),
        ("", "empty"),
    ],
)
def test_words(message: str, words: str) -> None:
    assert words_of(bytes.fromhex(message)) == words


def test_a_log_of_a_whole_session(tmp_path: Path) -> None:
    file = tmp_path / "frames.log"

    async def work() -> None:
        async with served(virtual(1.0)) as bench, open_device(bench.access(log=file)) as device:
            await device.run(survey)

    run(work)
    text = file.read_text()
    assert "> " in text
    assert "< " in text
    assert "BT52 at 0, 7 bytes: clock_calendar = 2026-06-10T12:07" in text
    assert " V, " in next(line for line in text.splitlines() if "BT28 at 0, 164 bytes: " in line)
    for words in ("identify", "logon", "security", "read BT23", "terminate", "ACK"):
        assert words in text
    assert RK.encode().hex(" ").upper() not in text


@given(
    st.integers(0, 400),
    st.binary(max_size=400),
    st.sampled_from(["BT01", "BT06", "BT23", "BT52", "ET14"]),
)
def test_whatever_came_is_said(offset: int, data: bytes, name: str) -> None:
    dims = dimensions(SetUp(m_bus=True))
    said = fields_of(name, offset, data, dims)
    assert said.startswith(f"{name} at {offset}, {len(data)} bytes")
    assert said.isprintable()
    assert fields_of(name, offset, data, Dims())


def test_a_part_is_said_without_the_rest() -> None:
    said = fields_of("BT53", 4, (60).to_bytes(2, "little"), Dims())
    assert said == "BT53 at 4, 2 bytes: time_zone_offset = 3600 s"


def test_mep_frames_are_found() -> None:
    (line,) = MepFrames().feed(frame(bytes.fromhex("30 0001")))
    assert line == ("00 03 30 00 01", "read BT01")


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        FrameLog(tmp_path / "nowhere" / "log", "optical")


@pytest.mark.parametrize("text", ["tcp://", "tcp://host", "tcp://host:x", "tcp://h:1/a", "pyt"])
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(UsageError):
        endpoint(text)


def test_the_example_profile_has_everything() -> None:
    example = Path(__file__).parents[3] / "docs" / "examples" / "meter.toml"
    found = load_profile(str(example))
    assert found.keys["RK"].reveal() == b"read-only key, mine!"
    assert [unit.medium for unit in found.meter.m_bus] == ["water", "heat"]
    assert found.meter.set_up.m_bus
    assert found.meter.m_bus[0].before == 35


def test_built_in_profiles_load() -> None:
    assert {"demo", "flat"} <= set(built_in())
    for name in built_in():
        assert load_profile(name).keys.keys() >= {"RK", "MK", "MBK", "MAK"}


@pytest.mark.parametrize(
    "text",
    [
        "[meter]\nphases = 2",
        "[[m_bus]]\nmedium = 'steam'",
        "[[m_bus]]\nserial = '12'",
        "[[m_bus]]\nstatus = 'tired'",
        "[[m_bus]]\n" * 5,
        "[meter]\nfirmware = 'new'",
        "[meter]\nnonsense = 1",
        "[keys]\nXX = 'a'",
        "[keys]\nRK = 'short'",
        "[[load_profile]]\ninterval = 7",
        "not toml",
    ],
)
def test_profiles_that_make_no_sense(tmp_path: Path, text: str) -> None:
    file = tmp_path / "profile.toml"
    file.write_text(text)
    with pytest.raises(UsageError):
        load_profile(str(file))


def test_key_files_open_the_meter(tmp_path: Path) -> None:
    written = {path.stem: path for path in write_keys(profile(), tmp_path / "keys")}
    assert written["rk"].stat().st_mode & 0o077 == 0
    assert key_for(Purpose.OPTICAL, written["rk"]).secret.reveal() == RK.encode()


def test_every_port_serves_the_same_meter(tmp_path: Path) -> None:
    async def work() -> None:
        meter = profile(1.0)
        options = ServeOptions(
            optical="pty", mep="tcp://127.0.0.1:0", udp="127.0.0.1:0", memory=tmp_path / "m.sqlite"
        )
        serving = await open_serving(meter, options)
        try:
            keys = {path.stem: path for path in write_keys(meter, tmp_path)}
            optical = Access(
                optical=serving.addresses["optical"], key=key_for(Purpose.OPTICAL, keys["rk"])
            )
            mep = Access(mep=serving.addresses["mep"], key=key_for(Purpose.MEP, keys["mbk"]))
            found = []
            for access in (optical, mep):
                async with open_device(access) as device:
                    found.append(await device.run(survey))
            assert found[0].meter == found[1].meter
            assert serving.addresses["udp"].startswith("127.0.0.1:")
        finally:
            await serving.close()

    run(work)


@pytest.mark.parametrize(
    "place", ["tcp://0.0.0.0:0", "tcp://192.0.2.1:4059", "tcp://example.org:1"]
)
def test_only_loopback_is_served_unasked(place: str) -> None:
    async def work() -> None:
        with pytest.raises(UsageError, match="--expose"):
            await open_serving(profile(1.0), ServeOptions(optical=place))

    run(work)


def test_a_port_in_use() -> None:
    async def work() -> None:
        async with served(virtual(1.0)) as bench:
            with pytest.raises(TransportError, match="listen"):
                await open_serving(profile(1.0), ServeOptions(optical=bench.place))

    run(work)


def test_a_second_client_is_turned_away() -> None:
    async def work() -> None:
        async with served(virtual(1.0)) as bench, bench.device() as device:
            with pytest.raises(TransportError):
                async with open_device(bench.access()):
                    raise AssertionError("two clients on one port")
            assert (await device.run(survey)).meter.serial

    run(work)
