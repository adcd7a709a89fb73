"""Which values of an axis are shown, in which order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.support.dashboards import chart_of

from warmcube.dashboard.choose import choose

KEYS = ["a", "b", "c", "d", None]
FIGURES = {"a": Decimal(1), "b": None, "c": Decimal("NaN"), "d": Decimal(-2), None: Decimal(5)}


@pytest.mark.parametrize(
    ("sort", "top", "shown"),
    [
        (None, None, ["a", "b", "c", "d", None]),
        ("label", None, ["a", "b", "c", "d", None]),
        ("-label", None, [None, "d", "c", "b", "a"]),
        ("value", None, ["d", "a", None, "c", "b"]),
        ("-value", None, ["c", None, "a", "d", "b"]),
        (None, 3, ["a", "c", None]),
        ("-label", 3, [None, "c", "a"]),
        ("value", 3, ["a", None, "c"]),
        ("-value", 3, ["c", None, "a"]),
        ("-value", 5, ["c", None, "a", "d", "b"]),
        ("label", 9, ["a", "b", "c", "d", None]),
    ],
)
def test_sorted_and_cut(sort: Any, top: int | None, shown: list[Any]) -> None:
    """The greatest are kept, however they are sorted; those without a figure come last."""
    found = choose(chart_of(sort=sort, top=top), KEYS, FIGURES)
    assert (found.shown, found.rest) == (shown, len(KEYS) - len(shown))


def test_equal_figures_keep_their_order() -> None:
    """So that which ones are the top doesn't hang on chance."""
    figures = dict.fromkeys(KEYS, Decimal(1))
    assert choose(chart_of(sort="-value", top=2), KEYS, figures).shown == ["a", "b"]
