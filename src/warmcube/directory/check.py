"""What is wrong with a directory, and what is odd about it beside the data. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from warmcube.access.directory import Directory, User
from warmcube.access.ids import holds, show
from warmcube.access.permissions import ScopeKind
from warmcube.access.survey import Survey
from warmcube.model.schema import ColumnType, Datasource

__all__ = ["DatasourceKeys", "Finding", "check_directory"]

_NAMED: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasourceKeys:
    """Which practices and providers occur in a data source.

    Attributes:
        practice_type: of the practice column; None where there is none.
        provider_type: of the provider column, likewise.
        pairs: each practice with each of its providers, as canonical text; None is NULL.
    """

    practice_type: ColumnType | None
    provider_type: ColumnType | None
    pairs: frozenset[tuple[str | None, str | None]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        place: where.
        problem: what, and what to do.
        is_defect: whether it keeps somebody out; otherwise it may be meant so.
    """

    place: str
    problem: str
    is_defect: bool = False


def check_directory(
    found: Survey, datasources: Sequence[Datasource], keys: Mapping[int, DatasourceKeys]
) -> list[Finding]:
    """Everything that is wrong, and everything that is odd.

    Args:
        found: the directory, with its defects.
        datasources: the configured ones.
        keys: what occurs in those whose data could be read, by id.
    """
    findings = [Finding(each.place, _of(each.problem, each.user), True) for each in found.defects]
    if found.directory is None:
        return findings
    directory = found.directory
    findings += _odd_users(directory)
    findings += _odd_doors(directory, datasources)
    for datasource in datasources:
        if datasource.id in keys:
            findings += _beside_data(directory, datasource, keys[datasource.id])
    return findings


def _of(problem: str, user: str | None) -> str:
    return problem if user is None else f"{problem} (denies user {user!r})"


def _odd_users(directory: Directory) -> Iterator[Finding]:
    used = {held.role for user in directory.users.values() for held in user.roles}
    for role in directory.roles.keys() - used:
        yield Finding(f"roles[{role!r}]", "nobody has this role")
    for user in directory.users.values():
        place = f"users[{user.id!r}]"
        scopes = {
            permission.scope
            for held in user.roles
            for permission in directory.roles.get(held.role, ())
            if permission.has_rows
        }
        if not scopes:
            yield Finding(place, "has no role that lets them read anything, and is denied")
        elif scopes != {ScopeKind.ALL} and not directory.subtree(user.organizations):
            yield Finding(
                place,
                "belongs to no active organization, so that some of their rights reach nothing",
            )
        if scopes == {ScopeKind.OWN} and not user.providers:
            yield Finding(place, "may read only their own rows, and is no provider: sees nothing")
        home = directory.practices_of(directory.subtree(user.organizations))
        outside = {each.practice for each in user.providers if each.practice is not None} - home
        if outside and ScopeKind.OWN in scopes:
            yield Finding(
                place,
                f"is a provider in {_listed('practice', outside)}, outside their organizations",
            )


def _odd_doors(directory: Directory, datasources: Sequence[Datasource]) -> Iterator[Finding]:
    for datasource in datasources:
        unknown = (datasource.door or frozenset()) - directory.roles.keys()
        if unknown:
            yield Finding(
                f"data source {datasource.id}",
                f"lists {_listed('role', unknown)} in its roles, which the directory doesn't have",
            )


def _beside_data(
    directory: Directory, datasource: Datasource, keys: DatasourceKeys
) -> Iterator[Finding]:
    if keys.practice_type is None:
        return
    place = f"data source {datasource.id}"
    present = {practice for practice, _ in keys.pairs if practice is not None}
    every = directory.practices_of(directory.organizations)
    active = directory.practices_of(directory.active_organizations)
    if nowhere := present - active:
        yield Finding(
            place,
            f"has rows of {_listed('practice', nowhere)} in no active organization: only those who "
            "read everything see them",
        )
    unusable = {each for each in every if not holds(each, keys.practice_type)}
    if unusable:
        yield Finding(
            place,
            f"can't hold {_listed('practice', unusable)} of the directory in its practice column, "
            f"which is {keys.practice_type}: they grant nothing there",
        )
    if absent := every - unusable - present:
        yield Finding(place, f"has no rows of {_listed('practice', absent)} of the directory")
    if keys.provider_type is not None:
        yield from _odd_providers(directory, place, keys)


def _odd_providers(directory: Directory, place: str, keys: DatasourceKeys) -> Iterator[Finding]:
    """Ids that are said to be one person everywhere, and occur in several practices."""
    practices_of: dict[str, set[str]] = {}
    for practice, provider in keys.pairs:
        if practice is not None and provider is not None:
            practices_of.setdefault(provider, set()).add(practice)
    for user in directory.users.values():
        for provider in {each.provider: None for each in user.providers}:
            if keys.provider_type is not None and not holds(provider, keys.provider_type):
                yield Finding(
                    f"users[{user.id!r}]",
                    f"is provider {show(provider)}, which the provider column of {place} can't "
                    f"hold ({keys.provider_type}): it grants nothing there",
                )
        for provider in _bare(user):
            home = directory.practices_of(directory.subtree(user.organizations))
            there = practices_of.get(provider, set()) & home
            if len(there) > 1:
                yield Finding(
                    f"users[{user.id!r}]",
                    f"is provider {show(provider)} in whatever practice; {place} has that id in "
                    f"{_listed('practice', there)}: if these are different people, bind it to one "
                    "with {practice = …, provider = …}",
                )


def _bare(user: User) -> list[str]:
    return [each.provider for each in user.providers if each.practice is None]


def _listed(noun: str, ids: Iterable[str]) -> str:
    named = sorted(ids)
    shown = ", ".join(show(each)[1:-1] for each in named[:_NAMED])
    more = f" and {len(named) - _NAMED:,} more" if len(named) > _NAMED else ""
    return f"{noun}{'s' * (len(named) > 1)} {shown}{more}"
