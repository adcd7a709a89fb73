"""A look at a table's rows, for a first dashboard: which measures, how large, until when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from warmcube.dashboard.guess import MeasureFacts, best_frequency, name_column
from warmcube.dashboard.propose import Facts
from warmcube.model.columns import Array
from warmcube.model.schema import Datasource, Kind, Schema
from warmcube.source.api import PartitionCount, Source, SourceSnapshot

__all__ = ["look"]

_ROWS: Final = 300_000
_ROWS_OF_DATES: Final = 3_000_000
_MEASURES: Final = 50
_UNIT_WORDS: Final = ("type", "unit", "format")
_MICROSECONDS: Final = 86_400_000_000
_LEAST_DAY, _MOST_DAY = (
    (day - date(1970, 1, 1)).days for day in (date(1900, 1, 1), date(2200, 1, 1))
)


async def look(source: Source, datasource: Datasource) -> Facts:
    """What a first dashboard has to know of a data source.

    Raises:
        TableMismatch: there is no such table, or a column is missing.
        SourceUnavailable: the database can't be reached.
    """
    async with source.snapshot(datasource) as snapshot:
        counts = await snapshot.count_by_partition()
        seen = await asyncio.to_thread(_read, snapshot, datasource)
    return _facts(datasource, counts, seen)


class _Seen:
    """The first rows, and the days of many more."""

    def __init__(self, schema: Schema, datasource: Datasource) -> None:
        roles = datasource.roles
        texts = [
            each.name
            for each in schema.columns
            if each.type.kind is Kind.TEXT and each.name.strip() and each.name.isprintable()
        ]
        wanted = {roles.measure, roles.frequency, roles.provider, roles.value, *texts}
        self.schema = schema
        self.roles = roles
        self.texts = texts
        self.columns = [name for name in schema.names if name in wanted]
        self.batches: list[pa.RecordBatch] = []
        self.rows = 0
        self.days: list[int] = []

    def take(self, batch: pa.RecordBatch) -> None:
        """One more batch."""
        if self.rows < _ROWS:
            self.batches.append(batch.select(self.columns))
        self.rows += batch.num_rows
        if self.roles.date is not None:
            days = batch.column(self.roles.date).drop_null().to_numpy(zero_copy_only=False)
            if self.schema[self.roles.date].type.kind.is_instant:
                days = days // _MICROSECONDS
            days = days[(days > _LEAST_DAY) & (days < _MOST_DAY)]
            if len(days):
                self.days += [int(days.min()), int(days.max())]


def _read(snapshot: SourceSnapshot, datasource: Datasource) -> _Seen:
    """Blocks."""
    seen = _Seen(snapshot.schema, datasource)
    for batch in snapshot.batches():
        seen.take(batch)
        if seen.rows >= _ROWS_OF_DATES:
            break
    return seen


def _facts(datasource: Datasource, counts: Sequence[PartitionCount], seen: _Seen) -> Facts:
    roles = datasource.roles
    frequency = None
    if roles.frequency is not None:
        frequency = best_frequency(
            (each.name.frequency, each.rows) for each in counts if each.name.frequency is not None
        )
    names = {
        role: found
        for role in ("practice", "provider")
        if (column := getattr(roles, role)) is not None
        and (found := name_column(column, seen.texts)) is not None
    }
    played = {
        getattr(roles, role)
        for role in ("measure", "practice", "provider", "frequency", "date", "value")
    }
    free = [name for name in seen.texts if name not in played and name not in names.values()]
    rows = _Rows(seen, frequency)
    unit = next((each for each in free if any(word in each.lower() for word in _UNIT_WORDS)), None)
    wanted = [
        each.name.measure
        for each in sorted(counts, key=lambda each: (-each.rows, each.name.measure or ""))
        if each.name.frequency == frequency
        and (roles.measure is None or each.name.measure is not None)
    ]
    return Facts(
        datasource=datasource,
        frequency=frequency,
        measures=[rows.measure(name, unit) for name in dict.fromkeys(wanted[:_MEASURES])],
        kinds={name: rows.kinds(name) for name in free if name != unit},
        names=names,
        first=_day(min(seen.days, default=None)),
        last=_day(max(seen.days, default=None)),
        repeats=rows.repeats(),
    )


class _Rows:
    """The rows of one frequency among the first ones."""

    def __init__(self, seen: _Seen, frequency: str | None) -> None:
        self.roles = seen.roles
        self.table: Any = pa.Table.from_batches(seen.batches) if seen.batches else None
        if self.table is not None and frequency is not None:
            column = pc.cast(self.table.column(seen.roles.frequency), pa.string())
            self.table = self.table.filter(pc.equal(column, frequency))
        kind = None if seen.roles.value is None else seen.schema[seen.roles.value].type
        self.is_number = kind is not None and kind.kind.is_number and not kind.is_wide
        self.scale = 0 if kind is None else kind.scale

    def measure(self, name: str | None, unit: str | None) -> MeasureFacts:
        """What the rows of one measure tell."""
        if self.table is None:
            return MeasureFacts(name=name)
        rows = self.table
        if name is not None:
            column = pc.cast(rows.column(self.roles.measure), pa.string())
            rows = rows.filter(pc.equal(column, name))
        said = None if unit is None or not rows.num_rows else rows.column(unit)[0].as_py()
        values = self._values(rows)
        if not len(values):
            return MeasureFacts(name=name, unit=said)
        return MeasureFacts(
            name=name,
            unit=said,
            least=float(values.min()),
            most=float(values.max()),
            is_whole=bool((values == np.rint(values)).all()),
            total=float(values.sum()),
        )

    def kinds(self, column: str) -> int:
        """How many different values a text column has."""
        return (
            0 if self.table is None else int(pc.count_distinct(self.table.column(column)).as_py())
        )

    def repeats(self) -> bool:
        """Whether the rows without a provider come to about as much as all others."""
        if self.table is None or self.roles.provider is None:
            return False
        is_null = pc.is_null(self.table.column(self.roles.provider))
        sums = [
            float(np.abs(self._values(self.table.filter(mask))).sum())
            for mask in (is_null, pc.invert(is_null))
        ]
        return bool(sums[1]) and 0.5 < sums[0] / sums[1] < 2

    def _values(self, rows: Any) -> Array:
        if not self.is_number:
            return np.array([])
        column = rows.column(self.roles.value).drop_null()
        values: Array = column.to_numpy().astype(np.float64) / 10**self.scale
        usable: Array = np.isfinite(values) & (np.abs(values) < 2.0**62 / 10**self.scale)
        kept: Array = values[usable]
        return kept


def _day(number: int | None) -> date | None:
    return None if number is None else date(1970, 1, 1) + timedelta(days=number)
