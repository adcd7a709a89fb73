"""The one judgement that every read passes before anything is read for it. Pure."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from warmcube.access.grant import Grant
from warmcube.access.narrow import Narrowed, narrow
from warmcube.entry.keys import PartitionName
from warmcube.errors import LimitExceeded
from warmcube.model.schema import ColumnType, Datasource, Schema
from warmcube.query.asked import Asked
from warmcube.query.distinct import prepare_asked
from warmcube.query.prepared import Extent, Limits, PreparedQuery

__all__ = ["Judged", "judge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was asked, checked against one schema and narrowed to one grant.

    Attributes:
        asked: as it came.
        prepared: the same, checked and typed.
        narrowed: the rows that it may have, and why.
    """

    asked: Asked
    prepared: PreparedQuery
    narrowed: Narrowed
    # What follows from all this, kept so that who is asked the same needn't work it out again.
    memo: dict[Hashable, Any] = field(init=False, default_factory=dict, compare=False, repr=False)

    @property
    def partition(self) -> PartitionName:
        """Where its rows are; for `Extent.PARTITIONS` it says nothing."""
        found = self.memo.get("partition")
        if not isinstance(found, PartitionName):
            found = PartitionName(self.prepared.measure, self.prepared.frequency)
            self.memo["partition"] = found
        return found

    @property
    def named_partition(self) -> dict[str, str | None]:
        """What was named of the partition, for people."""
        if self.prepared.extent is Extent.PARTITIONS:
            return dict(self.prepared.fixed)
        return {"measure": self.prepared.measure, "frequency": self.prepared.frequency}


def judge(
    asked: Asked,
    grant: Grant,
    *,
    datasource: Datasource,
    schema: Schema,
    limits: Limits,
    now: datetime,
    prepared: PreparedQuery | None = None,
) -> Judged:
    """Access first, so that an error tells nothing to somebody who may not know.

    Args:
        asked: what is asked.
        grant: under which grant.
        datasource: of which data source.
        schema: its columns.
        limits: of one query.
        now: aware.
        prepared: the same question as it was prepared before, be it for other practices, providers
            or another organization; None where it wasn't.

    Raises:
        AccessDenied: the grant doesn't allow it.
        InvalidQuery: what is asked is wrong.
    """
    query = asked.query
    for name, ids in (("practices", query.practices), ("providers", query.providers)):
        _check_list(name, ids, limits)
    narrowed = narrow(
        grant,
        datasource=datasource,
        practice_type=_type_of(datasource.roles.practice, schema),
        provider_type=_type_of(datasource.roles.provider, schema),
        organization=query.organization,
        practices=query.practices,
        providers=query.providers,
        purpose=asked.purpose,
        now=now,
    )
    if prepared is None:
        prepared = prepare_asked(asked, schema, datasource, limits)
    return Judged(asked=asked, prepared=prepared, narrowed=narrowed)


def _check_list(name: str, ids: object, limits: Limits) -> None:
    if isinstance(ids, (list, tuple, set, frozenset)) and len(ids) > limits.list:
        raise LimitExceeded(
            f"{name} has {len(ids):,} ids, more than [limits] list = {limits.list:,}; "
            "ask for fewer, or name an organization instead"
        )


def _type_of(role: str | None, schema: Schema) -> ColumnType | None:
    return None if role is None else schema[role].type
