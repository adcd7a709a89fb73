"""The writer: changes the table all the time, in numbered transactions."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

import psycopg

from faults.history import History
from faults.table import ALWAYS, CLOCK, COLUMNS, CREATE, TABLE, Row, RowMaker, clock_rows

__all__ = ["Writer"]

_LOG: Final = logging.getLogger("faults")
_NAMES: Final = ", ".join(name for name, _ in COLUMNS)
_PAUSES: Final = (0.05, 0.35)
_RETRY: Final = 0.05
_BOUNDED: Final = "SET LOCAL lock_timeout = '1s'"
"""A warmer that is stopped keeps its lock; a TRUNCATE that waits for it keeps later warms out."""


@dataclass(slots=True)
class _Work:
    """What one transaction does."""

    removed: list[int] = field(default_factory=list)
    added: list[Row] = field(default_factory=list)
    is_all_new: bool = False
    first: str = ""


class Writer:
    """Changes the table, and tells the history.

    The number of the change stands in the table itself, for every owner of rows, and is changed in
    the same transaction: so whoever sees any row can tell which change they see.

    Args:
        url: of the database.
        history: told what happened.
        seed: makes it repeatable.
    """

    def __init__(self, url: str, history: History, seed: int) -> None:
        self._url = url
        self._history = history
        self._random = Random(seed)
        self._maker = RowMaker(self._random)
        self._rows: dict[int, Row] = {}
        self._change = 0
        self._stop = threading.Event()
        self._hold = threading.Lock()
        self._connection: psycopg.Connection | None = None
        self._thread = threading.Thread(target=self._run, name="writer")
        self.failure: BaseException | None = None
        """What ended the writer, if it ended by itself."""

    def begin(self, make_statements: Callable[[str], str]) -> None:
        """Make the table, fill it, and go on changing it in a thread.

        Args:
            make_statements: given the statement that makes the table, those that prepare it all.
        """
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(make_statements(CREATE))
        self._step(_Work(added=self._maker.fill(0.6), is_all_new=True))
        self._thread.start()

    def end(self) -> None:
        """Stop."""
        self._stop.set()
        while self._thread.is_alive():
            self._thread.join(5)
            if self._thread.is_alive() and self._connection is not None:
                self._connection.cancel_safe()  # it waits for a lock of somebody who has gone
        if self._connection is not None:
            self._connection.close()

    @property
    def hold(self) -> threading.Lock:
        """Whoever holds it keeps the writer between two transactions."""
        return self._hold

    def refill(self, statement: str) -> None:
        """Fill the table anew, in one transaction with a statement; whoever calls has to `hold`."""
        self._step(_Work(added=self._maker.fill(0.6), is_all_new=True, first=statement))

    @property
    def changes(self) -> int:
        """How many there were."""
        return self._change

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._random.uniform(*_PAUSES)):
                with self._hold:
                    self._step(self._next())
        except BaseException as error:  # noqa: BLE001 - shown at the end, by who waits for it
            if not self._stop.is_set():
                self.failure = error

    def _next(self) -> _Work:
        random, maker = self._random, self._maker
        choice = random.random()
        if choice < 0.06:
            return _Work(added=maker.fill(random.uniform(0.4, 0.8)), is_all_new=True)
        if choice < 0.4 or len(self._rows) < 200:
            return _Work(added=maker.some(random.randint(1, 40)))
        some = random.sample(sorted(self._rows), random.randint(1, 40))
        if choice < 0.7:
            return _Work(removed=some, added=[maker.altered(self._rows[each]) for each in some])
        return _Work(removed=some)

    def _step(self, work: _Work) -> None:
        """One transaction, and what became of it."""
        self._change += 1
        change = self._change
        connection = self._connected()
        self._history.begin(change)
        try:
            self._write(connection, work, change)
        except psycopg.Error as error:
            _LOG.debug("change %d: %s", change, error)
            connection.close()
            if self._found() != change:
                self._history.settle(change, is_void=True)
                return
        self._history.settle(
            change, removed=work.removed, added=work.added, is_all_new=work.is_all_new
        )
        if work.is_all_new:
            self._rows.clear()
        for each in work.removed:
            del self._rows[each]
        self._rows.update((row.row_id, row) for row in work.added)

    @staticmethod
    def _write(connection: psycopg.Connection, work: _Work, change: int) -> None:
        with connection.transaction(), connection.cursor() as cursor:
            added = list(work.added)
            if work.first:
                cursor.execute(work.first)
            if work.is_all_new:
                if not work.first:
                    cursor.execute(_BOUNDED)
                cursor.execute(f"TRUNCATE {TABLE}")
                added += clock_rows(change)
            else:
                cursor.execute(
                    f"UPDATE {TABLE} SET measure_value = %s"
                    f" WHERE measure = '{CLOCK}' AND frequency = '{ALWAYS}'",
                    [change],
                )
                cursor.execute(
                    f"DELETE FROM {TABLE} WHERE row_id = ANY(%s)",
                    [work.removed],
                )
            with cursor.copy(f"COPY {TABLE} ({_NAMES}) FROM STDIN") as copy:
                for row in added:
                    copy.write_row(row)

    def _connected(self) -> psycopg.Connection:
        while self._connection is None or self._connection.closed:
            try:
                self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=5)
                # A killed server may not forget what it has said is committed.
                self._connection.execute("SET synchronous_commit = on")
            except psycopg.Error:
                if self._stop.is_set():
                    raise
                time.sleep(_RETRY)
        return self._connection

    def _found(self) -> int:
        """The change that the table shows, once it can be asked."""
        while True:
            try:
                connection = self._connected()
                row = connection.execute(
                    f"SELECT max(measure_value) FROM {TABLE} WHERE measure = '{CLOCK}'"
                ).fetchone()
            except psycopg.Error:
                if self._stop.is_set():
                    raise
                time.sleep(_RETRY)
            else:
                return int(row[0] or 0) if row else 0
