"""DuckDB files and Parquet as sources: the same cache, compared with DuckDB's own SQL."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.support.caches import make_cache

from warmcube import Query
from warmcube.errors import SourceError

MAKE = """
CREATE SCHEMA ih;
CREATE TYPE mood AS ENUM ('ok', 'sad');
CREATE TABLE ih.facts AS
SELECT CASE WHEN g % 7 = 0 THEN NULL ELSE 'M:' || (g % 3) END AS measure,
       (100 + g % 5)::INTEGER AS practice_uid,
       CASE WHEN g % 4 = 0 THEN NULL ELSE (g % 4)::BIGINT END AS provider_uid,
       'Monthly' AS frequency, DATE '2024-01-01' + (g % 30)::INTEGER AS date_index,
       (g * 1.25)::DECIMAL(14, 2) AS measure_value,
       (g * 170141183460469231731687303::HUGEINT)::DECIMAL(38, 0) AS huge,
       (g % 200)::UTINYINT AS tiny,
       CASE g % 5 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' ELSE '-0.0' END::DOUBLE AS f,
       CASE WHEN g % 2 = 0 THEN 'ok' ELSE 'sad' END::mood AS mood,
       [g, NULL] AS list, {'a': g} AS struct, g % 2 = 0 AS flag,
       TIMESTAMP '2024-01-01 10:00:00.123456' + g * INTERVAL 1 HOUR AS moment,
       TIMESTAMPTZ '2024-01-01 10:00:00+02' + g * INTERVAL 1 HOUR AS instant,
       uuid() AS id, 'text ' || (g % 11) AS note
FROM range(600) t(g);
"""
CHARGES: dict[str, Any] = {"datasource": 1, "measure": "M:1", "frequency": "Monthly"}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A DuckDB file, and the same rows as Parquet beside it."""
    path = tmp_path / "facts.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute(MAKE)
        connection.execute(f"COPY ih.facts TO '{tmp_path}/facts.parquet'")
    return path


def expected(database: Path, where: str) -> Counter[tuple[object, ...]]:
    """What DuckDB's own SQL gives of the plain columns."""
    with duckdb.connect(database, read_only=True) as connection:
        return Counter(
            connection.execute(
                "SELECT measure, practice_uid, provider_uid, date_index, measure_value, "
                f"huge, tiny, flag, moment, note FROM ih.facts WHERE {where}"
            ).fetchall()
        )


NAMES = (
    *("measure", "practice_uid", "provider_uid", "date_index", "measure_value"),
    *("huge", "tiny", "flag", "moment", "note"),
)


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
async def test_files_are_warmed_and_read(
    tmp_path: Path, redis_url: str, database: Path, kind: str
) -> None:
    """Both kinds, in both tiers, for a super admin and an analyst."""
    urls = {
        "duckdb": (f"duckdb://{database}", "ih.facts"),
        "parquet": (f"parquet://{tmp_path}/*.parquet", "facts"),
    }
    url, table = urls[kind]
    scopes = {"root": "TRUE", "north": "practice_uid IN (101, 102, 103)"}
    async with make_cache(tmp_path, redis_url, url, table=table) as cache:
        report = await cache.warm(1)
        assert report.rows == 600
        for origin in ("store", "database"):
            for user, scope in scopes.items():
                result = await cache.query(Query(**CHARGES), await cache.authorize(user))
                assert result.meta.origin == origin
                found = Counter(tuple(row[n] for n in NAMES) for row in result.rows())
                assert found == expected(database, f"measure = 'M:1' AND {scope}")
                assert {type(row["f"]) for row in result.rows()} == {float}
                assert {row["mood"] for row in result.rows()} <= {"ok", "sad"}
            await cache.invalidate(1)


async def test_files_stay_as_they_are(tmp_path: Path, redis_url: str, database: Path) -> None:
    """A source is opened read-only: warming changes no byte of it."""
    before = database.read_bytes()  # noqa: ASYNC240
    async with make_cache(tmp_path, redis_url, f"duckdb://{database}", table="ih.facts") as cache:
        await cache.warm(1)
    assert database.read_bytes() == before  # noqa: ASYNC240


@pytest.mark.parametrize(
    ("url", "table"),
    [
        ("duckdb:///nonexistent/x.duckdb", "ih.facts"),
        ("parquet:///nonexistent/*.parquet", "facts"),
        ("duckdb://{database}", "ih.nope"),
        ("duckdb://{database}", "read_csv('/etc/passwd')"),
    ],
)
async def test_what_is_not_there_is_a_clear_error(
    tmp_path: Path, redis_url: str, database: Path, url: str, table: str
) -> None:
    """No file, no table, and no way to name another file as one."""
    url = url.replace("{database}", str(database))
    async with make_cache(tmp_path, redis_url, url, table=table) as cache:
        with pytest.raises(SourceError):
            await cache.warm(1)
