"""Random tables for the comparison with SQL: every type, every role, and what is odd in each.

Values are made as text, in the form that Postgres reads, and become what they are by a cast in
Postgres; so nothing of warmcube's has a hand in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias

import pyarrow as pa
from adbc_driver_postgresql import dbapi

from warmcube.model.schema import Kind, Roles

__all__ = ["Fill", "Sample", "SampleColumn", "quoted"]

Fill: TypeAlias = Callable[[Random], str]

_SCHEMA = "ih"
_ENUM = "CREATE TYPE ih.mood AS ENUM ('sad', 'ok', 'Überglücklich {x}', '')"


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class SampleColumn:
    """One column.

    Attributes:
        name: of the column.
        sql: its type in Postgres.
        kind: what warmcube is to see in it.
        fill: makes a random value.
        nulls: the share of NULLs.
        is_unconstrained: a numeric of which only the rows tell the scale.
    """

    name: str
    sql: str
    kind: Kind
    fill: Fill
    nulls: float = 0.1
    is_unconstrained: bool = False


@dataclass(slots=True)
class Sample:
    """One table with its rows.

    Attributes:
        id: of the data source.
        name: of the table, and of the test.
        columns: all; those with roles by name in `roles`. ``row_id`` is unique.
        roles: which column plays which role.
        rows: how many to make.
        weight: how many of the pairs, in relation to the others.
        time_zone: of the data source.
        door: roles for which it exists; None for all.
        data: the rows, as text.
    """

    id: int
    name: str
    columns: tuple[SampleColumn, ...]
    roles: Roles = field(default_factory=Roles)
    rows: int = 1500
    weight: float = 1.0
    time_zone: str = "UTC"
    door: tuple[str, ...] | None = None
    data: list[tuple[str | None, ...]] = field(default_factory=list)
    _values: dict[str, list[str]] = field(default_factory=dict)
    _rows: dict[str, dict[str | None, list[tuple[str | None, ...]]]] = field(default_factory=dict)

    @property
    def table(self) -> str:
        """As it is configured."""
        return f"{_SCHEMA}.{self.name}"

    @property
    def unique(self) -> str:
        """The column that no two rows have in common."""
        return "row_id"

    def column(self, name: str) -> SampleColumn:
        """The column of this name."""
        return next(column for column in self.columns if column.name == name)

    def place(self, name: str) -> int:
        """Where in a row a column's value stands."""
        return self.columns.index(self.column(name))

    def values(self, name: str) -> list[str]:
        """Of a column the texts of all rows that aren't NULL."""
        if name not in self._values:
            at = self.place(name)
            self._values[name] = [text for row in self.data if (text := row[at]) is not None]
        return self._values[name]

    def present(self, name: str, texts: Iterable[str]) -> list[str]:
        """Those of some values that a column has, in a fixed order."""
        return sorted(text for text in texts if self.rows_of(name, text))

    def rows_of(self, name: str, text: str) -> list[tuple[str | None, ...]]:
        """The rows with a value in a column."""
        if name not in self._rows:
            at, found = self.place(name), self._rows.setdefault(name, {})
            for row in self.data:
                found.setdefault(row[at], []).append(row)
        return self._rows[name].get(text, [])

    def make(self, random: Random) -> None:
        """Make the rows."""
        self._values.clear()
        self._rows.clear()
        self.data = [
            tuple(
                str(number)
                if column.name == self.unique
                else None
                if random.random() < column.nulls
                else column.fill(random)
                for column in self.columns
            )
            for number in range(self.rows)
        ]

    def load(self, url: str) -> None:
        """Create the table in a database and fill it."""
        names = [f"c{place}" for place in range(len(self.columns))]
        texts = [pa.array(column, pa.string()) for column in zip(*self.data, strict=True)]
        casts = ", ".join(
            f"{name}::{column.sql}" for name, column in zip(names, self.columns, strict=True)
        )
        definition = ", ".join(f"{quoted(column.name)} {column.sql}" for column in self.columns)
        with dbapi.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
            for statement in (f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}", _ENUM):
                cursor.execute(statement)
            cursor.execute(f"CREATE TABLE {_SCHEMA}.{self.name} ({definition})")
            cursor.adbc_ingest("staging", pa.table(dict(zip(names, texts, strict=True))))
            cursor.execute(f"INSERT INTO {_SCHEMA}.{self.name} SELECT {casts} FROM staging")
            cursor.execute("DROP TABLE staging")
            if self.roles.measure is not None:
                measure = f"({quoted(self.roles.measure)}::text)"
                cursor.execute(f"CREATE INDEX ON {_SCHEMA}.{self.name} ({measure})")
            cursor.execute(f"ANALYZE {_SCHEMA}.{self.name}")
