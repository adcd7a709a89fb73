"""Calculated series: order, what is missing, digits, totals; Postgres is asked elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.dashboard.calculations import (
    COMPARISON,
    MOST_DIGITS,
    add,
    calculate,
    order_of,
    quotient,
    subtract,
    total_of,
)
from warmcube.dashboard.definition import Calculation, CalculationName
from warmcube.errors import InvalidQuery, LimitExceeded

Figures = Sequence[Decimal | None]
ALL: tuple[CalculationName, ...] = get_args(CalculationName)
NUMBERS = st.none() | st.decimals(-10_000, 10_000, places=2)


def calculation(
    function: CalculationName,
    *,
    id: str = "c",
    of: str = "a",
    to: str | None = None,
    window: int | None = None,
) -> Calculation:
    """One, of the series "a" unless told otherwise."""
    return Calculation(id=id, name=id, function=function, of=of, to=to, window=window)


def figures(*values: object) -> list[Decimal | None]:
    """Numbers by their text; None stays None."""
    return [None if value is None else Decimal(str(value)) for value in values]


def exact(values: Figures) -> list[Fraction | None]:
    """The numbers themselves."""
    return [None if each is None else Fraction(each) for each in values]


@pytest.mark.parametrize(
    ("function", "to", "expected"),
    [
        ("ratio", "b", ["0.5", None, None, None, "-1.5"]),
        ("difference", "b", [-2, None, 8, None, 10]),
        ("growth", "b", ["-0.5", None, None, None, "-2.5"]),
        ("growth", None, [None, None, None, -1, None]),
        ("share", None, ["0.125", None, "0.5", 0, "0.375"]),
        ("moving_average", None, [2, 2, 8, 4, 3]),
        ("running_total", None, [2, 2, 10, 10, 16]),
        ("variance_from_average", None, [-2, None, 4, -4, 2]),
    ],
)
def test_each_with_gaps_and_zeros(
    function: CalculationName, to: str | None, expected: list[object]
) -> None:
    """NULL and a division by zero are NULL; sums and averages leave NULL out."""
    series = {"a": figures(2, None, 8, 0, 6), "b": figures(4, 3, 0, None, -4)}
    assert exact(calculate(calculation(function, to=to, window=2), series)) == exact(
        figures(*expected)
    )


@pytest.mark.parametrize("function", ALL)
def test_one_label_or_none(function: CalculationName) -> None:
    """No labels, no figures; one label is its own total and average, and has none before it."""
    only = {
        "ratio": 1,
        "difference": 0,
        "growth": None,
        "share": 1,
        "moving_average": 7,
        "running_total": 7,
        "variance_from_average": 0,
    }
    to = "a" if function in ("ratio", "difference") else None
    asked = calculation(function, to=to, window=2)
    assert calculate(asked, {"a": []}) == []
    assert exact(calculate(asked, {"a": figures(7)})) == exact(figures(only[function]))
    assert calculate(asked, {"a": [None]}) == [None]


@given(series=st.lists(NUMBERS, max_size=30), window=st.integers(1, 40), is_even=st.booleans())
def test_moving_averages_are_of_their_labels(
    series: list[Decimal | None], window: int, is_even: bool
) -> None:
    """Each is the average of its own window alone, however numbers of unlike decimals mix."""
    if not is_even:
        series = [each and each.normalize() for each in series]
    found = calculate(calculation("moving_average", window=window), {"a": series})
    for end, each in enumerate(found, start=1):
        counted = [one for one in series[max(0, end - window) : end] if one is not None]
        total = Decimal(0)
        for one in counted:
            total += one
        assert each == quotient(total if counted else None, Decimal(len(counted)))


def test_averages_with_infinity() -> None:
    """An infinity counts in its windows and is gone after them."""
    found = calculate(
        calculation("moving_average", window=2), {"a": figures(1, "Infinity", "-Infinity", 3, 5)}
    )
    assert [str(each and each.normalize()) for each in found] == [
        "1",
        "Infinity",
        "NaN",
        "-Infinity",
        "4",
    ]


def test_sums_keep_all_digits() -> None:
    """However many there are."""
    long = Decimal("1" * 60 + "." + "7" * 40)
    tiny = Decimal("1E-200")
    assert Fraction(add(long, tiny) or 0) == Fraction(long) + Fraction(tiny)
    assert Fraction(subtract(long, tiny) or 0) == Fraction(long) - Fraction(tiny)
    assert add(None, tiny) == tiny
    assert add(tiny, None) == tiny
    assert add(None, None) is None
    assert subtract(None, tiny) is None
    assert subtract(tiny, None) is None


@pytest.mark.parametrize(
    ("dividend", "divisor", "expected"),
    [
        ("1", "3", "0.33333333333333333333"),
        ("-2", "3", "-0.66666666666666666667"),
        ("0", "-5", "0"),
        ("5", "0", None),
        (None, "5", None),
        ("5", None, None),
        ("1E+3", "2", "500"),
        ("5", "Infinity", "0"),
        ("Infinity", "-5", "-Infinity"),
        ("-Infinity", "-5", "Infinity"),
        ("Infinity", "Infinity", "NaN"),
        ("NaN", "5", "NaN"),
        ("5", "NaN", "NaN"),
    ],
)
def test_quotients(dividend: object, divisor: object, expected: object) -> None:
    """As Postgres's ``numeric`` has them."""
    first, second, wanted = figures(dividend, divisor, expected)
    assert str(_plain(quotient(first, second))) == str(_plain(wanted))


def _plain(value: Decimal | None) -> Decimal | None:
    if value is None:
        return None
    return value.normalize() if value else Decimal(0)


def test_numbers_beyond_all_bounds() -> None:
    """A tower of ratios is refused in a sentence before it costs much."""
    for each in (f"1E+{MOST_DIGITS}", f"1E-{MOST_DIGITS + 1}", "1E+999999", "1E-999999"):
        for pair in ((each, 3), (3, each)):
            with pytest.raises(LimitExceeded, match="more than 2,000 digits"):
                quotient(*figures(*pair))
    assert quotient(*figures(f"1E+{MOST_DIGITS - 1}", 1)) == Decimal(f"1E+{MOST_DIGITS - 1}")
    tiny, huge = figures(f"1E-{MOST_DIGITS}", f"1E+{MOST_DIGITS - 1}")
    assert quotient(huge, tiny) == Decimal(f"1E+{2 * MOST_DIGITS - 1}")


def test_what_it_is_of_comes_first() -> None:
    """Calculations of calculations, in whatever order they are written."""
    third = calculation("growth", id="z", of="y")
    second = calculation("ratio", id="y", of="x", to="b")
    first = calculation("difference", id="x", of="a", to="a" + COMPARISON)
    known = ["a", "b", "a" + COMPARISON]
    assert order_of([third, second, first], known) == [first, second, third]
    assert order_of([], known) == []


@pytest.mark.parametrize(
    ("calculations", "message"),
    [
        ([calculation("share", of="q")], "'c' is of 'q', which this chart doesn't have; it has a"),
        ([calculation("ratio", of="a", to="q")], "'c' is of 'q'"),
        ([calculation("share", of="c")], "the calculations 'c' are of each other in a circle"),
        (
            [calculation("share", id="x", of="y"), calculation("share", id="y", of="x")],
            "the calculations 'x', 'y' are of each other in a circle",
        ),
        (
            [calculation("share", id="x", of="y"), calculation("share", id="y", of="q")],
            "the calculation 'y' is of 'q'",
        ),
    ],
)
def test_what_can_t_be_ordered(calculations: list[Calculation], message: str) -> None:
    """Unknown names and circles are named."""
    with pytest.raises(InvalidQuery, match=message):
        order_of(calculations, ["a"])


def test_what_can_t_be_calculated() -> None:
    """A series that isn't there, or is missing from the definition."""
    for asked in (calculation("share", of="q"), calculation("ratio", to="q")):
        with pytest.raises(InvalidQuery, match=r"is of 'q', which this chart doesn't have; .* a$"):
            calculate(asked, {"a": figures(1)})
    with pytest.raises(InvalidQuery, match=r"'c' is of 'a', .*; it has none"):
        calculate(calculation("share"), {})
    with pytest.raises(InvalidQuery, match="is a ratio of 'a' to nothing; say in `to`"):
        calculate(calculation("ratio"), {"a": figures(1)})


@pytest.mark.parametrize(
    ("function", "to", "expected"),
    [
        ("ratio", "b", "0.75"),
        ("difference", "b", "-1"),
        ("growth", "b", "-0.25"),
        *((function, None, None) for function in ALL),
    ],
)
def test_totals(function: CalculationName, to: str | None, expected: object) -> None:
    """Of ratio, difference and growth against another: the same of the totals; else none."""
    found = total_of(calculation(function, to=to), {"a": Decimal(3), "b": Decimal(4)})
    assert exact([found]) == exact(figures(expected))
