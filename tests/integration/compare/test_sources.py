"""Every type of every source compares equal after a warm; a change of any column is found."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from random import Random

import duckdb
import pytest
from tests.support.caches import execute, make_cache
from tests.support.tables import Sample, quoted
from tests.support.tables_samples import SAMPLES

from warmcube.compare.report import Verdict

MAKE = """
CREATE SCHEMA ih;
CREATE TYPE mood AS ENUM ('ok', 'sad');
CREATE TABLE ih.facts AS
SELECT CASE WHEN g % 7 = 0 THEN NULL ELSE 'M:' || (g % 3) END AS measure,
       CASE WHEN g % 11 = 0 THEN NULL ELSE (100 + g % 5)::INTEGER END AS practice_uid,
       CASE WHEN g % 4 = 0 THEN NULL ELSE (g % 4)::BIGINT END AS provider_uid,
       'Monthly' AS frequency,
       CASE g % 50 WHEN 0 THEN 'infinity' WHEN 1 THEN '-infinity' WHEN 2 THEN '0044-03-15 (BC)'
           ELSE DATE '2024-01-01' + (g % 30)::INTEGER END::DATE AS date_index,
       (g * 1.25)::DECIMAL(14, 2) AS measure_value,
       (g * 170141183460469231731687303::HUGEINT)::DECIMAL(38, 0) AS huge,
       (g * 170141183460469231731687303::HUGEINT) AS whole, g::UBIGINT AS unsigned,
       (g % 200)::UTINYINT AS tiny,
       CASE g % 5 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' WHEN 2 THEN '1.7e308'
           ELSE '-0.0' END::DOUBLE AS f, (g / 3)::FLOAT AS single,
       CASE WHEN g % 2 = 0 THEN 'ok' ELSE 'sad' END::mood AS mood,
       [g, NULL] AS list, {'a': g} AS struct, g % 2 = 0 AS flag,
       TIMESTAMP '2024-01-01 10:00:00.123456' + g * INTERVAL 1 HOUR AS moment,
       CASE WHEN g = 5 THEN 'infinity' ELSE '2024-01-01 10:00:00+02' END::TIMESTAMPTZ AS instant,
       ('2024-01-01 10:00:0' || (g % 10))::TIMESTAMP_NS AS fine,
       ('2024-01-01 10:00:0' || (g % 10))::TIMESTAMP_S AS coarse,
       uuid() AS id, repeat('text ', g % 11) AS note
FROM range(600) t(g);
"""


@pytest.mark.parametrize("sample", list(SAMPLES.values()), ids=list(SAMPLES))
async def test_every_table_is_equal(
    tmp_path: Path, redis_url: str, postgres_db: str, sample: Sample
) -> None:
    """Whatever types and roles a table of Postgres has; and then one value is changed."""
    made = Sample(sample.id, sample.name, sample.columns, sample.roles, rows=400)
    made.make(Random(sample.id))
    made.load(postgres_db)
    columns = "\n".join(
        f"{role} = {'false' if name is None else repr(name)}"
        for role, name in asdict(sample.roles).items()
    )
    async with make_cache(
        tmp_path, redis_url, postgres_db, table=sample.table, columns=columns
    ) as cache:
        await cache.warm(1)
        report = await cache.verify(1, seed=1)
        assert (report.findings, report.verdict) == ((), Verdict.EQUAL)
        assert (report.rows, report.database_rows) == (400, 400)
        unique = quoted(sample.unique)
        execute(postgres_db, f"UPDATE {sample.table} SET {unique} = -7 WHERE {unique} = 7")
        report = await cache.verify(1, seed=1)
        assert report.verdict is Verdict.DIFFERS
        assert {"sum", "checksum"} <= {each.kind for each in report.findings}
        assert len({(each.measure, each.frequency) for each in report.findings}) == 1


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
async def test_files_are_equal(tmp_path: Path, redis_url: str, kind: str) -> None:
    """DuckDB's types, from a file of its own and from Parquet; and then one value is changed."""
    path = tmp_path / "facts.duckdb"
    parquet = tmp_path / "facts.parquet"
    with duckdb.connect(path) as connection:
        connection.execute(MAKE)
        connection.execute(f"COPY ih.facts TO '{parquet}'")
    url = f"duckdb:///{path}" if kind == "duckdb" else f"parquet:///{tmp_path}/*.parquet"
    table = "ih.facts" if kind == "duckdb" else "facts"
    async with make_cache(tmp_path, redis_url, url, table=table) as cache:
        await cache.warm(1)
        report = await cache.verify(1, sample=20)
        assert (report.findings, report.verdict) == ((), Verdict.EQUAL)
        assert (report.rows, report.database_rows) == (600, 600)
        assert report.slices > 5
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE ih.facts SET note = 'other' WHERE tiny = 9")
        connection.execute(f"COPY ih.facts TO '{parquet}'")
    async with make_cache(tmp_path, redis_url, url, table=table) as cache:
        report = await cache.verify(1, sample=20)
        assert report.verdict is Verdict.DIFFERS
        assert "checksum" in {each.kind for each in report.findings}
