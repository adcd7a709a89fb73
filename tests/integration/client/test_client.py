"""The client against a service in another process: what it gives is what the library gives."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.support.apart import served, token_of
from tests.support.caches import execute, make_cache

from warmcube import AnalyticsCache
from warmcube.client import NULL, AsyncClient, Client, Filter, Order, Query, VerifyJob, WarmJob
from warmcube.compare.report import Verdict
from warmcube.errors import (
    AccessDenied,
    InvalidFilter,
    InvalidQuery,
    LimitExceeded,
    Unauthenticated,
    UnknownColumn,
    UnknownDatasource,
    UnknownJob,
    VerifyError,
    WarmError,
)
from warmcube.query.result import Result

TABLE = """
CREATE SCHEMA ih;
CREATE TABLE ih.odd (
    measure text, practice_uid integer, provider_uid uuid, frequency text, date_index date,
    measure_value numeric(20,4), big bigint, small smallint, wide numeric(30,10), single real,
    twice double precision, flag boolean, moment timestamp, instant timestamptz, note text,
    document jsonb
);
INSERT INTO ih.odd
SELECT 'Charges', 101 + i % 3,
       ('00000000-0000-0000-0000-0000000000' || lpad(to_hex(i), 2, '0'))::uuid,
       'Monthly', DATE '2024-01-01' + i, i::numeric / 7, 9007199254740993 + i, i, i::numeric / 3,
       i / 3.0, i / 7.0, i % 2 = 0, TIMESTAMP '2024-01-01 10:00:00.25' + i * INTERVAL '1 hour',
       TIMESTAMPTZ '2024-01-01 10:00:00+02' + i * INTERVAL '1 minute', 'note ' || i || ' ü',
       '{"a": 1}'
FROM generate_series(0, 40) i;
INSERT INTO ih.odd VALUES
    ('Charges', 101, NULL, 'Monthly', 'infinity', 'NaN', NULL, NULL, NULL, 'NaN', '-Infinity',
     NULL, '-infinity', 'infinity', '', NULL),
    ('Charges', 101, NULL, 'Monthly', '0044-03-15 BC', NULL, -9223372036854775808, -32768,
     '-12345678901234567890.0123456789', '-0', '-0', true, '0044-03-15 12:00:00 BC',
     '12024-01-01 00:00:00+00', NULL, 'null'),
    (NULL, 102, NULL, 'Monthly', '2024-01-01', 1, 1, 1, 1, 1, 1, true, NULL, NULL, 'x', NULL);
"""

ACCESS = """
[roles]
super_admin = ["analytics:read:all", "analytics:export:all", "cache:manage:all"]
org_analyst = ["analytics:read:organization"]
[[organizations]]
id = "north"
name = "North Group"
practices = [101, 102]
[[users]]
id = "root"
roles = ["super_admin"]
[[users]]
id = "north"
roles = ["org_analyst"]
organizations = ["north"]
"""
CHARGES = Query(datasource=1, measure="Charges", frequency="Monthly")


def charges(**fields: Any) -> Query:
    """The charges, narrowed."""
    return Query(datasource=1, measure="Charges", frequency="Monthly", **fields)


QUERIES = {
    "all": charges(order_by=["instant", "big"]),
    "none": charges(practices=[]),
    "some": charges(practices=[101], start=date(2024, 1, 5), end="2024-01-20", order_by=["-big"]),
    "sum": charges(group_by=["practice_uid"], aggregate="sum", order_by=["practice_uid"]),
    "average": charges(
        group_by=["flag"],
        aggregate="avg",
        order_by=[Order("flag", descending=True)],
        where=[Filter("date_index", "between", [date(2024, 1, 1), date(2024, 12, 31)])],
    ),
    "odd": charges(where=[Filter("date_index", "gt", date(2030, 1, 1))], limit=5),
    "exact": charges(where=[Filter("wide", "lt", Decimal("-1E+19"))]),
    "one": charges(where=[Filter("note", "in", ("note 1 ü", ""))], order_by=["note"]),
    "no measure": Query(datasource=1, measure=NULL, frequency="Monthly"),
    "organization": charges(organization="north", order_by=["big"]),
}


@pytest.fixture(scope="module")
def odd(postgres_module_db: str) -> str:
    """A database with the table of odd values."""
    execute(postgres_module_db, TABLE)
    return postgres_module_db


@pytest.fixture
async def cache(tmp_path: Path, redis_url: str, odd: str) -> AsyncIterator[AnalyticsCache]:
    """The library on the same servers, warm."""
    opened = make_cache(tmp_path, redis_url, odd, access=ACCESS, table="ih.odd")
    async with opened as cache:
        await cache.warm(1)
        yield cache


@pytest.fixture
def address(cache: AnalyticsCache, tmp_path: Path) -> Iterator[str]:
    """A service's address."""
    with served(tmp_path / "warmcube.toml") as url:
        yield url


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    """Who may see everything."""
    with Client(address, token=token_of("root")) as opened:
        yield opened


def same(value: Any) -> Any:
    """A value so that NaN is equal to itself, and 0 isn't -0."""
    return (type(value), str(value))


def comparable(rows: list[dict[str, Any]]) -> list[list[tuple[str, Any]]]:
    """Rows whose values compare."""
    return [[(name, same(value)) for name, value in row.items()] for row in rows]


async def test_answers_are_those_of_the_library(cache: AnalyticsCache, address: str) -> None:
    """Rows, frames, tables and meta, for two users, one by one and in one read."""
    for user in ("root", "north"):
        grant = await cache.authorize(user)
        async with AsyncClient(address, token=token_of(user)) as client:
            for query in QUERIES.values():
                ours, theirs = await client.query(query), await cache.query(query, grant)
                assert comparable(ours.rows()) == comparable(theirs.rows())
                assert ours.to_arrow().schema.equals(theirs.to_arrow().schema)
                assert ours.to_polars().equals(theirs.to_polars())
                assert (ours.meta.snapshot, ours.meta.as_of, ours.meta.rows) == (
                    theirs.meta.snapshot,
                    theirs.meta.as_of,
                    theirs.meta.rows,
                )


async def test_a_batch_is_answered_as_each_of_its_queries(
    cache: AnalyticsCache, address: str
) -> None:
    """One request, one snapshot; an error stands in the place of its query."""
    for user in ("root", "north"):
        grant = await cache.authorize(user)
        async with AsyncClient(address, token=token_of(user)) as client:
            queries = [*QUERIES.values(), charges(practices=[103]), charges(order_by=["nothing"])]
            ours = await client.query_many(queries)
            theirs = await cache.query_many(queries, grant)
        for our, their in zip(ours, theirs, strict=True):
            assert type(our) is type(their)
            if isinstance(our, Result) and isinstance(their, Result):
                assert comparable(our.rows()) == comparable(their.rows())
                assert our.meta.snapshot == their.meta.snapshot
            else:
                assert str(our) == str(their)
    with Client(address, token=token_of("root")) as blocking:
        (only,) = blocking.query_many([CHARGES])
        assert isinstance(only, Result)
        assert blocking.query_many([]) == []
        with pytest.raises(LimitExceeded, match="batch"):
            blocking.query_many([CHARGES] * 101)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "arrow", "parquet"])
async def test_an_export_is_the_file_of_the_library(
    cache: AnalyticsCache, address: str, tmp_path: Path, kind: Any
) -> None:
    """Byte for byte where the format is made so, else value for value."""
    grant = await cache.authorize("root")
    stream = await cache.export_stream(CHARGES, grant, kind)
    expected = b"".join([data async for data in stream])
    async with AsyncClient(address, token=token_of("root")) as client:
        path = await client.export(CHARGES, tmp_path / f"a.{kind}", kind)
    with Client(address, token=token_of("root")) as blocking:
        again = blocking.export(CHARGES, tmp_path / f"b.{kind}", kind)
        safe = blocking.export(CHARGES, tmp_path / f"c.{kind}", kind, spreadsheet=True)
    for written in (path, again, *([safe] if kind != "csv" else [])):
        if kind == "parquet":
            found, wanted = pq.read_table(written), pq.read_table(io.BytesIO(expected))
            assert found.schema.equals(wanted.schema)
            assert comparable(found.to_pylist()) == comparable(wanted.to_pylist())
        else:
            assert written.read_bytes() == expected
    with Client(address, token=token_of("north")) as analyst, pytest.raises(AccessDenied):
        analyst.export(CHARGES, tmp_path / "denied", kind)
    assert not (tmp_path / "denied").exists()


async def test_lists_are_those_of_the_library(cache: AnalyticsCache, address: str) -> None:
    """Values of every column, measures, data sources and organizations."""
    grant = await cache.authorize("north")
    async with AsyncClient(address, token=token_of("north")) as client:
        names = (await cache.query(CHARGES, grant)).columns
        for column in names:
            narrowing: Any = (
                {}
                if column in ("measure", "frequency")
                else {
                    "measure": "Charges",
                    "frequency": "Monthly",
                }
            )
            ours = await client.values(1, column, **narrowing)
            theirs = await cache.values(1, column, grant, **narrowing)
            assert list(map(same, ours)) == list(map(same, theirs))
            assert ours.has_null == theirs.has_null
            assert ours.result.to_polars().equals(theirs.result.to_polars())
        narrowed = await client.values(
            1, "note", measure="Charges", frequency="Monthly", practices=[]
        )
        assert list(narrowed) == []
        measures = await client.measures(1)
        expected = await cache.measures(1, grant)
        assert measures == expected
        assert measures.result.to_polars().equals(expected.result.to_polars())
        assert await client.organizations() == cache.organizations(grant)
        (datasource,) = await client.datasources()
        (configured,) = cache.open_datasources(grant)
        assert (datasource.id, datasource.name, datasource.time_zone, datasource.roles) == (
            configured.id,
            configured.name,
            configured.time_zone,
            configured.roles,
        )


def test_errors_are_those_of_the_library(client: Client, address: str) -> None:
    """Each with the words of the service."""
    with pytest.raises(UnknownDatasource):
        client.query(Query(datasource=7))
    with pytest.raises(UnknownColumn):
        client.query(charges(order_by=["nothing"]))
    with pytest.raises(InvalidFilter):
        client.query(charges(where=[Filter("big", "eq", "x")]))
    with pytest.raises(InvalidQuery):
        client.query(charges(aggregate="median"))
    with pytest.raises(LimitExceeded, match="limits"):
        client.query(charges(practices=list(range(20_000))))
    with Client(address, token=token_of("north")) as analyst, pytest.raises(AccessDenied):
        analyst.query(charges(practices=[103]))
    with Client(address, token=token_of("stranger")) as stranger, pytest.raises(AccessDenied):
        stranger.query(CHARGES)
    with Client(address) as nobody, pytest.raises(Unauthenticated):
        nobody.query(CHARGES)


def test_whoever_looks_after_the_cache(client: Client, address: str) -> None:
    """Warm and follow, figures, health, invalidate; and who may not."""
    heard: list[WarmJob] = []
    (job,) = client.warm(1)
    assert (job.datasource, job.has_ended) == (1, False)
    report = client.wait(job, progress=heard.append)
    assert (report.rows, report.datasource) == (44, 1)
    assert (heard[-1].state, heard[-1].done, heard[-1].id) == ("done", 1.0, job.id)
    assert [each.done for each in heard] == sorted(each.done for each in heard)
    assert client.job(job.id) == heard[-1]
    (stats,) = client.stats()
    assert (stats.state, stats.rows, stats.snapshot) == ("fresh", 44, report.snapshot)
    assert client.stats(1)[0].datasource == 1
    assert client.health()["datasources"][0]["state"] in ("excellent", "good")
    (warming,) = client.warming(1)
    assert warming["history"][0]["id"] == job.id
    (named,) = client.warm(1, measures=["Charges"])
    refreshed = client.wait(named)
    assert (refreshed.because, refreshed.refreshed) == ("", len(refreshed.names["refreshed"]))
    assert refreshed.carried == report.partitions - refreshed.refreshed
    (nowhere,) = client.warm(1, frequencies=[NULL, "nowhere"])
    with pytest.raises(WarmError, match=r"nowhere|NULL"):
        client.wait(nowhere)
    (again,) = client.warm(1, changed=True)
    assert client.wait(again).rows == 44
    seen: list[VerifyJob] = []
    (verifying,) = client.verify(1, sample=5, seed=3)
    verified = client.wait_verified(verifying, progress=seen.append)
    assert (verified.verdict, verified.rows, verified.findings) == (Verdict.EQUAL, 44, ())
    assert (verified.seed, verified.is_equal) == (3, True)
    assert client.verification(verifying.id) == seen[-1]
    assert (seen[-1].state, seen[-1].sample) == ("done", 5)
    (verifications,) = client.verifying(1)
    assert verifications["history"][0]["id"] == verifying.id
    assert client.verifying() == (verifications,)
    (gone,) = client.invalidate(1)
    assert (gone.datasource, gone.was_live) == (1, True)
    (nothing,) = client.verify(1)
    with pytest.raises(VerifyError, match="is cold"):
        client.wait_verified(nothing.id)
    assert client.stats(1)[0].state == "cold"
    with pytest.raises(UnknownJob):
        client.job("1-0000000000000000")
    with pytest.raises(UnknownDatasource):
        client.invalidate(7)
    with Client(address, token=token_of("north")) as analyst:
        for call in (analyst.stats, analyst.health, analyst.warming, analyst.verifying):
            with pytest.raises(AccessDenied):
                call()
        for change in (analyst.warm, analyst.invalidate, analyst.verify):
            with pytest.raises(AccessDenied):
                change("all")


def test_a_warm_that_fails_says_why(client: Client, odd: str) -> None:
    """Somebody else's is told apart; the error of a job comes out of waiting for it."""
    execute(odd, "ALTER TABLE ih.odd RENAME TO gone")
    try:
        (job,) = client.warm(1)
        with pytest.raises(WarmError, match=rf"job {job.id} is failed: TableMismatch: .*ih\.odd"):
            client.wait(job)
    finally:
        execute(odd, "ALTER TABLE ih.gone RENAME TO odd")
