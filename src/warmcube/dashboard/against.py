"""A dashboard against the data that it is about: measures, frequencies, columns, values. Pure.

A second step after `warmcube.dashboard.parse`, since what is right in itself may name what isn't
there; and what isn't there yet may come with the next warm.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from warmcube.config.problems import nearest
from warmcube.dashboard.columns import column_named
from warmcube.dashboard.definition import Chart, Dashboard, MeasureSeries
from warmcube.dashboard.troubles import Place, Trouble, Troubles
from warmcube.entry.keys import PartitionName
from warmcube.errors import InvalidFilter, UnknownColumn
from warmcube.model.request import Filter
from warmcube.model.schema import Datasource, Schema
from warmcube.query.contents import Contents
from warmcube.query.values import parse_value

__all__ = ["check_contents", "check_roles"]


def check_contents(
    dashboard: Dashboard, data: Mapping[str, Any], file: str, datasource: Datasource, on: Contents
) -> tuple[Trouble, ...]:
    """What a dashboard names that its data source doesn't have.

    Args:
        dashboard: as it was parsed.
        data: what it was parsed from, for the places.
        file: how messages name the file.
        datasource: whose roles and time zone count.
        on: what the data source holds.
    """
    troubles = Troubles(file, data)
    _Check(datasource, on).dashboard(dashboard, data, Place(troubles))
    return troubles.found


def check_roles(
    dashboard: Dashboard, data: Mapping[str, Any], file: str, roles: Collection[str]
) -> tuple[Trouble, ...]:
    """Which roles a dashboard lists that the directory doesn't have."""
    troubles = Troubles(file, data)
    for position, role in enumerate(dashboard.roles):
        if role not in roles:
            what = f"the directory has no such role{nearest(role, roles)}"
            troubles.add(("roles", position), what, value=role)
    return troubles.found


@dataclass(frozen=True, slots=True)
class _Check:
    datasource: Datasource
    on: Contents

    @property
    def schema(self) -> Schema:
        return self.on.schema

    def dashboard(self, dashboard: Dashboard, data: Mapping[str, Any], at: Place) -> None:
        """All of it."""
        common = len(data.get("where", ()))
        self.conditions(dashboard.charts[0].where[:common], at / "where")
        for position, column in enumerate(dashboard.filters):
            self.column(column, at / "filters" / position)
        for column, names in dashboard.names.items():
            self.column(column, at / "names" / column)
            self.column(names, at / "names" / column)
        for position, chart in enumerate(dashboard.charts):
            written = data["charts"][position]
            place = at / "charts" / position
            self.columns(chart, place)
            self.conditions(chart.where[common:], place / "where")
            for number, series in enumerate(chart.series):
                self.series(chart, series, _Written(data, written, place, number))

    def columns(self, chart: Chart, at: Place) -> None:
        """Those that a chart puts its labels, series and multiples in."""
        seen: dict[str, str] = {}
        for name in ("group_by", "split_by", "multiples"):
            column = getattr(chart, name)
            found = None if column is None else self.column(column, at / name)
            if found in seen:
                (at / name).wrong(f"is the same column as {seen[found]}", value=column)
            elif found is not None:
                seen[found] = name
        if self.datasource.roles.date is None:
            for name, value in (("dates", chart.dates), ("compare", chart.comparison)):
                if value is not None:
                    (at / name).wrong("the data source has no date column; leave it out")

    def column(self, name: str, at: Place) -> str | None:
        """The table's name for a column."""
        try:
            return column_named(name, self.schema, self.datasource.roles)
        except UnknownColumn:
            near = nearest(name, self.schema.names)
            at.wrong(f"the data source has no such column{near}", value=name)
            return None

    def conditions(self, conditions: Sequence[Filter], at: Place) -> None:
        """Their columns, and their values as the columns' types."""
        for position, condition in enumerate(conditions):
            place = at / position
            column = self.column(condition.column, place / "column")
            if column is None or condition.op in ("is_null", "not_null", "like"):
                continue
            given = condition.value
            for value in given if isinstance(given, tuple) else (given,):
                try:
                    parse_value(value, self.schema[column], ZoneInfo(self.datasource.time_zone))
                except InvalidFilter as error:
                    (place / "value").wrong(str(error))

    def series(self, chart: Chart, series: MeasureSeries, written: _Written) -> None:
        """Whether there are rows of its measure with its frequency."""
        roles = self.datasource.roles
        self.conditions(series.where, written.place / "series" / written.number / "where")
        frequency = chart.frequency if series.frequency is None else series.frequency
        said = {"measure": series.measure, "frequency": frequency}
        usable = True
        for role, value in said.items():
            column = getattr(roles, role)
            known = {text for name in self.on.rows if (text := getattr(name, role)) is not None}
            at = written.of(role)
            if column is None and value is not None:
                at.wrong(f"the data source has no {role} column; leave it out", value=value)
                usable = False
            elif column is not None and value is None:
                at.wrong(f"missing; the data source has several{nearest('', known)}")
                usable = False
            elif column is not None and str(value) not in known:
                at.wrong(
                    f"the data source has no such {role}{nearest(str(value), known)}", value=value
                )
                usable = False
        if usable:
            self.partition(said, written)
        if roles.value is None and series.aggregate != "count":
            written.of("aggregate").wrong(
                'the data source has no value column; only "count" can be shown',
                value=series.aggregate,
            )

    def partition(self, said: Mapping[str, Any], written: _Written) -> None:
        """Whether the measure has the frequency."""
        texts = {role: None if value is None else str(value) for role, value in said.items()}
        if any(texts.values()) and PartitionName(**texts) not in self.on.rows:
            have = {name.frequency for name in self.on.rows if name.measure == texts["measure"]}
            written.of("frequency").wrong(
                f"{said['measure']} has no such frequency"
                f"{nearest(str(said['frequency']), [each for each in have if each])}",
                value=said["frequency"],
            )


@dataclass(frozen=True, slots=True)
class _Written:
    """Where a series' fields stand in the file: in itself, its chart, or the defaults."""

    data: Mapping[str, Any]
    chart: Mapping[str, Any]
    place: Place
    number: int

    def of(self, field: str) -> Place:
        """The place of a field."""
        return next(self._places(field))

    def _places(self, field: str) -> Iterator[Place]:
        own = self.chart.get("series")
        if isinstance(own, list) and (field in own[self.number] or field == "measure"):
            yield self.place / "series" / self.number / field
        if field == "measure":
            short = "measures" if "measures" in self.chart else "measure"
            yield self.place / short / self.number if short == "measures" else self.place / short
        if field not in self.chart and field in self.data.get("defaults", {}):
            yield Place(self.place.troubles) / "defaults" / field
        yield self.place / field
