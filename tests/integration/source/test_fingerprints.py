"""Fingerprints of partitions, and reading some partitions only, in each kind of database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.source.conftest import Execute, Open
from tests.support.reading import a_datasource

from warmcube.entry.keys import PartitionName
from warmcube.errors import TableMismatch
from warmcube.model.schema import Datasource, Roles
from warmcube.source import fingerprint
from warmcube.source.api import Source

ROLES = Roles(measure="m", practice="p", provider="v", frequency="f", date="d", value="n")
DATASOURCE = a_datasource("t", ROLES)
COLUMNS = "m, f, p, v, d, n, i, r, b, t"
TYPES = {
    "m": "varchar", "f": "varchar", "p": "integer", "v": "integer", "d": "date",
    "n": "numeric(20,2)", "i": "bigint", "r": "double precision", "b": "boolean", "t": "varchar",
}  # fmt: skip
FIRST = "('m', 'f', 1, 2, '2024-01-01', 5.5, 1, 0.5, true, 'x')"
SECOND = "('m', 'f', 2, 3, '2024-01-02', 7, 7, 2.5, false, 'y')"
OTHERS = [
    # A value of each column, NULL, and values that one is easily taken for.
    "('m', 'f', 2, 2, '2024-01-01', 5.5, 1, 0.5, true, 'x')",
    "('m', 'f', 1, NULL, '2024-01-01', 5.5, 1, 0.5, true, 'x')",
    "('m', 'f', 1, 2, NULL, 5.5, 1, 0.5, true, 'x')",
    "('m', 'f', 1, 2, '2024-01-01', -5.5, 1, 0.5, true, 'x')",
    "('m', 'f', 1, 2, '2024-01-01', NULL, 1, 0.5, true, 'x')",
    "('m', 'f', 1, 2, '2024-01-01', 0, 1, 0.5, true, 'x')",
    "('m', 'f', 1, 2, '2024-01-01', 550, 1, 0.5, true, 'x')",
    "('m', 'f', 1, 2, '2024-01-01', 5.5, 4294967296, 0.5, true, 'x')",
    "('m', 'f', 1, 2, '2024-01-01', 5.5, -2, 0.5, true, 'x')",
    "('m', 'f', 1, 2, '2024-01-01', 5.5, 1, -0.5, true, 'x')",
    "('m', 'f', 1, 2, '2024-01-01', 5.5, 1, '0'::float8, true, 'x')",
    "('m', 'f', 1, 2, '2024-01-01', 5.5, 1, '-0'::float8, true, 'x')",
    "('m', 'f', 1, 2, '2024-01-01', 5.5, 1, 0.5, NULL, 'x')",
    "('m', 'f', 1, 2, '2024-01-01', 5.5, 1, 0.5, false, 'x')",
    "('m', 'f', 1, 2, '2024-01-01', 5.5, 1, 0.5, true, '')",
    "('m', 'f', 1, 2, '2024-01-01', 5.5, 1, 0.5, true, NULL)",
    "('m', 'f', 1, 2, '2024-01-01', 5.5, 1, 0.5, true, 'X')",
    "('m', 'f', 1, 2, '2024-01-01', 5.5, 1, 0.5, true, 'x ')",
]
TABLES = [
    [],
    [FIRST],
    [SECOND],
    [FIRST, SECOND],
    [FIRST, FIRST],
    [FIRST, FIRST, SECOND],
    [FIRST, SECOND, SECOND],
    *([other, SECOND] for other in OTHERS),
    # Values swapped between the rows, of each column.
    *(
        [
            FIRST.replace(one, "_").replace("_", two),
            SECOND.replace(two, "_").replace("_", one),
        ]
        for one, two in (
            ("'m', 'f', 1", "'m', 'f', 2"),
            (" 2, '2024-01-01'", " 3, '2024-01-01'"),
            ("'2024-01-01'", "'2024-01-02'"),
            ("5.5,", "7,"),
            (" 0.5", " 2.5"),
            ("true", "false"),
            ("'x'", "'y'"),
        )
    ),
]
NAMES = ["m", "it's", 'a"b', "$1::text", "\\+000041'); --", "", "é😀", "U&'x'", "%s {}"]


def select(rows: list[str]) -> str:
    """A SELECT that gives these rows."""
    columns = ", ".join(f"{name}::{kind} AS {name}" for name, kind in TYPES.items())
    values = ", ".join(rows or ["(" + ", ".join(["NULL"] * len(TYPES)) + ")"])
    none = "" if rows else " WHERE FALSE"
    return f"SELECT {columns} FROM (VALUES {values}) AS x ({COLUMNS}){none}"


async def fingerprints_of(
    source: Source, datasource: Datasource = DATASOURCE
) -> dict[PartitionName, str | None]:
    """What a source says of a table."""
    async with source.snapshot(datasource) as snapshot:
        found = await snapshot.fingerprint_by_partition()
        plain = {each.name: each.rows for each in await snapshot.count_by_partition()}
        assert plain == {each.name: each.rows for each in found}
        return {each.name: each.fingerprint for each in found}


@pytest.fixture(params=["postgres", "postgres 13", "duckdb", "parquet"])
def a_table(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], Source]:
    """Makes a table ``t`` of a SELECT; each time the one before is gone."""
    open_url: Open = request.getfixturevalue("open_url")
    if request.param.startswith("postgres"):
        execute: Execute = request.getfixturevalue("execute")
        source: Source = request.getfixturevalue("source")
        if request.param == "postgres 13":
            monkeypatch.setattr(fingerprint, "OLDEST_WITH_RECORDS", 10**9)

        def create(sql: str) -> Source:
            execute("DROP TABLE IF EXISTS t", f"CREATE TABLE t AS {sql}")
            return source

        return create
    make_duckdb: Callable[..., Path] = request.getfixturevalue("make_duckdb")

    def make(sql: str) -> Source:
        if request.param == "duckdb":
            return open_url(f"duckdb://{make_duckdb(f'CREATE OR REPLACE TABLE t AS {sql}')}")
        path = make_duckdb(f"COPY ({sql}) TO '{{folder}}/t.parquet'")
        return open_url(f"parquet://{path.parent}/*.parquet")

    return make


async def test_every_change_shows(a_table: Callable[[str], Source]) -> None:
    """Values, NULLs, signs, swaps between rows, rows twice: no two tables have one fingerprint."""
    seen: dict[str | None, list[str]] = {}
    for rows in TABLES:
        found = await fingerprints_of(a_table(select(rows)))
        assert len(found) == bool(rows)
        one = next(iter(found.values()), None)
        assert one not in seen, (rows, seen[one])
        seen[one] = rows


async def test_order_does_not_count(a_table: Callable[[str], Source]) -> None:
    """The same rows in another order are the same."""
    rows = [*OTHERS, FIRST]
    there = await fingerprints_of(a_table(select(rows)))
    assert there == await fingerprints_of(a_table(select(rows[::-1])))
    assert None not in there.values()


async def test_each_partition_has_its_own(a_table: Callable[[str], Source]) -> None:
    """A change shows in its partition and in no other; NULL is a partition like any."""
    rows = [
        FIRST.replace("'m', 'f'", f"{m}, {f}")
        for m in ("'a'", "'b'", "NULL")
        for f in ("'f'", "NULL")
    ]
    before = await fingerprints_of(a_table(select(rows)))
    rows[5] = rows[5].replace("5.5", "6.5")
    after = await fingerprints_of(a_table(select(rows)))
    assert len(before) == 6
    differing = {name for name in before if before[name] != after[name]}
    assert differing == {PartitionName(None, None)}


async def test_a_change_column_is_compared_instead(a_table: Callable[[str], Source]) -> None:
    """Number of rows and greatest value: what changes neither isn't seen, as is documented."""
    datasource = Datasource(
        id=1, name="t", source="main", table="t", roles=ROLES, change_column="i"
    )
    first = await fingerprints_of(a_table(select([FIRST, SECOND])), datasource)
    unseen = await fingerprints_of(a_table(select([SECOND, OTHERS[0]])), datasource)
    assert unseen == first
    grown = SECOND.replace("7, 7", "7, 8")
    assert await fingerprints_of(a_table(select([FIRST, grown])), datasource) != first
    assert await fingerprints_of(a_table(select([SECOND])), datasource) != first
    hashed = await fingerprints_of(a_table(select([FIRST, SECOND])))
    assert hashed != first
    lacking = Datasource(
        id=1, name="t", source="main", table="t", roles=ROLES, change_column="gone"
    )
    with pytest.raises(TableMismatch, match="'gone', which data source 1 names"):
        await fingerprints_of(a_table(select([FIRST])), lacking)


@pytest.mark.parametrize("roles", [ROLES, replace(ROLES, measure=None, frequency=None)])
async def test_some_partitions_are_read_alone(
    a_table: Callable[[str], Source], roles: Roles
) -> None:
    """Whatever they are called, exactly their rows come; what isn't there gives none."""
    rows = [
        FIRST.replace("'m', 'f', 1", f"{_quoted(m)}, {_quoted(f)}, {n}")
        for n, (m, f) in enumerate((m, f) for m in [*NAMES, None] for f in ("f", "g'", None))
    ]
    async with a_table(select(rows)).snapshot(a_datasource("t", roles)) as snapshot:
        counted = await snapshot.count_by_partition()
        everything = [each.name for each in counted]
        assert len(everything) == (30 if roles == ROLES else 1)
        for only in (
            everything[:1],
            everything[3:9],
            everything,
            [],
            [PartitionName("no", "f"), *everything[-1:]],
        ):
            wanted = {each.name: each.rows for each in counted if each.name in only}
            found = await snapshot.count_by_partition(only)
            assert {each.name: each.rows for each in found} == wanted
            batches = await asyncio.to_thread(list, snapshot.batches(only))
            read: dict[PartitionName, int] = {}
            for batch in batches:
                for m, f in zip(
                    batch.column("m").to_pylist(), batch.column("f").to_pylist(), strict=True
                ):
                    name = PartitionName(m, f) if roles == ROLES else PartitionName(None, None)
                    read[name] = read.get(name, 0) + 1
            assert read == wanted


async def test_a_large_table_is_hashed_over_two_connections(
    execute: Execute, source: Source
) -> None:
    """What two halves give is added up: it is the fingerprint of the whole."""
    execute(
        "CREATE TABLE t AS SELECT 'm' || g % 3 m, 'f'::text f, g p, g v, DATE '2024-01-01' d,"
        " g::numeric n, repeat('x', 500) t FROM generate_series(1, 40000) g"
    )
    large = await fingerprints_of(source)
    execute("CREATE VIEW w AS SELECT * FROM t")  # of which there are no halves
    assert large == await fingerprints_of(source, a_datasource("w", ROLES))
    assert len(large) == 3


def _quoted(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"
