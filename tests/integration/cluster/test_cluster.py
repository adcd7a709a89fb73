"""A whole cache on a Redis Cluster: its answers, also while nodes go and slots move."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.caches import NOTHING_KEPT, TABLE, execute, make_cache, select
from tests.support.clusters import Node, RedisCluster
from tests.support.keys import parse_key

from warmcube import AnalyticsCache, Query
from warmcube.entry.keys import Keys, PartitionName
from warmcube.errors import StoreTooSmall, StoreUnavailable
from warmcube.store.slots import key_slot

MEASURES = 16
REPLICAS = NOTHING_KEPT | {"WARMCUBE_STORE__READ_REPLICAS": "true"}
READING = ("get", "mget", "hget", "hgetall", "hmget", "hlen", "lrange", "sunion")

MANY = (
    TABLE
    + f"""
INSERT INTO ih.facts
SELECT 'Measure ' || m, p, v, f, DATE '2024-01-01' + d, m * 1000 + p + v + d, 'note'
FROM generate_series(1, {MEASURES}) m, generate_series(101, 106) p, generate_series(1, 3) v,
     unnest(ARRAY['Monthly', 'Weekly']) f, generate_series(0, 3) d;
"""
)


@pytest.fixture
def facts(postgres_db: str) -> str:
    """A database with a table of more than 30 partitions."""
    execute(postgres_db, MANY)
    return postgres_db


@pytest.fixture
async def cache(tmp_path: Path, cluster_url: str, facts: str) -> AsyncIterator[AnalyticsCache]:
    """A cache that keeps nothing in the process, on the session's cluster."""
    async with make_cache(tmp_path, cluster_url, facts, environment=NOTHING_KEPT) as made:
        yield made


@pytest.fixture
async def own(
    tmp_path: Path, own_cluster: RedisCluster, facts: str
) -> AsyncIterator[AnalyticsCache]:
    """The same on a cluster of the test's own, warm."""
    async with make_cache(tmp_path, own_cluster.url, facts, environment=NOTHING_KEPT) as made:
        await made.warm(1)
        yield made


@pytest.fixture
async def hasty(
    tmp_path: Path, hasty_cluster: RedisCluster, facts: str
) -> AsyncIterator[AnalyticsCache]:
    """The same on one whose replicas take over."""
    async with make_cache(tmp_path, hasty_cluster.url, facts, environment=NOTHING_KEPT) as made:
        await made.warm(1)
        yield made


async def compare(cache: AnalyticsCache, facts: str, measure: str, user: str = "root") -> str:
    """Ask for the rows of a measure; they are SQL's.

    Returns:
        where the answer came from.
    """
    practices = {"root": "", "north": " AND practice_uid IN (101, 102, 103)"}[user]
    grant = await cache.authorize(user)
    query = Query(datasource=1, measure=measure, frequency="Monthly")
    result = await cache.query(query, grant)
    found = [
        (row["practice_uid"], row["provider_uid"], row["date_index"], str(row["measure_value"]))
        for row in result.rows()
    ]
    wanted = select(
        facts,
        "SELECT practice_uid, provider_uid, date_index, "
        "coalesce(measure_value::text, 'None') FROM ih.facts "
        f"WHERE measure = '{measure}' AND frequency = 'Monthly'{practices}",
    )
    assert sorted(found, key=str) == sorted(wanted, key=str)
    return result.meta.origin


async def compare_all(cache: AnalyticsCache, facts: str) -> list[str]:
    """The same for all measures, one after another."""
    return [await compare(cache, facts, f"Measure {number}") for number in range(1, MEASURES + 1)]


def live_partition(cluster: RedisCluster, measure: str) -> bytes:
    """A key of a measure's partition; any version's slot is the same."""
    return Keys("", 1).partition(PartitionName(measure, "Monthly"), "1").all


async def until_store(cache: AnalyticsCache, facts: str, seconds: float = 15.0) -> float:
    """Ask, always rightly, until all measures are answered from the store; how long that took."""
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        if set(await compare_all(cache, facts)) == {"store"}:
            return time.monotonic() - began
        await asyncio.sleep(0.05)
    pytest.fail("the store did not answer again in time")


async def test_a_data_source_is_spread_over_the_masters(
    cache: AnalyticsCache, redis_cluster: RedisCluster, facts: str
) -> None:
    """Of more than 30 partitions each master holds some; every key is one of ours."""
    report = await cache.warm(1)
    assert report.partitions > 30
    for master in redis_cluster.masters():
        held = master.client.execute_command("DBSIZE")  # type: ignore[no-untyped-call]
        assert held > 50
    kinds = {parse_key(key).kind for key in redis_cluster.all_keys()}
    assert {"entry", "all", "counts", "master", "current", "snapshot"} <= kinds
    assert set(await compare_all(cache, facts)) == {"store"}
    assert await compare(cache, facts, "Charges", "north") == "store"


async def test_invalidation_and_warms_leave_nothing(
    cache: AnalyticsCache, redis_cluster: RedisCluster, facts: str
) -> None:
    """On no master: what is left is what invalidation leaves anywhere."""
    await cache.warm(1)
    await cache.warm(1)
    assert (await cache.stats(1)).entries
    await cache.invalidate(1)
    left = {parse_key(key).kind for key in redis_cluster.all_keys()}
    assert left <= {"fence", "history", "jobs", "jobs_order"}
    assert await compare(cache, facts, "Charges") == "database"
    await cache.warm(1)
    assert await compare(cache, facts, "Charges") == "store"


async def test_each_master_must_hold_its_share(
    cache: AnalyticsCache, redis_cluster: RedisCluster
) -> None:
    """One that hasn't the memory for its partitions refuses the warm, and is named."""
    await cache.warm(1)
    full = redis_cluster.master_of(live_partition(redis_cluster, "Measure 1"))
    full.ask("CONFIG", "SET", "maxmemory", full.info("memory")["used_memory"] + 1000)
    try:
        with pytest.raises(StoreTooSmall, match=f":{full.port} uses"):
            await cache.warm(1)
    finally:
        full.ask("CONFIG", "SET", "maxmemory", 0)
    await cache.warm(1)


@pytest.mark.parametrize("holds", ["entries", "pointer"])
async def test_a_killed_master(
    hasty: AnalyticsCache, hasty_cluster: RedisCluster, facts: str, holds: str
) -> None:
    """Until its replica takes over, the database answers for it; then the store does, unasked."""
    assert set(await compare_all(hasty, facts)) == {"store"}
    key = Keys("", 1).current if holds == "pointer" else live_partition(hasty_cluster, "Measure 1")
    hasty_cluster.master_of(key).kill()
    assert "database" in await compare_all(hasty, facts)
    assert await until_store(hasty, facts) < 15


async def test_a_warm_without_a_master_fails_clearly(
    hasty: AnalyticsCache, hasty_cluster: RedisCluster, facts: str
) -> None:
    """And leaves the snapshot that was there, which answers as soon as the slots are held."""
    dead = hasty_cluster.master_of(live_partition(hasty_cluster, "Measure 1"))
    replica = hasty_cluster.replica_of(dead)
    replica.freeze()  # so that nobody takes over
    dead.kill()
    execute(facts, "INSERT INTO ih.facts VALUES ('New', 101, 1, 'Monthly', '2024-01-01', 1, 'n')")
    with pytest.raises(StoreUnavailable, match=str(dead.port)):
        await hasty.warm(1)
    replica.thaw()
    await until_store(hasty, facts)
    grant = await hasty.authorize("root")
    old = await hasty.query(Query(datasource=1, measure="New", frequency="Monthly"), grant)
    assert (old.rows(), old.meta.origin) == ([], "store")
    await hasty.warm(1)
    assert await compare(hasty, facts, "New") == "store"


async def test_slots_that_move_while_they_are_asked(
    own: AnalyticsCache, own_cluster: RedisCluster, facts: str
) -> None:
    """Half of a partition's keys here, half there: the store goes on answering, and rightly."""
    key = live_partition(own_cluster, "Measure 1")
    slot = key_slot(key)
    origin = own_cluster.master_of(key)
    target = next(node for node in own_cluster.masters() if node is not origin)
    target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", origin.id)
    origin.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
    names = origin.ask("CLUSTER", "GETKEYSINSLOT", slot, 10_000)
    half = len(names) // 2
    assert half > 5
    asked = [await compare(own, facts, "Measure 1")]
    for number, name in enumerate(names):
        origin.ask("MIGRATE", "127.0.0.1", target.port, name, 0, 5000)
        if number % 4 == 0 or number == half:
            asked.append(await compare(own, facts, "Measure 1"))
            asked.append(await compare(own, facts, "Measure 1", "north"))
    for node in (target, origin, *own_cluster.masters()):
        node.ask("CLUSTER", "SETSLOT", slot, "NODE", target.id)
    asked.append(await compare(own, facts, "Measure 1"))
    assert set(asked) == {"store"}
    assert own_cluster.master_of(key) is target


async def test_the_pointers_slot_may_move_too(
    own: AnalyticsCache, own_cluster: RedisCluster, facts: str
) -> None:
    """Warming while it does fails, or is right; afterwards it works."""
    key = Keys("", 1).current
    slot, origin = key_slot(key), own_cluster.master_of(key)
    target = next(node for node in own_cluster.masters() if node is not origin)
    target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", origin.id)
    origin.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
    for name in origin.ask("CLUSTER", "GETKEYSINSLOT", slot, 10_000):
        assert await compare(own, facts, "Measure 2") == "store"
        origin.ask("MIGRATE", "127.0.0.1", target.port, name, 0, 5000)
    with contextlib.suppress(StoreUnavailable):
        await own.warm(1)
    assert await compare(own, facts, "Measure 2") == "store"
    for node in (target, origin, *own_cluster.masters()):
        node.ask("CLUSTER", "SETSLOT", slot, "NODE", target.id)
    await asyncio.sleep(0)
    await own.warm(1)
    assert set(await compare_all(own, facts)) == {"store"}


def reads_of(node: Node) -> int:
    """How many reads a node has answered, of whatever kind."""
    found = node.client.info("commandstats")
    return sum(int(found.get(f"cmdstat_{name}", {}).get("calls", 0)) for name in READING)


def commands_of(node: Node) -> int:
    """How many reads of many keys a node has answered."""
    found = node.client.info("commandstats")
    return int(found.get("cmdstat_mget", {}).get("calls", 0))


async def test_replicas_answer_and_masters_where_one_does_not(
    tmp_path: Path, own_cluster: RedisCluster, facts: str
) -> None:
    """What a replica holds spares its master; one that is silent or gone is no fault."""
    async with make_cache(tmp_path, own_cluster.url, facts, environment=REPLICAS) as cache:
        await cache.warm(1)
        master = own_cluster.master_of(live_partition(own_cluster, "Measure 1"))
        replica = own_cluster.replica_of(master)
        before = commands_of(replica), commands_of(master)
        for _ in range(5):
            assert await compare(cache, facts, "Measure 1") == "store"
        assert commands_of(replica) > before[0]
        assert commands_of(master) == before[1]

        replica.freeze()
        try:
            assert await compare(cache, facts, "Measure 1") == "store"
            assert await compare(cache, facts, "Measure 1", "north") == "store"
        finally:
            replica.thaw()
        own_cluster.await_whole()
        replica.kill()
        for _ in range(5):
            assert await compare(cache, facts, "Measure 1") == "store"
        await cache.invalidate(1)
        assert await compare(cache, facts, "Measure 1") == "database"


async def test_replicas_that_lag_show_nothing_old(
    tmp_path: Path, own_cluster: RedisCluster, facts: str
) -> None:
    """They still hold the snapshot from before, and are asked; but the answers are the masters'."""
    async with make_cache(tmp_path, own_cluster.url, facts, environment=REPLICAS) as cache:
        await cache.warm(1)
        assert set(await compare_all(cache, facts)) == {"store"}
        replicas = [own_cluster.replica_of(master) for master in own_cluster.masters()]
        for replica in replicas:
            replica.fall_behind()
        execute(facts, "UPDATE ih.facts SET measure_value = measure_value + 1")
        await cache.warm(1)
        before = sum(map(reads_of, replicas))
        assert set(await compare_all(cache, facts)) == {"store"}
        assert await compare(cache, facts, "Measure 1", "north") == "store"
        assert sum(map(reads_of, replicas)) > before + MEASURES
        for replica in replicas:
            replica.catch_up()
        assert set(await compare_all(cache, facts)) == {"store"}
        await cache.invalidate(1)
        assert set(await compare_all(cache, facts)) == {"database"}
