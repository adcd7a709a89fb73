"""Keeps figures of reads, warms and requests, and tells them to Prometheus.

Recording is a few additions; everything else happens when somebody asks.
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector, CollectorRegistry

from warmcube.errors import AccessDenied, InvalidQuery, Overloaded
from warmcube.observe.cells import read_cells
from warmcube.observe.counts import NO_BUCKETS, Counts
from warmcube.observe.declared import METRICS, STEPS
from warmcube.observe.exposition import families, family, level_families
from warmcube.observe.folder import open_cells, sum_folder
from warmcube.observe.levels import Levels, read_levels
from warmcube.observe.observer import AnswerFigures, MissReason
from warmcube.observe.recent import Recent
from warmcube.observe.series import Counter, Histogram
from warmcube.observe.stats import Stats
from warmcube.observe.verified import FAILED, VERDICTS

__all__ = ["Metrics"]

_LEVELS_SECONDS: Final = 1.0


class Metrics(Collector):
    """The figures of one process, or of all that share a folder.

    As a collector it can be registered with the registry of the application around: then it tells
    what was counted. `exposition` adds what the store holds. Nothing is registered by itself.

    Recording is an `Observer`'s; all of it comes from one thread.

    Args:
        datasources: the ids of the configured ones.
        stats: reads the statistics of one of them.
        folder: private, shared by the processes of one service; None if there is but this one.
    """

    def __init__(
        self,
        datasources: Iterable[int],
        stats: Callable[[int], Awaitable[Stats]],
        folder: Path | None = None,
    ) -> None:
        self._folder = folder
        self._cells = open_cells(folder)
        self._counters: dict[tuple[str, ...], Counter] = {}
        self._histograms: dict[tuple[str, ...], Histogram] = {}
        self._answers: dict[tuple[int, str], _Answers] = {}
        ids = tuple(datasources)
        for each in map(str, ids):  # a series that begins at 0 shows its first increase
            self.counter("hits", each, "store")
            for reason in MissReason:
                self.counter("misses", each, reason)
        self._levels = Recent(lambda: read_levels(stats, ids), _LEVELS_SECONDS)

    def counter(self, name: str, *labels: str) -> Counter:
        """One series of a counter, or of a gauge that is counted up and down.

        Args:
            name: as declared, without ``warmcube_``.
            labels: their values, as declared.
        """
        found = self._counters.get((name, *labels))
        if found is None:
            found = Counter(self._cells, f"warmcube_{name}", *labels)
            self._counters[(name, *labels)] = found
        return found

    def histogram(self, name: str, *labels: str) -> Histogram:
        """One series of a histogram; see `counter`."""
        found = self._histograms.get((name, *labels))
        if found is None:
            found = Histogram(self._cells, f"warmcube_{name}", *labels)
            self._histograms[(name, *labels)] = found
        return found

    def answered(self, datasource: int, figures: AnswerFigures) -> None:
        """See `Observer`."""
        key = (datasource, figures.origin)
        answers = self._answers.get(key)
        if answers is None:
            answers = self._answers[key] = _Answers(self, str(datasource), figures.origin)
        answers.add(figures)

    @contextmanager
    def fallback(self, datasource: int, reason: MissReason) -> Iterator[None]:
        """See `Observer`."""
        named = str(datasource)
        self.counter("misses", named, reason).add()
        outcome = "cancelled"
        try:
            yield
            outcome = "answered"
        except Exception as error:
            outcome = _outcome(error)
            raise
        finally:
            self.counter("fallbacks", named, reason, outcome).add()

    def denied(self, reason: str) -> None:
        """See `Observer`."""
        self.counter("denied", reason).add()

    def warmed(self, datasource: int, phases: Mapping[str, float] | None, seconds: float) -> None:
        """See `Observer`."""
        named = str(datasource)
        self.counter("warms", named, "failed" if phases is None else "done").add()
        if phases is None:
            return
        self.histogram("warm_seconds", named).observe(seconds)
        for phase, spent in phases.items():
            self.histogram("warm_phase_seconds", named, phase).observe(spent)

    def verified(self, datasource: int, verdict: str, seconds: float) -> None:
        """See `Observer`."""
        named = str(datasource)
        known = verdict if verdict in VERDICTS else FAILED  # it may come from the store
        self.counter("verifications", named, known).add()
        if known != FAILED:
            self.histogram("verify_seconds", named).observe(seconds)

    def answers(self, datasource: int) -> Counts:
        """What became of the reads of one data source in this process."""
        named = str(datasource)
        latencies = [
            each.buckets
            for key, each in self._histograms.items()
            if key[:2] == ("query_seconds", named)
        ]
        return Counts(
            hits=self._sum("hits", named),
            misses=self._sum("misses", named),
            buckets=tuple(int(sum(each)) for each in zip(*latencies, strict=True)) or NO_BUCKETS,
        )

    def _sum(self, name: str, datasource: str) -> int:
        """A counter over all its further labels."""
        found = (
            each.value for key, each in self._counters.items() if key[:2] == (name, datasource)
        )
        return int(sum(found))

    def collect(self) -> Iterator[Family]:
        """What was counted; for a registry of `prometheus_client`."""
        info = family(METRICS["warmcube_build_info"])
        labels = {"version": version("warmcube"), "python": platform.python_version()}
        info.add_sample(info.name, labels, 1.0)
        yield info
        if self._folder is None:
            yield from families(dict(read_cells(self._cells.content())), {})
        else:
            yield from families(*sum_folder(self._folder))

    def describe(self) -> Iterator[Family]:
        """All metrics without samples; for a registry."""
        return map(family, METRICS.values())

    async def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """All figures as text, and its media type.

        Args:
            accept: what the reader takes, as in HTTP.
        """
        levels = await self._levels.get()
        return await asyncio.to_thread(self._render, levels, accept)

    def close(self) -> None:
        """Record no more; what was counted stays in the folder's sums."""
        self._cells.close()

    def _render(self, levels: Levels, accept: str) -> tuple[bytes, str]:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Whole(self, levels))
        encode, media_type = choose_encoder(accept)
        return encode(registry), media_type


class _Whole(Collector):
    """What was counted, and what the store holds."""

    def __init__(self, metrics: Metrics, levels: Levels) -> None:
        self._metrics = metrics
        self._levels = levels

    def collect(self) -> Iterator[Family]:
        yield from self._metrics.collect()
        yield from level_families(self._levels)


class _Answers:
    """The series of one data source's answers from one tier."""

    __slots__ = ("_entries", "_fetched", "_fetches", "_hits", "_steps", "_used")

    def __init__(self, metrics: Metrics, datasource: str, origin: str) -> None:
        is_hit = origin != "database"
        self._fetches = origin != "resident"
        self._hits = metrics.counter("hits", datasource, origin) if is_hit else None
        self._steps = {
            "total": metrics.histogram("query_seconds", datasource, origin),
            **{step: metrics.histogram(f"{step}_seconds", origin) for step in STEPS},
        }
        self._entries = metrics.counter("entries_fetched", datasource)
        self._fetched = metrics.counter("rows_fetched", datasource, origin)
        self._used = metrics.counter("rows_used", datasource, origin)

    def add(self, figures: AnswerFigures) -> None:
        """Count one answer."""
        if self._hits is not None:
            self._hits.add()
        steps = self._steps
        for step, spent in figures.timings.items():
            if step in steps:
                steps[step].observe(spent / 1000)
        if self._fetches:  # what a resident answer was made of was fetched, and counted, before
            self._entries.add(figures.entries)
            self._fetched.add(figures.rows_fetched)
        self._used.add(figures.rows)


def _outcome(error: Exception) -> str:
    if isinstance(error, Overloaded):
        return "overloaded"
    return "refused" if isinstance(error, InvalidQuery | AccessDenied) else "failed"
