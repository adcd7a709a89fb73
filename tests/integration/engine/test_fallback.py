"""What users get while the store or the database is silent, gone, or says that it can't."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.caches import ACCESS, TABLE, execute, select
from tests.support.fallback import (
    CHARGES,
    SEEN,
    SLACK,
    a_cache,
    frozen,
    until,
    waiting_for_flights,
)
from tests.support.own_redis import OwnRedis, own_redis
from tests.support.sampler import DatabaseSampler

from warmcube import AnalyticsCache, Filter, Query
from warmcube.access.grant import Grant
from warmcube.embedded import EmbeddedPostgres
from warmcube.errors import (
    AccessDenied,
    LimitExceeded,
    Overloaded,
    QueryTimeout,
    SourceUnavailable,
)
from warmcube.query.result import Result

STEP = 0.9
"""More than what users have: a busy machine mustn't look like a frozen server."""
MEASURES = ("Charges", "A/R > 90 days: {net} 100%")
EXPORTING = ACCESS.replace('"analytics:read:all"', '"analytics:read:all", "analytics:export:all"')
FREQUENCIES = ("Monthly", "Weekly")


@pytest.fixture(autouse=True)
def _steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a step may take is what these tests are about."""
    monkeypatch.setattr("warmcube.store.paced.STEP_SECONDS", STEP)
    monkeypatch.setattr("warmcube.store.probe.PROBE_SECONDS", 0.25)


@pytest.fixture(scope="module")
def facts(postgres_module_db: str) -> str:
    """A database with the table."""
    execute(postgres_module_db, TABLE)
    return postgres_module_db


@pytest.fixture
def server(tmp_path: Path, redis_executable: Path | None) -> Iterator[OwnRedis]:
    """A Redis of this test's own."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with own_redis(folder, redis_executable) as started:
        yield started


def a_query(chance: random.Random) -> tuple[Query, str]:
    """A query, and the condition that says in SQL what it asks for."""
    measure, frequency = chance.choice(MEASURES), chance.choice(FREQUENCIES)
    told = f"measure = '{measure}' AND frequency = '{frequency}'"
    where = []
    if chance.random() < 0.5:
        providers = chance.sample(range(1, 5), 2)
        where.append(Filter("provider_uid", "in", providers))
        told += f" AND provider_uid IN ({', '.join(map(str, providers))})"
    query = Query(
        datasource=1,
        measure=measure,
        frequency=frequency,
        where=where,
        group_by=["date_index"],
        aggregate="sum",
    )
    return query, told


def by_date(facts: str, user: str, told: str) -> dict[Any, Any]:
    """What a query has to give a user, by the database."""
    found = select(
        facts,
        "SELECT date_index, sum(measure_value) FROM ih.facts "
        f"WHERE {told} AND {SEEN[user]} GROUP BY date_index",
    )
    return {date: None if total is None else Decimal(str(total)) for date, total in found}


def figures(result: Result) -> dict[Any, Any]:
    """The same, as it was answered."""
    return {row["date_index"]: row["sum"] for row in result.rows()}


async def ask(cache: AnalyticsCache, query: Query, grant: Grant) -> tuple[Result, float]:
    """An answer, and how long it took."""
    began = time.monotonic()
    return await cache.query(query, grant), time.monotonic() - began


async def test_without_redis_the_database_answers_all_within_its_bound(
    tmp_path: Path, server: OwnRedis, facts: str
) -> None:
    """A hundred clients with their own rights and random questions, while Redis dies under them.

    Each has what SQL says, in time; the database never has more readers than it may, as it counts
    them itself; and as soon as Redis is back, it answers again.
    """
    chance = random.Random(7)
    async with a_cache(tmp_path, server.url, facts, cache__fallback_slots=3) as (cache, gate):
        await cache.warm(1)
        gate.most = 0
        users = list(SEEN)
        grants = {user: await cache.authorize(user) for user in users}
        questions = [(chance.choice(users), *a_query(chance)) for _ in range(100)]
        expected = {(user, told): by_date(facts, user, told) for user, _, told in questions}
        origins: set[str] = set()
        times: list[float] = []

        async def client(number: int) -> None:
            for turn in range(4):
                user, query, told = questions[(number + 17 * turn) % len(questions)]
                while True:
                    try:
                        result, took = await ask(cache, query, grants[user])
                        break
                    except Overloaded as error:  # as a client of the service does
                        await asyncio.sleep(min(error.retry_after, 0.1))
                assert figures(result) == expected[user, told]
                origins.add(result.meta.origin)
                times.append(took)

        clients = [asyncio.create_task(client(number)) for number in range(100)]
        await asyncio.sleep(0.02)
        server.kill()
        with DatabaseSampler(facts) as sampler:
            await asyncio.gather(*clients)
        assert "database" in origins
        assert gate.most <= 3
        assert len(sampler.most) <= 3, sampler.most
        assert statistics.quantiles(times, n=100)[-1] < 10
        assert max(times) < 10 + SLACK
        assert cache._parts.answerer._falling_back.taken == 0
        server.start()
        assert await until(lambda: not cache.store.down()) < 1 + SLACK
        await cache.warm(1)
        assert (await cache.query(CHARGES, grants["root"])).meta.origin == "store"


async def test_a_frozen_redis_costs_nobody_more_than_a_step(
    tmp_path: Path, server: OwnRedis, facts: str
) -> None:
    """The first wait for 250 ms, later ones not at all; all are right, and then it is used."""
    async with a_cache(tmp_path, server.url, facts) as (cache, _):
        await cache.warm(1)
        north = await cache.authorize("north")
        assert (await cache.query(CHARGES, north)).meta.origin == "store"
        server.freeze()
        first = await asyncio.gather(*[ask(cache, CHARGES, north) for _ in range(8)])
        later = [await ask(cache, CHARGES, north) for _ in range(8)]
        server.thaw()
        assert {result.meta.origin for result, _ in first + later} == {"database"}
        assert {result.rows()[0]["count"] for result, _ in first + later} == {3 * 5 * 6}
        assert max(took for _, took in first) < 0.25 + SLACK
        assert min(took for _, took in later) < 0.25
        assert await until(lambda: not cache.store.down()) < 1 + SLACK
        assert (await cache.query(CHARGES, north)).meta.origin == "store"


async def test_with_both_down_there_is_a_clear_error_at_once(
    tmp_path: Path, server: OwnRedis, facts: str
) -> None:
    """Of the database, which would have answered; single, in a batch, exported, for the columns.

    At once is under a second, as soon as it is known that Redis is dead.
    """
    nowhere = "postgresql://nobody@127.0.0.1:1/none"
    async with a_cache(tmp_path, server.url, nowhere, access=EXPORTING) as (cache, _):
        north, root = await cache.authorize("north"), await cache.authorize("root")
        server.kill()
        with pytest.raises(SourceUnavailable, match="can't be reached"):
            await cache.query(CHARGES, north)
        await until(lambda: bool(cache.store.down()))
        took = []
        for turn in range(24):
            began = time.monotonic()
            error: object = None
            if turn % 4 == 1:
                (error,) = await cache.query_many([CHARGES], north)
            else:
                with pytest.raises(SourceUnavailable, match="can't be reached") as caught:
                    await (
                        cache.query(CHARGES, north)
                        if turn % 4 == 0
                        else cache.schema(1, north)
                        if turn % 4 == 2
                        else cache.export_stream(replace(CHARGES, aggregate=None), root, "csv")
                    )
                error = caught.value
            took.append(time.monotonic() - began)
            assert isinstance(error, SourceUnavailable)
        assert statistics.median(took) < 1
        assert max(took) < 1 + SLACK


@pytest.mark.parametrize("was_used", [False, True])
async def test_a_database_that_hangs_holds_up_only_the_first(
    tmp_path: Path, server: OwnRedis, *, was_used: bool
) -> None:
    """Connections that hang aren't waited for again and again, nor is one that was open before.

    As soon as it is there again, it answers.
    """
    server.kill()
    with EmbeddedPostgres(tmp_path / "postgres") as postgres:
        execute(postgres.url, TABLE)
        settings: dict[str, Any] = {"cache__query_timeout": 5000}
        async with a_cache(tmp_path, server.url, postgres.url, **settings) as (cache, _):
            north = await cache.authorize("north")
            if was_used:
                await cache.query(CHARGES, north)
            with frozen(postgres):
                with pytest.raises((SourceUnavailable, QueryTimeout)):
                    await cache.query(CHARGES, north)
                began = time.monotonic()
                for _ in range(5):
                    with pytest.raises(SourceUnavailable, match="source 'main'"):
                        await cache.query(CHARGES, north)
                assert time.monotonic() - began < 1 + SLACK
            guard = cache._parts.answerer.shared.guard("main")
            await until(lambda: not guard._breaker.is_open)
            assert (await cache.query(CHARGES, north)).rows() == [{"count": 3 * 5 * 6}]


async def test_those_who_ask_the_same_share_a_read(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """Two dozen clients of three scopes are three statements, whatever each makes of the rows."""
    async with a_cache(tmp_path, redis_url, facts) as (cache, gate):
        grants = [await cache.authorize(user) for user in ("root", "north", "provider")]
        await cache.query(CHARGES, grants[0])
        gate.opened = gate.most = 0
        gate.open.clear()
        settings = [replace(CHARGES, aggregate=how) for how in ("count", "sum", "min", "max")]
        asked = [
            asyncio.create_task(cache.query(settings[n % 4], grants[n % 3])) for n in range(24)
        ]
        await until(lambda: gate.inside == 3 and waiting_for_flights(cache) == 24)
        gate.open.set()
        found = await asyncio.gather(*asked)
        assert gate.opened == 3
        for n, result in enumerate(found):
            how = settings[n % 4].aggregate
            user = ("root", "north", "provider")[n % 3]
            expected = select(
                facts,
                f"SELECT {how}(measure_value)::text FROM ih.facts WHERE measure = 'Charges' "
                f"AND frequency = 'Monthly' AND {SEEN[user]}",
            )
            assert [(str(row[str(how)]),) for row in result.rows()] == expected


async def test_another_scope_is_another_read(tmp_path: Path, redis_url: str, facts: str) -> None:
    """The same words of two users are the same question only if both may see the same rows."""
    async with a_cache(tmp_path, redis_url, facts) as (cache, gate):
        north, provider = await cache.authorize("north"), await cache.authorize("provider")
        await cache.query(CHARGES, north)
        gate.opened = 0
        gate.open.clear()
        asked = [
            cache.query(CHARGES, north),
            cache.query(CHARGES, provider),
            cache.query(replace(CHARGES, practices=[101, 102, 103]), north),  # all that they have
            cache.query(replace(CHARGES, practices=[102]), north),
            cache.query(replace(CHARGES, practices=[110]), north),
        ]
        tasks = [asyncio.create_task(each) for each in asked]
        await until(lambda: gate.inside == 3)
        gate.open.set()
        *found, denied = await asyncio.gather(*tasks, return_exceptions=True)
        assert [each.rows()[0]["count"] for each in found if isinstance(each, Result)] == [
            3 * 5 * 6,
            3 * 6,
            3 * 5 * 6,
            5 * 6,
        ]
        assert isinstance(denied, AccessDenied)
        assert gate.opened == 3


async def test_who_gives_up_takes_nothing_away(tmp_path: Path, redis_url: str, facts: str) -> None:
    """The read goes on for the others; when nobody waits it ends, and its place is free."""
    async with a_cache(tmp_path, redis_url, facts) as (cache, gate):
        root, north = await cache.authorize("root"), await cache.authorize("north")
        await cache.query(CHARGES, root)
        gate.opened = 0
        gate.open.clear()
        first, second = (asyncio.create_task(cache.query(CHARGES, root)) for _ in range(2))
        await until(lambda: gate.inside == 1 and waiting_for_flights(cache) == 2)
        first.cancel()
        await asyncio.wait([first])
        assert (first.cancelled(), gate.inside) == (True, 1)
        gate.open.set()
        assert (await second).rows() == [{"count": 12 * 5 * 6 + 1}]
        assert gate.opened == 1
        gate.open.clear()
        alone = asyncio.create_task(cache.query(CHARGES, north))
        await until(lambda: gate.inside == 1)
        alone.cancel()
        await until(lambda: gate.inside == 0)
        assert cache._parts.answerer._falling_back.taken == 0
        assert cache._parts.answerer.shared.flights == 0


async def test_a_right_that_ends_while_others_wait_ends_for_one(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """Whoever shares a read has their own grant looked at again before they get anything."""
    async with a_cache(tmp_path, redis_url, facts) as (cache, gate):
        root, north = await cache.authorize("root"), await cache.authorize("north")
        question = replace(CHARGES, practices=[101, 102, 103])
        await cache.query(question, root)
        gate.opened = 0
        gate.open.clear()
        asked = [asyncio.create_task(cache.query(question, each)) for each in (root, north)]
        await until(lambda: gate.inside >= 1)
        access = (tmp_path / "access.toml").read_text()
        (tmp_path / "access.toml").write_text(
            access.replace('id = "north"\nroles', 'id = "north"\nactive = false\nroles')
        )
        await asyncio.sleep(1.2)  # the directory's age
        gate.open.set()
        kept, denied = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(kept, Result)
        assert isinstance(denied, AccessDenied)


async def test_a_query_ends_at_its_deadline(tmp_path: Path, redis_url: str, facts: str) -> None:
    """With an error that says how long it had, and what it was at."""
    async with a_cache(tmp_path, redis_url, facts) as (cache, gate):
        root = await cache.authorize("root")
        await cache.query(CHARGES, root)
        gate.open.clear()
        answerer = cache._parts.answerer
        answerer._seconds = answerer.shared._seconds = 0.3
        began = time.monotonic()
        with pytest.raises(QueryTimeout, match=r"0\.3 s .*while reading the database"):
            await cache.query(CHARGES, root)
        (error,) = await cache.query_many([CHARGES], root)
        assert isinstance(error, QueryTimeout)
        assert time.monotonic() - began < 0.6 + SLACK
        await until(lambda: gate.inside == 0)
        gate.open.set()
        answerer._seconds = answerer.shared._seconds = 10.0
        assert (await cache.query(CHARGES, root)).rows() == [{"count": 12 * 5 * 6 + 1}]


async def test_a_slice_too_large_for_the_process_is_an_error(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """That names the limit; what the cache answers has another one."""
    settings: dict[str, Any] = {"limits__fallback_rows": 100}
    async with a_cache(tmp_path, redis_url, facts, **settings) as (cache, _):
        root, north = await cache.authorize("root"), await cache.authorize("north")
        assert (await cache.query(CHARGES, north)).rows() == [{"count": 3 * 5 * 6}]
        with pytest.raises(LimitExceeded, match="fallback_rows = 100 rows"):
            await cache.query(CHARGES, root)
        two = [CHARGES, replace(CHARGES, frequency="Weekly")]
        found = await cache.query_many(two, north)
        assert [type(each) for each in found] == [LimitExceeded] * 2
        await cache.warm(1)
        assert (await cache.query(CHARGES, root)).rows() == [{"count": 12 * 5 * 6 + 1}]


async def test_columns_that_change_under_a_read_are_read_anew(
    tmp_path: Path, redis_url: str, postgres_db: str
) -> None:
    """A column that is added can be asked for, and one that is dropped is an error, while cold."""
    execute(postgres_db, TABLE)
    async with a_cache(tmp_path, redis_url, postgres_db) as (cache, _):
        root = await cache.authorize("root")
        rows = replace(CHARGES, aggregate=None, practices=[101], providers=[1])
        assert len((await cache.query(rows, root)).rows()) == 6 + 1
        execute(postgres_db, "ALTER TABLE ih.facts ADD COLUMN more integer DEFAULT 5")
        found = (await cache.query(rows, root)).rows()
        assert {row["more"] for row in found} == {5}
        grouped = replace(CHARGES, group_by=["more"])
        assert (await cache.query(grouped, root)).rows() == [{"more": 5, "count": 361}]
        execute(postgres_db, "ALTER TABLE ih.facts DROP COLUMN more")
        with pytest.raises(Exception, match="more"):
            await cache.query(grouped, root)
        assert len((await cache.query(rows, root)).rows()) == 6 + 1


async def test_a_wrong_password_is_told_and_the_database_answers(
    tmp_path: Path, server: OwnRedis, facts: str
) -> None:
    """Nothing is taken for damage, and nothing for a server that is gone."""
    async with a_cache(tmp_path, server.url, facts) as (cache, _):
        await cache.warm(1)
        north = await cache.authorize("north")
        with server.client() as client:
            client.config_set("requirepass", "right")
            client.client_kill_filter(_type="normal", skipme=True)
        result = await cache.query(CHARGES, north)
        assert (result.meta.origin, result.rows()) == ("database", [{"count": 3 * 5 * 6}])
        assert "can't answer" in result.meta.notes[0]
        assert not cache.store.down()
        (store,) = [each for each in await cache.readiness.parts() if each.name == "store"]
        assert not store.is_ready
