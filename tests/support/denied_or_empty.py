"""Every case of "denied or empty", and what is to become of it by the design's §6.

A case is a user, what is named, and a data source. The users are the product of states and scopes.
What each scope is worth stands here as rows and names that were written down by hand, looking at
the tree below; nothing of `warmcube.access` is used, so that the two can be compared.

::

    root: 107                                  south: 106                 nobody's: 108, NULL
    └── north: 101, 102
        ├── north-east: 103
        ├── vacant
        └── closed (inactive): 104
            └── under: 105
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from warmcube.errors import AccessDenied, MissingRole, UnknownDatasource

__all__ = [
    "DATASOURCES",
    "DEFECTIVE",
    "EVERY_ROW",
    "NOT_CONFIGURED",
    "ORGANIZATIONS",
    "READS_ONLY",
    "ROWS",
    "SCOPES",
    "STATES",
    "Case",
    "Door",
    "Outcome",
    "Refusal",
    "Scope",
    "cases",
    "expected",
    "expected_export",
    "refusal_of",
    "user_named",
]


class Refusal(Enum):
    """How a case may be refused."""

    DENIED = "access denied"
    UNKNOWN = "unknown data source"
    MISSING = "missing role"


Outcome = frozenset[int] | Refusal
"""The numbers of the rows that are answered, or how it is refused; no rows is an empty grant."""

# --- the rows -------------------------------------------------------------------------------------

PRACTICES: Final = (None, 101, 102, 103, 104, 105, 106, 107, 108)
PROVIDERS: Final = (None, 1, 2, 3)
ROWS: Final = dict(enumerate(itertools.product(PRACTICES, PROVIDERS), 1))
"""Practice and provider of each row, by its number."""
EVERY_ROW: Final = frozenset(ROWS)


def _of(*practices: int, provider: int | None = None) -> frozenset[int]:
    """The rows of some practices, those without a provider too; or those of one provider."""
    return frozenset(
        number
        for number, (p, v) in ROWS.items()
        if p in practices and (provider is None or v == provider)
    )


# --- what each scope is worth ---------------------------------------------------------------------

ORGANIZATIONS: Final[dict[str, dict[str, Any]]] = {
    "root": {"practices": [107]},
    "north": {"parent": "root", "practices": [101, 102]},
    "north-east": {"parent": "north", "practices": [103]},
    "vacant": {"parent": "north", "practices": []},
    "closed": {"parent": "north", "practices": [104], "active": False},
    "under": {"parent": "closed", "practices": [105]},
    "south": {"practices": [106]},
}
BELOW: Final = {
    "root": _of(107, 101, 102, 103),
    "north": _of(101, 102, 103),
    "north-east": _of(103),
    "vacant": frozenset[int](),
    "under": _of(105),
    "south": _of(106),
}
"""The rows that an organization filter leaves; one that isn't here can't be filtered by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One role of a scope.

    Attributes:
        kind: of its permissions: ``all``, ``organization`` or ``own``.
        limit: the organization that the assignment names.
        rows: what it lets see where a table has all columns.
        organizations: what it lets name.
        practices: likewise; None is anything.
    """

    kind: str
    limit: str | None = None
    rows: frozenset[int]
    organizations: frozenset[str]
    practices: frozenset[int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What an active user of this scope has.

    Attributes:
        rights: they unite.
        organizations: the user's own.
        providers: pairs of practice, or None for any, and provider.
    """

    rights: tuple[Right, ...]
    organizations: tuple[str, ...] = ()
    providers: tuple[tuple[int | None, int], ...] = ()


_ALL: Final = Right(kind="all", rows=EVERY_ROW, organizations=frozenset(BELOW), practices=None)
_NORTH: Final = Right(
    kind="organization",
    rows=_of(101, 102, 103),
    organizations=frozenset({"north", "north-east", "vacant"}),
    practices=frozenset({101, 102, 103}),
)
_OWN: Final = replace(_NORTH, kind="own", rows=_of(101, 102, 103, provider=1))

SCOPES: Final = {
    "all": Scope(rights=(_ALL,)),
    "all within north": Scope(rights=(replace(_NORTH, kind="all", limit="north"),)),
    "organization": Scope(rights=(_NORTH,), organizations=("north",)),
    "organization within north-east": Scope(
        rights=(
            Right(
                kind="organization",
                limit="north-east",
                rows=_of(103),
                organizations=frozenset({"north-east"}),
                practices=frozenset({103}),
            ),
        ),
        organizations=("north",),
    ),
    "organization without practices": Scope(
        rights=(
            Right(
                kind="organization",
                rows=frozenset(),
                organizations=frozenset({"vacant"}),
                practices=frozenset(),
            ),
        ),
        organizations=("vacant",),
    ),
    "own": Scope(rights=(_OWN,), organizations=("north",), providers=((None, 1),)),
    # Provider 3 is this user as well, but in a practice that isn't among the organization's.
    "own, bound to practices": Scope(
        rights=(replace(_OWN, rows=_of(101, provider=1)),),
        organizations=("north",),
        providers=((101, 1), (106, 3)),
    ),
    "own without a provider": Scope(
        rights=(replace(_OWN, rows=frozenset()),), organizations=("north",)
    ),
    "organization in north, own in south": Scope(
        rights=(
            replace(_NORTH, limit="north"),
            Right(
                kind="own",
                limit="south",
                rows=_of(106, provider=1),
                organizations=frozenset({"south"}),
                practices=frozenset({106}),
            ),
        ),
        organizations=("north", "south"),
        providers=((None, 1),),
    ),
}

# --- the states of a user -------------------------------------------------------------------------

READS_ONLY: Final = "reads, exports nothing"
DEFECTIVE: Final = "touched by a defect"
STATES: Final = {
    "active": True,
    "expires later": True,
    READS_ONLY: True,
    "unknown": False,
    "inactive": False,
    "expired": False,
    "no right to read": False,
    "exports only": False,
    DEFECTIVE: False,
}
"""Whether a user in this state may read anything."""

# --- the data sources -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Who may know of a data source, and what it has.

    Attributes:
        role: that opens it; None: it is open. Everybody has ``key``, and ``key-here`` in
            north-east only; nobody has ``key-lost``.
        practice: whether it has a practice column.
        provider: whether it has a provider column.
    """

    role: str | None = None
    practice: bool = True
    provider: bool = True


DATASOURCES: Final = {
    1: Door(),
    2: Door(role="key"),
    3: Door(role="key-lost"),
    4: Door(role="key-here"),
    5: Door(practice=False),
    6: Door(provider=False),
    7: Door(practice=False, provider=False),
    8: Door(practice=False, role="key-here"),
    9: Door(provider=False, role="key-here"),
}
NOT_CONFIGURED: Final = 99
_BEHIND: Final = {"key-here": ("north-east", 103)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question. None is no filter, ``()`` is none of them."""

    state: str
    scope: str
    datasource: int
    organization: str | None = None
    practices: tuple[int, ...] | None = None
    providers: tuple[int, ...] | None = None

    @property
    def user(self) -> str:
        return user_named(self.state, self.scope)

    @property
    def names(self) -> dict[str, Any]:
        """What is named, as `Query` and `narrow` take it."""
        return {
            "organization": self.organization,
            "practices": None if self.practices is None else list(self.practices),
            "providers": None if self.providers is None else list(self.providers),
        }


_ORGANIZATIONS_NAMED: Final = (None, *ORGANIZATIONS, "atlantis")
_PRACTICES_NAMED: Final = (None, (), (101,), (103,), (106,), (999,), (101, 106))
_PROVIDERS_NAMED: Final = (None, (), (1,), (3,), (999,))


def cases(state: str, scope: str, datasource: int) -> Iterator[Case]:
    """Everything that may be named."""
    for organization, practices, providers in itertools.product(
        _ORGANIZATIONS_NAMED, _PRACTICES_NAMED, _PROVIDERS_NAMED
    ):
        yield Case(
            state=state,
            scope=scope,
            datasource=datasource,
            organization=organization,
            practices=practices,
            providers=providers,
        )


def user_named(state: str, scope: str) -> str:
    """The user who is in a state and has a scope."""
    return f"{scope}; {state}"


# --- the rule -------------------------------------------------------------------------------------


def expected(case: Case) -> Outcome:
    """What is to become of a case. Each comment is a sentence of the design."""
    door = DATASOURCES.get(case.datasource)
    # Unknown or inactive, touched by a defect, or no read permission in force.
    if not STATES[case.state]:
        return Refusal.DENIED
    # It may list roles; for others it doesn't exist.
    if door is None or door.role == "key-lost":
        return Refusal.UNKNOWN
    # `practice = false` makes it readable by `all` only; `provider = false` denies `own`.
    rights = _counting(SCOPES[case.scope], door)
    if not rights:
        return Refusal.DENIED
    if _needs_what_is_missing(case, door):
        return Refusal.MISSING
    if _names_what_is_outside(case, rights):
        return Refusal.DENIED
    # Everything else that comes to nothing is an empty grant. What a request names only intersects.
    seen = frozenset[int]().union(*(right.rows for right in rights))
    if case.organization is not None:
        seen &= BELOW[case.organization]
    if case.practices is not None:
        seen &= _of(*case.practices)
    if case.providers is not None:
        seen &= frozenset(n for n, (_, provider) in ROWS.items() if provider in case.providers)
    return seen


def _needs_what_is_missing(case: Case, door: Door) -> bool:
    names_practices = case.practices is not None or case.organization is not None
    return (names_practices and not door.practice) or (
        case.providers is not None and not door.provider
    )


def _names_what_is_outside(case: Case, rights: Sequence[Right]) -> bool:
    # The request names a practice or organization outside the user's scope.
    if case.organization is not None and not any(
        case.organization in right.organizations for right in rights
    ):
        return True
    for practice in case.practices or ():
        if not any(right.practices is None or practice in right.practices for right in rights):
            return True
    # Naming a provider is denied only under nothing but `own`, for any but one's own.
    own = {provider for _, provider in SCOPES[case.scope].providers}
    return all(right.kind == "own" for right in rights) and not set(case.providers or ()) <= own


def expected_export(case: Case) -> Outcome:
    """The same for an export: it is a read, and needs the right to export as well.

    Every role here that lets its holder export lets them read the same rows.
    """
    outcome = expected(case)
    if outcome is not Refusal.UNKNOWN and case.state == READS_ONLY:
        return Refusal.DENIED
    return outcome


def refusal_of(error: Exception) -> Refusal:
    """The refusal that an error is; anything else that went wrong is raised again."""
    for kind, refusal in (
        (AccessDenied, Refusal.DENIED),
        (UnknownDatasource, Refusal.UNKNOWN),
        (MissingRole, Refusal.MISSING),
    ):
        if isinstance(error, kind):
            return refusal
    raise error


def _counting(scope: Scope, door: Door) -> list[Right]:
    """What is left of a scope's rights behind a door."""
    found = list(scope.rights)
    behind = _BEHIND.get(door.role or "")
    if behind is not None:
        organization, practice = behind
        found = [
            Right(
                kind=right.kind,
                limit=organization,
                rows=right.rows & _of(practice),
                organizations=right.organizations & {organization},
                practices=frozenset(
                    {practice} if right.practices is None or practice in right.practices else ()
                ),
            )
            for right in found
        ]
    if not door.practice:
        found = [right for right in found if right.kind == "all" and right.limit is None]
    if not door.provider:
        found = [right for right in found if right.kind != "own"]
    return found
