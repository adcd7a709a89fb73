"""Reading what is long piece by piece: all of it, in few trips."""

from __future__ import annotations

import pytest

from warmcube.entry.keys import Keys, PartitionName
from warmcube.store import walks
from warmcube.store.api import Command, Reply, Store
from warmcube.store.walks import list_trips, walk_counts, walk_list, walk_set


class _Counted:
    """A store whose trips are counted."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.trips = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def run(self, commands: list[Command]) -> list[Reply]:
        self.trips += 1
        return await self._store.run(commands)


@pytest.fixture
def counted(store: Store) -> _Counted:
    """The store, and how many trips there were."""
    return _Counted(store)


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 80, 81, 100])
async def test_a_list_is_read_in_order(
    store: Store, counted: _Counted, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Every member once, of a list as long as told, in as many trips as told."""
    monkeypatch.setattr(walks, "CHUNK", 10)
    members = [b"%d" % number for number in range(size)]
    if members:
        await store.write([(b"RPUSH", b"k", *members)])
    chunks = [chunk async for chunk in walk_list(counted, b"k", size)]  # type: ignore[arg-type]
    assert [member for chunk in chunks for member in chunk] == members
    assert all(len(chunk) <= 10 for chunk in chunks)
    assert counted.trips == list_trips(size)


async def test_a_list_of_another_length(store: Store) -> None:
    """What isn't there isn't made up, and no more is read than was asked for."""
    await store.write([(b"RPUSH", b"k", b"a", b"b", b"c")])
    assert [chunk async for chunk in walk_list(store, b"k", 2)] == [[b"a", b"b"]]
    assert [chunk async for chunk in walk_list(store, b"k", 2000)] == [[b"a", b"b", b"c"]]
    assert [chunk async for chunk in walk_list(store, b"nothing", 2)] == []


async def test_a_set_is_read_whole(store: Store) -> None:
    """In chunks of a bounded size."""
    members = {b"%d" % number for number in range(2500)}
    await store.write([(b"SADD", b"k", *members)])
    chunks = [chunk async for chunk in walk_set(store, b"k")]
    assert {member for chunk in chunks for member in chunk} == members
    assert all(len(chunk) <= walks.CHUNK for chunk in chunks)


async def test_counts_are_read_with_all_their_bins(store: Store) -> None:
    """Each field with the hash that it lies in."""
    own = Keys("", 1).partition(PartitionName("m", "f"), "1-0000000000000000")
    written = {
        key: {b"%d" % field: b"v%d" % number for field in range(number + 1)}
        for number, key in enumerate((own.counts, *own.bins(64)))
    }
    commands: list[Command] = [
        (b"HSET", key, *(word for pair in fields.items() for word in pair))
        for key, fields in written.items()
    ]
    await store.write(commands)
    read: dict[bytes, dict[bytes, bytes]] = {}
    async for chunk in walk_counts(store, own, 8192):
        for key, field, value in chunk:
            read.setdefault(key, {})[field] = value
    assert read == written
