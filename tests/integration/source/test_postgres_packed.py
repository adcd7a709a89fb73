"""Columns that travel joined come back as they do one by one."""

from __future__ import annotations

import pytest
from tests.integration.source.conftest import Execute
from tests.support.reading import a_datasource, read_all, read_table

from warmcube.entry.keys import PartitionName
from warmcube.errors import UnsupportedValue
from warmcube.model.scope import ALL, Box, Scope
from warmcube.source.api import Source

# Of every type that has a fixed width, between others that haven't.
COLUMNS = {
    "a": ("smallint", "(g % 65536 - 32768)::smallint"),
    "t": ("text", "CASE g % 4 WHEN 0 THEN '' ELSE 'text ' || g END"),
    "b": ("integer", "g * 7919"),
    "c": ("bigint", "g::bigint << 40"),
    "n": ("numeric(12,3)", "g / 7.0"),
    "d": ("real", "CASE g % 5 WHEN 0 THEN 'NaN' WHEN 1 THEN '-0' ELSE g / 3.0 END::real"),
    "e": ("double precision", "CASE g % 5 WHEN 0 THEN '-Infinity' ELSE g / 3.0 END::float8"),
    "f": ("boolean", "g % 3 = 0"),
    "h": ("date", "CASE g % 5 WHEN 0 THEN '-infinity' ELSE date '1960-01-01' + g END"),
    "i": ("timestamp", "CASE g % 5 WHEN 1 THEN 'infinity' ELSE timestamp '1960-01-01' END"),
    "j": ("timestamptz", "timestamptz '2000-01-01 00:00Z' + g * interval '1 microsecond'"),
    "k": ("uuid", "md5(g::text)::uuid"),
}
EVERYTHING = Scope((Box(ALL, ALL),))


@pytest.mark.parametrize("relation", ["t", "v"])
@pytest.mark.parametrize("nulls", ["none", "some", "all"])
async def test_joined_columns_are_those_that_come_one_by_one(
    execute: Execute, source: Source, nulls: str, relation: str
) -> None:
    """With no NULL, with NULLs here and there, and with nothing else; from a table and a view."""
    is_null = {"none": "false", "some": "(g * {prime}) % 11 < 3", "all": "true"}[nulls]
    primes = [2, 3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41]
    values = ", ".join(
        f"CASE WHEN {is_null.format(prime=prime)} THEN NULL ELSE {value} END::{declared} AS {name}"
        for prime, (name, (declared, value)) in zip(primes, COLUMNS.items(), strict=True)
    )
    execute(
        f"CREATE TABLE t AS SELECT g, {values} FROM generate_series(1, 3000) g",
        "CREATE VIEW v AS SELECT * FROM t",
    )
    async with source.snapshot(a_datasource(relation)) as snapshot:
        joined = (await read_all(snapshot)).sort_by("g")
        names = ["g", *COLUMNS]
        one_by_one = await snapshot.fetch_slice(PartitionName(None, None), EVERYTHING, names)
    assert joined.schema == one_by_one.schema
    for name in names:
        left, right = joined.column(name), one_by_one.sort_by("g").column(name)
        assert left.null_count == right.null_count
        if COLUMNS.get(name, ("",))[0] not in ("real", "double precision"):  # NaN isn't NaN here
            assert left.to_pylist() == right.to_pylist(), name
        else:
            assert repr(left.to_pylist()) == repr(right.to_pylist()), name


async def test_a_foreign_null_where_none_may_be_is_kept(execute: Execute, source: Source) -> None:
    """What a database declares without enforcing it isn't relied on."""
    execute(
        "CREATE TABLE t (a integer, b integer)",
        "INSERT INTO t VALUES (1, NULL), (2, 3)",
        "UPDATE pg_attribute SET attnotnull = true"
        " WHERE attrelid = 't'::regclass AND attname = 'b'",
    )
    async with source.snapshot(a_datasource("t")) as snapshot:
        table = (await read_all(snapshot)).sort_by("a")
    assert table.column("b").to_pylist() == [None, 3]


async def test_a_view_whose_numbers_have_more_digits_than_they_say_is_refused(
    execute: Execute, source: Source
) -> None:
    """Only of a plain table are the declared digits relied on; nothing is rounded elsewhere."""
    execute(
        "CREATE TABLE t (a integer, n numeric)",
        "INSERT INTO t VALUES (1, 1.23456)",
        "CREATE VIEW v AS SELECT a, n FROM t",
        "UPDATE pg_attribute SET atttypmod = ((10 << 16) | 2) + 4"
        " WHERE attrelid = 'v'::regclass AND attname = 'n'",
    )
    with pytest.raises(UnsupportedValue, match="'n'"):
        await read_table(source, "v")
