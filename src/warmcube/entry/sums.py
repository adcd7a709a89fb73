"""Practice-level sums: what adds up over all providers of one practice, by date.

Beside its entries a practice may have one more value under ``…:p:<practice>:sums``, and a whole
partition one under ``…:sums``. It is made like an entry, ``seal | header | records``, with the code
of NULL where an entry has its provider's, and one record for each date (NULL is one, too):

======== ==================== =============================================================
name     in the record        what it is
======== ==================== =============================================================
date     as in an entry       left out where the table has no date column
count    int32                how many values there are; of rows, without a value column
sum      int64                of the values, at the column's scale; integers as they are
least    as in an entry       the least of the values
greatest as in an entry       the greatest of them
======== ==================== =============================================================

Without a value column there is only the count. Where there is no value, `count` is 0 and the other
three mean nothing. A sum that isn't finite is the reserved value that Postgres's sum would be. So
adding up sums is adding up a column of numerics, and only what surely fits int64 is written at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from warmcube.entry.layout import Field, Layout
from warmcube.model.schema import NARROW_PRECISION, ColumnType, Kind, Roles

__all__ = ["SumsForm", "sums_form"]

_COUNT: Final = ColumnType(Kind.INTEGER)


@dataclass(frozen=True)
class SumsForm:
    """How the sums of one snapshot's partitions are laid out.

    Attributes:
        layout: of a record.
        date: name of the date column; None without one.
        value: name of the value column; None where rows are counted.
    """

    layout: Layout
    date: str | None
    value: str | None

    @property
    def count(self) -> int:
        """Position of the count in the layout."""
        return 0 if self.date is None else 1

    def position(self, function: str) -> int:
        """Position of what an aggregate is made from.

        Args:
            function: one of `warmcube.model.request.AGGREGATES`.
        """
        return self.count + {"count": 0, "sum": 1, "avg": 1, "min": 2, "max": 3}[function]


def sums_form(layout: Layout, roles: Roles) -> SumsForm | None:
    """How practice-level sums of a table look; None where it has none.

    There are none without practices and providers, of dates that aren't days or instants, and of
    values that are neither integers nor numerics of up to 18 digits: sums of floats depend on the
    order in which they are added.

    Args:
        layout: of the table's entries.
        roles: which column plays which role.
    """
    named = [name for name in (roles.practice, roles.provider, roles.date, roles.value) if name]
    if roles.practice is None or roles.provider is None or len(set(named)) < len(named):
        return None
    fields: list[Field] = []
    carried = {each.name: each for each in layout.fields}
    if roles.date is not None:
        date = carried.get(roles.date)
        if date is None or not (date.type.kind is Kind.DATE or date.type.kind.is_instant):
            return None
        fields.append(replace(date, name="date"))
    fields.append(Field("count", _COUNT, nullable=False))
    if roles.value is not None:
        value = carried.get(roles.value)
        total = None if value is None else _sum_type(value.type)
        if value is None or total is None:
            return None
        fields.append(Field("sum", total, nullable=False))
        fields += [replace(value, name=each, nullable=False) for each in ("least", "greatest")]
    return SumsForm(Layout(tuple(fields)), roles.date, roles.value)


def _sum_type(value: ColumnType) -> ColumnType | None:
    if value.kind.is_integer:
        return ColumnType(Kind.BIGINT)
    if value.kind is Kind.NUMERIC and not value.is_wide:
        return ColumnType(Kind.NUMERIC, NARROW_PRECISION, value.scale)
    return None
