"""Nothing is left that nobody knows, and nothing goes that somebody may need, however it comes."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest
from faults.proxy import Proxy, Trap
from tests.support.held import all_keys, live_manifest, needed_keys, partition_keys, settled
from tests.support.interrupted import Interrupted, Words
from tests.support.leftovers import unknown_keys
from tests.support.memory import DATASOURCE, MemorySource, Row, read_all

from warmcube.embedded import EmbeddedRedis
from warmcube.entry.counts import INLINE_MEMBERS, bins_of
from warmcube.entry.keys import Keys, PartitionName
from warmcube.entry.manifest import Manifest, pack_manifest
from warmcube.entry.master import Chunks, PartitionVersion
from warmcube.entry.seal import Checksum, seal
from warmcube.errors import StoreUnavailable, WarmError, WarmFenced, WarmMismatch
from warmcube.store.api import Command, Store
from warmcube.store.connect import open_store
from warmcube.warm import commands as commands_module
from warmcube.warm.cleanup import master_items, remove_items
from warmcube.warm.clearing import Clearing
from warmcube.warm.ends import read_ends
from warmcube.warm.invalidate import invalidate
from warmcube.warm.named import read_named
from warmcube.warm.publish import items_of
from warmcube.warm.refresh import Refresh
from warmcube.warm.residue import remove_residue
from warmcube.warm.steer import rollback
from warmcube.warm.warmer import Warmer, WarmSettings

MakeWarmer = Callable[..., Warmer]
SEAL = Checksum()
GRACE, LEASE = 0.15, 0.2
"""By which is cleared up. Warms have a lease of half a minute, so that a slow machine ends none."""
LONG_GRACE = 60.0
M, OTHER = PartitionName("m", "f"), PartitionName("other", "f")


def a_table(value: int) -> list[Row]:
    """Two measures, each with sets that are too large to lie in their counts, and others."""
    return [
        (measure, practice, provider, "f", value)
        for measure in ("m", "other")
        for practice in range(3)
        for provider in range(INLINE_MEMBERS + practice)
    ]


def clearing_of(store: Store, keys: Keys) -> Clearing:
    """With short bounds."""
    return Clearing(store, keys, SEAL, GRACE, LEASE)


async def later(seconds: float = GRACE) -> None:
    """When a grace period or a dead lease is over."""
    await asyncio.sleep(seconds + 0.05)


async def long_dead() -> None:
    """When a lease that has been dead for a lease is over too."""
    await later(2 * LEASE)


@pytest.mark.parametrize("is_killed", [True, False])
async def test_what_a_warm_still_writes_is_known_though_it_was_invalidated(
    store: Store,
    make_warmer: MakeWarmer,
    keys: Keys,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_killed: bool,
) -> None:
    """It writes on until it notices; killed in that time it leaves nothing that isn't found."""
    monkeypatch.setattr(commands_module, "CHUNK_BYTES", 500)
    await make_warmer().warm(DATASOURCE, MemorySource(a_table(1)))
    writes = 0

    async def hook(kind: str, commands: Words) -> None:
        nonlocal writes
        if kind != "write" or len(commands) < 3:
            return
        writes += 1
        if writes == 3:
            await invalidate(clearing_of(store, keys), "test")
        if writes == 5:
            cut.is_cut_off = is_killed

    cut = Interrupted(store, hook)
    settings = WarmSettings(lease_seconds=1.0, batch_size=7)
    warmer = Warmer(cast("Store", cut), "", SEAL, settings)
    with pytest.raises((WarmError, StoreUnavailable)):
        await warmer.warm(DATASOURCE, MemorySource(a_table(2)))
    assert writes >= 5
    with pytest.raises(LookupError):
        await read_all(store)
    written = {key for key in await all_keys(store) if key.startswith(b"cache:{")}
    assert bool(written) is is_killed
    assert await unknown_keys(store, grace=GRACE) == []
    await long_dead()
    await remove_residue(clearing_of(store, keys))
    assert await all_keys(store) - {keys.lock} == {keys.fence, keys.history}


async def test_a_write_that_comes_after_a_clean_up_is_known(
    store: Store, make_warmer: MakeWarmer, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was stopped in front of a write is dead for everybody, and then goes on."""
    monkeypatch.setattr(commands_module, "CHUNK_BYTES", 500)
    writes = 0

    async def hook(kind: str, commands: Words) -> None:
        nonlocal writes
        if kind != "write" or len(commands) < 3:
            return
        writes += 1
        if writes == 4:
            await store.run([(b"DEL", keys.lock)])
            await invalidate(clearing_of(store, keys), "test")
            await long_dead()
            await remove_residue(clearing_of(store, keys))
            assert await master_items(store, keys) == []
        if writes == 5:
            cut.is_cut_off = True

    cut = Interrupted(store, hook)
    warmer = Warmer(cast("Store", cut), "", SEAL, WarmSettings(lease_seconds=30, batch_size=7))
    with pytest.raises(StoreUnavailable):
        await warmer.warm(DATASOURCE, MemorySource(a_table(2)))
    assert any(key.startswith(b"cache:{") for key in await all_keys(store))
    assert await unknown_keys(store, grace=GRACE) == []
    await remove_residue(clearing_of(store, keys))
    assert await all_keys(store) - {keys.lock} == {keys.fence, keys.history}


@pytest.mark.parametrize("at", [1, 4, 7, 10, 13, 16])
async def test_an_invalidation_that_is_cut_off_is_finished_by_the_next_look(
    store: Store, make_warmer: MakeWarmer, keys: Keys, at: int
) -> None:
    """Wherever: a worker's look removes the rest, without any warm; so does another one."""
    await make_warmer(grace=GRACE).warm(DATASOURCE, MemorySource(a_table(1)))
    await make_warmer(grace=GRACE).warm(
        DATASOURCE, MemorySource(a_table(2)), refresh=Refresh(measures=("m",))
    )
    trips = 0

    async def hook(kind: str, commands: Words) -> None:
        nonlocal trips
        trips += kind == "withdraw" or trips > 0
        cut.is_cut_off = trips > at
        del commands

    cut = Interrupted(store, hook)
    clearing = clearing_of(cast("Store", cut), keys)
    with pytest.raises(StoreUnavailable):
        await invalidate(clearing, "test")
    assert await unknown_keys(store, grace=GRACE) == []
    if at % 2:
        await invalidate(clearing_of(store, keys), "test")
        await later()  # what was retired may have expired meanwhile, and is crossed off then
        await invalidate(clearing_of(store, keys), "test")
    else:
        await long_dead()
        await remove_residue(clearing_of(store, keys))
        await later()
        await remove_residue(clearing_of(store, keys))
    assert await all_keys(store) == {keys.fence, keys.history}


async def spoil(store: Store, key: bytes, how: str, manifest: Manifest) -> None:
    """Make a manifest such that it can't be read here."""
    if how == "gone":
        await store.run([(b"DEL", key)])
        return
    body = b"what is this"
    if how == "future":
        document = json.loads(zlib.decompress(pack_manifest(manifest)))
        body = zlib.compress(json.dumps({**document, "format": 99}).encode())
    await store.run([(b"SET", key, seal(SEAL, key, body), b"PXAT", manifest.serve_until_ms)])


@pytest.mark.parametrize("how", ["future", "damaged", "gone", "pointer"])
async def test_what_a_snapshot_needs_that_can_not_be_read_stays(
    store: Store, make_warmer: MakeWarmer, keys: Keys, how: str
) -> None:
    """Also what it carries over of older ones; when it is superseded, it goes after the grace."""
    await make_warmer(grace=0.0).warm(DATASOURCE, MemorySource(a_table(1)))
    warmer = make_warmer(grace=GRACE)
    await warmer.warm(DATASOURCE, MemorySource(a_table(2)), refresh=Refresh(measures=("m",)))
    manifest = await live_manifest(store, keys)
    needed = await needed_keys(store, keys, manifest)
    if how == "pointer":
        (left,) = await store.run([(b"PTTL", keys.current)])
        await store.run([(b"SET", keys.current, b"v2:what is this", b"PX", left)])
    else:
        await spoil(store, keys.manifest(str(manifest.version)), how, manifest)
        if how == "gone":
            needed.discard(keys.manifest(str(manifest.version)))
    await long_dead()
    await remove_residue(clearing_of(store, keys))
    await later()
    assert needed <= await all_keys(store)
    entries = await partition_keys(store, keys, manifest, OTHER)
    await make_warmer(grace=LONG_GRACE).warm(DATASOURCE, MemorySource(a_table(3)))
    assert {value for _, _, value in await read_all(store)} == {3}
    if how != "pointer":
        assert entries <= await all_keys(store)  # whoever was in the middle of it reads on
        assert await unknown_keys(store, grace=LONG_GRACE, with_master=False) == []
        return
    await long_dead()
    for _ in range(2):
        await remove_residue(clearing_of(store, keys))
        await later()
    await settled(store, keys)


async def test_a_kept_snapshot_that_can_not_be_read_stays(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """Another version of warmcube can go back to it."""
    warmer = make_warmer(grace=GRACE, keep_snapshots=1)
    await warmer.warm(DATASOURCE, MemorySource(a_table(1)))
    await warmer.warm(DATASOURCE, MemorySource(a_table(2)), refresh=Refresh(measures=("m",)))
    manifest = await live_manifest(store, keys)
    needed = await needed_keys(store, keys, manifest)
    key = keys.manifest(str(manifest.version))
    await spoil(store, key, "future", manifest)
    await warmer.warm(DATASOURCE, MemorySource(a_table(3)))
    await long_dead()
    await remove_residue(clearing_of(store, keys))
    await later()
    assert needed <= await all_keys(store)
    value = seal(SEAL, key, pack_manifest(manifest))
    await store.run([(b"SET", key, value, b"PXAT", manifest.serve_until_ms)])
    await rollback(clearing_of(store, keys), DATASOURCE, "test")
    assert {value for _, _, value in await read_all(store)} == {2}


@pytest.mark.parametrize("is_killed", [True, False])
@pytest.mark.parametrize("trip", [1, 2, 3, 4])
async def test_a_roll_back_while_a_refresh_carries_over_loses_sight_of_nothing(
    store: Store, make_warmer: MakeWarmer, keys: Keys, trip: int, *, is_killed: bool
) -> None:
    """What got more life just when it was to go is found, by the refresh or whoever comes next."""
    warmer = make_warmer(grace=GRACE, keep_snapshots=1)
    await warmer.warm(DATASOURCE, MemorySource(a_table(1)))
    await warmer.warm(DATASOURCE, MemorySource(a_table(2)))
    trips = 0

    async def hook(kind: str, commands: Words) -> None:
        nonlocal trips
        is_expiry = kind == "write" and isinstance(commands[0], bytes)
        trips += is_expiry and b"PEXPIREAT" in cast("bytes", commands[0])
        if trips == trip and not steered:
            steered.append(await rollback(clearing_of(store, keys), DATASOURCE, "test"))
        if trips == trip + 1:
            cut.is_cut_off = is_killed

    steered: list[object] = []
    cut = Interrupted(store, hook)
    settings = WarmSettings(grace=GRACE, keep_snapshots=1)
    refreshing = Warmer(cast("Store", cut), "", SEAL, settings)
    with pytest.raises((WarmFenced, StoreUnavailable)):
        await refreshing.warm(
            DATASOURCE, MemorySource(a_table(3)), refresh=Refresh(measures=("m",))
        )
    assert steered
    assert await unknown_keys(store, grace=GRACE) == []
    await long_dead()
    for _ in range(3):
        assert await unknown_keys(store, grace=GRACE) == []
        await remove_residue(clearing_of(store, keys))
        await later()
    assert {value for _, _, value in await read_all(store)} == {1}
    assert await unknown_keys(store, grace=0.0) == []
    if not is_killed:
        assert await unknown_keys(store, grace=0.0, with_master=False) == []


async def test_kept_snapshots_stay_whole_though_lives_get_shorter(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """What a refresh carries over of one that is kept lives as long as that."""
    long, short = (
        make_warmer(ttl=ttl, stale_for=0, grace=GRACE, keep_snapshots=2) for ttl in (100, 20)
    )
    refresh = Refresh(changed=True)
    first = await long.warm(DATASOURCE, MemorySource(a_table(1)), refresh=refresh)
    for value in (2, 3):
        rows = [row if row[0] != "m" else (*row[:4], value) for row in a_table(1)]
        report = await short.warm(DATASOURCE, MemorySource(rows), refresh=refresh)
        assert report.carried == 1
    named = await read_named(store, keys, SEAL)
    assert [str(each) for each in named.versions][-1] == first.snapshot
    now = await store.now_ms()
    for manifest in named.kept:
        assert manifest is not None
        for key in await needed_keys(store, keys, manifest) - {keys.last_warm, keys.current}:
            (left,) = await store.run([(b"PTTL", key)])
            assert left == -1 or now + left >= manifest.serve_until_ms - 1000, key


@pytest.mark.parametrize("lost", ["index", "counts", "both", "all", "entry", "swapped"])
@pytest.mark.parametrize("how", ["superseded", "invalidated"])
async def test_what_lost_its_index_is_still_known(
    store: Store, make_warmer: MakeWarmer, keys: Keys, lost: str, how: str
) -> None:
    """Its entries go by what else leads to them; where nothing does, its name stays."""
    warmer = make_warmer(grace=GRACE)
    await warmer.warm(DATASOURCE, MemorySource(a_table(1)))
    manifest = await live_manifest(store, keys)
    own = keys.partition(M, str(manifest.version))
    entries = {key for key in await partition_keys(store, keys, manifest, M) if b":prov:" in key}
    doing: dict[str, list[Command]] = {
        "index": [(b"DEL", own.all)],
        "counts": [(b"DEL", own.counts)],
        "both": [(b"DEL", own.all, own.counts)],
        "all": [(b"DEL", own.all, own.counts, *own.bins(bins_of(manifest.entries)))],
        "entry": [(b"DEL", own.entry(b"p:1:prov:1"))],
        "swapped": [
            (b"LREM", own.all, 1, b"p:1:prov:1"),
            (b"RPUSH", own.all, b"p:1:prov:999"),
        ],
    }
    await store.run(doing[lost])
    if how == "superseded":
        await warmer.warm(DATASOURCE, MemorySource(a_table(2)))
        await long_dead()
        await remove_residue(clearing_of(store, keys))
    else:
        await invalidate(clearing_of(store, keys), "test")
    await later()
    assert await unknown_keys(store, grace=0.0) == []
    left = {key for key in entries & await all_keys(store) if key.startswith(b"cache:")}
    assert bool(left) is (lost == "all")
    item = PartitionVersion(M, manifest.version)
    assert (item in await master_items(store, keys)) is (lost == "all")


@pytest.mark.parametrize(
    ("what", "how"),
    [
        *((what, "superseded") for what in ("counts", "bin", "all", "set", "counts bin all")),
        *((what, "invalidated") for what in ("all", "counts bin all")),
    ],
)
async def test_what_has_become_of_another_type_stands_in_no_warms_way(
    store: Store, make_warmer: MakeWarmer, keys: Keys, what: str, how: str
) -> None:
    """All goes that is led to by what is left; while that may not be all, its name stays."""
    warmer = make_warmer(grace=GRACE)
    await warmer.warm(DATASOURCE, MemorySource(a_table(1)))
    manifest = await live_manifest(store, keys)
    own = keys.partition(M, str(manifest.version))
    entries = {key for key in await partition_keys(store, keys, manifest, M) if b":prov:" in key}
    named = {
        "counts": own.counts,
        "bin": own.bin(0),
        "all": own.all,
        "set": own.set(b"p:1"),
    }
    await store.run([(b"SET", named[each], b"x") for each in what.split()])
    if what == "set":  # which is only walked where entries are missing
        await store.run([(b"DEL", own.entry(b"p:2:prov:1"))])
    if how == "invalidated":
        await invalidate(clearing_of(store, keys), "test")
    for value in (2, 3):
        await warmer.warm(DATASOURCE, MemorySource(a_table(value)))
        assert {found for _, _, found in await read_all(store)} == {value}
        await later()
    await long_dead()
    await remove_residue(clearing_of(store, keys))
    await later()
    assert await unknown_keys(store, grace=0.0) == []
    left = {key for key in entries & await all_keys(store) if key.startswith(b"cache:")}
    assert bool(left) is (what == "counts bin all")
    item = PartitionVersion(M, manifest.version)
    is_known = what != "set"  # since the providers' counts prove that they lead to everything
    assert (item in await master_items(store, keys)) is is_known
    assert bool(await read_ends(store, keys, [item])) is is_known


async def test_a_name_goes_when_all_of_it_must_have_expired(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """Though nobody could find its entries."""
    await make_warmer(ttl=1, stale_for=0).warm(DATASOURCE, MemorySource(a_table(1)))
    manifest = await live_manifest(store, keys)
    own = keys.partition(M, str(manifest.version))
    await store.run([(b"DEL", own.all, own.counts, *own.bins(bins_of(manifest.entries)))])
    clearing = replace(clearing_of(store, keys), life_seconds=1.0)
    await invalidate(clearing, "test")
    assert await master_items(store, keys) == [PartitionVersion(M, manifest.version)]
    await later(1.1)
    await invalidate(clearing, "test")
    assert await all_keys(store) == {keys.fence, keys.history}


async def test_a_cancelled_warm_leaves_what_leads_to_a_write_under_way(
    store: Store, make_warmer: MakeWarmer, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows whether that was done; the next clean-up finds it, if it was."""
    monkeypatch.setattr(commands_module, "CHUNK_BYTES", 500)
    writes = 0

    async def hook(kind: str, commands: Words) -> None:
        nonlocal writes
        if kind == "write" and len(commands) > 2:
            writes += 1
            if writes == 3:
                await store.write(commands)  # it arrives, and the answer doesn't
                raise asyncio.CancelledError

    cut = Interrupted(store, hook)
    settings = WarmSettings(grace=GRACE)
    with pytest.raises(asyncio.CancelledError):
        await Warmer(cast("Store", cut), "", SEAL, settings).warm(
            DATASOURCE, MemorySource(a_table(1))
        )
    kinds = {key.split(b":")[0] for key in await all_keys(store) if b":m:" in key}
    assert kinds == {b"idx"}  # and the names that it holds
    assert await unknown_keys(store, grace=GRACE) == []
    assert not [item for item in await master_items(store, keys) if isinstance(item, Chunks)]
    await make_warmer(grace=GRACE).warm(DATASOURCE, MemorySource(a_table(2)))
    await long_dead()
    await remove_residue(clearing_of(store, keys))
    await settled(store, keys)


async def test_a_manifest_is_removed_after_all_that_it_names(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """As long as it is there, all of its snapshot is taken to have been written."""
    await make_warmer().warm(DATASOURCE, MemorySource([row for row in a_table(1) if "m" in row]))
    manifest = await live_manifest(store, keys)
    key = keys.manifest(str(manifest.version))
    trips: list[set[bytes | int]] = []

    async def hook(kind: str, commands: Words) -> None:
        del kind
        trips.append({word for each in commands for word in each})

    clearing = clearing_of(cast("Store", Interrupted(store, hook)), keys)
    await remove_items(clearing, items_of(manifest))
    left = await all_keys(store)
    assert left == {keys.current, keys.fence, keys.history, keys.last_warm} | (left & {keys.lock})
    gone = next(at for at, words in enumerate(trips) if key in words)
    own = keys.partition(M, str(manifest.version))
    assert max(at for at, words in enumerate(trips) if own.counts in words) < gone


async def test_history_says_once_that_a_warm_failed(
    redis_server: EmbeddedRedis, tmp_path: Path, keys: Keys, store: Store
) -> None:
    """Though the answer to that was lost with its connection."""
    path = urlsplit(redis_server.url).path
    proxy = Proxy(tmp_path / "proxy.sock", lambda: Path(path))
    proxy.start()

    def lose() -> None:
        proxy.cuts = 1

    trap = proxy.trap = Trap(b"failed", "before", lose)
    try:
        through = open_store(f"unix://{proxy.path}")
        source = MemorySource(a_table(1))
        source.miscount = 1
        with pytest.raises(WarmMismatch):
            await Warmer(through, "", SEAL, WarmSettings()).warm(DATASOURCE, source)
        await through.close()
    finally:
        await asyncio.to_thread(proxy.stop)
    assert trap.sprung.is_set()
    (events,) = await store.run([(b"XRANGE", keys.history, b"-", b"+")])
    assert [pairs[1] for _, pairs in events] == [b"begin", b"failed"]
