"""What is asked, as a key that is equal only for what is judged alike. Pure.

Python holds ``1``, ``True`` and ``1.0`` for equal, which are three things to ask for. So only those
values are taken whose equality says that they are the same; of whatever has others there is no key,
and it is judged anew each time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Sequence
from datetime import date
from decimal import Decimal
from types import NoneType
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

from warmcube.model.request import Filter, Null, Order, Query
from warmcube.query.asked import Asked

__all__ = ["ExactForm", "exact_form", "settled"]

T = TypeVar("T")

_TELLING: Final = frozenset({NoneType, int, str, date, UUID, Null})
"""Types of which two values are equal only if they are of one type and the same; no subclasses."""
_WRITTEN: Final = frozenset({bool, float, Decimal})
"""Types whose equal values may differ; what Python writes tells them apart."""


class ExactForm(NamedTuple):
    """What is asked, in two parts.

    Attributes:
        rows: practices, providers and organization.
        question: all the rest.
        values: how many values the lists hold, for whoever keeps it.
    """

    rows: Hashable
    question: Hashable
    values: int


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
        query.start,
        query.end,
        query.aggregate,
        query.limit,
        query.organization,
        asked.wanted,
        asked.column,
        asked.purpose,
    )
    if not _TELLING.issuperset(map(type, plain)):
        return None
    try:
        practices = None if query.practices is None else _list(query.practices)
        providers = None if query.providers is None else _list(query.providers)
        group_by = _list(query.group_by)
        where = _each(query.where, _filter)
        order_by = _each(query.order_by, _order)
    except _Untold:
        return None
    values = len(practices or ()) + len(providers or ()) + len(group_by) + len(order_by)
    values += sum(len(each[2]) if type(each[2]) is tuple else 1 for each in where)
    return ExactForm((practices, providers, plain[7]), (plain, group_by, where, order_by), values)


def settled(asked: Asked) -> Asked:
    """The same with tuples for lists, so that nobody changes it; only for what has a key."""
    query = asked.query
    return Asked(
        query=Query(
            datasource=query.datasource,
            measure=query.measure,
            frequency=query.frequency,
            organization=query.organization,
            practices=None if query.practices is None else tuple(query.practices),
            providers=None if query.providers is None else tuple(query.providers),
            start=query.start,
            end=query.end,
            where=tuple(map(_settled_filter, query.where)),
            group_by=tuple(query.group_by),
            aggregate=query.aggregate,
            order_by=tuple(query.order_by),
            limit=query.limit,
        ),
        wanted=asked.wanted,
        column=asked.column,
        purpose=asked.purpose,
    )


def _settled_filter(item: Filter) -> Filter:
    if type(item.value) is list:
        return dataclasses.replace(item, value=tuple(item.value))
    return item


def _sequence(given: Any) -> Sequence[Any]:
    if type(given) is list or type(given) is tuple:
        return given
    raise _Untold


def _list(given: Any) -> tuple[Any, ...]:
    items = tuple(_sequence(given))
    if items and not _TELLING.issuperset(map(type, items)):
        raise _Untold
    return items


def _each(given: Any, form: Callable[[Any], T]) -> tuple[T, ...]:
    items = _sequence(given)
    return tuple(map(form, items)) if items else ()


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
