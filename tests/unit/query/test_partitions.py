"""Which partitions are held: when they are loaded, what makes room, and what is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.support.columns import a_schema, a_table

from warmcube.entry.keys import Member, PartitionName, Version
from warmcube.errors import Damage, StoreUnavailable
from warmcube.model.columns import ColumnData, Table
from warmcube.model.schema import ColumnType, Datasource, Kind, Roles
from warmcube.model.scope import ALL, NOTHING, Box, Scope
from warmcube.query.lookup import PointerMoved
from warmcube.query.partition import ResidentPartition
from warmcube.query.partitions import LARGEST_SHARE, Partitions
from warmcube.query.prepared import Extent
from warmcube.query.read import Reading

INTEGER = ColumnType(Kind.INTEGER)
DATASOURCE = Datasource(
    id=1, name="one", source="main", table="t", roles=Roles(practice="p", provider="v")
)
FIRST, SECOND = Version(1, "a" * 16), Version(2, "b" * 16)
NORTH = Scope((Box(frozenset({"1"}), ALL),))
ROOM_FOR_TWO = int(55_000 / LARGEST_SHARE)
"""Until factors are made of their columns."""
HOT = 10 << 20
"""Bytes that make any of these partitions hot when they are fetched."""


def name(number: int) -> PartitionName:
    """A partition's."""
    return PartitionName(f"Measure {number}", "Monthly")


def a_live(version: Version = FIRST, *, rows: int = 1000, partitions: int = 4) -> Any:
    """A snapshot of some partitions of one size."""
    facts = SimpleNamespace(rows=rows, entries=1, entry_bytes=8 * rows, layout=0)
    manifest = SimpleNamespace(
        version=version,
        partitions={name(number): facts for number in range(partitions)},
        layouts=[SimpleNamespace(width=8, plain_width=8)],
        schema=a_schema(p=INTEGER, v=INTEGER, n=INTEGER),
    )
    return SimpleNamespace(manifest=manifest, dictionaries={})


def judged(
    number: int, scope: Scope = NORTH, extent: Extent = Extent.ROWS, column: str = "n"
) -> Any:
    """A read of a partition."""
    return SimpleNamespace(
        partition=name(number),
        prepared=SimpleNamespace(extent=extent, columns=(column,)),
        narrowed=SimpleNamespace(scope=scope),
    )


class World:
    """Partitions, and what surrounds them."""

    def __init__(self, budget: int = 1 << 20) -> None:
        self.now = 0.0
        self.live = a_live()
        self.loaded: list[PartitionName] = []
        self.error: Exception | None = None
        self.go = asyncio.Event()
        self.go.set()
        self.left: list[int] = []
        snapshots: Any = SimpleNamespace(known=lambda _: self.live)
        self.partitions = Partitions(
            self.load, snapshots, budget, SimpleNamespace(limit=self.left.append), lambda: self.now
        )

    async def load(
        self, _: Datasource, live: Any, wanted: PartitionName
    ) -> ResidentPartition | None:
        """What takes its time, and may fail."""
        self.loaded.append(wanted)
        await self.go.wait()
        if self.error is not None:
            raise self.error
        rows = live.manifest.partitions[wanted].rows
        table = a_table(n=ColumnData(INTEGER, np.arange(rows, dtype=np.int32) % 10))
        return ResidentPartition([Member("1", "5")], np.array([rows]), table)

    def notice(self, number: int, fetched: int = HOT, **of: Any) -> None:
        """A read went through the store."""
        reading = Reading(Table({}, 1), entries=1, rows=1, bytes=fetched)
        read = replace(reading, **of)
        self.partitions.notice(judged(number), DATASOURCE, self.live, read)

    async def hold(self, numbers: Iterable[int]) -> None:
        """Read some until they are loaded."""
        for number in numbers:
            self.notice(number)
            await self.partitions.settled()

    def holds(self, number: int) -> bool:
        """Whether a partition answers."""
        return self.partitions.read(judged(number), DATASOURCE, self.live) is not None


async def test_what_is_hot_is_loaded_in_the_background() -> None:
    """Who reads it meanwhile has it from the store, and nobody loads it twice."""
    world = World()
    world.go.clear()
    world.notice(0, fetched=1)
    assert not world.loaded
    for _ in range(3):
        world.notice(0)
        await asyncio.sleep(0)
        assert not world.holds(0)
    assert world.loaded == [name(0)]
    world.go.set()
    await world.partitions.settled()
    reading = world.partitions.read(judged(0), DATASOURCE, world.live)
    assert reading is not None
    assert (reading.origin, reading.members, reading.entries, reading.rows) == (
        "resident",
        1,
        1,
        1000,
    )
    assert (reading.trips, reading.sets, reading.bytes) == (0, 0, 0)
    assert reading.table.columns["n"].values.tolist() == [n % 10 for n in range(1000)]
    world.notice(0)
    assert world.loaded == [name(0)]


async def test_one_is_loaded_at_a_time() -> None:
    """What is hot meanwhile waits, the hottest first, and is loaded if it still may be held."""
    world = World()
    world.go.clear()
    for number in (0, 1, 2, 3, 2):
        world.notice(number)
    await asyncio.sleep(0)
    assert world.loaded == [name(0)]
    world.go.set()
    await world.partitions.settled()
    assert world.loaded[:2] == [name(0), name(2)]
    assert {*world.loaded[2:]} == {name(1), name(3)}
    assert all(world.holds(number) for number in range(4))
    world.go.clear()
    world.live = a_live(SECOND)
    world.notice(0)
    world.notice(1)
    await asyncio.sleep(0)
    world.live = a_live(Version(3, "c" * 16))
    world.go.set()
    await world.partitions.settled()
    assert world.loaded[4:] == [name(0)]


async def test_what_found_nothing_makes_nothing_hot() -> None:
    """A partition with nobody's rows of the scope, and none at all, are left alone alike."""
    world = World()
    world.notice(0, entries=0)
    world.notice(9)
    world.notice(1, origin="resident")
    await world.partitions.settled()
    assert not world.loaded


async def test_no_budget_loads_nothing() -> None:
    """And nothing is looked after."""
    world = World(0)
    world.notice(0)
    await world.partitions.settled()
    assert not world.loaded


@pytest.mark.parametrize("scope", [NOTHING, Scope((Box(frozenset({"2"}), ALL),))])
async def test_what_a_scope_has_no_rows_of_is_the_stores(scope: Scope) -> None:
    """As what doesn't exist is; so neither is told by being fast."""
    world = World()
    await world.hold([0])
    assert world.partitions.read(judged(0, scope), DATASOURCE, world.live) is None
    assert world.partitions.read(judged(9), DATASOURCE, world.live) is None


async def test_ids_are_those_of_the_scope() -> None:
    """Without any row; a list of partitions isn't known here."""
    world = World()
    await world.hold([0])
    for column, expected in (("p", [1]), ("v", [5])):
        found = world.partitions.read(
            judged(0, extent=Extent.IDS, column=column), DATASOURCE, world.live
        )
        assert found is not None
        assert found.table.columns[column].values.tolist() == expected
        assert (found.members, found.entries, found.rows) == (1, 0, 0)
    listing = judged(0, extent=Extent.PARTITIONS)
    assert world.partitions.read(listing, DATASOURCE, world.live) is None


async def test_a_new_snapshot_drops_the_old_and_has_the_hot_ones_again() -> None:
    """At their first read."""
    world = World()
    await world.hold([0, 1])
    world.live = a_live(SECOND)
    assert not world.holds(0)
    assert (len(world.partitions), world.partitions.size) == (0, 0)
    world.notice(0, fetched=0)
    await world.partitions.settled()
    assert world.holds(0)
    assert len(world.partitions) == 1


async def test_what_was_loaded_of_another_snapshot_is_not_held() -> None:
    """It moved while it was loaded."""
    world = World()
    world.go.clear()
    world.notice(0)
    await asyncio.sleep(0)
    world.live = a_live(SECOND)
    world.go.set()
    await world.partitions.settled()
    assert len(world.partitions) == 0


@pytest.mark.parametrize(
    "error", [Damage("altered"), StoreUnavailable("gone"), PointerMoved(), ValueError("a defect")]
)
async def test_what_can_not_be_loaded_is_left(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Queries go on; what is damaged, the next one that reads it is told, and a defect is logged.

    It has to become hot again before it is tried again.
    """
    world = World()
    world.error = error
    world.notice(0)
    await world.partitions.settled()
    assert not world.holds(0)
    assert ("a defect" in caplog.text) is isinstance(error, ValueError)
    world.error = None
    world.notice(0, fetched=0)
    assert world.loaded == [name(0)]
    world.notice(0)
    await world.partitions.settled()
    assert world.holds(0)


async def test_what_is_forgotten_is_gone() -> None:
    """Of one data source."""
    world = World()
    await world.hold([0, 1])
    world.partitions.forget(2)
    assert len(world.partitions) == 2
    world.partitions.forget(1)
    assert (len(world.partitions), world.partitions.size) == (0, 0)
    assert world.left[-1] == 1 << 20


async def test_what_does_not_fit_is_not_loaded() -> None:
    """By what the manifest says; and if that was too little, it isn't loaded again."""
    world = World(40_000)
    world.live = a_live(rows=100_000)
    world.notice(0)
    await world.partitions.settled()
    assert not world.loaded
    assert not await world.partitions.load(DATASOURCE, world.live, name(9))
    facts = world.live.manifest.partitions[name(0)]
    facts.rows = facts.entry_bytes = 1

    async def too_large(*_: object) -> ResidentPartition:
        world.loaded.append(name(0))
        table = a_table(n=ColumnData(INTEGER, np.zeros(100_000, np.int32)))
        return ResidentPartition([Member("1", "5")], np.array([100_000]), table)

    world.partitions._load = too_large
    for _ in range(3):
        world.notice(0)
        await world.partitions.settled()
    assert world.loaded == [name(0)]
    assert len(world.partitions) == 0


async def test_a_partition_makes_room_for_one_that_is_read_far_more() -> None:
    """Not for one that is read as much: they would drive each other out for ever."""
    world = World(ROOM_FOR_TWO)
    await world.hold([0, 1, 2])
    assert [world.holds(number) for number in range(3)] == [True, True, False]
    world.now = 600.0
    for _ in range(20):
        assert world.holds(1)
    world.notice(2)
    await world.partitions.settled()
    assert [world.holds(number) for number in range(3)] == [False, True, True]


async def test_the_budget_is_never_exceeded() -> None:
    """What partitions leave of it is for the answers that are kept; what grows makes room too."""
    budget = ROOM_FOR_TWO
    world = World(budget)
    await world.hold([0, 1])
    assert len(world.partitions) == 2
    assert world.left[-1] == budget - world.partitions.size
    for number in (0, 1):
        reading = world.partitions.read(judged(number), DATASOURCE, world.live)
        assert reading is not None
        assert reading.table.factor("n") is not None
        world.partitions.read(judged(number), DATASOURCE, world.live)
        assert world.partitions.size <= budget * LARGEST_SHARE
        assert world.left[-1] == budget - world.partitions.size
        assert world.partitions.size == sum(
            each.partition.size for each in world.partitions._held.values()
        )
    assert len(world.partitions) == 1


async def test_who_closes_does_not_wait_for_what_is_loaded() -> None:
    """It is broken off; nothing begins afterwards."""
    world = World()
    world.go.clear()
    world.notice(0)
    await asyncio.sleep(0)
    await world.partitions.close()
    world.go.set()
    world.notice(1)
    await world.partitions.settled()
    assert world.loaded == [name(0)]
    await world.partitions.close()
