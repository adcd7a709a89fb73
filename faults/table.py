"""The table that is measured: its columns, its rows, and how they change."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Final, NamedTuple

__all__ = [
    "ALWAYS",
    "CLOCK",
    "COLUMNS",
    "CREATE",
    "DATASOURCE",
    "DATES",
    "FREQUENCIES",
    "MEASURES",
    "OWNERS",
    "PRACTICES",
    "REGIONS",
    "TABLE",
    "Row",
    "RowMaker",
    "clock_rows",
]

DATASOURCE: Final = 1
TABLE: Final = "ih.facts"
CLOCK: Final = "Clock"
"""The measure that tells the number of the last change, for every owner of rows."""
ALWAYS: Final = "Always"
"""The frequency of the clock."""

MEASURES: Final = ("Charges", "A/R > 90 days: {net} 100%", "Visits", None)
FREQUENCIES: Final = ("Monthly", "Weekly", None)
PRACTICES: Final = (101, 102, 103, 104, 105, 106)
REGIONS: Final = ("north", "North-East", "süd", "", None, "o'west:{x}")
DATES: Final = tuple(date(2024, 1, 1) + timedelta(days=31 * month) for month in range(6))
OWNERS: Final[tuple[tuple[int | None, int | None], ...]] = (
    *((p, provider) for p in PRACTICES for provider in (None, p * 100 + 1, p * 100 + 2)),
    (101, 10103),
    (104, 10403),
    (None, None),
    (None, 99901),
)
"""Practice and provider of every row that there ever is."""

COLUMNS: Final = (
    ("row_id", "bigint"),
    ("measure", "text"),
    ("practice_uid", "integer"),
    ("provider_uid", "integer"),
    ("frequency", "text"),
    ("date_index", "date"),
    ("measure_value", "numeric(14,2)"),
    ("region", "text"),
)
CREATE: Final = f"CREATE TABLE {TABLE} ({', '.join(f'{n} {t}' for n, t in COLUMNS)})"


class Row(NamedTuple):
    """One row of the table."""

    row_id: int
    measure: str | None
    practice_uid: int | None
    provider_uid: int | None
    frequency: str | None
    date_index: date | None
    measure_value: Decimal | None
    region: str | None


def clock_rows(change: int) -> list[Row]:
    """What the table says of its last change, once for each owner."""
    value = Decimal(change)
    return [
        Row(-number, CLOCK, practice, provider, ALWAYS, DATES[0], value, None)
        for number, (practice, provider) in enumerate(OWNERS, 1)
    ]


class RowMaker:
    """Makes rows, each with a number of its own.

    Args:
        random: chooses.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._last = 0

    def fill(self, share: float) -> list[Row]:
        """Rows for about this share of all combinations."""
        random = self._random
        return [
            self._make(measure, owner, frequency, day)
            for measure in MEASURES
            for frequency in FREQUENCIES
            for owner in OWNERS
            for day in DATES
            if random.random() < (share if measure and frequency else share / 4)
        ]

    def some(self, count: int) -> list[Row]:
        """A few rows of any kind."""
        random = self._random
        return [
            self._make(
                random.choice(MEASURES),
                random.choice(OWNERS),
                random.choice(FREQUENCIES),
                random.choice((*DATES, None)),
            )
            for _ in range(count)
        ]

    def altered(self, row: Row) -> Row:
        """The same row with another value or region."""
        if self._random.random() < 0.3:
            return row._replace(region=self._random.choice(REGIONS))
        return row._replace(measure_value=self._value())

    def _make(
        self,
        measure: str | None,
        owner: tuple[int | None, int | None],
        frequency: str | None,
        day: date | None,
    ) -> Row:
        self._last += 1
        value, region = self._value(), self._random.choice(REGIONS)
        return Row(self._last, measure, *owner, frequency, day, value, region)

    def _value(self) -> Decimal | None:
        if self._random.random() < 0.05:
            return None
        return Decimal(self._random.randrange(-100_000_00, 900_000_00)) / 100
