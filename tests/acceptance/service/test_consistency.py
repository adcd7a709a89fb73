"""Many clients, several processes, one table that keeps changing: each answer is of one moment."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
import pyarrow as pa
import pytest
from tests.integration.service.conftest import ACCESS
from tests.support.caches import make_cache
from tests.support.served import Running, running
from tests.support.servers import is_alive, wait_until

from warmcube import AnalyticsCache

from .conftest import auth_for, bearer

pytestmark = pytest.mark.no_cover  # repeats for long what other tests cover

TABLE: Final = """
CREATE TABLE public.moments AS
SELECT 'Charges' AS measure, p AS practice_uid, v AS provider_uid, 'Monthly' AS frequency,
       DATE '2024-01-01' + d AS date_index, 0 AS generation,
       (p * 1000 + v * 10 + d)::numeric(14, 2) AS measure_value
FROM generate_series(101, 112) p, generate_series(1, 4) v, generate_series(0, 5) d
"""
CHANGE: Final = (
    "UPDATE public.moments SET generation = %(to)s, measure_value = measure_value + 7.25"
)
VISIBLE: Final = {
    "root": "TRUE",
    "north": "practice_uid IN (101, 102, 103)",
    "provider": "practice_uid IN (101, 102, 103) AND provider_uid = 3",
}
CLIENTS: Final = 16
QUERY: Final = {"datasource": 1, "measure": "Charges", "frequency": "Monthly"}
SUMS: Final = {**QUERY, "group_by": ["date_index"], "aggregate": "sum"}

Row = tuple[Any, ...]


@dataclass(slots=True)
class Truth:
    """What SQL gave of each generation, for each user."""

    rows: dict[tuple[int, str], Counter[Row]] = field(default_factory=dict)
    sums: dict[tuple[str, frozenset[Row]], int] = field(default_factory=dict)

    def learn(self, connection: psycopg.Connection[Any], generation: int) -> None:
        """Ask SQL, in the transaction that makes the generation."""
        for user, where in VISIBLE.items():
            found = connection.execute(
                "SELECT practice_uid, provider_uid, date_index::text, measure_value::text, "
                f"generation FROM public.moments WHERE {where}"
            ).fetchall()
            self.rows[generation, user] = Counter(found)
            sums = connection.execute(
                "SELECT date_index::text, sum(measure_value)::text FROM public.moments "
                f"WHERE {where} GROUP BY 1"
            ).fetchall()
            self.sums[user, frozenset(sums)] = generation


@pytest.fixture
def truth(postgres_db: str) -> Truth:
    """The table, at its first generation."""
    known = Truth()
    with psycopg.connect(postgres_db) as connection:
        connection.execute(TABLE)
        known.learn(connection, 0)
    return known


@pytest.fixture
def service(tmp_path: Path, redis_url: str, postgres_db: str, truth: Truth) -> Iterator[Running]:
    """Four processes behind one port, over a warm table."""
    del truth
    settings = make_cache(
        tmp_path, redis_url, postgres_db, access=ACCESS, table="public.moments"
    ).settings
    assert settings.file is not None
    auth_for(tmp_path, "shutdown = 6.0")
    with running(
        ("--config", str(settings.file), "serve", "--port", "0", "--workers", "4"), tmp_path
    ) as started:
        yield started


def admin_call(service: Running, method: str, path: str, **more: Any) -> Any:
    """What an operator's request is answered with."""
    url = f"{service.url}/api/admin/analytics/cache{path}"
    answered = httpx.request(method, url, headers=as_user("root"), **more)
    assert answered.status_code in (200, 202), answered.text
    return answered.json()


class Admin:
    """Changes the table and has it warmed, again and again.

    Args:
        url: of the service.
        database: of the table.
        truth: learns each generation before anybody can see it in an answer.
    """

    def __init__(self, url: str, database: str, truth: Truth) -> None:
        self._url = url
        self._database = database
        self._truth = truth
        self.generation = 0

    def warm(self) -> None:
        """Have the table warmed through one process, and wait for it through others."""
        prefix = f"{self._url}/api/admin/analytics/cache"
        headers = as_user("root")
        answered = httpx.post(f"{prefix}/warm", json={"datasource": 1}, headers=headers)
        assert answered.status_code == 202, answered.text
        status = f"{prefix}/warming/status?job={answered.json()['job']}"
        deadline = time.monotonic() + 60
        while (job := httpx.get(status, headers=headers).json()["job"])["state"] in (
            "queued",
            "running",
        ):
            assert time.monotonic() < deadline, job
            time.sleep(0.05)
        assert job["state"] == "done", job

    def change(self) -> None:
        """Make the next generation, in one transaction."""
        with psycopg.connect(self._database) as connection:
            self.generation += 1
            connection.execute(CHANGE, {"to": self.generation})
            self._truth.learn(connection, self.generation)


def as_user(user: str) -> dict[str, str]:
    """The headers of a request with a user's token."""
    name, _, value = bearer(user).partition(": ")
    return {name: value}


class Client:
    """One connection to one of the processes, which checks every answer that it gets.

    Args:
        url: of the service.
        user: as whom.
        truth: what SQL says.
        random: chooses the questions.
    """

    def __init__(self, url: str, user: str, truth: Truth, random: random.Random) -> None:
        self._client = httpx.Client(base_url=url, headers=as_user(user), timeout=30)
        self._user = user
        self._truth = truth
        self._random = random
        self._tag: tuple[str, int] | None = None
        self.seen: list[int] = []
        self.kinds: Counter[str] = Counter()

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def ask(self) -> None:
        """Ask something; the answer is of one generation, and not of an older one than before."""
        asks: list[Callable[[], int]] = [self._rows, self._columns, self._arrow, self._sums]
        asks += [self._batch, self._tagged]
        ask = self._random.choice(asks)
        generation = ask()
        self.kinds[ask.__name__] += 1
        if self.seen:
            assert generation >= self.seen[-1], (ask.__name__, generation, self.seen[-1])
        self.seen.append(generation)

    def _post(self, path: str, **body: Any) -> httpx.Response:
        answered = self._client.post(path, json=body)
        assert answered.status_code == 200, answered.text
        return answered

    def _generation_of(self, rows: Counter[Row]) -> int:
        generations = {row[-1] for row in rows}
        assert len(generations) == 1, generations
        (generation,) = generations
        assert rows == self._truth.rows[generation, self._user]
        return int(generation)

    def _of_rows(self, answer: dict[str, Any]) -> int:
        assert answer["meta"]["origin"] in ("store", "resident"), answer["meta"]
        names = ("practice_uid", "provider_uid", "date_index", "measure_value", "generation")
        return self._generation_of(
            Counter(tuple(row[name] for name in names) for row in answer["rows"])
        )

    def _of_sums(self, answer: dict[str, Any]) -> int:
        sums = frozenset((row["date_index"], row["sum"]) for row in answer["rows"])
        return self._truth.sums[self._user, sums]

    def _rows(self) -> int:
        return self._of_rows(self._post("/api/query", **QUERY).json())

    def _columns(self) -> int:
        columns = self._post("/api/query", **QUERY, format="columns").json()["columns"]
        names = ("practice_uid", "provider_uid", "date_index", "measure_value", "generation")
        return self._generation_of(Counter(zip(*(columns[name] for name in names), strict=True)))

    def _arrow(self) -> int:
        answered = self._post("/api/query", **QUERY, format="arrow")
        rows = pa.ipc.open_stream(answered.content).read_all().to_pylist()
        return self._generation_of(
            Counter(
                (
                    row["practice_uid"],
                    row["provider_uid"],
                    str(row["date_index"]),
                    str(row["measure_value"]),
                    row["generation"],
                )
                for row in rows
            )
        )

    def _sums(self) -> int:
        return self._of_sums(self._post("/api/query", **SUMS).json())

    def _batch(self) -> int:
        answers = self._post("/api/query/batch", queries=[QUERY, SUMS, QUERY]).json()["answers"]
        rows, sums, again = answers
        assert len({each["meta"]["snapshot"] for each in answers}) == 1
        found = {self._of_rows(rows), self._of_sums(sums), self._of_rows(again)}
        assert len(found) == 1
        return found.pop()

    def _tagged(self) -> int:
        headers = {} if self._tag is None else {"If-None-Match": self._tag[0]}
        answered = self._client.get("/api/query", params={"q": json.dumps(QUERY)}, headers=headers)
        if answered.status_code == 304:
            assert self._tag is not None
            assert answered.headers["etag"] == self._tag[0]
            return self._tag[1]
        assert answered.status_code == 200, answered.text
        generation = self._of_rows(answered.json())
        if self._tag is not None and generation != self._tag[1]:
            assert answered.headers["etag"] != self._tag[0]
        self._tag = (answered.headers["etag"], generation)
        return generation


@pytest.mark.parametrize("seconds", [8, pytest.param(120, marks=pytest.mark.long)])
def test_every_answer_is_of_one_snapshot_while_the_table_is_warmed_again(
    service: Running, postgres_db: str, truth: Truth, seconds: int
) -> None:
    """Sixteen clients ask four processes in every form: each answer, and each batch, is SQL's of
    one generation, for that user; and what a connection has seen never becomes older.
    """
    admin = Admin(service.url, postgres_db, truth)
    admin.warm()
    assert len(service.workers) == 4
    users = list(VISIBLE)
    failures: list[BaseException] = []
    is_over = threading.Event()

    def work(client: Client) -> None:
        try:
            while not is_over.is_set():
                client.ask()
        except BaseException as error:  # noqa: BLE001 - told by the test
            failures.append(error)
            is_over.set()

    with ExitStack() as stack:
        clients = [
            Client(service.url, users[n % 3], truth, random.Random(n)) for n in range(CLIENTS)
        ]
        for client in clients:
            stack.callback(client.close)
        threads = [threading.Thread(target=work, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        ends = time.monotonic() + seconds
        while (time.monotonic() < ends or admin.generation < 4) and not is_over.is_set():
            admin.change()
            admin.warm()
        is_over.set()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
    for client in clients:
        assert len(set(client.seen)) >= 2, client.seen  # it lived through a warm
    kinds = sum((client.kinds for client in clients), Counter[str]())
    assert min(kinds.values()) >= CLIENTS, kinds
    assert len(kinds) == 6


def test_a_term_during_a_warm_ends_it_and_keeps_what_was_there(
    service: Running, postgres_db: str, tmp_path: Path
) -> None:
    """The job is seen as ended, its process is gone, the next warm needn't wait for its lease, and
    the snapshot that was live before goes on serving.
    """
    admin = Admin(service.url, postgres_db, Truth())
    admin.warm()
    live = admin_call(service, "GET", "/stats")["datasources"][0]["snapshot"]
    with psycopg.connect(postgres_db) as connection:
        connection.execute("LOCK TABLE public.moments IN ACCESS EXCLUSIVE MODE")
        job = admin_call(service, "POST", "/warm", json={"datasource": 1})["jobs"][0]
        wait_until(lambda: _job(service, job["id"])["state"] == "running")
        worker = int(_job(service, job["id"])["process"].split()[-1])
        service.signal(signal.SIGTERM)
        assert service.end(60) == 0
        wait_until(lambda: not is_alive(worker))

    async def look() -> tuple[Any, Any, Any]:
        async with AnalyticsCache.from_config(tmp_path / "warmcube.toml") as cache:
            before = await cache.stats(1)
            ended = await cache.jobs.find(job["id"])
            return before.snapshot, ended.state, (await cache.warm(1)).snapshot

    snapshot, state, after = asyncio.run(look())
    assert (snapshot, str(state)) == (live, "failed")
    assert after != live


def _job(service: Running, id: str) -> Any:
    return admin_call(service, "GET", f"/warming/status?job={id}")["job"]
