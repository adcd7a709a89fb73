"""What tells whether a partition's rows have changed, in SQL: a hash of them, in any order.

Each row is hashed as what a warm reads of it, and each hash twice mixed with a number of its own;
the partition's fingerprint is made of how many rows there are and of the sums of both. So the order
doesn't count, and each of these does: a value, that it is NULL and neither empty nor zero, in which
row it stands, and how often the row is there. A change stays unnoticed once in 2**64 times.

The hash functions are those of a database's own hash tables, and by far the fastest that it has.
Not all are fit for this as they are: Postgres's of a numeric leaves out the sign, that of a bigint
folds its halves. So a value goes through one only if no two values of its type are the same to it;
others go in their binary form, or as text. Pure: builds texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

from xxhash import xxh3_128_hexdigest

from warmcube.entry.keys import PartitionName
from warmcube.errors import TableMismatch
from warmcube.model.schema import Datasource, Kind
from warmcube.source.api import PartitionCount
from warmcube.source.duckdb_column import DuckdbColumn
from warmcube.source.postgres_column import PostgresColumn
from warmcube.source.select import SelectColumn

__all__ = [
    "OLDEST_WITH_RECORDS",
    "change_column_of",
    "changes_statement",
    "duckdb_hash",
    "fingerprints",
    "hashes_statement",
    "postgres_hash",
]

OLDEST_WITH_RECORDS: Final = 140_000
"""The ``server_version_num`` from which on Postgres hashes records."""

_AS_THEY_ARE: Final = ("int2", "int4", "bool", "date", "uuid")
_SENT: Final = {
    "int8": "int8send",
    "float4": "float4send",
    "float8": "float8send",
    "numeric": "numeric_send",
    "timestamp": "timestamp_send",
    "timestamptz": "timestamptz_send",
}
_WIDEST_PLAIN: Final = 18  # digits of DuckDB's decimals that are one integer

T = TypeVar("T", bound=SelectColumn)


def postgres_hash(columns: Iterable[PostgresColumn], version: int) -> tuple[str, tuple[str, str]]:
    """64 bits of a row, and twice the same mixed.

    Args:
        columns: all but measure and frequency.
        version: ``server_version_num``.

    Returns:
        the row's hash, and the two others, made of it under the name ``h``.
    """
    row = f"ROW({', '.join(map(_postgres_value, columns))})"
    hashed = f'hashtextextended({row}::text COLLATE "C", 0)'
    if version >= OLDEST_WITH_RECORDS:
        hashed = f"hash_record_extended({row}, 0)"
    # A record's hash is linear in its columns' hashes. Unless it is mixed, values that are swapped
    # between rows would leave the sum as it is.
    first, second = (f"hashtextextended('{n}'::text COLLATE \"C\", h)" for n in (1, 2))
    return hashed, (first, second)


def duckdb_hash(columns: Iterable[DuckdbColumn]) -> tuple[str, tuple[str, str]]:
    """The same for DuckDB."""
    values = [_duckdb_value(column) for column in columns]
    return f"hash({', '.join(values or ['0'])})", ("hash(h, 1)", "hash(h, 2)")


def hashes_statement(
    table: str,
    keys: tuple[SelectColumn | None, SelectColumn | None],
    hashed: tuple[str, tuple[str, str]],
    condition: str = "",
) -> str:
    """Measure, frequency, rows, and the two sums as text, of each partition.

    Args:
        table: quoted.
        keys: the columns of measure and frequency.
        hashed: see `postgres_hash`.
        condition: on the rows that are looked at.
    """
    hash_of_row, (first, second) = hashed
    measure, frequency = (column.text if column else "NULL::text" for column in keys)
    where = f" WHERE {condition}" if condition else ""
    # OFFSET 0: or Postgres would hash each row once for either sum.
    return (
        f"SELECT m, f, count(*), sum({first})::text, sum({second})::text"  # noqa: S608
        f" FROM (SELECT {measure} AS m, {frequency} AS f, {hash_of_row} AS h"
        f" FROM {table}{where} OFFSET 0) AS hashed GROUP BY m, f"
    )


def changes_statement(
    table: str, keys: tuple[SelectColumn | None, SelectColumn | None], change: SelectColumn
) -> str:
    """Measure, frequency, rows, and the greatest value of the change column as text."""
    measure, frequency = (column.text if column else "NULL::text" for column in keys)
    kind = change.type.kind
    is_text = kind in (Kind.TEXT, Kind.UUID, Kind.BOOLEAN)
    return (
        f"SELECT m, f, count(*), max(c)::text FROM (SELECT {measure} AS m,"  # noqa: S608
        f" {frequency} AS f, {change.text if is_text else change.plain} AS c FROM {table})"
        " AS changes GROUP BY m, f"
    )


def fingerprints(rows: Iterable[Sequence[str | int | None]], method: str) -> list[PartitionCount]:
    """What statements of this module have found, put together.

    Args:
        rows: of all parts of a table; a partition's sums of several parts are added up.
        method: how it was found. What was found otherwise can't be compared with it.
    """
    found: dict[PartitionName, tuple[int, list[int | str | None]]] = {}
    for measure, frequency, count, *facts in rows:
        name = PartitionName(_text(measure), _text(frequency))
        sums: list[int | str | None] = [*facts] if len(facts) == 1 else [int(f or 0) for f in facts]
        known = found.get(name)
        if known is not None:
            sums = [int(a or 0) + int(b or 0) for a, b in zip(known[1], sums, strict=True)]
        found[name] = (int(count or 0) + (known[0] if known else 0), sums)
    return [
        PartitionCount(name, count, xxh3_128_hexdigest(repr((method, count, *facts)).encode()))
        for name, (count, facts) in found.items()
        if count
    ]


def change_column_of(columns: Mapping[str, T], datasource: Datasource, place: str) -> T | None:
    """The column by which changes are told, if one is configured.

    Raises:
        TableMismatch: the table hasn't got it.
    """
    if datasource.change_column is None:
        return None
    found = columns.get(datasource.change_column)
    if found is None:
        raise TableMismatch(
            f"{place} has no column {datasource.change_column!r}, which data source "
            f"{datasource.id} names as its change_column; name one of the table's, or none: "
            "then changes are found by hashing the rows"
        )
    return found


def _postgres_value(column: PostgresColumn) -> str:
    if column.base in _AS_THEY_ARE:
        return column.plain
    if column.base in _SENT:
        return f"{_SENT[column.base]}({column.plain})"
    return column.text


def _duckdb_value(column: DuckdbColumn) -> str:
    kind = column.type.kind
    is_wide = kind is Kind.NUMERIC and column.type.precision > _WIDEST_PLAIN
    # Of floats, plain ones of both signs of zero are the same to DuckDB's hash.
    is_text = kind in (Kind.TEXT, Kind.UUID, Kind.REAL, Kind.DOUBLE)
    return column.text if is_wide or is_text else column.plain


def _text(value: str | int | None) -> str | None:
    return None if value is None else str(value)
