"""The comparison with SQL on tables as people have them: every entry has the same dates.

Reads that know so take ways of their own (see `warmcube.model.columns.Factor`), which random dates
never enter. So do panels that are nearly regular, which must not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

import pytest
from adbc_driver_postgresql import dbapi
from tests.support import tables_values as fill
from tests.support.caches import hold_partitions
from tests.support.generate_people import make_people
from tests.support.oracle_sql import OracleSql
from tests.support.oracle_trial import Servers, Trial, open_caches
from tests.support.tables import Fill, Sample, SampleColumn
from tests.support.tables_samples import PRACTICES

from warmcube.model.schema import Kind
from warmcube.query import known, loading
from warmcube.warm import sums

pytestmark = pytest.mark.no_cover  # repeats for long what other tests cover

PAIRS: Final = 100
Dates = list[str | None]

DAYS: Final = ("2024-01-01", "2024-02-01", "2024-02-29", "2023-05-01", "infinity", "-infinity")
VALUES: Final[dict[str, tuple[str, Kind, Fill]]] = {
    "numeric(14,2)": ("integer", Kind.NUMERIC, fill.numerics(12, 2)),
    "bigint": ("integer", Kind.BIGINT, fill.near(2**62)),
    "double precision": ("text", Kind.DOUBLE, fill.summable_doubles),
}
"""By type of the value column: the type of ids, and how values are made."""


def _dates(measure: str, practice: int, provider: int) -> Dates:
    """The dates of an entry."""
    days: Dates = list(DAYS[:5])
    if measure == "one entry lacks one" and (practice, provider) == (3, 2):
        return days[:4]
    if measure == "two patterns" and practice % 2:
        return list(DAYS[1:])
    odd: dict[str, Dates] = {
        "one is NULL": [*days[:4], None],
        "all are NULL": [None, None],
        "one": days[:1],
        "each twice": [day for day in days for _ in range(2)],
    }
    return odd.get(measure, days)


MEASURES: Final = (
    "regular",
    "one is NULL",
    "all are NULL",
    "one",
    "one entry lacks one",
    "each twice",
    "two patterns",
)


def _panel(random: Random, value: str) -> Sample:
    """A table of all these measures; some rows have no practice, provider or value."""
    ids, kind, make = VALUES[value]
    id_kind = Kind(ids)
    practices = [each for each in fill.ids("practice", id_kind, PRACTICES) if each][:9]
    providers = [each for each in fill.ids("provider", id_kind, 5) if each][:4]

    def column(name: str, sql: str, kind: Kind, fill_with: Sequence[str]) -> SampleColumn:
        return SampleColumn(name, sql, kind, lambda random: random.choice(fill_with))

    sample = Sample(
        1,
        "panel",
        (
            column("row_id", "bigint", Kind.BIGINT, ["0"]),
            column("measure", "text", Kind.TEXT, MEASURES),
            column("practice_uid", ids, id_kind, practices),
            column("provider_uid", ids, id_kind, providers),
            column("frequency", "text", Kind.TEXT, ["Monthly"]),
            column("date_index", "date", Kind.DATE, DAYS),
            SampleColumn("measure_value", value, kind, make),
            column("note", "text", Kind.TEXT, fill.NASTY),
        ),
    )
    for measure in MEASURES:
        for at, practice in enumerate([*practices, None]):
            for place, provider in enumerate([*providers, None]):
                for day in _dates(measure, at, place):
                    some = make(random) if random.random() < 0.9 else None
                    note = random.choice(fill.NASTY)
                    row = (measure, practice, provider, "Monthly", day, some, note)
                    sample.data.append((str(len(sample.data)), *row))
    random.shuffle(sample.data)
    return sample


@pytest.mark.parametrize("value", VALUES)
async def test_panels_are_answered_as_sql_does(
    redis_url: str, postgres_db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """Each is asked twice of the same process: the second time, its index is known."""
    monkeypatch.setattr(sums, "LEAST_SAVING", 1)
    monkeypatch.setattr(loading, "PIECE", 7)  # so that a partition is loaded in several
    monkeypatch.setattr(known, "MOST_SCOPES", 3)
    random = Random(value)
    sample, people = _panel(random, value), make_people(random)
    sample.load(postgres_db)
    async with open_caches(sample, people, Servers(redis_url, postgres_db, tmp_path)) as caches:
        report = await caches["store"].warm(sample.id)
        assert report.rows == len(sample.data)
        assert await hold_partitions(caches["partitions"], sample.id) == len(MEASURES)
        connected = dbapi.connect(postgres_db, autocommit=True)
        with connected as connection, connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'")
            trial = Trial(sample, people, caches, OracleSql(sample), cursor)
            for number in range(PAIRS):
                for _ in range(2):
                    wrong = await trial.run(Random(f"{value} {number}"), number)
                    assert wrong is None, wrong
    assert trial.tally["with rows"] > PAIRS / 2, trial.tally
    assert trial.tally["evaluated from partitions"] > PAIRS / 4, trial.tally
