"""What the database says of one partition, kept while its cases are tried."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from warmcube.model.schema import Datasource
from warmcube.prove.canonical import Form, from_sql
from warmcube.prove.predicate import View
from warmcube.prove.sql import Counted, Database, Partition

__all__ = ["EVERYTHING", "Narrowing", "Pair", "Row", "Witness", "call_witness"]

Pair: TypeAlias = tuple[str | None, str | None]
"""A practice and a provider."""
Row: TypeAlias = tuple[str | None, ...]

MOST_ROWS: Final = 10_000
"""Of a larger partition only the rows of some practices are compared one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """What a query asks for, beside the right to it.

    Attributes:
        practices: only these; None is no filter.
        providers: likewise.
        organization: only practices of this one and those below it.
        days: first and last, in the date column.
        where: a further condition on practice and provider.
    """

    practices: frozenset[str] | None = None
    providers: frozenset[str] | None = None
    organization: str | None = None
    days: tuple[date, date] | None = None
    where: Callable[[str | None, str | None], bool] | None = None

    def keeps(self, view: View, pair: Pair) -> bool:
        """Whether rows of this practice and provider are asked for, whatever their day."""
        practice, provider = pair
        return (
            (self.practices is None or practice in self.practices)
            and (self.providers is None or provider in self.providers)
            and (self.organization is None or view.is_below(self.organization, practice))
            and (self.where is None or self.where(practice, provider))
        )


EVERYTHING: Final = Narrowing()


@dataclass(frozen=True, kw_only=True)
class Witness:
    """One partition, as the database has it.

    Attributes:
        datasource: of which.
        partition: measure and frequency.
        forms: what each column holds.
        counted: rows by practice and provider, and how many each predicate lets through.
        predicates: position of each predicate in `counted`.
        rows: every row, or those of the practices in `window`.
        window: the practices whose rows are here; None if all are.
        cached: how many rows the cache's snapshot has of this partition; None if none is live.
        others: every partition that there is.
    """

    datasource: Datasource
    partition: Partition
    forms: Mapping[str, Form]
    counted: Sequence[Counted]
    predicates: Mapping[str, int]
    rows: Sequence[Row]
    window: frozenset[str] | None
    cached: int | None
    others: frozenset[Partition]
    _by_pair: dict[Pair, list[int]] = field(init=False)

    def __post_init__(self) -> None:
        practice = self._position(self.datasource.roles.practice)
        provider = self._position(self.datasource.roles.provider)
        by_pair: dict[Pair, list[int]] = {}
        for number, row in enumerate(self.rows):
            pair = (
                None if practice is None else row[practice],
                None if provider is None else row[provider],
            )
            by_pair.setdefault(pair, []).append(number)
        object.__setattr__(self, "_by_pair", by_pair)

    def _position(self, column: str | None) -> int | None:
        return None if column is None else list(self.forms).index(column)

    @property
    def total(self) -> int:
        """How many rows the partition has."""
        return sum(each.rows for each in self.counted)

    @property
    def has_changed(self) -> bool:
        """Whether the table has other rows than the snapshot, as far as their number tells."""
        return self.cached is not None and self.cached != self.total

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Every practice and provider, of all rows."""
        return tuple((each.practice, each.provider) for each in self.counted)

    def seen(self, predicate: str) -> Mapping[Pair, int]:
        """How many rows of each practice and provider SQL lets through a predicate."""
        place = self.predicates[predicate]
        return {
            (each.practice, each.provider): each.seen[place]
            for each in self.counted
            if each.seen[place]
        }

    def covers(self, pairs: Iterable[Pair]) -> bool:
        """Whether all rows of these are here."""
        return self.window is None or all(practice in self.window for practice, _ in pairs)

    def select(self, pairs: Iterable[Pair], days: tuple[date, date] | None) -> list[Row]:
        """The rows that are here of some practices and providers, within some days."""
        found = [number for pair in pairs for number in self._by_pair.get(pair, ())]
        if days is None:
            return [self.rows[number] for number in found]
        first, last = days
        return [
            self.rows[number]
            for number in found
            if (day := self._days[number]) is not None and first <= day <= last
        ]

    @cached_property
    def days(self) -> tuple[date, ...]:
        """The days that occur."""
        return tuple(sorted({day for day in self._days if day is not None}))

    @cached_property
    def _days(self) -> list[date | None]:
        """Each row's day in the data source's zone; None where Python has no such day."""
        name = self.datasource.roles.date
        if name is None:
            return [None] * len(self.rows)
        place, zone = self._position(name), ZoneInfo(self.datasource.time_zone)
        is_zoned = self.forms[name] is Form.TIMESTAMPTZ
        return [_day(row[place or 0], zone if is_zoned else None) for row in self.rows]

    def distinct(self, column: str) -> set[str]:
        """The values of a column in the rows that are here, NULL left out."""
        place = list(self.forms).index(column)
        return {value for row in self.rows if (value := row[place]) is not None}


def _day(text: str | None, zone: ZoneInfo | None) -> date | None:
    if text is None or text.endswith(("infinity", " BC")) or text[4:5] != "-":
        return None
    if zone is None:
        return date.fromisoformat(text[:10])
    try:
        return datetime.fromisoformat(text).astimezone(zone).date()
    except OverflowError:  # the first or last hours of Python's calendar, elsewhere
        return None


async def call_witness(
    database: Database,
    datasource: Datasource,
    partition: Partition,
    predicates: Sequence[str],
    *,
    cached: int | None,
    others: frozenset[Partition],
    random: random.Random,
) -> Witness:
    """Ask the database for one partition.

    Args:
        database: of the data source.
        datasource: which.
        partition: which.
        predicates: of all users whose cases will be tried.
        cached: how many rows the live snapshot has of it.
        others: every partition that there is.
        random: chooses the window of a large partition.
    """
    counted = await database.count(partition, predicates)
    window = None
    if sum(each.rows for each in counted) > MOST_ROWS:
        window = _window(counted, random)
    raw = await database.rows(partition, None if window is None else sorted(window))
    columns = (
        [
            from_sql(values, form)
            for values, form in zip(zip(*raw, strict=True), database.forms.values(), strict=True)
        ]
        if raw
        else []
    )
    return Witness(
        datasource=datasource,
        partition=partition,
        forms=database.forms,
        counted=counted,
        predicates={text: place for place, text in enumerate(predicates)},
        rows=list(zip(*columns, strict=True)),
        window=window,
        cached=cached,
        others=others,
    )


def _window(counted: Sequence[Counted], random: random.Random) -> frozenset[str]:
    """Practices in any order, as many as come with fewer rows than are compared at once."""
    sizes: dict[str, int] = {}
    for each in counted:
        if each.practice is not None:
            sizes[each.practice] = sizes.get(each.practice, 0) + each.rows
    chosen: set[str] = set()
    total = 0
    for practice in random.sample(sorted(sizes), len(sizes)):
        if total + sizes[practice] <= MOST_ROWS:
            chosen.add(practice)
            total += sizes[practice]
    return frozenset(chosen)
