"""Procedures whose parameters depend on each other, and offsets that the MEP guide prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from osgp.errors import EncodeError
from osgp.spec import procedures
from osgp.spec.procedures.energy import ConfigureLoadProfile
from osgp.spec.procedures.mep import PostOnDemandRequest
from osgp.wire import Dims, bind

GUIDE: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "guides" / "procedures.json").read_text()
)
HEADER = 3
"""Bytes of BT07 before the parameters."""

AES = Dims({"ET04": {"security_mode": 2}})


@pytest.mark.parametrize("name", ["EP17", "EP61"])
def test_parameters_are_where_the_guide_says(name: str) -> None:
    rows = next(p for p in GUIDE["procedures"] if p["procedure"] == name)["request"]
    layout = procedures[name].bind()
    spans = [layout.span(field.name) for field in procedures[name].wire_fields]
    assert [span.offset + HEADER for span in spans] == [row["offset_number"] for row in rows]
    assert [f"UINT{8 * span.size}" for span in spans] == [row["type"] for row in rows]


def request(**values: Any) -> PostOnDemandRequest:
    return PostOnDemandRequest.make(transaction_number=0x400, device=1, **values)


def test_an_on_demand_write_has_data_at_8() -> None:
    layout = procedures["EP19"].bind(AES)
    image = layout.encode(request(request_type=4, write_data_length=2, write_data=b"\xab\xcd"))
    assert image[8 - HEADER :] == b"\x02\xab\xcd"
    assert layout.encode(layout.decode(image)) == image


def test_a_switchover_is_signed_where_the_suite_is_aes() -> None:
    mac = bytes(range(16))
    layout = procedures["EP19"].bind(AES)
    image = layout.encode(request(request_type=9, image_length=1000, image_mac=mac))
    assert image[8 - HEADER : 12 - HEADER] == (1000).to_bytes(4, "little")
    assert image[12 - HEADER :] == mac
    plain = procedures["EP19"].bind(Dims({"ET04": {"security_mode": 0}}))
    assert len(plain.encode(request(request_type=9))) == 8 - HEADER
    with pytest.raises(EncodeError, match="image_length"):
        plain.encode(request(request_type=9, image_length=1, image_mac=mac))


def test_its_answer_and_results() -> None:
    info = procedures["EP19"].info
    assert info.response is not None
    answer: Any = bind(info.response, Dims()).decode(b"\x03")
    assert answer.entry_index == 3
    rows = next(p for p in GUIDE["procedures"] if p["procedure"] == "EP19")
    assert {int(code) for code in rows["results"]} == set(info.results)


def test_setting_the_clock_answers_with_both_clocks() -> None:
    """12 bytes, the response data length that the guides print in BT00.10."""
    response = procedures["BP10"].info.response
    assert response is not None
    assert bind(response, Dims()).size == 12
    assert procedures["BP10"].bind().size == 8


def test_a_data_set_with_channels() -> None:
    layout = procedures["EP11"].bind()
    values = dict.fromkeys((f.name for f in ConfigureLoadProfile.wire_fields), 0)
    made = ConfigureLoadProfile(
        **values | {"number_of_channels": 2, "extended_sources": (0, 0x4001)}
    )
    image = layout.encode(made)
    assert image.endswith(b"\x02\x00\x00\x01\x40")
    assert layout.decode(image) == made
