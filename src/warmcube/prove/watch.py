"""Counting cases and time, and keeping what was found."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from warmcube.model.request import NULL, Query
from warmcube.prove.judge import Verdict
from warmcube.prove.options import ProgressCallback
from warmcube.prove.report import Finding, Report, Tally, visible

__all__ = ["Out", "Tried", "Watch", "asked_of"]

_SHOWN: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One case that is over.

    Attributes:
        user: who asked.
        kind: what was tried.
        verdict: what came of it.
        seconds: that the answer took.
        datasource: which; None if it was about none.
        query: what was asked.
        is_refusal: whether it had to be refused.
        leaks_only: whether nothing but leaks could be judged.
        from_database: whether the database answered in the cache's place.
    """

    user: str
    kind: str
    verdict: Verdict
    seconds: float
    datasource: int | None = None
    query: Query | None = None
    is_refusal: bool = False
    leaks_only: bool = False
    from_database: bool = False


class Out(Exception):
    """The time is over; says so."""


class Watch:
    """Counts cases and time, and keeps what was found.

    Args:
        report: where to.
        progress: told as it happens.
        seconds: after which it ends; None for no end.
    """

    def __init__(
        self, report: Report, progress: ProgressCallback | None, seconds: float | None
    ) -> None:
        self.report = report
        self._progress = progress
        self._seconds = seconds
        self._began = time.perf_counter()
        self._done = 0
        self._words: dict[tuple[str, int | None, str], str] = {}

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self._began

    def check(self) -> None:
        """Go on, or not.

        Raises:
            Out: the time is over.
        """
        if self._seconds is not None and self.elapsed > self._seconds:
            raise Out(f"{self._seconds:g} seconds were over")

    def note(self, tried: Tried, *tallies: Tally) -> None:
        """One case is done, and counts in some tallies."""
        verdict = tried.verdict
        counts = Tally(
            cases=1,
            rows=verdict.rows,
            denied=int(tried.is_refusal and verdict.is_right),
            leaks=verdict.leaks,
            losses=verdict.losses,
            differences=verdict.differences,
            leaks_only=int(tried.leaks_only),
            from_database=int(tried.from_database),
            seconds=tried.seconds,
        )
        for tally in tallies:
            tally.add(counts)
        self.report.kinds[tried.kind] += 1
        if not verdict.is_right:
            self.report.find(
                Finding(
                    kinds=tuple(
                        name
                        for name, count in (
                            ("leak", verdict.leaks),
                            ("loss", verdict.losses),
                            ("difference", verdict.differences),
                        )
                        if count
                    ),
                    user=visible(tried.user),
                    datasource=tried.datasource,
                    case=tried.kind,
                    asked={} if tried.query is None else asked_of(tried.query),
                    what=verdict.what,
                )
            )
        self.step()

    def step(self) -> None:
        """One more is over, judged or not."""
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, max(self._done, self.report.planned), self.report.found)

    def same_words(
        self, user: str, datasource: int | None, sort: str, named: object, error: Exception | None
    ) -> bool:
        """Whether a refusal has the words that others of its sort had, but for what was named."""
        shown = repr(named)
        if error is None or len(shown) > 60:
            return True
        words = str(error).replace(shown, "…")
        return self._words.setdefault((user, datasource, sort), words) == words


def asked_of(query: Query) -> Mapping[str, str]:
    """A query in names and ids; of conditions only the column and the operator."""
    fields: dict[str, Any] = {
        "measure": query.measure,
        "frequency": query.frequency,
        "organization": query.organization,
        "practices": query.practices,
        "providers": query.providers,
        "from": query.start,
        "to": query.end,
        "where": [f"{each.column} {each.op}" for each in query.where] or None,
        "aggregate": query.aggregate,
        "group_by": list(query.group_by) or None,
        "order_by": list(query.order_by) or None,
    }
    if type(query.datasource) is not int:
        fields["datasource"] = query.datasource
    return {name: _shown(value) for name, value in fields.items() if value is not None}


def _shown(value: Any) -> str:
    if value is NULL:
        text = "NULL"
    elif isinstance(value, date):
        text = value.isoformat()
    elif isinstance(value, (list, tuple)):
        text = f"[{', '.join(map(_shown, value))}]"
    elif isinstance(value, str | int | float | bytes | None):
        text = repr(value)
    else:
        text = f"a {type(value).__name__}"
    text = visible(text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
