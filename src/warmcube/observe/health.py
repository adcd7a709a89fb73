"""How well a cache is: a score out of measured parts, by a formula that the documentation gives.

Pure. A part that hasn't been measured is None and counts for nothing: the others' weights then
make up the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = ["WEIGHTS", "Health", "HealthState", "Measured", "Overall", "Parts", "judge", "overall"]

HealthState: TypeAlias = Literal["excellent", "good", "degraded", "stale", "cold"]

WEIGHTS: Final = {"age": 25, "hit_rate": 35, "completeness": 25, "coverage": 15}
"""What each part counts for, of 100."""

EXCELLENT: Final = 95
GOOD: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured of one data source.

    Attributes:
        datasource: its id.
        name: as configured.
        why_cold: why no snapshot can serve, such as ``never warmed``; None if one can.
        now_ms: when this was measured, Unix milliseconds by the store's clock.
        warmed_ms: when the live snapshot was published.
        fresh_until_ms: until when it is fresh.
        serve_until_ms: until when it may be served.
        hits: answers from it since it was published.
        misses: answers that the database had to give meanwhile.
        partitions: how many it has by its manifest.
        proven_partitions: for how many of them the index holds what the manifest says.
        entries: how many it has by its manifest.
        proven_entries: how many of them are in those partitions.
        checked: of how many entries it was looked whether they are there.
        found: how many of these were.
    """

    datasource: int
    name: str
    why_cold: str | None = None
    now_ms: int
    warmed_ms: int = 0
    fresh_until_ms: int = 0
    serve_until_ms: int = 0
    hits: int = 0
    misses: int = 0
    partitions: int = 0
    proven_partitions: int = 0
    entries: int = 0
    proven_entries: int = 0
    checked: int = 0
    found: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of a score, each from 0 to 1; None is not measured.

    Attributes:
        age: 1 while fresh, then falling evenly to 0, when the snapshot may no longer serve.
        hit_rate: the share of answers that came from the cache since its snapshot was published.
        completeness: the share of the snapshot's entries that were found to be there.
        coverage: the share of data sources of which a snapshot can serve.
    """

    age: float | None
    hit_rate: float | None
    completeness: float | None
    coverage: float | None

    @property
    def score(self) -> int:
        """From 0 to 100: the weighted mean of what has been measured."""
        measured = {name: part for name in WEIGHTS if (part := getattr(self, name)) is not None}
        weight = sum(WEIGHTS[name] for name in measured)
        total = sum(WEIGHTS[name] * part for name, part in measured.items())
        # Cut, not rounded: 100 is only what lacks nothing.
        return int(100 * total / weight + 1e-9) if weight else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How well one data source is.

    Attributes:
        datasource: its id.
        name: as configured.
        state: in one word.
        why: what makes it so, if it isn't well.
        score: from 0 to 100.
        parts: what the score is made of.
        hits: that the hit rate rests on; None without a snapshot.
        misses: likewise.
        window_seconds: over which they were counted: since the snapshot was published.
        partitions: of the live snapshot.
        proven_partitions: of these, how many the index proves.
        entries: of the live snapshot.
        checked: how many of them were looked for.
        found: how many were there.
    """

    datasource: int
    name: str
    state: HealthState
    why: str | None
    score: int
    parts: Parts
    hits: int | None = None
    misses: int | None = None
    window_seconds: float | None = None
    partitions: int | None = None
    proven_partitions: int | None = None
    entries: int | None = None
    checked: int | None = None
    found: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overall:
    """How well all are together."""

    state: HealthState
    score: int
    parts: Parts
    datasources: tuple[Health, ...]


def judge(measured: Measured) -> Health:
    """The health of one data source."""
    if measured.why_cold is not None:
        parts = Parts(age=None, hit_rate=None, completeness=None, coverage=0.0)
        return Health(
            datasource=measured.datasource,
            name=measured.name,
            state="cold",
            why=measured.why_cold,
            score=parts.score,
            parts=parts,
        )
    parts = Parts(
        age=_age(measured),
        hit_rate=_share(measured.hits, measured.hits + measured.misses),
        completeness=_completeness(measured),
        coverage=1.0,
    )
    state, why = _state(measured, parts)
    return Health(
        datasource=measured.datasource,
        name=measured.name,
        state=state,
        why=why,
        score=parts.score,
        parts=parts,
        hits=measured.hits,
        misses=measured.misses,
        window_seconds=max(0, measured.now_ms - measured.warmed_ms) / 1000,
        partitions=measured.partitions,
        proven_partitions=measured.proven_partitions,
        entries=measured.entries,
        checked=measured.checked,
        found=measured.found,
    )


def overall(all_measured: Sequence[Measured]) -> Overall:
    """The health of all data sources together: parts are those of what is warm, but coverage."""
    found = tuple(judge(each) for each in all_measured)
    warm = [each for each in found if each.state != "cold"]
    hits = sum(each.hits or 0 for each in warm)
    misses = sum(each.misses or 0 for each in warm)
    parts = Parts(
        age=_mean([each.parts.age for each in warm]),
        hit_rate=_share(hits, hits + misses),
        completeness=_mean([each.parts.completeness for each in warm]),
        coverage=_share(len(warm), len(found)),
    )
    states = {each.state for each in found}
    state: HealthState
    if not warm:
        state = "cold"
    elif states & {"cold", "degraded"}:
        state = "degraded"
    elif "stale" in states:
        state = "stale"
    else:
        state = _by_score(parts.score)
    return Overall(state=state, score=parts.score, parts=parts, datasources=found)


def _state(measured: Measured, parts: Parts) -> tuple[HealthState, str | None]:
    if parts.completeness is not None and parts.completeness < 1:
        return "degraded", "parts of the snapshot are gone; the database answers for them"
    if measured.now_ms >= measured.fresh_until_ms:
        return "stale", "the snapshot's life is over; warm again"
    state = _by_score(parts.score)
    if state == "degraded":
        return state, "many answers had to come from the database"
    return state, None


def _by_score(score: int) -> HealthState:
    if score >= EXCELLENT:
        return "excellent"
    return "good" if score >= GOOD else "degraded"


def _age(measured: Measured) -> float:
    over = measured.now_ms - measured.fresh_until_ms
    if over <= 0:
        return 1.0
    whole = measured.serve_until_ms - measured.fresh_until_ms
    return max(0.0, 1 - over / whole) if whole > 0 else 0.0


def _completeness(measured: Measured) -> float:
    proven = _share(measured.proven_entries, measured.entries)
    there = _share(measured.found, measured.checked)
    # Of an empty table nothing can be missing.
    return (1.0 if proven is None else proven) * (1.0 if there is None else there)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
