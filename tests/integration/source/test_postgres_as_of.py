"""When a snapshot of Postgres says that it was taken, on a network where each step takes time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from faults.proxy import Proxy
from tests.integration.source.conftest import Open
from tests.support.reading import a_datasource

_SOCKET = ".s.PGSQL.5432"


@pytest.fixture
def slow_database(database: str) -> Iterator[str]:
    """The database behind a proxy by which every reply takes 50 ms longer."""
    parts = urlsplit(database)
    folder = parse_qs(parts.query)["host"][0]
    with TemporaryDirectory(prefix="wf-") as mine:
        proxy = Proxy(Path(mine, _SOCKET), lambda: Path(folder, _SOCKET))
        proxy.start()
        proxy.delay = 0.05
        try:
            yield f"postgresql://{parts.path}?host={mine}&port=5432&user=postgres"
        finally:
            proxy.stop()


async def test_what_was_committed_before_as_of_is_in_the_snapshot(
    database: str, slow_database: str, open_url: Open
) -> None:
    """However long the steps take in which the snapshot comes about."""
    committed: list[tuple[int, datetime]] = []
    is_over = threading.Event()

    def write() -> None:
        with psycopg.connect(database, autocommit=True) as connection:
            while not is_over.wait(0.002):
                number = len(committed) + 1
                connection.execute("INSERT INTO t VALUES (%s)", [number])
                (moment,) = connection.execute("SELECT clock_timestamp()").fetchone() or (None,)
                assert isinstance(moment, datetime)
                committed.append((number, moment))

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (n integer)")
    writer = threading.Thread(target=write)
    writer.start()
    try:
        async with open_url(slow_database).snapshot(a_datasource("t")) as snapshot:
            as_of, batches = snapshot.as_of, list(snapshot.batches())
    finally:
        is_over.set()
        writer.join()
    seen = {number for batch in batches for number in batch.column(0).to_pylist()}
    assert {number for number, moment in committed if moment < as_of} <= seen
