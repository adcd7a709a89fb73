"""What somebody asks for: `Query`, `Filter`, `Order`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any, Final

__all__ = ["AGGREGATES", "NULL", "OPERATORS", "Filter", "Null", "Order", "Query"]

OPERATORS: Final = (
    "eq",
    "neq",
    "gt",
    "gte",
    "lt",
    "lte",
    "in",
    "not_in",
    "like",
    "between",
    "is_null",
    "not_null",
)
AGGREGATES: Final = ("sum", "avg", "count", "min", "max")


class Null(Enum):
    """The type of ``NULL``."""

    NULL = "NULL"

    def __repr__(self) -> str:
        return "NULL"


NULL: Final = Null.NULL
"""Names rows without a value: as a measure or a frequency, where None means "not given", and among
the values of ``in``."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on one column; several hold together.

    Args:
        column: any column of the data source, role columns included.
        op: one of ``OPERATORS``. ``like`` is a caseless "contains"; comparisons with NULL are
            not true, as in SQL.
        value: a value for most; a list for ``in`` and ``not_in``; two for ``between`` (both
            inclusive); nothing for ``is_null`` and ``not_null``. Text is read strictly as the
            column's type. A ``NULL`` in the list of ``in`` lets rows without a value pass, too.
    """

    column: str
    op: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Order:
    """One column of the answer to order by; NULLs come last ascending, first descending."""

    column: str
    descending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question to one partition of one data source.

    Nothing is checked here but by `warmcube.query.prepare`, which knows the data source.

    Args:
        datasource: the id of a configured data source.
        measure: which measure; ``NULL`` for the rows without one; None only where the data
            source has no measure column.
        frequency: which frequency, likewise.
        organization: only practices of this organization and those below it; None is no filter.
        practices: only these practices; None is no filter, ``[]`` is none of them.
        providers: only these providers; None is no filter, ``[]`` is none of them.
        start: first day, inclusive, as a date or ISO text.
        end: last day, inclusive.
        where: further conditions.
        group_by: columns to group by; needs `aggregate`.
        aggregate: one of ``AGGREGATES``, over the value column. Its column in the answer bears
            its name.
        order_by: column names, or `Order` for descending; ``"-name"`` is short for that.
        limit: at most so many rows, after ordering.
    """

    datasource: int
    measure: str | int | Null | None = None
    frequency: str | int | Null | None = None
    organization: str | None = None
    practices: Sequence[Any] | None = None
    providers: Sequence[Any] | None = None
    start: date | str | None = None
    end: date | str | None = None
    where: Sequence[Filter] = ()
    group_by: Sequence[str] = ()
    aggregate: str | None = None
    order_by: Sequence[str | Order] = ()
    limit: int | None = None
