"""What a page is narrowed by: read strictly, and narrowed to what its viewer may name. Pure.

Whoever follows a link may see less than whoever sent it. What they may not name is dropped, and
they are told so in the link's own words; the rest counts. It is never told whether what was dropped
exists. A filter of which nothing is left is a filter that nothing passes, never one that everything
passes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from warmcube.access.grant import Grant
from warmcube.access.ids import parse_id, show
from warmcube.access.standing import KeyTypes, Purpose, Standing, stand
from warmcube.dashboard.columns import column_named
from warmcube.dashboard.rendered import Dropped, UniversalFilters
from warmcube.errors import AccessDenied, InvalidQuery, LimitExceeded, MissingRole
from warmcube.model.request import NULL, Filter
from warmcube.model.schema import ColumnType, Datasource, Schema
from warmcube.model.scope import All, Ids
from warmcube.query.values import parse_value
from warmcube.query.wording import shown

__all__ = ["Narrowed", "check_lengths", "filters_of", "narrow_filters"]

_FIELDS: Final = (
    "preset",
    "start",
    "end",
    "organization",
    "practices",
    "providers",
    "where",
    "time_zone",
)


def filters_of(data: Any) -> UniversalFilters:
    """Filters from the object of a request; only an absent field or a null is "no filter".

    Raises:
        InvalidQuery: they can't be read; the message says which one, and what was expected.
    """
    if data is None:
        return UniversalFilters()
    if not isinstance(data, Mapping):
        raise InvalidQuery(f"filters is {shown(data)}; expected an object of fields")
    for name in data:
        if name not in _FIELDS:
            raise InvalidQuery(
                f"filters has an unknown field {shown(name)}; the fields are {', '.join(_FIELDS)}"
            )
    found = UniversalFilters(
        preset=_text("preset", data.get("preset")),
        start=_day("start", data.get("start")),
        end=_day("end", data.get("end")),
        organization=_text("organization", data.get("organization")),
        practices=_ids("practices", data.get("practices")),
        providers=_ids("providers", data.get("providers")),
        where=_where(data.get("where")),
        time_zone=_zone(data.get("time_zone")),
    )
    if found.preset is not None and (found.start is not None or found.end is not None):
        raise InvalidQuery("filters has both a preset and start or end; give the one or the other")
    if found.start is not None and found.end is not None and found.start > found.end:
        raise InvalidQuery(
            f"start {found.start} is after end {found.end}; the first day comes first"
        )
    return found


def _wrong(name: str, value: Any, expected: str) -> InvalidQuery:
    return InvalidQuery(f"filters.{name} is {shown(value)}; expected {expected}")


def _text(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise _wrong(name, value, "a text that isn't empty")
    return value


def _day(name: str, value: Any) -> date | None:
    if value is None:
        return None
    expected = 'a day, as "2025-12-31"'
    if not isinstance(value, str) or len(value) != len("2025-12-31"):
        raise _wrong(name, value, expected)
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise _wrong(name, value, expected) from None


def _zone(value: Any) -> str | None:
    name = _text("time_zone", value)
    if name is None:
        return None
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # "" is a folder, "../x" no key, "Mars" not found
        raise _wrong(
            "time_zone", name, "the IANA name of a time zone, like Europe/Berlin"
        ) from None
    return name


def _ids(name: str, value: Any) -> tuple[Any, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise _wrong(name, value, "a list of ids, [] for none of them")
    for each in value:
        if isinstance(each, bool) or not isinstance(each, int | str) or each == "":
            raise _wrong(name, each, "whole numbers, or texts that aren't empty")
    return tuple(value)


def _where(value: Any) -> Mapping[str, tuple[Any, ...]]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _wrong("where", value, "an object of a list of values for each column")
    for column, values in value.items():
        if not isinstance(values, list):
            raise _wrong(f"where.{column}", values, "a list of values, null for rows without one")
        for each in values:
            if isinstance(each, list | Mapping):
                raise _wrong(f"where.{column}", each, "plain values")
    return {column: tuple(values) for column, values in value.items()}


def check_lengths(filters: UniversalFilters, most: int) -> None:
    """That no list of filters is too long, whatever of it is dropped later.

    Args:
        filters: as a link or a page gives them.
        most: ``[limits] list``.

    Raises:
        LimitExceeded: one is.
    """
    lists = {"practices": filters.practices, "providers": filters.providers}
    lists |= {f"where.{column}": values for column, values in filters.where.items()}
    for name, values in lists.items():
        if values is not None and len(values) > most:
            raise LimitExceeded(
                f"filter {shown(name)} lists {len(values):,} values, more than [limits] list = "
                f"{most:,}; ask for less at once"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """Filters that a viewer may use.

    Attributes:
        filters: what holds.
        where: its conditions on columns.
        practices: as a query names them; ``()`` where nothing is left of a filter.
        dropped: what doesn't hold.
        refusals: for the audit, each with the values that it is about.
    """

    filters: UniversalFilters
    where: tuple[Filter, ...]
    dropped: tuple[Dropped, ...]
    refusals: tuple[tuple[AccessDenied, UniversalFilters], ...]


def narrow_filters(
    filters: UniversalFilters,
    grant: Grant,
    datasource: Datasource,
    schema: Schema,
    purpose: Purpose = "read",
) -> Narrowed:
    """What a viewer may use of some filters.

    Args:
        filters: as a link or a page gives them.
        grant: the viewer's.
        datasource: the dashboard's.
        schema: of its table.
        purpose: what for.

    Raises:
        UnknownDatasource: the data source doesn't exist for the viewer.
        AccessDenied: the viewer may read nothing of it.
        MissingRole: it has no practices, providers or dates to be filtered by.
        UnknownColumn: it has no such column.
        InvalidFilter: an id or a value can't be read as its column's type.
    """
    roles = datasource.roles
    types = KeyTypes(_type_of(roles.practice, schema), _type_of(roles.provider, schema))
    standing = stand(grant, datasource, types, purpose)
    if roles.date is None and (filters.start is not None or filters.end is not None):
        raise MissingRole(
            "the data source has no date column, so dates can't be named; leave start and end out"
        )
    narrowing = _Narrowing(filters, standing)
    narrowing.practices(types.practice)
    narrowing.providers(types.provider)
    narrowing.organization(types.practice)
    return Narrowed(
        filters=narrowing.filters,
        where=_conditions(filters.where, datasource, schema),
        dropped=tuple(narrowing.dropped),
        refusals=tuple(narrowing.refusals),
    )


class _Narrowing:
    """Filters that become fewer."""

    def __init__(self, filters: UniversalFilters, standing: Standing) -> None:
        self.given = filters
        self.filters = filters
        self.dropped: list[Dropped] = []
        self.refusals: list[tuple[AccessDenied, UniversalFilters]] = []
        self._standing = standing

    def practices(self, type: ColumnType | None) -> None:
        if self.given.practices is not None:
            kept = self._kept("practice", self.given.practices, type, self._standing.practices)
            self.filters = replace(self.filters, practices=kept)

    def providers(self, type: ColumnType | None) -> None:
        if self.given.providers is not None:
            kept = self._kept("provider", self.given.providers, type, self._standing.providers)
            self.filters = replace(self.filters, providers=kept)

    def organization(self, type: ColumnType | None) -> None:
        named = self.given.organization
        if named is None:
            return
        if type is None:
            raise _missing("practice", "an organization")
        if named not in self._standing.organizations:
            self._drop("organization", "organization", [named])
            self.filters = replace(self.filters, organization=None, practices=())

    def _kept(
        self, role: str, given: Sequence[Any], type: ColumnType | None, allowed: Ids
    ) -> tuple[Any, ...]:
        if type is None:
            raise _missing(role, f"{role}s")
        ids = {each: parse_id(each, type, name=role) for each in given}
        if isinstance(allowed, All):
            return tuple(given)
        kept = tuple(each for each in given if ids[each] in allowed)
        lost = [each for each in given if ids[each] not in allowed]
        if lost:
            self._drop(role, f"{role}s", lost)
        return kept

    def _drop(self, role: str, filter: str, values: Sequence[Any]) -> None:
        self.dropped += [
            Dropped(
                filter=filter,
                value=value,
                why=f"{role} {show(value)} is outside what you may read, so it is left out",
            )
            for value in dict.fromkeys(values)
        ]
        named: Any = values[0] if filter == "organization" else tuple(values)
        fields: dict[str, Any] = {filter: named}
        self.refusals.append(
            (
                AccessDenied(
                    f"a link named what its viewer may not see: {filter}",
                    reason=f"{role} outside the scope",
                ),
                UniversalFilters(**fields),
            )
        )


def _missing(role: str, named: str) -> MissingRole:
    return MissingRole(
        f"the data source has no {role} column, so {named} can't be named; leave the filter out"
    )


def _type_of(role: str | None, schema: Schema) -> ColumnType | None:
    return None if role is None else schema[role].type


def _conditions(
    where: Mapping[str, tuple[Any, ...]], datasource: Datasource, schema: Schema
) -> tuple[Filter, ...]:
    """The conditions, whose values are checked here, so that an error is the page's."""
    zone = ZoneInfo(datasource.time_zone)
    found = []
    for name, values in where.items():
        column = schema[column_named(name, schema, datasource.roles)]
        for value in values:
            if value is not None:
                parse_value(value, column, zone)
        wanted = tuple(NULL if value is None else value for value in values)
        found.append(Filter(column.name, "in", wanted))
    return tuple(found)
