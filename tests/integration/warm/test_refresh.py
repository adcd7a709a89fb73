"""Refreshes on a real server: what is read, what is carried over, and what failures leave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.support.held import (
    all_keys,
    live_manifest,
    needed_keys,
    partition_keys,
    settled,
)
from tests.support.memory import DATASOURCE, MemorySource, Row, read_all

from warmcube.entry.keys import Keys, PartitionName
from warmcube.entry.seal import Checksum, Mac
from warmcube.errors import (
    Damage,
    UnknownPartition,
    WarmFenced,
    WarmMismatch,
    WarmRefused,
)
from warmcube.store.api import Store
from warmcube.warm.clearing import Clearing
from warmcube.warm.invalidate import invalidate
from warmcube.warm.refresh import Refresh
from warmcube.warm.report import Phase, Progress
from warmcube.warm.warmer import Warmer, WarmSettings

MakeWarmer = Callable[..., Warmer]
CHANGED = Refresh(changed=True)
M, OTHER = PartitionName("m", "f"), PartitionName("other", "f")

SEAL = Checksum()


def of(measure: str | None) -> Refresh:
    """A refresh of one measure."""
    return Refresh(measures=(measure,))


def a_table(**values: int) -> list[Row]:
    """Twenty practices of two providers, and rows of nobody, for each measure: all of one value.

    One practice has so many providers that its index set is too large to lie in its counts.
    """
    rows: list[Row] = []
    for measure, value in values.items():
        rows += [(measure, p, v or None, "f", value) for p in range(20) for v in range(3)]
        rows += [(measure, 99, v, "f", value) for v in range(30)]
        rows += [(measure, None, None, "f", value)]
    return rows


def expected(rows: list[Row]) -> list[tuple[int | None, int | None, int]]:
    """What `read_all` finds of some rows."""
    return sorted(((p, v, x) for m, p, v, f, x in rows if (m, f) == ("m", "f")), key=str)


async def test_what_is_named_is_read_and_the_rest_is_carried(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """The named partition holds the new rows; the other one has the very keys that it had."""
    source = MemorySource(a_table(m=1, other=1))
    await make_warmer().warm(DATASOURCE, source)
    before = await live_manifest(store, keys)
    carried = await partition_keys(store, keys, before, OTHER)
    source.rows = a_table(m=2, other=2)
    report = await make_warmer(grace=0.1).warm(DATASOURCE, source, refresh=of("m"))
    assert await read_all(store) == expected(source.rows)
    after = await live_manifest(store, keys)
    assert after.partitions[OTHER].version == before.partitions[OTHER].version
    assert await partition_keys(store, keys, after, OTHER) == carried
    assert (report.refreshed, report.carried, report.dropped) == (1, 1, 0)
    assert report.names == {"refreshed": [["m", "f"]], "dropped": []}
    assert (report.rows, report.because) == (len(source.rows), "")
    assert (after.practices, after.providers) == (before.practices, before.providers)
    await settled(store, keys)


async def test_what_changed_is_found(store: Store, make_warmer: MakeWarmer, keys: Keys) -> None:
    """Of ten measures one has changed, one has gone and one has come; the others are carried."""
    values = {f"m{n}": n for n in range(10)} | {"m": 1}
    source = MemorySource(a_table(**values))
    warmer = make_warmer(grace=0.1)
    first = await warmer.warm(DATASOURCE, source, refresh=CHANGED)
    assert "no snapshot" in first.because
    del values["m3"]
    source.rows = a_table(**(values | {"m": 2, "new": 7}))
    report = await warmer.warm(DATASOURCE, source, refresh=CHANGED)
    assert await read_all(store) == expected(source.rows)
    assert (report.refreshed, report.carried, report.dropped) == (2, 9, 1)
    assert sorted(map(str, report.names["refreshed"])) == ["['m', 'f']", "['new', 'f']"]
    assert report.names["dropped"] == [["m3", "f"]]
    again = await warmer.warm(DATASOURCE, source, refresh=CHANGED)
    assert (again.refreshed, again.carried, again.dropped) == (0, 11, 0)
    assert await read_all(store) == expected(source.rows)
    await settled(store, keys)


async def test_a_whole_warm_goes_on_taking_fingerprints(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """A plain warm takes none; once changes were asked for, those that follow do."""
    source = MemorySource(a_table(m=1, a=1, b=1))
    warmer = make_warmer()
    await warmer.warm(DATASOURCE, source)
    assert not (await live_manifest(store, keys)).has_fingerprints
    report = await warmer.warm(DATASOURCE, source, refresh=CHANGED)
    assert "nothing is known" in report.because
    await warmer.warm(DATASOURCE, source)
    source.rows = a_table(m=2, a=1, b=1)
    report = await warmer.warm(DATASOURCE, source, refresh=CHANGED)
    assert (report.refreshed, report.carried) == (1, 2)


async def test_if_most_has_changed_all_is_read(store: Store, make_warmer: MakeWarmer) -> None:
    """Reading the table whole takes less then; the report says so."""
    source = MemorySource(a_table(m=1, other=1, third=1))
    await make_warmer().warm(DATASOURCE, source, refresh=CHANGED)
    source.rows = a_table(m=2, other=2, third=1)
    report = await make_warmer().warm(DATASOURCE, source, refresh=CHANGED)
    assert "most of its rows" in report.because
    assert (report.refreshed, report.carried) == (3, 0)
    assert await read_all(store) == expected(source.rows)


@pytest.mark.parametrize(
    "refresh",
    [of("nowhere"), Refresh(measures=("m",), frequencies=("g",)), Refresh(frequencies=(None,))],
)
async def test_a_name_that_is_nowhere_is_an_error(
    store: Store, make_warmer: MakeWarmer, refresh: Refresh
) -> None:
    """Be there a snapshot or not; nothing is read, and the old snapshot goes on serving."""
    source = MemorySource(a_table(m=1))
    for _ in range(2):
        with pytest.raises(UnknownPartition, match="neither the table nor the live snapshot"):
            await make_warmer().warm(DATASOURCE, source, refresh=refresh)
        await make_warmer().warm(DATASOURCE, source)
    assert await read_all(store) == expected(source.rows)


async def test_a_named_partition_without_rows_disappears(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """What is only in the snapshot may be named, and is gone then; NULL is a name, too."""
    source = MemorySource([*a_table(m=1), (None, 1, 1, "f", 1)])
    await make_warmer().warm(DATASOURCE, source)
    source.rows = [*a_table(m=2), ("unnamed", 1, 1, "f", 1)]
    report = await make_warmer(grace=0.1).warm(DATASOURCE, source, refresh=of(None))
    assert (report.refreshed, report.carried, report.dropped) == (0, 1, 1)
    assert report.names["dropped"] == [[None, "f"]]
    assert set((await live_manifest(store, keys)).partitions) == {M}
    assert await read_all(store) == expected(a_table(m=1))
    await settled(store, keys)


async def test_a_named_refresh_makes_nothing_younger(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """What isn't read again stays as old as it is, so the snapshot lasts as long as before."""
    source = MemorySource(a_table(m=1, other=1))
    await make_warmer().warm(DATASOURCE, source, refresh=CHANGED)
    before = await live_manifest(store, keys)
    await make_warmer(ttl=50_000).warm(DATASOURCE, source, refresh=of("m"))
    after = await live_manifest(store, keys)
    assert (after.fresh_until_ms, after.serve_until_ms) == (
        before.fresh_until_ms,
        before.serve_until_ms,
    )
    await make_warmer(ttl=50_000).warm(DATASOURCE, source, refresh=CHANGED)
    proven = await live_manifest(store, keys)
    assert proven.fresh_until_ms > before.fresh_until_ms
    for key in await needed_keys(store, keys, proven):
        (left,) = await store.run([(b"PTTL", key)])
        assert left > 53_000_000 or key in {keys.fence, keys.history, keys.master}, key


async def test_a_snapshot_that_is_stale_is_read_whole(
    store: Store, make_warmer: MakeWarmer
) -> None:
    """A refresh of a part can't bring back what has outlived its life."""
    source = MemorySource(a_table(m=1, other=1))
    await make_warmer(ttl=0, stale_for=100).warm(DATASOURCE, source)
    source.rows = a_table(m=2, other=2)
    report = await make_warmer().warm(DATASOURCE, source, refresh=of("other"))
    assert "isn't fresh" in report.because
    assert await read_all(store) == expected(source.rows)


@pytest.mark.parametrize("which", range(12))
async def test_what_can_not_be_carried_is_read_anew(
    store: Store, make_warmer: MakeWarmer, keys: Keys, which: int
) -> None:
    """A key that is gone or altered, of each kind: its partition is read with the rest."""
    source = MemorySource(a_table(m=1, a=1, b=1, c=1, d=1))
    await make_warmer().warm(DATASOURCE, source, refresh=CHANGED)
    own = keys.partition(M, str((await live_manifest(store, keys)).partitions[M].version))
    await store.run(
        [
            [
                (b"UNLINK", own.entry(b"p:3:prov:1")),
                (b"UNLINK", own.set(b"p:99")),
                (b"UNLINK", own.all),
                (b"UNLINK", own.counts),
                (b"UNLINK", own.sums(b"p:99")),
                (b"UNLINK", own.whole_sums),
                (b"HDEL", own.counts, b"p:3"),
                (b"HSET", own.counts, b"p:3", b"12345678:1"),
                (b"RPUSH", own.all, b"p:3:prov:777"),
                (b"UNLINK", own.bin(0)),
                (b"HDEL", own.bin(0), b"prov:1"),
                (b"HSET", own.bin(0), b"prov:1", b"12345678:1"),
            ][which]
        ]
    )
    source.rows = a_table(m=1, a=2, b=1, c=1, d=1)
    report = await make_warmer(grace=0.1).warm(DATASOURCE, source, refresh=CHANGED)
    assert (report.refreshed, report.carried) == (2, 3)
    assert await read_all(store) == expected(source.rows)
    assert (await live_manifest(store, keys)).practices == 22
    again = await make_warmer(grace=0.1).warm(DATASOURCE, source, refresh=CHANGED)
    assert (again.refreshed, again.carried) == (0, 5)


@pytest.mark.parametrize(
    "phase",
    [Phase.COUNTING, Phase.CARRYING, Phase.READING, Phase.WRITING, Phase.VERIFYING,
     Phase.PUBLISHING],
)  # fmt: skip
async def test_a_refresh_that_fails_takes_nothing_away(
    store: Store, make_warmer: MakeWarmer, keys: Keys, phase: Phase
) -> None:
    """In every phase: the old snapshot is whole, nothing else is left, and the next one works."""
    source = MemorySource(old := a_table(m=1, a=1, b=1))
    await make_warmer().warm(DATASOURCE, source, refresh=CHANGED)
    needed = await needed_keys(store, keys, await live_manifest(store, keys))

    def fail(progress: Progress) -> None:
        if progress.phase is phase:
            raise RuntimeError("stop here")

    source.rows = a_table(m=2, a=1, b=1)
    with pytest.raises(RuntimeError):
        await make_warmer().warm(DATASOURCE, source, refresh=CHANGED, progress=fail)
    assert await read_all(store) == expected(old)
    assert await all_keys(store) == needed
    report = await make_warmer(grace=0.1).warm(DATASOURCE, source, refresh=CHANGED)
    assert (report.refreshed, report.carried) == (1, 2)
    assert await read_all(store) == expected(source.rows)
    await settled(store, keys)


@pytest.mark.parametrize("event", ["invalidate", "flushall", "whole warm", "expiry"])
@pytest.mark.parametrize("phase", [Phase.CARRYING, Phase.READING, Phase.WRITING, Phase.VERIFYING])
async def test_what_happens_during_a_refresh_wins(
    store: Store, make_warmer: MakeWarmer, keys: Keys, phase: Phase, event: str
) -> None:
    """A refresh never publishes over what it wasn't built on, nor a snapshot with holes."""
    source = MemorySource(a_table(m=1, a=1, b=1))
    await make_warmer().warm(DATASOURCE, source, refresh=CHANGED)
    reached = asyncio.Event()

    def stop(progress: Progress) -> None:
        if progress.phase is phase and not reached.is_set():
            reached.set()

    source.rows = a_table(m=2, a=1, b=1)
    warmer = make_warmer(lease_seconds=5.0)
    running = asyncio.create_task(warmer.warm(DATASOURCE, source, refresh=CHANGED, progress=stop))
    await reached.wait()
    newer = a_table(m=3, a=3, b=3)
    if event == "invalidate":
        await invalidate(Clearing(store, keys, SEAL), "test")
    elif event == "flushall":
        await store.run([(b"FLUSHALL",)])
    elif event == "expiry":
        await store.run([(b"UNLINK", keys.current)])
    else:  # as if this one had been stopped for longer than its lease
        await store.run([(b"UNLINK", keys.lock)])
        await make_warmer().warm(DATASOURCE, MemorySource(newer))
    outcome = (await asyncio.gather(running, return_exceptions=True))[0]
    if event == "whole warm":
        assert isinstance(outcome, WarmFenced) or not isinstance(outcome, BaseException)
        assert await read_all(store) == expected(newer)
        return
    if isinstance(outcome, BaseException):
        assert isinstance(outcome, WarmFenced | WarmMismatch | Damage)
    with pytest.raises(LookupError):
        await read_all(store)


async def test_a_chain_of_refreshes(store: Store, make_warmer: MakeWarmer, keys: Keys) -> None:
    """Each is built on the one before; what is superseded goes, what is carried stays."""
    measures = ("m", "a", "b", "c", "d")
    values = dict.fromkeys(measures, 0)
    source = MemorySource(a_table(**values))
    warmer = make_warmer(grace=0.05, lease_seconds=2.0)
    await warmer.warm(DATASOURCE, source, refresh=CHANGED)
    for number in range(12):
        values[measures[number % 5]] = number + 1
        source.rows = a_table(**values)
        refresh = CHANGED if number % 3 else of(measures[number % 5])
        report = await warmer.warm(DATASOURCE, source, refresh=refresh)
        assert report.carried >= 3
        assert await read_all(store) == expected(source.rows)
    await settled(store, keys)
    manifest = await live_manifest(store, keys)
    assert len({each.version for each in manifest.partitions.values()}) > 3
    assert len(manifest.layouts) <= 5


async def test_losing_most_rows_by_a_refresh_needs_force(
    store: Store, make_warmer: MakeWarmer
) -> None:
    """The rule looks at the snapshot as it would be, what is carried included."""
    source = MemorySource(old := a_table(m=1, a=1, b=1))
    await make_warmer().warm(DATASOURCE, source, refresh=CHANGED)
    source.rows = a_table(m=1)
    with pytest.raises(WarmRefused, match="--force"):
        await make_warmer().warm(DATASOURCE, source, refresh=CHANGED)
    assert await read_all(store) == expected(old)
    source.rows = a_table(m=1, a=1)
    report = await make_warmer().warm(DATASOURCE, source, refresh=CHANGED)
    assert (report.carried, report.dropped) == (2, 1)


async def test_namespaces_and_macs(store: Store) -> None:
    """Carried entries keep their seals, under a namespace and a key of their own."""
    seal = Mac(b"k" * 32)
    keys = Keys("deep:", DATASOURCE.id)
    warmer = Warmer(store, "deep:", seal, WarmSettings(grace=0.1))
    source = MemorySource(a_table(m=1, a=1, b=1))
    await warmer.warm(DATASOURCE, source, refresh=CHANGED)
    source.rows = a_table(m=2, a=1, b=1)
    report = await warmer.warm(DATASOURCE, source, refresh=CHANGED)
    assert (report.refreshed, report.carried) == (1, 2)
    await settled(store, keys, seal)
    other = Warmer(store, "deep:", Mac(b"x" * 32), WarmSettings())
    report = await other.warm(DATASOURCE, source, refresh=CHANGED)
    assert "no snapshot" in report.because


async def test_a_table_that_is_used_otherwise_is_read_whole(
    store: Store, make_warmer: MakeWarmer
) -> None:
    """Nothing is carried over to where a column plays another part."""
    source = MemorySource(a_table(m=1, a=1))
    await make_warmer().warm(DATASOURCE, source)
    changed = replace(DATASOURCE, roles=replace(DATASOURCE.roles, value=None))
    report = await make_warmer().warm(changed, source, refresh=of("a"))
    assert "what they are used for" in report.because
    assert report.carried == 0
