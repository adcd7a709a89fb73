"""The baselines of the benchmark: what is timed must be right, and as good as it says it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from benchmarks.baselines import BASELINES, Baseline, Opener, Place
from benchmarks.baselines import postgres as postgres_module
from benchmarks.baselines.copying import READERS
from benchmarks.baselines.floor import BareFloor, open_bare_floor, open_plain_floor
from benchmarks.baselines.postgres import Form, NotIndexOnly, open_postgres
from benchmarks.baselines.result_cache import open_result_cache
from benchmarks.baselines.v2_json import open_v2_json
from benchmarks.data import Shape, load
from benchmarks.questions import Question

from warmcube import AnalyticsCache

SHAPE = Shape(measures=2, practices=12, providers=3)
TABLE = "measured.whole"

QUESTIONS = {
    "one provider": Question(1, None, provider=10402),
    "one practice": Question(0, (107,)),
    "some practices": Question(1, (100, 103, 104, 110, 111)),
    "all practices by name": Question(0, tuple(range(100, 112))),
    "everything of a measure": Question(1, None),
    "one provider of some practices": Question(1, (103, 104), provider=10402),
    "a provider of another practice": Question(1, (103, 105), provider=10402),
    "another frequency": Question(0, (101, 102), frequency="Weekly"),
    "everything of another frequency": Question(1, None, frequency="Quarterly"),
}

OPENERS = [
    pytest.param(opener, id=f"{name}-{number}")
    for name, forms in BASELINES.items()
    for number, opener in enumerate(forms)
]


@pytest.fixture(scope="module")
def database(postgres_module_db: str) -> str:
    """A database with a small table, that the tests don't change."""
    execute(postgres_module_db, "CREATE SCHEMA measured")
    load(postgres_module_db, TABLE, SHAPE)
    return postgres_module_db


@pytest.fixture
def place(redis_url: str, database: str, tmp_path: Path) -> Iterator[Place]:
    """That table, an empty Redis, and an empty folder; derived tables go in the end."""
    yield Place(
        redis_url=redis_url, postgres_url=database, folder=tmp_path, table=TABLE, prefix="bench:"
    )
    for table in tables(database) - {TABLE}:
        execute(database, f"DROP TABLE {table}")


def execute(url: str, statement: str) -> None:
    """Change something in the database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def tables(url: str) -> set[str]:
    """All tables of the schema."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'measured'")
        return {f"measured.{name}" for (name,) in found}


def expected(place: Place, question: Question, *, sums: bool) -> list[tuple[int, int]]:
    """What SQL on the whole table says: days since 1970 and hundredths, in order."""
    value, group = ("sum(measure_value)", "GROUP BY 1") if sums else ("measure_value", "")
    with psycopg.connect(place.postgres_url) as connection:
        found = connection.execute(
            f"""
            SELECT date_index - date '1970-01-01', ({value} * 100)::bigint FROM {TABLE}
            WHERE measure = %s AND frequency = %s
              AND (%s::int[] IS NULL OR practice_uid = ANY (%s))
              AND (%s::int IS NULL OR provider_uid = %s) {group}
            """.encode(),
            (
                f"Measure {question.measure}",
                question.frequency,
                *2 * [None if question.practices is None else list(question.practices)],
                *2 * [question.provider],
            ),
        ).fetchall()
    return sorted(found)


async def pairs(
    baseline: Baseline, question: Question, *, sums: bool = False
) -> list[tuple[int, int]]:
    """What a baseline says, likewise."""
    ask = baseline.sums if sums else baseline.rows
    return sorted(baseline.pairs(await ask(question)))


@pytest.mark.parametrize("opener", OPENERS)
async def test_answers_are_those_of_sql(opener: Opener, place: Place) -> None:
    """Each form of each baseline answers each form of question rightly, the second time too."""
    async with opener(place) as baseline:
        await baseline.warm()
        for name, question in [*QUESTIONS.items()] * 2:
            for sums in (False, True):
                found = await pairs(baseline, question, sums=sums)
                assert found == expected(place, question, sums=sums), (name, sums)
                assert bool(found) == (name != "a provider of another practice")


@pytest.mark.parametrize("opener", OPENERS)
async def test_a_second_warm_answers_from_changed_rows(opener: Opener, place: Place) -> None:
    """Whatever a warm made before is replaced, so that a warm can be timed again and again."""
    question = QUESTIONS["one practice"]
    execute(place.postgres_url, f"CREATE TABLE measured.changing AS SELECT * FROM {TABLE}")
    async with opener(replace(place, table="measured.changing")) as baseline:
        await baseline.warm()
        before = await pairs(baseline, question)
        execute(
            place.postgres_url,
            "UPDATE measured.changing SET measure_value = measure_value + 1",
        )
        await baseline.warm()
        assert await pairs(baseline, question) == [(day, cents + 100) for day, cents in before]


@pytest.mark.parametrize("opener", OPENERS)
async def test_nothing_is_left_behind(opener: Opener, place: Place) -> None:
    """Clearing removes keys, tables and files, so that nobody's memory is counted as another's."""
    async with opener(place) as baseline:
        await baseline.warm()
        await pairs(baseline, QUESTIONS["some practices"])
        await baseline.clear()
    async with open_v2_json(place) as any_client:
        # What expires by itself, as the predecessor's temporary keys do, isn't what was made.
        left = [key for key in await any_client._redis.keys() if b"temp:union:" not in key]
    assert left == []
    assert list(place.folder.iterdir()) == []
    assert tables(place.postgres_url) == {TABLE}


@pytest.mark.parametrize("is_tuned", [False, True])
@pytest.mark.parametrize("form", Form)
async def test_postgres_reads_its_index_alone(form: Form, is_tuned: bool, place: Place) -> None:
    """Every scan is index-only and visits no row of the table, or Postgres isn't at its best."""
    async with open_postgres(place, form, is_tuned=is_tuned) as postgres:
        await postgres.warm()
        for question in QUESTIONS.values():
            scans = await postgres.plans(question)
            assert [scan["Node Type"] for scan in scans] == ["Index Only Scan"] * 2
            assert [scan["Heap Fetches"] for scan in scans] == [0, 0]


async def test_postgres_without_its_indexes_is_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warm fails when an index doesn't hold all that is asked, whichever other one is used."""
    monkeypatch.setattr(postgres_module, "TRIES", 1)
    for wanted, instead in (
        ("practice_uid, provider_uid) INCLUDE (day, value)", "practice_uid) INCLUDE (day, value)"),
        ("frequency, provider_uid) INCLUDE (day, value)", "provider_uid) INCLUDE (day)"),
    ):
        assert wanted in postgres_module.MAKE
        with monkeypatch.context() as patch:
            patch.setattr(postgres_module, "MAKE", postgres_module.MAKE.replace(wanted, instead))
            async with open_postgres(place, Form.INT8) as postgres:
                with pytest.raises(NotIndexOnly):
                    await postgres.warm()


async def test_postgres_at_less_than_its_best_is_noticed(place: Place) -> None:
    """The plans that are looked at tell it when rows have to be read from the table."""
    async with open_postgres(place, Form.INT8) as postgres:
        await postgres.warm()
        execute(place.postgres_url, f"UPDATE {TABLE}_int8 SET value = value + 1")
        scans = await postgres.plans(QUESTIONS["one practice"])
        assert all(scan["Heap Fetches"] > 0 for scan in scans)


async def test_a_result_is_asked_of_the_database_once(place: Place) -> None:
    """The same question hits, in whatever order its practices come; any other is a miss."""
    async with open_result_cache(place) as cache:
        await cache.warm()
        asked: Sequence[tuple[Question, bool]] = (
            (Question(0, (101, 102)), False),
            (Question(0, (102, 101)), False),
            (Question(0, (101, 102)), True),
            (Question(0, (101,)), False),
            (Question(0, (101, 102), frequency="Weekly"), False),
            (Question(1, (101, 102)), False),
            (Question(0, None, provider=10100), False),
            (Question(0, (101, 102)), False),
        )
        for question, sums in asked:
            await pairs(cache, question, sums=sums)
        assert (cache.asked, cache.hits, cache.misses) == (8, 2, 6)
        cache.forget_counts()
        await pairs(cache, asked[0][0])
        assert (cache.asked, cache.hits) == (1, 1)


async def test_the_second_design_knows_its_memory(place: Place) -> None:
    """What it takes of Redis is what the server's own account grew by: more than its keys hold."""
    async with open_v2_json(place) as design:
        await design.warm()
        keys = await design._redis.keys()
        assert len(keys) == SHAPE.entries + _index_sets() + 1
        sizes = [await design._redis.memory_usage(key, samples=0) for key in keys]
        assert sum(sizes) < design.used_bytes < 2 * sum(sizes)


async def test_the_second_design_reads_what_is_asked_and_tidies_up(place: Place) -> None:
    """The index sets name the entries in question alone; temporary keys are deleted or expire."""
    entries = {"one provider": 1, "one practice": 3, "some practices": 15}
    entries |= {"a provider of another practice": 0, "everything of a measure": 36}
    async with open_v2_json(place) as design:
        await design.warm()
        for name, count in entries.items():
            assert len(await design._matching(QUESTIONS[name])) == count
        left = await design._redis.keys("bench:temp:*")
        assert len(left) == 2
        for key in left:
            assert b"temp:union:" in key
            assert 0 < await design._redis.ttl(key) <= 10


def _index_sets() -> int:
    """The five families of index sets: of all, by both, by practice, by provider, and of each."""
    partitions = SHAPE.measures * len(SHAPE.frequencies)
    of_practices = partitions * SHAPE.practices
    return 1 + partitions + of_practices + 2 * SHAPE.entries


@pytest.fixture
async def warmed(place: Place) -> AsyncIterator[tuple[BareFloor, ...]]:
    """Both floors on a warm snapshot of the table."""
    config = place.folder / "warmcube.toml"
    access = '[roles]\nadmin = ["analytics:read:all", "cache:manage:all"]\n'
    (place.folder / "access.toml").write_text(access + '[[users]]\nid="root"\nroles=["admin"]\n')
    config.write_text(
        f"""
        [store]
        url = "{place.redis_url}"
        namespace = "{place.prefix}"
        [sources.main]
        url = "{place.postgres_url}"
        [[datasources]]
        id = {place.datasource}
        name = "Measured"
        source = "main"
        table = "{TABLE}"
        """
    )
    async with AnalyticsCache.from_config(config) as cache:
        await cache.warm(place.datasource)
    async with AsyncExitStack() as stack:
        floors = [
            await stack.enter_async_context(opened(place, SHAPE))
            for opened in (open_bare_floor, open_plain_floor)
        ]
        yield tuple(floors)


async def test_floors_read_the_entries_of_each_question(warmed: tuple[BareFloor, ...]) -> None:
    """Each floor reads as many entries as a question has, all there, and both the same ones."""
    entries = {"one provider": 1, "one practice": 3, "some practices": 15}
    entries |= {"all practices by name": 36, "everything of a measure": 36}
    entries |= {"another frequency": 6, "everything of another frequency": 36}
    for name in entries:
        question = QUESTIONS[name]
        one, other = [sorted(await floor.rows(question)) for floor in warmed]
        assert one == other
        assert len(set(one)) == entries[name]
        assert None not in one


async def test_one_get_has_the_same_bytes(warmed: tuple[BareFloor, ...]) -> None:
    """The single GET brings exactly what the many did."""
    question = QUESTIONS["some practices"]
    for floor in warmed:
        await floor.join(question)
        joined = await floor.read_joined(question)
        assert len(joined) == sum(map(len, await floor.rows(question)))


async def test_floors_clear_their_sets(warmed: tuple[BareFloor, ...], place: Place) -> None:
    """The sets that only the floors need don't count as the cache's memory afterwards."""
    for floor in warmed:
        await floor.join(QUESTIONS["one practice"])
        await floor.clear()
    async with open_v2_json(place) as any_client:
        assert [key for key in await any_client._redis.keys() if b"bench:floor" in key] == []


@pytest.mark.parametrize("client", READERS)
async def test_the_whole_table_can_be_read(client: str, place: Place) -> None:
    """Each client reads the table to its end and says how long that took."""
    assert await READERS[client](place.postgres_url, TABLE) > 0
