"""The oracle that isn't ours: the cache gives what Postgres's row-level security gives.

Random worlds (``tests/support/rls_world.py``) are asked through the cache, and by a plain SELECT as
the user's database role. The policies (``tests/support/rls_policy.sql``) are written from the
design's words over the directory's tables; what a policy on rows can't say, a denial, is said by
functions beside them. Each world has a random generator of its own, seeded by the run, the type of
its ids and its number. To repeat a run, set ``WARMCUBE_TEST_SEED`` as its failure says; to see what
was tried, add ``--log-cli-level=INFO``.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from typing import Final

import pytest
from tests.support.rls_ids import FAMILIES
from tests.support.rls_moves import MOVES
from tests.support.rls_trial import DirectoryKind, Place, open_trial

pytestmark = pytest.mark.no_cover  # repeats for long what other tests cover

_LOG: Final = logging.getLogger(__name__)

SEED: Final = os.environ.get("WARMCUBE_TEST_SEED", "1")
CASES: Final = 5_200
CASES_LONG: Final = 200_000
PARTS: Final = 2
CASES_PER_WORLD: Final = 260
CASES_PER_WORLD_LONG: Final = 500
DIRECTORIES: Final[tuple[DirectoryKind, ...]] = ("file", "database")

SHARES: Final = {
    "from resident, asked of resident": 0.1,
    "from resident, asked of partitions": 0.2,
    "with rows": 0.3,
    "with rows under: organization": 0.02,
    "with rows under: own": 0.01,
    "empty": 0.08,
    "refused": 0.05,
    "refused: AccessDenied": 0.04,
    "refused: UnknownDatasource": 0.001,
    "with rows without a practice": 0.005,
    "with rows without a provider": 0.05,
    "naming: organization": 0.1,
    "naming: practices": 0.2,
    "naming: providers": 0.1,
    "naming: aggregate": 0.05,
    "answered by the store": 0.9,
    "answered by the database": 0.1,
    "under a grant from before a move": 0.3,
    "changed by a move": 0.015,
    "changed by an expiry": 0.0007,
}
"""Of all cases, at least: a run in which hardly anything is answered, refused or changed proves
nothing."""


@pytest.mark.parametrize("family", FAMILIES)
async def test_the_cache_gives_what_row_level_security_gives(family: str, place: Place) -> None:
    """Thousands of cases in random worlds that change in between: equal rows and refusals."""
    await _compare(place, family, SEED, CASES // len(FAMILIES), CASES_PER_WORLD)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("family", FAMILIES)
async def test_the_cache_gives_what_row_level_security_gives_at_length(
    family: str, part: int, place: Place
) -> None:
    """Two hundred thousand of them, in other worlds."""
    seed, share = f"{SEED} at length, part {part}", CASES_LONG // len(FAMILIES) // PARTS
    tally = await _compare(place, family, seed, share, CASES_PER_WORLD_LONG)
    assert not {name for name in MOVES if not tally[f"changed: {name}"]}


async def _compare(
    place: Place, family: str, seed: str, cases: int, per_world: int
) -> Counter[str]:
    tally: Counter[str] = Counter()
    started = time.monotonic()
    while tally["cases"] < cases:
        number = tally["worlds"]
        directory = DIRECTORIES[number % len(DIRECTORIES)]
        async with open_trial(
            place, family, f"{seed} {family} {number}", directory, tally
        ) as trial:
            await trial.run(per_world)
        if trial.wrong:
            pytest.fail(
                f"WARMCUBE_TEST_SEED={SEED}, world {number} of {family} ({trial.world.types()}), "
                f"directory in a {directory}, after {tally['cases']} cases\n{trial.wrong[0]}",
                pytrace=False,
            )
        tally["worlds"] += 1
        _LOG.debug("%s: %d cases in %d worlds", family, tally["cases"], tally["worlds"])
    seconds = time.monotonic() - started
    _LOG.info(
        "%s, %.0f s, %.0f cases a second\n%s",
        family,
        seconds,
        tally["cases"] / seconds,
        "\n".join(f"{count:9,} {what}" for what, count in sorted(tally.items())),
    )
    _check_the_mix(tally)
    return tally


def _check_the_mix(tally: Counter[str]) -> None:
    lacking = {
        what: f"{tally[what] / tally['cases']:.4f} < {share}"
        for what, share in SHARES.items()
        if tally[what] < tally["cases"] * share
    }
    lacking |= {
        what: "in no world"
        for what, count in tally.items()
        if what.startswith("worlds: ") and count == 0
    }
    assert not lacking, lacking
