"""Which days a chart is about, and which dates stand beside which, in SQL.

A part of `tests.support.number_sql`, and like it written from the reference alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from tests.support.number_tables import STEPS, World, literal

__all__ = ["ROLES", "Definition", "Periods"]

Definition = Mapping[str, Any]

ROLES: Final = {
    "date": "date_index",
    "practice": "practice_uid",
    "provider": "provider_uid",
    "value": "measure_value",
}


@dataclass(frozen=True, slots=True)
class Periods:
    """A chart, and who sees it, narrowed by what."""

    world: World
    dashboard: Definition
    chart: Definition
    user: str
    filters: Definition

    @property
    def frequency(self) -> str:
        """Of all series of the chart."""
        return str(self.chart.get("frequency") or self.chart["series"][0]["frequency"])

    @property
    def step(self) -> str:
        """How far dates lie apart; told by the frequency where it isn't said."""
        return str(self.chart.get("step", STEPS[self.frequency]))

    @property
    def date_type(self) -> str:
        return self.world.columns["date_index"]

    def column(self, name: str | None) -> str:
        """SQL of an axis; texts are ordered by code point."""
        if name is None:
            return "NULL::text"
        found = ROLES.get(name, name)
        return f'{found} COLLATE "C"' if self.world.columns[found] == "text" else found

    def days(self, start: date | str | None, end: date | str | None) -> str:
        """Rows of days, both included; a NULL date is in no range."""
        zone = literal(self.world.zone)
        day = {
            "date": "date_index",
            "timestamp": "date_index::date",
            "timestamptz": f"(date_index AT TIME ZONE {zone})::date",
        }[self.date_type]
        parts = [f"{day} >= '{start}'"] * (start is not None)
        parts += [f"{day} <= '{end}'"] * (end is not None)
        return " AND ".join(parts) or "TRUE"

    @property
    def period(self) -> tuple[Any, Any]:
        """First and last day that the chart is about."""
        own = self.chart.get("dates", self.filters)
        return own.get("start"), own.get("end")

    @property
    def before(self) -> tuple[str, str] | None:
        """SQL of the compared first and last day."""
        kind = self.chart.get("compare")
        if kind is None:
            return None
        start, end = (f"DATE '{each}'" for each in self.period)
        is_whole = f"(date_part('day', {start}) = 1 AND date_part('day', {end} + 1) = 1)"
        months = (
            f"((date_part('year', {end}) - date_part('year', {start})) * 12 "
            f"+ date_part('month', {end}) - date_part('month', {start}) + 1)::int"
        )
        by_days: str | None = f"({end} - {start} + 1)"
        if kind == "same_period_last_year":
            by_months, by_days = "12", None
        elif kind == "previous_period":
            by_months = months
        else:
            count, unit = kind["shift"].split()
            unit = unit.rstrip("s")
            factor = {"day": 1, "week": 7, "month": 1, "quarter": 3, "year": 12}[unit]
            by_months = str(int(count) * factor)
            by_days = by_months if unit in ("day", "week") else None
            if by_days is not None:
                return f"({start} - {by_days})", f"({end} - {by_days})"

        def moved(day: str) -> str:
            return f"({day} - {by_months} * INTERVAL '1 month')::date"

        last = (
            f"CASE WHEN {is_whole} THEN "
            f"(date_trunc('month', {moved(end)}) + INTERVAL '1 month')::date - 1 "
        )
        if by_days is None:
            return moved(start), f"({last} ELSE {moved(end)} END)"
        return (
            f"(CASE WHEN {is_whole} THEN {moved(start)} ELSE {start} - {by_days} END)",
            f"({last} ELSE {end} - {by_days} END)",
        )

    @property
    def is_dated(self) -> bool:
        """Whether labels are days, which stand in their order."""
        return self.chart.get("group_by") in ("date", "joined")

    @property
    def has_own_dates(self) -> bool:
        """Whether the labels are the dates by which the two periods are told apart."""
        return self.chart.get("group_by") == "date" and self.before is not None

    def wall(self, moment: str) -> str:
        """A date or an instant by the clock on the wall."""
        if self.date_type == "timestamptz" and self.chart.get("group_by") == "date":
            return f"({moment} AT TIME ZONE {literal(self.world.zone)})"
        return f"({moment})::timestamp"

    def moment(self, wall: str) -> str:
        """And back."""
        if self.chart.get("group_by") == "joined":
            return f"({wall})::date"
        if self.date_type == "timestamptz":
            return f"(({wall}) AT TIME ZONE {literal(self.world.zone)})"
        return f"({wall})::{self.date_type}"

    def dates(self, which: str) -> str:
        """The dates of a period in order, with those in between where they are filled up."""
        label = self.column(self.chart["group_by"])
        kind = self.world.columns[label]
        found = f"SELECT DISTINCT l::{kind} AS d FROM hit WHERE {which}"
        if self.chart.get("missing", "skip") == "skip":
            return found
        wall = self.wall("d")
        step = f"INTERVAL '1 {self.step}'"
        grid = f"generate_series(0, 5000) AS i WHERE first + i * {step} <= last"
        placed = f"first + i * {step}"
        if self.on_month_ends:
            # Of month ends, the next is the last day of the next month.
            placed = (
                f"date_trunc('month', first) + (i + 1) * {step} - INTERVAL '1 day' "
                "+ (first - date_trunc('day', first))"
            )
            grid = f"generate_series(0, 5000) AS i WHERE {placed} <= last"
        return (
            f"SELECT d FROM ({found}) AS own UNION SELECT {self.moment('filled.d')} FROM "
            f"(SELECT {placed} AS d FROM (SELECT min({wall}) AS first, max({wall}) AS last "
            f"FROM ({found}) AS ends) AS ends, {grid}) AS filled "
            f"WHERE filled.d NOT IN (SELECT {wall} FROM ({found}) AS own WHERE d IS NOT NULL)"
        )

    @property
    def on_month_ends(self) -> bool:
        return self.frequency == "Month ends" and self.chart["group_by"] == "date"

    def place(self, wall: str, start: str) -> str:
        """The number of the step, counted from the first that can lie in the period."""
        if self.step in ("day", "week"):
            days = 7 if self.step == "week" else 1
            return f"(({wall})::date - {start}) / {days}"
        months = "(date_part('year', {0}) * 12 + date_part('month', {0}))::int"
        # Dates are the first of their months, or the last: where a period begins later than on
        # the first, the first of that month doesn't lie in it, and the last always does.
        late = "0" if self.on_month_ends else f"(date_part('day', {start}) > 1)::int"
        return f"{months.format(wall)} - {months.format(start)} - {late}"

    def moved(self, wall: str) -> str:
        """Where in this period a date of the compared one lies."""
        assert self.before is not None
        start, before = f"DATE '{self.period[0]}'", self.before[0]
        step = self.step
        if step == "day":
            return f"{wall} + ({start} - {before}) * INTERVAL '1 day'"
        if step == "week":
            # All weekly dates are Mondays.
            first = f"({start} + (8 - date_part('isodow', {start})::int) % 7)"
            weeks = self.place(wall, before)
            return f"{first} + ({weeks}) * INTERVAL '1 week' + ({wall} - date_trunc('day', {wall}))"
        by = f"({self.place(wall, before)}) - ({self.place(wall, start)})"
        if self.on_month_ends:
            month = f"date_trunc('month', {wall}) + ({by}) * INTERVAL '1 month'"
            return (
                f"{month} + INTERVAL '1 month' - INTERVAL '1 day' "
                f"+ ({wall} - date_trunc('day', {wall}))"
            )
        return f"{wall} + ({by}) * INTERVAL '1 month'"

    @property
    def labels(self) -> str:
        """CTE: the positions, each with the value of either period that stands there."""
        if self.has_own_dates:
            assert self.before is not None
            starts = (f"DATE '{self.period[0]}'", self.before[0])
            sides = [
                f"SELECT d, {self.place(self.wall('d'), start)} AS p, row_number() OVER "
                f"(PARTITION BY {self.place(self.wall('d'), start)} ORDER BY d) AS q "
                f"FROM ({self.dates(which)}) AS dates"
                for which, start in zip(("NOT old", "old"), starts, strict=True)
            ]
            return (
                "positions AS (SELECT row_number() OVER (ORDER BY p, q) AS n, "
                f"coalesce(a.d, {self.moment(self.moved(self.wall('b.d')))}) AS k, "
                "NULL::text AS name, a.d AS now, b.d AS old, a.p IS NOT NULL AS has_now, "
                f"b.p IS NOT NULL AS has_old FROM ({sides[0]}) AS a "
                f"FULL JOIN ({sides[1]}) AS b USING (p, q))"
            )
        both = "now, k AS old, TRUE AS has_now, TRUE AS has_old"
        if self.is_dated:
            return (
                "positions AS (SELECT row_number() OVER (ORDER BY d ASC NULLS LAST) AS n, d AS k, "
                f"NULL::text AS name, d AS {both.replace('k AS old', 'd AS old')} "
                f"FROM ({self.dates('TRUE')}) AS dates)"
            )
        return f"positions AS (SELECT n, k, name, k AS {both} FROM l_keys)"
