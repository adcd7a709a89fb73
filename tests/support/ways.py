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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from tests.support.denied_or_empty import (
    Case,
    Outcome,
    Refusal,
    expected,
    refusal_of,
)
from tests.support.denied_or_empty_files import access_toml, datasources_toml

from warmcube import AnalyticsCache, Query
from warmcube.cli.program import run_command
from warmcube.errors import WarmcubeError
from warmcube.query.result import Result

__all__ = [
    "WAYS",
    "Deployment",
    "QueryWay",
    "ShellWay",
    "Tier",
    "Way",
    "open_ways",
    "query_words",
    "run_inside",
]

WAYS: Final = {
    "cache.query, store": 2_000,
    "cache.query, database": 500,
    "warmcube query, store": 120,
    "warmcube query, database": 40,
}
"""How many cases each way gets; slow ones get fewer."""

PARTITION: Final[dict[str, Any]] = {"measure": "Charges", "frequency": "Monthly"}

Tier = Literal["store", "database"]


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
    """Two configurations of the same data: one answers from the store, one from the database."""

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
        (folder / "store.toml").write_text(text, encoding="utf-8")
        (folder / "database.toml").write_text(f"[cache]\nenabled = false\n{text}", encoding="utf-8")
        return cls(folder)

    def path(self, tier: Tier) -> Path:
        return self.folder / f"{tier}.toml"


@dataclass(frozen=True, slots=True)
class QueryWay:
    """`AnalyticsCache.query`, in one of the tiers."""

    cache: AnalyticsCache
    tier: Tier

    @property
    def name(self) -> str:
        return f"cache.query, {self.tier}"

    def expected(self, case: Case) -> Outcome:
        return expected(case)

    def of_rows(self, rows: frozenset[int]) -> Outcome:
        return rows

    async def ask(self, case: Case) -> Outcome:
        try:
            grant = await self.cache.authorize(case.user)
            result = await self.cache.query(
                Query(datasource=case.datasource, **PARTITION, **case.names), grant
            )
        except WarmcubeError as error:
            return refusal_of(error)
        return self._numbers(result)

    def _numbers(self, result: Result) -> frozenset[int]:
        assert result.meta.origin == self.tier
        rows = [row["row_number"] for row in result.rows()]
        numbers = frozenset(rows)
        assert len(numbers) == len(rows), "a row was answered twice"
        assert result.meta.rows == len(rows)
        return numbers


def query_words(config: Path, user: str, datasource: int, asked: Mapping[str, Any]) -> list[str]:
    """The command line of a query, without the program; the answer as JSON.

    Args:
        config: the file.
        user: as whom.
        datasource: its id.
        asked: measure, frequency, organization, practices and providers as `Query` has them.
    """
    words = ["--config", str(config), "query", str(datasource), "--as", user, "--format", "json"]
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
    """``warmcube query``: the exit status tells refusals apart as far as it does."""

    deployment: Deployment
    tier: Tier
    run: Run

    @property
    def name(self) -> str:
        return f"warmcube query, {self.tier}"

    def expected(self, case: Case) -> tuple[int, frozenset[int] | None]:
        outcome = expected(case)
        if outcome is Refusal.DENIED:
            return 3, None
        if isinstance(outcome, Refusal):
            return 2, None
        return self.of_rows(outcome)

    def of_rows(self, rows: frozenset[int]) -> tuple[int, frozenset[int] | None]:
        return 0, rows

    async def ask(self, case: Case) -> tuple[int, frozenset[int] | None]:
        config = self.deployment.path(self.tier)
        words = query_words(config, case.user, case.datasource, PARTITION | case.names)
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
        AnalyticsCache.from_config(deployment.path("database")) as cold,
    ):
        ways: list[Way] = [
            QueryWay(warm, "store"),
            QueryWay(cold, "database"),
            ShellWay(deployment, "store", run_inside),
            ShellWay(deployment, "database", run_inside),
        ]
        yield {way.name: way for way in ways}
