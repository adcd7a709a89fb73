"""Date presets. Pure."""

from __future__ import annotations

from datetime import date, timedelta

from warmcube.dashboard.rendered import DateRange
from warmcube.errors import InvalidQuery
from warmcube.query.wording import shown

__all__ = ["resolve_preset"]


def resolve_preset(preset: str, today: date) -> DateRange:
    """The days of a preset, on a given day.

    Raises:
        InvalidQuery: there is no such preset.
    """
    first = today.replace(day=1)
    if preset == "last_12_full_months":
        return DateRange(
            start=first.replace(year=first.year - 1), end=first - timedelta(days=1), preset=preset
        )
    if preset == "year_to_date":
        return DateRange(start=today.replace(month=1, day=1), end=today, preset=preset)
    raise InvalidQuery(
        f"{shown(preset)} is no preset of dates; the presets are last_12_full_months, year_to_date"
    )
