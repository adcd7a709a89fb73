"""Evaluating an answer portion by portion, where no row depends on another. Pure."""

from __future__ import annotations

import dataclasses
import sys

from warmcube.model.columns import Table
from warmcube.model.request import Query
from warmcube.query.evaluate import evaluate
from warmcube.query.prepared import PreparedQuery

__all__ = ["Portions", "can_be_portioned"]


def can_be_portioned(query: Query) -> bool:
    """Whether each row of the answer follows from one row of the partition."""
    return query.aggregate is None and not query.group_by and not query.order_by


class Portions:
    """The answer to a query, from portions of its partition's rows.

    Args:
        prepared: neither grouped nor ordered. Its limit holds for all portions together; the limit
            of rows of one answer doesn't count, since nobody holds them all.
    """

    def __init__(self, prepared: PreparedQuery) -> None:
        limits = dataclasses.replace(prepared.limits, rows=sys.maxsize)
        self._prepared = dataclasses.replace(prepared, limits=limits)

    @property
    def are_over(self) -> bool:
        """Whether no further row can come."""
        return self._prepared.limit == 0

    def evaluate(self, rows: Table) -> Table:
        """What the next portion adds to the answer."""
        answer = evaluate(rows, self._prepared)
        limit = self._prepared.limit
        if limit is not None:
            self._prepared = dataclasses.replace(self._prepared, limit=limit - answer.rows)
        return answer
