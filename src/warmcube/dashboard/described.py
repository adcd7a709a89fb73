"""A dashboard's definition as its viewer may see it, and what its filter bar offers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final

from warmcube.access.grant import Grant
from warmcube.access.ids import parse_id
from warmcube.access.listing import OrganizationName
from warmcube.access.standing import KeyTypes, Standing, stand
from warmcube.dashboard.columns import column_named, type_word
from warmcube.dashboard.dates import PRESETS
from warmcube.dashboard.definition import Chart, Dashboard
from warmcube.dashboard.document import plain
from warmcube.errors import InvalidFilter, UnknownColumn
from warmcube.model.request import NULL, Filter
from warmcube.model.schema import Column, Datasource, Schema
from warmcube.model.scope import ALL, All, Ids

__all__ = ["describe_dashboard", "sees_conditions"]

_BY_VALUE: Final = ("eq", "neq", "in", "not_in")


def describe_dashboard(
    dashboard: Dashboard,
    grant: Grant,
    datasource: Datasource,
    schema: Schema,
    organizations: Sequence[OrganizationName],
) -> dict[str, Any]:
    """The definition, and what the filter bar offers, as JSON values.

    A value that a condition compares practices or providers with is shown only to those who may
    name it; so is none of a column of their names, but to those who may name all.

    Args:
        dashboard: one that exists for the viewer.
        grant: the viewer's.
        datasource: the dashboard's.
        schema: of its table.
        organizations: those that the viewer may filter by.

    Raises:
        AccessDenied: the viewer may read nothing of the data source.
    """
    roles = datasource.roles
    censor = _censor(dashboard, grant, datasource, schema)
    document: dict[str, Any] = censor.document(dashboard)
    del document["roles"]
    document["offers"] = {
        "presets": list(PRESETS),
        "date": roles.date,
        "time_zone": datasource.time_zone,
        "organizations": []
        if roles.practice is None
        else [each._asdict() for each in organizations],
        "practices": censor.offered(roles.practice),
        "providers": censor.offered(roles.provider),
        "columns": [
            offered for name in dashboard.filters if (offered := censor.offered(name)) is not None
        ],
        "partitions": _partitions(dashboard),
    }
    return document


def sees_conditions(
    dashboard: Dashboard, chart: Chart, grant: Grant, datasource: Datasource, schema: Schema
) -> bool:
    """Whether a viewer may see all values that a chart's conditions compare with.

    Args:
        dashboard: whose chart it is.
        chart: which.
        grant: the viewer's.
        datasource: the dashboard's.
        schema: of its table.
    """
    censor = _censor(dashboard, grant, datasource, schema)
    conditions = [*chart.where, *(each for series in chart.series for each in series.where)]
    return all(censor.sees(each) for each in conditions)


def _censor(dashboard: Dashboard, grant: Grant, datasource: Datasource, schema: Schema) -> _Censor:
    roles = datasource.roles
    types = KeyTypes(
        None if roles.practice is None else schema[roles.practice].type,
        None if roles.provider is None else schema[roles.provider].type,
    )
    return _Censor(dashboard, stand(grant, datasource, types, "read"), datasource, schema)


def _partitions(dashboard: Dashboard) -> list[dict[str, Any]]:
    """The measures and frequencies that its charts are about: those whose values can be offered."""
    found = dict.fromkeys(
        (series.measure, chart.frequency if series.frequency is None else series.frequency)
        for chart in dashboard.charts
        for series in chart.series
    )
    return [{"measure": plain(m), "frequency": plain(f)} for m, f in found]


class _Censor:
    """Makes JSON values of a definition, without what its viewer may not see."""

    def __init__(
        self, dashboard: Dashboard, standing: Standing, datasource: Datasource, schema: Schema
    ) -> None:
        self._datasource = datasource
        self._schema = schema
        roles = datasource.roles
        self._ids: dict[str, Ids] = {}
        if roles.practice is not None:
            self._ids[roles.practice] = standing.practices
        if roles.provider is not None:
            # Those who read whole practices may name any provider, but not learn which there are.
            is_wide = isinstance(standing.practices, All) or not isinstance(standing.providers, All)
            self._ids[roles.provider] = standing.providers if is_wide else frozenset()
        self._names = {
            of: shown
            for given in dashboard.names.items()
            if (of := self._column(given[0])) is not None
            and (shown := self._column(given[1])) is not None
        }

    def _column(self, name: str) -> str | None:
        try:
            return column_named(name, self._schema, self._datasource.roles)
        except UnknownColumn:
            return None

    def offered(self, name: str | None) -> dict[str, Any] | None:
        """A column by which one can filter; None where there is none."""
        column = None if name is None else self._column(name)
        if column is None:
            return None
        return {
            "column": column,
            "names": self._names.get(column),
            "type": type_word(self._schema[column].type),
        }

    def document(self, value: Any) -> Any:
        if isinstance(value, Filter):
            return self._condition(value)
        if is_dataclass(value) and not isinstance(value, type):
            return {each.name: self.document(getattr(value, each.name)) for each in fields(value)}
        if isinstance(value, Mapping):
            return {name: self.document(each) for name, each in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.document(each) for each in value]
        return {"null": True} if value is NULL else plain(value)

    def sees(self, condition: Filter) -> bool:
        """Whether all of a condition's value may be seen."""
        seen, value = self._seen(condition), condition.value
        return bool(seen == (list(value) if isinstance(seen, list) else value))

    def _condition(self, condition: Filter) -> dict[str, Any]:
        seen = self.document(self._seen(condition))
        return {"column": condition.column, "op": condition.op, "value": seen}

    def _seen(self, condition: Filter) -> Any:
        """What of a condition's value may be seen."""
        name, op, value = self._column(condition.column), condition.op, condition.value
        if name is None or value is None:
            return value
        column = self._schema[name]
        named = [of for of, shown in self._names.items() if shown == column.name]
        if not all(isinstance(self._ids.get(of, ALL), All) for of in named):
            return None
        allowed = self._ids.get(column.name, ALL)
        if isinstance(allowed, All):
            return value
        if op not in _BY_VALUE:
            return None
        if isinstance(value, list | tuple | set | frozenset):
            return [each for each in value if _is_among(each, column, allowed)]
        return value if _is_among(value, column, allowed) else None


def _is_among(value: Any, column: Column, allowed: frozenset[str]) -> bool:
    if value is NULL:
        return True
    try:
        return parse_id(value, column.type) in allowed
    except InvalidFilter:
        return False
