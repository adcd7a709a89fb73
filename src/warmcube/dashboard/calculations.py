"""Series that are computed from others, label by label, exactly.

What SQL says of the same figures in the same order holds: NULL in, NULL out; sums and averages
leave NULL out; a division by zero is NULL, as with ``NULLIF(…, 0)``. Sums and differences are exact
whatever the digits; quotients are those of Postgres's ``numeric``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, Inexact
from typing import Final, TypeAlias

from warmcube.dashboard.definition import Calculation
from warmcube.errors import InvalidQuery, LimitExceeded
from warmcube.query.numbers import divide

__all__ = [
    "COMPARISON",
    "MOST_DIGITS",
    "Figures",
    "add",
    "calculate",
    "order_of",
    "quotient",
    "subtract",
    "total_of",
]

COMPARISON: Final = ".comparison"
"""What follows a series' id where its figures of the compared period are meant."""

MOST_DIGITS: Final = 2000
"""How many digits a number that is divided may have before the point, and how many after it.

No measure comes near; calculations of calculations of calculations can.
"""

Figure: TypeAlias = Decimal | None
Figures: TypeAlias = Sequence[Figure]

_EXACT: Final = Context(prec=1_000_000, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact])


def add(first: Figure, second: Figure) -> Figure:
    """The sum, as ``sum()`` has it: what is missing is left out."""
    if first is None or second is None:
        return second if first is None else first
    return _EXACT.add(first, second)


def subtract(first: Figure, second: Figure) -> Figure:
    """The difference; None if one of the two is missing."""
    if first is None or second is None:
        return None
    return _EXACT.subtract(first, second)


def quotient(dividend: Figure, divisor: Figure) -> Figure:
    """What Postgres's ``dividend / NULLIF(divisor, 0)`` gives for numerics.

    Raises:
        LimitExceeded: one of the two has more digits than `MOST_DIGITS`.
    """
    if dividend is None or divisor is None or not divisor:
        return None
    if not (dividend.is_finite() and divisor.is_finite()):
        return _of_infinite(dividend, divisor)
    value, scale = _unscaled(dividend)
    by, by_scale = _unscaled(divisor)
    result, decimals = divide(value, scale, by, by_scale)
    return _EXACT.scaleb(Decimal(result), -decimals)


def calculate(calculation: Calculation, figures: Mapping[str, Figures]) -> list[Figure]:
    """A calculated series, with as many figures as the ones that it is of.

    Args:
        calculation: which.
        figures: all other series by their ids, each in the order of the labels.

    Raises:
        InvalidQuery: a series that it is of isn't there.
        LimitExceeded: a number has more digits than `MOST_DIGITS`.
    """
    of = _known(calculation, calculation.of, figures)
    if calculation.function in _BY_PAIR:
        pairs = zip(of, _others(calculation, of, figures), strict=True)
        each = _BY_PAIR[calculation.function]
        return [each(first, second) for first, second in pairs]
    if calculation.function == "moving_average":
        return _moving_averages(of, calculation.window or 1)
    return _WHOLE[calculation.function](of)


def total_of(calculation: Calculation, totals: Mapping[str, Figure]) -> Figure:
    """The total of a calculated series: the calculation of the totals, where that says something.

    Args:
        calculation: which.
        totals: of all other series, by their ids.
    """
    if calculation.function not in _BY_PAIR or calculation.to is None:
        return None
    return _BY_PAIR[calculation.function](totals.get(calculation.of), totals.get(calculation.to))


def order_of(calculations: Sequence[Calculation], known: Sequence[str]) -> list[Calculation]:
    """The calculations in an order in which each comes after those that it is of.

    Args:
        calculations: of one chart.
        known: the ids of the series that are there.

    Raises:
        InvalidQuery: one is of a series that isn't there, or of itself by a detour.
    """
    done, found, left = set(known), [], list(calculations)
    while left:
        ready = [each for each in left if {each.of, each.to or each.of} <= done]
        if not ready:
            raise _unordered(left, done)
        found += ready
        done |= {each.id for each in ready}
        left = [each for each in left if each.id not in done]
    return found


def _unordered(left: Sequence[Calculation], done: set[str]) -> InvalidQuery:
    ids = {each.id for each in left}
    for each in left:
        for name in (each.of, each.to):
            if name is not None and name not in done | ids:
                return _unknown(each, name, done | ids)
    names = ", ".join(repr(each.id) for each in left)
    return InvalidQuery(
        f"the calculations {names} are of each other in a circle; let one be of a series"
    )


def _unknown(calculation: Calculation, name: str, known: set[str]) -> InvalidQuery:
    there = ", ".join(sorted(known)) or "none"
    return InvalidQuery(
        f"the calculation {calculation.id!r} is of {name!r}, which this chart doesn't have; "
        f"it has {there}"
    )


def _known(calculation: Calculation, name: str, figures: Mapping[str, Figures]) -> Figures:
    if name not in figures:
        raise _unknown(calculation, name, set(figures))
    return figures[name]


def _others(calculation: Calculation, of: Figures, figures: Mapping[str, Figures]) -> Figures:
    """What each figure is put beside; for growth the one before, unless something else is named."""
    if calculation.to is not None:
        return _known(calculation, calculation.to, figures)
    if calculation.function != "growth":
        raise InvalidQuery(
            f"the calculation {calculation.id!r} is a {calculation.function} of "
            f"{calculation.of!r} to nothing; say in `to` which series it is to"
        )
    return (None, *of)[: len(of)]


def _growth(now: Figure, before: Figure) -> Figure:
    return quotient(subtract(now, before), before)


def _sum(figures: Figures) -> Figure:
    total: Figure = None
    for each in figures:
        total = add(total, each)
    return total


def _average(figures: Figures) -> Figure:
    counted = [each for each in figures if each is not None]
    return quotient(_sum(counted), Decimal(len(counted)))


def _moving_averages(of: Figures, window: int) -> list[Figure]:
    """Of each figure and those before it, by one addition for each, however wide the window.

    Only numbers of the same decimals are taken off again: a sum keeps the most decimals that it
    ever had, and how many it has decides those of the average.
    """
    if not _is_even(of):
        return [_average(of[max(0, end - window) : end]) for end in range(1, len(of) + 1)]
    total, count = Decimal(0), 0
    found = []
    for number, each in enumerate(of):
        gone = of[number - window] if number >= window else None
        if each is not None:
            total, count = _EXACT.add(total, each), count + 1
        if gone is not None:
            total, count = _EXACT.subtract(total, gone), count - 1
        found.append(quotient(total, Decimal(count)))
    return found


def _is_even(figures: Figures) -> bool:
    """Whether all are finite and have the same number of decimals."""
    scales = {each.as_tuple().exponent for each in figures if each is not None}
    return len(scales) <= 1 and all(isinstance(scale, int) and scale <= 0 for scale in scales)


def _shares(of: Figures) -> list[Figure]:
    total = _sum(of)
    return [quotient(each, total) for each in of]


def _running(of: Figures) -> list[Figure]:
    total: Figure = None
    found = []
    for each in of:
        total = add(total, each)
        found.append(total)
    return found


def _variances(of: Figures) -> list[Figure]:
    average = _average(of)
    return [subtract(each, average) for each in of]


_BY_PAIR: Final[Mapping[str, Callable[[Figure, Figure], Figure]]] = {
    "ratio": quotient,
    "difference": subtract,
    "growth": _growth,
}
_WHOLE: Final[Mapping[str, Callable[[Figures], list[Figure]]]] = {
    "share": _shares,
    "running_total": _running,
    "variance_from_average": _variances,
}


def _unscaled(value: Decimal) -> tuple[int, int]:
    """A finite number as an integer and its decimals, which aren't negative."""
    sign, digits, exponent = value.as_tuple()
    if value.adjusted() >= MOST_DIGITS or int(exponent) < -MOST_DIGITS:
        raise LimitExceeded(
            f"a calculation comes to a number with more than {MOST_DIGITS:,} digits before or "
            "after the point; divide by what isn't next to zero, or calculate in fewer steps"
        )
    number = int("".join(map(str, digits)))
    power = int(exponent)
    if power > 0:
        number, power = number * 10**power, 0
    return (-number if sign else number), -power


def _of_infinite(dividend: Decimal, divisor: Decimal) -> Decimal:
    """As Postgres has it: a number by infinity is zero, infinity by infinity isn't a number."""
    if dividend.is_nan() or divisor.is_nan() or (dividend.is_infinite() and divisor.is_infinite()):
        return Decimal("NaN")
    if divisor.is_infinite():
        return Decimal(0)
    is_negative = dividend.is_signed() != divisor.is_signed()
    return Decimal("-Infinity" if is_negative else "Infinity")
