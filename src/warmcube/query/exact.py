"""What is asked, as a key that is equal only for what is judged alike. Pure.

Python holds ``1``, ``True`` and ``1.0`` for equal, which are three things to ask for. So only those
values are taken whose equality says that they are the same; of whatever has others there is no key,
and it is judged anew each time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from datetime import date
from decimal import Decimal
from types import NoneType
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from warmcube.model.request import Filter, Null, Order, Query
from warmcube.query.asked import Asked

__all__ = ["ExactForm", "Rows", "exact_form", "settled"]

_TELLING: Final = frozenset({NoneType, int, str, date, UUID, Null})
"""Types of which two values are equal only if they are of one type and the same; no subclasses."""
_LISTS: Final = frozenset({list, tuple})
_WRITTEN: Final = frozenset({bool, float, Decimal})
"""Types whose equal values may differ; what Python writes tells them apart."""


Rows: TypeAlias = tuple[tuple[Any, ...] | None, tuple[Any, ...] | None]
"""Practices and providers; None is no filter."""


class ExactForm(NamedTuple):
    """What is asked, in parts of which each hangs on fewer things than the whole.

    Attributes:
        question: all but the rest.
        span: first and last day, and the limit: what somebody changes who looks around.
        rows: practices and providers.
        values: how many values the lists of the question hold, for whoever keeps it.
        listed: how many practices and providers there are.
        characters: how many those of them have that are texts.
    """

    question: Hashable
    span: tuple[Any, Any, Any]
    rows: Rows
    values: int
    listed: int
    characters: int


class _Untold(Exception):
    """A value that a key can't hold."""


def exact_form(asked: Asked) -> ExactForm | None:
    """The key of what is asked; None where there is none."""
    query = asked.query
    if type(query) is not Query:
        return None
    plain = (
        query.datasource,
        query.measure,
        query.frequency,
        query.aggregate,
        query.organization,
        asked.wanted,
        asked.column,
        asked.purpose,
    )
    span = (query.start, query.end, query.limit)
    if not (_TELLING.issuperset(map(type, plain)) and _TELLING.issuperset(map(type, span))):
        return None
    group_by, where, order_by = query.group_by, query.where, query.order_by
    if not _LISTS.issuperset((type(group_by), type(where), type(order_by))):
        return None
    question: Hashable = plain
    values = 0
    try:
        practices, listed, characters = _ids(query.practices)
        providers, more, further = _ids(query.providers)
        if group_by or where or order_by:
            by, conditions = _list(group_by), tuple(map(_filter, where))
            question = (plain, by, conditions, tuple(map(_order, order_by)))
            values = len(by) + len(order_by)
            values += sum(len(each[2]) if type(each[2]) is tuple else 1 for each in conditions)
    except _Untold:
        return None
    rows = (practices, providers)
    return ExactForm(question, span, rows, values, listed + more, characters + further)


def settled(asked: Asked, form: ExactForm | None = None) -> Asked:
    """The same with tuples for lists, so that nobody changes it; only for what has a key.

    Args:
        asked: what is asked.
        form: of a question that differs from it by its span and its rows at most, which are to
            be that one's; None for its own.
    """
    query = asked.query
    practices, providers = query.practices, query.providers
    start, end, limit = query.start, query.end, query.limit
    if form is not None:
        (practices, providers), (start, end, limit) = form.rows, form.span
    return Asked(
        query=Query(
            datasource=query.datasource,
            measure=query.measure,
            frequency=query.frequency,
            organization=query.organization,
            practices=None if practices is None else tuple(practices),
            providers=None if providers is None else tuple(providers),
            start=start,
            end=end,
            where=tuple(map(_settled_filter, query.where)),
            group_by=tuple(query.group_by),
            aggregate=query.aggregate,
            order_by=tuple(query.order_by),
            limit=limit,
        ),
        wanted=asked.wanted,
        column=asked.column,
        purpose=asked.purpose,
    )


def _settled_filter(item: Filter) -> Filter:
    if type(item.value) is list:
        return dataclasses.replace(item, value=tuple(item.value))
    return item


def _list(given: Any) -> tuple[Any, ...]:
    if type(given) not in _LISTS:
        raise _Untold
    items = tuple(given)
    if items and not _TELLING.issuperset(map(type, items)):
        raise _Untold
    return items


def _ids(given: Any) -> tuple[tuple[Any, ...] | None, int, int]:
    """The items of a list, how many they are, and how many characters their texts have."""
    if given is None:
        return None, 0, 0
    if type(given) not in _LISTS:
        raise _Untold
    items = tuple(given)
    kinds = set(map(type, items))
    if not kinds <= _TELLING:
        raise _Untold
    characters = sum(len(each) for each in items if type(each) is str) if str in kinds else 0
    return items, len(items), characters


def _filter(item: Any) -> tuple[Any, ...]:
    if type(item) is not Filter or type(item.column) is not str or type(item.op) is not str:
        raise _Untold
    value, kind = item.value, type(item.value)
    if kind in _WRITTEN:
        return item.column, item.op, (kind, repr(value))
    if kind in _TELLING:
        return item.column, item.op, value
    return item.column, item.op, _list(value)


def _order(item: Any) -> Hashable:
    if type(item) is str:
        return item
    if type(item) is Order and type(item.column) is str and type(item.descending) is bool:
        return item.column, item.descending
    raise _Untold
