"""The fault suite's writer, beside readers that hold on to the table."""

from __future__ import annotations

import psycopg
import pytest
from faults.history import History
from faults.table import TABLE, RowMaker
from faults.writer import Writer, _Work


@pytest.mark.timeout(60)
def test_a_reader_that_is_stopped_keeps_no_other_one_out(postgres_db: str) -> None:
    """A TRUNCATE that can't be had soon never happened, and doesn't queue up in front of others."""
    history = History(postgres_db)
    writer = Writer(postgres_db, history, seed=1)
    with psycopg.connect(postgres_db, autocommit=True) as connection:
        writer.begin(lambda create: f"CREATE SCHEMA ih; {create}")
        with writer.hold, psycopg.connect(postgres_db) as stopped:
            before = writer.changes
            stopped.execute(f"LOCK TABLE {TABLE} IN ACCESS SHARE MODE")
            all_new = _Work(added=RowMaker(writer._random).fill(0.4), is_all_new=True)
            writer._step(all_new)
            assert not history.happened(before + 1, before + 1)
            with psycopg.connect(postgres_db) as other:
                other.execute(f"LOCK TABLE {TABLE} IN ACCESS SHARE MODE NOWAIT")
            stopped.rollback()
            writer._step(all_new)
            assert list(history.happened(before + 2, before + 2)) == [before + 2]
        connection.execute(f"SELECT 1 FROM {TABLE}")
    writer.end()
    history.close()
