"""What every store must do; one suite for whatever adapters there are."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from warmcube.errors import ConfigError, Damage, StoreRefused, StoreTooSmall, StoreUnavailable
from warmcube.store.api import Store
from warmcube.store.connect import open_store, place_of
from warmcube.store.wire import PackedCommand, pack_words


async def test_replies_come_in_order(store: Store) -> None:
    """One trip, one reply per command, bytes as they are."""
    replies = await store.run(
        [
            (b"SET", b"k", b"\x00\r\n\xff"),
            (b"GET", b"k"),
            (b"GET", b"none"),
            (b"SADD", b"s", b"a", b"b"),
            (b"SCARD", b"s"),
            (b"PEXPIRE", b"k", 100_000),
        ]
    )
    assert replies == [b"OK", b"\x00\r\n\xff", None, 2, 2, 1]
    assert await store.run([]) == []


async def test_replies_to_much_that_is_asked_for_come_in_order(store: Store) -> None:
    """Commands of many words are sent as replies are read; nothing is lost between them."""
    keys = [b"{k}%d" % number for number in range(150)]
    await store.run([(b"SET", key, key) for key in keys])
    many = PackedCommand.of(b"MGET", keys, [pack_words(keys)])
    for number in range(6):
        commands = [(b"GET", b"{k}1"), *[many, (b"GET", b"none")] * number, (b"GET", b"{k}2")]
        assert await store.run(commands) == [b"{k}1", *[keys, None] * number, b"{k}2"]
    wrong = PackedCommand.of(b"SADD", keys, [pack_words(keys)])
    with pytest.raises(Damage):
        await store.run([many, wrong, many, many, many])
    assert await store.run([(b"GET", b"{k}1")]) == [b"{k}1"]


async def test_an_error_in_a_pipeline_does_not_shift_replies(store: Store) -> None:
    """The error is raised, and the connection goes on with whole replies."""
    await store.run([(b"SET", b"k", b"v")])
    for _ in range(3):
        with pytest.raises(StoreRefused, match="INCR"):
            await store.run([(b"GET", b"k"), (b"INCR", b"k"), (b"GET", b"k")])
        assert await store.run([(b"GET", b"k")]) == [b"v"]
    with pytest.raises(Damage):
        await store.run([(b"SMEMBERS", b"k")])
    with pytest.raises(StoreRefused):
        await store.write([(b"SET", b"a", b"b"), (b"NOSUCHCOMMAND", b"k")])


@pytest.mark.parametrize("bad", [0, 1, 4_321, 9_999])
async def test_one_error_among_many_replies_fails_a_write(store: Store, bad: int) -> None:
    """Wherever it stands; all replies are read, so that the next trip gets its own."""
    commands: list[tuple[bytes, ...]] = [(b"SET", b"k%d" % n, b"v") for n in range(10_000)]
    await store.write(commands)
    commands[bad] = (b"NOSUCHCOMMAND", b"k")
    with pytest.raises(StoreRefused, match="NOSUCHCOMMAND"):
        await store.write(commands)
    there = [(b"EXISTS", b"k%d" % number) for number in range(10_000)]
    assert await store.run([(b"ECHO", b"x"), *there]) == [b"x", *[1] * 10_000]


async def test_a_cancelled_read_is_nobody_elses(store: Store) -> None:
    """A connection that was given up half way never answers another command."""
    await store.run([(b"SET", b"k", b"v")])
    for delay in (0, 0.001, 0.003, 0.01):
        slow = asyncio.create_task(store.run([(b"DEBUG", b"SLEEP", b"0.02"), (b"TIME",)]))
        await asyncio.sleep(delay)
        slow.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await slow
        assert await store.run([(b"GET", b"k")]) == [b"v"]


async def test_a_cancellation_is_never_swallowed(store: Store) -> None:
    """Not even one that comes before the trip begins, as Ctrl-C does while Python computes."""
    await store.run([(b"SET", b"k", b"v")])

    async def cancelled() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await store.run([(b"GET", b"k")])

    for _ in range(3):
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(cancelled())
        assert await store.run([(b"GET", b"k")]) == [b"v"]


async def test_what_takes_too_long_is_unavailable(store: Store) -> None:
    """A trip has its own deadline; what comes after it isn't disturbed once the server answers."""
    with pytest.raises(StoreUnavailable, match="in time"):
        await store.run([(b"DEBUG", b"SLEEP", b"0.2")], seconds=0.05)
    async with asyncio.timeout(10):
        while store.down():  # noqa: ASYNC110 - no one signals it
            await asyncio.sleep(0.005)
    assert (await store.run([(b"ECHO", b"x")])) == [b"x"]


async def test_a_connection_that_the_server_closed_is_replaced(store: Store) -> None:
    """A read is tried once more on a new connection."""
    await store.run([(b"SET", b"k", b"v")])
    other = await store.run([(b"CLIENT", b"ID")])
    with contextlib.suppress(StoreUnavailable):
        await store.run([(b"CLIENT", b"KILL", b"ID", other[0], b"SKIPME", b"no")])
    assert await store.run([(b"GET", b"k")]) == [b"v"]


async def test_many_at_once_share_the_pool(store: Store) -> None:
    """More readers than connections wait for one; nobody gets another's reply."""
    await store.run([(b"SET", b"%d" % i, b"%d" % i) for i in range(300)])
    replies = await asyncio.gather(*[store.run([(b"GET", b"%d" % i)]) for i in range(300)])
    assert replies == [[b"%d" % i] for i in range(300)]


async def test_out_of_memory_says_so(store: Store) -> None:
    """A full server is told from one that refuses."""
    await store.run([(b"CONFIG", b"SET", b"maxmemory", 1)])  # of a cluster's, one is full
    try:
        with pytest.raises(StoreTooSmall, match="out of memory"):
            await store.write([(b"SET", b"k%d" % number, b"v") for number in range(100)])
    finally:
        await store.run([(b"CONFIG", b"SET", b"maxmemory", 0)])


async def test_memory_and_clock(store: Store) -> None:
    """Figures of each master, and the server's time."""
    memories = await store.memory()
    assert len({memory.node for memory in memories}) == len(memories) in (1, 3)
    for memory in memories:
        assert memory.used > 0
        assert (memory.limit, memory.policy) == (0, "noeviction")
    held = await store.masters_of([b"k%d" % number for number in range(100)])
    assert set(held) == {memory.node for memory in memories}
    assert await store.now_ms() > 1_700_000_000_000


async def test_waiting_for_replicas_leaves_nothing(store: Store) -> None:
    """Neither for one master's, nor for those of all."""
    await store.write([(b"SET", b"{k}", b"v")])
    await store.await_replicas(b"{k}", 5.0)
    await store.await_replicas(b"{k}", 5.0, everywhere=True)
    assert await store.run([(b"EXISTS", b"{k}:replicated"), (b"GET", b"{k}")]) == [0, b"v"]


async def test_a_script_runs_where_its_keys_are(store: Store) -> None:
    """Whichever node that is; what it refuses is an error."""
    for number in range(20):
        await store.run([(b"SET", b"{%d}lock" % number, b"mine")])
        assert await store.script("release", [b"{%d}lock" % number], [b"other"]) == 0
        assert await store.script("release", [b"{%d}lock" % number], [b"mine"]) == 1
    await store.run([(b"SADD", b"set", b"member")])
    with pytest.raises(StoreRefused, match="EVAL"):
        await store.script("release", [b"set"], [b"mine"])


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter2@127.0.0.1:1/0",
        "unix:///nonexistent/redis.sock?password=hunter2",
        "redis+cluster://user:hunter2@127.0.0.1:1,127.0.0.1:2/",
    ],
)
async def test_a_server_that_is_not_there(url: str) -> None:
    """The error names the place, never the password."""
    store = open_store(url)
    for attempt in (store.run([(b"TIME",)]), store.write([(b"SET", b"k", b"v")])):
        with pytest.raises(StoreUnavailable) as caught:
            await attempt
        assert "hunter2" not in str(caught.value) + repr(store)
        assert place_of(url) in str(caught.value)
    await store.close()


def test_an_unknown_scheme_is_a_configuration_error() -> None:
    """Only what can be reached is opened."""
    with pytest.raises(ConfigError, match="memcached"):
        open_store("memcached://localhost")
    with pytest.raises(ConfigError, match="only one"):
        open_store("redis+cluster://:hunter2@localhost:7000/1")
    for nodes in ("", ":7000", "host:x", "host:7000,,other"):
        with pytest.raises(ConfigError, match="names the node"):
            open_store(f"redis+cluster://{nodes}")
