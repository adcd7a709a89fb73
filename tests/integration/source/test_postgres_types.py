"""Every type and edge of Postgres, through ADBC into storage form."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from tests.integration.source.conftest import Ask, Execute
from tests.support.reading import numbers, read_table

from warmcube.errors import UnsupportedValue
from warmcube.model.schema import ColumnType, Kind
from warmcube.source.api import Source

_LEAP_DAY = (date(2024, 2, 29) - date(1970, 1, 1)).days
_INT64 = 2**63
_INT128 = 2**127
_LONG = "x" * 1_000_000


async def _values(
    execute: Execute, source: Source, type: str, literals: Sequence[str | None]
) -> tuple[ColumnType, list[Any]]:
    """What comes of some literals in a column of a type, with a NULL after the others."""
    rows = ", ".join(
        f"({n}, {'NULL' if text is None else _quoted(text)})" for n, text in enumerate(literals)
    )
    execute(f"CREATE TABLE t (n integer, v {type})")
    if literals:
        execute(f"INSERT INTO t VALUES {rows}")
    execute("INSERT INTO t VALUES (1000000, NULL)")
    schema, table = await read_table(source, "t")
    assert table.schema.names == ["n", "v"]
    ordered = table.sort_by("n").column("v").to_pylist()
    assert ordered[-1] is None
    return schema["v"].type, ordered[:-1]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@pytest.mark.parametrize(
    ("type", "kind", "literals", "expected"),
    [
        ("smallint", Kind.SMALLINT, ["-32768", "0", "32767"], [-32768, 0, 32767]),
        ("integer", Kind.INTEGER, ["-2147483648", "2147483647"], [-(2**31), 2**31 - 1]),
        ("bigint", Kind.BIGINT, [str(-_INT64), str(_INT64 - 1)], [-_INT64, _INT64 - 1]),
        ("boolean", Kind.BOOLEAN, ["t", "f"], [True, False]),
        ("date", Kind.DATE, ["1970-01-01", "2024-02-29"], [0, _LEAP_DAY]),
        ("date", Kind.DATE, ["infinity", "-infinity"], [2**31 - 1, -(2**31)]),
        ("date", Kind.DATE, ["5874897-12-31", "4714-11-24 BC"], [2145042905, -2440588]),
        ("timestamp", Kind.TIMESTAMP, ["1970-01-01 00:00:00.000001"], [1]),
        ("timestamp", Kind.TIMESTAMP, ["1969-12-31 23:59:59.999999"], [-1]),
        ("timestamp", Kind.TIMESTAMP, ["infinity", "-infinity"], [_INT64 - 1, -_INT64]),
        ("timestamp", Kind.TIMESTAMP, ["4714-11-24 00:00:00 BC"], [-2440588 * 86_400_000_000]),
        ("timestamp", Kind.TIMESTAMP, ["294247-01-10 04:00:54.775804"], [_INT64 - 4]),
        ("timestamptz", Kind.TIMESTAMPTZ, ["1970-01-01 02:00:00+02"], [0]),
        ("timestamptz", Kind.TIMESTAMPTZ, ["infinity", "-infinity"], [_INT64 - 1, -_INT64]),
        ("timestamp(0)", Kind.TIMESTAMP, ["1970-01-01 00:00:01"], [1_000_000]),
        ("text", Kind.TEXT, ["", " a ", "NULL", "é\U0001f600\n\t\"'\\", _LONG], None),
        ("varchar(5)", Kind.TEXT, ["", "abc  "], None),
        ("char(5)", Kind.TEXT, ["ab", "a  b "], ["ab", "a  b"]),
        ("name", Kind.TEXT, ["x"], None),
        ("uuid", Kind.UUID, ["6ba7b810-9dad-11d1-80b4-00c04fd430c8"],
         [UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8").bytes]),
        ("jsonb", Kind.TEXT, ['{"b":1,"a":[null]}'], ['{"a": [null], "b": 1}']),
        ("json", Kind.TEXT, ['{"b":1}'], None),
        ("integer[]", Kind.TEXT, ["{1,NULL,3}", "{}"], None),
        ("text[]", Kind.TEXT, ['{"a,b",""}'], None),
        ("bytea", Kind.TEXT, ["\\x00ff"], None),
        ("interval", Kind.TEXT, ["1 year 2 mons 3 days 04:05:06"], None),
        ("time", Kind.TEXT, ["23:59:59.999999"], None),
        ("inet", Kind.TEXT, ["10.0.0.1"], ["10.0.0.1/32"]),
        ("int4range", Kind.TEXT, ["[1,5)"], None),
        ("bit(3)", Kind.TEXT, ["101"], None),
    ],
)  # fmt: skip
async def test_a_value_arrives_as_it_is(
    execute: Execute,
    source: Source,
    type: str,
    kind: Kind,
    literals: list[str],
    expected: list[Any] | None,
) -> None:
    """Each type arrives in the storage form of its kind, edges and NULL included."""
    found, values = await _values(execute, source, type, literals)
    assert found.kind is kind
    assert values == (literals if expected is None else expected)


@pytest.mark.parametrize(("type", "form"), [("real", "f"), ("double precision", "d")])
async def test_floats_arrive_bit_for_bit(
    execute: Execute, source: Source, type: str, form: str
) -> None:
    """NaN, the infinities, minus zero and the least subnormal stay what they are."""
    least = "1e-45" if form == "f" else "5e-324"
    literals = ["NaN", "Infinity", "-Infinity", "-0", "0.1", least]
    _, values = await _values(execute, source, type, literals)
    assert math.isnan(values[0])
    bits = [struct.pack(form, value) for value in values[1:]]
    assert bits == [struct.pack(form, float(literal)) for literal in literals[1:]]


@pytest.mark.parametrize(
    ("type", "literals", "resolved", "expected"),
    [
        ("numeric(10,2)", ["1.23", "-99999999.99", "0"], (10, 2), [123, -9999999999, 0]),
        ("numeric(18,0)", ["999999999999999999"], (18, 0), [10**18 - 1]),
        ("numeric(19,4)", ["-0.0001"], (19, 4), [-1]),
        ("numeric(38,0)", ["-" + "9" * 38, "9" * 38], (38, 0), [1 - 10**38, 10**38 - 1]),
        ("numeric(38,38)", ["0." + "9" * 38], (38, 38), [10**38 - 1]),
        ("numeric(3,-2)", ["99900", "-100"], (5, 0), [99900, -100]),
        ("numeric(3,5)", ["0.00999"], (5, 5), [999]),
        ("numeric(10,2)", ["NaN", "1.5"], (10, 2), [_INT64 - 1, 150]),
        ("numeric(20,2)", ["NaN", "1.5"], (20, 2), [_INT128 - 1, 150]),
        ("numeric", ["1.5", "-20.25", "3"], (18, 2), [150, -2025, 300]),
        ("numeric", ["1e20", "0.5"], (38, 1), [10**21, 5]),
        ("numeric", ["NaN", "Infinity", "-Infinity", "7"], (18, 0),
         [_INT64 - 1, _INT64 - 2, -_INT64, 7]),
        ("numeric", ["NaN", "Infinity", "-Infinity", "1" + "0" * 37], (38, 0),
         [_INT128 - 1, _INT128 - 2, -_INT128, 10**37]),
        ("numeric", ["1." + "0" * 60, "12.50"], (18, 1), [10, 125]),
        ("numeric", [], (18, 0), []),
        ("numeric(60,2)", ["1" * 30 + ".25"], (38, 2), [int("1" * 30 + "25")]),
    ],
)  # fmt: skip
async def test_numerics_are_exact(
    execute: Execute,
    source: Source,
    type: str,
    literals: list[str],
    resolved: tuple[int, int],
    expected: list[int],
) -> None:
    """A numeric is scaled by its declared scale, or by what a look at the data says."""
    found, values = await _values(execute, source, type, literals)
    assert (found.kind, found.precision, found.scale) == (Kind.NUMERIC, *resolved)
    assert numbers(values) == expected


@pytest.mark.parametrize(
    ("type", "literal", "word"),
    [
        ("numeric", "1" * 39, "39 digits"),
        ("numeric", "1" * 20 + "." + "1" * 20, "20 after"),
        ("timestamp", "294276-12-31 23:59:59", "294246"),
        ("timestamptz", "294247-01-10 04:00:54.775805+00", "294246"),
    ],
)
async def test_what_cannot_be_kept_exactly_is_refused(
    execute: Execute, source: Source, type: str, literal: str, word: str
) -> None:
    """A value that storage has no place for fails the read, and the column is named."""
    with pytest.raises(UnsupportedValue, match=f"'v'.*{word}"):
        await _values(execute, source, type, [literal])


async def test_own_types_arrive_as_their_base_or_text(
    execute: Execute, source: Source, ask: Ask
) -> None:
    """Domains are followed to what is beneath; enums and composites are their text."""
    execute(
        "CREATE DOMAIN money_amount AS numeric(12,3)",
        "CREATE DOMAIN positive AS money_amount CHECK (VALUE > 0)",
        "CREATE DOMAIN day AS date",
        "CREATE DOMAIN instant AS timestamptz",
        "CREATE DOMAIN key AS integer",
        "CREATE TYPE mood AS ENUM ('sad', 'happy')",
        "CREATE TYPE pair AS (a integer, b text)",
        "CREATE TABLE t (a positive, b day, c key, d mood, e pair, f instant,"
        " g integer GENERATED ALWAYS AS (1 + 1) STORED, h bigint GENERATED ALWAYS AS IDENTITY)",
        "INSERT INTO t (a, b, c, d, e, f)"
        " VALUES (1.5, 'infinity', 3, 'sad', ROW(1, 'x y'), '-infinity')",
    )
    schema, table = await read_table(source, "t")
    assert [str(column.type) for column in schema.columns] == [
        "numeric(12,3)", "date", "integer", "text", "text", "timestamptz", "integer", "bigint",
    ]  # fmt: skip
    assert [c.type.source_type for c in schema.columns][:4] == ["positive", "day", "key", "mood"]
    assert [column[0].as_py() for column in table.columns] == [
        1500, 2**31 - 1, 3, "sad", ask("SELECT e::text FROM t")[0][0], -_INT64, 2, 1,
    ]  # fmt: skip


async def test_the_server_settings_do_not_change_what_arrives(
    execute: Execute, source: Source, ask: Ask
) -> None:
    """Time zone, date style and float digits of the database or role have no effect."""
    name = ask("SELECT current_database()")[0][0]
    execute(
        f"ALTER DATABASE {name} SET TimeZone = 'Asia/Tokyo'",
        f"ALTER DATABASE {name} SET DateStyle = 'German, DMY'",
        f"ALTER DATABASE {name} SET extra_float_digits = -5",
        f"ALTER DATABASE {name} SET bytea_output = 'escape'",
        "CREATE TABLE t AS SELECT '1970-01-01 00:00+00'::timestamptz a,"
        " '{2024-03-01}'::date[] b, '{0.1234567890123456}'::float8[] c, '\\x41'::bytea d,"
        " 'infinity'::timestamptz e",
    )
    _, table = await read_table(source, "t")
    assert [column[0].as_py() for column in table.columns] == [
        0, "{2024-03-01}", "{0.1234567890123456}", "\\x41", _INT64 - 1,
    ]  # fmt: skip


async def test_rows_of_large_texts_come_in_bounded_batches(
    execute: Execute, source: Source
) -> None:
    """A batch ends after some megabytes, however few rows that is."""
    execute(
        "CREATE TABLE t AS SELECT g, repeat(chr(65 + g % 26), 1000000) v"
        " FROM generate_series(1, 60) g"
    )
    _, table = await read_table(source, "t")
    assert sorted(zip(*(c.to_pylist() for c in table.columns), strict=True)) == [
        (n, chr(65 + n % 26) * 1_000_000) for n in range(1, 61)
    ]
    assert max(b.nbytes for b in table.to_batches()) < 16 << 20
