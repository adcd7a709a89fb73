"""DuckDB files and Parquet files: every type, one consistent read, and nothing but the files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pyarrow as pa
import pytest
from tests.integration.source.conftest import Open
from tests.support.reading import NO_ROLES, a_datasource, numbers, read_all, read_table

from warmcube.entry.keys import PartitionName
from warmcube.errors import SourceError, SourceUnavailable, TableMismatch, UnsupportedValue
from warmcube.model.schema import Kind, Roles
from warmcube.model.scope import ALL, NOTHING, Box, Scope
from warmcube.source.api import DateRange, PartitionCount, Source

Make = Callable[..., Path]
_INT64 = 2**63
_INT128 = 2**127
_UUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
# 44 BC is the year -43; the calendar repeats after 400 years of 146,097 days.
_IDES_OF_MARCH = (date(400 - 43, 3, 15) - date(1970, 1, 1)).days - 146_097
EVERYTHING = Scope((Box(ALL, ALL),))
ROLES = Roles(measure="m", practice="p", provider="v", frequency="f", date="d", value="n")


@pytest.fixture(params=["duckdb", "parquet"])
def a_table(
    request: pytest.FixtureRequest, make_duckdb: Make, open_url: Open
) -> Callable[[str], Source]:
    """Makes a table ``t`` of a SELECT, in a DuckDB file or as a Parquet file."""

    def make(select: str) -> Source:
        if request.param == "duckdb":
            return open_url(f"duckdb://{make_duckdb(f'CREATE TABLE t AS {select}')}")
        path = make_duckdb(f"COPY ({select}) TO '{{folder}}/t.parquet'")
        return open_url(f"parquet://{path.parent}/*.parquet")

    return make


@pytest.mark.parametrize(
    ("type", "shown", "literals", "expected"),
    [
        ("TINYINT", "smallint", ["-128", "127"], [-128, 127]),
        ("UTINYINT", "smallint", ["255"], [255]),
        ("SMALLINT", "smallint", ["-32768"], [-32768]),
        ("USMALLINT", "integer", ["65535"], [65535]),
        ("INTEGER", "integer", ["-2147483648"], [-(2**31)]),
        ("UINTEGER", "bigint", ["4294967295"], [2**32 - 1]),
        ("BIGINT", "bigint", [str(-_INT64)], [-_INT64]),
        ("UBIGINT", "numeric(20,0)", [str(2**64 - 1)], [2**64 - 1]),
        ("DECIMAL(4,1)", "numeric(4,1)", ["-999.9"], [-9999]),
        ("DECIMAL(18,2)", "numeric(18,2)", ["0.01"], [1]),
        ("DECIMAL(19,2)", "numeric(19,2)", ["-0.01"], [-1]),
        ("DECIMAL(38,3)", "numeric(38,3)", ["-" + "9" * 35 + ".999"], [1 - 10**38]),
        ("FLOAT", "real", ["0.5", "-0.0", "inf"], [0.5, -0.0, float("inf")]),
        ("DOUBLE", "double precision", ["0.1", "-inf"], [0.1, float("-inf")]),
        ("BOOLEAN", "boolean", ["true", "false"], [True, False]),
        ("DATE", "date", ["1970-01-02", "infinity", "-infinity"], [1, 2**31 - 1, -(2**31)]),
        ("DATE", "date", ["0044-03-15 (BC)"], [_IDES_OF_MARCH]),
        ("TIMESTAMP", "timestamp", ["1969-12-31 23:59:59.999999"], [-1]),
        ("TIMESTAMP", "timestamp", ["infinity", "-infinity"], [_INT64 - 1, -_INT64]),
        ("TIMESTAMPTZ", "timestamptz", ["1970-01-01 02:00:00+02"], [0]),
        ("TIMESTAMPTZ", "timestamptz", ["infinity"], [_INT64 - 1]),
        ("TIMESTAMP_S", "timestamp", ["1970-01-01 00:00:02"], [2_000_000]),
        ("TIMESTAMP_MS", "timestamp", ["1970-01-01 00:00:00.003"], [3_000]),
        ("TIMESTAMP_NS", "timestamp", ["1969-12-31 23:59:59.999999"], [-1]),
        ("UUID", "uuid", [_UUID], [UUID(_UUID).bytes]),
        ("VARCHAR", "text", ["", "é😀\n", "x" * 1_000_000], None),
        ("ENUM('a', 'b')", "text", ["b"], None),
        ("INTEGER[]", "text", ["[1, 2]"], None),
        ("STRUCT(a INTEGER)", "text", ["{'a': 1}"], None),
        ("MAP(VARCHAR, INTEGER)", "text", ["{a=1}"], None),
        ("BLOB", "text", ["\\x00\\xFF"], None),
        ("JSON", "text", ['{"a": 1}'], None),
        ("TIME", "text", ["10:00:00"], None),
        ("INTERVAL", "text", ["2 days"], None),
    ],
)
async def test_a_value_arrives_as_it_is(
    a_table: Callable[[str], Source],
    type: str,
    shown: str,
    literals: list[str],
    expected: list[Any] | None,
) -> None:
    """Each type arrives in the storage form of its kind, NULL included."""
    rows = ", ".join(f"({n}, {_literal(text)})" for n, text in enumerate([*literals, None]))
    source = a_table(f"SELECT n, v::{type} AS v FROM (VALUES {rows}) AS r(n, v)")
    schema, table = await read_table(source, "t")
    values = table.sort_by("n").column("v").to_pylist()
    if schema["v"].type.kind is Kind.NUMERIC:
        values = numbers(values)
    assert str(schema["v"].type) == shown
    assert repr(values) == repr([*(literals if expected is None else expected), None])


def _literal(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


async def test_hugeints_of_38_digits_are_exact(make_duckdb: Make, open_url: Open) -> None:
    """All that 16 bytes hold of a numeric; a 39th digit is refused."""
    path = make_duckdb(f"CREATE TABLE t AS SELECT (-{'9' * 38})::HUGEINT v, 1::UHUGEINT u")
    _, table = await read_table(open_url(f"duckdb://{path}"), "t")
    assert numbers(table.column("v").to_pylist()) == [1 - 10**38]
    assert numbers(table.column("u").to_pylist()) == [1]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (f"{10**38}::HUGEINT", "number that doesn't fit"),
        ("'2024-01-01 00:00:00.000000001'::TIMESTAMP_NS", "nanoseconds"),
    ],
)
async def test_what_cannot_be_kept_exactly_is_refused(
    make_duckdb: Make, open_url: Open, value: str, words: str
) -> None:
    """The read fails, and names the column."""
    path = make_duckdb(f"CREATE TABLE t AS SELECT {value} AS v")
    with pytest.raises(UnsupportedValue, match=f"'v'.*{words}"):
        await read_table(open_url(f"duckdb://{path}"), "t")


async def test_counts_and_slices_agree_with_the_scope(a_table: Callable[[str], Source]) -> None:
    """Counts by partition, and the rows of each scope, days and limit."""
    source = a_table(
        "SELECT n::INTEGER n, ['m', 'M', NULL][1 + n % 3] m, 'f' f, (n % 5)::INTEGER p,"
        " nullif('v' || n % 4, 'v3') v, DATE '2024-01-01' + (n % 7)::INTEGER d"
        " FROM range(210) r(n)"
    )
    rows = [
        (n, "mM"[n % 3] if n % 3 < 2 else None, str(n % 5), f"v{n % 4}" if n % 4 < 3 else None,
         date(2024, 1, 1) + timedelta(n % 7))
        for n in range(210)
    ]  # fmt: skip
    ids = frozenset
    scopes = [
        EVERYTHING,
        NOTHING,
        Scope((Box(ids({"1", "4", "99", "x"}), ALL),)),
        Scope((Box(ids({"1"}), ids({"v0", "V1"})), Box(ALL, ids({"v2"})))),
    ]
    async with source.snapshot(a_datasource("t", ROLES)) as snapshot:
        assert {c.name.measure: c.rows for c in await snapshot.count_by_partition()} == {
            "m": 70, "M": 70, None: 70,
        }  # fmt: skip
        for measure in ("m", "M", None, "", "x"):
            for scope in scopes:
                name = PartitionName(measure, "f")
                got = await snapshot.fetch_slice(name, scope, ["n"])
                pieces = [piece async for piece in snapshot.stream_slice(name, scope, ["n"])]
                streamed = pa.Table.from_batches(pieces, got.schema)
                assert sorted(streamed.column("n").to_pylist()) == sorted(
                    got.column("n").to_pylist()
                )
                assert sorted(got.column("n").to_pylist()) == [
                    n for n, m, p, v, _ in rows if m == measure and scope.allows(p, v)
                ]
        for scope in scopes:
            named = await snapshot.fetch_partitions(scope)
            assert len(named) == len(set(named))
            assert {name.measure for name in named} == {
                m for _, m, p, v, _ in rows if scope.allows(p, v)
            }
        assert await snapshot.fetch_owners() == {(p, v) for _, _, p, v, _ in rows}
        days = DateRange(date(2024, 1, 3), date(2024, 1, 4))
        name = PartitionName("m", "f")
        got = await snapshot.fetch_slice(name, EVERYTHING, ["n"], days)
        assert sorted(got.column("n").to_pylist()) == [
            n for n, m, _, _, d in rows if m == "m" and d.day in (3, 4)
        ]
        assert (await snapshot.fetch_slice(name, EVERYTHING, ["n"], None, 5)).num_rows == 6


async def test_collations_that_confuse_texts_are_overruled(
    make_duckdb: Make, open_url: Open
) -> None:
    """'A' and 'a' are two measures and two practices, whatever the column's collation."""
    path = make_duckdb(
        "CREATE TABLE t (n INTEGER, m VARCHAR COLLATE NOCASE, f VARCHAR, d DATE,"
        " p VARCHAR COLLATE NOCASE, v VARCHAR)",
        "INSERT INTO t (n, m, p) VALUES (1, 'm', 'a'), (2, 'm', 'A'), (3, 'M', 'a')",
    )
    async with open_url(f"duckdb://{path}").snapshot(a_datasource("t", ROLES)) as snapshot:
        counted = {c.name.measure: c.rows for c in await snapshot.count_by_partition()}
        assert counted == {"m": 2, "M": 1}
        scope = Scope((Box(frozenset({"a"}), ALL),))
        got = await snapshot.fetch_slice(PartitionName("m", None), scope, ["n"])
        assert got.column("n").to_pylist() == [1]


async def test_many_rows_come_in_bounded_batches(a_table: Callable[[str], Source]) -> None:
    """Batches are joined to what is worth handling, and no larger."""
    source = a_table("SELECT range n, 'text' AS v FROM range(300000)")
    async with source.snapshot(a_datasource("t")) as snapshot:
        batches = await asyncio.to_thread(lambda: list(snapshot.batches()))
    assert sum(batch.num_rows for batch in batches) == 300_000
    assert sum(sum(batch.column(0).to_pylist()) for batch in batches) == sum(range(300_000))
    assert max(batch.nbytes for batch in batches) < 8 << 20
    assert len(batches) < 20


async def test_names_are_names(make_duckdb: Make, open_url: Open) -> None:
    """Quotes, dots and SQL in the names of schema, table and column do no harm."""
    path = make_duckdb(
        'CREATE SCHEMA "a.b"',
        'CREATE TABLE "a.b"."t""x" AS SELECT 5 AS "c""; DROP TABLE x; --"',
    )
    source = open_url(f"duckdb://{path}")
    _, table = await read_table(source, '"a.b"."t""x"')
    assert table.to_pylist() == [{'c"; DROP TABLE x; --': 5}]


async def test_views_of_the_file_can_be_read(make_duckdb: Make, open_url: Open) -> None:
    """A view that reads tables of the same file is as good as a table."""
    path = make_duckdb("CREATE TABLE t AS SELECT 1 a", "CREATE VIEW v AS SELECT a + 1 b FROM t")
    _, table = await read_table(open_url(f"duckdb://{path}"), "main.v")
    assert table.to_pylist() == [{"b": 2}]


@pytest.mark.parametrize(
    ("table", "words"),
    [("measurse", "did you mean main.measures"), ("a.b.c", "expected schema.table")],
)
async def test_a_missing_table_is_told_with_similar_names(
    make_duckdb: Make, open_url: Open, table: str, words: str
) -> None:
    """The message says which table is missing, and what may be meant."""
    path = make_duckdb("CREATE TABLE measures AS SELECT 1 a")
    with pytest.raises(TableMismatch, match=words):
        await open_url(f"duckdb://{path}").describe(table)


async def test_role_columns_are_checked(a_table: Callable[[str], Source]) -> None:
    """As with any other source."""
    source = a_table("SELECT 'x' m, 1.5::DOUBLE p, 1 v, 'f' f, DATE '2024-01-01' d, 1 n")
    with pytest.raises(TableMismatch, match="'p' is of type DOUBLE, but the role practice"):
        async with source.snapshot(a_datasource("t", ROLES)):
            pass


@pytest.mark.parametrize("scheme", ["duckdb", "parquet"])
async def test_missing_files_are_unavailable(tmp_path: Path, open_url: Open, scheme: str) -> None:
    """The path is named."""
    with pytest.raises(SourceUnavailable, match=r"nothing-here.*no (such file|file matches)"):
        await open_url(f"{scheme}://{tmp_path}/nothing-here").describe("t")


@pytest.mark.parametrize("scheme", ["duckdb", "parquet"])
async def test_a_file_of_another_kind_is_told(tmp_path: Path, open_url: Open, scheme: str) -> None:
    """Something that is neither DuckDB nor Parquet gives one sentence."""
    path = tmp_path / "file"
    path.write_bytes(b"no such thing" * 1000)
    with pytest.raises(SourceError, match="file"):
        await open_url(f"{scheme}://{path}").describe("t")


async def test_a_view_reads_no_file_that_is_not_configured(
    make_duckdb: Make, open_url: Open, tmp_path: Path
) -> None:
    """A view in the file that points to another one is refused: only what is configured is read."""
    (tmp_path / "secret.csv").write_text("a\nsecret\n")
    path = make_duckdb("CREATE VIEW v AS SELECT * FROM read_csv('{folder}/secret.csv')")
    with pytest.raises(SourceError, match="disabled by config") as raised:
        await read_table(open_url(f"duckdb://{path}"), "v")
    assert "secret\n" not in str(raised.value)


async def test_a_file_is_read_only_and_let_go(make_duckdb: Make, open_url: Open) -> None:
    """The file stays as it is, and may be written again once the read is over."""
    path = make_duckdb("CREATE TABLE t AS SELECT 1 a")
    before = path.read_bytes()
    source = open_url(f"duckdb://{path}")
    async with source.snapshot(a_datasource("t")) as snapshot:
        assert (await read_all(snapshot)).num_rows == 1
        with pytest.raises(duckdb.Error):
            duckdb.connect(str(path)).close()
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    with duckdb.connect(str(path)) as connection:
        connection.execute("INSERT INTO t VALUES (2)")
    assert (await read_table(source, "t"))[1].num_rows == 2


async def test_parquet_files_that_change_during_a_read_are_told(
    make_duckdb: Make, open_url: Open
) -> None:
    """A mixture of two states is never taken for one."""
    path = make_duckdb("COPY (SELECT 'm' m, 1 n) TO '{folder}/1.parquet'")
    roles = Roles(measure="m", practice=None, provider=None, frequency=None, date=None, value=None)
    name = PartitionName("m", None)
    source = open_url(f"parquet://{path.parent}/*.parquet")
    async with source.snapshot(a_datasource("t", roles)) as snapshot:
        assert await snapshot.count_by_partition() == [PartitionCount(name, 1)]
        make_duckdb("COPY (SELECT 'm' m, 2 n FROM range(5)) TO '{folder}/1.parquet'")
        for read in (
            lambda: read_all(snapshot),
            snapshot.count_by_partition,
            lambda: snapshot.fetch_slice(name, EVERYTHING, ["n"]),
        ):
            with pytest.raises(SourceUnavailable, match="changed while"):
                await read()
    assert (await read_table(source, "t"))[1].num_rows == 5


async def test_all_files_of_a_pattern_are_one_table(make_duckdb: Make, open_url: Open) -> None:
    """Folders within folders too, and names that look like SQL."""
    path = make_duckdb("COPY (SELECT 1 n) TO '{folder}/it''s.parquet'")
    (path.parent / "deep" / "deeper").mkdir(parents=True)
    make_duckdb("COPY (SELECT 2 n) TO '{folder}/deep/deeper/b.parquet'")
    _, table = await read_table(open_url(f"parquet://{path.parent}/**/*.parquet"), "t")
    assert sorted(table.column("n").to_pylist()) == [1, 2]


async def test_a_read_that_takes_too_long_is_stopped(make_duckdb: Make, open_url: Open) -> None:
    """The time limit holds for each read."""
    path = make_duckdb(
        "CREATE VIEW v AS SELECT a.range AS n FROM range(10000000) a, range(10000000) b"
        " WHERE a.range + b.range = -1"
    )
    source = open_url(f"duckdb://{path}")
    roles = Roles(measure="n", practice=None, provider=None, frequency=None, date=None, value=None)
    async with source.snapshot(a_datasource("v", roles), time_limit=0.5) as snapshot:
        with pytest.raises(SourceUnavailable, match="took too long"):
            await snapshot.count_by_partition()


async def test_as_of_is_now(make_duckdb: Make, open_url: Open) -> None:
    """`as_of` is an instant in UTC, when the read began."""
    path = make_duckdb("CREATE TABLE t AS SELECT 1 a")
    before = datetime.now(UTC)
    async with open_url(f"duckdb://{path}").snapshot(a_datasource("t", NO_ROLES)) as snapshot:
        assert before <= snapshot.as_of <= datetime.now(UTC)
