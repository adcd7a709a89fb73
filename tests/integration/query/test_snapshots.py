"""How a process knows which snapshot is live, and for how long it may take that for granted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest
from tests.support.memory import DATASOURCE, MemorySource
from tests.support.recording import RecordingStore

from warmcube.entry.keys import Keys
from warmcube.entry.seal import Checksum
from warmcube.errors import Damage, StoreError, StoreUnavailable
from warmcube.query.snapshots import Ages, LiveSnapshot, Snapshots
from warmcube.store.api import Command, Reply, Store
from warmcube.warm.clearing import Clearing
from warmcube.warm.invalidate import invalidate
from warmcube.warm.warmer import Warmer

MakeWarmer = Callable[..., Warmer]
ROWS = [("m", 1, 1, "f", 5)]


class GatedStore(RecordingStore):
    """A store that answers only while its gate is open, or not at all while it is cut off."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.gate = asyncio.Event()
        self.gate.set()
        self.is_cut_off = False

    async def run(
        self, commands: Sequence[Command], *, seconds: float | None = None
    ) -> list[Reply]:
        replies = [] if self.is_cut_off else await super().run(commands, seconds=seconds)
        await self.gate.wait()
        if self.is_cut_off:
            self.commands += commands
            raise StoreUnavailable("can't reach the store")
        return replies

    @property
    def asked(self) -> int:
        """How often the pointer was read since somebody last looked."""
        count = sum(command[0] == b"PTTL" for command in self.commands)
        self.commands.clear()
        return count


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Reader:
    """A process that reads."""

    def __init__(self, store: Store, *, pointer: float = 1.0, unchecked: float = 5.0) -> None:
        self.store = GatedStore(store)
        self.clock = Clock()
        self.snapshots = Snapshots(
            self.store, "", Checksum(), self.clock, Ages(pointer=pointer, unchecked=unchecked)
        )
        self.live: LiveSnapshot

    async def begin(self) -> None:
        """Know what is live."""
        live = await self.snapshots.load(DATASOURCE)
        assert live is not None
        self.live = live
        assert self.store.asked == 1

    async def is_live(self) -> bool:
        """Whether the snapshot that was live at the beginning still is, as far as it knows."""
        return await self.snapshots.is_live(DATASOURCE, self.live)


@pytest.fixture
async def warm(make_warmer: MakeWarmer) -> Callable[[], object]:
    """A warmed data source, and what warms it again."""

    async def again() -> None:
        await make_warmer().warm(DATASOURCE, MemorySource(ROWS))

    await again()
    return again


async def until_asked(reader: Reader, count: int) -> None:
    """Wait until the pointer was read so often."""
    seen = 0
    while seen < count:
        seen += reader.store.asked
        await asyncio.sleep(0)


async def test_a_young_look_at_the_pointer_is_enough(store: Store, warm: object) -> None:
    """Nothing is asked for the first half of `Ages.pointer`; then once, and nobody waits."""
    reader = Reader(store)
    await reader.begin()
    reader.clock.now += 0.49
    assert await reader.is_live()
    assert reader.store.asked == 0
    reader.clock.now += 0.02
    reader.store.gate.clear()
    assert [await reader.is_live() for _ in range(5)] == [True] * 5
    reader.store.gate.set()
    await until_asked(reader, 1)
    await reader.snapshots.close()


async def test_an_old_look_is_followed_by_one_that_all_share(store: Store, warm: object) -> None:
    """A hundred at a time ask once, and then it is young again."""
    reader = Reader(store)
    await reader.begin()
    reader.clock.now += 1.0
    assert await asyncio.gather(*[reader.is_live() for _ in range(100)]) == [True] * 100
    assert reader.store.asked == 1
    reader.clock.now += 0.4
    assert await reader.is_live()
    assert reader.store.asked == 0


async def test_what_is_known_at_once_needs_no_look(store: Store, warm: object) -> None:
    """It is known while the last look is young, and then of the snapshot that is live only."""
    reader = Reader(store)
    await reader.begin()
    for seconds, is_known in ((0.0, True), (0.49, True), (0.51, False)):
        reader.clock.now += seconds
        assert reader.snapshots.is_live_at_once(DATASOURCE, reader.live) is is_known
        assert reader.store.asked == 0
    reader.clock.now -= 0.4
    assert reader.snapshots.is_live_at_once(DATASOURCE, reader.live)
    await until_asked(reader, 1)  # ahead of time, so that nobody has to wait
    reader.snapshots.forget(DATASOURCE.id)
    assert not reader.snapshots.is_live_at_once(DATASOURCE, reader.live)
    await reader.snapshots.close()


async def test_the_age_counts_from_when_the_look_began(store: Store, warm: object) -> None:
    """What was true when the store was asked may not be so when it has answered."""
    reader = Reader(store)
    reader.store.gate.clear()
    loading = asyncio.create_task(reader.snapshots.load(DATASOURCE))
    await until_asked(reader, 1)
    reader.clock.now += 3.0
    reader.store.gate.set()
    live = await loading
    assert live is not None
    assert live.checked == 1000.0
    assert live.serve_until <= 1000.0 + 14_400 + 3600


@pytest.mark.parametrize("age", [0.0, 1.0])
async def test_another_snapshot_is_noticed(
    store: Store, warm: Callable[[], object], age: float
) -> None:
    """As soon as the last look is too old; with 0 at once."""
    reader = Reader(store, pointer=age)
    await reader.begin()
    await warm()  # type: ignore[misc]
    reader.clock.now += 0.001
    assert await reader.is_live() is (age > 0)
    reader.clock.now += age
    assert not await reader.is_live()
    now = reader.snapshots.known(DATASOURCE)
    assert now is not None
    assert now.manifest.version != reader.live.manifest.version
    assert await reader.snapshots.is_live(DATASOURCE, now)


async def test_an_invalidated_snapshot_is_noticed(store: Store, warm: object) -> None:
    """As soon as the last look is too old."""
    reader = Reader(store)
    await reader.begin()
    await invalidate(Clearing(store, Keys("", 1), Checksum()), "somebody")
    assert await reader.is_live()
    reader.clock.now += 1.0
    assert not await reader.is_live()
    assert reader.snapshots.known(DATASOURCE) is None


async def test_with_no_age_each_is_served_by_a_look_that_began_later(
    store: Store, warm: Callable[[], object]
) -> None:
    """Whoever asks while a look is under way waits for the next one."""
    reader = Reader(store, pointer=0.0)
    await reader.begin()
    reader.clock.now += 1.0
    reader.store.gate.clear()
    first = asyncio.create_task(reader.is_live())
    await until_asked(reader, 1)  # it has its answer, and it is on its way
    reader.clock.now += 1.0
    await warm()  # type: ignore[misc]
    second = asyncio.create_task(reader.is_live())
    await asyncio.sleep(0)
    reader.store.gate.set()
    assert [await first, await second] == [True, False]


async def test_what_is_forgotten_is_not_brought_back_by_a_look_from_before(
    store: Store, warm: object
) -> None:
    """After a local invalidation nothing that was asked before it counts."""
    reader = Reader(store)
    await reader.begin()
    reader.clock.now += 1.0
    reader.store.gate.clear()
    looking = asyncio.create_task(reader.is_live())
    await until_asked(reader, 1)
    reader.snapshots.forget(DATASOURCE.id)
    reader.store.gate.set()
    assert not await looking
    assert reader.snapshots.known(DATASOURCE) is None
    assert not await reader.is_live()


async def test_a_snapshot_counts_for_a_while_when_the_store_is_gone(
    store: Store, warm: object
) -> None:
    """Up to `Ages.unchecked`; it is asked again, but not by everybody."""
    reader = Reader(store)
    await reader.begin()
    reader.store.is_cut_off = True
    reader.clock.now += 1.5
    assert await asyncio.gather(*[reader.is_live() for _ in range(10)]) == [True] * 10
    assert await reader.is_live()
    assert reader.store.asked == 1
    reader.clock.now += 3.49
    assert await reader.is_live()
    assert reader.store.asked == 1
    reader.clock.now += 0.01
    with pytest.raises(StoreError, match="can't reach the store"):
        await reader.is_live()
    reader.store.is_cut_off = False
    reader.clock.now += 0.25
    assert await reader.is_live()
    assert reader.store.asked == 1


async def test_a_store_that_is_gone_is_not_asked_ahead_by_everybody(
    store: Store, warm: object
) -> None:
    """Within `Ages.pointer` too."""
    reader = Reader(store)
    await reader.begin()
    reader.store.is_cut_off = True
    reader.clock.now += 0.6
    for _ in range(10):
        assert await reader.is_live()
        await asyncio.sleep(0)
    assert reader.store.asked == 1


async def test_a_pointer_to_a_broken_manifest_ends_what_was_live(
    store: Store, warm: Callable[[], object]
) -> None:
    """It isn't live any more, and whoever reads the pointer next is told of the damage."""
    reader = Reader(store)
    await reader.begin()
    await warm()  # type: ignore[misc]
    (current,) = await store.run([(b"GET", Keys("", 1).current)])
    await store.run([(b"SET", Keys("", 1).manifest(current.decode()), b"x" * 100)])
    reader.clock.now += 1.0
    assert not await reader.is_live()
    assert reader.snapshots.known(DATASOURCE) is None
    with pytest.raises(Damage):
        await reader.snapshots.load(DATASOURCE)


async def test_who_stops_waiting_stops_nobody_else(store: Store, warm: object) -> None:
    """The look goes on for the others."""
    reader = Reader(store)
    await reader.begin()
    reader.clock.now += 1.0
    reader.store.gate.clear()
    looking = [asyncio.create_task(reader.is_live()) for _ in range(3)]
    await until_asked(reader, 1)
    looking[0].cancel()
    await asyncio.wait([looking[0]])
    reader.store.gate.set()
    assert await asyncio.gather(*looking[1:]) == [True, True]


async def test_a_trip_that_found_the_pointer_is_a_look(store: Store, warm: object) -> None:
    """Whoever reads rows has read the pointer as well; an older one changes nothing."""
    reader = Reader(store)
    await reader.begin()
    reader.clock.now += 10.0
    reader.snapshots.confirm(reader.live, reader.clock.now)
    reader.snapshots.confirm(reader.live, reader.clock.now - 5)
    assert await reader.is_live()
    assert reader.store.asked == 0


async def test_a_snapshot_is_not_live_past_its_end(store: Store, warm: object) -> None:
    """However young the look is."""
    reader = Reader(store)
    await reader.begin()
    reader.clock.now += 18_001.0
    reader.snapshots.confirm(reader.live, reader.clock.now)
    assert not await reader.is_live()


async def test_closing_ends_a_look_that_hangs(store: Store, warm: object) -> None:
    """Nothing is left behind."""
    reader = Reader(store)
    await reader.begin()
    reader.clock.now += 0.6
    reader.store.gate.clear()
    assert await reader.is_live()
    (task,) = reader.snapshots._asking
    await reader.snapshots.close()
    assert task.cancelled()
    await reader.snapshots.close()
