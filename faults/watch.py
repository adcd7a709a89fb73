"""How many transactions go on in the database, seen from outside."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Final, Self

import psycopg

from faults.world import READER

__all__ = ["Watch"]

_EVERY: Final = 0.01
_SQL: Final = (
    "SELECT application_name, count(*) FROM pg_stat_activity"
    f" WHERE usename = '{READER}' AND state <> 'idle' AND xact_start IS NOT NULL GROUP BY 1"
)


class Watch:
    """Looks all the time; use as a context manager.

    Args:
        url: of the database, past all proxies.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")
        self.most: Counter[str] = Counter()
        """How many there were at most at a time, by the name of who asks."""
        self.looks = 0
        """How often it was looked."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._ending.wait(_EVERY):
                for name, count in connection.execute(_SQL).fetchall():
                    self.most[name] = max(self.most[name], count)
                self.looks += 1
