"""Slices under a scope, held against the same conditions said in plain SQL or in Python."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from datetime import date

import adbc_driver_manager
import pyarrow as pa
import pytest
from tests.integration.source.conftest import Ask, Execute
from tests.support.reading import a_datasource

from warmcube.entry.keys import PartitionName
from warmcube.errors import MissingRole
from warmcube.model.schema import Roles
from warmcube.model.scope import ALL, NOTHING, Box, Ids, Scope
from warmcube.source import postgres_snapshot
from warmcube.source.api import DateRange, Source

ROLES = Roles(measure="m", practice="p", provider="v", frequency="f", date=None, value="n")
UUIDS = tuple(f"6ba7b810-9dad-11d1-80b4-00c04fd430c{n}" for n in range(4))
KEYS: dict[str, Sequence[str]] = {
    "smallint": ("-1", "0", "7", "32767"),
    "integer": ("-1", "0", "7", "2147483647"),
    "bigint": ("-1", "0", "7", "9223372036854775807"),
    "text": ("", "a", "A", "x{,}\"'\\ NULL\n%é😀"),
    "varchar(9)": ("a", "A", "a ", "null"),
    "char(3)": ("a", "A", "a b", "zzz"),
    "uuid": UUIDS,
    "letter": ("a", "b", "c", "d"),
    "key": ("-1", "0", "7", "8"),
}
OTHERS = ("8", "no", UUIDS[0].replace("6", "7"), "99999999999999999999", "07", " 7", "\0", "\ud800")


async def _rows(source: Source, partition: PartitionName, scope: Scope) -> list[int]:
    async with source.snapshot(a_datasource("t", ROLES)) as snapshot:
        table = await snapshot.fetch_slice(partition, scope, ["n"])
        pieces = [piece async for piece in snapshot.stream_slice(partition, scope, ["n"])]
    assert table.schema.names == ["n"]
    rows = sorted(table.column("n").to_pylist())
    assert sorted(pa.Table.from_batches(pieces, table.schema).column("n").to_pylist()) == rows
    return rows


async def test_a_stream_comes_piece_by_piece(
    execute: Execute, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of few rows each, all of one state, whatever is written meanwhile; and once more after it."""
    monkeypatch.setattr(postgres_snapshot, "_FETCHED_ROWS", 10)
    execute(
        "CREATE TABLE t (n integer, m text, f text, p integer, v integer)",
        "INSERT INTO t SELECT g, 'm', 'f', g % 3, g FROM generate_series(1, 95) g",
    )
    name, scope = PartitionName("m", "f"), Scope((Box(_ids("0", "1"), ALL),))
    async with source.snapshot(a_datasource("t", ROLES)) as snapshot:
        for _ in range(2):
            sizes, rows = [], []
            async for piece in snapshot.stream_slice(name, scope, ["n"]):
                sizes.append(piece.num_rows)
                rows += piece.column("n").to_pylist()
                execute("INSERT INTO t VALUES (1000, 'm', 'f', 0, 0)")
            assert sizes == [10, 10, 10, 10, 10, 10, 3]
            assert sorted(rows) == [n for n in range(1, 96) if n % 3 < 2]


async def test_a_stream_that_is_left_leaves_nothing(execute: Execute, source: Source) -> None:
    """Its connection is used again."""
    execute(
        "CREATE TABLE t (n integer, m text, f text, p integer, v integer)",
        "INSERT INTO t SELECT g, 'm', 'f', g, g FROM generate_series(1, 9) g",
    )
    name, scope = PartitionName("m", "f"), Scope((Box(ALL, ALL),))
    for _ in range(3):
        async with (
            source.snapshot(a_datasource("t", ROLES)) as snapshot,
            aclosing(snapshot.stream_slice(name, scope, ["n"])) as stream,
        ):
            assert (await anext(stream)).num_rows == 9


def _ids(*ids: str) -> Ids:
    return frozenset(ids)


@pytest.mark.parametrize("type", list(KEYS))
async def test_a_scope_gives_exactly_its_rows(execute: Execute, source: Source, type: str) -> None:
    """For every type of practice and provider: boxes, ALL, NULLs, and ids of other types.

    The expected rows are worked out by `Scope.allows` from the canonical ids.
    """
    ids = KEYS[type]
    execute(
        "DROP TYPE IF EXISTS letter CASCADE",
        "DROP DOMAIN IF EXISTS key CASCADE",
        "CREATE TYPE letter AS ENUM ('a', 'b', 'c', 'd')",
        "CREATE DOMAIN key AS integer",
        f"CREATE TABLE t (n integer, m text, f text, p {type}, v {type})",
    )
    pairs = [(p, v) for p in (None, *ids) for v in (None, *ids)]
    values = ", ".join(
        f"({n}, 'm', 'f', {_literal(p)}, {_literal(v)})" for n, (p, v) in enumerate(pairs)
    )
    execute(f"INSERT INTO t VALUES {values}")
    scopes = [
        Scope((Box(ALL, ALL),)),
        NOTHING,
        Scope((Box(_ids(ids[0]), ALL),)),
        Scope((Box(ALL, _ids(ids[1], ids[2])),)),
        Scope((Box(_ids(*ids, *OTHERS), _ids(*ids, *OTHERS)),)),
        Scope((Box(_ids(ids[0]), _ids(ids[1])), Box(_ids(ids[3], ids[2]), ALL))),
        Scope((Box(_ids(*OTHERS[2:]), ALL), Box(_ids(ids[0]), _ids(*OTHERS[2:])))),
        Scope((Box(_ids(), ALL),)),
    ]
    for scope in scopes:
        expected = [n for n, (p, v) in enumerate(pairs) if scope.allows(p, v)]
        assert await _rows(source, PartitionName("m", "f"), scope) == expected


def _literal(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


async def test_partitions_are_those_with_rows_in_scope(execute: Execute, source: Source) -> None:
    """Each once, by canonical name, NULL and the empty text apart; none for nobody."""
    rows: list[tuple[str | None, str | None, str | None, str | None]] = [
        (m, f, p, v)
        for m, p in (("m", "1"), ("M", "2"), ("", "1"), (None, "3"), ("n", None))
        for f in ("f", None)
        for v in ("5", None)
        if (m, f) != ("M", None)
    ]

    execute(
        "CREATE TABLE t (n integer, m text, f text, p integer, v integer)",
        "INSERT INTO t (m, f, p, v) VALUES "
        + ", ".join("(" + ", ".join(map(_literal, row)) + ")" for row in rows * 2),
    )
    scopes = [
        Scope((Box(ALL, ALL),)),
        NOTHING,
        Scope((Box(_ids("1", "4", "x"), ALL),)),
        Scope((Box(_ids("1"), _ids("5")), Box(ALL, _ids("6")))),
        Scope((Box(_ids("x"), ALL),)),
    ]
    async with source.snapshot(a_datasource("t", ROLES)) as snapshot:
        for scope in scopes:
            found = await snapshot.fetch_partitions(scope)
            assert len(found) == len(set(found))
            assert set(found) == {PartitionName(m, f) for m, f, p, v in rows if scope.allows(p, v)}
        assert await snapshot.fetch_owners() == {(p, v) for _, _, p, v in rows}
    alone = Roles(measure=None, practice="p", provider="v", frequency=None, date=None, value="n")
    async with source.snapshot(a_datasource("t", alone)) as snapshot:
        assert await snapshot.fetch_partitions(scopes[2]) == [PartitionName(None, None)]
        assert await snapshot.fetch_partitions(Scope((Box(_ids("4"), ALL),))) == []
    unowned = Roles(measure="m", practice=None, provider="v", frequency=None, date=None, value="n")
    async with source.snapshot(a_datasource("t", unowned)) as snapshot:
        assert await snapshot.fetch_owners() == {(None, "5"), (None, None)}


async def test_thousands_of_ids_fit_into_one_scope(
    execute: Execute, source: Source, ask: Ask
) -> None:
    """They are one parameter, however many."""
    execute(
        "CREATE TABLE t AS SELECT g n, 'm'::text m, 'f'::text f, g p, g % 10 v"
        " FROM generate_series(1, 30000) g"
    )
    ids = frozenset(str(n) for n in range(0, 60_000, 2))
    rows = await _rows(source, PartitionName("m", "f"), Scope((Box(ids, _ids("4", "5")),)))
    assert rows == [n for (n,) in ask("SELECT n FROM t WHERE p % 2 = 0 AND v IN (4, 5) ORDER BY 1")]


@pytest.mark.parametrize(
    ("partition", "expected"),
    [
        (PartitionName("a", "1"), [1]),
        (PartitionName("A", "1"), [2]),
        (PartitionName("a ", "1"), []),
        (PartitionName(None, "1"), [3]),
        (PartitionName("a", None), [4]),
        (PartitionName("", "1"), [5]),
        (PartitionName("a' OR true --", "1"), [6]),
        (PartitionName("a", "01"), []),
        (PartitionName("a", "99999"), []),
        (PartitionName("\0", "1"), []),
    ],
)
async def test_a_partition_is_its_canonical_name(
    execute: Execute, source: Source, partition: PartitionName, expected: list[int]
) -> None:
    """NULL is not the empty text; what isn't canonical names nothing, and fails nothing."""
    execute(
        "CREATE TABLE t (n integer, m text, f smallint, p integer, v integer)",
        "INSERT INTO t VALUES (1, 'a', 1), (2, 'A', 1), (3, NULL, 1), (4, 'a', NULL), (5, '', 1),"
        " (6, 'a'' OR true --', 1)",
    )
    assert await _rows(source, partition, Scope((Box(ALL, ALL),))) == expected


async def test_collations_that_confuse_texts_are_overruled(
    execute: Execute, source: Source, ask: Ask
) -> None:
    """Where a column's own equality ignores case, 'A' and 'a' are different people all the same."""
    try:
        execute(
            "CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2',"
            " deterministic = false)"
        )
    except adbc_driver_manager.NotSupportedError:
        pytest.skip("this Postgres is built without ICU")
    execute(
        "CREATE TABLE t (n integer, m text COLLATE caseless, f text COLLATE caseless,"
        " p text COLLATE caseless, v text COLLATE caseless)",
        "INSERT INTO t VALUES (1, 'm', 'f', 'a', 'x'), (2, 'm', 'f', 'A', 'x'),"
        " (3, 'M', 'f', 'a', 'X'), (4, 'm', 'f', 'a', 'X')",
    )
    assert len(ask("SELECT 1 FROM t WHERE p = 'a'")) == 4  # that is how confusing it is
    name = PartitionName("m", "f")
    assert await _rows(source, name, Scope((Box(_ids("a"), ALL),))) == [1, 4]
    assert await _rows(source, name, Scope((Box(ALL, _ids("x")),))) == [1, 2]
    async with source.snapshot(a_datasource("t", ROLES)) as snapshot:
        counted = {c.name: c.rows for c in await snapshot.count_by_partition()}
    assert counted == {name: 3, PartitionName("M", "f"): 1}


async def test_caseless_types_are_overruled(execute: Execute, source: Source, ask: Ask) -> None:
    """The same with the type citext, which is compared as the text that it prints as."""
    if not ask("SELECT 1 FROM pg_available_extensions WHERE name = 'citext'"):
        pytest.skip("this Postgres comes without citext")
    execute(
        "CREATE EXTENSION citext",
        "CREATE TABLE t (n integer, m citext, f citext, p citext, v citext)",
        "INSERT INTO t VALUES (1, 'm', 'f', 'a', 'x'), (2, 'm', 'f', 'A', 'x'),"
        " (3, 'M', 'f', 'a', 'X'), (4, 'm', 'f', 'a', 'X')",
    )
    name = PartitionName("m", "f")
    assert await _rows(source, name, Scope((Box(_ids("a"), ALL),))) == [1, 4]
    assert await _rows(source, name, Scope((Box(ALL, _ids("x")),))) == [1, 2]
    async with source.snapshot(a_datasource("t", ROLES)) as snapshot:
        counted = {c.name: c.rows for c in await snapshot.count_by_partition()}
    assert counted == {name: 3, PartitionName("M", "f"): 1}


async def test_without_a_practice_or_provider_column_a_limited_scope_is_empty(
    execute: Execute, source: Source
) -> None:
    """What can't be told apart isn't given to anybody who may not see all of it."""
    execute("CREATE TABLE t AS SELECT 1 n, 'm'::text m, 'f'::text f, 5 p, 6 v")
    roles = Roles(measure="m", practice="p", provider=None, frequency="f", date=None, value="n")
    name = PartitionName("m", "f")
    async with source.snapshot(a_datasource("t", roles)) as snapshot:
        limited = Scope((Box(ALL, _ids("6")), Box(_ids("5"), _ids("6"))))
        assert (await snapshot.fetch_slice(name, limited, ["n"])).num_rows == 0
        practice = Scope((Box(_ids("5"), ALL),))
        assert (await snapshot.fetch_slice(name, practice, ["n"])).num_rows == 1


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 50])
async def test_at_most_one_row_more_than_allowed_is_read(
    execute: Execute, source: Source, limit: int
) -> None:
    """So the caller can tell an excess without reading it all."""
    execute("CREATE TABLE t AS SELECT g n, 'm'::text m, 'f'::text f, 1 p, 1 v"
            " FROM generate_series(1, 3) g")  # fmt: skip
    async with source.snapshot(a_datasource("t", ROLES)) as snapshot:
        scope = Scope((Box(ALL, ALL),))
        got = await snapshot.fetch_slice(PartitionName("m", "f"), scope, ["n", "p"], None, limit)
    assert got.num_rows == min(3, limit + 1)


@pytest.mark.parametrize("type", ["date", "timestamp", "timestamptz"])
@pytest.mark.parametrize("time_zone", ["UTC", "Pacific/Auckland"])
@pytest.mark.parametrize(
    "days",
    [
        DateRange(date(2024, 1, 2), date(2024, 1, 3)),
        DateRange(date(2024, 1, 2), None),
        DateRange(None, date(2024, 1, 2)),
        DateRange(None, None),
        DateRange(date.min, date.max),
    ],
)
async def test_days_narrow_and_never_lose_a_row(
    execute: Execute, source: Source, ask: Ask, type: str, time_zone: str, days: DateRange
) -> None:
    """In UTC and for dates the days are exact; else no more than a day more comes at each end."""
    zone = "" if type == "date" else f" AT TIME ZONE '{time_zone}'"
    execute(
        f"CREATE TABLE t AS SELECT row_number() OVER () n, 'm'::text m, 'f'::text f, 1 p, 1 v, d"
        f" FROM unnest(ARRAY['2023-12-31', '2024-01-01 23:59:59', '2024-01-02 00:00',"
        f" '2024-01-02 12:00', '2024-01-03 23:59:59.999999', '2024-01-04', '2024-01-06', NULL,"
        f" 'infinity', '-infinity', '0044-03-15 BC', '9999-12-31 23:00', '10000-01-05']"
        f"::{type}[]) d"
    )
    local = f"(d{zone if type == 'timestamptz' else ''})::date"
    said = ["d IS NOT NULL"] if days.start or days.end else ["TRUE"]
    wider = list(said)
    if days.start:
        said.append(f"{local} >= '{days.start}'")
        wider.append(f"{local} >= '{days.start}'::date - 2")
    if days.end:
        said.append(f"{local} <= '{days.end}'")
        wider.append(f"{local} <= '{days.end}'::date + 2")
    exact, most = (
        {n for (n,) in ask(f"SELECT n FROM t WHERE {' AND '.join(terms)}")}
        for terms in (said, wider)
    )
    roles = Roles(measure="m", practice="p", provider="v", frequency="f", date="d", value="n")
    async with source.snapshot(a_datasource("t", roles, time_zone)) as snapshot:
        scope = Scope((Box(ALL, ALL),))
        table = await snapshot.fetch_slice(PartitionName("m", "f"), scope, ["n"], days)
    got = set(table.column("n").to_pylist())
    if type == "date" or time_zone == "UTC":
        assert got == exact
    else:
        assert exact <= got <= most


async def test_days_need_a_date_column(execute: Execute, source: Source) -> None:
    """Asking for days of a table without dates says so."""
    execute("CREATE TABLE t AS SELECT 1 n, 'm'::text m, 'f'::text f, 5 p, 6 v")
    async with source.snapshot(a_datasource("t", ROLES)) as snapshot:
        with pytest.raises(MissingRole, match="no date column"):
            await snapshot.fetch_slice(
                PartitionName("m", "f"), Scope((Box(ALL, ALL),)), ["n"], DateRange(date(2024, 1, 1))
            )


async def test_a_slice_holds_what_the_batches_hold(execute: Execute, source: Source) -> None:
    """The two ways out of the database give the same values of every type."""
    execute(
        "CREATE TABLE t AS SELECT 'm'::text m, 'f'::text f, 5 p, 6 v, 1 n, -0.0::float8 a,"
        " 'NaN'::numeric(30,2) b, 'infinity'::date c, '-infinity'::timestamptz d,"
        " gen_random_uuid() e, true g, NULL::uuid h, '{1}'::int[] i, 1.25::numeric j, 2::int2 k,"
        " 0.1::float4 l, NULL::numeric(30,2) o, 1.5::numeric(4,2) q"
    )
    async with source.snapshot(a_datasource("t", ROLES)) as snapshot:
        [batch] = list(snapshot.batches())
        table = await snapshot.fetch_slice(
            PartitionName("m", "f"), Scope((Box(ALL, ALL),)), snapshot.schema.names
        )
    assert table.schema == batch.schema
    assert repr(table.to_pylist()) == repr(batch.to_pylist())


async def test_columns_are_needed(execute: Execute, source: Source) -> None:
    """A slice of no columns would lose the number of its rows."""
    execute("CREATE TABLE t AS SELECT 1 n, 'm'::text m, 'f'::text f, 5 p, 6 v")
    async with source.snapshot(a_datasource("t", ROLES)) as snapshot:
        with pytest.raises(ValueError, match="at least one column"):
            await snapshot.fetch_slice(PartitionName("m", "f"), Scope((Box(ALL, ALL),)), [])
