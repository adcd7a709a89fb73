"""What a query costs that no clock is needed for, held to what it was once brought down to.

The bounds lie in ``counters.json``. Whoever makes one of them smaller writes it down there; whoever
makes one larger has to say why.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import redis
from benchmarks.data import Shape, load
from benchmarks.memory import measure_memory
from benchmarks.ours import Ours, open_ours
from benchmarks.questions import Question, questions
from benchmarks.setting import TRIO, TRIO_PRACTICES, Setting, open_setting
from benchmarks.workloads.dashboard import MEASURES, dashboard_queries

from warmcube.query.result import Result
from warmcube.store.redis import RedisStore

SHAPE: Final = Shape(measures=3, practices=100, frequencies={"Monthly": 24})
SIZES: Final = (10, 100, 1000)
BOUNDS: Final[dict[str, float]] = json.loads(
    Path(__file__).with_name("counters.json").read_text(encoding="ascii")
)
APART: Final = frozenset({"cmdstat_info", "cmdstat_config", "cmdstat_config|resetstat"})
"""What the test itself asks the server."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What happened at the server meanwhile."""

    trips: int
    commands: int
    keys: int
    bytes_out: int


@dataclass
class Counter:
    """Counts what a server is asked: by its own account, but for the trips.

    Those are counted where a trip begins, since a long command takes the server several reads.
    """

    url: str
    trips: list[int] = field(default_factory=list)

    async def of(self, work: Callable[[], Awaitable[object]]) -> Counts:
        """Do something, and tell what it cost."""
        with closing(redis.Redis.from_url(self.url)) as client:
            before, trips = _figures(client), len(self.trips)
            await work()
            after = _figures(client)
        commands = after["commands"] - before["commands"]
        assert commands == sum(self.trips[trips:]), "something went around RedisStore.run"
        return Counts(
            trips=len(self.trips) - trips,
            commands=commands,
            keys=after["keys"] - before["keys"],
            bytes_out=after["bytes"] - before["bytes"],
        )


def _figures(client: Any) -> dict[str, int]:
    commands = client.info("commandstats")
    stats = client.info("stats")
    return {
        "commands": sum(each["calls"] for name, each in commands.items() if name not in APART),
        "keys": stats["keyspace_hits"] + stats["keyspace_misses"],
        "bytes": stats["total_net_output_bytes"],
    }


@pytest.fixture
def setting(redis_url: str, postgres_db: str) -> Iterator[Setting]:
    """The servers, with the table."""
    with open_setting(redis_url, postgres_db, namespace="") as made:
        load(made.postgres_url, made.table(), SHAPE)
        yield made


@pytest.fixture
def counter(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Counter:
    """Counts the trips of every store in this process."""
    # Counts of use, which go out by another way, and probes are a matter of moments.
    monkeypatch.setattr("warmcube.observe.usage.FLUSH_SECONDS", 3600.0)
    monkeypatch.setattr("warmcube.store.redis.NOTICE", 3600.0)
    counter = Counter(redis_url)
    run = RedisStore.run

    async def counted(self: RedisStore, commands: Sequence[Any], **options: Any) -> list[Any]:
        counter.trips.append(len(commands))
        return await run(self, commands, **options)

    monkeypatch.setattr(RedisStore, "run", counted)
    return counter


@pytest.fixture
async def store(setting: Setting) -> AsyncIterator[Ours]:
    """A warm cache whose process keeps nothing."""
    async with open_ours(setting.config, "store") as ours:
        await ours.cache.warm(1)
        await ours.rows(Question(0, (100,)))  # the manifest is read once
        yield ours


def check(found: dict[str, float]) -> None:
    """Nothing is worse than it was."""
    worse = {
        name: (value, BOUNDS.get(name))
        for name, value in found.items()
        if value > BOUNDS.get(name, -1)
    }
    assert not worse, f"(measured, bound) in counters.json: {worse}"


async def test_a_query_makes_few_trips_and_commands(counter: Counter, store: Ours) -> None:
    """Rows and sums of 10, 100 and 1,000 entries: the first time and again."""
    found: dict[str, float] = {}
    for entries in SIZES:
        others = questions(SHAPE, entries, 6)
        for form, ask, asked in (
            ("rows", store.rows, others[:3]),
            ("sums", store.sums, others[3:]),
        ):
            # Of several, since what a process does once a second may come between.
            for time in ("first", "again"):
                counts = [await counter.of(partial(ask, question)) for question in asked]
                name = f"{form} of {entries} entries, {time}: "
                found[name + "trips"] = min(each.trips for each in counts)
                found[name + "commands"] = min(each.commands for each in counts)
                found[name + "keys per entry"] = round(
                    min(each.keys for each in counts) / entries, 3
                )
    check(found)


async def test_rows_are_fetched_only_where_they_are_used(counter: Counter, store: Ours) -> None:
    """As many rows as the answer has, in few bytes each."""
    question, *_ = questions(SHAPE, 1000, 1)
    rows = 1000 * SHAPE.frequencies["Monthly"]
    result: Result

    async def ask() -> None:
        nonlocal result
        result = await store.cache.query(question.query(sums=False), await store.grant())

    counts = await counter.of(ask)
    assert len(result) == rows
    check(
        {
            "rows fetched per row used": result.meta.rows_fetched / rows,
            "bytes read per row": round(counts.bytes_out / rows, 1),
        }
    )


async def test_a_dashboard_reads_each_slice_once(
    counter: Counter, store: Ours, setting: Setting
) -> None:
    """Nine charts over three partitions: hardly more keys than there are entries in scope."""
    entries = MEASURES * len(TRIO_PRACTICES) * SHAPE.providers
    queries = dashboard_queries()
    found: dict[str, float] = {}
    async with open_ours(setting.config, "store", TRIO) as trio:
        grant = await trio.grant()
        await trio.cache.schema(1, grant)
        for time in ("first", "again"):
            counts = await counter.of(partial(trio.cache.query_many, queries, grant))
            found[f"dashboard, {time}: trips"] = counts.trips
            found[f"dashboard, {time}: commands"] = counts.commands
            found[f"dashboard, {time}: keys per entry"] = round(counts.keys / entries, 3)
    check(found)


async def test_the_store_holds_rows_in_few_bytes(store: Ours, setting: Setting) -> None:
    """Index sets and counts beside the entries, and all of it by row."""
    memory = measure_memory(setting)
    check(
        {
            "index bytes per entry byte": memory["index_share_of_entries"],
            "bytes stored per row": round(memory["snapshot_bytes"] / SHAPE.rows, 1),
        }
    )
