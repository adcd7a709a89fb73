"""Answering from practice-level sums where they tell all, and from entries where they don't."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar, cast

from warmcube.entry.keys import PartitionName
from warmcube.entry.seal import Seal
from warmcube.entry.sums import SumsForm, sums_form
from warmcube.model.schema import Datasource
from warmcube.model.scope import Scope
from warmcube.query.finder import Place, place_of
from warmcube.query.known import KnownIndex
from warmcube.query.lookup import Target
from warmcube.query.plan import LookupPlan
from warmcube.query.prepared import PreparedQuery
from warmcube.query.read import Reading
from warmcube.query.snapshots import LiveSnapshot, Snapshots
from warmcube.query.sums import (
    SumsPlan,
    are_enough,
    join_rows,
    pick,
    plan_sums,
    practices_of,
    sums_table,
)
from warmcube.query.sums_fetch import Fetched, SumsFetcher, SumsOf
from warmcube.query.together import Need, TogetherReader
from warmcube.store.api import Store

__all__ = ["SumsReader"]

T = TypeVar("T")
U = TypeVar("U")

MOST_PLACES: Final = 1000
"""Of so many partitions of a snapshot it is kept where they are."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What sums tell of a query, and what they don't.

    Attributes:
        plan: what was wanted.
        reading: what they tell.
        lacking: the rows that have to be read for the rest; None where nothing is left.
    """

    plan: SumsPlan
    reading: Reading
    lacking: Scope | None


@dataclass(frozen=True, slots=True)
class _OfSnapshot:
    """What follows from a snapshot.

    Attributes:
        live: which one.
        forms: how sums look, by layout.
        places: where those of partitions are that were asked for.
    """

    live: LiveSnapshot
    forms: list[SumsForm | None]
    places: dict[PartitionName, Place] = field(default_factory=dict)


class SumsReader(TogetherReader):
    """Reads from the store tier, practice-level sums where they answer a query.

    Args:
        store: the store.
        snapshots: what is known of live snapshots.
        seal: what values bear.
        known: what is known of the index; by default nothing is kept.
        with_sums: whether sums are read at all.
    """

    def __init__(
        self,
        store: Store,
        snapshots: Snapshots,
        seal: Seal,
        known: KnownIndex | None = None,
        *,
        with_sums: bool = True,
    ) -> None:
        super().__init__(store, snapshots, seal, known)
        self._with_sums = with_sums
        self._made: dict[int, _OfSnapshot] = {}

    async def read_query(
        self,
        datasource: Datasource,
        live: LiveSnapshot,
        name: PartitionName,
        scope: Scope,
        prepared: PreparedQuery,
    ) -> Reading:
        plan = self._plan(live, datasource, name, scope, prepared)
        if plan is None:
            return await self.read(datasource, live, name, scope, prepared.columns)
        (answer,) = await self._read_sums(datasource, live, [plan])
        if answer.lacking is None:
            return answer.reading
        rows = await self.read(datasource, live, name, answer.lacking, prepared.columns)
        return _joined(answer, rows)

    async def read_together(
        self, datasource: Datasource, live: LiveSnapshot, needs: Sequence[Need]
    ) -> list[Reading]:
        plans = self._plans(datasource, live, needs)
        if not plans:
            return await super().read_together(datasource, live, needs)
        of_rows = [number for number in range(len(needs)) if number not in plans]
        sums = self._read_sums(datasource, live, list(plans.values()))
        rows: dict[int, Reading] = {}
        if of_rows:  # at the same time: neither needs to wait for the other
            wanted = [needs[number] for number in of_rows]
            found, more = await _both(sums, super().read_together(datasource, live, wanted))
            rows |= zip(of_rows, more, strict=True)
        else:
            found = await sums
        answers = dict(zip(plans, found, strict=True))
        lacking = {
            number: replace(needs[number], scope=answer.lacking)
            for number, answer in answers.items()
            if answer.lacking is not None
        }
        if lacking:
            more = await super().read_together(datasource, live, list(lacking.values()))
            rows |= zip(lacking, more, strict=True)
        return [_given(answers.get(number), rows.get(number)) for number in range(len(needs))]

    def _plans(
        self, datasource: Datasource, live: LiveSnapshot, needs: Sequence[Need]
    ) -> dict[int, SumsPlan]:
        """Which needs to meet from sums: not those whose rows another one needs anyway."""
        fitting: list[int] = []
        read_anyway: set[tuple[PartitionName, Scope]] = set()
        for number, need in enumerate(needs):
            if need.prepared is not None and self._may_use_sums(datasource, need.prepared):
                fitting.append(number)
            else:
                read_anyway.add((need.partition, need.scope))
        plans: dict[int, SumsPlan] = {}
        for number in fitting:
            need = needs[number]
            if need.prepared is None or (need.partition, need.scope) in read_anyway:
                continue
            plan = self._plan(live, datasource, need.partition, need.scope, need.prepared)
            if plan is not None:
                plans[number] = plan
        return plans

    def _may_use_sums(self, datasource: Datasource, prepared: PreparedQuery) -> bool:
        return self._with_sums and are_enough(prepared, datasource.roles)

    def _plan(
        self,
        live: LiveSnapshot,
        datasource: Datasource,
        name: PartitionName,
        scope: Scope,
        prepared: PreparedQuery,
    ) -> SumsPlan | None:
        if not self._may_use_sums(datasource, prepared) or practices_of(scope) is None:
            return None
        known = self._of(datasource, live)
        place = known.places.get(name)
        if place is None:
            place = place_of(self._snapshots.keys(datasource.id), live.manifest, name)
            if place is None:
                return None
            if len(known.places) >= MOST_PLACES:  # most of what is asked for doesn't exist
                known.places.clear()
            if not name.is_long:
                known.places[name] = place
        if scope.is_empty or (place.is_absent and scope.is_everything):
            return None
        target = Target(place.own, place.partition, LookupPlan(scope), is_absent=place.is_absent)
        form = known.forms[place.partition.layout]
        return plan_sums(prepared, scope, name, target, form, datasource.roles)

    def _of(self, datasource: Datasource, live: LiveSnapshot) -> _OfSnapshot:
        """What follows from a snapshot; made once, since it takes as long as a small read."""
        made = self._made.get(datasource.id)
        if made is None or made.live is not live:
            forms = [sums_form(each, datasource.roles) for each in live.manifest.layouts]
            made = self._made[datasource.id] = _OfSnapshot(live, forms)
        return made

    async def _read_sums(
        self, datasource: Datasource, live: LiveSnapshot, plans: Sequence[SumsPlan]
    ) -> list[_Answer]:
        started = time.perf_counter()
        keys = self._snapshots.keys(datasource.id)
        fetcher = SumsFetcher(self._store, keys, datasource, live, self._seal, self._known)
        known = await fetcher.fetch_known(plans[0]) if len(plans) == 1 else None
        fetched = await fetcher.fetch(plans) if known is None else Fetched([known], 0, 1)
        done = time.perf_counter()
        timings = {"fetch": (done - started) * 1000}
        answers = [
            _answer(plan, of, datasource, live) for plan, of in zip(plans, fetched.of, strict=True)
        ]
        timings["decode"] = (time.perf_counter() - done) * 1000
        for answer in answers:
            answer.reading.trips = fetched.trips
            answer.reading.sets = fetched.sets
            answer.reading.timings = dict(timings)
        return answers


def _answer(plan: SumsPlan, of: SumsOf, datasource: Datasource, live: LiveSnapshot) -> _Answer:
    schema = live.manifest.schema
    block = of.block if of.places is None else pick(of.block, of.places)
    table, counts = sums_table(plan, block, of.practices, schema, datasource.roles)
    reading = Reading(
        table,
        members=of.members,
        entries=len(block.rows_of),
        rows=table.rows,
        bytes=of.bytes,
        whole=plan.whole,
        counts=counts,
        sums=len(block.rows_of),
    )
    return _Answer(plan, reading, of.lacking)


async def _both(first: Coroutine[Any, Any, T], second: Coroutine[Any, Any, U]) -> tuple[T, U]:
    """The results of both, at the same time; an error when both are over."""
    found = await asyncio.gather(first, second, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return cast("tuple[T, U]", found)


def _given(answer: _Answer | None, rows: Reading | None) -> Reading:
    if answer is not None:
        return answer.reading if rows is None else _joined(answer, rows)
    if rows is None:
        raise AssertionError
    return rows


def _joined(answer: _Answer, rows: Reading) -> Reading:
    """What sums and rows tell together."""
    sums = answer.reading
    timings = {step: sums.timings.get(step, 0) + ms for step, ms in rows.timings.items()}
    if not sums.entries:
        return replace(rows, trips=sums.trips + rows.trips, timings=sums.timings | timings)
    table, counts = join_rows(answer.plan, sums.table, sums.counts, rows.table)
    return Reading(
        table,
        members=sums.members + rows.members,
        entries=sums.entries + rows.entries,
        rows=sums.rows + rows.rows,
        sets=sums.sets + rows.sets,
        trips=sums.trips + rows.trips,
        bytes=sums.bytes + rows.bytes,
        whole=sums.whole or rows.whole,
        timings=sums.timings | timings,
        counts=counts,
        sums=sums.sums,
    )
