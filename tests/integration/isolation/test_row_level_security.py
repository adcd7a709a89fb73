"""The oracle that isn't ours: the cache gives what Postgres's row-level security gives.

Random worlds (``tests/support/rls_world.py``) are asked through the cache, and by a plain SELECT as
the user's database role. The policies (``tests/support/rls_policy.sql``) are written from the
design's words over the directory's tables; what a policy on rows can't say, a denial, is said by
functions beside them. Each world has a random generator of its own, seeded by the run, the type of
its ids and its number. To repeat a run, set ``WARMCUBE_TEST_SEED`` as its failure says.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.support.rls_ids import FAMILIES
from tests.support.rls_trial import DirectoryKind, Place, open_trial
from tests.support.rls_world import install

SEED = os.environ.get("WARMCUBE_TEST_SEED", "1")
CASES = 5_200
CASES_LONG = 200_000
CASES_PER_WORLD = 260
DIRECTORIES: tuple[DirectoryKind, ...] = ("file",)


@pytest.fixture
def place(redis_url: str, postgres_db: str, tmp_path: Path) -> Iterator[Place]:
    """Servers without a world."""
    with psycopg.connect(postgres_db, autocommit=True, prepare_threshold=None) as connection:
        install(connection)
        yield Place(redis_url, postgres_db, tmp_path, connection)


@pytest.mark.parametrize("family", FAMILIES)
async def test_the_cache_gives_what_row_level_security_gives(family: str, place: Place) -> None:
    """Thousands of cases in random worlds that change in between: equal rows and refusals."""
    await _compare(place, family, SEED, CASES // len(FAMILIES))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("family", FAMILIES)
async def test_the_cache_gives_what_row_level_security_gives_at_length(
    family: str, place: Place
) -> None:
    """Two hundred thousand of them, in other worlds."""
    await _compare(place, family, f"{SEED} at length", CASES_LONG // len(FAMILIES))


async def _compare(place: Place, family: str, seed: str, cases: int) -> None:
    tally: Counter[str] = Counter()
    started, worlds = time.monotonic(), 0
    while tally["cases"] < cases:
        directory = DIRECTORIES[worlds % len(DIRECTORIES)]
        async with open_trial(place, family, f"{seed} {family} {worlds}", directory, tally) as trial:
            await trial.run(min(CASES_PER_WORLD, cases - tally["cases"]))
        if trial.wrong:
            pytest.fail(
                f"WARMCUBE_TEST_SEED={SEED}, world {worlds} of {family} "
                f"({trial.world.types()}, directory in a {directory}), after "
                f"{tally['cases']} cases\n{trial.wrong[0]}",
                pytrace=False,
            )
        worlds += 1
    print(f"{family}: {worlds} worlds, {time.monotonic() - started:.1f} s, {tally.most_common()}")
    _check_the_mix(tally, family)


def _check_the_mix(tally: Counter[str], family: str) -> None:
    """A run in which hardly anything is answered, refused or changed proves nothing."""
    cases = tally["cases"]
    assert tally["with rows"] > cases / 3, tally
