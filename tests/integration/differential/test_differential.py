"""The proof: for random users and queries, the cache answers what SQL answers on the same table.

The oracle (``tests/support/oracle*.py``) writes SQL text from the design's words, and shares no
code with what it judges. Every pair has a random generator of its own, seeded by the run, the
table and the pair's number. To repeat a run, set ``WARMCUBE_TEST_SEED`` as its failure says.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest
from adbc_driver_postgresql import dbapi
from tests.support.batch_trial import BatchTrial
from tests.support.caches import hold_partitions
from tests.support.generate_people import make_people
from tests.support.oracle_sql import OracleSql
from tests.support.oracle_trial import Servers, Trial, open_caches
from tests.support.tables import Sample
from tests.support.tables_samples import SAMPLES

from warmcube.warm import sums

pytestmark = pytest.mark.no_cover  # repeats for long what other tests cover

SEED = os.environ.get("WARMCUBE_TEST_SEED", "1")
PAIRS = 6_000
PAIRS_LONG = 52_000
PAIRS_CLUSTER = 600
BATCHES = 800
MOST_FAILURES = 3


@pytest.fixture
def servers(
    redis_url: str, postgres_db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Servers:
    """Servers without any data, on which practice-level sums pay even for random dates."""
    monkeypatch.setattr(sums, "LEAST_SAVING", 1)
    return Servers(redis_url, postgres_db, tmp_path)


@pytest.mark.parametrize("name", SAMPLES)
async def test_the_cache_answers_as_sql_does(name: str, servers: Servers) -> None:
    """Thousands of random users and queries: equal rows, types, order and refusals."""
    await _compare(SAMPLES[name], SEED, PAIRS, servers)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", SAMPLES)
async def test_the_cache_answers_as_sql_does_at_length(name: str, servers: Servers) -> None:
    """Tens of thousands of them, on other rows and under other organizations."""
    await _compare(SAMPLES[name], f"{SEED} at length", PAIRS_LONG, servers)


@pytest.mark.parametrize("name", SAMPLES)
async def test_batches_are_answered_as_sql_does(name: str, servers: Servers) -> None:
    """Hundreds of random batches: each query as if it were asked alone, all of one snapshot."""
    await _compare(SAMPLES[name], f"{SEED} in batches", BATCHES, servers, BatchTrial)


@pytest.fixture
def on_cluster(
    cluster_url: str, postgres_db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Servers:
    """The same with a cluster, whose replicas answer too."""
    monkeypatch.setattr(sums, "LEAST_SAVING", 1)
    monkeypatch.setenv("WARMCUBE_STORE__READ_REPLICAS", "true")
    return Servers(cluster_url, postgres_db, tmp_path)


@pytest.mark.parametrize("name", ["money", "keys", "instants"])
async def test_a_cluster_answers_as_sql_does(name: str, on_cluster: Servers) -> None:
    """Hundreds of random users and queries on tables of different kinds."""
    await _compare(SAMPLES[name], f"{SEED} on a cluster", PAIRS_CLUSTER, on_cluster)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", SAMPLES)
async def test_a_cluster_answers_as_sql_does_at_length(name: str, on_cluster: Servers) -> None:
    """Thousands of them on all tables."""
    await _compare(SAMPLES[name], f"{SEED} on a cluster", PAIRS, on_cluster)


async def _compare(
    sample: Sample, seed: str, total: int, servers: Servers, kind: type[Trial] = Trial
) -> None:
    """Run the table's share of all pairs."""
    pairs = round(total * sample.weight / sum(each.weight for each in SAMPLES.values()))
    random = Random(f"{seed} {sample.name}")
    sample.make(random)
    people = make_people(random)
    sample.load(servers.postgres_url)
    failures: list[str] = []
    async with open_caches(sample, people, servers) as caches:
        report = await caches["store"].warm(sample.id)
        assert report.rows == sample.rows
        assert await hold_partitions(caches["partitions"], sample.id) == report.partitions
        connected = dbapi.connect(servers.postgres_url, autocommit=True)
        with connected as connection, connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'")
            trial = kind(sample, people, caches, OracleSql(sample), cursor)
            for number in range(pairs):
                wrong = await trial.run(Random(f"{seed} {sample.name} {number}"), number)
                if wrong is not None:
                    failures.append(f"WARMCUBE_TEST_SEED={SEED}, pair {number} of {pairs}\n{wrong}")
                if len(failures) == MOST_FAILURES:
                    break
    if failures:
        pytest.fail("\n\n".join(failures), pytrace=False)
    # A run in which hardly anything is answered, or refused, proves nothing.
    assert trial.tally["with rows"] > pairs / 3, trial.tally
    assert trial.tally["refused"] > pairs / 40, trial.tally
    if sample.name == "money":  # it has all that practice-level sums need
        assert trial.tally["by sums"] > pairs / 40, trial.tally
    assert trial.tally["evaluated from partitions"] > pairs / 4, trial.tally
