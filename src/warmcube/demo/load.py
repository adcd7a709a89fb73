"""The practice data into Postgres: all of it or nothing, and not again where it is already."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.resources import files
from typing import Any, Final

import pyarrow as pa

from warmcube.demo.generate import DEFAULT_SEED, SCHEMA, generate

__all__ = ["TABLE", "is_loaded", "load"]

TABLE: Final = "ih.agg_app_measures"
_EDITION: Final = 1  # goes up when the same rows and seed make other data

_ABOUT: Final = "SELECT obj_description(to_regclass($1), 'pg_class')"


def is_loaded(url: str, rows: int, seed: int = DEFAULT_SEED) -> bool:
    """Whether the table holds exactly these data: its comment says so, written with them."""
    with closing(_connect(url)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(_ABOUT, (TABLE,))
        found = cursor.fetchone()
    return found is not None and found[0] == _label(rows, seed)


def load(
    url: str,
    rows: int,
    seed: int = DEFAULT_SEED,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Replaces the table by generated data, in one transaction.

    Args:
        url: of the Postgres.
        rows: how many.
        seed: of the generator.
        progress: told how many rows are generated so far, from another thread.
    """
    with closing(_connect(url)) as connection:
        with closing(connection.cursor()) as cursor:
            for statement in _statements("create"):
                cursor.execute(statement)
            schema, _, table = TABLE.partition(".")
            cursor.adbc_ingest(
                table, _reader(rows, seed, progress), "append", db_schema_name=schema
            )
            for statement in _statements("finish"):
                cursor.execute(statement)
            cursor.execute(f"COMMENT ON TABLE {TABLE} IS '{_label(rows, seed)}'")
        connection.commit()
        with closing(connection.cursor()) as cursor:
            cursor.execute(f"ANALYZE {TABLE}")
        connection.commit()


def _label(rows: int, seed: int) -> str:
    return f"warmcube demo, edition {_EDITION}: {rows} rows of seed {seed}"


def _statements(name: str) -> list[str]:
    """The statements of a file, since one call can run only one."""
    text = files("warmcube.demo").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    return [statement for statement in text.split(";") if statement.strip()]


def _reader(rows: int, seed: int, progress: Callable[[int], None] | None) -> pa.RecordBatchReader:
    done = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal done
        for batch in generate(rows, seed):
            yield batch
            done += batch.num_rows
            if progress is not None:
                progress(done)

    return pa.RecordBatchReader.from_batches(SCHEMA, batches())


def _connect(url: str) -> Any:
    # Every command of the command line would wait for it: it loads polars, and pandas if there is.
    from adbc_driver_postgresql import dbapi  # noqa: PLC0415

    return dbapi.connect(url)
