"""The data that is measured on: seeded, so that every run and every machine has the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from adbc_driver_postgresql import dbapi

__all__ = [
    "EVERYTHING",
    "EVERYTHING_TABLE",
    "FREQUENCIES",
    "LARGE_TABLE",
    "PROVIDERS",
    "TABLE",
    "WHOLE",
    "Shape",
    "load",
    "shape_of",
]

FREQUENCIES: Final[Mapping[str, int]] = MappingProxyType(
    {"Monthly": 24, "Weekly": 70, "Quarterly": 8}
)
"""How many dates each frequency has."""

PROVIDERS: Final = 10
"""Of each practice."""

TABLE: Final = "agg_app_measures"
LARGE_TABLE: Final = "agg_app_measures_10x"
"""The same with ten times the practices."""
EVERYTHING_TABLE: Final = "everything"
"""One measure at one frequency, of which all is asked at once."""

_DAYS: Final = {"Monthly": 30, "Weekly": 7, "Quarterly": 91}
"""Between one date and the next."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How much data there is.

    Attributes:
        measures: how many.
        practices: how many.
        providers: how many each practice has of its own.
        frequencies: how many dates each frequency has.
    """

    measures: int
    practices: int
    providers: int = PROVIDERS
    frequencies: Mapping[str, int] = field(default_factory=lambda: FREQUENCIES)

    @property
    def rows(self) -> int:
        """Of the whole table."""
        return self.measures * self.practices * self.providers * sum(self.frequencies.values())

    @property
    def entries(self) -> int:
        """Of the whole table."""
        return self.measures * self.practices * self.providers * len(self.frequencies)

    def with_more_practices(self, times: int) -> Shape:
        """The same with more of them."""
        return Shape(self.measures, self.practices * times, self.providers, self.frequencies)


WHOLE: Final = Shape(measures=10, practices=100)
EVERYTHING: Final = Shape(measures=1, practices=446, providers=9, frequencies={"Weekly": 70})
"""4,014 entries of 70 rows: 281 thousand."""


def shape_of(rows: int) -> Shape:
    """The shape that comes closest to a number of rows.

    Fewer measures first: so partitions keep their size, and queries theirs. Practices go only
    below what one measure holds.
    """
    of_measure = WHOLE.rows // WHOLE.measures
    if rows >= of_measure:
        return Shape(round(rows / of_measure), WHOLE.practices)
    return Shape(1, max(1, round(rows * WHOLE.practices / of_measure)))


# Dates change slowest, as in a table that is added to day by day. What stands for chance is the
# remainder of a product by a prime: the same everywhere.
_STATEMENTS: Final = (
    """
    CREATE TABLE {table} AS
    SELECT 'Measure ' || measure AS measure,
           100 + practice AS practice_uid,
           (100 + practice) * 100 + provider AS provider_uid,
           frequency.name AS frequency,
           (date '2023-01-01' + step * frequency.every)::date AS date_index,
           (chance % 10000000 / 100.0)::numeric(14, 2) AS measure_value,
           (ARRAY['currency', 'count', 'percentage'])[measure % 3 + 1] AS measure_type,
           (chance % 5000)::integer AS numerator,
           (chance % 9000 + 1)::integer AS denominator,
           (chance % 700000 / 100.0)::numeric(14, 2) AS target,
           chance % 7 <> 0 AS is_final,
           timestamptz '2025-01-01 00:00Z' + chance % 100000 * interval '1 second' AS updated_at,
           (ARRAY['billing', 'scheduling', 'clinical', 'import'])[chance % 4 + 1] AS origin
    FROM generate_series(0, {measures} - 1) AS measure,
         generate_series(0, {practices} - 1) AS practice,
         generate_series(0, {providers} - 1) AS provider,
         (VALUES {frequencies}) AS frequency (name, dates, every),
         LATERAL generate_series(0, dates - 1) AS step,
         LATERAL (SELECT (step * 15485863::bigint + measure * 1299709 + practice * 7919
                          + provider * 104729 + dates) * 48271 % 2147483647 AS chance) AS chances
    ORDER BY step, chance
    """,
    "CREATE INDEX ON {table} (measure, frequency, practice_uid)",
    "VACUUM ANALYZE {table}",
)


def load(url: str, table: str, shape: Shape) -> None:
    """Make a table, with the index that the cache's own way to the database likes.

    Args:
        url: of the database.
        table: as ``schema.table``; the schema is there.
        shape: how much goes in.
    """
    frequencies = ", ".join(
        f"('{name}', {dates}, {_DAYS[name]})" for name, dates in shape.frequencies.items()
    )
    with dbapi.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        for statement in _STATEMENTS:
            cursor.execute(
                statement.format(
                    table=table,
                    measures=shape.measures,
                    practices=shape.practices,
                    providers=shape.providers,
                    frequencies=frequencies,
                )
            )
