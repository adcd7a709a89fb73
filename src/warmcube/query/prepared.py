"""What `warmcube.query.prepare` makes of a query: checked, typed, ready to be evaluated."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from warmcube.entry.keys import PartitionName
from warmcube.model.schema import ColumnType, Schema
from warmcube.query.conditions import Condition

__all__ = ["Aggregation", "Extent", "Limits", "Ordering", "PreparedQuery"]


class Extent(Enum):
    """What has to be read for an answer.

    Attributes:
        ROWS: the rows of the scope in one partition.
        IDS: the practices, or the providers, that have such rows; the index sets tell.
        PARTITIONS: the partitions that have rows of the scope; their index sets tell.
    """

    ROWS = "rows"
    IDS = "ids"
    PARTITIONS = "partitions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one query may ask for; an excess is an error, never a cut answer."""

    rows: int = 1_000_000  # of one answer
    groups: int = 100_000
    list: int = 10_000  # values in one filter
    conditions: int = 50


@dataclass(frozen=True, slots=True)
class Aggregation:
    """One aggregate over the value column.

    Attributes:
        function: one of `warmcube.model.request.AGGREGATES`.
        column: the value column; None for a count of rows.
        name: what its column in the answer is called.
        type: of the result. An average of integers or numerics is a numeric whose precision and
            scale depend on its values, as in Postgres: there the answer's table says which.
    """

    function: str
    column: str | None
    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class Ordering:
    """One column of the answer to order by."""

    column: str
    descending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedQuery:
    """A checked query; equal ones have equal answers over the same rows.

    Attributes:
        datasource: its id.
        measure: canonical text; None for rows without one, or a table without measures.
        frequency: likewise.
        conditions: all that rows must fulfil, the date range included.
        dates: of the date range the least and the greatest value in the date column's storage
            form, inclusive, None where open; None if there is no range. It says nothing that
            `conditions` don't; it is there to leave out what can't match before reading it.
        columns: those that evaluation needs, in the table's order.
        group_by: columns to group by.
        aggregate: what to compute for each group, or over all rows.
        order: columns to order the answer by.
        limit: at most so many rows.
        output: the answer's columns; for the type of an average see `Aggregation`.
        limits: what was checked, and what the evaluation checks.
        extent: what has to be read.
        fixed: only for `Extent.PARTITIONS`, where `measure` and `frequency` say nothing: role and
            canonical text of what must be so of a partition.
    """

    datasource: int
    measure: str | None
    frequency: str | None
    conditions: tuple[Condition, ...]
    dates: tuple[int | None, int | None] | None
    columns: tuple[str, ...]
    group_by: tuple[str, ...]
    aggregate: Aggregation | None
    order: tuple[Ordering, ...]
    limit: int | None
    output: Schema
    limits: Limits
    extent: Extent = Extent.ROWS
    fixed: tuple[tuple[str, str | None], ...] = ()
    # Asked for at every read: answers are kept, and partitions held, under them.
    _hash: int | None = field(init=False, default=None, compare=False, repr=False)
    _partition: PartitionName | None = field(init=False, default=None, compare=False, repr=False)

    @property
    def partition(self) -> PartitionName:
        """Where its rows are; for `Extent.PARTITIONS` it says nothing."""
        known = self._partition
        if known is None:
            known = PartitionName(self.measure, self.frequency)
            object.__setattr__(self, "_partition", known)
        return known

    def __hash__(self) -> int:
        known = self._hash
        if known is None:
            known = hash(
                (
                    self.datasource,
                    self.measure,
                    self.frequency,
                    self.conditions,
                    self.dates,
                    self.columns,
                    self.group_by,
                    self.aggregate,
                    self.order,
                    self.limit,
                    self.extent,
                    self.fixed,
                )
            )  # the output follows from these, and the limits are those of the process
            object.__setattr__(self, "_hash", known)
        return known
