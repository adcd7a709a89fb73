"""Expected values from text by plain Python constructors, and how answers are compared."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias
from uuid import UUID

from tests.support.oracle_sql import SIZE
from tests.support.tables import Sample

from warmcube.model.request import Query
from warmcube.model.schema import Kind

__all__ = ["Row", "difference", "expected_rows"]

Row: TypeAlias = dict[str, Any]

_CALENDAR: Final = re.compile(r"\d{4}-\d\d-\d\d([ T].*)?(?<!BC)")


def expected_rows(
    sample: Sample, query: Query, rows: Iterable[Mapping[str, str | None]]
) -> list[Row]:
    """Rows of text as rows of what warmcube is to answer.

    The size of a sum of floats stays in the row, under `SIZE`.
    """
    kinds = {column.name: column.kind for column in sample.columns}
    found = []
    for row in rows:
        made: Row = {}
        for name, text in row.items():
            if name == SIZE:
                made[name] = float(text or 0)
            elif query.aggregate is not None and name not in query.group_by:
                made[name] = _aggregate(sample, query.aggregate, text)
            else:
                made[name] = _value(kinds[name], text)
        found.append(made)
    return found


def _aggregate(sample: Sample, function: str, text: str | None) -> Any:
    role = sample.roles.value
    if function == "count" or role is None:
        return _value(Kind.BIGINT, text)
    kind = sample.column(role).kind
    if function in ("min", "max") or kind.is_float:
        return _value(kind, text)
    if function == "sum" and kind in (Kind.SMALLINT, Kind.INTEGER):
        return _value(Kind.BIGINT, text)
    return _value(Kind.NUMERIC, text)


def _value(kind: Kind, text: str | None) -> Any:
    if text is None or kind is Kind.TEXT:
        return text
    if kind is Kind.DATE or kind.is_instant:
        return _moment(text, date if kind is Kind.DATE else datetime)
    return _MAKERS[kind](text)


def _moment(text: str, type: type[date]) -> date | str:
    """Text where Python's calendar ends."""
    if not _CALENDAR.fullmatch(text):
        return text
    moment = type.fromisoformat(text)
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        return moment.astimezone(UTC)
    return moment


_MAKERS: Final[Mapping[Kind, Callable[[str], Any]]] = {
    Kind.SMALLINT: int,
    Kind.INTEGER: int,
    Kind.BIGINT: int,
    Kind.REAL: float,
    Kind.DOUBLE: float,
    Kind.NUMERIC: Decimal,
    Kind.BOOLEAN: {"true": True, "false": False}.__getitem__,
    Kind.UUID: UUID,
}


@dataclass(frozen=True, slots=True)
class _Form:
    """How the values of one column are told apart.

    Attributes:
        is_rounded: a sum of floats, which is compared by tolerance.
        is_signed: whether -0 isn't 0; among equal values an aggregate may take any.
        is_scaled: whether a numeric's scale counts.
    """

    is_rounded: bool
    is_signed: bool
    is_scaled: bool

    def key(self, value: Any) -> tuple[str, object]:
        """Equal exactly for values equal in value and type."""
        if isinstance(value, float):
            shown = value if self.is_signed else value + 0.0
            return "float", "rounded" if self.is_rounded else repr(shown)
        if isinstance(value, Decimal):
            return "Decimal", str(value) if self.is_scaled else _plain(value)
        if isinstance(value, datetime):
            return type(value).__name__, (str(value), value.tzinfo is UTC)
        return type(value).__name__, value


def _plain(value: Decimal) -> str:
    if not value.is_finite():
        return str(value)
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _forms(sample: Sample, query: Query) -> dict[str, _Form]:
    forms = {
        column.name: _Form(
            is_rounded=False,
            is_signed=query.aggregate is None,
            is_scaled=not column.is_unconstrained,
        )
        for column in sample.columns
    }
    if query.aggregate is None:
        return forms
    grouped = {name: forms[name] for name in query.group_by}
    role = sample.roles.value
    value = None if role is None else sample.column(role)
    name = query.aggregate
    while name in grouped:
        name += "_"
    grouped[name] = _Form(
        is_rounded=value is not None and value.kind.is_float and query.aggregate in ("sum", "avg"),
        is_signed=False,
        is_scaled=value is not None and not value.is_unconstrained and query.aggregate != "avg",
    )
    return grouped


def difference(
    sample: Sample, query: Query, answer: Sequence[Row], expected: Sequence[Row]
) -> str | None:
    """In what an answer differs from what SQL says, or None.

    Args:
        sample: the table.
        query: what was asked.
        answer: to judge.
        expected: all rows, in the query's order, but without its limit.
    """
    forms = _forms(sample, query)
    names = list(forms)
    for row in answer:
        if list(row) != names:
            return f"the columns are {list(row)}, not {names}"
    wanted = len(expected) if query.limit is None else min(query.limit, len(expected))
    if len(answer) != wanted:
        return f"there are {len(answer)} rows, not {wanted}"
    answered = [tuple(forms[name].key(row[name]) for name in names) for row in answer]
    known = [tuple(forms[name].key(row[name]) for name in names) for row in expected]
    surplus = Counter(answered) - Counter(known)
    if surplus:
        missing = list((Counter(known) - Counter(answered)).items())[:2]
        return f"rows that SQL hasn't: {list(surplus.items())[:2]}; missing: {missing}"
    ordered = [
        name if name in forms else name.removeprefix("-")
        for name in (item if isinstance(item, str) else item.column for item in query.order_by)
    ]
    # Equal values that print differently (0 and -0) may stand in any order.
    loose = {name: _Form(is_rounded=True, is_signed=False, is_scaled=False) for name in ordered}
    for place, (row, other) in enumerate(zip(answer, expected, strict=False)):
        for name in ordered:
            exact = loose[name].key if not isinstance(row[name], float) else _float_key
            if exact(row[name]) != exact(other[name]):
                return f"row {place} is {row}, and should be {other}"
    return _rounding(sample, query, answer, expected, forms)


def _float_key(value: Any) -> object:
    return repr(value + 0.0) if isinstance(value, float) else value


def _tolerance(kind: Kind, function: str, rows: int) -> float:
    """In relation to the sum of the sizes: that of the additions, and of rounding to a real."""
    is_real = kind is Kind.REAL and function == "sum"
    return rows * 2.0**-52 + (2.0**-23 if is_real else 0)


def _rounding(
    sample: Sample,
    query: Query,
    answer: Sequence[Row],
    expected: Sequence[Row],
    forms: Mapping[str, _Form],
) -> str | None:
    """Sums of floats: by group, within a tolerance that grows with what was added up."""
    rounded = [name for name, form in forms.items() if form.is_rounded]
    if not rounded:
        return None
    (name,) = rounded
    kind = sample.column(str(sample.roles.value)).kind
    groups = {
        tuple(forms[group].key(row[group]) for group in query.group_by): row for row in expected
    }
    for row in answer:
        other = groups[tuple(forms[group].key(row[group]) for group in query.group_by)]
        found, true = row[name], other[name]
        if found is None or true is None:
            if found is not true:
                return f"{name} is {found}, and should be {true} in {other}"
            continue
        tolerance = _tolerance(kind, str(query.aggregate), len(sample.data)) * other[SIZE]
        is_equal = (
            abs(found - true) <= tolerance
            if math.isfinite(found) and math.isfinite(true)
            else repr(found) == repr(true)
        )
        if not is_equal:
            return f"{name} is {found!r}, and should be {true!r} within {tolerance} in {other}"
    return None
