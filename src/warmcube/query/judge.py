"""The one judgement that every read passes before anything is read for it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import datetime
from typing import Any

from warmcube.access.grant import Grant
from warmcube.access.narrow import Narrowed, narrow
from warmcube.entry.keys import PartitionName
from warmcube.errors import LimitExceeded
from warmcube.model.request import Query
from warmcube.model.schema import ColumnType, Datasource, Schema
from warmcube.query.asked import Asked
from warmcube.query.distinct import prepare_asked
from warmcube.query.prepared import Extent, Limits, PreparedQuery

__all__ = ["Judged", "check_lengths", "judge"]


class Judged:
    """What was asked, checked against one schema and narrowed to one grant. Nobody changes it.

    Each question makes one: a class of its own takes a third of a frozen dataclass's time.

    Args:
        asked: as it came, or what tells it: few ask.
        prepared: the same, checked and typed.
        narrowed: the rows that it may have, and why.
        is_brief: whether what was asked is so small, and nobody can change it, that it may be told
            later on; see `warmcube.query.audited`.
    """

    __slots__ = ("_asked", "is_brief", "memo", "narrowed", "prepared")

    def __init__(
        self,
        asked: Asked | Callable[[], Asked],
        prepared: PreparedQuery,
        narrowed: Narrowed,
        *,
        is_brief: bool = False,
    ) -> None:
        self._asked = asked
        self.is_brief = is_brief
        self.prepared = prepared
        self.narrowed = narrowed
        self.memo: dict[Hashable, Any] = {}
        """What follows from all this, kept so that who is asked the same needn't work it out."""

    @property
    def asked(self) -> Asked:
        """As it came."""
        known = self._asked
        if not isinstance(known, Asked):
            known = self._asked = known()
        return known

    @property
    def partition(self) -> PartitionName:
        """Where its rows are; for `Extent.PARTITIONS` it says nothing."""
        return self.prepared.partition

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
) -> Judged:
    """Access first, so that an error tells nothing to somebody who may not know.

    Args:
        asked: what is asked.
        grant: under which grant.
        datasource: of which data source.
        schema: its columns.
        limits: of one query.
        now: aware.

    Raises:
        AccessDenied: the grant doesn't allow it.
        InvalidQuery: what is asked is wrong.
    """
    query = asked.query
    check_lengths(query, limits)
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
    return Judged(asked, prepare_asked(asked, schema, datasource, limits), narrowed)


def check_lengths(query: Query, limits: Limits) -> None:
    """Whether the lists of practices and providers aren't too long, whatever is in them.

    Raises:
        LimitExceeded: one is.
    """
    _check_list("practices", query.practices, limits)
    _check_list("providers", query.providers, limits)


def _check_list(name: str, ids: object, limits: Limits) -> None:
    if isinstance(ids, (list, tuple, set, frozenset)) and len(ids) > limits.list:
        raise LimitExceeded(
            f"{name} has {len(ids):,} ids, more than [limits] list = {limits.list:,}; "
            "ask for fewer, or name an organization instead"
        )


def _type_of(role: str | None, schema: Schema) -> ColumnType | None:
    return None if role is None else schema[role].type
