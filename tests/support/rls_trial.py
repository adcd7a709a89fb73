"""The trial: what the cache answers, and what a plain SELECT gives as the user's database role.

A world is asked, changed while grants are in hand, and asked again. After a change the trial waits
until a new grant tells the directory's new version; from then on grants from before must give what
the policy says now.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final, Literal, TypeAlias

import psycopg
import redis
from psycopg import sql
from tests.support.caches import hold_partitions
from tests.support.rls_cases import Case, Nameable, make_case
from tests.support.rls_file import access_toml
from tests.support.rls_moves import Focus, expire_soon, move
from tests.support.rls_world import KEEPER, USERS, Facts, World, make_world

from warmcube import AnalyticsCache
from warmcube.access.grant import Grant
from warmcube.errors import AccessDenied, MissingRole, UnknownDatasource

__all__ = ["DirectoryKind", "Place", "Trial", "open_trial"]

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]
DirectoryKind: TypeAlias = Literal["file", "database"]
_Outcome: TypeAlias = Counter[str] | frozenset[str]
"""Rows, or the errors of which a query has to end in one."""

# What is asked again after a move is kept; what is asked first comes from the store. So does what
# a held partition has no rows of.
_ORIGINS: Final = {"resident": {"store", "resident"}, "partitions": {"store", "resident"}}

_DATABASE_SHARE = 8
"""Each so-manieth case is answered by the database too."""

_PATIENCE = 10.0
"""Seconds after which a change that nobody heard of is a failure."""

_BETWEEN = 12
"""Cases between two changes."""

_AGAIN = 8
"""Of those, how many are asked again after the change."""

_SOON = 0.25
"""Seconds that a role holds whose end is to pass between two queries."""


@dataclass(frozen=True, slots=True)
class Place:
    """Servers and a folder for a trial; its connection is a superuser's."""

    redis_url: str
    postgres_url: str
    folder: Path
    connection: Connection


@asynccontextmanager
async def open_trial(
    place: Place, family: str, seed: str, directory: DirectoryKind, tally: Counter[str]
) -> AsyncIterator[Trial]:
    """A new world, warm, with a cache on its store and another on its database.

    Args:
        place: where; what was there before is gone.
        family: of the ids' types.
        seed: of all that is random.
        directory: where the caches read it.
        tally: counts what came out.
    """
    random = Random(seed)
    with redis.Redis.from_url(place.redis_url) as client:
        client.flushall()
    world = make_world(random, family, place.connection)
    _write_file(place)
    text = _configuration(world, place, directory)
    sections = {
        "store": "[cache]\nresident_bytes = 0\n",
        "resident": "",
        "partitions": "",
        "database": "[cache]\nenabled = false\n",
    }
    caches = {}
    async with AsyncExitStack() as stack:
        for origin, section in sections.items():
            path = place.folder / f"{origin}.toml"
            path.write_text(section + text, encoding="utf-8")
            caches[origin] = await stack.enter_async_context(AnalyticsCache.from_config(path))
        for facts in world.facts:
            await caches["store"].warm(facts.id)
        await hold_partitions(caches["partitions"], *(facts.id for facts in world.facts))
        trial = Trial(random, world, place, caches, directory, tally)
        await trial.begin()
        yield trial


def _configuration(world: World, place: Place, directory: DirectoryKind) -> str:
    where = 'path = "access.toml"' if directory == "file" else f'url = "{place.postgres_url}"'
    return "\n".join(
        [
            f'[store]\nurl = "{place.redis_url}"',
            f'[sources.main]\nurl = "{place.postgres_url}"',
            f"[directory]\n{where}",
            *(facts.configuration() for facts in world.facts),
        ]
    )


def _write_file(place: Place) -> None:
    """Write ``access.toml`` in one step, as whoever edits a file that others read should."""
    new = place.folder / "access.toml.new"
    new.write_text(access_toml(place.connection), encoding="utf-8")
    new.replace(place.folder / "access.toml")


@dataclass(slots=True)
class Trial:
    """One world under trial.

    Attributes:
        random: of all that is asked and changed.
        world: its tables.
        place: where it is.
        caches: by the origin of their answers.
        directory: where they read it.
        tally: counts what came out.
        grants: in hand, by origin and user.
        wrong: the first things that were.
    """

    random: Random
    world: World
    place: Place
    caches: dict[str, AnalyticsCache]
    directory: DirectoryKind
    tally: Counter[str]
    grants: dict[tuple[str, str], Grant] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    _versions: dict[str, str] = field(default_factory=dict)
    _hints: dict[tuple[str, int], Nameable] = field(default_factory=dict)
    _organizations: list[str] = field(default_factory=list)

    async def begin(self) -> None:
        """Look which version of the directory is in force."""
        await self._await_news()
        found = self.place.connection.execute("SELECT id FROM warmcube.organizations ORDER BY id")
        self._organizations = [each for (each,) in found]
        for what, count in self.place.connection.execute("SELECT * FROM isolation.oddities"):
            self.tally[f"worlds: {what}"] += int(count > 0)

    async def run(self, cases: int) -> None:
        """Ask at least so many cases, with changes between them, until something is wrong."""
        last = self.tally["cases"] + cases
        while self.tally["cases"] < last and not self.wrong:
            recent = [self._case() for _ in range(_BETWEEN)]
            before = [await self._try(case) for case in recent]
            if self.random.random() < 0.07:
                await self._pass_an_expiry(recent, before)
            name = move(self.random, self.world, self._focus(recent), self.place.connection)
            await self._await_news()
            self.tally["moves"] += 1
            for case, expected in list(zip(recent, before, strict=True))[-_AGAIN:]:
                if await self._try(case, in_hand=True) != expected:
                    self.tally["changed by a move"] += 1
                    self.tally[f"changed: {name}"] += 1
            if self.random.random() < 0.05:
                self._hints.clear()

    def _case(self) -> Case:
        """Mostly of somebody who sees something."""
        facts = self.random.choices(self.world.facts, (6, 3, 2))[0]
        for _ in range(40):
            user = self.random.choice(USERS)
            may = self._hint(user, facts)
            if may.sees_rows or self.random.random() < 0.02:
                break
        return make_case(self.random, user, facts, may, self._organizations)

    def _hint(self, user: str, facts: Facts) -> Nameable:
        """What a user may name; from a while ago, so that what they ask is sometimes outdated."""
        if (user, facts.id) not in self._hints:
            ((found,),) = self._as(
                user,
                f"SELECT EXISTS (SELECT FROM {facts.table}), "
                f"isolation.sees_everything({facts.id}), "
                "EXISTS (SELECT FROM isolation.my_rights WHERE scope <> 'own'), "
                f"isolation.nameable_practices({facts.id}), "
                f"isolation.nameable_organizations({facts.id}), isolation.my_providers()",
            )
            self._hints[user, facts.id] = Nameable(*found)
        return self._hints[user, facts.id]

    def _focus(self, recent: Iterable[Case]) -> Focus:
        """What was asked about, so that a change is felt."""
        hints = [self._hint(case.user, case.facts) for case in recent]
        return Focus(
            sorted({case.user for case in recent} - {USERS[-1]}),
            sorted({each for hint in hints for each in hint.organizations}),
            sorted({each for hint in hints for each in hint.practices}),
        )

    def _as(self, user: str, *statements: str) -> list[list[tuple[Any, ...]]]:
        """What statements give to a database role."""
        role = sql.Identifier(user).as_string()
        script = "; ".join([f"SET ROLE {role}", *statements, "RESET ROLE"])
        with self.place.connection.cursor() as cursor:
            cursor.execute(script.encode())
            found = []
            for _ in statements:
                cursor.nextset()
                found.append(cursor.fetchall())
        return found

    async def _try(self, case: Case, *, in_hand: bool = False) -> _Outcome:
        """Ask, and compare with what the policy says.

        Args:
            case: what.
            in_hand: under a grant from before, if there is one.

        Returns:
            What it should be.
        """
        ((endings, scopes),), rows = self._as(
            case.user,
            f"SELECT isolation.endings({case.facts.id}, {', '.join(case.names)}), "
            "isolation.my_scopes()",
            case.select,
        )
        expected = _as_outcome(rows) if endings == ["rows"] else frozenset(endings)
        self.tally["cases"] += 1
        self._count(case, expected)
        if expected and endings == ["rows"]:
            self._count_rows(case, rows, scopes)
        is_for_all = self.tally["cases"] % _DATABASE_SHARE == 0
        origins = ["store", "resident", "partitions", *(["database"] if is_for_all else [])]
        for origin in origins:
            found = await self._ask(origin, case, in_hand=in_hand or self.random.random() < 0.6)
            is_right = found in expected if isinstance(found, str) else found == expected
            self.tally[f"answered by the {origin}"] += 1
            if not is_right:
                self.wrong.append(_difference(origin, case, found, expected))
        return expected

    async def _ask(self, origin: str, case: Case, *, in_hand: bool) -> Counter[str] | str:
        """The rows that come, or the name of the error."""
        cache = self.caches[origin]
        try:
            grant = self.grants.get((origin, case.user))
            if grant is None or not in_hand:
                grant = await cache.authorize(case.user)
                self.grants[origin, case.user] = grant
            elif grant.version != self._versions[origin]:
                self.tally["under a grant from before a move"] += 1
            result = await cache.query(case.query, grant)
        except (AccessDenied, MissingRole, UnknownDatasource) as error:
            return type(error).__name__
        except Exception as error:  # noqa: BLE001 - told with what it takes to repeat it
            return f"{type(error).__name__}: {error}"
        self.tally[f"from {result.meta.origin}, asked of {origin}"] += 1
        if result.meta.origin not in _ORIGINS.get(origin, {origin}):
            return f"answered by {result.meta.origin}: {result.meta.notes}"
        return _as_outcome(tuple(row.values()) for row in result.rows())

    def _count(self, case: Case, expected: _Outcome) -> None:
        if isinstance(expected, frozenset):
            self.tally["refused"] += 1
            for ending in expected:
                self.tally[f"refused: {ending}"] += 1
        else:
            self.tally["with rows" if expected else "empty"] += 1
        types = f"{case.facts.practices.type}/{case.facts.providers.type}"
        self.tally[f"ids: {types}"] += 1
        query = case.query
        for name in ("organization", "practices", "providers", "aggregate"):
            if getattr(query, name) is not None:
                self.tally[f"naming: {name}"] += 1

    def _count_rows(self, case: Case, rows: list[tuple[Any, ...]], scopes: str) -> None:
        self.tally[f"with rows under: {scopes}"] += 1
        self.tally["rows"] += len(rows)
        if case.query.aggregate is None:
            for column, place in (("practice", 1), ("provider", 2)):
                lacks = any(row[place] is None for row in rows)
                self.tally[f"with rows without a {column}"] += lacks

    async def _pass_an_expiry(self, recent: list[Case], before: list[_Outcome]) -> None:
        """All roles of somebody end between two queries, without anything being written."""
        seeing = [
            case
            for case, outcome in zip(recent, before, strict=True)
            if isinstance(outcome, Counter) and outcome
        ]
        if not seeing:
            return
        first = self.random.choice(seeing)
        of_each = {case.user: case for case in (first, *seeing)} | {first.user: first}
        seconds = _SOON
        for case in of_each.values():
            if await self._pass_the_expiry_of(case, seconds):
                break
            seconds *= 2  # a busy machine needed longer to ask

    async def _pass_the_expiry_of(self, case: Case, seconds: float) -> bool:
        """Whether there was time enough to ask before it, so that it counts."""
        end = expire_soon(case.user, seconds, self.place.connection)
        await self._await_news()
        so_far = list(self.wrong)
        held = await self._try(case)
        is_known = datetime.now(UTC) < end
        if not is_known:  # it passed between the two answers, which may rightly differ
            self.wrong = so_far
            self.tally["not compared, since an expiry passed meanwhile"] += 1
        await _pass(end)
        if await self._try(case, in_hand=True) != held and is_known:
            self.tally["changed by an expiry"] += 1
        return is_known

    async def _await_news(self) -> None:
        """Until every cache's new grants are of the directory as it is now."""
        if self.directory == "file":
            _write_file(self.place)
        deadline = time.monotonic() + _PATIENCE
        for origin, cache in self.caches.items():
            while True:
                version = (await cache.authorize(KEEPER)).version
                if version != self._versions.get(origin):
                    break
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the {origin}'s cache heard of no change")
                await asyncio.sleep(0.002)
            self._versions[origin] = version


async def _pass(moment: datetime) -> None:
    """Wait until it is over, by the clock that decisions and the database go by."""
    left = (moment - datetime.now(UTC)).total_seconds()
    if left >= 0:
        await asyncio.sleep(left + 0.001)
        await _pass(moment)


def _as_outcome(rows: Iterable[tuple[Any, ...]]) -> Counter[str]:
    """As a multiset, in which values of different types differ."""
    return Counter(map(repr, rows))


def _difference(origin: str, case: Case, found: Counter[str] | str, expected: _Outcome) -> str:
    lines = [f"{case.user!r} asks {case.query}", case.select]
    if isinstance(found, Counter) and isinstance(expected, Counter):
        surplus, missing = found - expected, expected - found
        lines.append(
            f"the {origin} gives {surplus.total()} rows that the policy doesn't: "
            f"{list(surplus)[:3]}; it lacks {missing.total()}: {list(missing)[:3]}"
        )
    else:
        told = found if isinstance(found, str) else f"{found.total()} rows"
        wanted = f"{expected.total()} rows" if isinstance(expected, Counter) else sorted(expected)
        lines.append(f"the {origin} says {told}, and should say {wanted}")
    return "\n".join(lines)
