"""`docs/reference/dashboard-calculations.md` says what the code does, example by example."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

from warmcube.dashboard.calculations import MOST_DIGITS, calculate
from warmcube.dashboard.dates import PRESETS, resolve
from warmcube.dashboard.definition import CALCULATIONS, Calculation, Comparison, DateRange
from warmcube.dashboard.periods import align, compared_range

PAGE = (Path(__file__).parents[3] / "docs/reference/dashboard-calculations.md").read_text(
    encoding="utf-8"
)
SERIES = {
    "a": [Decimal(2), None, Decimal(8), Decimal(0), Decimal(6)],
    "b": [Decimal(4), Decimal(3), Decimal(0), None, Decimal(-4)],
}


def table(first: str, second: str) -> list[list[str]]:
    """The cells of the table whose head begins with two words."""
    _, _, rest = PAGE.partition(f"\n| {first} | {second}")
    lines = rest.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip().split("|")[1:-1]] for line in lines]


def span(dates: DateRange) -> str:
    """A range in the words of the page."""
    return f"{dates.start} to {dates.end}"


def test_every_preset_is_described() -> None:
    """Each once, and no other."""
    named = [name for row in table("preset", "first day") for name in re.findall("`(.+?)`", row[0])]
    assert sorted(named) == sorted(PRESETS)


def test_presets_of_one_day() -> None:
    """The days that the page gives are those that are resolved."""
    day = date(2026, 11, 27)
    rows = table("preset", "days")
    assert rows
    assert rows == [[name, span(resolve(name.strip("`"), day))] for name, _ in rows]


def test_compared_periods() -> None:
    """The periods that the page gives are those that are compared."""
    comparisons = [
        Comparison(kind="previous_period"),
        Comparison(kind="same_period_last_year"),
        Comparison(kind="shift", count=2, unit="week"),
        Comparison(kind="shift", count=1, unit="month"),
    ]
    days = DateRange(start=date(2026, 3, 10), end=date(2026, 3, 16))
    month = DateRange(start=date(2026, 3, 1), end=date(2026, 3, 31))
    assert [row[1:3] for row in table("comparison", "the period")] == [
        [span(compared_range(dates, each)) for dates in (days, month)] for each in comparisons
    ]


def test_what_is_beside_what() -> None:
    """The positions that the page gives are those of a chart."""
    pairs = align(
        [date(2026, month, 1) for month in (1, 2, 4)],
        [date(2025, month, 1) for month in (1, 3, 4)],
        (
            DateRange(start=date(2026, 1, 1), end=date(2026, 4, 30)),
            DateRange(start=date(2025, 1, 1), end=date(2025, 4, 30)),
        ),
        "month",
    )
    assert table("label", "current") == [
        ["" if each is None else str(each) for each in (pair.label, pair.current, pair.compared)]
        for pair in pairs
    ]


def test_calculated_examples() -> None:
    """The figures that the page gives are those that are calculated; every function is there."""
    rows = table("function", "1st")
    assert {row[0].split("`")[1] for row in rows} == set(CALCULATIONS)
    for name, *figures in rows:
        function = next(each for each in CALCULATIONS if each == name.split("`")[1])
        has_other = function in ("ratio", "difference") or name.endswith("`to`")
        asked = Calculation(
            id="c", name="C", function=function, of="a", to="b" if has_other else None, window=2
        )
        expected = [Decimal(each) if each else None for each in figures]
        assert calculate(asked, SERIES) == expected, name
    assert f"more than {MOST_DIGITS:,} digits" in PAGE
