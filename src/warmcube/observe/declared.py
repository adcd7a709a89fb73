"""Every metric, declared once: its name, kind, labels and what it means.

Labels are bounded: ids of configured data sources, and words of closed sets. No practice, provider,
user, organization or measure is ever one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = ["METRICS", "STEPS", "Kind", "Metric"]

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]

_QUICK: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0),
)
_LONG: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: as it is exposed, but that a counter's samples end in ``_total``.
        kind: of metric.
        labels: their names.
        help: what it means.
        bounds: of a histogram's buckets, ascending, without infinity.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    bounds: tuple[float, ...] = ()


def _counter(name: str, labels: str, text: str) -> Metric:
    return Metric(f"warmcube_{name}", "counter", tuple(labels.split()), text)


def _gauge(name: str, labels: str, text: str) -> Metric:
    return Metric(f"warmcube_{name}", "gauge", tuple(labels.split()), text)


def _histogram(name: str, labels: str, text: str, bounds: tuple[float, ...] = _QUICK) -> Metric:
    return Metric(f"warmcube_{name}", "histogram", tuple(labels.split()), text, bounds)


STEPS: Final = ("lookup", "fetch", "decode", "evaluate")
"""Steps of a read that have a histogram of their own."""

_ALL: Final = (
    _gauge("build_info", "version python", "Always 1; says which version runs."),
    # Reads
    _counter("hits", "datasource origin", "Answers that the cache gave."),
    _counter("misses", "datasource reason", "Reads that the cache couldn't answer."),
    _counter(
        "fallbacks",
        "datasource reason outcome",
        "What became of the misses that were taken to the database.",
    ),
    _histogram("query_seconds", "datasource origin", "How long answers took in all."),
    _histogram("lookup_seconds", "origin", "How long answers took to look up index sets."),
    _histogram("fetch_seconds", "origin", "How long answers took to fetch their rows."),
    _histogram("decode_seconds", "origin", "How long answers took to decode what was fetched."),
    _histogram("evaluate_seconds", "origin", "How long answers took to filter, group and order."),
    _counter("entries_fetched", "datasource", "Entries that answers were made from."),
    _counter("rows_fetched", "datasource origin", "Rows that answers were made from."),
    _counter("rows_used", "datasource origin", "Rows of answers."),
    _counter("denied", "reason", "Denials, by the reasons of the audit."),
    # Warms
    _counter("warms", "datasource outcome", "Warms that this service was asked for."),
    _histogram("warm_seconds", "datasource", "How long warms took that published.", _LONG),
    _histogram("warm_phase_seconds", "datasource phase", "How long their phases took.", _LONG),
    _counter(
        "verifications", "datasource verdict", "Verifications that this service was asked for."
    ),
    _histogram(
        "verify_seconds", "datasource", "How long those took that came to a verdict.", _LONG
    ),
    # What the store holds
    _gauge("store_up", "", "Whether the store could be read for this scrape."),
    _gauge("snapshot_state", "datasource state", "1 for the state that the snapshot is in."),
    _gauge("snapshot_age_seconds", "datasource", "Since the live snapshot's table was read."),
    _gauge("snapshot_entries", "datasource", "Entries of the live snapshot."),
    _gauge("snapshot_rows", "datasource", "Rows of the live snapshot."),
    _gauge("snapshot_partitions", "datasource", "Partitions of the live snapshot."),
    _gauge("snapshot_bytes", "datasource part", "What was written: of entries, of the index."),
    _gauge("verified", "datasource verdict", "1 for the verdict of the last verification."),
    _gauge("verified_age_seconds", "datasource", "Since the last verification ended."),
    # What workers do
    _gauge("worker_alive", "datasource", "Whether a worker looks after it."),
    _gauge("failed_warms", "datasource", "Warms that have failed in a row, as a worker saw."),
    _gauge("damaged_parts", "datasource", "Parts that were found damaged, until repaired."),
    # HTTP
    _counter("http_requests", "route method status", "Requests that were answered."),
    _histogram("http_request_seconds", "route method", "How long requests took to their end."),
    _counter("http_response_bytes", "", "Bytes of the bodies of answers, as sent."),
    _gauge("http_requests_in_flight", "", "Requests that are being served."),
    _counter("access_log_dropped", "", "Lines of the access log that were lost."),
)
METRICS: Final = {metric.name: metric for metric in _ALL}
"""All of them, by name."""
