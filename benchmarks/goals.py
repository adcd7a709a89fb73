"""The goals: what each ratio says, and how large or small it has to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Final

__all__ = ["GOALS", "Goal", "Ratio", "Ratios"]


@dataclass(frozen=True, slots=True)
class Goal:
    """What a ratio has to be.

    Attributes:
        what: it says.
        bound: the most or the least.
        is_most: which of both.
    """

    what: str
    bound: float
    is_most: bool

    def __str__(self) -> str:
        return f"{'≤' if self.is_most else '≥'} {self.bound:g}"

    def is_met(self, value: float) -> bool:
        """Whether a value is within it."""
        return value <= self.bound if self.is_most else value >= self.bound


def _most(bound: float, what: str) -> Goal:
    return Goal(what, bound, is_most=True)


def _least(bound: float, what: str) -> Goal:
    return Goal(what, bound, is_most=False)


GOALS: Final[Mapping[str, Goal]] = MappingProxyType(
    {
        "warm_vs_copy": _most(2.2, "whole warm ÷ the fastest bare COPY"),
        "changed_vs_warm": _most(0.6, "refresh with 1 % of the partitions changed ÷ whole warm"),
        "v2_json_vs_warm": _least(5, "v2_json's whole warm ÷ ours"),
        "warm_10x_time": _most(
            1.25,
            "warm per row, ten times the data ÷ once; peak memory at most 400 MB",
        ),
        "store_10_vs_floor": _most(1.5, "rows of 10 entries, store ÷ bare SUNION and MGET"),
        "store_100_vs_floor": _most(1.3, "100 entries"),
        "store_1000_vs_floor": _most(1.3, "1,000 entries"),
        "store_100_p95_ms": _most(1.0, "rows of 100 entries, store, p95 in ms"),
        "postgres_vs_store_10": _least(1, "rows of 10 entries, Postgres ÷ store"),
        "postgres_vs_store_100": _least(1.7, "100 entries"),
        "postgres_vs_store_1000": _least(2.5, "1,000 entries"),
        "postgres_vs_store_100_grouped": _least(1.5, "sums of 100 entries, Postgres ÷ store"),
        "resident_100_vs_floor": _most(0.15, "rows of 100 entries, resident ÷ SUNION and MGET"),
        "postgres_vs_resident_10": _least(5, "rows of 10 entries, Postgres ÷ resident"),
        "postgres_vs_resident_100": _least(15, "100 entries"),
        "postgres_vs_resident_1000": _least(50, "1,000 entries"),
        "postgres_vs_resident_100_grouped": _least(8, "sums of 100 entries, Postgres ÷ resident"),
        "postgres_vs_resident_1000_grouped": _least(25, "1,000 entries"),
        "duckdb_vs_resident_100_grouped": _least(10, "sums of 100 entries, DuckDB ÷ resident"),
        "v2_json_vs_store_1000": _least(10, "rows of 1,000 entries, v2_json ÷ store"),
        "v1_vs_store_10": _least(100, "rows of 10 entries, v1 ÷ store"),
        "dashboard_9_vs_1": _most(3.0, "nine charts of three partitions ÷ one query, store"),
        "everything_281k_vs_floor": _most(1.3, "sums of 4,014 entries of 70 rows ÷ their bytes"),
        "qps_100_vs_floor": _least(0.75, "store, 100 at a time, queries a second ÷ bare calls"),
        "qps_resident_vs_postgres": _least(4, "resident, queries a second ÷ pooled Postgres"),
        "hit_rate_mixed": _least(1.0, "share of the mix answered without the database"),
        "memory_vs_v2_json": _most(0.16, "Redis memory of the snapshot ÷ v2_json's"),
        "index_overhead": _most(0.10, "index sets and counts ÷ entries, bytes"),
        "scale_10x_store": _most(1.1, "100 entries, store, ten times the data ÷ once"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One of the goals as it was measured.

    Attributes:
        value: the ratio; None where what it is about didn't happen.
        of: the figures that it comes from, by what they are.
        conditions: that have to hold besides, and whether they do.
        note: what else is to be known.
    """

    value: float | None
    of: Mapping[str, float | None]
    conditions: Mapping[str, bool] = field(default_factory=dict)
    note: str = ""


class Ratios:
    """The ratios that a run has found so far."""

    def __init__(self) -> None:
        self._found: dict[str, Ratio] = {}

    def divide(
        self,
        name: str,
        above: tuple[str, float],
        below: tuple[str, float],
        *,
        conditions: Mapping[str, bool] | None = None,
        note: str = "",
    ) -> None:
        """Put down one number by another.

        Args:
            name: of the goal.
            above: what it is, and how much.
            below: likewise.
            conditions: that have to hold besides.
            note: what else is to be known.
        """
        value = above[1] / below[1] if below[1] else None
        self.put(name, value, dict((above, below)), conditions=conditions, note=note)

    def put(
        self,
        name: str,
        value: float | None,
        of: Mapping[str, float | None],
        *,
        conditions: Mapping[str, bool] | None = None,
        note: str = "",
    ) -> None:
        """Put down what a goal is judged by; None where it couldn't be measured."""
        if name not in GOALS:
            raise KeyError(name)
        rounded = None if value is None else float(f"{value:.4g}")
        self._found[name] = Ratio(value=rounded, of=of, conditions=conditions or {}, note=note)

    def as_json(self) -> dict[str, Any]:
        """``ratios`` by name, and ``goals`` with what belongs to each, in their order."""
        found = {name: self._found[name] for name in GOALS if name in self._found}
        return {
            "ratios": {name: ratio.value for name, ratio in found.items()},
            "goals": {
                name: {
                    "what": GOALS[name].what,
                    "goal": str(GOALS[name]),
                    "met": ratio.value is not None
                    and GOALS[name].is_met(ratio.value)
                    and all(ratio.conditions.values()),
                    **asdict(ratio),
                }
                for name, ratio in found.items()
            },
        }
