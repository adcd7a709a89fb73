"""What the database gives for reads that the cache can't answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from warmcube.errors import AccessDenied, SourceUnavailable, WarmcubeError
from warmcube.fallback.shared import Asker, SharedReads, SharedRows, Slice
from warmcube.model.columns import Table
from warmcube.model.schema import Datasource, Schema
from warmcube.query.answering import DatabaseMoment, ReadRequest, whose_turn
from warmcube.query.deadline import time_left
from warmcube.query.distinct import partitions_table
from warmcube.query.judge import Judged
from warmcube.query.prepared import Extent

__all__ = ["FallbackReader", "FallenBack", "Judge", "Judgement", "judge_each"]

ATTEMPTS: Final = 3
"""How often a read is begun when the table's columns change under it."""

AT_ONCE: Final = 100
"""How many reads are judged before others may go on."""

Judgement: TypeAlias = Judged | WarmcubeError
Judge: TypeAlias = Callable[[ReadRequest, Schema], Judged]


@dataclass(frozen=True, slots=True)
class FallenBack:
    """What one transaction of the database has given for some reads.

    Attributes:
        judgements: of all of them, in their order.
    """

    judgements: Sequence[Judgement]
    _datasource: Datasource
    _slices: Mapping[Hashable, Slice]
    _found: SharedRows | None

    @property
    def moment(self) -> DatabaseMoment:
        """What the database was when it was read; only for reads that are allowed."""
        assert self._found is not None  # noqa: S101 (else none is allowed)
        return DatabaseMoment(self._found.schema, self._found.as_of, self._found.milliseconds)

    def rows_of(self, judged: Judged) -> Table:
        """The rows that one of the reads that are allowed is evaluated from."""
        assert self._found is not None  # noqa: S101 (as above)
        assert self._found.rows is not None  # noqa: S101 (as above)
        rows = self._found.rows[self._slices[_place_of(judged)]]
        if isinstance(rows, Table):
            return rows
        return partitions_table(rows, judged.prepared, self._datasource)


class FallbackReader:
    """Judges reads by the table's columns, and reads what they may have.

    Args:
        shared: reads the database.
        judge: judges one read by some columns.
    """

    def __init__(self, shared: SharedReads, judge: Judge) -> None:
        self._shared = shared
        self._judge = judge

    async def read(self, requests: Sequence[ReadRequest], known: Schema | None) -> FallenBack:
        """Read for some reads of one data source and one user, all in one transaction.

        What the columns are known to be is only where it begins: they are compared with what the
        transaction sees, and another judgement is made if they differ.

        Args:
            requests: the reads.
            known: the columns as a snapshot has them.

        Raises:
            LimitExceeded: they need too many rows.
            Overloaded: too many read the database.
            QueryTimeout: the deadline has passed.
            SourceError: the database.
        """
        datasource = requests[0].datasource
        expected, is_true = known or self._shared.known(datasource), False
        for _ in range(ATTEMPTS):
            if expected is None:
                expected = await self._shared.schema(datasource, _asker(requests[0]))
                is_true = True
            judgements = await judge_each(self._judge, requests, expected)
            if not is_true and any(map(_may_be_of_other_columns, judgements)):
                expected = await self._shared.schema(datasource, _asker(requests[0]))
                is_true = True
                judgements = await judge_each(self._judge, requests, expected)
            slices = _slices(judgements, expected)
            if not slices:
                return FallenBack(judgements, datasource, {}, None)
            found = await self._shared.read(
                datasource, expected, list(slices.values()), _asker(requests[0])
            )
            if found.schema != expected:
                expected, is_true = found.schema, True
                if found.rows is None:
                    continue
                judgements = await judge_each(self._judge, requests, expected)
            return FallenBack(judgements, datasource, slices, found)
        raise SourceUnavailable(
            f"the columns of {datasource.table} change faster than they can be read; try again "
            "when that is over"
        )


async def judge_each(
    judge: Judge, requests: Sequence[ReadRequest], schema: Schema
) -> list[Judgement]:
    """Judge reads one by one: for each its judgement, or its error."""
    found: list[Judgement] = []
    for request in requests:
        try:
            found.append(judge(request, schema))
        except WarmcubeError as error:
            found.append(error)
        if len(found) % AT_ONCE == 0:
            await asyncio.sleep(0)  # thousands take a second, in which others would wait
    return found


def _asker(request: ReadRequest) -> Asker:
    return Asker(whose_turn(request.grant), time_left(request.until))


def _may_be_of_other_columns(judgement: Judgement) -> bool:
    """Whether it is an error that the table's columns as they are now could spare."""
    return isinstance(judgement, WarmcubeError) and not isinstance(judgement, AccessDenied)


def _slices(judgements: Sequence[Judgement], schema: Schema) -> dict[Hashable, Slice]:
    """What those that are allowed need; reads of the same rows share a slice of all their columns.

    Columns stand in the table's order, so that the same wish is the same slice, whoever has it.
    """
    columns: dict[Hashable, set[str]] = {}
    allowed = [each for each in judgements if isinstance(each, Judged)]
    for each in allowed:
        columns.setdefault(_place_of(each), set()).update(each.prepared.columns)
    found: dict[Hashable, Slice] = {}
    for each in allowed:
        place, scope = _place_of(each), each.narrowed.scope
        if each.prepared.extent is Extent.PARTITIONS:
            found[place] = Slice(None, scope)
        else:
            wanted = tuple(name for name in schema.names if name in columns[place])
            found[place] = Slice(each.partition, scope, wanted)
    return found


def _place_of(judged: Judged) -> Hashable:
    """Equal for reads that are evaluated from the same rows of the database."""
    partition = None if judged.prepared.extent is Extent.PARTITIONS else judged.partition
    return partition, judged.narrowed.scope
