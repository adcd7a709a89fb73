"""Columns, their types, and the roles that they play in a data source."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

__all__ = [
    "KEY_KINDS",
    "Column",
    "ColumnType",
    "Datasource",
    "Kind",
    "Roles",
    "Schema",
]


class Kind(StrEnum):
    """What a column holds, by the name Postgres gives it.

    Every other database type (varchar, enum, json, arrays, …) is read as its text form.

    The *storage form* of a value is what Arrow batches from a source, spilled rows, entries and
    decoded columns all hold:

    ============ ============ ===========================================================
    kind         storage      reserved values
    ============ ============ ===========================================================
    SMALLINT     int16
    INTEGER      int32
    BIGINT       int64
    REAL         float32
    DOUBLE       float64
    BOOLEAN      bool
    NUMERIC      int64 scaled by 10**scale where precision <= 18, else 16 bytes, little-endian
                 two's complement; the type's greatest value is NaN, the one below it is
                 +infinity, the least value is -infinity, so that integers compare as Postgres
                 compares numerics
    DATE         int32 days since 1970-01-01; greatest value +infinity, least -infinity
    TIMESTAMP    int64 microseconds since 1970-01-01 00:00; greatest +infinity, least -infinity
    TIMESTAMPTZ  the same, in UTC
    UUID         16 bytes, big-endian
    TEXT         UTF-8
    ============ ============ ===========================================================
    """

    SMALLINT = "smallint"
    INTEGER = "integer"
    BIGINT = "bigint"
    REAL = "real"
    DOUBLE = "double precision"
    NUMERIC = "numeric"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIMESTAMPTZ = "timestamptz"
    TEXT = "text"
    UUID = "uuid"

    @property
    def is_integer(self) -> bool:
        return self in (Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT)

    @property
    def is_float(self) -> bool:
        return self in (Kind.REAL, Kind.DOUBLE)

    @property
    def is_number(self) -> bool:
        return self.is_integer or self.is_float or self is Kind.NUMERIC

    @property
    def is_instant(self) -> bool:
        return self in (Kind.TIMESTAMP, Kind.TIMESTAMPTZ)


KEY_KINDS = frozenset({Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT, Kind.TEXT, Kind.UUID})
"""What measure, practice, provider and frequency may be: types with one canonical text form."""

NARROW_PRECISION = 18
"""Up to so many digits a numeric is a scaled int64; up to 38 it takes 16 bytes."""


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column's type, resolved: a numeric always has a precision and a scale here."""

    kind: Kind
    precision: int = 0
    scale: int = 0
    source_type: str = field(default="", compare=False)  # the database's own words, for messages

    @property
    def is_wide(self) -> bool:
        """Whether this is a numeric that needs 16 bytes."""
        return self.kind is Kind.NUMERIC and self.precision > NARROW_PRECISION

    def __str__(self) -> str:
        if self.kind is Kind.NUMERIC and self.precision:
            return f"numeric({self.precision},{self.scale})"
        return self.kind.value


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a data source's table."""

    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of a table, in the table's order."""

    columns: tuple[Column, ...]

    def __contains__(self, name: str) -> bool:
        return any(column.name == name for column in self.columns)

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Which column plays which role; None where the table lacks the role."""

    measure: str | None = "measure"
    practice: str | None = "practice_uid"
    provider: str | None = "provider_uid"
    frequency: str | None = "frequency"
    date: str | None = "date_index"
    value: str | None = "measure_value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Datasource:
    """One configured table or view of measures."""

    id: int
    name: str
    source: str  # the name of a [sources.*] table
    table: str  # "schema.table" as written; the source's adapter splits and quotes it
    roles: Roles = Roles()
    time_zone: str = "UTC"  # IANA name; whole days of timestamp columns are days of this zone
    door: frozenset[str] | None = None  # roles for which it exists; None: for everybody
    change_column: str | None = None  # its greatest value grows with every change; None: hash rows
