"""A store that was opened for reading only is read as ever, and nothing in it changes."""

from __future__ import annotations

import pytest

from warmcube.errors import StoreRefused
from warmcube.store.api import Store
from warmcube.store.readonly import ReadOnlyStore


async def test_reading_goes_through(store: Store) -> None:
    """What reads a store gets the same answers."""
    await store.write([(b"SET", b"k", b"v"), (b"SADD", b"s", b"a")])
    only = ReadOnlyStore(store)
    commands = [(b"GET", b"k"), (b"SMEMBERS", b"s"), (b"MGET", b"k", b"{k}nil")]
    assert await only.run(commands, seconds=5) == await store.run(commands, seconds=5)
    assert abs(await only.now_ms() - await store.now_ms()) < 60_000
    assert [each.limit for each in await only.memory()] == [
        each.limit for each in await store.memory()
    ]
    assert await only.masters_of([b"k"])


@pytest.mark.parametrize(
    "command",
    [(b"SET", b"k", b"w"), (b"HINCRBY", b"h", b"f", 1), (b"UNLINK", b"k"), (b"get", b"k")],
)
async def test_whatever_isnt_known_to_read_is_refused(
    store: Store, command: tuple[bytes | int, ...]
) -> None:
    """Before anything of the trip is sent, by whichever way it comes."""
    await store.write([(b"SET", b"k", b"v")])
    only = ReadOnlyStore(store)
    for attempt in (only.run([(b"GET", b"k"), command]), only.write([command])):
        with pytest.raises(StoreRefused, match="which was opened for reading only"):
            await attempt
    assert await store.run([(b"GET", b"k"), (b"EXISTS", b"h")]) == [b"v", 0]


async def test_scripts_and_empty_writes(store: Store) -> None:
    """Scripts are what change most; a write of nothing is one too."""
    only = ReadOnlyStore(store)
    with pytest.raises(StoreRefused, match="the script begin would change the store"):
        await only.script("begin", [b"k"], [])
    with pytest.raises(StoreRefused, match="a write would change the store"):
        await only.write([])
