"""What the practice data measure, how often, and for which days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["FREQUENCIES", "MEASURES", "Frequency", "Measure"]

Days = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One measure.

    Attributes:
        monthly: what one provider has in a typical month, or the level of a percentage.
        growth: how much a year adds, as a share.
        season: how far the peak of the year lies above its middle, as a share.
        peak: the month of the peak.
        noise: how far single values scatter, as a share.
    """

    name: str
    type: Literal["currency", "count", "percentage"]
    monthly: float
    growth: float = 0.04
    season: float = 0.08
    peak: int = 1
    noise: float = 0.12


MEASURES: Final = (
    Measure(name="Charges", type="currency", monthly=92_000, growth=0.06),
    Measure(name="Payments", type="currency", monthly=51_000, growth=0.05, peak=3),
    Measure(name="Adjustments", type="currency", monthly=-37_500, growth=0.06),
    Measure(name="Refunds", type="currency", monthly=-640, noise=0.6),
    Measure(name="Visits", type="count", monthly=310, season=0.15),
    Measure(name="New Patients", type="count", monthly=38, season=0.2, peak=9),
    Measure(name="No-Shows", type="count", monthly=19, season=0.25, peak=12, noise=0.3),
    Measure(name="Days in A/R", type="count", monthly=34, growth=-0.03),
    Measure(name="Net Collection Rate", type="percentage", monthly=95.5, growth=0.0, noise=0.02),
    Measure(name="Denial Rate", type="percentage", monthly=6.8, growth=-0.05, noise=0.25),
    Measure(name="Patient Satisfaction", type="percentage", monthly=88, growth=0.01, noise=0.05),
    # A name with everything in it that could upset a key, a query or a file.
    Measure(name="A/R > 90 days: {net} 100%", type="percentage", monthly=14, noise=0.2),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequency:
    """How often a value is taken.

    Attributes:
        weight: how many of its periods the usual history holds.
        share: how much of a month one period is.
    """

    name: str
    weight: int
    share: float

    def grid(self, periods: int) -> Days:
        """The first days of so many periods, latest first, as days since 1970."""
        if self.name == "Daily":
            return _LAST_DAY - np.arange(periods, dtype=np.int32)
        if self.name == "Weekly":
            return _LAST_MONDAY - 7 * np.arange(periods, dtype=np.int32)
        step = 1 if self.name == "Monthly" else 3
        last = _LAST_MONTH if self.name == "Monthly" else _LAST_QUARTER
        months = last - step * np.arange(periods)
        days: Days = months.astype("datetime64[D]").astype(np.int32)
        return days


_LAST_DAY: Final = np.datetime64("2025-12-31", "D").astype(np.int32)
_LAST_MONDAY: Final = np.datetime64("2025-12-29", "D").astype(np.int32)
_LAST_MONTH: Final = np.datetime64("2025-12", "M")
_LAST_QUARTER: Final = np.datetime64("2025-10", "M")

FREQUENCIES: Final = (
    Frequency(name="Daily", weight=30, share=1 / 30),
    Frequency(name="Weekly", weight=26, share=7 / 30),
    Frequency(name="Monthly", weight=36, share=1.0),
    Frequency(name="Quarterly", weight=12, share=3.0),
)
