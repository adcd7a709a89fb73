"""Rolling back, switching off and on, and pinning, on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from tests.support.memory import DATASOURCE, MemorySource, Row, read_all

from warmcube.entry.keys import Keys
from warmcube.entry.seal import Checksum
from warmcube.errors import RollbackRefused, WarmFenced, WarmPinned
from warmcube.observe.stats import Stats, read_stats
from warmcube.store.api import Reply, Store
from warmcube.warm.clearing import Clearing
from warmcube.warm.invalidate import invalidate
from warmcube.warm.report import Phase, Progress
from warmcube.warm.steer import Steered, disable, enable, rollback, unpin
from warmcube.warm.warmer import Warmer, WarmSettings

MakeWarmer = Callable[..., Warmer]
SEAL = Checksum()


def table(value: int, practices: int = 30) -> list[Row]:
    """Rows that all bear one value."""
    rows: list[Row] = [("m", practice, 1, "f", value) for practice in range(practices)]
    return [*rows, ("other", 1, 1, "f", value)]


async def warm(warmer: Warmer, value: int, *, is_automatic: bool = False) -> str:
    """Warm a table that bears one value, and its snapshot."""
    source = MemorySource(table(value))
    return (await warmer.warm(DATASOURCE, source, is_automatic=is_automatic)).snapshot


async def served(store: Store) -> set[int] | None:
    """The values that readers find; None if the data source is cold or switched off."""
    try:
        return {value for _, _, value in await read_all(store)}
    except LookupError:
        return None


async def back(store: Store, keys: Keys, grace: float = 5.0) -> Steered:
    """Roll back."""
    return await rollback(Clearing(store, keys, SEAL, grace), DATASOURCE, "test")


async def on(store: Store, keys: Keys) -> Steered:
    """Switch on."""
    return await enable(store, keys, SEAL, DATASOURCE, "test")


async def steer(store: Store, keys: Keys, action: str) -> object:
    """Roll back, switch off or invalidate."""
    if action == "rollback":
        return await back(store, keys)
    if action == "disable":
        return await disable(store, keys, SEAL, "test")
    return await invalidate(Clearing(store, keys, SEAL), "test")


class Gated:
    """A store that publishes nothing before whoever steers is done."""

    def __init__(self, store: Store, steering: list[asyncio.Task[object]]) -> None:
        self._store = store
        self._steering = steering

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def script(
        self, name: str, keys: Sequence[bytes], arguments: Sequence[bytes | int]
    ) -> Reply:
        """Wait in front of a publication."""
        if name == "publish":
            await asyncio.shield(self._steering[0])
        return await self._store.script(name, keys, arguments)


async def stats_of(store: Store, keys: Keys) -> Stats:
    """As everybody sees it."""
    return await read_stats(store, keys, DATASOURCE, SEAL)


async def test_rolling_back_serves_the_snapshot_before(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """Step by step, as far as snapshots are kept; then it refuses and changes nothing."""
    warmer = make_warmer(keep_snapshots=2)
    first, second = await warm(warmer, 1), await warm(warmer, 2)
    await warm(warmer, 3)
    kept = [each.snapshot for each in (await stats_of(store, keys)).kept]
    assert kept == [second, first]
    done = await back(store, keys)
    assert (done.snapshot, done.changed, done.pinned_by) == (second, True, "test")
    assert await served(store) == {2}
    assert (await back(store, keys)).snapshot == first
    assert await served(store) == {1}
    with pytest.raises(RollbackRefused, match="no earlier snapshot is kept"):
        await back(store, keys)
    assert await served(store) == {1}


async def test_by_default_nothing_is_kept(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """A superseded snapshot is about to go, so that it can't be served again."""
    await warm(make_warmer(), 1)
    await warm(make_warmer(), 2)
    with pytest.raises(RollbackRefused, match="keep_snapshots"):
        await back(store, keys)
    assert await served(store) == {2}
    assert (await stats_of(store, keys)).pinned_by is None


async def test_only_so_many_stay(store: Store, make_warmer: MakeWarmer, keys: Keys) -> None:
    """Of older ones every key goes after the grace period; kept ones keep their own expiry."""
    warmer = make_warmer(keep_snapshots=1, grace=0.2)
    versions = [await warm(warmer, value) for value in (1, 2, 3)]
    assert [each.snapshot for each in (await stats_of(store, keys)).kept] == [versions[1]]
    await asyncio.sleep(0.4)
    (names,) = await store.run([(b"KEYS", b"*")])
    assert not [name for name in names if versions[0].encode() in name]
    assert [name for name in names if versions[1].encode() in name]
    await back(store, keys, grace=0.2)
    await asyncio.sleep(0.4)
    assert await served(store) == {2}
    (names,) = await store.run([(b"KEYS", b"*")])
    assert not [name for name in names if versions[2].encode() in name]


@pytest.mark.parametrize("phase", [Phase.READING, Phase.WRITING, Phase.VERIFYING, Phase.PUBLISHING])
@pytest.mark.parametrize("action", ["rollback", "disable", "invalidate"])
async def test_a_warm_that_began_before_can_not_publish(
    store: Store, make_warmer: MakeWarmer, keys: Keys, phase: Phase, action: str
) -> None:
    """In whatever phase it is, it is fenced off and leaves nothing of its own."""
    warmer = make_warmer(keep_snapshots=1)
    await warm(warmer, 1)
    await warm(warmer, 2)
    (before,) = await store.run([(b"KEYS", b"*")])
    steering: list[asyncio.Task[object]] = []

    def progress(told: Progress) -> None:
        if told.phase is phase and not steering:
            steering.append(asyncio.create_task(steer(store, keys, action)))

    gate = cast("Store", Gated(store, steering))
    gated = Warmer(gate, "", SEAL, WarmSettings(keep_snapshots=1))
    source = MemorySource(table(3, practices=3000))
    with pytest.raises(WarmFenced):
        await gated.warm(DATASOURCE, source, progress=progress)
    await steering[0]
    assert await served(store) == {"rollback": {1}, "disable": None, "invalidate": None}[action]
    (after,) = await store.run([(b"KEYS", b"*")])
    retired = {name for name in after if b":retired:" in name}
    assert set(after) - set(before) - retired <= {keys.pin, keys.ends}
    assert action == "rollback" or keys.ends not in after
    if action == "disable":
        await on(store, keys)
        assert await served(store) == {2}


@pytest.mark.parametrize("action", ["rollback", "disable", "invalidate"])
async def test_what_comes_after_a_publication_is_done_to_it(
    store: Store, make_warmer: MakeWarmer, keys: Keys, action: str
) -> None:
    """While the warm cleans up, its snapshot is the live one already."""
    warmer = make_warmer(keep_snapshots=1)
    await warm(warmer, 1)
    await warm(warmer, 2)
    steering: list[asyncio.Task[object]] = []

    def progress(told: Progress) -> None:
        if told.phase is Phase.CLEANING and not steering:
            steering.append(asyncio.create_task(steer(store, keys, action)))

    await warmer.warm(DATASOURCE, MemorySource(table(3)), progress=progress)
    await steering[0]
    assert await served(store) == {"rollback": {2}, "disable": None, "invalidate": None}[action]
    if action == "disable":
        await on(store, keys)
        assert await served(store) == {3}


async def test_a_pinned_data_source_is_warmed_on_request_only(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """An automatic warm is refused at once; one that somebody asks for unpins when it publishes."""
    warmer = make_warmer(keep_snapshots=1)
    await warm(warmer, 1)
    await warm(warmer, 2)
    await back(store, keys)
    with pytest.raises(WarmPinned, match="test rolled it back"):
        await warm(warmer, 3, is_automatic=True)
    assert (await store.run([(b"EXISTS", keys.lock)])) == [0]
    assert await served(store) == {1}
    await warm(warmer, 4)
    assert (await stats_of(store, keys)).pinned_by is None
    await warm(warmer, 5, is_automatic=True)
    assert await served(store) == {5}


async def test_unpinned_it_is_warmed_again(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """And says whether it was pinned at all."""
    warmer = make_warmer(keep_snapshots=1)
    await warm(warmer, 1)
    await warm(warmer, 2)
    await back(store, keys)
    assert (await unpin(store, keys, SEAL, "test")).changed
    assert not (await unpin(store, keys, SEAL, "test")).changed
    await warm(warmer, 3, is_automatic=True)
    assert await served(store) == {3}


async def test_a_snapshot_that_is_not_whole_is_refused(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """Whether the manifest, a partition's counts or index is gone, or its table is another."""
    warmer = make_warmer(keep_snapshots=1)
    first = await warm(warmer, 1)
    await warm(warmer, 2)
    renamed = replace(DATASOURCE, table="another")
    with pytest.raises(RollbackRefused, match="another table"):
        await rollback(Clearing(store, keys, SEAL, 5.0), renamed, "test")
    (names,) = await store.run([(b"KEYS", b"idx:*:counts")])
    counts = next(name for name in names if first.encode() in name)
    await store.run([(b"DEL", counts)])
    with pytest.raises(RollbackRefused, match="isn't whole: measure"):
        await back(store, keys)
    await store.run([(b"DEL", keys.manifest(first))])
    with pytest.raises(RollbackRefused, match=f"{first}, is gone"):
        await back(store, keys)
    assert await served(store) == {2}


async def test_switched_off_nothing_is_served_until_switched_on(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """Twice is as good as once; the switch doesn't expire, and the snapshot keeps its end."""
    snapshot = await warm(make_warmer(), 1)
    (left,) = await store.run([(b"PTTL", keys.current)])
    done = await disable(store, keys, SEAL, "test")
    assert (done.changed, done.is_disabled, done.snapshot) == (True, True, snapshot)
    assert not (await disable(store, keys, SEAL, "test")).changed
    assert await served(store) is None
    found = await stats_of(store, keys)
    assert (found.state, found.snapshot) == ("disabled", snapshot)
    assert await store.run([(b"PTTL", keys.current)]) == [-1]
    done = await on(store, keys)
    assert (done.changed, done.is_disabled, done.snapshot) == (True, False, snapshot)
    assert not (await on(store, keys)).changed
    assert await served(store) == {1}
    (again,) = await store.run([(b"PTTL", keys.current)])
    assert left - 10_000 < again <= left


async def test_a_warm_publishes_behind_the_switch(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """Readers notice nothing until it is switched on; roll-back works behind it too."""
    warmer = make_warmer(keep_snapshots=1)
    await warm(warmer, 1)
    await disable(store, keys, SEAL, "test")
    second = await warm(warmer, 2)
    assert await served(store) is None
    assert (await stats_of(store, keys)).snapshot == second
    third = await warm(warmer, 3)
    assert (await back(store, keys)).snapshot == second
    assert await served(store) is None
    await on(store, keys)
    assert await served(store) == {2}
    assert third.split("-")[0] < (await store.run([(b"GET", keys.fence)]))[0].decode().split("-")[0]


@pytest.mark.parametrize("how", ["never warmed", "expired", "invalidated", "damaged"])
async def test_what_can_not_be_served_is_cold_when_switched_on(
    store: Store, make_warmer: MakeWarmer, keys: Keys, how: str
) -> None:
    """The switch outlives what lies behind it."""
    if how == "never warmed":
        await disable(store, keys, SEAL, "test")
    else:
        first = await warm(
            make_warmer(ttl=1, stale_for=0) if how == "expired" else make_warmer(), 1
        )
        await disable(store, keys, SEAL, "test")
        if how == "expired":
            await asyncio.sleep(1.1)
        elif how == "invalidated":
            await invalidate(Clearing(store, keys, SEAL), "test")
        else:
            await store.run([(b"DEL", keys.manifest(first))])
    assert (await stats_of(store, keys)).state == "disabled"
    done = await on(store, keys)
    assert (done.changed, done.snapshot, done.is_disabled) == (True, None, False)
    assert await store.run([(b"EXISTS", keys.current)]) == [0]
    await warm(make_warmer(), 5)
    assert await served(store) == {5}


async def test_what_is_pinned_or_off_stays_so_when_invalidated(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """An operator's word stands until an operator takes it back."""
    warmer = make_warmer(keep_snapshots=1)
    await warm(warmer, 1)
    await warm(warmer, 2)
    await back(store, keys)
    await disable(store, keys, SEAL, "test")
    result = await invalidate(Clearing(store, keys, SEAL), "test")
    assert result.was_live
    (names,) = await store.run([(b"KEYS", b"*")])
    assert set(names) == {keys.fence, keys.history, keys.current, keys.pin}
    with pytest.raises(WarmPinned):
        await warm(warmer, 3, is_automatic=True)
    assert not (await invalidate(Clearing(store, keys, SEAL), "test")).was_live


async def test_two_who_roll_back_at_once_go_one_step_each(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """No step is lost or done twice."""
    warmer = make_warmer(keep_snapshots=3)
    for value in (1, 2, 3, 4):
        await warm(warmer, value)
    await asyncio.gather(back(store, keys), back(store, keys))
    assert await served(store) == {2}
    assert [each.rows for each in (await stats_of(store, keys)).kept] == [31]
