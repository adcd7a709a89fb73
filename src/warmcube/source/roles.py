"""Whether a table's columns can play the roles that a data source gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from warmcube.errors import TableMismatch
from warmcube.model.schema import KEY_KINDS, Datasource, Kind
from warmcube.source.api import DescribedColumn
from warmcube.source.names import similar

__all__ = ["DATE_KINDS", "check_roles"]

DATE_KINDS: Final = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ})
"""What the date column may be."""

_NEEDED: Final = {
    "measure": (KEY_KINDS, "an integer, text or uuid column"),
    "practice": (KEY_KINDS, "an integer, text or uuid column"),
    "provider": (KEY_KINDS, "an integer, text or uuid column"),
    "frequency": (KEY_KINDS, "an integer, text or uuid column"),
    "date": (DATE_KINDS, "a date, timestamp or timestamptz column"),
    "value": (frozenset(Kind), "any column"),
}


def check_roles(columns: Sequence[DescribedColumn], datasource: Datasource) -> None:
    """Check that every role column exists and is of a type that can play its role.

    Raises:
        TableMismatch: names the column, what was found and what is needed.
    """
    by_name = {column.name: column for column in columns}
    where = f"data source {datasource.id} ({datasource.name!r}), table {datasource.table}"
    for role, (kinds, needed) in _NEEDED.items():
        name: str | None = getattr(datasource.roles, role)
        if name is None:
            continue
        column = by_name.get(name)
        if column is None:
            near = similar(name, by_name)
            hint = f"did you mean {' or '.join(near)}" if near else f"it has {', '.join(by_name)}"
            raise TableMismatch(
                f"{where}: there is no column {name!r} for the role {role} ({hint}); set {role} "
                "under [datasources.columns] to one that is there, or to false"
            )
        if column.type.kind not in kinds:
            raise TableMismatch(
                f"{where}: column {name!r} is of type {column.type.source_type}, but the role "
                f"{role} needs {needed}"
            )
