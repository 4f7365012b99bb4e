"""Errors mirror the protocol: one class for each code, one line each, and no code forgotten."""

from __future__ import annotations

import pytest

from osgp import errors
from osgp.errors import DecodeError, OsgpError, ProcedureError, ServiceError
from osgp.spec.codes import PROCEDURE_RESULTS
from osgp.spec.services import ResponseCode

TREE = [
    found
    for found in vars(errors).values()
    if isinstance(found, type) and issubclass(found, OsgpError)
]


@pytest.mark.parametrize("code", [code for code in ResponseCode if code is not ResponseCode.OK])
def test_every_response_code_has_a_class_of_its_own(code: ResponseCode) -> None:
    error = ServiceError.from_code(code, "BT23")
    assert type(error) is not ServiceError
    assert (error.code, error.response_code) == (code, code)
    assert str(error) == f"response {code:02X}: {error.meaning} (BT23)"


def test_every_procedure_result_has_a_class_of_its_own() -> None:
    for result in PROCEDURE_RESULTS:
        if result:
            assert type(ProcedureError.from_result(result)).result == result


@pytest.mark.parametrize("number", [0x0D, 0x77, 0xFF])
def test_unknown_codes_keep_their_number(number: int) -> None:
    assert ServiceError.from_code(number).response_code == number
    assert ProcedureError.from_result(number, "EP16").result_code == number
    assert str(number) in str(ProcedureError.from_result(number))


def test_no_two_classes_share_a_code() -> None:
    for base, name in ((ServiceError, "code"), (ProcedureError, "result")):
        codes = [getattr(found, name) for found in TREE if issubclass(found, base)]
        assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ({}, "short"),
        ({"table": "BT23"}, "BT23: short"),
        ({"table": "BT23", "field": "values[2]", "offset": 7}, "BT23.values[2] at offset 7: short"),
        ({"offset": 0}, "at offset 0: short"),
    ],
)
def test_decode_errors_say_where(where: dict[str, str | int], text: str) -> None:
    assert str(DecodeError("short", **where)) == text  # type: ignore[arg-type]  # a mapping of arguments


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_every_error_is_one_line_with_a_hint_of_text(kind: type[OsgpError]) -> None:
    error = kind("reason")
    assert str(error)
    assert "\n" not in str(error)
    assert isinstance(error.hint, str)
    assert isinstance(error, OsgpError)
