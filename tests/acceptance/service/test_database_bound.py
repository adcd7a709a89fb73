"""What a service asks of its database while Redis is dead, counted by the database."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
import pytest
from tests.support.caches import TABLE, execute, make_cache, select
from tests.support.own_redis import OwnRedis
from tests.support.sampler import DatabaseSampler
from tests.support.served import Running, running
from tests.support.servers import wait_until

from .conftest import auth_for, bearer

CLIENTS: Final = 32
PROVIDERS: Final = 60
DEADLINE: Final = 10.0
SLACK: Final = 5.0
"""A machine that is busy with other things may take so much longer."""


@pytest.fixture(scope="module")
def database(postgres_module_db: str) -> str:
    """A database with a table of many scopes."""
    execute(
        postgres_module_db,
        TABLE,
        "INSERT INTO ih.facts SELECT 'Much', 101, n % 60, 'Monthly', DATE '2024-01-01', n "
        "FROM generate_series(1, 6000) AS n",
    )
    return postgres_module_db


@pytest.fixture
def service(tmp_path: Path, database: str) -> Iterator[Running]:
    """Three processes behind one port, whose Redis is dead."""
    nowhere = OwnRedis(tmp_path, Path("never started")).url
    file = make_cache(tmp_path, nowhere, database).settings.file
    assert file is not None
    auth_for(tmp_path, "shutdown = 6.0")
    words = ("--config", str(file), "serve", "--port", "0", "--workers", "3")
    with running(words, tmp_path) as started:
        yield started


def test_all_workers_together_keep_the_bound(service: Running, database: str) -> None:
    """Each answer is SQL's and in time, and `pg_stat_activity` never shows more than eight of them.

    Who is told that too much is asked at once asks again, as a client does.
    """
    expected: dict[Any, Any] = dict(
        select(  # type: ignore[arg-type]
            database,
            "SELECT provider_uid, sum(measure_value)::text FROM ih.facts "
            "WHERE measure = 'Much' GROUP BY 1",
        )
    )
    took: list[float] = []
    lock = threading.Lock()

    def client(number: int) -> None:
        chance = random.Random(number)
        headers = dict([bearer(chance.choice(["root", "north"])).split(": ")])
        provider = chance.randrange(PROVIDERS)
        query = {"datasource": 1, "measure": "Much", "frequency": "Monthly"}
        query |= {"practices": [101], "providers": [provider], "aggregate": "sum"}
        while True:
            began = time.monotonic()
            answered = httpx.post(
                f"{service.url}/api/query", json=query, headers=headers, timeout=60
            )
            if answered.status_code != 503:
                break
            time.sleep(min(float(answered.headers["retry-after"]), 0.2))
        assert answered.status_code == 200, answered.text
        found = answered.json()
        assert found["meta"]["origin"] == "database"
        (row,) = found["rows"]
        assert str(row["sum"]) == expected[provider]
        with lock:
            took.append(time.monotonic() - began)

    with DatabaseSampler(database) as sampler, ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))  # each process knows the columns then
        with psycopg.connect(database) as locking:  # so that all who may read are at it
            locking.execute("LOCK TABLE ih.facts IN ACCESS EXCLUSIVE MODE")
            clients = [pool.submit(client, number) for number in range(CLIENTS, 2 * CLIENTS)]
            wait_until(lambda: len(sampler.most) >= 6)
            time.sleep(2)  # more would come by then, if they could
        for each in clients:
            each.result()
    took.sort()
    assert len(took) == 2 * CLIENTS
    assert len(sampler.most) <= 8, sampler.most
    assert took[len(took) * 99 // 100] < DEADLINE + SLACK


def test_more_workers_than_reads_are_refused(tmp_path: Path, database: str) -> None:
    """Before anything listens, in words that say what to do."""
    file = make_cache(tmp_path, "redis://127.0.0.1:1/0", database).settings.file
    assert file is not None
    auth_for(tmp_path, "")
    words = ("--config", str(file), "serve", "--port", "0", "--workers", "9")
    with running(words, tmp_path, is_awaited=False) as started:
        assert started.process.wait(60) == 2
    assert "9 processes share [cache] fallback_slots = 8" in "".join(started.told)
