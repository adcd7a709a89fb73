"""From a grant and what a request names to the rows that it may have, or a denial.

A denial never tells whether what was named exists: a practice of another organization and one that
doesn't exist take the same path, cost the same and are denied in the same words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, get_args

from warmcube.access.grant import Grant, require_grant
from warmcube.access.ids import is_text, parse_ids, show
from warmcube.access.reasons import Reason
from warmcube.access.standing import (
    KeyTypes,
    Purpose,
    Standing,
    stand,
    typed_ids,
    unknown_datasource,
)
from warmcube.errors import AccessDenied, InvalidFilter, MissingRole
from warmcube.model.schema import ColumnType, Datasource
from warmcube.model.scope import ALL, Ids, Scope

__all__ = ["Ground", "Narrowed", "narrow", "unknown_datasource"]

_PURPOSES: Final = get_args(Purpose)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a grant is worth to requests that differ by the practices and providers that they name.

    Attributes:
        grant: it counts until its `valid_until`, in streams too.
        datasource: which one is asked.
        types: of its practice and provider columns.
        purpose: to read, to export or to embed.
        standing: what the grant is worth there.
        scope: the rows that may be had where neither practices nor providers are named.
        unusable_practices: see `Narrowed`.
        unusable_providers: likewise.
        lost_organizations: likewise.
    """

    grant: Grant
    datasource: Datasource
    types: KeyTypes
    purpose: Purpose
    standing: Standing
    scope: Scope
    unusable_practices: tuple[str, ...]
    unusable_providers: tuple[str, ...]
    lost_organizations: tuple[str, ...]

    def narrow(self, practices: object, providers: object, now: datetime) -> Narrowed:
        """What `narrow` gives for other practices and providers, and all else the same.

        Raises:
            AccessDenied: as `narrow` does.
            MissingRole: likewise.
            InvalidFilter: likewise.
        """
        require_grant(self.grant, now)
        return self.narrowed(
            _named("practice", practices, self.types.practice),
            _named("provider", providers, self.types.provider),
        )

    def narrowed(self, practices: Ids, providers: Ids) -> Narrowed:
        """The same of ids that have been read."""
        standing, scope = self.standing, self.scope
        if practices is not ALL:
            _check_inside("practice", practices, standing.practices, self.datasource)
        if providers is not ALL:
            _check_inside("provider", providers, standing.providers, self.datasource)
        elif practices is ALL:
            return Narrowed(self, scope)
        return Narrowed(self, scope.intersect(practices, providers))


class Narrowed(NamedTuple):
    """What one request may have.

    Attributes:
        ground: what it would have without the practices and providers that it names.
        scope: the rows, in canonical ids of the data source's types. No boxes: no rows.
    """

    ground: Ground
    scope: Scope

    @property
    def grant(self) -> Grant:
        """Under which grant; it counts until its `valid_until`, in streams too."""
        return self.ground.grant

    @property
    def datasource(self) -> int:
        """Of which data source."""
        return self.ground.datasource.id

    @property
    def purpose(self) -> Purpose:
        """To read, to export or to embed."""
        return self.ground.purpose

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why."""
        return self.ground.standing.reasons

    @property
    def unusable_practices(self) -> tuple[str, ...]:
        """Practices of the directory, among those that would count here, that the practice column
        can't hold; they grant nothing.
        """
        return self.ground.unusable_practices

    @property
    def unusable_providers(self) -> tuple[str, ...]:
        """Likewise."""
        return self.ground.unusable_providers

    @property
    def lost_organizations(self) -> tuple[str, ...]:
        """Organizations that would count here if they had no defect; what they hold is missing
        from the scope.
        """
        return self.ground.lost_organizations

    @property
    def unusable_ids(self) -> tuple[str, ...]:
        """Both, as text to print."""
        return (
            *(f"practice {lost}" for lost in self.unusable_practices),
            *(f"provider {lost}" for lost in self.unusable_providers),
        )


def narrow(  # noqa: PLR0913 - each is a thing that the decision hangs on, and all are named
    grant: Grant,
    *,
    datasource: Datasource,
    practice_type: ColumnType | None,
    provider_type: ColumnType | None,
    organization: str | None = None,
    practices: Sequence[Any] | None = None,
    providers: Sequence[Any] | None = None,
    purpose: Purpose = "read",
    now: datetime,
) -> Narrowed:
    """Intersect a grant with what a request names.

    Args:
        grant: from the authoriser.
        datasource: which one is asked.
        practice_type: of its practice column; None where it has none.
        provider_type: of its provider column; None where it has none.
        organization: only practices of this organization and the active ones below it, whoever
            asks; None is no filter.
        practices: only these; None is no filter, ``[]`` is none of them.
        providers: likewise.
        purpose: an export is limited to what may be exported and read; likewise an embed.
        now: aware.

    Raises:
        UnknownDatasource: the data source's door isn't open to any role in force.
        AccessDenied: the grant is outdated; or no right counts for this data source; or an
            organization or practice outside the user's scope is named, or, under nothing but
            ``own``, a provider that isn't the user's.
        MissingRole: a practice, organization or provider is named, but has no column.
        InvalidFilter: an id can't be read as the column's type.
    """
    require_grant(grant, now)
    types = KeyTypes(practice_type, provider_type)
    _check_call(datasource, types, purpose)
    standing = stand(grant, datasource, types, purpose)
    named_organization = _organization(organization, types)
    named_practices = _named("practice", practices, practice_type)
    named_providers = _named("provider", providers, provider_type)
    # Every name is checked before anything is known to be empty.
    if named_organization is not None and named_organization not in standing.organizations:
        raise _outside("organization", named_organization, datasource)
    scope = Scope(standing.boxes)
    unusable = standing.unusable_practices
    lost_organizations = standing.lost_organizations
    if named_organization is not None:
        below = _below(grant, named_organization, practice_type)
        scope = scope.intersect(below.practices, ALL)
        unusable = below.unusable
        lost_organizations = below.lost
    ground = Ground(
        grant=grant,
        datasource=datasource,
        types=types,
        purpose=purpose,
        standing=standing,
        scope=scope,
        unusable_practices=_in_order(unusable),
        unusable_providers=_in_order(standing.unusable_providers),
        lost_organizations=_in_order(lost_organizations),
    )
    return ground.narrowed(named_practices, named_providers)


def _in_order(ids: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(ids)) if ids else ()


def _check_call(datasource: Datasource, types: KeyTypes, purpose: Purpose) -> None:
    """Catch a mistake of the caller's before it becomes somebody else's rows."""
    roles = datasource.roles
    if (roles.practice is None, roles.provider is None) != (
        types.practice is None,
        types.provider is None,
    ):
        raise ValueError("types are given for exactly the role columns that the data source has")
    if purpose not in _PURPOSES:
        raise ValueError(f"a purpose is one of {', '.join(_PURPOSES)}, not {purpose!r}")


def _organization(named: object, types: KeyTypes) -> str | None:
    if named is None:
        return None
    if types.practice is None:
        raise _missing("practice", "an organization")
    if isinstance(named, str) and named and is_text(named):
        return str.__str__(named)
    raise InvalidFilter(
        f"organization {show(named)} can't be read; write the organization's id as text, "
        "or leave it out for no filter"
    )


def _named(role: Literal["practice", "provider"], ids: object, type: ColumnType | None) -> Ids:
    if ids is None:
        return ALL
    if type is None:
        raise _missing(role, f"{role}s")
    if not isinstance(ids, list | tuple | set | frozenset):
        raise InvalidFilter(
            f"{role}s {show(ids)} can't be read; write a list of ids, [] for none of them, "
            "or leave it out for no filter"
        )
    return parse_ids(ids, type, name=role)


def _missing(role: str, named: str) -> MissingRole:
    return MissingRole(
        f"the data source has no {role} column, so {named} can't be named; leave the filter out"
    )


def _check_inside(role: str, named: frozenset[str], allowed: Ids, datasource: Datasource) -> None:
    if allowed is ALL:
        return
    outside = named - allowed
    if outside:
        raise _outside(role, min(outside), datasource)


def _outside(role: str, named: str, datasource: Datasource) -> AccessDenied:
    return AccessDenied(
        f"{role} {show(named)} is outside what you may read of data source {datasource.id}; "
        "name only your own, or leave the filter out",
        reason=f"{role} outside the scope",
    )


@dataclass(frozen=True, slots=True)
class _Below:
    """What an organization and those below it hold."""

    practices: Ids
    unusable: frozenset[str]
    lost: frozenset[str]


def _below(grant: Grant, organization: str, type: ColumnType | None) -> _Below:
    key = (organization, type)
    if key not in grant.memo:
        directory = grant.directory
        below = directory.subtree([organization])
        practices, unusable = typed_ids(directory.practices_of(below), type)
        grant.memo[key] = _Below(practices, unusable, directory.lost_below(below))
    found: _Below = grant.memo[key]
    return found
