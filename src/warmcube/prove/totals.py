"""Sums, averages, counts, least and greatest values of SQL's rows, worked out here.

Exact numbers are added up as fractions, floats with `math.fsum`; how far an answer may be from them
is a matter for `agrees`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final, TypeAlias

from warmcube.prove.canonical import Form, rank
from warmcube.prove.witness import Row

__all__ = ["Key", "Total", "agrees", "form_of", "group", "total"]

Key: TypeAlias = tuple[str | None, ...]

_ROUNDING: Final = Fraction(1, 10**12)  # of an average, in relation to it


@dataclass(frozen=True, slots=True)
class Total:
    """What an aggregate comes to.

    Attributes:
        text: the value; None is NULL. Of a float or an average only where it isn't finite.
        exact: of an average or a sum of exact numbers.
        near: of a float.
        tolerance: how far from `near` an answer may be.
    """

    text: str | None = None
    exact: Fraction | None = None
    near: float | None = None
    tolerance: float = 0.0


def form_of(function: str, value: Form) -> Form:
    """What an aggregate's column holds."""
    if function == "count":
        return Form.INTEGER
    if function in ("min", "max"):
        return value
    if value.is_float:
        return value if function == "sum" else Form.DOUBLE
    return Form.NUMERIC


def group(rows: Sequence[Row], places: Sequence[int]) -> Mapping[Key, list[Row]]:
    """The rows by the values at some places; without places all of them, even if there are none."""
    groups: dict[Key, list[Row]] = {} if places else {(): []}
    for row in rows:
        groups.setdefault(tuple(row[place] for place in places), []).append(row)
    return groups


def total(function: str, rows: Sequence[Row], place: int, form: Form) -> Total:
    """One aggregate over the values at a place of some rows; NULLs are skipped."""
    values = [value for row in rows if (value := row[place]) is not None]
    if function == "count":
        return Total(text=str(len(values)))
    if not values:
        return Total()
    if function in ("min", "max"):
        choose = min if function == "min" else max
        return Total(text=choose(values, key=lambda value: rank(value, form)))
    is_average = function == "avg"
    return _float(values, form, is_average) if form.is_float else _exact(values, is_average)


def _exact(values: Sequence[str], is_average: bool) -> Total:
    special = {value for value in values if value in ("NaN", "Infinity", "-Infinity")}
    if special:
        return Total(text=special.pop() if len(special) == 1 else "NaN")
    added = sum((Fraction(value) for value in values), Fraction())
    return Total(exact=added / len(values) if is_average else added)


def _float(values: Sequence[str], form: Form, is_average: bool) -> Total:
    numbers = [float(value) for value in values]
    if not all(map(math.isfinite, numbers)):
        return Total(text=repr(sum(numbers)))
    added = math.fsum(numbers)
    sizes = math.fsum(map(abs, numbers))
    rounding = 2.0**-23 if form is Form.REAL and not is_average else 2.0**-51
    share = len(numbers) if is_average else 1
    return Total(
        near=added / share,
        tolerance=(len(numbers) * 2.0**-52 + rounding) * sizes / share,
    )


def agrees(expected: Total, found: str | None, function: str) -> bool:
    """Whether an answer's value, as text, is what it should be."""
    if expected.near is not None:
        return found is not None and abs(float(found) - expected.near) <= expected.tolerance
    if expected.exact is not None:
        if found is None or not Decimal(found).is_finite():
            return False
        if function != "avg":
            return Fraction(found) == expected.exact
        return abs(Fraction(found) - expected.exact) <= abs(expected.exact) * _ROUNDING
    if expected.text is None or found is None:
        return expected.text is found
    # -0 and 0 are one number, and either may be the least or the greatest.
    return expected.text == found or {expected.text, found} == {"0.0", "-0.0"}
