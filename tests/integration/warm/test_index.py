"""The index as it lies in the store: what it takes, what is picked out of it, and older forms."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Callable

import pytest
from tests.support.memory import DATASOURCE, MemorySource, Row

from warmcube.entry.counts import TOTAL
from warmcube.entry.keys import Keys
from warmcube.entry.manifest import FORMAT, Manifest
from warmcube.entry.seal import Checksum, seal, unseal
from warmcube.observe.index import check_indexes, pick_members, shares_of
from warmcube.observe.live import read_live
from warmcube.store.api import Store
from warmcube.warm.warmer import Warmer

MakeWarmer = Callable[..., Warmer]
SEAL = Checksum()


def a_table(measures: int = 2, practices: int = 60, providers: int = 5) -> list[Row]:
    """A row for each of the practices' own providers, in some partitions."""
    return [
        (f"m{measure}", practice, 1000 * practice + provider, "f", provider)
        for measure in range(measures)
        for practice in range(practices)
        for provider in range(providers)
    ]


async def live_manifest(store: Store, keys: Keys) -> Manifest:
    """What is live."""
    manifest = (await read_live(store, keys, DATASOURCE, SEAL)).manifest
    assert manifest is not None
    return manifest


async def test_the_server_packs_what_there_is_much_of(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """Members and providers' counts lie in lists and small hashes, with defaults of the server."""
    await make_warmer().warm(DATASOURCE, MemorySource(a_table()))
    manifest = await live_manifest(store, keys)
    for name, partition in manifest.partitions.items():
        own = keys.partition(name, str(partition.version))
        every = [own.all, *own.bins(4)]
        encodings = await store.run([(b"OBJECT", b"ENCODING", key) for key in every])
        assert encodings[0] in (b"quicklist", b"listpack")
        assert set(encodings[1:]) <= {b"ziplist", b"listpack"}
        fields = sum(await store.run([(b"HLEN", key) for key in own.bins(4)]))
        assert fields == partition.providers + 4


@pytest.mark.parametrize("wanted", [1, 7, 19, 20, 21, 150, 299, 300, 1000])
async def test_entries_are_picked_from_all_over(
    store: Store, make_warmer: MakeWarmer, keys: Keys, wanted: int
) -> None:
    """As many different ones as wanted, if there are so many."""
    await make_warmer().warm(DATASOURCE, MemorySource(a_table(1)))
    ((name, partition),) = (await live_manifest(store, keys)).partitions.items()
    own = keys.partition(name, str(partition.version))
    picked = await pick_members(store, own, partition, wanted)
    (members,) = await store.run([(b"LRANGE", own.all, 0, -1)])
    assert len(members) == 300
    assert len(set(picked)) == len(picked) == min(wanted, 300)
    assert set(picked) <= set(members)
    if 20 <= wanted < 300:
        places = [members.index(each) * 20 // 300 for each in picked]
        assert set(places) == set(range(20))


@pytest.mark.parametrize("which", range(8))
async def test_an_index_that_is_not_whole_is_told(
    store: Store, make_warmer: MakeWarmer, keys: Keys, which: int
) -> None:
    """A list, counts or a bin that lost or gained something."""
    await make_warmer().warm(DATASOURCE, MemorySource(a_table(3)))
    manifest = await live_manifest(store, keys)
    (share,) = shares_of(manifest.partitions)
    assert await check_indexes(store, keys, SEAL, share) == {}
    name, partition = share[1]
    own = keys.partition(name, str(partition.version))
    (fields,) = await store.run([(b"HKEYS", own.bin(0))])
    await store.run(
        [
            [
                (b"LPOP", own.all),
                (b"RPUSH", own.all, b"x"),
                (b"DEL", own.counts),
                (b"HDEL", own.counts, TOTAL),
                (b"HDEL", own.counts, b"p:7"),
                (b"DEL", own.bin(3)),
                (b"HDEL", own.bin(0), next(each for each in fields if each != TOTAL)),
                (b"HSET", own.bin(1), b"prov:1", b"x"),
            ][which]
        ]
    )
    assert [*await check_indexes(store, keys, SEAL, share)] == [name]


async def test_many_partitions_are_looked_at_in_several_trips(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """All of them, whatever their size."""
    await make_warmer().warm(DATASOURCE, MemorySource(a_table(400, 1, 1)))
    manifest = await live_manifest(store, keys)
    shares = list(shares_of(manifest.partitions))
    assert len(shares) == 2
    assert {name: each for share in shares for name, each in share} == manifest.partitions
    assert list(shares_of({})) == []


async def test_what_the_version_before_wrote_is_removed(
    store: Store, make_warmer: MakeWarmer, keys: Keys
) -> None:
    """A snapshot of format 5, whose members were a set, is cold, and gone after two warms."""
    warmer = make_warmer(lease_seconds=0.3, grace=0.0)
    await warmer.warm(DATASOURCE, MemorySource(a_table()))
    manifest = await live_manifest(store, keys)
    for name, partition in manifest.partitions.items():
        own = keys.partition(name, str(partition.version))
        (members,) = await store.run([(b"LRANGE", own.all, 0, -1)])
        await store.run([(b"UNLINK", own.all, *own.bins(4)), (b"SADD", own.all, *members)])
    old = str(manifest.version)
    (value,) = await store.run([(b"GET", keys.manifest(old))])
    document = json.loads(zlib.decompress(unseal(SEAL, keys.manifest(old), value, "it")))
    assert document["format"] == FORMAT == 6
    body = zlib.compress(json.dumps(document | {"format": 5}).encode())
    await store.run([(b"SET", keys.manifest(old), seal(SEAL, keys.manifest(old), body))])
    assert (await read_live(store, keys, DATASOURCE, SEAL)).manifest is None
    for _ in range(2):
        await warmer.warm(DATASOURCE, MemorySource(a_table()))
        assert (await live_manifest(store, keys)).rows == 600
        await asyncio.sleep(0.7)  # it isn't known to be nobody's before any lease of it is dead
    (left,) = await store.run([(b"KEYS", b"*v%b*" % old.encode())])
    assert left == []
