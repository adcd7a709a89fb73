"""Exact arithmetic: division as Postgres divides, decimals, reserved values."""

from __future__ import annotations

from decimal import Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.model.schema import ColumnType, Kind
from warmcube.query.numbers import decimals_of, digits_of, divide, floor_scaled, reserved

_EXACT = Context(prec=4000)

FROM_POSTGRES = [
    (0, 0, 1, "0.00000000000000000000"),
    (5, 0, 3, "1.6666666666666667"),
    (10, 1, 3, "0.33333333333333333333"),
    (1, 0, 3, "0.33333333333333333333"),
    (2, 0, 3, "0.66666666666666666667"),
    (-5, 0, 3, "-1.6666666666666667"),
    (-1, 0, 6, "-0.16666666666666666667"),
    (10000, 0, 10000, "1.00000000000000000000"),
    (99999999, 0, 3, "33333333.000000000000"),
    (10000000000000000, 0, 3, "3333333333333333.3333"),
    (10**37, 0, 7, "1428571428571428571428571428571428571"),
    (1, 38, 3, "0.00000000000000000000000000000000000000333333333333333333"),
    (12345, 2, 7, "17.6357142857142857"),
    (-12345, 2, 7, "-17.6357142857142857"),
    (1, 0, 100000000, "0.0000000100000000000000000000"),
    (1, 0, 99999999, "0.000000010000000100000001"),
    (9999, 4, 9999, "0.000100000000000000000000"),
    (5, 1, 100000, "0.000005000000000000000000"),
    (123456789012345678, 10, 9, "1371742.100137174200"),
    (1, 18, 2, "0.000000000000000000500000000000000000"),
    (100000000000000000001, 2, 2, "500000000000000000.01"),
]
"""dividend, its decimals, divisor; what PostgreSQL 18.4 prints for ``dividend / divisor``."""


@pytest.mark.parametrize(("dividend", "scale", "divisor", "printed"), FROM_POSTGRES)
def test_division_is_postgres(dividend: int, scale: int, divisor: int, printed: str) -> None:
    """Digits, decimals and rounding are those that Postgres gave."""
    quotient, decimals = divide(dividend, scale, divisor)
    assert f"{Decimal(quotient).scaleb(-decimals, _EXACT):f}" == printed


@given(
    st.integers(-(10**38), 10**38), st.integers(0, 38), st.integers(1, 10**12) | st.integers(1, 9)
)
def test_division_is_rounded_half_away_from_zero(dividend: int, scale: int, divisor: int) -> None:
    """The quotient is within half a unit of its last digit, and has 16 digits that count."""
    quotient, decimals = divide(dividend, scale, divisor)
    exact = Fraction(dividend, 10**scale * divisor)
    off = abs(exact) * 10**decimals - abs(quotient)
    assert Fraction(-1, 2) <= off < Fraction(1, 2)
    assert decimals >= scale
    assert dividend == 0 or abs(exact) * 10**decimals >= 10**15 or decimals == 1000


@given(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40),
    st.integers(0, 20),
)
def test_floor_is_exact(value: Decimal, scale: int) -> None:
    """The floor is the greatest integer not above, and is called exact if it is the value."""
    floor, exact = floor_scaled(value, scale)
    scaled = Fraction(value) * 10**scale
    assert floor <= scaled < floor + 1
    assert exact == (floor == scaled)


@pytest.mark.parametrize(
    ("text", "floor"),
    [("1E+999999", 10**2000), ("-1E+999999", -(10**2000)), ("1E-999999", 0), ("-1E-999999", -1)],
)
def test_floor_of_monstrous_numbers_is_cheap(text: str, floor: int) -> None:
    """A number far beyond all columns isn't written out, nor is one next to zero."""
    assert floor_scaled(Decimal(text), 2) == (floor, False)


def test_zero_has_no_exponent() -> None:
    """Zero is zero whatever its exponent."""
    assert floor_scaled(Decimal("0E+999999"), 2) == (0, True)


@pytest.mark.parametrize(
    ("type", "bits"),
    [
        (ColumnType(Kind.NUMERIC, 18, 2), 63),
        (ColumnType(Kind.NUMERIC, 19, 2), 127),
        (ColumnType(Kind.NUMERIC, 38, 2), 127),
        (ColumnType(Kind.NUMERIC, 39, 2), 4095),
    ],
)
def test_reserved_numerics_are_the_ends_of_the_storage(type: ColumnType, bits: int) -> None:
    """-infinity is the least value, +infinity the last but one, NaN the greatest."""
    special = reserved(type)
    assert (special.least, special.infinity, special.nan) == (
        -(2**bits),
        2**bits - 2,
        2**bits - 1,
    )
    printed = [str(value) for value in decimals_of([-(2**bits), 2**bits - 2, 2**bits - 1], type)]
    assert printed == ["-Infinity", "Infinity", "NaN"]


@pytest.mark.parametrize(
    ("kind", "bits"), [(Kind.DATE, 31), (Kind.TIMESTAMP, 63), (Kind.TIMESTAMPTZ, 63)]
)
def test_reserved_moments_are_the_ends_of_the_storage(kind: Kind, bits: int) -> None:
    """Days and instants reserve the least and the greatest value."""
    special = reserved(ColumnType(kind))
    assert (special.least, special.infinity, special.nan) == (-(2**bits), 2**bits - 1, None)


def test_other_kinds_reserve_nothing() -> None:
    """Asking for what isn't there is a defect of the program."""
    with pytest.raises(TypeError, match="bigint has no reserved values"):
        reserved(ColumnType(Kind.BIGINT))


def test_decimals_have_the_columns_scale() -> None:
    """Trailing zeros stay, and 38 digits are not rounded."""
    narrow = ColumnType(Kind.NUMERIC, 10, 2)
    wide = ColumnType(Kind.NUMERIC, 38, 6)
    assert [str(value) for value in decimals_of([1250, 0, -5], narrow)] == [
        "12.50",
        "0.00",
        "-0.05",
    ]
    assert str(decimals_of([10**38 - 1], wide)[0]) == "9" * 32 + ".999999"


def test_digits_are_counted_without_the_sign() -> None:
    """Zero has one digit."""
    assert [digits_of(value) for value in (0, 9, -10, 10**38)] == [1, 1, 2, 39]
