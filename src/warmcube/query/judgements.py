"""Judgements that are kept while nothing changes that they hang on. Pure.

A judgement hangs on the grant, on what is asked, on the data source and its schema, and on the
limits. Each is kept for the grant that it was made under, which ends within a minute and whenever
the directory changes; nobody finds one that was made for somebody else. An error is never kept.
"""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime
from functools import partial
from typing import Any, Final, Generic, NamedTuple, TypeVar

from warmcube.access.directory import Directory
from warmcube.access.grant import Grant, require_grant
from warmcube.access.narrow import Ground
from warmcube.audit.listed import MOST_LISTED
from warmcube.audit.text import LONGEST
from warmcube.model.request import Query
from warmcube.model.schema import Datasource, Schema
from warmcube.query.asked import Asked
from warmcube.query.distinct import prepare_asked
from warmcube.query.exact import ExactForm, exact_form, settled
from warmcube.query.judge import Judged, check_lengths, judge
from warmcube.query.prepare import prepare_span
from warmcube.query.prepared import Limits, PreparedQuery

__all__ = ["Judgements"]

MOST_VALUES: Final = 50_000
"""How many values the lists of what is kept may hold in all; a judgement counts as some more."""
_FIXED: Final = 25
_MOST_SPANS: Final = 16
"""Of so many spans of days, and limits, what was prepared is kept for each question."""
_CHARACTERS_OF_A_VALUE: Final = 100
"""A text of so many counts as one value more: whoever asks can make up long ones."""

_T = TypeVar("_T")


class Judgements:
    """Judges what is asked, and keeps what it found.

    Most questions are new, and like many others but for their practices, providers, days or limit.
    So what doesn't hang on these is judged once.

    Args:
        limits: of one query.
        most: how much is kept; see `MOST_VALUES`.
    """

    def __init__(self, limits: Limits, most: int = MOST_VALUES) -> None:
        self._limits = limits
        self._judged: _Kept[Judged] = _Kept(most)
        self._alike: _Kept[_Alike] = _Kept(most)
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
        about = (grant, form.question)
        key = (about, form.span, form.rows)
        known = self._judged.get(key, schema)
        if known is not None:
            require_grant(grant, now)
            return known
        if grant.directory is not self._directory:  # the grants before count no more
            self._directory = grant.directory
            self._judged.clear()
            self._alike.clear()
        alike = self._alike.get(about, schema)
        if alike is None:
            alike, judged = self._judge_first(asked, form, grant, datasource, schema, now)
            self._alike.put(about, schema, alike, alike.weight)
        else:
            judged = self._judge_alike(alike, form, asked.query, datasource, schema, now)
        weight = alike.weight + form.listed + form.characters // _CHARACTERS_OF_A_VALUE
        self._judged.put(key, schema, judged, weight)
        return judged

    def _judge_first(
        self,
        asked: Asked,
        form: ExactForm,
        grant: Grant,
        datasource: Datasource,
        schema: Schema,
        now: datetime,
    ) -> tuple[_Alike, Judged]:
        found = self._judge(asked, grant, datasource, schema, now)
        is_brief = not asked.query.where and _characters(form.question) <= LONGEST
        judged = Judged(
            settled(asked), found.prepared, found.narrowed, is_brief=is_brief and _are_few(form)
        )
        weight = _FIXED + form.values + _characters(form.question) // _CHARACTERS_OF_A_VALUE
        rowless = settled(asked, form._replace(rows=(None, None)))
        prepared = {form.span: found.prepared}
        return _Alike(rowless, found.narrowed.ground, prepared, weight, is_brief), judged

    def _judge_alike(
        self,
        alike: _Alike,
        form: ExactForm,
        query: Query,
        datasource: Datasource,
        schema: Schema,
        now: datetime,
    ) -> Judged:
        """In the same order as if nothing were known: of what is known nothing is wrong."""
        practices, providers = form.rows
        check_lengths(query, self._limits)
        narrowed = alike.ground.narrow(practices, providers, now)
        prepared = alike.prepared.get(form.span)
        if prepared is None:
            asked = alike.asked
            some = next(iter(alike.prepared.values()))
            if asked.wanted == "rows":
                prepared = prepare_span(some, query, schema, datasource)
            else:
                prepared = prepare_asked(settled(asked, form), schema, datasource, self._limits)
            if len(alike.prepared) >= _MOST_SPANS:
                alike.prepared.clear()
            alike.prepared[form.span] = prepared
        is_brief = alike.is_brief and _are_few(form)
        return Judged(partial(settled, alike.asked, form), prepared, narrowed, is_brief=is_brief)

    def _judge(
        self, asked: Asked, grant: Grant, datasource: Datasource, schema: Schema, now: datetime
    ) -> Judged:
        return judge(
            asked, grant, datasource=datasource, schema=schema, limits=self._limits, now=now
        )


class _Alike(NamedTuple):
    """What is known of questions that differ by practices, providers, days and limit at most.

    Attributes:
        asked: one of them, with tuples for lists, and without practices and providers.
        ground: what the grant is worth to them.
        prepared: by first and last day and limit, what was made of some.
        weight: how much each of them is, its practices and providers left aside.
        is_brief: whether each of them is so small that it may be told later, likewise.
    """

    asked: Asked
    ground: Ground
    prepared: dict[tuple[Any, Any, Any], PreparedQuery]
    weight: int
    is_brief: bool


def _are_few(form: ExactForm) -> bool:
    """Whether practices and providers are as few, and their texts as short, as an audit line has.

    Whoever asks can make up names of a megabyte, of which a line has the beginning.
    """
    return form.listed <= MOST_LISTED and form.characters <= LONGEST


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
        if self.weight > self._most:
            self._make_room()

    def _make_room(self) -> None:
        """Let several go at a time: a dictionary takes long to find its first."""
        items, enough = self._items, self._most - self._most // 16
        going = []
        for key, item in items.items():
            if self.weight <= enough:
                break
            self.weight -= item[2]
            going.append(key)
        for key in going:
            del items[key]

    def clear(self) -> None:
        self._items.clear()
        self.weight = 0
