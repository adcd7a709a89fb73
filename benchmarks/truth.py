"""What the right answers are: SQL on the table that everything was made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from adbc_driver_postgresql import dbapi

from benchmarks.questions import Question
from benchmarks.setting import Setting

__all__ = ["EPOCH", "Truth", "WrongAnswer", "open_truth"]

EPOCH: Final = 719163
"""``date(1970, 1, 1).toordinal()``."""


class WrongAnswer(RuntimeError):
    """Fast answers that are wrong count for nothing."""


class Truth:
    """Asks the database, plainly.

    Args:
        connection: to it.
        setting: what lies where.
    """

    def __init__(self, connection: Any, setting: Setting) -> None:
        self._connection = connection
        self._setting = setting

    def pairs(self, question: Question, *, sums: bool) -> list[tuple[int, int]]:
        """Days since 1970-01-01 and hundredths, in order."""
        value, group = ("sum(measure_value)", "GROUP BY 1") if sums else ("measure_value", "")
        conditions = ["measure = $1", "frequency = $2"]
        if question.practices is not None:
            listed = ", ".join(str(int(each)) for each in question.practices)
            conditions.append(f"practice_uid IN ({listed})")
        if question.provider is not None:
            conditions.append(f"provider_uid = {int(question.provider)}")
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"SELECT date_index - date '1970-01-01', ({value} * 100)::bigint "  # noqa: S608
                f"FROM {self._setting.table(question.datasource)} "
                f"WHERE {' AND '.join(conditions)} {group}",
                (f"Measure {question.measure}", question.frequency),
            )
            return sorted((int(day), int(cents)) for day, cents in cursor.fetchall())

    def check(
        self, who: str, question: Question, found: list[tuple[int, int]], *, sums: bool
    ) -> None:
        """Compare an answer, in whatever order, with the right one.

        Raises:
            WrongAnswer: it differs.
        """
        expected = self.pairs(question, sums=sums)
        if sorted(found) != expected:
            raise WrongAnswer(
                f"{who} answered {question} with {len(found)} pairs of date and value that aren't "
                f"the {len(expected)} expected ones (sums: {sums})"
            )


@contextmanager
def open_truth(setting: Setting) -> Iterator[Truth]:
    """One connection for the checks."""
    with dbapi.connect(setting.postgres_url) as connection:
        yield Truth(connection, setting)
