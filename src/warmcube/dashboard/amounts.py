"""What groups of rows come to, in a form that several groups can be put together from. Pure.

An average is kept as its sum and its count, so that the average over several groups is that of
their rows and not of their averages. Integers and numerics are exact; floats are added as doubles.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from warmcube.dashboard.definition import Aggregate
from warmcube.query.numbers import divide

__all__ = ["EXACT", "Amount", "Number", "figure", "unite"]

Number: TypeAlias = int | float | Decimal

EXACT: Final = Context(prec=2000, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
"""Adds and subtracts numerics of whatever length without rounding; NaN where there is no result."""


class Amount(NamedTuple):
    """What some rows come to.

    Attributes:
        number: their sum, least or greatest value or count; None where there is no value.
        values: of an average, how many values its sum has.
    """

    number: Number | None
    values: int = 0


def unite(aggregate: Aggregate, amounts: Iterable[Amount]) -> Amount:
    """What the rows of several groups come to, together.

    Args:
        aggregate: what each amount is.
        amounts: of groups that share no row; none of them is no rows.
    """
    given = list(amounts)
    if len(given) == 1:
        return given[0]
    numbers = [each.number for each in given if each.number is not None]
    values = sum(each.values for each in given)
    if aggregate == "count":
        return Amount(sum(int(number) for number in numbers))
    if not numbers:
        return Amount(None, values)
    if aggregate in ("min", "max"):
        choose = min if aggregate == "min" else max
        return Amount(choose(numbers, key=_rank), values)
    return Amount(_sum(numbers), values)


def figure(
    aggregate: Aggregate, amount: Amount, scale: int, *, is_real: bool = False
) -> Decimal | None:
    """The number to show.

    Args:
        aggregate: what the amount is.
        amount: of all rows that are meant.
        scale: decimals of the value column, which decide those of an average.
        is_real: whether the column is of single precision, as are then its sums.
    """
    number = amount.number
    if number is None:
        return None
    if aggregate == "avg":
        return _average(number, amount.values, scale)
    return _decimal(_single(number) if is_real and isinstance(number, float) else number)


def _average(total: Number, count: int, scale: int) -> Decimal | None:
    if not count:
        return None
    if isinstance(total, float):
        return _decimal(total / count)
    exact = Decimal(total)
    if not exact.is_finite():
        return exact
    quotient, decimals = divide(int(EXACT.scaleb(exact, scale)), scale, count)
    return EXACT.scaleb(Decimal(quotient), -decimals)


def _single(number: float) -> float:
    """The nearest of single precision, as the shortest decimal that reads back as it."""
    with np.errstate(over="ignore"):
        return float(str(np.float32(number)))


def _decimal(number: Number) -> Decimal:
    """Of a float the shortest decimal that reads back as it."""
    return Decimal(repr(number)) if isinstance(number, float) else Decimal(number)


def _sum(numbers: list[Any]) -> Number:
    if isinstance(numbers[0], float):
        return _float_sum(numbers)
    if isinstance(numbers[0], int):
        return int(sum(numbers))
    total: Decimal = numbers[0]
    for number in numbers[1:]:
        total = EXACT.add(total, number)
    return total


def _float_sum(numbers: list[float]) -> float:
    try:
        return math.fsum(numbers)
    except (OverflowError, ValueError):  # beyond the range, or infinities of both signs
        return sum(numbers)


def _rank(number: Number) -> tuple[bool, Number]:
    """As Postgres orders numbers: NaN is the greatest."""
    is_nan = math.isnan(number) if isinstance(number, float) else Decimal(number).is_nan()
    return (True, 0) if is_nan else (False, number)
