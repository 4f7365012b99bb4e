"""Formulas read well."""

from __future__ import annotations

import pytest

from osgp.spec.firmware import has
from osgp.wire import INDEX, Expr, Record, Ref, array, nested, octets, set_bytes, this, uint8
from osgp.wire.expr import lift
from osgp.wire.formula import (
    Context,
    condition,
    constant,
    formula,
    needed_tables,
    record_references,
)

A = Ref("BT21")


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (lift(7), "7"),
        (A.x * 2 + A.x * 3 + 4, "4 + 5*BT21.x"),
        (A.x - 5, "BT21.x - 5"),
        (A.x - A.x, "0"),
        (lift(3) - A.x, "3 - BT21.x"),
        ((A.x + A.y) * 4, "4*BT21.x + 4*BT21.y"),
        ((A.x + 1) * A.y, "(1 + BT21.x)*BT21.y"),
        (set_bytes(A.x), "(7 + BT21.x) // 8"),
        (set_bytes(A.x) * 3, "3*((7 + BT21.x) // 8)"),
        (set_bytes(17), "3"),
        (A.sets[INDEX].count * 2, "2*BT21.sets[m].count"),
        (this.length.max(2) - 1, "max(entries[m].length, 2) - 1"),
        (A.x > 0, "[BT21.x > 0]"),
        ((A.x > 0) & A.y.eq(2), "[BT21.x > 0] & [BT21.y == 2]"),
        ((A.x > 0).ne(0), "[BT21.x > 0]"),
        (~A.x, "[BT21.x == 0]"),
        (4 + has("4.0"), "5"),
    ],
)
def test_normal_form(expr: Expr, text: str) -> None:
    assert str(formula(expr, Context("m", "entries[m]."))) == text


def test_an_older_firmware_has_smaller_sizes() -> None:
    assert formula(4 + has("4.0"), Context(firmware=(3, 70))).number == 4


def test_conditions_are_one_or_nothing() -> None:
    size = constant(5) * condition(A.date_time)
    assert str(size) == "5*[BT21.date_time]"
    assert str(condition(A.x > 0)) == "[BT21.x > 0]"
    assert condition(lift(9)).number == 1
    assert condition(lift(0)).number == 0


def test_products_of_sums_keep_their_parentheses() -> None:
    both = (constant(1) + formula(A.x)) * (constant(2) + formula(A.y))
    assert str(both) == "(1 + BT21.x)*(2 + BT21.y)"
    assert (constant(0) * formula(A.x)).number == 0
    assert formula(A.x).number is None


class Inner(Record):
    data = octets(A.deep, when=Ref("ET54").flag)


class Outer(Record):
    count = uint8()
    parts = array(nested(Inner), Ref("BT61").sets[Ref("ET11").which].number)
    spare = octets(Ref("BT00").length.or_else(3))


def test_references_of_a_declaration() -> None:
    assert {one.table for one in record_references(Outer)} == {
        *("BT00", "BT21", "BT61", "ET11", "ET54")
    }
    assert needed_tables(Outer) == {"BT21", "BT61", "ET11", "ET54"}
