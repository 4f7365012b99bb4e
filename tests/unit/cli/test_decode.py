"""`osgp decode` and `osgp encode`."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Runner

CLOCK = "1A01050C1E0002"


def test_a_clock(osgp: Runner) -> None:
    result = osgp("decode", "BT52", CLOCK)
    assert result.code == 0
    rows = {line.split()[1]: line.split() for line in result.out.splitlines()[2:]}
    assert rows["clock_calendar"][2] == "2026-01-05T12:30:00"
    assert rows["day_of_week"][:4] == ["6.0-2", "day_of_week", "2", "Tuesday"]


@pytest.mark.parametrize("spelling", [["1A01 050c1e00", "02"], ["0x1a01050c1e0002"]])
def test_hex_in_any_spelling(osgp: Runner, spelling: list[str]) -> None:
    shown = osgp("decode", "52", *spelling, "--json").json
    assert shown["record"]["clock_calendar"] == "2026-01-05T12:30:00"
    assert shown["fields"][1] == {
        "path": "day_of_week",
        "offset": 6,
        "size": 1,
        "bits": [0, 2],
        "raw": 2,
        "value": 2,
        "unit": None,
        "name": None,
        "text": "Tuesday",
        "meaning": "day of the week",
    }


def test_images_in_files_and_pipes(osgp: Runner, tmp_path: Path) -> None:
    text, raw = tmp_path / "clock.hex", tmp_path / "clock.bin"
    text.write_text("1A01 050C\n1E0002\n", encoding="ascii")
    raw.write_bytes(bytes.fromhex(CLOCK))
    wanted = osgp("decode", "BT52", CLOCK).out
    assert osgp("decode", "BT52", f"@{text}").out == wanted
    assert osgp("decode", "BT52", f"@{raw}").out == wanted
    assert osgp("decode", "BT52", "-", stdin=CLOCK).out == wanted
    assert osgp("decode", "BT52", "@/no/such/file").code == 2
    assert osgp("decode", "BT52", "-").code == 2


def test_registers_with_their_dimensions(osgp: Runner) -> None:
    """BT21: two summations, one tier; the values are those of BT22's default order."""
    sizes, image = "00000002000000010000", "e8030000d007000001000000ffffffff"
    for arguments in (["--dims", f"BT21={sizes}"], [f"BT21={sizes}"], ["--dims", f"bt21={sizes}"]):
        result = osgp("decode", "BT23", image, *arguments)
        assert result.code == 0, result.err
        assert "1000 Wh  Fwd Active Wh L1L2L3" in result.out
        assert "T0 Rev Active Wh L1L2L3" in result.out
    lacking = osgp("decode", "BT23", image)
    assert (lacking.code, "--dims BT21=HEX" in lacking.err) == (2, True)


def test_only_one_field(osgp: Runner) -> None:
    for name in ("day_of_week", "BT52.6.0", "6.2", "BT52.day_of_week"):
        rows = osgp("decode", "BT52", CLOCK, "--field", name, "--json").json["fields"]
        assert [row["path"] for row in rows] == ["day_of_week"]
    assert len(osgp("decode", "BT52", CLOCK, "--field", "6", "--json").json["fields"]) > 3
    assert osgp("decode", "BT52", CLOCK, "--field", "none").code == 1


def test_the_response_of_a_procedure(osgp: Runner) -> None:
    image = "1A01050C1E001A01050C1E3B"
    shown = osgp("decode", "BP10", image, "--response", "--json").json
    assert shown["record"]["after"] == "2026-01-05T12:30:59"
    assert osgp("decode", "BP04", "00", "--response").code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["BT52", "1A01"], 1, "BT52.clock_calendar.day at offset 2: the image ends"),
        (["BT52", f"{CLOCK}00"], 1, "BT52 at offset 7: 1 bytes too many"),
        (["BT52", "1A0"], 2, "odd number of hex digits"),
        (["BT52", "hello"], 2, "is no hex"),
        (["BT99", "00"], 2, "no table BT99"),
        (["BT52"], 2, "HEX"),
        (["BT52", CLOCK, "--dims", "BT23=00"], 2, "BT23 depends on BT21"),
        (["BT52", CLOCK, "--dims", "BT21=00"], 1, "BT21"),
    ],
)
def test_what_does_not_fit(osgp: Runner, arguments: list[str], code: int, reason: str) -> None:
    result = osgp("decode", *arguments)
    assert (result.code, result.out) == (code, "")
    assert reason in result.err
    assert result.err.count("\n") == 1


def test_an_image_from_values(osgp: Runner) -> None:
    result = osgp("encode", "BT52", "clock_calendar=2026-01-05T12:30:00", "day_of_week=Tuesday")
    assert (result.code, result.out) == (0, "1a01050c1e0002\n")
    assert osgp("encode", "BT52", "BT52.6.0=2").out == "00000000000002\n"
    assert osgp("encode", "EP16", "delta=-10").out == "f6ffffff\n"
    assert osgp("encode", "EP16", "delta=2 min").out == "78000000\n"
    assert osgp("encode", "BT21", "number_of_tiers=4", "--json").json == {
        "name": "BT21",
        "size": 10,
        "hex": "00000000000000040000",
    }


def test_decoded_json_encodes_to_the_same_bytes(osgp: Runner) -> None:
    decoded = osgp("decode", "BT52", CLOCK, "--json").out
    assert osgp("encode", "BT52", stdin=decoded).out == f"{CLOCK.lower()}\n"
    changed = osgp("encode", "BT52", "-", "day_of_week=0", stdin=decoded)
    assert changed.out == f"{CLOCK.lower()[:-2]}00\n"
    assert osgp("encode", "BT52", stdin='{"day_of_week": 3}').out == "00000000000003\n"
    assert osgp("encode", "BT52", stdin="").out == "00000000000000\n"


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "reason"),
    [
        (["BT52", "nonsense=1"], "", 1, "no field nonsense"),
        (["BT52", "day_of_week=9"], "", 1, "0..7 (offset 6)"),
        (["BT52", "day_of_week=Someday"], "", 1, "no value of it (offset 6)"),
        (["BT52", "day_of_week"], "", 2, "is not FIELD=VALUE"),
        (["BT52"], "{", 2, "no JSON"),
        (["BT52"], "[1]", 1, "an object is needed"),
        (["BT52"], '{"day": 1}', 1, "no such field"),
        (["BT23", "x=1"], "", 2, "depends on BT21"),
    ],
)
def test_values_that_do_not_fit(
    osgp: Runner, arguments: list[str], stdin: str, code: int, reason: str
) -> None:
    result = osgp("encode", *arguments, stdin=stdin)
    assert (result.code, result.out) == (code, "")
    assert reason in result.err


def test_a_call_of_a_procedure_as_the_guide_prints_it(osgp: Runner) -> None:
    """MEP guide: EP17 with action 0 and handle 03F8, sequence number 7."""
    image = "11080700f803"
    names = ["procedure_number=17", "extended=yes", "sequence_number=7", "parameters=00f803"]
    assert osgp("encode", "BT07", *names).out == f"{image}\n"
    assert osgp("decode", "EP17", "00f803", "--json").json["record"] == {
        "action": 0,
        "device_handle": 0x03F8,
    }


def test_the_messages_of_a_transaction(osgp: Runner, tmp_path: Path) -> None:
    """MEP guide: a transaction with one partial read of BT23."""
    sizes = osgp("encode", "ET11", "transaction_request_length=24").out.strip()
    image = f"{ONE_READ}{'00' * (24 - len(ONE_READ) // 2)}"
    shown = osgp("decode", "ET52", image, f"ET11={sizes}", "--json").json
    (message,) = shown["messages"]
    assert message["name"] == "message 1: partial table read"
    fields = {item["name"]: item for item in message["fields"]}
    assert (fields["table"]["text"], fields["count"]["value"]) == ("BT23", 44)
    assert image[2 * fields["count"]["offset"] :].startswith("002c")
    assert "message 1: partial table read" in osgp("decode", "ET52", image, f"ET11={sizes}").out
    broken = osgp("decode", "ET52", "ff" * 24, f"ET11={sizes}", "--json").json
    assert "messages" not in broken


ONE_READ = "1100000200" + "0800" + "3f0017000000002c" + "0200"


def test_long_fields_are_cut_for_people(osgp: Runner) -> None:
    result = osgp("decode", "ET52", "00" * 900, f"ET11={osgp_sizes(osgp, 900)}")
    assert "(895 bytes)" in result.out
    assert max(map(len, result.out.splitlines())) <= 180


def osgp_sizes(osgp: Runner, length: int) -> str:
    return osgp("encode", "ET11", f"transaction_request_length={length}").out.strip()


READ = "0000000000000000000000000000000008000000030000000000000000000000000000000000000006000000"
"""What the MEP guide reads of BT23 (p. 16): 44 bytes of a longer table."""


def test_a_partial_read_of_the_guide(osgp: Runner) -> None:
    sizes = "0000000f000000040000"
    shown = osgp("decode", "BT23", READ, "--offset", "0", f"BT21={sizes}", "--json").json
    assert (shown["offset"], shown["count"]) == (0, 44)
    assert [row["value"] for row in shown["fields"]] == [0, 0, 0, 0, 8, 3, 0, 0, 0, 0, 6]
    assert (shown["fields"][4]["name"], shown["fields"][4]["unit"]) == ("Power Off Seconds", "s")
    rest = osgp("decode", "BT23", "000006", "--offset", "39", f"BT21={sizes}", "--json").json
    assert rest["fields"] == []
    assert osgp("decode", "BT23", READ, "--offset", "300", f"BT21={sizes}").err.strip() == (
        "osgp: BT23 has 300 bytes, these end at 344"
    )
    assert osgp("decode", "ET36", "07", "--offset", "0").code == 2


def test_a_transaction_of_the_guide_without_what_follows(osgp: Runner) -> None:
    """MEP guide: one read of BT23 in ET52, 17 bytes of the table's 896."""
    image, sizes = "1100000200 0800 3f0017000000002c 0200", "00" * 7 + "8003" + "00" * 30
    result = osgp("decode", "ET52", image, "--offset", "0", f"ET11={sizes}")
    assert result.code == 0, result.err
    assert "message 1: partial table read" in result.out


def test_a_record_comes_from_a_file(osgp: Runner, tmp_path: Path) -> None:
    file = tmp_path / "clock.json"
    file.write_text(osgp("decode", "BT52", CLOCK, "--json").out, encoding="utf-8")
    assert osgp("encode", "BT52", f"@{file}").out.strip() == CLOCK.lower()
    assert osgp("encode", "BT52", f"@{file}", "day_of_week=3").out.strip().endswith("03")
    file.write_text("{", encoding="utf-8")
    for wrong in ([f"@{file}"], ["@/no/such/file"], [f"@{file}", f"@{file}"]):
        assert osgp("encode", "BT52", *wrong).code == 2


def test_a_number_that_does_not_fit_is_told_with_its_range(osgp: Runner) -> None:
    assert osgp("encode", "BT21", "number_of_tiers=300").err.strip() == (
        "osgp: BT21.number_of_tiers: 300: outside 0..255 (offset 7)"
    )
    assert "outside -32768..32767" in osgp("encode", "ET04", "dst_off_time_delta=40000").err
