"""The adapter for a cluster by itself: time that runs out, replicas that lag, nodes that go."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis
from tests.support.clusters import Node, RedisCluster, run_cluster

from warmcube.entry.keys import Keys, PartitionName
from warmcube.errors import StoreUnavailable
from warmcube.store.api import Command
from warmcube.store.cluster import ClusterStore
from warmcube.store.connect import open_store
from warmcube.store.redis import CONNECTIONS, RedisStore
from warmcube.store.replicas import ReplicaReads
from warmcube.store.slots import key_slot

ENTRY = Keys("", 1).partition(PartitionName("Charges", "Monthly"), "1").all
"""A key that a replica may be asked for."""
POINTER = b"cache:pointer:{%b}" % ENTRY.partition(b"{")[2].partition(b"}")[0]
"""One of the same slot that only the master may be asked for."""


@pytest.fixture(scope="module")
def cluster(redis_executable: Path | None) -> Iterator[RedisCluster]:
    """A cluster of these tests; all nodes stay, but roles change."""
    with run_cluster(redis_executable) as started:
        yield started


@pytest.fixture
async def store(cluster: RedisCluster) -> AsyncIterator[ClusterStore]:
    """The adapter on it, while it is empty and well."""
    cluster.await_whole()
    cluster.flush()
    opened = ClusterStore(cluster.url)
    yield opened
    await opened.close()


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until others have brought something about."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - no one signals it
            await asyncio.sleep(0.01)


async def until_mastered(store: ClusterStore, node: Node) -> None:
    """Ask for the pointer until the adapter knows who is its master."""
    async with asyncio.timeout(20):
        while not (await store.masters_of([POINTER]))[0].endswith(f":{node.port}"):
            await store.run([(b"GET", POINTER)])
            await asyncio.sleep(0.01)


@contextlib.contextmanager
def half_moved(cluster: RedisCluster, keys: Sequence[bytes]) -> Iterator[None]:
    """A slot on its way from one master to another, with every other key gone already."""
    slot, origin = key_slot(keys[0]), cluster.master_of(keys[0])
    target = next(node for node in cluster.masters() if node is not origin)
    target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", origin.id)
    origin.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
    for key in keys[::2]:
        origin.ask("MIGRATE", "127.0.0.1", target.port, key, 0, 5000)
    yield
    for key in keys[1::2]:
        origin.ask("MIGRATE", "127.0.0.1", target.port, key, 0, 5000)
    for node in (target, origin, *cluster.masters()):
        node.ask("CLUSTER", "SETSLOT", slot, "NODE", target.id)


async def test_time_that_runs_out_blames_no_node(
    store: ClusterStore, cluster: RedisCluster
) -> None:
    """A trip that has none left isn't made, however many redirections it was cut into."""
    keys = [b"{k}%d" % number for number in range(200)]
    await store.write([(b"SET", key, key) for key in keys])
    commands: list[Command] = [(b"MGET", *keys[at : at + 10]) for at in range(0, 200, 10)]
    with half_moved(cluster, keys):
        whole = await store.run(commands)
        assert [value for values in whole for value in values] == keys
        for milliseconds in (0, 1, 2, 4, 6, 8, 12, 16, 24):
            with contextlib.suppress(StoreUnavailable):
                assert await store.run(commands, seconds=milliseconds / 1000) == whole
            assert store.down() == []
    assert await store.run([(b"GET", keys[0])]) == [keys[0]]


async def test_the_first_look_takes_nothing_of_the_time_of_a_trip(
    store: ClusterStore, cluster: RedisCluster
) -> None:
    """A node that says nothing delays the first answer; the others are well all the same."""
    silent = cluster.nodes[1]  # one that the URL names
    key = next(
        key for key in map(b"%d".__mod__, range(100)) if cluster.master_of(key) is not silent
    )
    silent.freeze()
    try:
        assert await store.run([(b"GET", key)], seconds=0.4) == [None]
    finally:
        silent.thaw()


async def test_a_node_that_was_read_as_a_replica_never_answers_for_its_master(
    store: ClusterStore, cluster: RedisCluster
) -> None:
    """Connections on which replicas answer serve nothing else, even if roles change and change."""
    await store.write([(b"SET", ENTRY, b"old"), (b"SET", POINTER, b"old")])
    await store.await_replicas(ENTRY, 5.0)
    master = cluster.master_of(ENTRY)
    replica = cluster.replica_of(master)
    reads = ReplicaReads(store)
    many = [reads.run([(b"GET", ENTRY)]) for _ in range(8)]
    assert await asyncio.gather(*many) == [[b"old"]] * 8

    replica.take_over()
    await until_mastered(store, replica)
    cluster.await_whole()
    master.take_over()  # of which the adapter doesn't hear
    cluster.await_whole()
    replica.fall_behind()
    try:
        master.ask("SET", POINTER, "new")
        many = [store.run([(b"GET", POINTER)]) for _ in range(8)]
        assert await asyncio.gather(*many) == [[b"new"]] * 8
    finally:
        replica.catch_up()


async def test_what_a_replica_answers_may_be_old(
    store: ClusterStore, cluster: RedisCluster
) -> None:
    """It is asked for what may lag, and it really answers; for all else its master is."""
    await store.write([(b"SET", ENTRY, b"old"), (b"SET", POINTER, b"old")])
    await store.await_replicas(ENTRY, 5.0)
    replica = cluster.replica_of(cluster.master_of(ENTRY))
    replica.fall_behind()
    try:
        await store.write([(b"SET", ENTRY, b"new"), (b"SET", POINTER, b"new")])
        reads = ReplicaReads(store)
        commands: list[Command] = [(b"GET", ENTRY), (b"GET", POINTER)]
        assert await reads.run(commands) == [b"old", b"new"]
        assert await store.run(commands) == [b"new", b"new"]
    finally:
        replica.catch_up()


async def test_a_node_that_is_gone_is_dropped(own_cluster: RedisCluster) -> None:
    """Nobody looks for ever whether it is back, once its cluster doesn't know it any more."""
    store = ClusterStore(own_cluster.url)
    reads = ReplicaReads(store)
    await store.write([(b"SET", ENTRY, b"v")])
    await store.await_replicas(ENTRY, 5.0)
    assert await reads.run([(b"GET", ENTRY)]) == [b"v"]
    replica = own_cluster.replica_of(own_cluster.master_of(ENTRY))
    for node in own_cluster.nodes:
        if node is not replica:
            node.ask("CLUSTER", "FORGET", replica.id)
    replica.kill()
    for _ in range(5):
        assert await reads.run([(b"GET", ENTRY)]) == [b"v"]
    await until(lambda: not probes())
    assert await reads.run([(b"GET", ENTRY)]) == [b"v"]
    assert store.down() == []
    await store.close()


def probes() -> list[asyncio.Task[object]]:
    """What asks servers whether they are there."""
    return [task for task in asyncio.all_tasks() if "Probe" in repr(task.get_coro())]


async def test_trips_to_a_dropped_node_end_in_peace(redis_url: str) -> None:
    """Those under way, and those that wait for a connection; then none is left."""
    with contextlib.closing(redis.Redis.from_url(redis_url)) as client:
        client.set("k", "v")
        before = len(client.client_list(_type="normal"))
        node = RedisStore(redis_url, place="here")
        slow: list[Command] = [(b"DEBUG", b"SLEEP", b"0.005"), (b"GET", b"k")]
        under_way = [asyncio.create_task(node.run(slow)) for _ in range(CONNECTIONS + 6)]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in under_way[-6:])
        await node.retire()
        assert [await task for task in under_way] == [[b"OK", b"v"]] * len(under_way)
        await until(lambda: len(client.client_list(_type="normal")) == before)


async def test_a_closed_cluster_is_watched_no_more(redis_cluster: RedisCluster) -> None:
    """Whoever is cut off by the closing has nobody look at the nodes again."""
    store = ClusterStore(redis_cluster.url)
    await store.run([(b"GET", b"k")])
    topology = store._watch.topology
    assert topology is not None
    await store.close()
    store._watch.note(next(iter(topology.nodes)))
    assert store._watch._watching is None


async def test_a_cluster_without_slots_says_so(redis_executable: Path | None) -> None:
    """As one that is just being put together; whatever is asked of it."""
    with run_cluster(redis_executable, replicas=False) as cluster:
        store = ClusterStore(cluster.url)
        for node in cluster.nodes:
            node.ask("CLUSTER", "FLUSHSLOTS")
        for node in cluster.nodes:  # what others told it meanwhile
            node.ask("CLUSTER", "RESET")
        for attempt in (
            store.run([(b"TIME",)]),
            store.run([(b"GET", b"k")]),
            store.write([(b"SET", b"k", b"v")]),
            store.script("release", [b"k"], [b"v"]),
            store.now_ms(),
            store.memory(),
            store.masters_of([b"k"]),
            store.await_replicas(b"k", 1.0, everywhere=True),
        ):
            with pytest.raises(StoreUnavailable, match="--cluster check"):
                await attempt
        await store.close()


@dataclass
class Spoken:
    """A node that answers as newer servers may.

    Attributes:
        answers: by the first word of a command, what comes back.
        heard: the words of all commands.
        port: where it listens.
    """

    answers: dict[bytes, bytes]
    heard: list[list[bytes]] = field(default_factory=list)
    port: int = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it ends."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                words = []
                for _ in range(int((await reader.readuntil(b"\r\n"))[1:])):
                    size = int((await reader.readuntil(b"\r\n"))[1:])
                    words.append((await reader.readexactly(size + 2))[:-2])
                self.heard.append(words)
                writer.write(self.answers.get(words[0], b"+OK\r\n"))
        writer.close()


@asynccontextmanager
async def spoken(**answers: bytes) -> AsyncIterator[Spoken]:
    """A node on loopback."""
    node = Spoken({name.encode(): answer for name, answer in answers.items()})
    async with await asyncio.start_server(node.talk, "127.0.0.1", 0) as server:
        node.port = server.sockets[0].getsockname()[1]
        yield node


def whole(host: bytes, port: int) -> bytes:
    """The replies of a node that says that another one, or it, holds all slots."""
    info = b"cluster_state:ok\r\ncluster_current_epoch:1\r\n"
    slots = b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n%b\r\n:%d\r\n" % (host, port)
    return b"$%d\r\n%b\r\n%b" % (len(info), info, slots)


@pytest.mark.parametrize("host", ["", "?"])
@pytest.mark.parametrize("kind", ["MOVED", "ASK"])
async def test_a_redirection_without_a_host(host: str, kind: str) -> None:
    """Nodes that don't know theirs leave it out: it is the one at which they were asked."""
    async with spoken(GET=b"$1\r\nv\r\n") as other, spoken() as node:
        moved = f"-{kind} {key_slot(b'k')} {host}:{other.port}\r\n"
        own = b"$-1" if not host else b"$1\r\n?"
        node.answers |= {b"GET": moved.encode(), b"CLUSTER": b""}
        node.answers[b"CLUSTER"] = whole(own, node.port)
        store = ClusterStore(f"redis+cluster://127.0.0.1:{node.port}")
        assert await store.run([(b"GET", b"k")]) == [b"v"]
        await store.close()


async def test_a_redirection_that_makes_no_sense_is_an_error_of_the_store() -> None:
    """And not one of this library."""
    async with spoken(GET=b"-MOVED 1 nowhere\r\n") as node:
        node.answers[b"CLUSTER"] = whole(b"$-1", node.port)
        store = ClusterStore(f"redis+cluster://127.0.0.1:{node.port}")
        with pytest.raises(StoreUnavailable):
            await store.run([(b"GET", b"k")])
        with pytest.raises(StoreUnavailable):
            await store.write([(b"GET", b"k")])
        await store.close()


@pytest.mark.parametrize("option", ["", "?protocol=3"])
async def test_no_server_is_asked_for_news(option: str) -> None:
    """Which would come between the replies, and be taken for some."""
    async with spoken(GET=b"$1\r\nv\r\n") as node:
        store = open_store(f"redis://127.0.0.1:{node.port}/0{option}")
        assert await store.run([(b"GET", b"k")]) == [b"v"]
        assert [b"GET", b"k"] in node.heard
        said = {word for words in node.heard for word in words}
        assert not said & {b"HELLO", b"MAINT_NOTIFICATIONS", b"SUBSCRIBE", b"TRACKING"}
        await store.close()
