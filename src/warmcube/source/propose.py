"""Look at a table and propose what plays which role: what ``warmcube init`` asks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import takewhile
from typing import Final

from warmcube.errors import UnsupportedValue
from warmcube.model.schema import KEY_KINDS, Datasource, Roles
from warmcube.source.api import DescribedColumn, Source, SourceSnapshot
from warmcube.source.proposal import ColumnFacts, Proposal, propose_roles
from warmcube.source.storage_form import Array

__all__ = ["propose"]

_SAMPLE_ROWS: Final = 200_000
_COUNTED: Final = 5_000
_FEW: Final = 30
_NO_ROLES: Final = Roles(
    measure=None, practice=None, provider=None, frequency=None, date=None, value=None
)


async def propose(source: Source, table: str) -> Proposal:
    """Propose the role columns of a table, after a look at its first rows.

    Raises:
        TableMismatch: there is no such table.
        SourceUnavailable: the database can't be reached.
    """
    columns = await source.describe(table)
    seen = _Seen(columns)
    datasource = Datasource(id=0, name=table, source="", table=table, roles=_NO_ROLES)
    try:
        async with source.snapshot(datasource) as snapshot:
            await asyncio.to_thread(seen.read, snapshot)
    except UnsupportedValue:
        # Names and types still tell; the warm will say which column can't be kept.
        seen = _Seen(columns)
    return propose_roles(table, seen.facts(), seen.rows)


class _Seen:
    """The different values of the columns that may be keys, as far as they are few."""

    def __init__(self, columns: tuple[DescribedColumn, ...]) -> None:
        self.rows = 0
        self._columns = columns
        self._values: dict[str, set[object] | None] = {
            column.name: set() for column in columns if column.type.kind in KEY_KINDS
        }

    def read(self, snapshot: SourceSnapshot) -> None:
        """Look at the first rows. Blocks."""
        batches = snapshot.batches()
        for batch in takewhile(lambda _: self.rows < _SAMPLE_ROWS, batches):
            self.rows += batch.num_rows
            for name, values in self._values.items():
                if values is not None and name in batch.schema.names:
                    values.update(_distinct(batch.column(name)))
                    if len(values) > _COUNTED:
                        self._values[name] = None

    def facts(self) -> tuple[ColumnFacts, ...]:
        """What was learned of each column."""
        return tuple(self._facts(column) for column in self._columns)

    def _facts(self, column: DescribedColumn) -> ColumnFacts:
        values = self._values.get(column.name)
        if not self.rows or values is None:
            return ColumnFacts(column.name, column.type)
        few = frozenset(map(str, values)) if len(values) <= _FEW else frozenset()
        return ColumnFacts(column.name, column.type, len(values), few)


def _distinct(array: Array) -> Iterator[object]:
    return (value for value in array.unique().to_pylist() if value is not None)
