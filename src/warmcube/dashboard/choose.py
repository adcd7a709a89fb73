"""Which values of an axis are shown, in which order, and what becomes of the rest. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from warmcube.dashboard.amounts import EXACT
from warmcube.dashboard.definition import Chart

__all__ = ["Choice", "choose"]

_ZERO: Final = Decimal(0)


class Choice(NamedTuple):
    """What is shown of an axis.

    Attributes:
        shown: the values, in order.
        rest: how many others there are.
    """

    shown: list[Any]
    rest: int


def choose(chart: Chart, keys: Sequence[Any], figures: Mapping[Any, Decimal | None]) -> Choice:
    """Sort the values of an axis, and choose the top ones.

    Args:
        chart: says how.
        keys: all values, ascending, NULL last.
        figures: what decides among them; values without one come last.
    """
    sort, top = chart.sort or "label", chart.top
    shown = list(keys)
    if sort == "-value" or (top is not None and len(keys) > top):
        shown.sort(key=lambda key: _descending(figures.get(key)))
    shown = shown[:top]
    if sort == "value":
        shown.sort(key=lambda key: _ascending(figures.get(key)))
    elif sort != "-value" and len(shown) < len(keys):
        kept = set(shown)
        shown = [key for key in keys if key in kept]
    if sort == "-label":
        shown.reverse()
    return Choice(shown, len(keys) - len(shown))


def _ascending(value: Decimal | None) -> tuple[int, Decimal]:
    """NaN after all numbers, nothing at the very end."""
    if value is None:
        return (2, _ZERO)
    return (1, _ZERO) if value.is_nan() else (0, value)


def _descending(value: Decimal | None) -> tuple[int, Decimal]:
    """NaN before all numbers, nothing at the very end."""
    if value is None:
        return (2, _ZERO)
    return (0, _ZERO) if value.is_nan() else (1, EXACT.minus(value))
