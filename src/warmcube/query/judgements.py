"""Judgements that are kept while nothing changes that they hang on. Pure.

A judgement hangs on the grant, on what is asked, on the data source and its schema, and on the
limits. Each is kept for the grant that it was made under, which ends within a minute and whenever
the directory changes; nobody finds one that was made for somebody else. An error is never kept.
"""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime
from typing import Final, Generic, TypeVar

from warmcube.access.directory import Directory
from warmcube.access.grant import Grant, require_grant
from warmcube.model.schema import Datasource, Schema
from warmcube.query.asked import Asked
from warmcube.query.exact import exact_form, settled
from warmcube.query.judge import Judged, judge
from warmcube.query.prepared import Limits, PreparedQuery

__all__ = ["Judgements"]

MOST_VALUES: Final = 50_000
"""How many values the lists of what is kept may hold in all; a judgement counts as some more."""
_FIXED: Final = 25
_CHARACTERS_OF_A_VALUE: Final = 100
"""A text of so many counts as one value more: whoever asks can make up long ones."""

_T = TypeVar("_T")


class Judgements:
    """Judges what is asked, and keeps what it found.

    Args:
        limits: of one query.
        most: how much is kept; see `MOST_VALUES`.
    """

    def __init__(self, limits: Limits, most: int = MOST_VALUES) -> None:
        self._limits = limits
        self._judged: _Kept[Judged] = _Kept(most)
        self._prepared: _Kept[PreparedQuery] = _Kept(most)
        self._directory: Directory | None = None

    @property
    def weight(self) -> int:
        """How much is kept of judgements."""
        return self._judged.weight

    def judge(
        self, asked: Asked, grant: Grant, *, datasource: Datasource, schema: Schema, now: datetime
    ) -> Judged:
        """What `warmcube.query.judge.judge` finds. Nobody changes the lists in what comes back.

        Raises:
            AccessDenied: the grant doesn't allow it.
            InvalidQuery: what is asked is wrong.
        """
        form = exact_form(asked)
        if form is None:
            return self._judge(asked, grant, datasource, schema, now)
        key = (grant, form.question, form.rows)
        known = self._judged.get(key, schema)
        if known is not None:
            require_grant(grant, now)
            return known
        if grant.directory is not self._directory:  # the grants before count no more
            self._directory = grant.directory
            self._judged.clear()
            self._prepared.clear()
        part = (grant, form.question)
        prepared = self._prepared.get(part, schema)
        found = self._judge(asked, grant, datasource, schema, now, prepared)
        judged = Judged(asked=settled(asked), prepared=found.prepared, narrowed=found.narrowed)
        weight = _FIXED + form.values + _characters(form) // _CHARACTERS_OF_A_VALUE
        if prepared is None:
            self._prepared.put(part, schema, judged.prepared, weight)
        self._judged.put(key, schema, judged, weight)
        return judged

    def _judge(
        self,
        asked: Asked,
        grant: Grant,
        datasource: Datasource,
        schema: Schema,
        now: datetime,
        prepared: PreparedQuery | None = None,
    ) -> Judged:
        return judge(
            asked,
            grant,
            datasource=datasource,
            schema=schema,
            limits=self._limits,
            now=now,
            prepared=prepared,
        )


def _characters(form: object) -> int:
    """Of all texts in a key."""
    if isinstance(form, tuple):
        return sum(map(_characters, form))
    return len(form) if isinstance(form, str) else 0


class _Kept(Generic[_T]):
    """Things by key, each of one schema, up to a weight; what came first goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: dict[Hashable, tuple[Schema, _T, int]] = {}
        self.weight = 0

    def get(self, key: Hashable, schema: Schema) -> _T | None:
        found = self._items.get(key)
        return found[1] if found is not None and found[0] is schema else None

    def put(self, key: Hashable, schema: Schema, item: _T, weight: int) -> None:
        before = self._items.pop(key, None)
        if before is not None:
            self.weight -= before[2]
        self._items[key] = (schema, item, weight)
        self.weight += weight
        while self.weight > self._most:
            self.weight -= self._items.pop(next(iter(self._items)))[2]

    def clear(self) -> None:
        self._items.clear()
        self.weight = 0
