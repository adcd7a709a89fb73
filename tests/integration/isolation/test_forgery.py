"""Names and values that would like to be something else reach neither Redis nor SQL as such.

The table, its columns and its users have names as odd as can be (`tests.support.forgery`); requests
are made up to match (`tests.support.forgery_attempts`). To repeat a run, set
``WARMCUBE_TEST_SEED``.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import duckdb
import pytest
from adbc_driver_postgresql import dbapi
from tests.support.caches import NOTHING_KEPT
from tests.support.forgery import (
    CANARY,
    COLUMNS,
    ROOT,
    ROWS,
    TABLE,
    access_toml,
    configuration,
    quoted,
    statements,
    table_of,
)
from tests.support.forgery_attempts import MARK, Attempt, allowed, answer_to, make_attempt
from tests.support.keys import ParsedKey, parse_field, parse_key
from tests.support.recording import RecordingStore

from warmcube import AnalyticsCache
from warmcube.config import load
from warmcube.embedded import EmbeddedPostgres
from warmcube.entry.keys import Keys, PartitionName
from warmcube.entry.master import PartitionVersion, parse_item
from warmcube.errors import AccessDenied, InvalidQuery
from warmcube.source.duckdb_snapshot import DuckdbConnection
from warmcube.store.api import Command
from warmcube.store.connect import open_store

pytestmark = pytest.mark.no_cover  # repeats for long what other tests cover

SEED: Final = os.environ.get("WARMCUBE_TEST_SEED", "1")
NAMESPACE: Final = "ns:"


def many(count: int, long: int) -> list[Any]:
    """How many attempts, as a parameter: so many, and so many in a long run."""
    return [count, pytest.param(long, marks=[pytest.mark.long, pytest.mark.timeout(3600)])]


Open = Callable[..., AnalyticsCache]


@pytest.fixture(scope="module")
def odd_db(postgres_module_db: str) -> str:
    """A database with the table and the canary."""
    with dbapi.connect(postgres_module_db, autocommit=True) as db, db.cursor() as cursor:
        for statement in statements():
            cursor.execute(statement)
    return postgres_module_db


@pytest.fixture(scope="module")
def odd_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a DuckDB file."""
    path = tmp_path_factory.mktemp("odd") / "odd.duckdb"
    with duckdb.connect(str(path)) as db:
        for statement in statements():
            db.execute(statement)
    return path


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[RecordingStore]:
    """The stores of the caches that are opened from now on."""
    stores: list[RecordingStore] = []

    def open_recorded(url: str) -> RecordingStore:
        stores.append(RecordingStore(open_store(url)))
        return stores[-1]

    monkeypatch.setattr("warmcube.opening.open_store", open_recorded)
    return stores


@pytest.fixture
def open_cache(tmp_path: Path, redis_url: str, recorded: list[RecordingStore]) -> Open:
    """Opens a cache on a source."""
    (tmp_path / "access.toml").write_text(access_toml(), encoding="utf-8")
    (tmp_path / "warmcube.toml").write_text("")

    def make(
        source_url: str, *, enabled: bool = True, schema: str = TABLE[0], is_probe: bool = False
    ) -> AnalyticsCache:
        path = tmp_path / "warmcube.toml"
        text = configuration(redis_url, source_url, schema=schema)
        path.write_text(text, encoding="utf-8")
        # What is hot would be loaded whole, in between: what is recorded shall be queries alone.
        settings = load(path, {"CACHE_ENABLED": str(enabled).lower(), **NOTHING_KEPT})
        return AnalyticsCache(settings, is_probe=is_probe)

    return make


async def ask(cache: AnalyticsCache, attempt: Attempt) -> Counter[Any] | None:
    """What an attempt gives, as `answer_to` says it; None if it is refused in good order."""
    try:
        result = await cache.query(attempt.query, await cache.authorize(attempt.user))
    except (AccessDenied, InvalidQuery):
        return None
    rows = result.rows()
    if attempt.group_by is None:
        return Counter(row[COLUMNS["count"]] for row in rows)
    return Counter({tuple(row.values())[:-1]: list(row.values())[-1] for row in rows})


def attempts(kind: str, count: int) -> Iterator[Attempt]:
    """Some attempts, the same ones each time."""
    for number in range(count):
        yield make_attempt(Random(f"{SEED} {kind} {number}"))


# --- Redis ----------------------------------------------------------------------------------------

_READS: Final = {
    **dict.fromkeys((b"GET", b"PTTL", b"LRANGE", b"HLEN", b"SUNION", b"MGET")),
    **dict.fromkeys((b"SSCAN", b"HMGET", b"HGET", b"HKEYS"), 1),
}
"""The commands that a query may run, and how many of their words are keys; None is all."""


def check_commands(commands: Sequence[Command], attempt: Attempt, *, is_refused: bool) -> None:
    """Each is a read, of nothing but what was asked for and may be seen."""
    for name, *words in commands:
        assert name in _READS, name
        named = [word for word in words if isinstance(word, bytes)]
        for key in named[: _READS[name]]:
            check_key(parse_key(key, NAMESPACE), attempt, is_refused=is_refused)
        if name == b"HKEYS":  # the names of all practices
            assert (attempt.user, attempt.practices, attempt.providers) == (ROOT, None, None)
        if name == b"HMGET":
            for field in named[1:]:
                found = parse_field(field)
                if found.kind != "total":
                    check_set(found.kind, found.components[0], attempt)


def check_key(key: ParsedKey, attempt: Attempt, *, is_refused: bool) -> None:
    """It is the data source's, or of the partition, and there inside what was asked for."""
    if key.kind in ("current", "snapshot", "dict"):
        assert key.components[0] == 1
        return
    assert not is_refused
    assert key.components[:3] == (1, attempt.measure, attempt.frequency)
    if key.kind == "entry":
        practice, provider = key.components[4:6]
        assert any(
            allowed(attempt.user, row)
            for row in ROWS
            if (row.practice, row.provider) == (practice, provider)
        )
        assert attempt.practices is None or practice in attempt.practices
        assert attempt.providers is None or provider in attempt.providers
    elif key.kind in ("practice", "provider"):
        check_set(key.kind, key.components[4], attempt)
    elif key.kind == "sums":
        practice = key.components[4]
        own = [row for row in ROWS if row.practice == practice]
        assert attempt.providers is None
        assert attempt.practices is None or practice in attempt.practices
        assert all(allowed(attempt.user, row) for row in own)
    elif key.kind in ("all", "whole_sums"):
        assert (attempt.user, attempt.practices, attempt.providers) == (ROOT, None, None)
    else:
        assert key.kind in ("counts", "bin")


def check_set(kind: str, value: str | int | None, attempt: Attempt) -> None:
    """The index set was asked for, and may be seen in part at least."""
    asked = attempt.practices if kind == "practice" else attempt.providers
    assert asked is None or value in asked
    if attempt.user != ROOT:
        seen = {getattr(row, kind) for row in ROWS if allowed(attempt.user, row)}
        assert value in seen or kind == "provider"


async def _try_store(cache: AnalyticsCache, store: RecordingStore, kind: str, count: int) -> None:
    tally: Counter[Any] = Counter()
    for attempt in attempts(kind, count):
        store.commands.clear()
        found = await ask(cache, attempt)
        expected = answer_to(attempt)
        assert found == expected, attempt
        check_commands(store.commands, attempt, is_refused=expected is None)
        tally[None if expected is None else bool(expected)] += 1
    assert store.writes == []
    assert min(tally[None], tally[False], tally[True]) > count / 20, tally


@pytest.mark.parametrize("count", many(1_200, 50_000))
async def test_no_name_gets_out_of_its_key(
    open_cache: Open, recorded: list[RecordingStore], odd_db: str, count: int
) -> None:
    """Every key in every command says exactly what was asked for, and no command writes."""
    async with open_cache(odd_db) as warmer:
        assert (await warmer.warm(1)).rows == len(ROWS)
    # A probe counts no use, so that what is recorded is queries alone.
    async with open_cache(odd_db, is_probe=True) as cache:
        await _try_store(cache, recorded[1], "store", count)


async def test_no_row_gets_out_of_its_key(
    open_cache: Open, recorded: list[RecordingStore], odd_db: str
) -> None:
    """A warm of names like these leaves exactly one entry for each of them, and nothing stray."""
    async with open_cache(odd_db) as cache:
        version = (await cache.warm(1)).snapshot
        look: list[Command] = [(b"KEYS", b"*"), (b"SMEMBERS", Keys(NAMESPACE, 1).master)]
        keys, items = await recorded[0].run(look)
    written = [parse_key(key, NAMESPACE) for key in keys]
    noted = [parse_item(item) for item in items]
    partitions = {(row.measure, row.frequency) for row in ROWS}
    entries = [key.components for key in written if key.kind == "entry"]
    assert sorted(entries, key=repr) == sorted(
        ((1, row.measure, row.frequency, version, row.practice, row.provider, 0) for row in ROWS),
        key=repr,
    )
    for kind in ("all", "counts"):
        found = {key.components for key in written if key.kind == kind}
        assert found == {(1, *name, version) for name in partitions}
    assert {each.name for each in noted if isinstance(each, PartitionVersion)} == {
        PartitionName(*name) for name in partitions
    }


async def test_use_is_counted_in_its_place(
    open_cache: Open,
    recorded: list[RecordingStore],
    odd_db: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is written on account of a query is a count under the snapshot's own key."""
    # It is written when this test says so, and not whenever a second is over.
    monkeypatch.setattr("warmcube.observe.usage.FLUSH_SECONDS", 3600.0)
    async with open_cache(odd_db) as cache:
        snapshot = (await cache.warm(1)).snapshot
        (store,) = recorded
        store.writes.clear()
        for attempt in attempts("use", 50):
            await ask(cache, attempt)
        assert store.writes == []
        store.commands.clear()
        await cache._parts.usage.flush()
        uses, manifest = ParsedKey("uses", (1, snapshot)), ParsedKey("snapshot", (1, snapshot))
        assert _named(store.commands) == [(b"EXISTS", manifest)]
        assert _named(store.writes) == [(b"HINCRBY", uses), (b"PEXPIREAT", uses)]


def _named(commands: Sequence[Command]) -> list[tuple[bytes, ParsedKey]]:
    plain = [[word for word in command if isinstance(word, bytes)] for command in commands]
    return [(name, parse_key(key, NAMESPACE)) for name, key, *_ in plain]


# --- SQL ------------------------------------------------------------------------------------------

_ENTRY: Final = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \w+ \[\d+\] ([A-Z]+):  ", re.MULTILINE
)
"""How an entry of the server's log begins; Postgres puts a tab before every further line of it."""


def entries_of(log: str) -> list[tuple[str, str]]:
    """The entries of a log: level and text."""
    found = list(_ENTRY.finditer(log))
    ends = [*(each.start() for each in found[1:]), len(log)]
    return [(each[1], log[each.end() : end]) for each, end in zip(found, ends, strict=True)]


@pytest.mark.parametrize("count", many(300, 15_000))
async def test_no_name_gets_into_the_sql(
    open_cache: Open,
    recorded: list[RecordingStore],
    odd_db: str,
    postgres_server: EmbeddedPostgres,
    count: int,
) -> None:
    """By the server's own log: what is made up is a parameter, and never part of a statement."""
    name = odd_db.partition(":///")[2].partition("?")[0]
    with dbapi.connect(odd_db, autocommit=True) as db, db.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} SET log_statement = 'all'")
        before = postgres_server.log.stat().st_size
        async with open_cache(odd_db, enabled=False) as cache:
            await _try_database(cache, "postgres", count)
        cursor.execute(f"ALTER DATABASE {name} RESET log_statement")
        cursor.execute(f"SELECT song FROM {CANARY}")
        assert cursor.fetchall() == [("it lives",)]
        cursor.execute(f"SELECT count(*)::integer FROM {table_of()}")
        assert cursor.fetchall() == [(len(ROWS),)]
    entries = entries_of(postgres_server.log.read_bytes()[before:].decode())
    said = [text for level, text in entries if level == "LOG"]
    parameters = [text for level, text in entries if level == "DETAIL"]
    assert {level for level, _ in entries} == {"LOG", "DETAIL"}
    assert sum(text.startswith("execute ") for text in said) > count / 3
    # The canary that SQL may speak of is part of a column's name.
    for text in said:
        sql = text.replace(quoted(COLUMNS["note"]), "")
        assert not re.search(f"{MARK}|{CANARY}|pg_sleep|OR 1=1|OR true", sql), text
    assert any(MARK in text for text in parameters)
    assert any("pg_sleep" in text for text in parameters)
    (store,) = recorded
    assert (store.commands, store.writes) == ([], [])


@pytest.mark.parametrize("count", many(60, 2_000))
async def test_no_name_gets_into_the_sql_of_duckdb(
    open_cache: Open, odd_file: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """The same for files, by what DuckDB is given to run."""
    run: list[tuple[str, Sequence[Any]]] = []
    for method in ("fetch", "stream"):
        original = getattr(DuckdbConnection, method)

        def recorded(
            self: DuckdbConnection,
            sql: str,
            parameters: Sequence[Any] = (),
            original: Callable[..., Any] = original,
        ) -> Any:
            run.append((sql, parameters))
            return original(self, sql, parameters)

        monkeypatch.setattr(DuckdbConnection, method, recorded)
    async with open_cache(f"duckdb://{odd_file}", enabled=False) as cache:
        await _try_database(cache, "duckdb", count)
    with duckdb.connect(str(odd_file), read_only=True) as db:
        assert db.execute(f"SELECT song FROM {CANARY}").fetchall() == [("it lives",)]
    for sql, _ in run:
        rest = sql.replace(quoted(COLUMNS["note"]), "")
        assert not re.search(f"{MARK}|{CANARY}|pg_sleep|OR 1=1|OR true", rest), sql
    assert any(MARK in str(parameters) for _, parameters in run)


async def _try_database(cache: AnalyticsCache, kind: str, count: int) -> None:
    tally: Counter[Any] = Counter()
    for attempt in attempts(kind, count):
        expected = answer_to(attempt)
        assert await ask(cache, attempt) == expected, attempt
        tally[None if expected is None else bool(expected)] += 1
    assert min(tally[None], tally[False], tally[True]) > count / 20, tally
