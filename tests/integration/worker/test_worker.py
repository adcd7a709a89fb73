"""`warmcube.worker` in this process, on real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, cast

import psycopg
import pytest
from tests.support.caches import TABLE, execute, select
from tests.support.interrupted import Interrupted, Words
from tests.support.workers import configure

from warmcube import AnalyticsCache, Query
from warmcube.config import load
from warmcube.embedded import EmbeddedPostgres
from warmcube.entry.keys import Keys
from warmcube.errors import StoreUnavailable
from warmcube.jobs.job import JobState
from warmcube.jobs.workers import Workers
from warmcube.query.result import Result
from warmcube.source import postgres as postgres_module
from warmcube.store.api import Store
from warmcube.warm.clearing import Clearing
from warmcube.warm.invalidate import invalidate
from warmcube.warm.refresh import Refresh
from warmcube.worker import sweeper as sweeper_module
from warmcube.worker import worker as worker_module
from warmcube.worker.events import Event, EventKind
from warmcube.worker.look import Look, Looker
from warmcube.worker.status import Status, read_status
from warmcube.worker.sweeper import Sweeper
from warmcube.worker.worker import Worker

NOTHING_KEPT = {"WARMCUBE_CACHE__RESIDENT_BYTES": "0", "WARMCUBE_CACHE__INDEX_BYTES": "0"}


@pytest.fixture(scope="module")
def database(postgres_module_db: str) -> str:
    """A database with a small table."""
    execute(postgres_module_db, TABLE)
    return postgres_module_db


@pytest.fixture
def file(tmp_path: Path, redis_url: str, database: str) -> Path:
    """A configuration with two data sources."""
    return configure(tmp_path, redis_url, database, 2, more="[worker]\npause = 0.2")


@pytest.fixture
async def cache(file: Path) -> AsyncIterator[AnalyticsCache]:
    """An engine on an empty store, which keeps nothing of what it reads."""
    async with AnalyticsCache(load(file, NOTHING_KEPT)) as opened:
        yield opened


class Running:
    """A worker that runs in the background.

    Args:
        cache: open.
        ids: of the data sources that it looks after.
    """

    def __init__(self, cache: AnalyticsCache, *ids: int) -> None:
        self.events: list[Event] = []
        wanted = [cache.settings.datasource(each) for each in ids]
        self.worker = Worker(cache, wanted, self.events.append)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.worker.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self.worker.stop()
        async with asyncio.timeout(60):
            await self._task

    def of(self, kind: EventKind) -> list[Event]:
        """The events of a kind so far."""
        return [event for event in self.events if event.kind is kind]

    async def until(self, kind: EventKind, count: int = 1) -> list[Event]:
        """The events of a kind, once there are so many."""
        await until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)


async def until(condition: Callable[[], object]) -> None:
    """Wait for what something else does."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 (others signal nothing)
            await asyncio.sleep(0.01)


async def status_of(cache: AnalyticsCache, *ids: int) -> Status:
    """What any process can see."""
    wanted = [cache.settings.datasource(each) for each in ids]
    return await read_status(cache.store, cache.settings.store.namespace, cache.jobs, wanted)


async def status_when(
    cache: AnalyticsCache, condition: Callable[[Status], object], *ids: int
) -> Status:
    """The same, once a condition is true of it."""
    async with asyncio.timeout(60):
        while not condition(status := await status_of(cache, *ids)):  # noqa: ASYNC110 (a store)
            await asyncio.sleep(0.02)
    return status


async def ask(cache: AnalyticsCache, frequency: str = "Monthly") -> str:
    """From where a query is answered, whose rows must be those of SQL in any case."""
    query = Query(datasource=1, measure="Charges", frequency=frequency, practices=[101, 102])
    result = await cache.query(query, await cache.authorize("root"))
    assert len(result.rows()) == (ROWS if frequency == "Monthly" else ROWS - 1)
    return result.meta.origin


ROWS = 2 * 5 * 6 + 1


def test_the_number_of_rows_is_sqls(database: str) -> None:
    """What the tests below compare answers with."""
    counted = select(
        database,
        "SELECT count(*) FROM ih.facts WHERE measure = 'Charges' AND frequency = 'Monthly' "
        "AND practice_uid IN (101, 102)",
    )
    assert counted == [(ROWS,)]


async def run(cache: AnalyticsCache, *words: bytes | int) -> Any:
    """One command."""
    return (await cache.store.run([words]))[0]


async def lose_entries(
    cache: AnalyticsCache, practice: int = 101, frequency: str = "Monthly"
) -> None:
    """Lose every entry of a practice in a partition, as an eviction would."""
    pattern = f"cache:{{ds:1:m:Charges:freq:{frequency}}}*:p:{practice}:prov:*"
    for key in await run(cache, b"KEYS", pattern.encode()):
        await run(cache, b"DEL", key)


async def test_line_15_a_source_that_was_never_warmed_says_so(cache: AnalyticsCache) -> None:
    """Line 15: neither warm, nor with figures that nobody has measured; and no worker says that
    it looks after it while none does.
    """
    stats = await cache.stats(1)
    assert (stats.state, stats.rows, stats.hit_rate, stats.snapshot) == (
        "never warmed",
        *[None] * 3,
    )
    status = await status_of(cache, 1)
    assert not status.is_looked_after
    (facts,) = status.as_dict()["datasources"]
    assert facts == {
        "datasource": 1,
        "name": "Facts",
        "workers": 0,
        "job": None,
        "state": None,
        **dict.fromkeys(("next", "reason", "held", "failures", "error", "damaged", "next_verify")),
    }
    assert await ask(cache) == "database"


async def test_what_comes_next_is_in_the_store(cache: AnalyticsCache, file: Path) -> None:
    """Any process sees which worker is alive, and when and why it will warm."""
    async with Running(cache, 1) as running, AnalyticsCache(load(file, {})) as other:
        await running.until(EventKind.WARMED)
        status = await status_when(
            other, lambda seen: seen.workers and seen.datasources[0].outlook is not None, 1, 2
        )
        status = await status_when(
            other, lambda seen: seen.datasources[0].as_dict()["state"] == "waiting", 1, 2
        )
        one, two = status.datasources
        assert one.outlook is not None
        assert (one.workers, one.outlook.reason, one.outlook.failures) == (1, "aging", 0)
        manifest_life = other.settings.cache.ttl * 1000
        assert one.outlook.next_ms is not None
        assert 0.4 * manifest_life < one.outlook.next_ms - status.now_ms < 0.6 * manifest_life
        assert (two.workers, two.outlook) == (0, None)
        (card,) = status.workers
        assert card.as_dict()["datasources"] == (1,)
        assert not status.is_looked_after
    status = await status_of(cache, 1)
    assert (status.workers, status.datasources[0].outlook) == ((), None)


async def test_a_failed_warm_is_tried_again_in_growing_pauses(
    cache: AnalyticsCache, database: str, file: Path
) -> None:
    """Not in a loop; what was wrong is shown; and the next that succeeds ends it."""
    execute(database, "ALTER TABLE ih.facts RENAME TO elsewhere")
    try:
        async with Running(cache, 1) as running:
            failed = await running.until(EventKind.FAILED, 3)
            assert all("ih.facts" in (event.error or "") for event in failed)
            status = await status_when(
                cache,
                lambda seen: (outlook := seen.datasources[0].outlook) and outlook.failures >= 3,
                1,
            )
            assert "ih.facts" in str(status.as_dict()["datasources"][0]["error"])
            jobs = await cache.jobs.last(1)
            starts = [job.queued_ms for job in reversed(jobs)]
            ends = [job.ended_ms or 0 for job in reversed(jobs)]
            pauses = [start - end for start, end in zip(starts[1:], ends, strict=False)]
            assert pauses[0] >= 160, "0.2 s, less a fifth"
            assert pauses[1] >= 320
            execute(database, "ALTER TABLE ih.elsewhere RENAME TO facts")
            await running.until(EventKind.WARMED)
    finally:
        if not select(database, "SELECT to_regclass('ih.facts')")[0][0]:
            execute(database, "ALTER TABLE ih.elsewhere RENAME TO facts")
    assert await ask(cache) == "store"


async def test_a_killed_warm_counts_as_failed_and_a_stopped_one_doesnt(
    cache: AnalyticsCache, database: str
) -> None:
    """Whoever is told to end leaves the next one no pause; whoever dies of the warm does."""
    job = await cache.jobs.start(1, actor="ana", state=JobState.RUNNING)
    await cache.jobs.beat(job, 0.05)
    await asyncio.sleep(0.1)
    async with Running(cache, 1) as running:
        status = await status_when(cache, lambda seen: seen.datasources[0].outlook, 1)
        outlook = status.datasources[0].outlook
        assert outlook is not None
        assert outlook.error is None or outlook.error.startswith("Abandoned")
        await running.until(EventKind.WARMED)
    with psycopg.connect(database) as connection:
        connection.execute("LOCK TABLE ih.facts IN ACCESS EXCLUSIVE MODE")
        warming = asyncio.create_task(cache.warm(1))
        async with asyncio.timeout(60):
            while await cache.jobs.holder(1) is None:  # noqa: ASYNC110 (likewise)
                await asyncio.sleep(0.01)
        warming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await warming
    await cache.invalidate(1)
    async with Running(cache, 1) as running:
        await running.until(EventKind.WARMED)
        assert running.of(EventKind.FAILED) == []


async def test_what_was_decided_upon_must_still_be_so(cache: AnalyticsCache) -> None:
    """A worker that has looked before another one warmed finds that out as it begins."""
    worker = Running(cache, 1).worker
    looks = await worker._look()
    report = await cache.warm(1)
    await worker._warm(cache.settings.datasource(1), looks[1], worker._plan(1, looks[1]))
    assert len(await cache.jobs.last(1)) == 1
    stats = await cache.stats(1)
    assert stats.snapshot == report.snapshot


async def test_a_damaged_part_is_repaired_once_though_fifty_readers_met_it(
    cache: AnalyticsCache, file: Path
) -> None:
    """All are answered right, from the database; the snapshot is warmed anew once, and says why."""
    before = (await cache.warm(1)).snapshot
    await cache.warm(2)
    await lose_entries(cache)
    settings = load(file, NOTHING_KEPT)
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(AnalyticsCache(settings)) for _ in range(50)]
        for some in range(0, 50, 5):
            origins = await asyncio.gather(*map(ask, readers[some : some + 5]))
            assert set(origins) == {"database"}
        for reader in readers:
            await reader.damage.settled()
    assert await run(cache, b"HLEN", Keys("", 1).damage) == 2
    assert await run(cache, b"HEXISTS", Keys("", 1).damage, b"m:Charges:freq:Monthly") == 1
    async with Running(cache, 1, 2) as running:
        (warmed,) = await running.until(EventKind.WARMED)
        assert (warmed.datasource, warmed.reason) == (1, "damage")
        await status_when(
            cache,
            lambda seen: {each.as_dict()["state"] for each in seen.datasources} == {"waiting"},
            1,
            2,
        )
    repair, first = await cache.jobs.last(1)
    assert (repair.reason, repair.state, first.reason) == ("damage", JobState.DONE, "asked")
    assert repair.report is not None
    assert repair.report["snapshot"] != before
    assert repair.refresh == Refresh(measures=("Charges",), frequencies=("Monthly",))
    assert (repair.report["refreshed"], repair.report["carried"]) == (1, 5)
    assert await ask(cache) == "store"
    assert len(await cache.jobs.last(2)) == 1, "the other one is well"


@pytest.mark.parametrize("lost", ["manifest", "altered manifest", "expiry of the pointer"])
async def test_a_damaged_manifest_or_pointer_is_repaired(cache: AnalyticsCache, lost: str) -> None:
    """The database answers until then."""
    snapshot = (await cache.warm(1)).snapshot
    keys = Keys("", 1)
    if lost == "manifest":
        await run(cache, b"DEL", keys.manifest(snapshot))
    elif lost == "altered manifest":
        await run(cache, b"SETRANGE", keys.manifest(snapshot), 40, b"x")
    else:
        await run(cache, b"PERSIST", keys.current)
    cache._parts.snapshots.forget(1)
    assert await ask(cache) == "database"
    await cache.damage.settled()
    assert await run(cache, b"HEXISTS", keys.damage, b"*") == 1
    async with Running(cache, 1) as running:
        (warmed,) = await running.until(EventKind.WARMED)
        assert warmed.reason == "damage"
    assert await ask(cache) == "store"


async def test_repairs_dont_follow_upon_each_other(cache: AnalyticsCache) -> None:
    """What is damaged again right after its repair waits, and says until when."""
    await cache.warm(1)
    async with Running(cache, 1) as running:
        for _ in range(2):
            await lose_entries(cache)
            assert await ask(cache) == "database"
            await cache.damage.settled()
            await running.until(EventKind.WARMED)
        status = await status_when(
            cache, lambda seen: seen.datasources[0].as_dict()["damaged"] == 1, 1
        )
        (each,) = status.datasources
        assert each.outlook is not None
        assert (each.outlook.reason, each.outlook.state) == ("damage", "waiting")
        assert 250_000 < (each.outlook.next_ms or 0) - status.now_ms <= 300_000
        assert len(running.of(EventKind.WARMED)) == 1
        # Another partition that is met damaged for the first time doesn't wait for that.
        await lose_entries(cache, frequency="Weekly")
        assert await ask(cache, "Weekly") == "database"
        await cache.damage.settled()
        await running.until(EventKind.WARMED, 2)
        assert await ask(cache, "Weekly") == await ask(cache) == "store"


async def test_damage_that_comes_back_has_everything_repaired(
    tmp_path: Path, redis_url: str, database: str
) -> None:
    """Once the damaged partition; if that is met damaged again, the whole table."""
    more = "[worker]\nrepair_pause = 0.0"
    file = configure(tmp_path, redis_url, database, more=more)
    async with AnalyticsCache(load(file, NOTHING_KEPT)) as cache, Running(cache, 1) as running:
        await running.until(EventKind.WARMED)
        for number in (2, 3):
            await lose_entries(cache)
            assert await ask(cache) == "database"
            await cache.damage.settled()
            await running.until(EventKind.WARMED, number)
        whole, partial, _ = await cache.jobs.last(1)
        assert (whole.reason, whole.refresh) == ("damage", None)
        assert partial.refresh is not None
        assert await ask(cache) == "store"


async def test_what_many_queries_meet_is_repaired_too(cache: AnalyticsCache) -> None:
    """As dashboards ask them: of the partition that was damaged."""
    await cache.warm(1)
    await lose_entries(cache)
    grant = await cache.authorize("root")
    queries = [Query(datasource=1, measure="Charges", frequency="Monthly")] * 2
    answers = await cache.query_many(queries, grant)
    assert {each.meta.origin for each in answers if isinstance(each, Result)} == {"database"}
    await cache.damage.settled()
    async with Running(cache, 1) as running:
        await running.until(EventKind.WARMED)
    repair, _ = await cache.jobs.last(1)
    assert repair.refresh == Refresh(measures=("Charges",), frequencies=("Monthly",))


@pytest.mark.parametrize("where", ["worker", "data source"])
async def test_old_snapshots_are_renewed_by_what_changed(
    tmp_path: Path, redis_url: str, postgres_db: str, where: str
) -> None:
    """Where ``refresh = "changed"``; what was cold is read whole."""
    execute(postgres_db, TABLE)
    more = "[worker]\njitter = 0.0\n" + ('refresh = "changed"\n' if where == "worker" else "")
    file = configure(tmp_path, redis_url, postgres_db, more=f"{more}[cache]\nttl = 3")
    if where != "worker":
        text = file.read_text().replace("id = 1\n", 'id = 1\nrefresh = "changed"\n')
        file.write_text(text)
    async with AnalyticsCache(load(file, NOTHING_KEPT)) as cache, Running(cache, 1) as running:
        await running.until(EventKind.WARMED)
        await running.until(EventKind.WARMED, 2)  # from which on what changes is known
        execute(
            postgres_db,
            "UPDATE ih.facts SET measure_value = 7 WHERE measure = 'Charges' "
            "AND frequency = 'Monthly'",
        )
        await running.until(EventKind.WARMED, 4)
        reports = [event.report for event in running.of(EventKind.WARMED)]
        jobs = (await cache.jobs.last(1))[::-1]
        assert jobs[0].refresh is None
        assert {job.refresh for job in jobs[1:4]} == {Refresh(changed=True)}
        assert {each.refreshed for each in reports[2:4] if each is not None} == {0, 1}
        assert await ask(cache) == "store"


async def test_a_store_that_cant_answer_is_no_damage(
    cache: AnalyticsCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is away, loads, or refuses: nothing is reported, nothing warmed anew."""
    await cache.warm(1)
    assert await ask(cache) == "store"
    run_commands = cache.store.run

    async def away(*_: object, **__: object) -> object:
        raise StoreUnavailable("LOADING Redis is loading the dataset in memory")

    monkeypatch.setattr(cache.store, "run", away)
    assert await ask(cache) == "database"
    monkeypatch.setattr(cache.store, "run", run_commands)
    await cache.damage.settled()
    assert await run(cache, b"EXISTS", Keys("", 1).damage) == 0
    async with Running(cache, 1) as running:
        await status_when(cache, lambda seen: seen.datasources[0].outlook, 1)
    assert running.of(EventKind.WARMING) == []


async def test_where_nobody_repairs_nobody_reports(
    tmp_path: Path, redis_url: str, database: str
) -> None:
    """``[worker] repair = "off"``: the next warm will do."""
    file = configure(tmp_path, redis_url, database, more='[worker]\nrepair = "off"')
    async with AnalyticsCache(load(file, NOTHING_KEPT)) as cache:
        await cache.warm(1)
        await lose_entries(cache)
        assert await ask(cache) == "database"
        await cache.damage.settled()
        assert await run(cache, b"EXISTS", Keys("", 1).damage) == 0


async def test_line_17_many_sources_are_warmed_a_few_at_a_time(
    tmp_path: Path, redis_url: str, database: str
) -> None:
    """Line 17: never all at once; and not in a process that answers queries."""
    ids = tuple(range(2, 9))
    file = configure(tmp_path, redis_url, database, *ids, more="[worker]\nconcurrency = 2")
    async with AnalyticsCache(load(file, {})) as cache:
        most = 0
        running = Running(cache, 1, *ids)
        warm = cache.warm

        async def counted(*words: Any, **more: Any) -> Any:
            nonlocal most
            most = max(most, len(running.worker._tasks))
            return await warm(*words, **more)

        cache.warm = counted  # type: ignore[method-assign]
        async with running:
            await running.until(EventKind.WARMED, 8)
        assert most == 2


async def test_workers_that_cant_be_read_are_passed_over(cache: AnalyticsCache) -> None:
    """Whatever lies where a worker shows itself."""
    workers = Workers(cache.store, "")
    card = Running(cache, 1).worker._card
    await cache.store.run(workers.sign(card, 1000))
    good = replace(card, id="a" * 16)
    await cache.store.run(workers.sign(good, 1000))
    assert len(await workers.alive()) == 2
    await run(cache, b"SET", b"cache:meta:{workers}:" + card.id.encode(), b'{"id": 7}')
    assert await workers.alive() == (good,)
    await workers.withdraw(good)
    assert await workers.alive() == ()


async def test_of_many_workers_one_warms(
    tmp_path: Path, redis_url: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However they race: of five with connections of their own, that look all the time, each time
    that something falls due just one warms it, and just once.
    """
    monkeypatch.setattr(worker_module, "LOOK_SECONDS", 0.005)
    monkeypatch.setattr(worker_module, "LOOKS_PER_SECOND", 1_000)
    file = configure(tmp_path, redis_url, database, 2, 3)
    rounds = 6
    async with AsyncExitStack() as stack:
        caches = [await stack.enter_async_context(AnalyticsCache(load(file, {}))) for _ in range(5)]
        workers = [await stack.enter_async_context(Running(each, 1, 2, 3)) for each in caches]
        for number in range(rounds):
            for each in (1, 2, 3):
                await run(caches[0], b"DEL", Keys("", each).current)
            await until(lambda done=3 * (number + 1): _warmed(workers) >= done)  # type: ignore[misc]
        await asyncio.sleep(0.2)
        assert _warmed(workers) == 3 * rounds
        jobs = [job for each in (1, 2, 3) for job in await caches[0].jobs.last(each)]
        assert [job.state for job in jobs] == [JobState.DONE] * 3 * rounds
        assert [event for each in workers for event in each.of(EventKind.FAILED)] == []


def _warmed(workers: list[Running]) -> int:
    return sum(len(each.of(EventKind.WARMED)) for each in workers)


async def test_a_store_that_refuses_writes_is_no_tight_loop(cache: AnalyticsCache) -> None:
    """Nothing can be recorded then, so the worker keeps the pauses by itself, and goes on after."""
    await run(cache, b"CONFIG", b"SET", b"min-replicas-to-write", 1)
    try:
        async with Running(cache, 1) as running:
            await running.until(EventKind.FAILED, 3)
            assert {(each.error or "").split(":")[0] for each in running.of(EventKind.FAILED)} == {
                "StoreRefused"
            }
            _, pause = running.worker._failed[1]
            assert pause - asyncio.get_running_loop().time() > 0.3, "the third: 0.8 s less a fifth"
            await run(cache, b"CONFIG", b"SET", b"min-replicas-to-write", 0)
            await running.until(EventKind.WARMED)
            assert running.worker._failed == {}
    finally:
        await run(cache, b"CONFIG", b"SET", b"min-replicas-to-write", 0)


async def test_a_key_of_another_type_keeps_nobody_from_the_others(cache: AnalyticsCache) -> None:
    """Somebody has put something else where the reports are: that is told, with pauses."""
    await run(cache, b"SET", Keys("", 1).damage, b"x")
    assert await Running(cache, 1, 2).worker.run_once() == 1
    await cache.invalidate(2)
    async with Running(cache, 1, 2) as running:
        (warmed,) = await running.until(EventKind.WARMED)
        assert warmed.datasource == 2
        failed = await running.until(EventKind.FAILED)
        assert (failed[0].datasource, (failed[0].error or "").split(":")[0]) == (1, "Damage")
        await run(cache, b"DEL", Keys("", 1).damage)
        await running.until(EventKind.WARMED, 2)


async def test_a_worker_needs_no_directory(cache: AnalyticsCache, tmp_path: Path) -> None:
    """Nobody is asked about, so that a defect in it lets no snapshot expire."""
    (tmp_path / "access.toml").write_text("nothing = [")
    assert await Running(cache, 1).worker.run_once() == 0
    assert (await cache.stats(1)).state == "fresh"


@pytest.mark.parametrize("once", [True, False])
async def test_where_the_cache_is_off_nothing_is_warmed(
    file: Path, cache: AnalyticsCache, once: bool
) -> None:
    """``CACHE_ENABLED=false``: everything is answered by the database; the outlook says why."""
    async with AnalyticsCache(load(file, {"CACHE_ENABLED": "false"})) as off:
        running = Running(off, 1)
        if once:
            assert await running.worker.run_once() == 0
        else:
            async with running:
                status = await status_when(off, lambda seen: seen.datasources[0].outlook, 1)
                outlook = status.datasources[0].outlook
                assert outlook is not None
                assert (outlook.state, outlook.next_ms) == ("held", None)
                assert "disabled" in (outlook.held or "")
        assert await off.jobs.last(1) == ()


async def test_a_database_that_is_away_is_waited_for(
    tmp_path: Path, redis_url: str, server_folder: Path
) -> None:
    """The old snapshot goes on serving; each try is told of with its pause; and it goes on by
    itself when the database is back.
    """
    folder = server_folder / "postgres-away"
    with EmbeddedPostgres(folder) as server:
        url = server.url
        execute(url, TABLE)
        file = configure(tmp_path, redis_url, url, more="[worker]\npause = 0.2\n[cache]\nttl = 2")
        async with AnalyticsCache(load(file, NOTHING_KEPT)) as cache:
            await cache.warm(1)
    async with AnalyticsCache(load(file, NOTHING_KEPT)) as cache, Running(cache, 1) as running:
        failed = await running.until(EventKind.FAILED, 2)
        assert {(each.error or "").split(":")[0] for each in failed} == {"SourceUnavailable"}
        assert await ask(cache) == "store"
        with EmbeddedPostgres(folder):
            await running.until(EventKind.WARMED)
            assert await ask(cache) == "store"
            assert len(running.of(EventKind.FAILED)) < 12, "no tight loop"


async def test_a_table_that_stays_locked_holds_no_place_for_ever(
    tmp_path: Path, redis_url: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its warm is given up and tried again after a pause, and says why; others have their turn."""
    monkeypatch.setattr(postgres_module, "LOCK_SECONDS", 0.3)
    execute(database, "CREATE TABLE ih.locked AS SELECT * FROM ih.facts")
    more = "[worker]\npause = 0.2\nconcurrency = 1"
    file = configure(tmp_path, redis_url, database, 2, more=more)
    first, _, second = file.read_text().partition("id = 2\n")
    file.write_text(f"{first.replace('ih.facts', 'ih.locked')}id = 2\n{second}")
    async with AnalyticsCache(load(file, NOTHING_KEPT)) as cache:
        with psycopg.connect(database) as connection:
            connection.execute("LOCK TABLE ih.locked IN ACCESS EXCLUSIVE MODE")
            async with Running(cache, 1, 2) as running:
                (warmed,) = await running.until(EventKind.WARMED)
                failed = await running.until(EventKind.FAILED, 2)
                assert warmed.datasource == 2
                assert {each.datasource for each in failed} == {1}
                assert (failed[0].error or "").startswith("SourceUnavailable: ")
                assert "another transaction" in (failed[0].error or "")
                connection.rollback()
                await running.until(EventKind.WARMED, 2)
    execute(database, "DROP TABLE ih.locked")


async def test_workers_of_two_configurations_dont_take_turns(
    tmp_path: Path, redis_url: str, database: str
) -> None:
    """The one that was started last has the say for as long as it lives; others say so."""
    folders = [tmp_path / name for name in ("old", "new")]
    for folder in folders:
        folder.mkdir()
    old, new = (configure(folder, redis_url, database) for folder in folders)
    execute(database, "CREATE VIEW ih.other_facts AS SELECT * FROM ih.facts")
    new.write_text(new.read_text().replace('"ih.facts"', '"ih.other_facts"'))
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(AnalyticsCache(load(file, NOTHING_KEPT)))
            for file in (old, new)
        ]
        older = await stack.enter_async_context(Running(first, 1))
        await older.until(EventKind.WARMED)
        async with Running(second, 1) as newer:
            await newer.until(EventKind.WARMED)
            (left,) = await older.until(EventKind.LEFT)
            assert left.error is not None
            assert newer.worker.name in left.error
            status = await status_when(first, lambda seen: seen.workers[0].leaves, 1)
            assert [card.leaves for card in status.workers] == [(1,), ()]
            assert status.datasources[0].outlook is not None
            assert status.datasources[0].outlook.by == newer.worker.name
            assert status.datasources[0].outlook.held is None
            for _ in range(2):  # nor does whoever comes now and then, though it starts last
                assert await Running(first, 1).worker.run_once() == 0
            assert len(older.of(EventKind.WARMING)) == len(newer.of(EventKind.WARMING)) == 1
            assert await ask(second) == "store"
            assert await ask(first) == "database"
        await older.until(EventKind.WARMED, 2)
        assert await ask(first) == "store"
    execute(database, "DROP VIEW ih.other_facts")


async def test_a_worker_removes_what_an_invalidation_left(
    cache: AnalyticsCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any warm, since the data source is pinned."""
    monkeypatch.setattr(sweeper_module, "LEASES", 0.0)
    await cache.warm(1)
    await run(cache, b"SET", Keys("", 1).pin, b"somebody")
    is_begun = False

    async def hook(kind: str, commands: Words) -> None:
        nonlocal is_begun
        cut.is_cut_off, is_begun = is_begun, kind == "withdraw"
        del commands

    cut = Interrupted(cache.store, hook)
    with pytest.raises(StoreUnavailable, match="cut off"):
        await invalidate(Clearing(cast("Store", cut), Keys("", 1), cache.seal), "test")
    assert await run(cache, b"EXISTS", Keys("", 1).current) == 0
    assert await run(cache, b"KEYS", b"cache:{ds:1*") != []
    async with Running(cache, 1) as running:
        running.worker._sweeper._grace = 0.1
        async with asyncio.timeout(30):
            while (left := await run(cache, b"KEYS", b"cache:{ds:1*")) != []:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert left == []
    assert running.of(EventKind.WARMING) == []


async def test_a_fence_that_moves_during_a_sweep_is_swept_after(
    cache: AnalyticsCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was left behind by who moved it isn't taken for cleared up."""
    monkeypatch.setattr(sweeper_module, "LEASES", 0.0)
    looker = Looker(cache.store, "", cache.seal, cache.jobs)
    is_held, goes_on, sweeps = asyncio.Event(), asyncio.Event(), 0

    async def hook(kind: str, commands: Words) -> None:
        nonlocal sweeps
        if kind == "run" and (b"SSCAN", Keys("", 1).master) in [each[:2] for each in commands]:
            sweeps += 1
            is_held.set()
            await goes_on.wait()

    async def look_until(condition: Callable[[], bool]) -> None:
        while not condition():
            found = (await looker.look([cache.settings.datasource(1)]))[1]
            assert isinstance(found, Look)
            sweeper.look({1: found})
            await asyncio.sleep(0.01)

    store = cast("Store", Interrupted(cache.store, hook))
    sweeper = Sweeper(store, "", cache.seal, grace=0.0, lease_seconds=0.1, life_seconds=60.0)
    await cache.warm(1)
    async with asyncio.timeout(30):
        await look_until(is_held.is_set)
        await cache.warm(1)
        moved = await run(cache, b"GET", Keys("", 1).fence)
        await look_until(lambda: sweeper._seen[1].fence == moved)
        goes_on.set()
        await look_until(lambda: sweeps == 2)
    await sweeper.close()


async def test_a_repair_that_fails_is_tried_again(cache: AnalyticsCache, database: str) -> None:
    """After the pause of a failure; the distance between repairs is that of those done."""
    await cache.warm(1)
    await lose_entries(cache)
    assert await ask(cache) == "database"
    await cache.damage.settled()
    execute(database, "ALTER TABLE ih.facts RENAME TO elsewhere")
    try:
        async with Running(cache, 1) as running:
            await running.until(EventKind.FAILED, 2)
            execute(database, "ALTER TABLE ih.elsewhere RENAME TO facts")
            (warmed,) = await running.until(EventKind.WARMED)
            assert warmed.reason == "damage"
    finally:
        if not select(database, "SELECT to_regclass('ih.facts')")[0][0]:
            execute(database, "ALTER TABLE ih.elsewhere RENAME TO facts")
    assert await ask(cache) == "store"
