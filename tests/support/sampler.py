"""What a database itself says of who is at it, sampled over a connection of its own."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Final, Self

import psycopg

__all__ = ["DatabaseSampler"]

_PAUSE: Final = 0.003
_SQL: Final = """
SELECT pid, state, query, coalesce(xact_start <= statement_timestamp(), FALSE)
FROM pg_stat_activity
WHERE application_name = 'warmcube' AND datname = current_database()
  AND backend_type = 'client backend'
"""
"""How many processes the server itself puts to one statement (parallel workers) is its own affair.

Sessions are looked at one after the other, between which a busy machine may let others run. So
those count that were in a transaction when the statement began, and still are: all at one moment.
"""


class DatabaseSampler:
    """Samples ``pg_stat_activity`` for as long as it is entered.

    Args:
        url: of the database.

    Attributes:
        samples: how many were taken.
        most: the sessions of warmcube that were at something at one moment, when there were most,
            be it in a statement or between two of a transaction; of each its process, state and
            last statement.
        sessions: how many there were at most, idle ones included.
    """

    def __init__(self, url: str) -> None:
        self.samples = self.sessions = 0
        self.most: list[tuple[int, str, str]] = []
        self._url = url
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._is_over.is_set():
                found = connection.execute(_SQL).fetchall()
                busy = [(pid, state, query) for pid, state, query, counts in found if counts]
                if len(busy) > len(self.most):
                    self.most = busy
                self.sessions = max(self.sessions, len(found))
                self.samples += 1
                time.sleep(_PAUSE)
