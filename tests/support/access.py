"""Access rules once more, written to be compared with: row by row, upwards from the row.

`warmcube.access` walks down from a user to sets of practices. Here each row climbs from its
practice to the organizations that hold it and on to those above, straight on the records of
``access.toml``, and asks for each whether it lets the user in. Slow, and nothing shared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from warmcube.access.decide import Grant, decide
from warmcube.access.grant import Authority
from warmcube.access.narrow import Narrowed, narrow
from warmcube.access.survey import build_directory
from warmcube.errors import AccessDenied, InvalidFilter, MissingRole, UnknownDatasource
from warmcube.model.schema import ColumnType, Datasource, Kind, Roles

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
INTEGER = ColumnType(Kind.INTEGER)
TEXT = ColumnType(Kind.TEXT)

ACTIONS = {"read": "analytics:read", "export": "analytics:export", "embed": "dashboards:embed"}
"""What it takes for a purpose, beside reading."""

Row = tuple[str | None, str | None]
Outcome = frozenset[Row] | type[Exception]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked, and of what data source."""

    organization: str | None = None
    practices: Sequence[Any] | None = None
    providers: Sequence[Any] | None = None
    purpose: Any = "read"
    door: frozenset[str] | None = None
    has_practice: bool = True
    has_provider: bool = True

    @property
    def datasource(self) -> Datasource:
        return Datasource(
            id=1,
            name="Practice analytics",
            source="main",
            table="t",
            roles=Roles(
                practice="practice_uid" if self.has_practice else None,
                provider="provider_uid" if self.has_provider else None,
            ),
            door=self.door,
        )


class Oracle:
    """What one user may have."""

    def __init__(self, records: Mapping[str, Any], user: str, now: datetime = NOW) -> None:
        self.roles = records["roles"]
        self.organizations = {each["id"]: each for each in records["organizations"]}
        self.user = next((each for each in records["users"] if each["id"] == user), None)
        self.now = now

    def outcome(self, request: Request, rows: Sequence[Row]) -> Outcome:
        """The rows that one request gives out of `rows`, or the type of its error."""
        if not self.may_enter():
            return AccessDenied
        door = self.held() if request.door is None else self.door(request.door)
        if not door:
            return UnknownDatasource
        rights = {
            action: self.rights(action, request, door)
            for action in {"analytics:read", ACTIONS[request.purpose]}
        }
        if not all(rights.values()):
            return AccessDenied
        practices_lack = request.organization is not None or request.practices is not None
        if (practices_lack and not request.has_practice) or (
            request.providers is not None and not request.has_provider
        ):
            return MissingRole
        if self.names_what_is_outside(request, door, list(rights.values())):
            return AccessDenied
        return frozenset(
            (practice, provider)
            for practice, provider in rows
            if all(
                any(self.lets_in(right, practice, provider) for right in found)
                for found in rights.values()
            )
            and self.is_behind(request, door, practice)
            and (
                request.organization is None
                or any(request.organization in up for up in self.climbs(practice))
            )
            and (request.practices is None or practice in list(map(str, request.practices)))
            and (request.providers is None or provider in list(map(str, request.providers)))
        )

    def held(self) -> list[tuple[str, str | None]]:
        """Roles that haven't expired, with the organization that each is limited to."""
        assert self.user is not None
        found = []
        for each in self.user["roles"]:
            table: dict[str, Any] = {"role": each} if isinstance(each, str) else each
            if "expires" not in table or self.now < table["expires"]:
                found.append((table["role"], table.get("organization")))
        return found

    def may_enter(self) -> bool:
        return (
            self.user is not None
            and self.user.get("active", True)
            and any(
                text.startswith("analytics:read:")
                for role, _ in self.held()
                for text in self.roles[role]
            )
        )

    def door(self, door: frozenset[str]) -> list[tuple[str, str | None]]:
        return [
            (role, where)
            for role, where in self.held()
            if role in door and (where is None or self.organizations[where].get("active", True))
        ]

    def rights(
        self, action: str, request: Request, door: Sequence[tuple[str, str | None]]
    ) -> list[tuple[str, str | None]]:
        """Kind of scope and limit of each right that counts for this data source."""
        found = [
            (text.rpartition(":")[2], where)
            for role, where in self.held()
            for text in self.roles[role]
            if text.startswith(f"{action}:")
        ]
        if not request.has_provider:
            found = [(kind, where) for kind, where in found if kind != "own"]
        if not request.has_practice:
            everywhere = request.door is None or any(where is None for _, where in door)
            found = [
                (kind, where)
                for kind, where in found
                if (kind, where) == ("all", None) and everywhere
            ]
        return found

    def climb(self, organization: str) -> list[str]:
        """An organization and those above it, up to the first inactive one."""
        path: list[str] = []
        here: str | None = organization
        while here is not None and self.organizations[here].get("active", True):
            path.append(here)
            here = self.organizations[here].get("parent")
        return path

    def climbs(self, practice: str | None) -> list[list[str]]:
        return [
            self.climb(name)
            for name, each in self.organizations.items()
            if practice in list(map(str, each.get("practices", ())))
        ]

    def leads_to(self, right: tuple[str, str | None], up: Sequence[str]) -> bool:
        """Whether a right holds where one climbs up like this."""
        kind, where = right
        assert self.user is not None
        is_home = kind == "all" or any(name in up for name in self.user["organizations"])
        return is_home and (where is None or where in up) and bool(up)

    def may_name(self, right: tuple[str, str | None], practice: str | None) -> bool:
        return right == ("all", None) or any(
            self.leads_to(right, up) for up in self.climbs(practice)
        )

    def lets_in(
        self, right: tuple[str, str | None], practice: str | None, provider: str | None
    ) -> bool:
        if right[0] == "own" and not any(
            str(mine) == provider and (there is None or str(there) == practice)
            for there, mine in self.mine()
        ):
            return False
        return self.may_name(right, practice)

    def mine(self) -> list[tuple[Any, Any]]:
        assert self.user is not None
        if "provider" in self.user:
            return [(None, self.user["provider"])]
        return [(each.get("practice"), each["provider"]) for each in self.user.get("providers", ())]

    def is_behind(
        self, request: Request, door: Sequence[tuple[str, str | None]], practice: str | None
    ) -> bool:
        return request.door is None or any(
            where is None or any(where in up for up in self.climbs(practice)) for _, where in door
        )

    def names_what_is_outside(
        self,
        request: Request,
        door: Sequence[tuple[str, str | None]],
        rights: Sequence[Sequence[tuple[str, str | None]]],
    ) -> bool:
        if request.organization is not None:
            up = (
                self.climb(request.organization)
                if request.organization in self.organizations
                else []
            )
            behind = request.door is None or any(where is None or where in up for _, where in door)
            if not up or not behind:
                return True
            if not all(any(self.leads_to(right, up) for right in each) for each in rights):
                return True
        for practice in map(str, request.practices or ()):
            if not self.is_behind(request, door, practice) or not all(
                any(self.may_name(right, practice) for right in each) for each in rights
            ):
                return True
        mine = {str(provider) for _, provider in self.mine()}
        return any(all(kind == "own" for kind, _ in each) for each in rights) and any(
            str(provider) not in mine for provider in request.providers or ()
        )


def grant_of(records: Mapping[str, Any], user: str, now: datetime = NOW) -> Grant:
    """A grant, as the authoriser would make it."""
    directory = build_directory(records, version="1")
    return decide(directory, user, now, authority=Authority())


def ask(
    grant: Grant, request: Request, type: ColumnType = INTEGER, now: datetime = NOW
) -> Narrowed:
    """One request under a grant."""
    return narrow(
        grant,
        datasource=request.datasource,
        practice_type=type if request.has_practice else None,
        provider_type=type if request.has_provider else None,
        organization=request.organization,
        practices=request.practices,
        providers=request.providers,
        purpose=request.purpose,
        now=now,
    )


def outcome_of(
    grant: Grant | None, request: Request, rows: Sequence[Row], type: ColumnType = INTEGER
) -> Outcome:
    """What warmcube gives: rows, or the type of its error. None: the user was denied a grant."""
    if grant is None:
        return AccessDenied
    try:
        scope = ask(grant, request, type).scope
    except (AccessDenied, UnknownDatasource, MissingRole, InvalidFilter) as error:
        return type_of(error)
    return frozenset(row for row in rows if scope.allows(*row))


def type_of(error: Exception) -> type[Exception]:
    """The type of an error."""
    return error.__class__
