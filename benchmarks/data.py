"""The data that is measured on: seeded, so that every run and every machine has the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from adbc_driver_postgresql import dbapi

__all__ = ["FREQUENCIES", "PROVIDERS", "TABLE", "WHOLE", "Shape", "load", "shape_of"]

FREQUENCIES: Final = {"Monthly": 24, "Weekly": 70, "Quarterly": 8}
"""How many dates each frequency has."""

PROVIDERS: Final = 10
"""Of each practice."""

TABLE: Final = "ih.agg_app_measures"


@dataclass(frozen=True, slots=True)
class Shape:
    """How much data there is.

    Attributes:
        measures: how many.
        practices: how many, each with `PROVIDERS` providers of its own.
    """

    measures: int
    practices: int

    @property
    def rows(self) -> int:
        return self.measures * self.practices * PROVIDERS * sum(FREQUENCIES.values())

    @property
    def entries(self) -> int:
        return self.measures * self.practices * PROVIDERS * len(FREQUENCIES)


WHOLE: Final = Shape(measures=10, practices=100)


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
    "CREATE SCHEMA ih",
    """
    CREATE TABLE ih.agg_app_measures AS
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
    "CREATE INDEX ON ih.agg_app_measures (measure, frequency, practice_uid)",
    # What Postgres is at its best with: the needed columns alone, as integers, in a covering index.
    """
    CREATE TABLE ih.needed AS
    SELECT substr(measure, 9)::smallint AS measure, frequency, practice_uid, provider_uid,
           date_index - date '1970-01-01' AS day, (measure_value * 100)::bigint AS cents
    FROM ih.agg_app_measures
    """,
    """
    CREATE INDEX ON ih.needed (measure, frequency, practice_uid)
    INCLUDE (provider_uid, day, cents)
    """,
    "VACUUM ANALYZE ih.agg_app_measures",
    "VACUUM ANALYZE ih.needed",
)


def load(url: str, shape: Shape) -> None:
    """Make the tables.

    Args:
        url: of an empty database.
        shape: how much goes in.
    """
    every = {"Monthly": 30, "Weekly": 7, "Quarterly": 91}
    frequencies = ", ".join(f"('{name}', {n}, {every[name]})" for name, n in FREQUENCIES.items())
    with dbapi.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        for statement in _STATEMENTS:
            cursor.execute(
                statement.format(
                    measures=shape.measures,
                    practices=shape.practices,
                    providers=PROVIDERS,
                    frequencies=frequencies,
                )
            )
