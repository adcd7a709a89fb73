"""From figures to what Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Final, TypeAlias

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.utils import floatToGoString

from warmcube.observe.declared import METRICS, Metric
from warmcube.observe.levels import STATES, Levels
from warmcube.observe.series import labels_of
from warmcube.observe.verified import VERDICTS

__all__ = ["families", "family", "level_families"]

_Samples: TypeAlias = list[tuple[tuple[str, ...], float | None]]
_FIGURES: Final = {
    "snapshot_age_seconds": "age_seconds",
    "snapshot_entries": "entries",
    "snapshot_rows": "rows",
    "snapshot_partitions": "partitions",
    "failed_warms": "failures",
    "damaged_parts": "damaged",
    "verified_age_seconds": "verified_age_seconds",
}
"""Gauges that are attributes of a data source's statistics."""


def families(
    living: Mapping[str, tuple[float, ...]], ended: Mapping[str, tuple[float, ...]]
) -> Iterator[Family]:
    """What processes have counted.

    Args:
        living: cells of those that run.
        ended: cells of those that ran; of gauges they count no more.
    """
    found: dict[str, Family] = {}
    for key in sorted({*living, *ended}):
        name, labels = labels_of(key)
        metric = METRICS[name]
        cells = living.get(key)
        if metric.kind != "gauge":
            cells = _added(cells, ended.get(key))
        if cells is not None:
            _add(found.setdefault(name, family(metric)), metric, labels, cells)
    yield from found.values()


def level_families(levels: Levels) -> Iterator[Family]:
    """What the store holds."""
    yield _gauge("store_up", [((), float(levels.is_up))])
    found = [(str(stats.datasource), stats) for stats in levels.stats]
    yield _gauge(
        "snapshot_state",
        [((name, state), float(stats.state == state)) for name, stats in found for state in STATES],
    )
    for gauge, attribute in _FIGURES.items():
        figures: _Samples = [((name,), getattr(stats, attribute)) for name, stats in found]
        yield _gauge(gauge, figures)
    yield _gauge(
        "verified",
        [
            ((name, verdict), float(stats.verdict == verdict))
            for name, stats in found
            if stats.verdict is not None
            for verdict in VERDICTS
        ],
    )
    yield _gauge(
        "worker_alive", [((name,), float(stats.worker is not None)) for name, stats in found]
    )
    yield _gauge(
        "snapshot_bytes",
        [
            ((name, part), size)
            for name, stats in found
            for part, size in (
                ("entries", stats.entry_bytes),
                ("index", stats.index_bytes),
                ("sums", stats.sums_bytes),
            )
        ],
    )


def family(metric: Metric) -> Family:
    """A metric without samples."""
    if metric.kind == "histogram":
        return HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    if metric.kind == "counter":
        return CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
    return GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)


def _gauge(name: str, samples: _Samples) -> Family:
    metric = METRICS[f"warmcube_{name}"]
    made = family(metric)
    for labels, value in samples:
        if value is not None:
            _add(made, metric, labels, (value,))
    return made


def _added(
    one: tuple[float, ...] | None, other: tuple[float, ...] | None
) -> tuple[float, ...] | None:
    if one is None or other is None:
        return one or other
    return tuple(map(sum, zip(one, other, strict=True)))


def _add(made: Family, metric: Metric, labels: tuple[str, ...], cells: tuple[float, ...]) -> None:
    named = dict(zip(metric.labels, labels, strict=True))
    if metric.kind != "histogram":
        suffix = "_total" if metric.kind == "counter" else ""
        made.add_sample(metric.name + suffix, named, cells[0])
        return
    *buckets, total = cells
    bounds = [*map(floatToGoString, metric.bounds), "+Inf"]
    counted = list(accumulate(buckets))
    for bound, count in zip(bounds, counted, strict=True):
        made.add_sample(f"{metric.name}_bucket", {**named, "le": bound}, count)
    made.add_sample(f"{metric.name}_count", named, counted[-1])
    made.add_sample(f"{metric.name}_sum", named, total)
