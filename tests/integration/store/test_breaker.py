"""What becomes of calls when their server is silent, gone, or says that it can't."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.directories import least_seconds
from tests.support.own_redis import OwnRedis, own_redis

from warmcube.errors import StoreError, StoreUnavailable
from warmcube.store.api import Store
from warmcube.store.connect import open_store
from warmcube.store.paced import PatientStore, ServingStore

BACK: float = 1.0
"""Within so many seconds a store is used again."""
SLACK: float = 8.0
"""A machine that is busy with other things may take so much longer; one after another, those who
wait here would wait longer still."""


@pytest.fixture(autouse=True)
def _steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step that users have, and as long for a probe."""
    monkeypatch.setattr("warmcube.store.paced.STEP_SECONDS", 0.25)
    monkeypatch.setattr("warmcube.store.probe.PROBE_SECONDS", 0.25)


@pytest.fixture
def server(tmp_path: Path, redis_executable: Path | None) -> Iterator[OwnRedis]:
    """A Redis of this test's own."""
    with own_redis(tmp_path, redis_executable) as started:
        yield started


@pytest.fixture
async def own_store(server: OwnRedis) -> AsyncIterator[Store]:
    """The adapter on it."""
    opened = open_store(server.url)
    yield opened
    await opened.close()


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> float:
    """Wait until others have brought something about; how long that took."""
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - no one signals it
            await asyncio.sleep(0.002)
    return time.monotonic() - began


async def test_nobody_waits_for_a_frozen_server_twice(server: OwnRedis, own_store: Store) -> None:
    """The first reads wait for a step's time, later ones not at all; it is back soon after."""
    serving = ServingStore(own_store)
    await serving.run([(b"SET", b"k", b"v")])
    server.freeze()
    began = time.monotonic()
    first = await asyncio.gather(
        *[serving.run([(b"GET", b"k")]) for _ in range(100)], return_exceptions=True
    )
    assert {type(each) for each in first} == {StoreUnavailable}
    assert 0.2 < time.monotonic() - began < 0.25 + SLACK
    (down,) = serving.down()
    assert "answer" in down.why
    began = time.monotonic()
    for _ in range(1000):
        with pytest.raises(StoreUnavailable, match="tried again") as caught:
            await serving.run([(b"GET", b"k")])
        assert caught.value.is_unsent
    assert time.monotonic() - began < SLACK
    server.thaw()

    async def freeze_again() -> None:
        server.freeze()
        with pytest.raises(StoreUnavailable):
            await serving.run([(b"GET", b"k")])
        await until(lambda: bool(own_store.down()))
        server.thaw()

    assert await least_seconds(lambda: until(lambda: not own_store.down()), freeze_again) < BACK
    assert await serving.run([(b"GET", b"k")]) == [b"v"]


async def test_waiting_for_each_other_is_not_the_servers_silence(
    server: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where all connections are lent, a call waits; if that is too long, it blames nobody."""
    monkeypatch.setattr("warmcube.store.redis.CONNECTIONS", 1)
    own_store = open_store(server.url)
    await own_store.run([(b"SET", b"k", b"v")])

    async def ask_beside_a_long_call() -> object:
        long = asyncio.create_task(own_store.run([(b"BLPOP", b"nothing", 1)], seconds=5))
        await asyncio.sleep(0)
        try:
            return await ServingStore(own_store).run([(b"GET", b"k")])
        finally:
            assert own_store.down() == []
            assert await long == [None]

    assert await ask_beside_a_long_call() == [b"v"]
    monkeypatch.setattr("warmcube.store.redis.LONGEST", 0.3)
    with pytest.raises(StoreUnavailable):
        await ask_beside_a_long_call()
    assert await own_store.run([(b"GET", b"k")]) == [b"v"]
    await own_store.close()


async def test_a_reply_to_somebody_is_a_sign_of_life(own_store: Store) -> None:
    """Where others are answered, a trip may take longer than a step: it is in a queue, no more."""
    served = ServingStore(own_store)

    async def ask_now_and_then() -> None:
        while True:
            await own_store.run([(b"GET", b"k")])
            await asyncio.sleep(0.05)

    asking = asyncio.create_task(ask_now_and_then())
    assert await served.run([(b"BLPOP", b"nothing", 1)]) == [None]
    assert not own_store.down()
    asking.cancel()
    await asyncio.wait([asking])
    with pytest.raises(StoreUnavailable):
        await served.run([(b"BLPOP", b"nothing", 1)])


async def test_a_trip_without_an_answer_ends_once(
    own_store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its own time is up at the moment at which its server has been silent for it."""
    monkeypatch.setattr("warmcube.store.redis.LONGEST", 0.2)
    with pytest.raises(StoreUnavailable, match="in time"):
        await own_store.run([(b"BLPOP", b"nothing", 1)], seconds=0.2)
    assert [each.getMessage() for each in caplog.records if each.name == "asyncio"] == []


async def test_a_server_that_was_killed_is_used_again_when_it_is_back(
    server: OwnRedis, own_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Refused connections open the breaker as silence does; the log says so, and when it ends."""
    caplog.set_level("INFO", "warmcube")
    await own_store.run([(b"SET", b"k", b"v")])
    server.kill()
    for call in (own_store.run([(b"GET", b"k")]), own_store.write([(b"SET", b"k", b"w")])):
        with pytest.raises(StoreUnavailable):
            await call
    await until(lambda: bool(own_store.down() and caplog.messages))
    with pytest.raises(StoreUnavailable, match="tried again"):
        await own_store.script("release", [b"k"], [b"x"])
    server.start()
    assert await until(lambda: not own_store.down()) < BACK + SLACK
    assert await own_store.run([(b"GET", b"k")]) == [None]
    assert [each.split(" at ")[0] for each in caplog.messages] == ["the store"] * 2
    assert ["given up" in each for each in caplog.messages] == [True, False]


async def test_a_long_call_opens_nothing_while_the_server_answers(own_store: Store) -> None:
    """What takes longer than a step is looked into by a probe; if it fails, it is the only one."""
    slow = asyncio.create_task(own_store.run([(b"BLPOP", b"none", 1)]))
    await asyncio.sleep(0.4)
    assert not own_store.down()
    assert await own_store.run([(b"ECHO", b"x")]) == [b"x"]
    assert await slow == [None]
    with pytest.raises(StoreUnavailable, match="in time"):
        await own_store.run([(b"BLPOP", b"none", 5)], seconds=1.0)
    await asyncio.sleep(0.1)
    assert not own_store.down()


async def test_who_waits_for_long_lets_others_not_wait(server: OwnRedis, own_store: Store) -> None:
    """A call with seconds to go has the server probed, so that the next one fails at once."""
    await own_store.run([(b"SET", b"k", b"v")])
    server.freeze()
    patient = asyncio.create_task(own_store.run([(b"GET", b"k")]))
    assert await until(lambda: bool(own_store.down())) < 0.6 + SLACK
    with pytest.raises(StoreUnavailable, match="tried again"):
        await own_store.run([(b"GET", b"k")])
    server.thaw()
    assert await patient == [b"v"]


async def test_scripts_of_a_request_are_not_waited_for_either(
    server: OwnRedis, own_store: Store
) -> None:
    """A session is looked up by a script; whoever waits for that waits half a second at most."""
    serving = ServingStore(own_store)
    assert await serving.script("release", [b"k"], [b"x"]) == 0
    server.freeze()
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"in 0\.5 s"):
        await serving.script("release", [b"k"], [b"x"])
    await until(lambda: bool(own_store.down()))
    with pytest.raises(StoreUnavailable, match="tried again"):
        await serving.script("release", [b"k"], [b"x"])
    assert time.monotonic() - began < 0.5 + SLACK
    server.thaw()
    await until(lambda: not own_store.down())


async def test_a_read_is_tried_again_where_connections_broke(own_store: Store) -> None:
    """Also when all of them did, while others ask; nothing is opened for that."""
    await own_store.run([(b"SET", b"k", b"v")])
    for _ in range(5):
        await asyncio.gather(*[own_store.run([(b"GET", b"k")]) for _ in range(20)])
        await own_store.run([(b"CLIENT", b"KILL", b"TYPE", b"normal", b"SKIPME", b"yes")])
        found = await asyncio.gather(*[own_store.run([(b"GET", b"k")]) for _ in range(20)])
        assert found == [[b"v"]] * 20
        assert not own_store.down()


async def test_work_that_can_wait_does(server: OwnRedis, own_store: Store) -> None:
    """It goes on when the server is back in time, and says why when it isn't."""
    patient, impatient = PatientStore(own_store, 20.0), PatientStore(own_store, 0.1)
    assert await patient.memory()
    await patient.await_replicas(b"k", 1.0)
    server.kill()
    with pytest.raises(StoreUnavailable):
        await own_store.run([(b"PING",)])
    with pytest.raises(StoreUnavailable, match="tried again"):
        await impatient.write([(b"SET", b"k", b"v")])
    waiting = [
        asyncio.create_task(each)
        for each in (
            patient.write([(b"SET", b"k", b"v")]),
            patient.script("release", [b"none"], [b"x"]),
            patient.run([(b"ECHO", b"x")]),
            patient.now_ms(),
        )
    ]
    await asyncio.sleep(0.1)
    assert not any(each.done() for each in waiting)
    server.start()
    async with asyncio.timeout(20):
        await asyncio.gather(*waiting)
    assert await own_store.run([(b"GET", b"k")]) == [b"v"]


@contextmanager
def saying(line: bytes) -> Iterator[str]:
    """A server that has one answer to whatever it is told; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk(connection: socket.socket) -> None:
            with connection:
                while asked := connection.recv(65536):
                    connection.sendall(line * len(re.findall(rb"\*\d+\r\n", asked)))

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(30)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", "loading"),
        (b"-NOAUTH Authentication required.\r\n", "password"),
        (b"-READONLY You can't write against a read only replica.\r\n", "read only"),
        (b"-MASTERDOWN Link with MASTER is down.\r\n", "MASTER is down"),
        (b"-MISCONF Errors writing to disk.\r\n", "writing to disk"),
        (b"-BUSY Redis is busy running a script.\r\n", "busy"),
        (b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n", "Multiple"),
    ],
    ids=lambda value: value[1:9].decode() if isinstance(value, bytes) else "",
)
async def test_what_a_server_says_opens_nothing(line: bytes, said: str) -> None:
    """It is there, and each call is told what it says: the store can't be used, never damage."""
    with saying(line) as url:
        store = open_store(url)
        try:
            for _ in range(3):
                with pytest.raises(StoreError, match=said):
                    await store.run([(b"GET", b"k")], seconds=0.25)
            assert not store.down()
        finally:
            await store.close()


async def test_a_wrong_password_is_told_as_one(
    server: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    """It opens nothing; message and log say what to look at, without what was tried."""
    with server.client() as client:
        client.config_set("requirepass", "right")
    for url in (server.url, server.url.replace("//", "//:wrong1234@")):
        store = open_store(url)
        try:
            for _ in range(3):
                with pytest.raises(StoreUnavailable, match="the password in \\[store\\]") as caught:
                    await store.run([(b"GET", b"k")])
                assert "wrong1234" not in str(caught.value)
            assert not store.down()
            (told,) = caplog.messages
            assert "refuses the user or the password" in told
            caplog.clear()
        finally:
            await store.close()


async def test_a_held_up_process_blames_nobody(own_store: Store) -> None:
    """A time-out that came due while this process computed isn't the server's."""
    await own_store.run([(b"SET", b"k", b"v")])
    read = asyncio.create_task(own_store.run([(b"GET", b"k")], seconds=0.05))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    time.sleep(0.3)  # noqa: ASYNC251 - that is what is tried
    assert await read == [b"v"]
    assert not own_store.down()
