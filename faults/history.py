"""Every version of every row, in a database of its own that no fault ever touches."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from faults.questions import Question
from faults.table import COLUMNS, Row

__all__ = ["Change", "History", "Rows"]

Rows = list[tuple[Any, ...]]

_FOREVER: Final = 2**31 - 1
_NAMES: Final = ", ".join(name for name, _ in COLUMNS)
_KEPT: Final = 60_000


@dataclass(slots=True)
class Change:
    """One transaction of the writer.

    Attributes:
        began: by the clock of this machine, in seconds, as the database has it too.
        ended: when it was known to be committed, or known not to be.
        is_void: it never happened.
    """

    began: float
    ended: float | None = None
    is_void: bool = False


class History:
    """The table as of every change.

    The writer's thread adds to it, and the judge's thread asks it.

    Args:
        url: of an empty database.
    """

    def __init__(self, url: str) -> None:
        self._writing = psycopg.connect(url, autocommit=True)
        self._asking = psycopg.connect(url, autocommit=True)
        self._changes: dict[int, Change] = {}
        self._settled = 0
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int], Rows] = {}
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS)
        self._writing.execute(f"CREATE TABLE history (since int, until int, {columns})")
        self._writing.execute("CREATE INDEX ON history (measure, frequency, since, until)")
        self._writing.execute(f"CREATE INDEX ON history (row_id) WHERE until = {_FOREVER}")

    @property
    def settled(self) -> int:
        """The last change up to which it is known what became of all."""
        return self._settled

    @property
    def newest(self) -> int:
        """The last change that may have happened by now."""
        with self._lock:
            return max(self._changes, default=0)

    def begin(self, change: int) -> None:
        """Know that a change may happen from now on."""
        with self._lock:
            self._changes[change] = Change(time.time())

    def settle(
        self,
        change: int,
        *,
        removed: Sequence[int] = (),
        added: Iterable[Row] = (),
        is_all_new: bool = False,
        is_void: bool = False,
    ) -> None:
        """Know what became of it.

        Args:
            change: its number.
            removed: ids of the rows that are gone, or have another version now.
            added: rows, or versions of rows, that are new.
            is_all_new: every row that was there is gone.
            is_void: nothing came of it.
        """
        if not is_void:
            with self._writing.transaction(), self._writing.cursor() as cursor:
                gone = "" if is_all_new else " AND row_id = ANY(%s)"
                cursor.execute(
                    f"UPDATE history SET until = %s WHERE until = {_FOREVER}{gone}",
                    [change] if is_all_new else [change, list(removed)],
                )
                statement = f"COPY history (since, until, {_NAMES}) FROM STDIN"
                with cursor.copy(statement) as copy:
                    for row in added:
                        copy.write_row((change, _FOREVER, *row))
        with self._lock:
            found = self._changes[change]
            found.ended, found.is_void = time.time(), is_void
            self._settled = change

    def happened_before(self, moment: float) -> int:
        """The last change that was known to be committed before a moment."""
        with self._lock:
            return max(
                (
                    number
                    for number, change in self._changes.items()
                    if change.ended is not None and change.ended < moment and not change.is_void
                ),
                default=1,
            )

    def happened(self, first: int, last: int) -> list[int]:
        """The changes of a range that did happen, the latest first."""
        with self._lock:
            return [
                number
                for number in range(last, first - 1, -1)
                if number in self._changes and not self._changes[number].is_void
            ]

    def expected(self, wanted: Sequence[tuple[Question, int]]) -> list[Rows]:
        """The answers to some questions, each as of a change, by SQL."""
        missing = {
            (question.sql, change): None
            for question, change in wanted
            if (question.sql, change) not in self._known
        }
        if len(self._known) > _KEPT:
            self._known.clear()
            missing = dict.fromkeys((question.sql, change) for question, change in wanted)
        if missing:
            cursors = []
            with self._asking.pipeline():
                for sql, change in missing:
                    rows = f"history WHERE since <= {change} AND until > {change}"
                    cursor = self._asking.cursor()
                    cursor.execute(sql.replace("{rows}", rows, 1), prepare=False)
                    cursors.append(cursor)
            for key, cursor in zip(missing, cursors, strict=True):
                self._known[key] = cursor.fetchall()
        return [self._known[question.sql, change] for question, change in wanted]

    def totals(self, change: int) -> Counter[str | None]:
        """How many rows each measure has as of a change."""
        found = self._asking.execute(
            "SELECT measure, count(*) FROM history WHERE since <= %s AND until > %s GROUP BY 1",
            [change, change],
        )
        return Counter(dict(found.fetchall()))

    def close(self) -> None:
        """Leave the database."""
        self._writing.close()
        self._asking.close()
