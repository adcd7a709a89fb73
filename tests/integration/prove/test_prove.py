"""The isolation kit on a table with something of everything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import pytest
import redis
from tests.integration.prove.conftest import ACCESS, TABLE
from tests.support.caches import execute, make_cache

from warmcube import AnalyticsCache
from warmcube.config import Settings, load
from warmcube.prove.html import html_page
from warmcube.prove.options import Options
from warmcube.prove.report import Report, Tally
from warmcube.prove.run import prove

pytestmark = pytest.mark.no_cover  # repeats for long what other tests cover

Prove: TypeAlias = Callable[..., Awaitable[Report]]


def dump(url: str) -> dict[bytes, tuple[bytes, Any, bool]]:
    """Every key of a Redis, with its type, its value, and whether it ends."""
    with closing(redis.Redis.from_url(url)) as client:
        readers: dict[bytes, Callable[[bytes], Any]] = {
            b"string": client.get,
            b"set": client.smembers,
            b"hash": client.hgetall,
            b"stream": client.xrange,
            b"list": lambda key: client.lrange(key, 0, -1),
        }
        found = {}
        for key in client.scan_iter():
            kind = client.type(key)
            assert isinstance(kind, bytes)
            found[key] = (kind, readers[kind](key), client.pttl(key) > 0)
        return found


async def test_nothing_is_found_and_nothing_written(prove_it: Prove, settings: Settings) -> None:
    """Users of every sort, three data sources, odd names and values: no finding, no trace."""
    url = settings.store.url.get_secret_value()
    before = dump(url)
    report = await prove_it(cases=1500)
    assert [(each.user, each.case, each.what) for each in report.findings] == []
    assert report.problems == []
    assert report.verdict == "nothing found"
    assert report.is_clean
    assert report.users == report.users_tried == 11
    assert report.total.cases >= 1500
    assert sum(report.kinds.values()) == report.total.cases
    assert report.total.from_database == report.total.unjudged == report.total.leaks_only == 0
    assert dump(url) == before
    assert len(before) > 100


async def test_the_same_seed_tries_the_same(prove_it: Prove) -> None:
    """A finding can be had again; another seed tries something else."""
    first, again, other = [await prove_it(cases=200, seed=seed) for seed in (7, 7, 8)]
    assert first.kinds == again.kinds
    assert first.total.rows == again.total.rows
    assert (first.kinds, first.total.rows) != (other.kinds, other.total.rows)


async def test_json(prove_it: Prove) -> None:
    """The report as JSON has the documented fields, and adds up."""
    found = json.loads(json.dumps((await prove_it()).as_json()))
    assert list(found) == [
        "version",
        "verdict",
        "complete",
        "stopped",
        "started",
        "seconds",
        "seed",
        "users",
        "users_tried",
        "cases_planned",
        "total",
        "gate",
        "datasources",
        "kinds",
        "findings",
        "findings_in_all",
        "notes",
    ]
    assert (found["version"], found["verdict"], found["complete"]) == (1, "clean", True)
    assert set(found["total"]) == set(Tally.__slots__)
    tallies = [each["tally"] for each in found["datasources"]]
    assert sum(each["cases"] for each in [*tallies, found["gate"]]) == found["total"]["cases"]
    for each in found["datasources"]:
        assert sum(user["cases"] for user in each["users"].values()) == each["tally"]["cases"]
        assert {"id", "name", "origin", "snapshot", "as_of", "partitions"} <= each.keys()


async def test_chosen_users_and_datasources(prove_it: Prove) -> None:
    """Only those named are tried; a user that there isn't has nothing but denials to expect."""
    report = await prove_it(datasources=[2], users=["north", "stranger"], cases=80)
    (datasource,) = report.datasources
    assert list(datasource.users) == ["north", "stranger"]
    assert datasource.users["stranger"].denied == datasource.users["stranger"].cases == 41
    assert report.is_clean


async def test_a_sample_is_told(prove_it: Prove) -> None:
    """Fewer users than there are is a thing to know."""
    report = await prove_it(sample=3)
    assert (report.users, report.users_tried) == (11, 3)
    assert report.notes == ["3 of 11 users were tried, some of every sort; --sample N tries more"]


async def test_large_partitions(prove_it: Prove, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where rows are too many, those of some practices are compared and all are counted."""
    monkeypatch.setattr("warmcube.prove.witness.MOST_ROWS", 40)
    report = await prove_it(cases=900)
    assert report.findings == []
    assert report.problems == []
    assert report.kinds["read: practices named"] > 0
    assert report.kinds["read: counts by practice and provider"] > 0


async def test_an_end_in_time(prove_it: Prove) -> None:
    """When the time is over it ends with what it has, and says so."""
    report = await prove_it(seconds=0.0)
    assert report.stopped == "0 seconds were over"
    assert not report.as_json()["complete"]
    assert not report.has_proven


async def test_a_cancellation(settings: Settings) -> None:
    """What was found so far is reported, marked as incomplete."""
    begun = asyncio.Event()

    def progress(done: int, planned: int, found: int) -> None:
        assert (found, planned >= done) == (0, True)
        if done > 150:
            begun.set()

    task = asyncio.create_task(prove(settings, Options(cases=5000), progress=progress))
    await begun.wait()
    task.cancel()
    report = await task
    assert report.stopped == "interrupted"
    assert 150 < report.total.cases < 5000
    assert "incomplete: interrupted" in report.as_json()["notes"]
    assert "incomplete: interrupted" in html_page(report)


@pytest.fixture
async def own(tmp_path: Path, redis_url: str, postgres_db: str) -> Settings:
    """One data source, of a test's own, warm."""
    execute(postgres_db, TABLE)
    cache = make_cache(tmp_path, redis_url, postgres_db, access=ACCESS, table="facts")
    async with cache:
        await cache.warm(1)
    return cache.settings


def url_of(settings: Settings) -> str:
    """Of the database."""
    return settings.sources["main"].url.get_secret_value()


async def test_the_audit_is_not_alarmed(own: Settings) -> None:
    """Whatever a proof leaves in the audit is marked as a trial, and holds no value of a row."""
    file = own.embedded_folder / "audit.jsonl"
    before = len(file.read_text().splitlines())
    assert (await prove(own, Options(cases=200), actor="ci")).is_clean
    lines = [json.loads(line) for line in file.read_text().splitlines()[before:]]
    assert {line["probe"] for line in lines} == {True}
    # A grant that is none has no actor either.
    assert {line["actor"] for line in lines} == {"ci", "unknown"}
    assert len({line["outcome"] for line in lines}) > 1
    assert "note of" not in file.read_text()


async def test_a_table_that_changed(own: Settings) -> None:
    """Partitions with other rows are judged for leaks only, which is told and proves nothing."""
    execute(url_of(own), "DELETE FROM facts WHERE measure = 'Charges' AND practice_uid = 'n1'")
    report = await prove(own, Options(cases=600))
    (datasource,) = report.datasources
    assert report.findings == []
    assert 0 < datasource.partitions_changed < datasource.partitions_tried
    assert 0 < datasource.tally.leaks_only < datasource.tally.cases
    assert any("judged for leaks only" in line for line in report.as_json()["notes"])
    assert report.is_clean

    execute(url_of(own), "DELETE FROM facts WHERE provider_uid IS NULL")
    report = await prove(own, Options(cases=100))
    assert (report.verdict, report.is_clean) == ("not proven", False)


async def test_leaks_in_a_table_that_changed(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose rows they are is judged all the same."""
    execute(url_of(own), "DELETE FROM facts WHERE provider_uid IS NULL")
    monkeypatch.setattr("warmcube.model.scope.Scope.allows", lambda *_: True)
    report = await prove(own, Options(cases=200))
    assert report.total.leaks > 0
    assert report.total.losses == report.total.differences == 0


async def test_a_value_that_changed(own: Settings) -> None:
    """As many rows with other values are a difference, and the report says what to do."""
    execute(url_of(own), "UPDATE facts SET note = note || '!' WHERE practice_uid = 's1'")
    report = await prove(own, Options(cases=300))
    assert report.total.differences > 0
    assert report.total.leaks == 0
    assert any("warm again" in line for line in report.as_json()["notes"])


async def test_a_cold_data_source(own: Settings) -> None:
    """It is no proof of the cache, unless the database is what shall be proven."""
    async with AnalyticsCache(own) as cache:
        await cache.invalidate(1)
    report = await prove(own, Options(cases=100))
    assert (report.verdict, report.is_clean) == ("not proven", False)
    (problem,) = report.problems
    assert problem == (
        "data source 1 (Facts): it is cold: `warmcube warm 1` first, or prove what the database "
        "answers with --database"
    )
    report = await prove(own, Options(cases=200, is_database=True))
    assert report.is_clean
    assert report.datasources[0].origin == "database"


async def test_an_empty_table(own: Settings) -> None:
    """Nothing to compare is nothing proven."""
    execute(url_of(own), "TRUNCATE facts")
    report = await prove(own, Options(cases=50))
    assert not report.is_clean
    assert "the table has no rows" in report.problems[0]


async def test_a_directory_that_changed(own: Settings) -> None:
    """Expectations of another directory are none: the proof is void."""
    file = own.directory_path
    text = file.read_text()

    def progress(done: int, *_: int) -> None:
        if done == 120:
            file.write_text(text.replace('id = "empty"', 'id = "empty"\npractices = ["n2"]'))

    report = await prove(own, Options(cases=100), progress=progress)
    assert not report.is_clean
    assert "the directory changed meanwhile" in report.problems[0]


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
async def test_files(kind: str, tmp_path: Path, redis_url: str) -> None:
    """DuckDB and Parquet are compared in DuckDB's SQL."""
    file = tmp_path / f"facts.{kind}"
    target = str(file) if kind == "duckdb" else ":memory:"
    with closing(duckdb.connect(target)) as connection:
        connection.execute(
            "CREATE TABLE facts AS SELECT m AS measure, p::INTEGER AS practice_uid, "
            "v::UTINYINT AS provider_uid, 'Monthly' AS frequency, "
            "TIMESTAMP '2024-01-01 00:00:00.25' + INTERVAL (d) DAY AS date_index, "
            "(d * 1.25)::DECIMAL(12,4) AS measure_value, d / 3.0::FLOAT AS share, "
            "d % 2 = 0 AS even, DATE '2024-01-01' + d::INTEGER AS day, "
            "(DATE '2024-01-01' + d::INTEGER)::TIMESTAMPTZ AS moment "
            "FROM unnest(['A', 'B:*', NULL]) a(m), unnest([101, 102, 201, NULL]) b(p), "
            "unnest([1, 2, NULL]) c(v), range(6) e(d)"
        )
        if kind == "parquet":
            connection.execute(f"COPY facts TO '{file}' (FORMAT parquet)")
    access = ACCESS.replace('"n1"', "101").replace('"n2"', "102").replace('"s1"', "201")
    access = access.replace('"00000000-0000-0000-0000-000000000001"', "1")
    cache = make_cache(tmp_path, redis_url, f"{kind}://{file}", access=access, table="facts")
    async with cache:
        await cache.warm(1)
    report = await prove(cache.settings, Options(cases=900))
    assert [(each.user, each.case, each.what) for each in report.findings] == []
    assert report.is_clean
    assert report.total.rows > 1000


async def test_servers_that_are_away(own: Settings) -> None:
    """A database that can't be asked proves nothing, and no password is told."""
    away = load(
        Path(str(own.file)),
        {"WARMCUBE_SOURCES__MAIN__URL": "postgresql://me:hunter2@127.0.0.1:1/db"},
    )
    report = await prove(replace(away, store=own.store), Options(cases=50))
    assert not report.is_clean
    assert "source 'main' can't be asked for the proof" in report.problems[0]
    assert "hunter2" not in str(report.as_json())
