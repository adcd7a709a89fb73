"""Amounts: groups put together are what their rows come to at once."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.dashboard.amounts import Amount, figure, unite
from warmcube.dashboard.definition import AGGREGATES, Aggregate

VALUES = st.lists(
    st.lists(st.decimals(-(10**12), 10**12, places=2) | st.none(), max_size=6), max_size=6
)


def amount_of(aggregate: Aggregate, rows: list[Any]) -> Amount:
    """What SQL's aggregate of some values is, in the form of an amount."""
    known = [value for value in rows if value is not None]
    if aggregate == "count":
        return Amount(len(known))
    if not known:
        return Amount(None)
    if aggregate == "avg":
        return Amount(sum(known), len(known))
    function: Any = {"sum": sum, "min": min, "max": max}[aggregate]
    return Amount(function(known))


@given(VALUES, st.sampled_from(AGGREGATES))
def test_groups_together_are_their_rows_at_once(
    groups: list[list[Decimal | None]], aggregate: Aggregate
) -> None:
    """Whatever the groups, NULLs and empty ones among them."""
    together = unite(aggregate, [amount_of(aggregate, group) for group in groups])
    at_once = amount_of(aggregate, [value for group in groups for value in group])
    assert figure(aggregate, together, 2) == figure(aggregate, at_once, 2)


@given(st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=1, max_size=20))
def test_an_average_is_rounded_at_the_end(values: list[Decimal]) -> None:
    """To at least 16 digits, as Postgres has it."""
    found = figure("avg", amount_of("avg", values), 2)
    assert found is not None
    exact = Fraction(sum(values)) / len(values)
    digits = max(-int(found.as_tuple().exponent), 0)
    assert abs(Fraction(found) - exact) * 10**digits <= Fraction(1, 2)


def test_long_numbers_keep_all_digits() -> None:
    """Beyond what any decimal context has by default."""
    long, short = Decimal(10**38 - 1), Decimal("0.01")
    assert figure("sum", unite("sum", [Amount(long), Amount(short)]), 2) == Decimal(
        "99999999999999999999999999999999999999.01"
    )


def test_nan_is_the_greatest_and_spreads() -> None:
    """As Postgres orders and adds it, of numerics and of floats."""
    for nan, one in ((Decimal("NaN"), Decimal(1)), (math.nan, 1.0)):
        both = [Amount(nan), Amount(one)]
        least = figure("min", unite("min", both), 0)
        greatest, total = (
            figure("max", unite("max", both), 0),
            figure("sum", unite("sum", both), 0),
        )
        assert least == 1
        assert greatest is not None
        assert greatest.is_nan()
        assert total is not None
        assert total.is_nan()


def test_infinities() -> None:
    """Of both signs they are no number; an average of one is one."""
    up, down = Decimal("Infinity"), Decimal("-Infinity")
    assert figure("avg", unite("avg", [Amount(up, 1), Amount(Decimal(2), 1)]), 0) == up
    for some in ([up, down], [math.inf, -math.inf]):
        total = figure("sum", unite("sum", [Amount(each) for each in some]), 0)
        assert total is not None
        assert total.is_nan()


@pytest.mark.parametrize(
    ("aggregate", "amount", "expected"),
    [
        ("sum", Amount(0.1), "0.1"),
        ("sum", unite("sum", [Amount(0.1), Amount(0.2)]), "0.30000000000000004"),
        ("avg", Amount(0.3, 3), "0.09999999999999999"),
        ("sum", unite("sum", [Amount(1e308), Amount(1e308)]), "Infinity"),
        ("sum", unite("sum", [Amount(3), Amount(4)]), "7"),
    ],
)
def test_floats_are_shown_as_they_read_back(
    aggregate: Aggregate, amount: Amount, expected: str
) -> None:
    """The shortest decimal of a double; integers are themselves."""
    assert str(figure(aggregate, amount, 0)) == expected


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_no_rows(aggregate: Aggregate) -> None:
    """Counted they are none; of everything else there is nothing."""
    expected = 0 if aggregate == "count" else None
    assert figure(aggregate, unite(aggregate, ()), 2) == expected


def test_an_average_of_no_values_is_none() -> None:
    """Whatever their sum."""
    assert figure("avg", Amount(Decimal(0), 0), 2) is None
