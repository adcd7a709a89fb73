"""Conditions on columns, evaluated with SQL's three-valued logic: NULL compares as not true.

Every comparison comes down to two tests against a `Span`: is a row's value at least its low end,
is it at most its high end. So fractions in integer columns and whole days of instants need no
rules of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from warmcube.model.columns import Array, ColumnData, Table
from warmcube.model.schema import Kind
from warmcube.query.ranking import used_codes
from warmcube.query.textform import distinct_texts
from warmcube.query.values import Span

__all__ = ["Condition", "matching_rows"]

Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Condition:
    """One typed condition on one column.

    Attributes:
        column: its name.
        op: one of `warmcube.model.request.OPERATORS`.
        spans: what is compared with, none for ``like``, ``is_null`` and ``not_null``. For
            ``between`` two, for ``in`` and ``not_in`` any number, else one.
        needle: what ``like`` looks for, case-folded.
        or_null: whether rows without a value fulfil it, too.
    """

    column: str
    op: str
    spans: tuple[Span, ...] = ()
    needle: str = ""
    or_null: bool = False


def matching_rows(table: Table, conditions: tuple[Condition, ...]) -> Mask | None:
    """True for each row that fulfils all conditions; None if there are no conditions."""
    found: Mask | None = None
    for condition in conditions:
        mask = _evaluate(table.columns[condition.column], condition)
        found = mask if found is None else found & mask
    return found


def _evaluate(column: ColumnData, condition: Condition) -> Mask:
    valid = column.valid
    if condition.op == "is_null":
        return np.zeros(len(column), np.bool_) if valid is None else ~valid
    if condition.op == "not_null":
        return np.ones(len(column), np.bool_) if valid is None else valid
    if column.type.kind is Kind.TEXT:
        found = _on_text(column, condition)
    elif condition.op == "like":
        texts, rows = distinct_texts(column)
        found = np.array([condition.needle in text.casefold() for text in texts], np.bool_)[rows]
    else:
        found = _TESTS[condition.op](column.values, condition.spans)
    if valid is None:
        return found
    return found | ~valid if condition.or_null else found & valid


def _on_text(column: ColumnData, condition: Condition) -> Mask:
    """Decide on each text in use once, and map the rows by their codes."""
    dictionary: Any = column.dictionary
    codes, used = used_codes(column)
    if not len(used):
        return np.zeros(len(column), np.bool_)
    words = [dictionary[code] for code in used.tolist()]
    by_code = np.zeros(len(dictionary), np.bool_)
    by_code[used] = _text_hits(words, condition)
    return by_code[codes]


def _text_hits(words: list[str], condition: Condition) -> list[bool]:
    """Python compares text by code point, as our rule says."""
    given = [span.low for span in condition.spans]
    if condition.op == "like":
        return [condition.needle in word.casefold() for word in words]
    if condition.op in ("in", "not_in"):
        wanted = set(given)
        return [(word in wanted) is (condition.op == "in") for word in words]
    test = _TEXT_TESTS[condition.op]
    return [test(word, *given) for word in words]


_TEXT_TESTS: Final[Mapping[str, Callable[..., bool]]] = {
    "eq": lambda word, given: word == given,
    "neq": lambda word, given: word != given,
    "gt": lambda word, given: word > given,
    "gte": lambda word, given: word >= given,
    "lt": lambda word, given: word < given,
    "lte": lambda word, given: word <= given,
    "between": lambda word, least, greatest: least <= word <= greatest,
}


def _at_least(values: Array, low: Any) -> Mask:
    if isinstance(low, float):
        # NaN is the greatest: it isn't less than anything, and only NaN is at least NaN.
        return np.isnan(values) if math.isnan(low) else ~(values < low)
    return np.asarray(values >= low, np.bool_)


def _at_most(values: Array, high: Any) -> Mask:
    if isinstance(high, float) and math.isnan(high):
        return np.ones(len(values), np.bool_)
    return np.asarray(values <= high, np.bool_)


def _equals(values: Array, span: Span) -> Mask:
    if span.low == span.high:
        return np.asarray(values == span.low, np.bool_)
    return _at_least(values, span.low) & _at_most(values, span.high)


def _is_among(values: Array, spans: tuple[Span, ...]) -> Mask:
    points = [span.low for span in spans if span.low == span.high]
    found = np.zeros(len(values), np.bool_)
    if points and values.dtype == np.object_:
        wanted = set(points)
        found = np.fromiter((value in wanted for value in values.tolist()), np.bool_, len(values))
    elif points:
        found = np.isin(values, np.array(points, values.dtype))
    days = sorted((span.low, span.high) for span in spans if span.low < span.high)
    if days:
        # Whole days of instants: the end of one is never after the start of a later one.
        starts, ends = np.array(days, np.int64).T
        nearest = np.maximum(np.searchsorted(starts, values, side="right") - 1, 0)
        found |= (values >= starts[nearest]) & (values <= ends[nearest])
    if any(isinstance(span.low, float) and math.isnan(span.low) for span in spans):
        found |= np.isnan(values)
    return found


_TESTS: Final[Mapping[str, Callable[[Array, tuple[Span, ...]], Mask]]] = {
    "eq": lambda values, spans: _equals(values, spans[0]),
    "neq": lambda values, spans: ~_equals(values, spans[0]),
    "gt": lambda values, spans: ~_at_most(values, spans[0].high),
    "gte": lambda values, spans: _at_least(values, spans[0].low),
    "lt": lambda values, spans: ~_at_least(values, spans[0].low),
    "lte": lambda values, spans: _at_most(values, spans[0].high),
    "between": lambda values, spans: (
        _at_least(values, spans[0].low) & _at_most(values, spans[1].high)
    ),
    "in": _is_among,
    "not_in": lambda values, spans: ~_is_among(values, spans),
}
