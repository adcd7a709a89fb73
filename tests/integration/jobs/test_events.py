"""`warmcube.service.events`: streams that nobody reads, that have no news, or lose their store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message

from warmcube.errors import StoreUnavailable
from warmcube.jobs.job import JobState
from warmcube.jobs.ledger import Ledger
from warmcube.service import events
from warmcube.service.events import EventStream, job_events
from warmcube.store.api import Store


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """The jobs of an empty store."""
    return Ledger(store, "")


async def test_who_doesnt_read_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """One event is all that waits for them, and not for ever."""
    monkeypatch.setattr(events, "SEND_SECONDS", 0.05)
    made = 0

    async def many() -> AsyncIterator[bytes]:
        nonlocal made
        while True:
            made += 1
            yield b"data: x\n\n"

    async def stuck(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async with asyncio.timeout(20):
        await EventStream(many()).stream_response(stuck)
    assert made == 1


async def test_without_news_it_shows_that_it_lives(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comment, which clients pass over; then the end, when it comes."""
    monkeypatch.setattr(events, "QUIET_SECONDS", 0.0)
    job = await ledger.start(1, actor="ana")
    stream = job_events(ledger, {job.id: job.revision}, lambda: False)
    assert [await anext(stream) for _ in range(3)] == [
        b"retry: 2000\n\n",
        b": still there\n\n",
        b": still there\n\n",
    ]
    await ledger.write(job.changed(state=JobState.DONE))
    told = [event async for event in stream if not event.startswith(b":")]
    assert [event.partition(b"\ndata: ")[0] for event in told] == [
        f"id: {job.id}.1\nevent: end".encode()
    ]


async def test_a_job_whose_record_is_gone(ledger: Ledger, store: Store) -> None:
    """There is nothing to follow any more."""
    job = await ledger.start(1, actor="ana")
    await store.run([(b"FLUSHALL",)])
    stream = job_events(ledger, {job.id: -1}, lambda: False)
    assert [event async for event in stream] == [b"retry: 2000\n\n"]


async def test_a_store_that_goes_away(
    ledger: Ledger, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream ends, and whoever listens comes back later."""
    job = await ledger.start(1, actor="ana")
    stream = job_events(ledger, {job.id: -1}, lambda: False)
    assert await anext(stream) == b"retry: 2000\n\n"
    assert (await anext(stream)).startswith(f"id: {job.id}.0\nevent: progress".encode())

    async def away(*_: object, **__: object) -> object:
        raise StoreUnavailable("away")

    monkeypatch.setattr(store, "run", away)
    assert [event async for event in stream] == []


async def test_several_jobs_in_one_stream(ledger: Ledger) -> None:
    """Each event's id says what is known of all, so that whoever comes back misses none."""
    one = await ledger.start(1, actor="ana")
    two = await ledger.start(2, actor="ana")
    for job in (one, two):
        await ledger.write(job.changed(state=JobState.DONE))
    stream = job_events(ledger, {one.id: -1, two.id: 0}, lambda: False)
    told = [event.partition(b"\nevent")[0] async for event in stream]
    assert told == [
        b"retry: 2000\n\n",
        f"id: {one.id}.1,{two.id}.0".encode(),
        f"id: {one.id}.1,{two.id}.1".encode(),
    ]
