"""The ways in which a user gets at rows, to be tried with every case of "denied or empty".

A further way is one more `Way`, in the list that `open_ways` makes, and how many cases it gets, in
``WAYS``.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Protocol

from tests.support.caches import hold_partitions
from tests.support.denied_or_empty import (
    ROWS,
    Case,
    Outcome,
    Refusal,
    expected,
    expected_export,
    refusal_of,
)
from tests.support.denied_or_empty_files import access_toml, datasources_toml

from warmcube import AnalyticsCache, Query
from warmcube.access.grant import Grant
from warmcube.cli.program import run_command
from warmcube.errors import WarmcubeError

__all__ = [
    "WAYS",
    "Deployment",
    "ShellWay",
    "Tier",
    "Way",
    "may_answer",
    "open_ways",
    "query_words",
    "run_inside",
]

WAYS: Final = {
    "cache.query, store": 2_000,
    "cache.query, resident": 2_000,
    "cache.query, held": 1_000,
    "cache.query, database": 400,
    "cache.export, store": 1_000,
    "cache.export, resident": 500,
    "cache.export, held": 500,
    "cache.export, database": 150,
    "cache.values of a column, store": 500,
    "cache.values of a column, resident": 500,
    "cache.values of a column, held": 500,
    "cache.values of practices, store": 1_000,
    "cache.values of practices, resident": 500,
    "cache.values of practices, held": 500,
    "cache.values of practices, database": 150,
    "cache.measures, store": 500,
    "cache.measures, resident": 500,
    "cache.measures, database": 100,
    "warmcube query, store": 60,
    "warmcube query, database": 30,
    "warmcube query --export, store": 30,
    "warmcube values, store": 30,
}
"""How many cases each way gets; slow ones get fewer."""

PARTITION: Final[dict[str, Any]] = {"measure": "Charges", "frequency": "Monthly"}

Tier = Literal["store", "resident", "held", "database"]
"""What answers: `held` is the process too, from partitions that it holds, and not from answers."""


def may_answer(tier: Tier) -> set[str]:
    """Where answers of a tier may say that they come from.

    To keep an answer, it was the store's once; and what a held partition has no rows of is the
    store's.
    """
    return {"store", "resident"} if tier in ("resident", "held") else {tier}


class Way(Protocol):
    """One way in."""

    @property
    def name(self) -> str: ...

    def expected(self, case: Case) -> Any:
        """What this way is to give for a case."""

    def of_rows(self, rows: frozenset[int]) -> Any:
        """What it gives where these are the rows to be seen."""

    async def ask(self, case: Case) -> Any:
        """What it gives."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Configurations of the same data, by what answers."""

    folder: Path

    @classmethod
    def write(
        cls,
        folder: Path,
        store_url: str,
        source_url: str,
        *,
        access: str | None = None,
        datasources: str | None = None,
    ) -> Deployment:
        """Write the files; those of "denied or empty" unless others are given."""
        access = access_toml() if access is None else access
        datasources = datasources_toml() if datasources is None else datasources
        (folder / "access.toml").write_text(access, encoding="utf-8")
        text = (
            f'[store]\nurl = "{store_url}"\n[directory]\npath = "access.toml"\n'
            f'[sources.main]\nurl = "{source_url}"\n{datasources}'
        )
        (folder / "store.toml").write_text(f"[cache]\nresident_bytes = 0\n{text}", encoding="utf-8")
        (folder / "resident.toml").write_text(text, encoding="utf-8")
        (folder / "database.toml").write_text(f"[cache]\nenabled = false\n{text}", encoding="utf-8")
        return cls(folder)

    def path(self, tier: Tier) -> Path:
        return self.folder / f"{'resident' if tier == 'held' else tier}.toml"


@dataclass(frozen=True, slots=True)
class LibraryWay:
    """A method of `AnalyticsCache`, in one of the tiers.

    Attributes:
        method: what it is called.
        cache: whose.
        tier: from which it must answer.
    """

    method: ClassVar[str]
    cache: AnalyticsCache
    tier: Tier

    @property
    def name(self) -> str:
        return f"cache.{self.method}, {self.tier}"

    def has_answered(self, origin: str) -> bool:
        """Whether an answer came from where it must."""
        return origin in may_answer(self.tier)

    def expected(self, case: Case) -> Any:
        outcome = expected(case)
        return outcome if isinstance(outcome, Refusal) else self.of_rows(outcome)

    def of_rows(self, rows: frozenset[int]) -> Any:
        return rows

    async def ask(self, case: Case) -> Any:
        try:
            return await self._answer(case, await self.cache.authorize(case.user))
        except WarmcubeError as error:
            return refusal_of(error)

    async def _answer(self, case: Case, grant: Grant) -> Any:
        raise NotImplementedError


class QueryWay(LibraryWay):
    """All rows."""

    method = "query"

    async def _answer(self, case: Case, grant: Grant) -> frozenset[int]:
        result = await getattr(self.cache, self.method)(
            Query(datasource=case.datasource, **PARTITION, **case.names), grant
        )
        assert self.has_answered(result.meta.origin)
        rows = [row["row_number"] for row in result.rows()]
        assert len(set(rows)) == len(rows) == result.meta.rows, "a row was answered twice"
        return frozenset(rows)


class ExportWay(QueryWay):
    """All rows, for those who may export them."""

    method = "export"

    def expected(self, case: Case) -> Outcome:
        return expected_export(case)


class NumbersWay(LibraryWay):
    """The values of a column in which each row has its own."""

    method = "values of a column"

    async def _answer(self, case: Case, grant: Grant) -> frozenset[int]:
        values = await self.cache.values(
            case.datasource, "row_number", grant, **PARTITION, **case.names
        )
        assert self.has_answered(values.meta.origin)
        assert not values.has_null
        return frozenset(values)


class PracticesWay(LibraryWay):
    """The values of the practice column, and whether there are rows without one."""

    method = "values of practices"

    def of_rows(self, rows: frozenset[int]) -> tuple[list[int], bool]:
        found = {ROWS[number][0] for number in rows}
        return sorted(each for each in found if each is not None), None in found

    async def _answer(self, case: Case, grant: Grant) -> tuple[list[int], bool]:
        values = await self.cache.values(
            case.datasource, "practice_uid", grant, **PARTITION, **case.names
        )
        assert self.has_answered(values.meta.origin)
        return list(values), values.has_null


class MeasuresWay(LibraryWay):
    """The measures of which there are rows; nothing can be named."""

    method = "measures"

    def expected(self, case: Case) -> Any:
        return super().expected(replace(case, organization=None, practices=None, providers=None))

    def of_rows(self, rows: frozenset[int]) -> list[tuple[str, str]]:
        return [("Charges", "Monthly")] if rows else []

    async def _answer(self, case: Case, grant: Grant) -> list[tuple[str, str]]:
        measures = await self.cache.measures(case.datasource, grant)
        assert self.has_answered(measures.meta.origin)
        return [tuple(each) for each in measures]


def query_words(
    config: Path, user: str, datasource: int, asked: Mapping[str, Any], *, column: str | None = None
) -> list[str]:
    """The command line of a query, without the program; the answer as JSON.

    Args:
        config: the file.
        user: as whom.
        datasource: its id.
        asked: measure, frequency, organization, practices and providers as `Query` has them.
        column: whose values are asked for; None asks for rows.
    """
    command = ["query", str(datasource)] if column is None else ["values", str(datasource), column]
    words = ["--config", str(config), *command, "--as", user, "--format", "json"]
    for option in ("measure", "frequency", "organization"):
        if asked.get(option) is not None:
            words += [f"--{option}", asked[option]]
    for option, ids in (("practice", asked.get("practices")), ("provider", asked.get("providers"))):
        if ids is not None and not ids:
            words.append(f"--no-{option}")
        words += [word for each in ids or () for word in (f"--{option}", str(each))]
    return words


Run = Callable[[list[str]], tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class ShellWay:
    """A command that reads; its exit status tells refusals apart as far as it does.

    Attributes:
        deployment: the configurations.
        tier: from which it must answer.
        run: runs it.
        is_export: whether it is an export.
        column: whose values are asked for; None asks for rows.
    """

    deployment: Deployment
    tier: Tier
    run: Run
    is_export: bool = False
    column: str | None = None

    @property
    def name(self) -> str:
        command = "query" if self.column is None else "values"
        return f"warmcube {command}{' --export' if self.is_export else ''}, {self.tier}"

    def expected(self, case: Case) -> tuple[int, frozenset[int] | None]:
        outcome = expected_export(case) if self.is_export else expected(case)
        if outcome is Refusal.DENIED:
            return 3, None
        if isinstance(outcome, Refusal):
            return 2, None
        return self.of_rows(outcome)

    def of_rows(self, rows: frozenset[int]) -> tuple[int, frozenset[int] | None]:
        return 0, rows

    async def ask(self, case: Case) -> tuple[int, frozenset[int] | None]:
        config = self.deployment.path(self.tier)
        words = query_words(
            config, case.user, case.datasource, PARTITION | case.names, column=self.column
        )
        if self.is_export:
            words.append("--export")
        status, output = await asyncio.to_thread(self.run, words)
        if status != 0:
            assert output == b"", "a refused command wrote something"
            return status, None
        rows = [row["row_number"] for row in json.loads(output)]
        assert len(set(rows)) == len(rows), "a row was answered twice"
        return status, frozenset(rows)


def run_inside(words: list[str]) -> tuple[int, bytes]:
    """Run a command in this process: its exit status, and what it wrote on stdout."""
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(io.StringIO()):
        status = run_command(words)
    output.flush()
    return status, output.buffer.getvalue()


@asynccontextmanager
async def open_ways(deployment: Deployment) -> AsyncIterator[dict[str, Way]]:
    """Every way in, by its name."""
    async with (
        AnalyticsCache.from_config(deployment.path("store")) as warm,
        AnalyticsCache.from_config(deployment.path("resident")) as keeping,
        AnalyticsCache.from_config(deployment.path("held")) as holding,
        AnalyticsCache.from_config(deployment.path("database")) as cold,
    ):
        await hold_partitions(holding, *holding._parts.answerer._datasources)
        tiers: list[tuple[AnalyticsCache, Tier]] = [
            (warm, "store"),
            (keeping, "resident"),
            (holding, "held"),
            (cold, "database"),
        ]
        ways: list[Way] = [
            *(
                kind(cache, tier)
                for kind in (QueryWay, ExportWay, NumbersWay, PracticesWay, MeasuresWay)
                for cache, tier in tiers
            ),
            ShellWay(deployment, "store", run_inside),
            ShellWay(deployment, "database", run_inside),
            ShellWay(deployment, "store", run_inside, is_export=True),
            ShellWay(deployment, "store", run_inside, column="row_number"),
        ]
        yield {way.name: way for way in ways}
