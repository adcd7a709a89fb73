"""Trying the cases of one data source, one by one."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, Final

from warmcube.config import Settings
from warmcube.embedded import EmbeddedPostgres
from warmcube.engine import AnalyticsCache
from warmcube.errors import WarmcubeError
from warmcube.prove.case import Case, Scene, Wanted
from warmcube.prove.judge import Answer, Limits, judge
from warmcube.prove.plan import Deck, Visit, plan_visits
from warmcube.prove.predicate import Ground, View, view_of
from warmcube.prove.reads import as_values, measures
from warmcube.prove.records import Records
from warmcube.prove.report import DatasourceReport, Tally
from warmcube.prove.sql import Database, Partition, open_database
from warmcube.prove.watch import Tried, Watch
from warmcube.prove.witness import call_witness
from warmcube.query.result import Meta

__all__ = ["DatasourceTrial"]

_VALUES: Final = 0.2
"""Of so many questions the values of a column are asked for, in the place of rows."""


class DatasourceTrial:
    """The cases of one data source.

    Args:
        cache: that is asked.
        settings: its configuration.
        records: the directory.
        report: of the data source.
        watch: counts.
    """

    def __init__(
        self,
        cache: AnalyticsCache,
        settings: Settings,
        records: Records,
        report: DatasourceReport,
        watch: Watch,
    ) -> None:
        self._cache = cache
        self._settings = settings
        self._records = records
        self._report = report
        self._watch = watch
        self._datasource = settings.datasource(report.id)
        roles = self._datasource.roles
        self._ground = Ground(
            roles=self._datasource.door,
            has_practice=roles.practice is not None,
            has_provider=roles.provider is not None,
        )
        limits = settings.limits
        self._limits = Limits(rows=limits.rows, groups=limits.groups)
        self._is_cached = report.origin == "cache"
        self._visits: Mapping[Partition, Sequence[Visit]] = {}
        self._cached: Mapping[Partition, int] = {}
        self._partitions: Mapping[Partition, tuple[int, ...]] = {}
        self._places: Mapping[str, int] = {}
        self._database: Database
        self._seed = 0

    @property
    def planned(self) -> int:
        """How many cases."""
        each = [visit.cases for visits in self._visits.values() for visit in visits]
        return sum(each) + len(self._report.users)

    async def plan(
        self, stack: AsyncExitStack, users: Sequence[str], cases: int, seed: int
    ) -> None:
        """Look at the table and the snapshot, and choose what to try.

        Args:
            stack: closes what is opened.
            users: whom to ask as.
            cases: how many, at least.
            seed: of the choice.
        """
        self._seed = seed
        try:
            if self._is_cached and not await self._look_at_snapshot():
                return
            url = self._url(stack)
            self._database = await stack.enter_async_context(open_database(url, self._datasource))
            await self._look_at_table(users)
        except WarmcubeError as error:
            self._report.problem = str(error)
            return
        if not self._partitions:
            self._report.problem = "the table has no rows, so that nothing can be compared"
        chooser = random.Random(f"{seed}:{self._datasource.id}")  # noqa: S311 - chooses trials
        self._visits = plan_visits(self._partitions, users, cases, chooser)
        self._report.partitions_tried = len(self._visits)
        self._report.users = {user: Tally() for user in users}

    async def run(self) -> None:
        """Try them all, partition by partition."""
        deck = Deck(random.Random(f"{self._seed}:{self._datasource.id}:deck"))  # noqa: S311
        met: set[str] = set()
        for partition, visits in self._visits.items():
            views = {visit.user: self._view(visit.user) for visit in visits}
            predicates = {user: self._predicate(view) for user, view in views.items()}
            chooser = random.Random(f"{self._seed}:{self._datasource.id}:{partition!r}")  # noqa: S311
            witness = await call_witness(
                self._database,
                self._datasource,
                partition,
                list(dict.fromkeys(predicates.values())),
                cached=self._cached.get(partition, 0) if self._is_cached else None,
                others=frozenset(self._partitions),
                random=chooser,
            )
            self._report.partitions_changed += witness.has_changed
            for visit in visits:
                scene = Scene(
                    user=visit.user,
                    view=views[visit.user],
                    witness=witness,
                    predicate=predicates[visit.user],
                    inventory=self._inventory(predicates[visit.user]),
                    list_limit=self._settings.limits.list,
                )
                self._check_predicates(scene)
                if visit.user not in met:
                    met.add(visit.user)
                    await self._try(scene, measures(scene))
                for _ in range(visit.cases):
                    await self._try_one(scene, deck, chooser)

    async def _look_at_table(self, users: Sequence[str]) -> None:
        predicates = dict.fromkeys(map(self._predicate, map(self._view, users)))
        self._places = {predicate: place for place, predicate in enumerate(predicates, start=1)}
        self._partitions = await self._database.partitions(list(predicates))
        self._report.partitions = len(self._partitions)

    @property
    def _has_changed(self) -> bool:
        """Whether any partition has other rows than the snapshot."""
        return dict(self._cached) != {name: rows for name, (rows, *_) in self._partitions.items()}

    def _inventory(self, predicate: str) -> Mapping[Partition, bool]:
        """Of which partitions a predicate lets rows through."""
        place = self._places.get(predicate)
        if place is None:  # a role ended since
            return {}
        return {name: counts[place] > 0 for name, counts in self._partitions.items()}

    def _predicate(self, view: View) -> str:
        return view.sql(self._database.practice, self._database.provider)

    def _view(self, user: str) -> View:
        return view_of(self._records, user, self._ground, datetime.now(UTC))

    async def _look_at_snapshot(self) -> bool:
        """Whether there is one, and what it holds."""
        stats = await self._cache.stats(self._datasource.id)
        self._report.snapshot, self._report.as_of = stats.snapshot, stats.as_of
        if stats.state not in ("fresh", "stale"):
            self._report.problem = (
                f"it is {stats.state}: `warmcube warm {self._datasource.id}` first, or prove what "
                "the database answers with --database"
            )
            return False
        self._cached = await self._cache.partition_rows(self._datasource.id)
        return True

    def _url(self, stack: AsyncExitStack) -> str:
        section = self._settings.sources[self._datasource.source]
        if not section.is_embedded:
            return section.url.get_secret_value()
        folder = self._settings.embedded_folder / "postgres"
        return stack.enter_context(EmbeddedPostgres(folder)).url

    def _check_predicates(self, scene: Scene) -> None:
        """The two ways to say what is expected must say the same."""
        seen = scene.witness.seen(scene.predicate)
        for each in scene.witness.counted:
            pair = (each.practice, each.provider)
            if seen.get(pair, 0) != (each.rows if scene.view.sees(*pair) else 0):
                self._report.problem = (
                    "the kit's own SQL and its own judgement of rows differ, which is a defect of "
                    "the kit: report it"
                )

    async def _try_one(self, scene: Scene, deck: Deck, chooser: random.Random) -> None:
        self._watch.check()
        for make in deck.draw():
            case = make(scene, chooser)
            if case is not None and chooser.random() < _VALUES:
                case = as_values(case, scene, chooser)
            if case is not None and _is_comparable(scene, case):
                await self._try(scene, case)
                return
        self._watch.step()

    async def _try(self, scene: Scene, case: Case) -> None:
        users = self._report.users[scene.user]
        answer, origin, snapshot, seconds = await _ask(self._cache, scene.user, case)
        changes = scene.view.changes
        if changes is not None and datetime.now(UTC) >= changes:
            self._report.tally.unjudged += 1
            users.unjudged += 1
            self._watch.step()
            return
        has_moved = snapshot is not None and snapshot != self._report.snapshot
        has_changed = self._has_changed if case.is_inventory else scene.witness.has_changed
        leaks_only = self._is_cached and (has_changed or has_moved)
        verdict = judge(scene, case, answer, self._limits, leaks_only=leaks_only)
        if (
            verdict.is_right
            and case.words is not None
            and not self._watch.same_words(
                scene.user, self._datasource.id, case.words, case.named, answer.error
            )
        ):
            verdict.note("other words than for others of its sort", leaks=1)
        tried = Tried(
            user=scene.user,
            kind=case.kind,
            verdict=verdict,
            seconds=seconds,
            datasource=self._datasource.id,
            query=case.query,
            is_refusal=case.wanted is not Wanted.ROWS,
            leaks_only=leaks_only,
            from_database=self._is_cached and origin == "database",
        )
        self._watch.note(tried, self._report.tally, users)


def _is_comparable(scene: Scene, case: Case) -> bool:
    """Whether all the rows it asks for are there to be compared."""
    if case.is_counted or case.is_empty or case.is_inventory or case.wanted is not Wanted.ROWS:
        return True
    if scene.witness.window is None:
        return True
    seen = scene.witness.seen(scene.predicate)
    return scene.witness.covers(pair for pair in seen if case.narrowing.keeps(scene.view, pair))


async def _ask(
    cache: AnalyticsCache, user: str, case: Case
) -> tuple[Answer, str | None, str | None, float]:
    """The answer, which tier it came from, of which snapshot, and the seconds it took."""
    started = time.perf_counter()
    try:
        rows, meta = await _answer(cache, user, case)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is judged
        return Answer(error=error), None, None, time.perf_counter() - started
    seconds = time.perf_counter() - started
    return Answer(rows=rows, fetched=meta.rows_fetched), meta.origin, meta.snapshot, seconds


async def _answer(
    cache: AnalyticsCache, user: str, case: Case
) -> tuple[Sequence[Mapping[str, Any]], Meta]:
    grant, query = await cache.authorize(user), case.query
    if case.is_inventory:
        measures = await cache.measures(query.datasource, grant)
        return [each._asdict() for each in measures], measures.meta
    if case.column is not None:
        values = await cache.values(
            query.datasource,
            case.column,
            grant,
            measure=query.measure,
            frequency=query.frequency,
            organization=query.organization,
            practices=query.practices,
            providers=query.providers,
            start=query.start,
            end=query.end,
            where=query.where,
        )
        return [{case.column: value} for value in values], values.meta
    result = await cache.query(query, grant)
    return result.rows(), result.meta
