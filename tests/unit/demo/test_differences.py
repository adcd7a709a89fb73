"""`warmcube.demo.check.differences`: what counts as the same answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from warmcube.demo.check import _row, differences

ONE = _row([("a", 1)])
TWO = _row([("a", 2)])


@pytest.mark.parametrize(
    ("found", "expected", "is_ordered", "differing"),
    [
        ([ONE, TWO], [ONE, TWO], True, []),
        ([TWO, ONE], [ONE, TWO], False, []),
        ([TWO, ONE], [ONE, TWO], True, ["the rows are right, but not their order"]),
        (
            [ONE],
            [ONE, ONE],
            False,
            ["1 rows are missing and 0 are too many, of 2 expected and 1 found"],
        ),
        (
            [ONE, TWO],
            [ONE],
            False,
            ["0 rows are missing and 1 are too many, of 1 expected and 2 found"],
        ),
    ],
)
def test_rows_are_compared_as_multisets(
    found: list[tuple[tuple[str, str], ...]],
    expected: list[tuple[tuple[str, str], ...]],
    is_ordered: bool,
    differing: list[str],
) -> None:
    """How often a row comes counts always, its place only where an order was asked for."""
    assert differences(found, expected, is_ordered=is_ordered) == differing


def test_values_are_compared_with_their_types() -> None:
    """1 isn't "1", nor 1.00; the same instant in another zone is the same."""
    assert len({_row([("a", value)]) for value in (1, "1", Decimal("1.00"), None, True)}) == 5
    berlin = timezone(timedelta(hours=1))
    assert _row([("a", datetime(2024, 1, 1, 1, tzinfo=berlin))]) == _row(
        [("a", datetime(2024, 1, 1, tzinfo=UTC))]
    )
