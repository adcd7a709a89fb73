"""What somebody asked for, and the rights that they were given it for, as audit lines tell it.

Whatever was named, it is cut as it comes in, so that nothing that waits to be written is large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Literal, TypeAlias

from warmcube.access.reasons import Reason
from warmcube.audit.listed import EMPTY, MOST_LISTED, Listed, id_of, listed_ids
from warmcube.model.request import NULL, Filter, Query

__all__ = [
    "Because",
    "Condition",
    "Request",
    "RequestAction",
    "because",
    "request_of",
]

RequestAction: TypeAlias = Literal[
    "authorize",
    "query",
    "export",
    "embed",
    "values",
    "measures",
    "explain",
    "administer",
    "sign_in",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition of a request, without what it compares with."""

    column: Annotated[str, "the column"]
    operator: Annotated[str, "the operator"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Because:
    """One right that a grant rests on."""

    role: Annotated[str, "the role that the user holds"]
    permission: Annotated[str, "the permission that the role gives"]
    organization: Annotated[str | None, "where the role is held; null if everywhere"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody asked for, as they named it; `request_of` makes one of a query."""

    action: Annotated[RequestAction, "what was asked for"]
    datasource: Annotated[int | None, "the id of the data source, if one that can be was named"] = (
        None
    )
    measure: Annotated[str | int | None, 'the measure; "~" for rows without one'] = None
    frequency: Annotated[str | int | None, 'the frequency; "~" for rows without one'] = None
    organization: Annotated[str | None, "the organization filter; null is none"] = None
    practices: Annotated[Listed[str | int] | None, "the practice filter; null is none"] = None
    providers: Annotated[Listed[str | int] | None, "the provider filter; null is none"] = None
    column: Annotated[str | None, "the column whose values were asked for"] = None
    conditions: Annotated[Listed[Condition], "the conditions, without values"] = EMPTY


def request_of(query: Query, action: RequestAction = "query") -> Request:
    """What a query asks for; it needn't be a right one."""
    return Request(
        action=action,
        datasource=_datasource(query.datasource),
        measure=_partition(query.measure),
        frequency=_partition(query.frequency),
        organization=None if query.organization is None else str(id_of(query.organization)),
        practices=listed_ids(query.practices),
        providers=listed_ids(query.providers),
        conditions=Listed.of(query.where, _condition),
    )


def because(reasons: Sequence[Reason]) -> Listed[Because]:
    """The rights that a grant rests on, each once."""
    rights = [right for reason in reasons for right in reason.rights]
    found = dict.fromkeys(
        (right.held.role, right.permission, right.held.organization) for right in rights
    )
    return Listed(
        tuple(
            Because(role=role, permission=str(permission), organization=organization)
            for role, permission, organization in islice(found, MOST_LISTED)
        ),
        len(found),
    )


def _datasource(named: object) -> int | None:
    known = id_of(named)
    return known if isinstance(known, int) else None


def _partition(named: object) -> str | int | None:
    if named is None:
        return None
    return "~" if named is NULL else id_of(named)


def _condition(condition: object) -> Condition:
    if isinstance(condition, Filter):
        return Condition(column=str(id_of(condition.column)), operator=str(id_of(condition.op)))
    return Condition(column=f"a {type(condition).__name__}", operator="")
