"""What exists for others only can't be told from what doesn't exist.

Not by an error's type or words, not by a figure in meta or explanation, and not by the work: every
command that Redis receives (seen by ``MONITOR``) and every statement that Postgres does are the
same but for the name that was asked for. Nothing here looks at a clock.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    closing,
    contextmanager,
)
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.support.caches import NOTHING_KEPT, execute, hold_partitions, make_cache

from warmcube import AnalyticsCache, Filter, Query, WarmcubeError
from warmcube.source.postgres_connection import PostgresConnection

pytestmark = pytest.mark.no_cover  # repeats for long what other tests cover

OURS, THEIRS, NOBODYS = 8101001, 8110001, 8990001  # of one length: so many bytes are sent

TABLE = f"""
CREATE SCHEMA ih;
CREATE TABLE ih.facts (
    measure text, practice_uid integer, provider_uid integer, frequency text,
    date_index date, measure_value numeric(14,2), note text
);
INSERT INTO ih.facts
SELECT m, p, CASE WHEN v > 0 THEN v END, f, DATE '2024-01-01' + d, p + v + d, 'note of ' || p
FROM unnest(ARRAY['Charges', 'Payments']) m, unnest(ARRAY[{OURS}, {THEIRS}]) p,
     unnest(ARRAY['Monthly', 'Weekly']) f, generate_series(0, 5) v, generate_series(0, 1) d;
INSERT INTO ih.facts
SELECT m, {THEIRS}, v, f, DATE '2099-01-01', 5, 'note of nobody else'
FROM (VALUES ('Foreign', 'Monthly'), ('Charges', 'Yearly'), ('Charges', 'Monthly')) n(m, f),
     unnest(ARRAY[1, {THEIRS}]) v;
INSERT INTO ih.facts
SELECT 'Charges', p, {THEIRS}, 'Yearly', DATE '2099-01-01', 5, 'note of many'
FROM generate_series({THEIRS} + 1, {THEIRS} + 2) p;
CREATE TABLE ih.wide AS SELECT * FROM ih.facts;
INSERT INTO ih.wide
SELECT m, {THEIRS}, v, f, DATE '2099-01-01', 5, 'wide'
FROM (VALUES ('Foreign', 'Daily'), ('Foreign', 'Yearly')) n(m, f), generate_series(1, 40) v;
INSERT INTO ih.wide
SELECT 'Foreign', p, 1, 'Weekly', DATE '2099-01-01', 5, 'of many practices'
FROM generate_series({THEIRS}, {THEIRS} + 8) p;
"""

ACCESS = f"""
[roles]
analyst = ["analytics:read:organization", "analytics:export:organization"]
provider = ["analytics:read:own", "analytics:export:own"]
keeper = ["analytics:read:all"]
[[organizations]]
id = "north"
practices = [{OURS}, 8101002]
[[organizations]]
id = "south"
practices = [{THEIRS}]
[[users]]
id = "north"
roles = ["analyst"]
organizations = ["north"]
[[users]]
id = "provider"
roles = ["provider"]
organizations = ["north"]
provider = 3
[[users]]
id = "mixed"
roles = [
    {{ role = "provider", organization = "north" }},
    {{ role = "analyst", organization = "empty" }},
]
organizations = ["north", "empty"]
provider = 3
[[users]]
id = "keeper"
roles = ["keeper"]
[[organizations]]
id = "empty"
"""

SECOND_SOURCE = """
[[datasources]]
id = 2
name = "Behind a door"
source = "main"
table = "ih.facts"
roles = ["keeper"]
"""

NOT_DUE = {
    "WARMCUBE_CACHE__MAX_POINTER_AGE": "600",
    "WARMCUBE_CACHE__MAX_UNCHECKED_AGE": "600",
}
"""No check of the pointer falls due while commands are compared: that is a matter of moments."""

Ask = Callable[..., Awaitable[Any]]
Make = Callable[[], AbstractAsyncContextManager[AnalyticsCache]]
CHARGES = {"measure": "Charges", "frequency": "Monthly"}


async def a_query(cache: AnalyticsCache, grant: Any, **asked: Any) -> Any:
    """Sums by text."""
    grouped = {"group_by": ["note"], "aggregate": "sum"}
    return await cache.query(Query(**{"datasource": 1, **CHARGES, **grouped, **asked}), grant)


async def some_sums(cache: AnalyticsCache, grant: Any, **asked: Any) -> Any:
    """Sums by date, which practice-level sums tell."""
    grouped = {"group_by": ["date_index"], "aggregate": "sum"}
    return await cache.query(Query(**{"datasource": 1, **CHARGES, **grouped, **asked}), grant)


async def an_export(cache: AnalyticsCache, grant: Any, **asked: Any) -> Any:
    """Rows to take away."""
    return await cache.export(Query(**{"datasource": 1, **CHARGES, **asked}), grant)


def values_of(column: str) -> Ask:
    """The values of a column."""

    async def ask(cache: AnalyticsCache, grant: Any, **asked: Any) -> Any:
        given = {**CHARGES, **asked}
        return await cache.values(given.pop("datasource", 1), column, grant, **given)

    return ask


def names_of(column: str) -> Ask:
    """The values of the measure or the frequency column, over all partitions."""

    async def ask(cache: AnalyticsCache, grant: Any, **asked: Any) -> Any:
        return await cache.values(1, column, grant, **asked)

    return ask


async def measures_of(cache: AnalyticsCache, grant: Any, **asked: Any) -> Any:
    """The measures."""
    return await cache.measures(asked["datasource"], grant)


ROWS = {
    "query": a_query,
    "sums": some_sums,
    "export": an_export,
    "values of note": values_of("note"),
    "values of practice": values_of("practice_uid"),
    "values of provider": values_of("provider_uid"),
}
SOME = {name: ROWS[name] for name in ("query", "values of note")}
ALL = {**ROWS, "measures": measures_of}
NAMES = {"values of measure": names_of("measure"), "values of frequency": names_of("frequency")}

CASES: dict[str, tuple[Mapping[str, Ask], Callable[[Any], dict[str, Any]], Any, Any]] = {
    "practice": (ROWS, lambda x: {"practices": [x]}, THEIRS, NOBODYS),
    "practice beside ours": (ROWS, lambda x: {"practices": [OURS, x]}, THEIRS, NOBODYS),
    "provider": (ROWS, lambda x: {"providers": [x]}, THEIRS, NOBODYS),
    "provider beside ours": (ROWS, lambda x: {"providers": [3, x]}, THEIRS, NOBODYS),
    "organization": (ROWS, lambda x: {"organization": x}, "south", "zouth"),
    "data source": (ALL, lambda x: {"datasource": x}, 2, 3),
    "measure": (ROWS, lambda x: {"measure": x}, "Foreign", "Nowhere"),
    "frequency": (ROWS, lambda x: {"frequency": x}, "Yearly", "Annual"),
    "names of a measure": (NAMES, lambda x: {"measure": x}, "Foreign", "Nowhere"),
    "names of a frequency": (NAMES, lambda x: {"frequency": x}, "Yearly", "Annual"),
    "names of a practice": (NAMES, lambda x: {"practices": [x]}, THEIRS, NOBODYS),
    "names of a provider": (NAMES, lambda x: {"providers": [x]}, THEIRS, NOBODYS),
    "names of an organization": (NAMES, lambda x: {"organization": x}, "south", "zouth"),
    "where practice": (
        ROWS,
        lambda x: {"where": [Filter("practice_uid", "eq", x)]},
        THEIRS,
        NOBODYS,
    ),
    "where provider": (
        ROWS,
        lambda x: {"where": [Filter("provider_uid", "in", [x])]},
        THEIRS,
        NOBODYS,
    ),
    "where text": (
        SOME,
        lambda x: {"where": [Filter("note", "eq", f"note of {x}")]},
        THEIRS,
        NOBODYS,
    ),
    "where like": (SOME, lambda x: {"where": [Filter("note", "like", f"{x}")]}, THEIRS, NOBODYS),
    "a day": (SOME, lambda x: {"start": x, "end": x}, "2099-01-01", "2098-01-01"),
}


class Watch:
    """What the servers are asked to do."""

    def __init__(self, url: str, monitor: Any, client: Any) -> None:
        self.url = url
        self.monitor = monitor
        self.client = client
        self.statements: list[tuple[object, ...]] = []
        self._serial = itertools.count()

    def take(self) -> tuple[list[str], list[tuple[object, ...]]]:
        """Commands and statements since the last time."""
        marker = f"that is all {next(self._serial)}"
        self.client.echo(marker)
        commands: list[str] = []
        while marker not in (command := self.monitor.next_command()["command"]):
            commands.append(command)
        statements, self.statements = self.statements, []
        return commands, statements


@pytest.fixture
def watch(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Watches an empty Redis, and every statement for Postgres."""
    # What is counted goes out in the end, and not whenever a second is over; nor does a server that
    # takes long get a probe.
    monkeypatch.setattr("warmcube.observe.usage.FLUSH_SECONDS", 3600.0)
    monkeypatch.setattr("warmcube.store.redis.NOTICE", 3600.0)
    monkeypatch.setattr("warmcube.fallback.guard.NOTICE", 3600.0)
    with watching(redis_url) as made:
        query, run = PostgresConnection.query, PostgresConnection.execute

        def note_query(self: Any, sql: str, doing: str, parameters: Any = ()) -> Any:
            made.statements.append((sql, *map(str, parameters)))
            return query(self, sql, doing, parameters)

        def note_execute(self: Any, script: str, doing: str) -> None:
            made.statements.append((script,))
            run(self, script, doing)

        monkeypatch.setattr(PostgresConnection, "query", note_query)
        monkeypatch.setattr(PostgresConnection, "execute", note_execute)
        yield made


@contextmanager
def watching(url: str) -> Iterator[Watch]:
    """Watches a Redis."""
    with (
        closing(redis.Redis.from_url(url)) as client,
        client.monitor() as monitor,  # type: ignore[no-untyped-call]
    ):
        made = Watch(url, monitor, client)
        made.take()
        yield made


@pytest.fixture(scope="module")
def facts(postgres_module_db: str) -> str:
    """A database with the tables."""
    execute(postgres_module_db, TABLE)
    return postgres_module_db


def told(answer: Any) -> dict[str, Any]:
    """All that an answer tells, but for how long it took and when the database was asked."""
    meta = answer.meta._asdict()
    explanation = dataclasses.asdict(answer.explanation)
    for each in (meta, explanation):
        each["timings"] = list(each["timings"])
    if answer.meta.origin == "database":
        del meta["as_of"]
    rows = answer.rows() if hasattr(answer, "rows") else (list(answer), repr(answer))
    return {
        "rows": rows,
        "null": getattr(answer, "has_null", None),
        "meta": meta,
        "explanation": explanation,
    }


async def outcome(make: Make, user: str, ask: Ask, asked: Any, *, has_read: bool = False) -> Any:
    """What a new process tells when it is asked twice, from its start to its end.

    Args:
        make: the process.
        user: who asks.
        ask: what.
        asked: with what.
        has_read: whether somebody who may has read everything there before.
    """
    found: list[Any] = []
    async with make() as cache:
        if has_read:
            keeper = await cache.authorize("keeper")
            for measure, frequency in PARTITIONS:
                for practices in (None, [THEIRS]):
                    query = Query(
                        datasource=1, measure=measure, frequency=frequency, practices=practices
                    )
                    await cache.query(query, keeper)
        grant = await cache.authorize(user)
        for _ in range(2):
            try:
                found.append(told(await ask(cache, grant, **asked)))
            except WarmcubeError as error:
                found.append((type(error), str(error), error.__dict__))
    return found


PARTITIONS = (
    *itertools.product(("Charges", "Payments"), ("Monthly", "Weekly")),
    ("Foreign", "Monthly"),
    ("Charges", "Yearly"),
)


def unnamed(first: Any, second: Any, what: Any) -> str:
    """Something as text, with two names taken out."""
    return repr(what).replace(str(first), "@").replace(str(second), "@")


def difference(first: str, second: str) -> tuple[str, str]:
    """Where two texts begin to differ, and a little of what is around."""
    pairs = zip(first, second, strict=False)
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    around = slice(max(same - 100, 0), same + 200)
    return first[around], second[around]


@pytest.mark.parametrize(
    ("tier", "user"),
    [
        *itertools.product(("store", "held", "database"), ("north", "provider")),
        ("store", "mixed"),
        ("held", "mixed"),
    ],
)
async def test_not_yours_is_as_if_it_did_not_exist(
    tmp_path: Path, watch: Watch, facts: str, tier: str, user: str
) -> None:
    """The same error or answer, text, figures, commands and statements, in a fresh process too.

    And in one that holds all partitions, so that it could tell much faster what doesn't exist.
    """

    @asynccontextmanager
    async def make() -> AsyncIterator[AnalyticsCache]:
        async with make_cache(
            tmp_path,
            watch.url,
            facts,
            access=ACCESS,
            more=SECOND_SOURCE,
            environment=NOT_DUE,
        ) as cache:
            if is_held:
                await hold_partitions(cache, 1, 2)
            yield cache

    is_held = False
    async with make() as cache:
        await cache.warm(1)
        await cache.warm(2)
        if tier == "database":
            await cache.invalidate(1)
            await cache.invalidate(2)
    is_held, origins = tier == "held", {"resident", "store"} if tier == "held" else {tier}
    watch.take()
    for case, (asks, asked, theirs, nobodys) in CASES.items():
        for name, ask in asks.items():
            seen = []
            for each in (theirs, nobodys):
                told_ = await outcome(make, user, ask, asked(each))
                seen.append((told_, unnamed(theirs, nobodys, (told_, watch.take()))))
            assert seen[0][1] == seen[1][1], (case, name, difference(seen[0][1], seen[1][1]))
            for told_, _ in seen:
                first = told_[0]
                if isinstance(first, dict):
                    assert first["meta"]["origin"] in origins, (case, name)
                    assert str(THEIRS) not in str(first["rows"]), (case, name)


@pytest.mark.parametrize("has_read", [False, True])
@pytest.mark.parametrize("user", ["north", "provider", "mixed"])
async def test_what_a_process_knows_tells_no_more(
    tmp_path: Path, watch: Watch, facts: str, user: str, has_read: bool
) -> None:
    """Where answers aren't kept, but what was proven of the index is: the same commands, the first
    time and again, also in a process in which somebody else has read all that there is.
    """

    def make() -> AnalyticsCache:
        return make_cache(
            tmp_path,
            watch.url,
            facts,
            access=ACCESS,
            more=SECOND_SOURCE,
            environment=NOTHING_KEPT,
        )

    async with make() as cache:
        await cache.warm(1)
        await cache.warm(2)
    watch.take()
    for case, (asks, asked, theirs, nobodys) in CASES.items():
        for name, ask in asks.items():
            seen = []
            for each in (theirs, nobodys):
                told_ = await outcome(make, user, ask, asked(each), has_read=has_read)
                seen.append(unnamed(theirs, nobodys, (told_, watch.take())))
            assert seen[0] == seen[1], (case, name, difference(*seen))


@pytest.mark.parametrize("user", ["north", "provider"])
async def test_the_work_for_a_missing_measure_is_that_for_some_foreign_one(
    tmp_path: Path, watch: Watch, facts: str, user: str
) -> None:
    """Where partitions are of different shapes, so are the commands for what is missing: always
    those that some existing partition takes, and not always the same. What is told never differs.
    """
    async with make_cache(tmp_path, watch.url, facts, access=ACCESS, table="ih.wide") as cache:
        await cache.warm(1)
        grant = await cache.authorize(user)

        async def shape(measure: str, frequency: str) -> tuple[str, str]:
            watch.take()
            answer = await a_query(cache, grant, measure=measure, frequency=frequency)
            commands, _ = watch.take()
            return unnamed(measure, frequency, commands), unnamed(measure, frequency, told(answer))

        await shape("Charges", "Monthly")
        foreign = {
            await shape("Foreign", each) for each in ("Daily", "Monthly", "Yearly", "Weekly")
        }
        missing = {await shape(f"Missi{n}", "Monthly") for n in range(10, 70)}
        assert len(foreign) == 2
        assert missing == foreign
        assert len({figures for _, figures in foreign}) == 1


async def test_measures_tell_nothing_of_foreign_partitions(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """With many more partitions of others in the table, all that is told stays the same."""
    execute(
        facts,
        f"CREATE TABLE IF NOT EXISTS ih.few AS SELECT * FROM ih.facts WHERE practice_uid = {OURS}",
    )
    seen = []
    for table in ("ih.few", "ih.facts", "ih.wide"):
        async with make_cache(
            tmp_path, redis_url, facts, access=ACCESS, table=table, environment=NOTHING_KEPT
        ) as cache:
            for tier in ("store", "database"):
                if tier == "store":
                    await cache.warm(1)
                else:
                    await cache.invalidate(1)
                for user, ask in itertools.product(
                    ("north", "provider", "mixed"), (measures_of, names_of("measure"))
                ):
                    more = {"datasource": 1} if ask is measures_of else {}
                    answer = await ask(cache, await cache.authorize(user), **more)
                    one = told(answer)
                    assert one["meta"]["origin"] == tier
                    for changing in ("snapshot", "as_of"):
                        one["meta"].pop(changing, None)
                    seen.append((table, one))
    of = {table: [one for name, one in seen if name == table] for table, _ in seen}
    assert of["ih.few"] == of["ih.facts"] == of["ih.wide"]
