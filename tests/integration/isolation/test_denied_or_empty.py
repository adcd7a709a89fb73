"""Denied or empty, as the design's §6 says, through every way in.

The cases and the rule stand in `tests.support.denied_or_empty`, the ways in `tests.support.ways`;
every case there is meets the decision alone in ``tests/unit/access/test_denied_or_empty.py``. Here
each way gets some of every user on every data source. To repeat a run, set ``WARMCUBE_TEST_SEED``.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

import pytest
from tests.support.caches import execute
from tests.support.denied_or_empty import (
    DATASOURCES,
    DEFECTIVE,
    NOT_CONFIGURED,
    ROWS,
    SCOPES,
    STATES,
    Case,
    Refusal,
    cases,
    expected,
)
from tests.support.denied_or_empty_files import TABLE
from tests.support.ways import WAYS, Deployment, ShellWay, open_ways

from warmcube import AnalyticsCache

pytestmark = pytest.mark.no_cover  # repeats for long what other tests cover

SEED: Final = os.environ.get("WARMCUBE_TEST_SEED", "1")
LONG: Final = 20
"""How many times as many cases a long run tries."""


@pytest.fixture(scope="module")
def facts(postgres_module_db: str) -> str:
    """A database with the table."""
    execute(postgres_module_db, TABLE)
    return postgres_module_db


@pytest.fixture
async def deployment(tmp_path: Path, redis_url: str, facts: str) -> Deployment:
    """All data sources, warm."""
    made = Deployment.write(tmp_path, redis_url, facts)
    async with AnalyticsCache.from_config(made.path("store")) as cache:
        for datasource in DATASOURCES:
            assert (await cache.warm(datasource)).rows == len(ROWS)
    return made


def _kind(case: Case) -> Refusal | bool:
    """How it is refused, or whether there are rows."""
    outcome = expected(case)
    return outcome if isinstance(outcome, Refusal) else bool(outcome)


@cache
def _by_kind() -> dict[Refusal | bool, list[list[Case]]]:
    """All cases by what is to become of them, and in there by user and data source.

    A file with a defect is refused whole, so nobody is touched by one here.
    """
    found: dict[Refusal | bool, list[list[Case]]] = {kind: [] for kind in (*Refusal, False, True)}
    for state, scope, datasource in itertools.product(
        STATES, SCOPES, (*DATASOURCES, NOT_CONFIGURED)
    ):
        if state != DEFECTIVE:
            split = defaultdict(list)
            for case in cases(state, scope, datasource):
                split[_kind(case)].append(case)
            for kind, some in split.items():
                found[kind].append(some)
    return found


def _some(share: int, random: Random) -> Iterator[Case]:
    """As many cases of each kind, and of as many users and data sources as there are."""
    for split in _by_kind().values():
        order = random.sample(split, len(split))
        for some in itertools.islice(itertools.cycle(order), share // len(_by_kind())):
            yield random.choice(some)


@pytest.mark.parametrize("name", WAYS)
async def test_through_every_way_in(name: str, deployment: Deployment) -> None:
    """Whatever a user may not see is denied or empty, and all else is there, in each way."""
    await _try(name, deployment, 1)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", WAYS)
async def test_through_every_way_in_at_length(name: str, deployment: Deployment) -> None:
    """Most of the cases there are."""
    await _try(name, deployment, LONG)


async def _try(name: str, deployment: Deployment, times: int) -> None:
    random = Random(f"{SEED} {name} {times}")
    async with open_ways(deployment) as ways:
        way = ways[name]
        for case in _some(times * WAYS[name], random):
            found = await way.ask(case)
            assert found == way.expected(case), f"WARMCUBE_TEST_SEED={SEED}: {case}"


async def test_none_of_them_is_not_no_filter(deployment: Deployment) -> None:
    """An empty list survives every way in as what it is, and so does the absence of a list."""
    async with open_ways(deployment) as ways:
        assert set(WAYS) <= set(ways)
        for way in ways.values():
            takes_lists = "measures" not in way.name
            for scope in ("all", "organization", "own"):
                every = Case(state="active", scope=scope, datasource=1)
                assert await way.ask(every) == way.expected(every) != way.of_rows(frozenset())
                for empty in (replace(every, practices=()), replace(every, providers=())):
                    if takes_lists:
                        assert await way.ask(empty) == way.of_rows(frozenset()), (way.name, empty)


PROGRAM: Final = [sys.executable, "-W", "error", "-c", "from warmcube.cli import main; main()"]


def _run_outside(words: list[str]) -> tuple[int, bytes]:
    """Run a command in a process of its own."""
    own = ("WARMCUBE_", "CACHE_")
    finished = subprocess.run(
        [*PROGRAM, *words],
        env={k: v for k, v in os.environ.items() if not k.startswith(own)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )
    return finished.returncode, finished.stdout


async def test_in_a_process_of_its_own(deployment: Deployment) -> None:
    """The command as it is run: rows, none, and a denial."""
    way = ShellWay(deployment, "store", _run_outside)
    whole = Case(state="active", scope="organization", datasource=1)
    for case in (whole, replace(whole, practices=()), replace(whole, practices=(106,))):
        assert await way.ask(case) == way.expected(case)
