"""Warming, on a real server: what is published, what isn't, and what is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest
from tests.support.memory import DATASOURCE, MemorySource, Row, read_all

from warmcube.entry.keys import Keys
from warmcube.entry.seal import Checksum
from warmcube.errors import (
    StoreTooSmall,
    StoreUnavailable,
    WarmFenced,
    WarmInProgress,
    WarmMismatch,
    WarmRefused,
)
from warmcube.query.lookup import PointerMoved
from warmcube.store.api import Reply, Store
from warmcube.warm.clearing import Clearing
from warmcube.warm.invalidate import invalidate
from warmcube.warm.report import Phase, Progress
from warmcube.warm.warmer import Warmer

MakeWarmer = Callable[..., Warmer]

SEAL = Checksum()


def a_table(value: int, practices: int = 40, providers: int = 3) -> list[Row]:
    """Rows that all bear one value, so that a mixture of two tables shows."""
    rows: list[Row] = [
        ("m", practice, provider or None, "f", value)
        for practice in range(practices)
        for provider in range(providers)
    ]
    rows += [("other", 1, 1, "f", value), (None, None, None, None, value)]
    return rows


def expected(rows: list[Row]) -> list[tuple[int | None, int | None, int]]:
    """What `read_all` finds of some rows."""
    return sorted(((p, v, x) for m, p, v, f, x in rows if (m, f) == ("m", "f")), key=str)


async def all_keys(store: Store) -> set[bytes]:
    """Every key on the server."""
    (found,) = await store.run([(b"KEYS", b"*")])
    return set(found)


async def test_what_is_warmed_is_read(store: Store, make_warmer: MakeWarmer) -> None:
    """All rows come back, and the report says what was done."""
    rows = a_table(1)
    report = await make_warmer().warm(DATASOURCE, MemorySource(rows))
    assert await read_all(store) == expected(rows)
    assert (report.rows, report.partitions, report.entries) == (len(rows), 3, len(rows))
    assert report.bytes > 0
    assert report.seconds > 0


async def test_every_key_expires(store: Store, make_warmer: MakeWarmer, keys: Keys) -> None:
    """Nothing of a snapshot outlives it; only fence, history and master have no expiry."""
    await make_warmer(ttl=1000, stale_for=500).warm(DATASOURCE, MemorySource(a_table(1)))
    found = await all_keys(store)
    lasting = {keys.fence, keys.history, keys.master}
    assert found >= lasting
    for key in found - lasting:
        (left,) = await store.run([(b"PTTL", key)])
        assert 1_400_000 < left <= 1_500_000, key
    assert keys.lock not in found


async def test_a_second_warm_replaces_the_first(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """Keys that vanished from the table vanish from the cache; the old snapshot's keys expire."""
    await make_warmer(grace=0.2).warm(DATASOURCE, MemorySource(a_table(1, practices=50)))
    before = await all_keys(store)
    second = a_table(2, practices=49)
    await make_warmer(grace=0.2).warm(DATASOURCE, MemorySource(second))
    assert await read_all(store) == expected(second)
    async with asyncio.timeout(20):
        while before & await all_keys(store) > {keys.fence}:
            left = before & await all_keys(store)
            if left <= {keys.fence, keys.history, keys.master, keys.current, keys.last_warm}:
                break
            await asyncio.sleep(0.05)


async def test_line_7_readers_during_warms_see_one_snapshot(
    store: Store, make_warmer: MakeWarmer
) -> None:
    """Line 7 of the predecessor's defects: no read mixes two snapshots, ever."""
    source = MemorySource(a_table(0))
    await make_warmer().warm(DATASOURCE, source)
    done = asyncio.Event()
    seen: set[int] = set()

    async def hammer() -> None:
        while not done.is_set():
            try:
                rows = await read_all(store)
            except PointerMoved:  # upon which a query starts anew
                continue
            values = {value for _, _, value in rows}
            assert len(values) == 1
            assert len(rows) == 120
            seen.update(values)

    readers = [asyncio.create_task(hammer()) for _ in range(4)]
    for value in range(1, 8):
        source.rows = a_table(value)
        await make_warmer().warm(DATASOURCE, source)
    done.set()
    await asyncio.gather(*readers)
    assert len(seen) > 3


async def test_of_two_warmers_one_works(store: Store, make_warmer: MakeWarmer) -> None:
    """The other one says who holds the lease, and nothing is warmed twice."""
    source = MemorySource(a_table(1))
    both = await asyncio.gather(
        make_warmer().warm(DATASOURCE, source),
        make_warmer().warm(DATASOURCE, source),
        return_exceptions=True,
    )
    errors = [outcome for outcome in both if isinstance(outcome, BaseException)]
    assert len(errors) == 1
    assert isinstance(errors[0], WarmInProgress)
    assert "process" in str(errors[0])
    assert await read_all(store) == expected(source.rows)


async def test_a_failed_warm_changes_nothing(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """The old snapshot goes on serving, the lease is free, and no key is left behind."""
    old = a_table(1)
    await make_warmer().warm(DATASOURCE, MemorySource(old))
    before = await all_keys(store)
    broken = MemorySource(a_table(2))

    def fail() -> None:
        raise RuntimeError("the database broke off")

    broken.before_batch = fail
    with pytest.raises(RuntimeError):
        await make_warmer().warm(DATASOURCE, broken)
    assert await read_all(store) == expected(old)
    assert await all_keys(store) == before
    await make_warmer().warm(DATASOURCE, MemorySource(old))
    assert keys.lock not in await all_keys(store)


async def test_what_the_source_counts_must_have_been_read(
    store: Store, make_warmer: MakeWarmer
) -> None:
    """A read that lost rows isn't published (lines 11 and 14: nothing is left out silently)."""
    source = MemorySource(a_table(1))
    source.miscount = 1
    with pytest.raises(WarmMismatch, match="1 rows read, 2 counted"):
        await make_warmer().warm(DATASOURCE, source)
    with pytest.raises(LookupError):
        await read_all(store)


@pytest.mark.parametrize("left", [0, 10])
async def test_a_table_that_lost_most_rows_needs_force(
    store: Store, make_warmer: MakeWarmer, left: int
) -> None:
    """A load that is half done doesn't replace a good snapshot by accident."""
    old, new = a_table(1), a_table(2)[:left]
    await make_warmer().warm(DATASOURCE, MemorySource(old))
    with pytest.raises(WarmRefused, match="--force"):
        await make_warmer().warm(DATASOURCE, MemorySource(new))
    assert await read_all(store) == expected(old)
    await make_warmer().warm(DATASOURCE, MemorySource(new), force=True)
    assert await read_all(store) == expected(new)


async def test_an_empty_table_is_a_valid_first_snapshot(
    store: Store, make_warmer: MakeWarmer
) -> None:
    """It is warm, and holds nothing."""
    report = await make_warmer().warm(DATASOURCE, MemorySource())
    assert (report.rows, report.entries, report.partitions) == (0, 0, 0)
    assert await read_all(store) == []


@pytest.mark.parametrize("phase", [Phase.READING, Phase.WRITING, Phase.VERIFYING, Phase.PUBLISHING])
async def test_invalidate_during_a_warm_stops_it(
    store: Store, make_warmer: MakeWarmer, keys: Keys, phase: Phase
) -> None:
    """A warm that was under way can't bring the data back, and nothing of it stays."""
    await make_warmer().warm(DATASOURCE, MemorySource(a_table(1)))
    invalidations: list[asyncio.Task[object]] = []
    source = MemorySource(a_table(2))

    def on_progress(progress: Progress) -> None:
        if progress.phase is phase and not invalidations:
            task = asyncio.get_running_loop().create_task(
                invalidate(Clearing(store, keys, SEAL), "test")
            )
            invalidations.append(task)

    warm = asyncio.create_task(
        make_warmer(lease_seconds=0.6).warm(DATASOURCE, source, progress=on_progress)
    )
    if phase is Phase.READING:
        source.before_batch = lambda: until_done(invalidations)
    outcome = (await asyncio.gather(warm, return_exceptions=True))[0]
    await asyncio.gather(*invalidations)
    if isinstance(outcome, BaseException):
        assert isinstance(outcome, WarmFenced)
        with pytest.raises(LookupError):
            await read_all(store)
        assert await all_keys(store) <= {keys.fence, keys.history}
    else:  # it had been published before the invalidation, which then took it away
        with pytest.raises(LookupError):
            await read_all(store)


def until_done(tasks: list[asyncio.Task[object]]) -> None:
    """Block the reading thread until the loop has finished some tasks."""
    import time  # noqa: PLC0415

    for _ in range(2000):
        if tasks and all(task.done() for task in tasks):
            return
        time.sleep(0.005)


@pytest.mark.parametrize("phase", [Phase.COUNTING, Phase.READING, Phase.WRITING, Phase.PUBLISHING])
async def test_flushall_during_a_warm_publishes_nothing_partial(
    store: Store, make_warmer: MakeWarmer, phase: Phase
) -> None:
    """An emptied store takes the lease with it: the warm fails, or what it published is whole."""
    rows = a_table(2)
    flushed: list[asyncio.Task[object]] = []

    def on_progress(progress: Progress) -> None:
        if progress.phase is phase and not flushed:
            flushed.append(asyncio.get_running_loop().create_task(store.run([(b"FLUSHALL",)])))

    outcome = (
        await asyncio.gather(
            make_warmer().warm(DATASOURCE, MemorySource(rows), progress=on_progress),
            return_exceptions=True,
        )
    )[0]
    await asyncio.gather(*flushed)
    if isinstance(outcome, BaseException):
        assert isinstance(outcome, (WarmFenced, WarmMismatch)) or "missing" in str(outcome)
    with pytest.raises(LookupError):
        await read_all(store)
    await make_warmer().warm(DATASOURCE, MemorySource(rows))
    assert await read_all(store) == expected(rows)


async def test_a_lost_fence_stops_a_warm(store: Store, make_warmer: MakeWarmer, keys: Keys) -> None:
    """Without its fence a warm can't know whether it was overtaken, so it doesn't publish."""
    old = a_table(1)
    await make_warmer().warm(DATASOURCE, MemorySource(old))
    source = MemorySource(a_table(2))
    lost: list[asyncio.Task[object]] = []

    def on_progress(progress: Progress) -> None:
        if progress.phase is Phase.WRITING and not lost:
            lost.append(asyncio.get_running_loop().create_task(store.run([(b"DEL", keys.fence)])))

    with pytest.raises(WarmFenced):
        await make_warmer().warm(DATASOURCE, source, progress=on_progress)
    assert await read_all(store) == expected(old)
    report = await make_warmer().warm(DATASOURCE, source)
    assert await read_all(store) == expected(source.rows)
    assert int(report.snapshot.split("-")[0]) > 1


async def test_versions_are_never_reused(store: Store, make_warmer: MakeWarmer) -> None:
    """Not even after FLUSHALL, when the counter starts again."""
    seen = set()
    for _ in range(3):
        seen.add((await make_warmer().warm(DATASOURCE, MemorySource(a_table(1)))).snapshot)
        seen.add((await make_warmer().warm(DATASOURCE, MemorySource(a_table(1)))).snapshot)
        await store.run([(b"FLUSHALL",)])
    assert len(seen) == 6


async def test_line_12_invalidate_leaves_fence_and_history_only(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """Line 12: no index set, count, dictionary or manifest is left, of any snapshot."""
    await make_warmer().warm(DATASOURCE, MemorySource(a_table(1)))
    await make_warmer().warm(DATASOURCE, MemorySource(a_table(2)))
    result = await invalidate(Clearing(store, keys, SEAL), "test")
    assert result.was_live
    assert await all_keys(store) == {keys.fence, keys.history}
    again = await invalidate(Clearing(store, keys, SEAL), "test")
    assert (again.was_live, again.keys) == (False, 0)


async def test_line_8_residue_of_a_killed_warm_is_removed_later(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """Line 8: what a crashed warm wrote never mixes in, and goes once its lease is long dead."""
    rows = a_table(1)
    warm = asyncio.create_task(
        make_warmer(lease_seconds=0.3).warm(DATASOURCE, MemorySource(a_table(9)))
    )
    await asyncio.sleep(0)
    killed: set[bytes] = set()
    while not killed and not warm.done():
        await asyncio.sleep(0.001)
        killed = {key for key in await all_keys(store) if key.startswith(b"cache:{")}
    # As after kill -9: no clean-up, the lease still there.
    residue = {key: (await store.run([(b"DUMP", key)]))[0] for key in await all_keys(store)}
    await asyncio.gather(warm, return_exceptions=True)
    await store.run([(b"FLUSHALL",)])
    for key, dump in residue.items():
        if key != keys.lock:
            await store.run([(b"RESTORE", key, 0, dump)])
    warmer = make_warmer(lease_seconds=1.0, grace=0.0)
    await warmer.warm(DATASOURCE, MemorySource(rows))
    assert await read_all(store) == expected(rows)
    await asyncio.sleep(2.3)
    await warmer.warm(DATASOURCE, MemorySource(rows))
    assert not killed & await all_keys(store)


async def test_line_19_progress_moves(make_warmer: MakeWarmer) -> None:
    """Line 19: phases come in order, with rows in between, and end at all of them."""
    told: list[Progress] = []
    rows = a_table(1, practices=4000)
    await make_warmer().warm(DATASOURCE, MemorySource(rows), progress=told.append)
    phases = list(dict.fromkeys(progress.phase for progress in told))
    assert phases == [
        Phase.COUNTING,
        Phase.READING,
        Phase.WRITING,
        Phase.VERIFYING,
        Phase.PUBLISHING,
        Phase.CLEANING,
        Phase.DONE,
    ]
    writing = [progress.rows for progress in told if progress.phase is Phase.WRITING]
    assert writing == sorted(writing)
    assert any(0 < done < len(rows) for done in writing)
    assert told[-1].rows == told[-1].total_rows == len(rows)


async def test_cancelling_a_warm_leaves_nothing(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """Ctrl-C during a warm: the lease is given back, and no key of it stays."""
    writing = asyncio.Event()

    def on_progress(progress: Progress) -> None:
        if progress.phase is Phase.WRITING:
            writing.set()

    source = MemorySource(a_table(1, practices=5000))
    warm = asyncio.create_task(make_warmer().warm(DATASOURCE, source, progress=on_progress))
    await writing.wait()
    warm.cancel()
    with pytest.raises(asyncio.CancelledError):
        await warm
    assert await all_keys(store) <= {keys.fence, keys.history}


async def test_a_lost_reply_to_the_publication_takes_nothing_back(
    store: Store, make_warmer: MakeWarmer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The snapshot is live although the warmer can't know; what readers have stays whole."""
    rows, script = a_table(1), store.script

    async def lose(name: str, keys: Sequence[bytes], arguments: Sequence[bytes | int]) -> Reply:
        reply = await script(name, keys, arguments)
        if name == "publish":
            raise StoreUnavailable("the connection broke")
        return reply

    monkeypatch.setattr(store, "script", lose)
    with pytest.raises(StoreUnavailable):
        await make_warmer().warm(DATASOURCE, MemorySource(rows))
    assert await read_all(store) == expected(rows)


async def test_a_server_that_evicts_is_refused(store: Store, make_warmer: MakeWarmer) -> None:
    """An allkeys policy would evict the live snapshot, so it must be accepted on purpose."""
    await store.run([(b"CONFIG", b"SET", b"maxmemory", 10**9)])
    await store.run([(b"CONFIG", b"SET", b"maxmemory-policy", b"allkeys-lru")])
    try:
        with pytest.raises(StoreTooSmall, match="allkeys-lru"):
            await make_warmer().warm(DATASOURCE, MemorySource(a_table(1)))
        await make_warmer(allow_eviction=True).warm(DATASOURCE, MemorySource(a_table(1)))
    finally:
        await store.run([(b"CONFIG", b"SET", b"maxmemory-policy", b"noeviction")])
        await store.run([(b"CONFIG", b"SET", b"maxmemory", 0)])


async def test_a_table_that_does_not_fit_is_refused_before_writing(
    store: Store, make_warmer: MakeWarmer
) -> None:
    """The error has the figures; the old snapshot goes on serving."""
    old = a_table(1)
    await make_warmer().warm(DATASOURCE, MemorySource(old))
    ((_, facts),) = [("", (await store.memory())[0])]
    await store.run([(b"CONFIG", b"SET", b"maxmemory", facts.used + 3_000_000)])
    try:
        with pytest.raises(StoreTooSmall, match=r"needs about .* MB"):
            await make_warmer().warm(DATASOURCE, MemorySource(a_table(2, practices=20_000)))
    finally:
        await store.run([(b"CONFIG", b"SET", b"maxmemory", 0)])
    assert await read_all(store) == expected(old)


async def test_reservations_of_other_warms_count(store: Store, make_warmer: MakeWarmer) -> None:
    """Two warms that fit alone but not together don't fill the server."""
    facts = (await store.memory())[0]
    now = await store.now_ms()
    reservation = f"{900_000_000} {now + 60_000}".encode()
    await store.run([(b"CONFIG", b"SET", b"maxmemory", facts.used + 1_000_000_000)])
    try:
        await store.run([(b"HSET", Keys("", 1).reservations, b"99", reservation)])
        with pytest.raises(StoreTooSmall, match="other warms have reserved 900 MB"):
            await make_warmer().warm(DATASOURCE, MemorySource(a_table(1)))
        await store.run([(b"HSET", Keys("", 1).reservations, b"99", b"900000000 1")])
        await make_warmer().warm(DATASOURCE, MemorySource(a_table(1)))
    finally:
        await store.run([(b"CONFIG", b"SET", b"maxmemory", 0)])


async def test_line_10_the_lease_is_renewed_while_the_database_is_read(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """Line 10: a slow read doesn't lose the lease, and nobody else can take or release it."""
    source = MemorySource(a_table(1))

    def slowly() -> None:
        import time  # noqa: PLC0415

        time.sleep(1.0)

    source.before_batch = slowly
    warm = asyncio.create_task(make_warmer(lease_seconds=0.4).warm(DATASOURCE, source))
    await asyncio.sleep(0.7)
    with pytest.raises(WarmInProgress):
        await make_warmer(lease_seconds=0.4).warm(DATASOURCE, MemorySource(a_table(2)))
    assert keys.lock in await all_keys(store)
    await warm
    assert await read_all(store) == expected(source.rows)
