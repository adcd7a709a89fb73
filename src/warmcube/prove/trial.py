"""Trying the cases, one by one."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime
from typing import Any, Final

from warmcube.config import Settings
from warmcube.embedded import EmbeddedPostgres
from warmcube.engine import AnalyticsCache
from warmcube.errors import AccessDenied, WarmcubeError
from warmcube.model.request import NULL, Query
from warmcube.prove.case import Case, Scene, Wanted
from warmcube.prove.gate import false_grants, false_users, try_grant
from warmcube.prove.judge import Answer, Limits, Verdict, judge
from warmcube.prove.options import ProgressCallback
from warmcube.prove.plan import Deck, Visit, plan_visits
from warmcube.prove.predicate import Door, Ground, View, view_of
from warmcube.prove.records import Records
from warmcube.prove.report import DatasourceReport, Finding, Report, Tally, visible
from warmcube.prove.sql import Database, Partition, open_database
from warmcube.prove.witness import Witness, call_witness

__all__ = ["DatasourceTrial", "GateTrial", "Out", "Watch"]

_SHOWN: Final = 120
_MOST_GRANTS: Final = 3


class Out(Exception):
    """The time is over; says so."""


class Watch:
    """Counts cases and time, and keeps what was found.

    Args:
        report: where to.
        progress: told as it happens.
        seconds: after which it ends; None for no end.
    """

    def __init__(
        self, report: Report, progress: ProgressCallback | None, seconds: float | None
    ) -> None:
        self.report = report
        self._progress = progress
        self._seconds = seconds
        self._began = time.perf_counter()
        self._done = 0
        self._words: dict[tuple[str, int | None, str], str] = {}

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self._began

    def check(self) -> None:
        """Go on, or not.

        Raises:
            Out: the time is over.
        """
        if self._seconds is not None and self.elapsed > self._seconds:
            raise Out(f"{self._seconds:g} seconds were over")

    def note(
        self,
        tallies: Sequence[Tally],
        *,
        user: str,
        datasource: int | None,
        kind: str,
        asked: Mapping[str, str],
        verdict: Verdict,
        is_refusal: bool,
        seconds: float,
        leaks_only: bool = False,
        from_database: bool = False,
    ) -> None:
        """One case is done."""
        counts = Tally(
            cases=1,
            rows=verdict.rows,
            denied=int(is_refusal and verdict.is_right),
            leaks=verdict.leaks,
            losses=verdict.losses,
            differences=verdict.differences,
            leaks_only=int(leaks_only),
            from_database=int(from_database),
            seconds=seconds,
        )
        for tally in tallies:
            tally.add(counts)
        self.report.kinds[kind] += 1
        if not verdict.is_right:
            self.report.find(
                Finding(
                    kinds=tuple(
                        name
                        for name, count in (
                            ("leak", verdict.leaks),
                            ("loss", verdict.losses),
                            ("difference", verdict.differences),
                        )
                        if count
                    ),
                    user=visible(user),
                    datasource=datasource,
                    case=kind,
                    asked=asked,
                    what=verdict.what,
                )
            )
        self.step()

    def step(self) -> None:
        """One more is over, judged or not."""
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, max(self._done, self.report.planned), self.report.found)

    def same_words(
        self, user: str, datasource: int | None, sort: str, named: object, error: Exception | None
    ) -> bool:
        """Whether a refusal has the words that others of its sort had, but for what was named."""
        shown = repr(named)
        if error is None or len(shown) > 60:
            return True
        words = str(error).replace(shown, "…")
        return self._words.setdefault((user, datasource, sort), words) == words


class GateTrial:
    """Cases about no data source: users that there aren't, grants that aren't any.

    Args:
        cache: that is asked.
        settings: its configuration.
        records: the directory.
        users: who is tried.
        watch: counts.
    """

    def __init__(
        self,
        cache: AnalyticsCache,
        settings: Settings,
        records: Records,
        users: Sequence[str],
        watch: Watch,
    ) -> None:
        self._cache = cache
        self._settings = settings
        self._records = records
        self._users = users
        self._watch = watch
        self._names = list(false_users(records))

    @property
    def planned(self) -> int:
        """How many cases, about."""
        return len(self._names) + len(self._users) + _MOST_GRANTS * 5

    async def run(self, actor: str) -> None:
        """Try them all."""
        for name in self._names:
            await self._authorize(name, is_right=False)
        for user in self._users:
            view = view_of(self._records, user, Ground(), datetime.now(UTC))
            await self._authorize(user, is_right=view.door is not Door.NO_GRANT)
        await self._false_grants(actor)

    async def _authorize(self, user: Any, *, is_right: bool) -> None:
        self._watch.check()
        started = time.perf_counter()
        error: Exception | None = None
        try:
            await self._cache.authorize(user)
        except Exception as raised:  # noqa: BLE001 - whatever it is, it is judged
            error = raised
        verdict = Verdict()
        if is_right and error is not None:
            verdict.note(f"{type(error).__name__}, where a grant was due", losses=1)
        elif not is_right and error is None:
            verdict.note("a grant, where a denial was due", leaks=1)
        elif not is_right and not isinstance(error, AccessDenied):
            verdict.note(f"{type(error).__name__}, where a denial was due", differences=1)
        elif not is_right and not self._watch.same_words("", None, "user", user, error):
            verdict.note("other words than for other users without a right", leaks=1)
        self._note(
            "a user with a right" if is_right else "break out: a user without a right",
            user,
            verdict,
            started,
            is_refusal=not is_right,
        )

    async def _false_grants(self, actor: str) -> None:
        readers = [
            user
            for user in self._users
            if view_of(self._records, user, Ground(), datetime.now(UTC)).door is Door.OPEN
        ][:_MOST_GRANTS]
        if not readers:
            return
        query = Query(datasource=self._settings.datasources[0].id, measure="Charges")
        other = AnalyticsCache(self._settings, actor=actor, is_probe=True)
        async with other:
            for user in readers:
                real = await self._cache.authorize(user)
                for false in false_grants(user, real, await other.authorize(user)):
                    self._watch.check()
                    started = time.perf_counter()
                    error = await try_grant(self._cache, query, false.make())
                    verdict = Verdict()
                    if not isinstance(error, AccessDenied):
                        got = "an answer" if error is None else type(error).__name__
                        verdict.note(f"{got}, where a denial was due", leaks=1)
                    self._note(false.kind, user, verdict, started, is_refusal=True)

    def _note(
        self, kind: str, user: Any, verdict: Verdict, started: float, *, is_refusal: bool
    ) -> None:
        self._watch.note(
            [self._watch.report.gate],
            user=user if isinstance(user, str) else repr(user),
            datasource=None,
            kind=kind,
            asked={},
            verdict=verdict,
            is_refusal=is_refusal,
            seconds=time.perf_counter() - started,
        )


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
        self._others: frozenset[Partition] = frozenset()
        self._database: Database
        self._seed = 0

    @property
    def planned(self) -> int:
        """How many cases."""
        return sum(visit.cases for visits in self._visits.values() for visit in visits)

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
            partitions = await self._database.partitions()
        except WarmcubeError as error:
            self._report.problem = str(error)
            return
        self._others = frozenset(partitions)
        self._report.partitions = len(partitions)
        if not partitions:
            self._report.problem = "the table has no rows, so that nothing can be compared"
        chooser = random.Random(f"{seed}:{self._datasource.id}")  # noqa: S311 - chooses trials
        self._visits = plan_visits(partitions, users, cases, chooser)
        self._report.partitions_tried = len(self._visits)
        self._report.users = {user: Tally() for user in users}

    async def run(self) -> None:
        """Try them all, partition by partition."""
        deck = Deck(random.Random(f"{self._seed}:{self._datasource.id}:deck"))  # noqa: S311
        for partition, visits in self._visits.items():
            views = {visit.user: self._view(visit.user) for visit in visits}
            predicates = {
                user: view.sql(self._database.practice, self._database.provider)
                for user, view in views.items()
            }
            chooser = random.Random(f"{self._seed}:{self._datasource.id}:{partition!r}")  # noqa: S311
            witness = await call_witness(
                self._database,
                self._datasource,
                partition,
                list(dict.fromkeys(predicates.values())),
                cached=self._cached.get(partition, 0) if self._is_cached else None,
                others=self._others,
                random=chooser,
            )
            self._report.partitions_changed += witness.has_changed
            for visit in visits:
                scene = Scene(
                    user=visit.user,
                    view=views[visit.user],
                    witness=witness,
                    predicate=predicates[visit.user],
                    list_limit=self._settings.limits.list,
                )
                self._check_predicates(scene)
                for _ in range(visit.cases):
                    await self._try_one(scene, deck, chooser)

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
            if case is not None and _is_comparable(scene, case):
                await self._try(scene, case)
                return
        self._watch.step()

    async def _try(self, scene: Scene, case: Case) -> None:
        users = self._report.users[scene.user]
        answer, origin, snapshot, seconds = await _ask(self._cache, scene.user, case.query)
        changes = scene.view.changes
        if changes is not None and datetime.now(UTC) >= changes:
            self._report.tally.unjudged += 1
            users.unjudged += 1
            self._watch.step()
            return
        has_moved = snapshot is not None and snapshot != self._report.snapshot
        leaks_only = self._is_cached and (scene.witness.has_changed or has_moved)
        verdict = judge(scene, case, answer, self._limits, leaks_only=leaks_only)
        if (
            verdict.is_right
            and case.words is not None
            and not self._watch.same_words(
                scene.user, self._datasource.id, case.words, case.named, answer.error
            )
        ):
            verdict.note("other words than for others of its sort", leaks=1)
        self._watch.note(
            [self._report.tally, users],
            user=scene.user,
            datasource=self._datasource.id,
            kind=case.kind,
            asked=asked_of(case.query),
            verdict=verdict,
            is_refusal=case.wanted is not Wanted.ROWS,
            seconds=seconds,
            leaks_only=leaks_only,
            from_database=self._is_cached and origin == "database",
        )


def _is_comparable(scene: Scene, case: Case) -> bool:
    """Whether all the rows it asks for are there to be compared."""
    if case.is_counted or case.is_empty or case.wanted is not Wanted.ROWS:
        return True
    if scene.witness.window is None:
        return True
    seen = scene.witness.seen(scene.predicate)
    return scene.witness.covers(pair for pair in seen if case.narrowing.keeps(scene.view, pair))


async def _ask(
    cache: AnalyticsCache, user: str, query: Query
) -> tuple[Answer, str | None, str | None, float]:
    """The answer, which tier it came from, of which snapshot, and the seconds it took."""
    started = time.perf_counter()
    try:
        result = await cache.query(query, await cache.authorize(user))
        rows = result.rows()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is judged
        return Answer(error=error), None, None, time.perf_counter() - started
    seconds = time.perf_counter() - started
    meta = result.meta
    return Answer(rows=rows, fetched=meta.rows_fetched), meta.origin, meta.snapshot, seconds


def asked_of(query: Query) -> Mapping[str, str]:
    """A query in names and ids; of conditions only the column and the operator."""
    fields: dict[str, Any] = {
        "measure": query.measure,
        "frequency": query.frequency,
        "organization": query.organization,
        "practices": query.practices,
        "providers": query.providers,
        "from": query.start,
        "to": query.end,
        "where": [f"{each.column} {each.op}" for each in query.where] or None,
        "aggregate": query.aggregate,
        "group_by": list(query.group_by) or None,
        "order_by": list(query.order_by) or None,
    }
    if type(query.datasource) is not int:
        fields["datasource"] = query.datasource
    return {name: _shown(value) for name, value in fields.items() if value is not None}


def _shown(value: Any) -> str:
    if value is NULL:
        text = "NULL"
    elif isinstance(value, date):
        text = value.isoformat()
    elif isinstance(value, (list, tuple)):
        text = f"[{', '.join(map(_shown, value))}]"
    elif isinstance(value, str | int | float | bytes | None):
        text = repr(value)
    else:
        text = f"a {type(value).__name__}"
    text = visible(text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
