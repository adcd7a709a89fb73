"""What happens around a query: snapshots that move, age and break; statistics that say so."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio as redis
from tests.support.caches import ACCESS, TABLE, execute, make_cache

from warmcube import AnalyticsCache, Filter, Query
from warmcube.errors import ConfigError
from warmcube.query import answer
from warmcube.query.result import Result

CHARGES: dict[str, Any] = {"datasource": 1, "measure": "Charges", "frequency": "Monthly"}


@pytest.fixture(scope="module")
def facts(postgres_module_db: str) -> str:
    """A database with the table."""
    execute(postgres_module_db, TABLE)
    return postgres_module_db


@pytest.fixture
async def cache(tmp_path: Path, redis_url: str, facts: str) -> AsyncIterator[AnalyticsCache]:
    """A warm cache."""
    async with make_cache(tmp_path, redis_url, facts) as made:
        await made.warm(1)
        yield made


async def ask(cache: AnalyticsCache, user: str = "root", **query: Any) -> Result:
    """What a user is answered."""
    return await cache.query(Query(**(CHARGES | query)), await cache.authorize(user))


@pytest.mark.parametrize(
    "setting", ["CACHE__MAX_POINTER_AGE=0", "CACHE__RESIDENT_BYTES=0"], ids=["resident", "store"]
)
async def test_a_rewarm_by_another_process_is_noticed(
    tmp_path: Path, redis_url: str, facts: str, setting: str
) -> None:
    """The next answer is of the new snapshot, from the store, without an error in between.

    So it is in a process that keeps nothing, and in one that keeps answers and asks each time.
    """
    folder = tmp_path / "other"
    folder.mkdir()
    name, _, value = setting.partition("=")
    environment = {f"WARMCUBE_{name}": value}
    async with (
        make_cache(tmp_path, redis_url, facts, environment=environment) as cache,
        make_cache(folder, redis_url, facts) as other,
    ):
        await cache.warm(1)
        before = await ask(cache)
        await other.warm(1)
        after = await ask(cache)
        assert after.meta.origin == "store"
        assert after.meta.snapshot != before.meta.snapshot
        assert after.rows() == before.rows()
        await other.invalidate(1)
        cold = await ask(cache)
        assert cold.meta.origin == "database"
        assert "cold" in cold.meta.notes[0]


async def test_large_answers_leave_the_event_loop(
    cache: AnalyticsCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is the same as on the loop."""
    small = await ask(cache, group_by=["practice_uid"], aggregate="sum")
    monkeypatch.setattr(answer, "LARGE", 1)
    large = await ask(cache, group_by=["practice_uid"], aggregate="sum")
    assert sorted(map(str, small.rows())) == sorted(map(str, large.rows()))


async def test_explanations_tell_figures_of_the_whole_only_to_who_may_see_them(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """Trips, sets and whole partitions follow from others' rows; cache:read shows them."""
    access = ACCESS.replace('"cache:manage:all"', '"cache:read:all"')
    async with make_cache(tmp_path, redis_url, facts, access=access) as cache:
        await cache.warm(1)
        own = (await ask(cache, "north")).explanation
        assert own is not None
        assert (own.trips, own.whole_partition, own.index_sets) == (None, None, None)
        assert (own.members, own.entries, own.practices) == (15, 15, 3)
        assert own.reasons
        whole = (await ask(cache, "root")).explanation
        assert whole is not None
        assert (whole.trips, whole.whole_partition, whole.index_sets) == (2, True, 1)


async def test_a_stale_snapshot_serves_and_says_so(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """Past its life but within stale_for, answers are marked; then the database answers."""
    environment = {"CACHE_TTL": "1", "WARMCUBE_CACHE__STALE_FOR": "1000"}
    async with make_cache(tmp_path, redis_url, facts, environment=environment) as cache:
        await cache.warm(1)
        live = await cache._parts.snapshots.load(cache.datasources[0])
        assert live is not None
        live.fresh_until -= 10
        result = await ask(cache)
        assert (result.meta.origin, result.meta.stale) == ("store", True)
        live.serve_until -= 2000
        kept = await ask(cache)  # the pointer was read anew
        assert (kept.meta.origin, kept.meta.stale) == ("resident", False)


async def test_a_broken_manifest_is_damage_not_a_cold_source(
    cache: AnalyticsCache, redis_url: str
) -> None:
    """The statistics say "damaged", and the database answers."""
    snapshot = (await cache.stats(1)).snapshot
    async with redis.Redis.from_url(redis_url) as client:
        await client.set(f"cache:meta:{{ds:1}}:snapshot:{snapshot}", b"x" * 100)
    cache._parts.snapshots.forget(1)
    result = await ask(cache)
    assert result.meta.origin == "database"
    assert "damage" in result.meta.notes[0]
    assert (await cache.stats(1)).state == "damaged"


async def test_statistics_name_the_warmer_and_the_state(
    cache: AnalyticsCache, redis_url: str
) -> None:
    """Who holds the lease, whatever stands in the lock; stale and cold are told apart."""
    async with redis.Redis.from_url(redis_url) as client:
        await client.set("lock:{ds:1}:warm", json.dumps({"by": "host process 7"}))
        assert (await cache.stats(1)).warming == "host process 7"
        await client.set("lock:{ds:1}:warm", b"garbage")
        assert (await cache.stats(1)).warming == "somebody"
    stats = await cache.stats(1)
    assert (stats.state, stats.first_date, stats.last_date) == ("fresh", "2024-01-01", "2024-01-06")
    await cache.invalidate(1)
    assert (await cache.stats(1)).state == "cold"


async def test_two_deployments_share_a_server_by_namespace(
    cache: AnalyticsCache, tmp_path: Path, redis_url: str, facts: str
) -> None:
    """Neither sees, nor takes away, the other's snapshot."""
    folder = tmp_path / "other"
    folder.mkdir()
    environment = {"WARMCUBE_STORE__NAMESPACE": "other:"}
    async with make_cache(folder, redis_url, facts, environment=environment) as other:
        assert (await ask(other)).meta.origin == "database"
        await other.warm(1)
        assert (await ask(other)).meta.origin == "store"
        await other.invalidate(1)
    assert (await ask(cache)).meta.origin == "store"


async def test_what_a_cluster_cannot_do_is_said_at_the_start(tmp_path: Path, facts: str) -> None:
    """A database of a number is a configuration error, since a cluster has only one."""
    with pytest.raises(ConfigError, match="only one"):
        async with make_cache(tmp_path, "redis+cluster://h:1/3", facts):
            pass


async def test_a_numeric_that_has_grown_since_the_warm_is_compared_exactly(
    tmp_path: Path, redis_url: str, postgres_db: str
) -> None:
    """The fallback takes digits over from the snapshot, and notices that they don't suffice."""
    execute(
        postgres_db,
        "CREATE TABLE facts (measure text, practice_uid int, provider_uid int, frequency text, "
        "date_index date, measure_value numeric)",
        "INSERT INTO facts VALUES ('Charges', 101, 1, 'Monthly', '2024-01-01', 1.5)",
    )
    async with make_cache(tmp_path, redis_url, postgres_db, table="public.facts") as cache:
        await cache.warm(1)
        execute(
            postgres_db,
            "INSERT INTO facts VALUES ('Charges', 101, 1, 'Monthly', '2024-01-02', 1.50001)",
        )
        async with redis.Redis.from_url(redis_url) as client:
            await client.delete(*await client.keys("cache:{ds:1:m:*"))
        result = await ask(cache, where=[Filter("measure_value", "gt", "1.5")])
        assert result.meta.origin == "database"
        assert [row["measure_value"] for row in result.rows()] == [Decimal("1.50001")]
