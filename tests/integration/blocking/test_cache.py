"""The cache without await, on real servers: from many threads, interrupted, forked, forgotten."""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.caches import ACCESS, TABLE, execute, make_cache, select

from warmcube import AccessDenied, Query
from warmcube.access.permissions import Action
from warmcube.blocking import AnalyticsCache
from warmcube.errors import ConfigError, NotUsable, UnknownDatasource, WarmcubeError
from warmcube.query.formats import to_csv
from warmcube.query.result import Result
from warmcube.warm.report import Phase, Progress

SRC = Path(__file__).parents[3] / "src"
MONTHLY = Query(
    datasource=1,
    measure="Charges",
    frequency="Monthly",
    group_by=["practice_uid"],
    aggregate="sum",
    order_by=["practice_uid"],
)
SQL = """
SELECT practice_uid, sum(measure_value) FROM ih.facts
WHERE measure = 'Charges' AND frequency = 'Monthly' AND practice_uid IN ({}) GROUP BY 1 ORDER BY 1
"""


@pytest.fixture
def cache(tmp_path: Path, redis_url: str, postgres_db: str) -> Iterator[AnalyticsCache]:
    """An open cache over the table of facts, not yet warm."""
    execute(postgres_db, TABLE)
    settings = make_cache(tmp_path, redis_url, postgres_db).settings
    with AnalyticsCache(settings) as opened:
        yield opened


def answer(cache: AnalyticsCache, user: str) -> list[tuple[int, Decimal]]:
    """What a user gets."""
    rows = cache.query(MONTHLY, cache.authorize(user)).rows()
    return [(row["practice_uid"], row["sum"]) for row in rows]


def told(answers: Sequence[Result | WarmcubeError]) -> list[object]:
    """What many queries were answered."""
    return [str(each) if isinstance(each, WarmcubeError) else each.rows() for each in answers]


def test_every_call_answers_as_the_asynchronous_cache(
    cache: AnalyticsCache, tmp_path: Path, redis_url: str, postgres_db: str
) -> None:
    """Each call once, on the same servers."""
    report = cache.warm(1)
    grant = cache.authorize("north")
    ours = (
        cache.query(MONTHLY, grant).rows(),
        list(cache.values(1, "practice_uid", grant, measure="Charges", frequency="Monthly")),
        list(cache.measures(1, grant)),
        cache.partition_rows(1),
        cache.owners(1),
        cache.contents(1),
        cache.stats(1).rows,
        [each.id for each in cache.datasources],
        cache.open_datasources(grant),
        cache.organizations(grant),
        told(cache.query_many([MONTHLY, Query(datasource=7)], grant)),
    )
    with pytest.raises(AccessDenied):
        cache.require(grant, Action.CACHE_MANAGE)
    cache.require(cache.authorize("root"), Action.CACHE_MANAGE)

    async def ask() -> tuple[object, ...]:
        async with make_cache(tmp_path, redis_url, postgres_db) as other:
            granted = await other.authorize("north")
            return (
                (await other.query(MONTHLY, granted)).rows(),
                list(
                    await other.values(
                        1, "practice_uid", granted, measure="Charges", frequency="Monthly"
                    )
                ),
                list(await other.measures(1, granted)),
                await other.partition_rows(1),
                await other.owners(1),
                await other.contents(1),
                (await other.stats(1)).rows,
                [1],
                other.open_datasources(granted),
                other.organizations(granted),
                told(await other.query_many([MONTHLY, Query(datasource=7)], granted)),
            )

    assert ours == asyncio.run(ask())
    assert report.rows == cache.stats(1).rows
    with pytest.raises(AccessDenied):  # an analyst without a right to export
        cache.export(MONTHLY, grant)
    assert cache.invalidate(1).was_live
    assert cache.stats(1).state == "cold"


def test_it_raises_what_the_asynchronous_cache_raises(cache: AnalyticsCache) -> None:
    """Errors come through as they are."""
    with pytest.raises(AccessDenied):
        cache.authorize("a stranger")
    with pytest.raises(UnknownDatasource):
        cache.stats(7)


def test_an_export_streams(tmp_path: Path, redis_url: str, postgres_db: str) -> None:
    """Piece by piece, to its end or until it is closed."""
    execute(postgres_db, TABLE)
    access = ACCESS.replace('"cache:manage:all"', '"cache:manage:all", "analytics:export:all"')
    settings = make_cache(tmp_path, redis_url, postgres_db, access=access).settings
    with AnalyticsCache(settings) as cache:
        cache.warm(1)
        grant = cache.authorize("root")
        with cache.export_stream(MONTHLY, grant, chunk_rows=3) as stream:
            whole = b"".join(stream)
            assert repr(stream) == "<ExportStream: 13 rows so far from the store>"
        assert whole == to_csv(cache.export(MONTHLY, grant))
        assert (stream.meta.origin, stream.rows) == ("store", 13)
        with cache.export_stream(MONTHLY, grant, chunk_rows=3) as stream:
            assert next(stream)
        assert list(stream) == []


def test_many_threads_use_one_cache(cache: AnalyticsCache, postgres_db: str) -> None:
    """Each gets its own user's rows."""
    cache.warm(1)
    north = SQL.format("101, 102, 103")
    one = north.replace("GROUP BY", "AND provider_uid = 3 GROUP BY")
    expected = {
        user: [(practice, Decimal(str(total))) for practice, total in select(postgres_db, sql)]
        for user, sql in (("north", north), ("provider", one))
    }
    asked = ["north", "provider"] * 40
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda user: answer(cache, user), asked))
    assert found == [expected[user] for user in asked]


def test_progress_is_told_in_the_thread_that_waits(cache: AnalyticsCache) -> None:
    """So it may draw, take its time, and ask the cache itself."""
    heard: list[Progress] = []
    threads: set[int] = set()
    states: set[str | None] = set()

    def hear(progress: Progress) -> None:
        heard.append(progress)
        threads.add(threading.get_ident())
        states.add(cache.stats(1).warming)

    report = cache.warm(1, progress=hear)
    assert threads == {threading.get_ident()}
    assert heard[-1].phase is Phase.DONE
    assert heard[-1].rows == report.rows
    assert any(states)


def test_an_error_of_who_listens_ends_the_warm(cache: AnalyticsCache) -> None:
    """It comes out of the call, and the lease is free again when it does."""

    def hear(progress: Progress) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cache.warm(1, progress=hear)
    assert cache.stats(1).warming is None
    assert cache.warm(1).rows


def test_ctrl_c_ends_a_call_and_leaves_the_cache_usable(cache: AnalyticsCache) -> None:
    """The warm gives its lease back before the KeyboardInterrupt comes out."""

    def hear(progress: Progress) -> None:
        signal.raise_signal(signal.SIGINT)

    # A shell starts what runs in the background with the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            cache.warm(1, progress=hear)
    finally:
        signal.signal(signal.SIGINT, before)
    assert cache.stats(1).warming is None
    assert cache.stats(1).snapshot is None


def test_a_call_from_a_running_loop_waits_and_returns(cache: AnalyticsCache) -> None:
    """As in a notebook: the cache's own loop is another one."""
    cache.warm(1)

    async def ask() -> list[tuple[int, Decimal]]:
        return answer(cache, "north")

    assert asyncio.run(ask()) == answer(cache, "north")


def test_a_call_from_its_own_loop_is_refused(cache: AnalyticsCache) -> None:
    """Instead of waiting for itself for ever."""
    thread, _ = cache._parts()

    async def ask() -> None:
        cache.stats(1)

    with pytest.raises(NotUsable, match="from within its own event loop"):
        thread.run(ask)

    async def end() -> None:
        cache.close()

    with pytest.raises(NotUsable, match="from within its own event loop"):
        thread.run(end)


def test_context_of_the_caller_holds_in_the_call(cache: AnalyticsCache) -> None:
    """So a request's id reaches the audit."""
    request: contextvars.ContextVar[str] = contextvars.ContextVar("request")
    request.set("7")
    thread, _ = cache._parts()

    async def ask() -> str:
        return request.get()

    assert thread.run(ask) == "7"


def test_it_is_open_once_at_a_time(tmp_path: Path, redis_url: str, postgres_db: str) -> None:
    """Before and after there is an error that says so; closing twice is none."""
    execute(postgres_db, TABLE)
    cache = AnalyticsCache(make_cache(tmp_path, redis_url, postgres_db).settings)
    with pytest.raises(NotUsable, match="isn't open"):
        cache.stats(1)
    with cache:
        thread, _ = cache._parts()
        with pytest.raises(NotUsable, match="open already"):
            cache.open()
        assert cache.metrics is not None
    assert cache.metrics is None
    assert not cache.is_open
    cache.close()
    thread.close()
    with pytest.raises(NotUsable, match="isn't open"):
        cache.stats(1)

    async def late() -> None:
        raise AssertionError

    with pytest.raises(NotUsable, match="is closed"):
        thread.run(late)
    assert answer(cache.open(), "north")
    cache.close()
    assert not thread._thread.is_alive()


def test_what_cannot_be_opened_leaves_no_thread(
    tmp_path: Path, redis_url: str, postgres_db: str
) -> None:
    """The error comes out, and another try is possible."""
    before = threading.active_count()
    audit = f'[audit]\nsink = "postgres"\nurl = "{postgres_db}"\ntable = "a.b.c.d"\n'
    cache = AnalyticsCache(make_cache(tmp_path, redis_url, postgres_db, more=audit).settings)
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"a\.b\.c\.d"):
            cache.open()
    assert threading.active_count() == before


def test_closing_ends_calls_that_run(cache: AnalyticsCache) -> None:
    """Their callers hear why."""
    begun = threading.Event()
    thread, _ = cache._parts()

    async def wait() -> None:
        begun.set()
        await asyncio.Event().wait()

    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(thread.run, wait)
        begun.wait()
        cache.close()
        with pytest.raises(NotUsable, match="closed while this call ran"):
            call.result()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_is_refused(cache: AnalyticsCache) -> None:
    """The child hears so at once; closing there does nothing to the parent."""
    cache.warm(1)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            cache.stats(1)
        except NotUsable as error:
            os.write(write, str(error).encode())
        cache.close()
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    assert said == (
        f"this cache was opened in process {os.getpid()} and can't be used in process {child}, "
        "forked from it; open one in each process, after the fork"
    )
    assert answer(cache, "north")


def run_script(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A script beside a configuration."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_program_that_forgets_to_close_ends_cleanly(
    tmp_path: Path, redis_url: str, postgres_db: str
) -> None:
    """Nothing hangs, nothing is said, and the audit has the last line."""
    execute(postgres_db, TABLE)
    make_cache(tmp_path, redis_url, postgres_db, more='[audit]\npath = "audit.jsonl"\n')
    done = run_script(
        """
        from warmcube import Query
        from warmcube.blocking import AnalyticsCache

        cache = AnalyticsCache.from_config("warmcube.toml").open()
        grant = cache.authorize("north")
        question = Query(datasource=1, measure="Charges", frequency="Monthly")
        print(len(cache.query(question, grant)))
        """,
        tmp_path,
    )
    ((count,),) = select(
        postgres_db,
        "SELECT count(*) FROM ih.facts WHERE measure = 'Charges' AND frequency = 'Monthly' "
        "AND practice_uid IN (101, 102, 103)",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{count}\n", "")
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert "north" in str(lines[-1])
