"""`warmcube.observe.metrics`: figures as the format has them; the documentation lists them all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_parser
from prometheus_client.parser import text_string_to_metric_families as text_parser

from warmcube.audit.reasons import DenialReason
from warmcube.model.origin import Origin
from warmcube.observe.declared import METRICS
from warmcube.observe.metrics import Metrics
from warmcube.observe.observer import UNOBSERVED, MissReason
from warmcube.observe.stats import Stats

REFERENCE = Path(__file__).parents[3] / "docs/reference/metrics.md"


@dataclass
class Figures:
    """Those of one answer."""

    origin: str = "store"
    timings: Mapping[str, float] = field(default_factory=dict)
    entries: int = 0
    rows_fetched: int = 0
    rows: int = 0


async def stats(datasource: int) -> Stats:
    """Of a data source that was never warmed."""
    return Stats(datasource=datasource, name="any", state="never warmed")


@pytest.mark.parametrize(
    ("accept", "parse"), [("", text_parser), ("application/openmetrics-text", open_parser)]
)
async def test_a_histogram_is_accumulated(accept: str, parse: object) -> None:
    """Each bucket counts what took no longer, whichever format is asked for."""
    metrics = Metrics([1], stats)
    for milliseconds in (0.1, 0.2, 1.0, 1.5, 20_000.0):
        metrics.answered(1, Figures(timings={"total": milliseconds}))
    text, media_type = await metrics.exposition(accept)
    assert media_type.startswith(accept or "text/plain")
    assert callable(parse)
    (family,) = [each for each in parse(text.decode()) if each.name == "warmcube_query_seconds"]
    told = {
        (each.name.removeprefix("warmcube_query_seconds_"), each.labels.get("le")): each.value
        for each in family.samples
    }
    bounds = METRICS["warmcube_query_seconds"].bounds
    seconds = [0.0001, 0.0002, 0.001, 0.0015, 20.0]
    wanted: dict[tuple[str, str | None], float] = {
        ("bucket", str(bound)): sum(each <= bound for each in seconds)
        for bound in (*bounds, float("inf"))
    }
    wanted["bucket", "+Inf"] = wanted.pop(("bucket", "inf"))
    assert told == {**wanted, ("count", None): 5, ("sum", None): pytest.approx(sum(seconds))}
    metrics.close()


async def test_steps_that_an_answer_had_not_are_not_counted() -> None:
    """An answer from the database has no lookup, and one without rows fetched nothing."""
    metrics = Metrics([1], stats)
    metrics.answered(1, Figures(origin="database", timings={"fetch": 2.0, "total": 3.0}))
    text = (await metrics.exposition())[0].decode()
    counts = dict(re.findall(r"^warmcube_(\w+)_count\{.*\} (\S+)$", text, re.MULTILINE))
    assert counts == {
        "query_seconds": "1.0",
        "fetch_seconds": "1.0",
        "lookup_seconds": "0.0",
        "decode_seconds": "0.0",
        "evaluate_seconds": "0.0",
    }


def test_a_fallback_that_is_given_up() -> None:
    """It counts as that, and as nothing else."""
    metrics = Metrics([1], stats)
    with pytest.raises(KeyboardInterrupt), metrics.fallback(1, MissReason.COLD):
        raise KeyboardInterrupt
    found = {
        (sample.labels["reason"], sample.labels["outcome"]): sample.value
        for family in metrics.collect()
        if family.name == "warmcube_fallbacks"
        for sample in family.samples
    }
    assert found == {("cold", "cancelled"): 1}


def test_nobody_has_to_be_told() -> None:
    """Without figures the same calls do nothing."""
    UNOBSERVED.answered(1, Figures())
    with UNOBSERVED.fallback(1, MissReason.COLD):
        UNOBSERVED.denied("any")
    UNOBSERVED.warmed(1, None, 1.0)
    UNOBSERVED.verified(1, "equal", 1.0)


def test_every_metric_is_documented() -> None:
    """docs/reference/metrics.md has a row for each, with its kind, labels and meaning."""
    rows = re.findall(
        r"^\| `(warmcube_\w+)` \| (\w+) \| (.*?) \| (.+?) \|$",
        REFERENCE.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert [row[:3] for row in rows] == [
        (
            metric.name + ("_total" if metric.kind == "counter" else ""),
            metric.kind,
            ", ".join(f"`{label}`" for label in metric.labels) or "none",
        )
        for metric in METRICS.values()
    ]


def test_every_word_of_a_label_is_documented() -> None:
    """So that an alert can be written without reading the code."""
    text = REFERENCE.read_text(encoding="utf-8")
    for word in (*MissReason, *DenialReason, *get_args(Origin)):
        assert f"`{word}`" in text, word


def test_alerts_are_on_metrics_that_exist() -> None:
    """Whatever docs/how-to/monitor.md names is exposed, by that name."""
    suffixes = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket",)}
    exposed = {
        metric.name + suffix for metric in METRICS.values() for suffix in suffixes[metric.kind]
    }
    text = (REFERENCE.parents[1] / "how-to/monitor.md").read_text(encoding="utf-8")
    assert set(re.findall(r"warmcube_[a-z_]+", text)) <= exposed
