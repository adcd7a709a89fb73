"""What every workload is given: servers, data, how much to do, and where its figures go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.data import Shape
from benchmarks.goals import Ratios
from benchmarks.setting import Setting

__all__ = ["FULL", "QUICK", "Bench", "Effort"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is done for each figure.

    Attributes:
        warms: how often the table is warmed.
        slow_warms: how often by the predecessor.
        queries: rounds of each query.
        slow_every: in one of how many of them the slow ones take part.
        bursts: rounds of many at a time.
        burst: how many queries each of them has.
        is_quick: whether ten times the data are left out.
    """

    warms: int
    slow_warms: int
    queries: int
    slow_every: int
    bursts: int
    burst: int
    is_quick: bool


QUICK: Final = Effort(
    warms=3, slow_warms=1, queries=200, slow_every=16, bursts=4, burst=1000, is_quick=True
)
FULL: Final = Effort(
    warms=7, slow_warms=3, queries=1000, slow_every=20, bursts=12, burst=4000, is_quick=False
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One run.

    Attributes:
        setting: the servers.
        shape: of the data.
        effort: how much is done.
        tell: takes what is being done, for who waits.
        ratios: the goals, as far as they are measured.
        figures: by workload, everything that was measured.
        made: of which baselines there is what they answer from.
    """

    setting: Setting
    shape: Shape
    effort: Effort
    tell: Callable[[str], None]
    ratios: Ratios = field(default_factory=Ratios)
    figures: dict[str, Any] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
