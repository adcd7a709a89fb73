"""What each user may see, as SQL text: brute force over the tree, from the design's words.

Nothing here is taken from `warmcube.access`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tests.support.generate_people import ROLES, Assignment, People, Person
from tests.support.tables import Sample, quoted

from warmcube.model.request import Query

__all__ = ["Nameable", "Refusal", "Verdict", "judge", "literal", "nameable", "some_of"]


class Refusal(Enum):
    """How a query may be refused."""

    DENIED = "AccessDenied"
    UNKNOWN = "UnknownDatasource"
    MISSING = "MissingRole"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Refused in one of some ways, or the SQL condition of the rows to see."""

    refusals: frozenset[Refusal] = frozenset()
    condition: str = "false"


@dataclass(frozen=True, slots=True)
class Nameable:
    """What may be named; None is anything."""

    organizations: frozenset[str]
    practices: frozenset[str] | None
    providers: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class _Right:
    """One permission to read. None as practices or organizations is every one."""

    organizations: frozenset[str] | None
    practices: frozenset[str] | None
    condition: str
    is_own: bool


def judge(people: People, person: Person, sample: Sample, query: Query) -> Verdict:
    """What is to become of a query."""
    if not person.is_active or not _may_read(person):
        return Verdict(frozenset({Refusal.DENIED}))
    door = _door(people, person, sample)
    if door is not None and not door:
        return Verdict(frozenset({Refusal.UNKNOWN}))
    rights = _rights(people, person, sample, door)
    if not rights:
        return Verdict(frozenset({Refusal.DENIED}))
    refusals = set()
    if _needs_what_is_missing(sample, query):
        refusals.add(Refusal.MISSING)
    if _names_what_is_outside(nameable(people, person, sample), query):
        refusals.add(Refusal.DENIED)
    if refusals:
        return Verdict(frozenset(refusals))
    seen = " OR ".join(f"({right.condition})" for right in rights)
    named = ["true"]
    if query.organization is not None:
        named.append(some_of(sample.roles.practice, _practices(people, [query.organization])))
    if query.practices is not None:
        named.append(some_of(sample.roles.practice, map(str, query.practices)))
    if query.providers is not None:
        named.append(some_of(sample.roles.provider, map(str, query.providers)))
    return Verdict(condition=f"({seen}) AND {' AND '.join(named)}")


def nameable(people: People, person: Person, sample: Sample) -> Nameable:
    """What a query of this user may name without being refused."""
    door = _door(people, person, sample)
    rights = _rights(people, person, sample, door) if person.is_active else []
    active = frozenset(each.id for each in people.organizations if each.is_active)
    organizations = frozenset[str]()
    for right in rights:
        organizations |= active if right.organizations is None else right.organizations
    is_unlimited = any(right.practices is None for right in rights)
    practices = frozenset(practice for right in rights for practice in right.practices or ())
    is_own = all(right.is_own for right in rights)
    return Nameable(
        organizations,
        None if is_unlimited else practices,
        frozenset(provider for _, provider in person.providers) if is_own else None,
    )


def literal(text: str) -> str:
    """An SQL string."""
    return "'" + text.replace("'", "''") + "'"


def some_of(column: str | None, ids: Iterable[str]) -> str:
    """That a column has one of these values; compared as text."""
    listed = ", ".join(literal(text) for text in sorted(set(ids)))
    return f"{quoted(str(column))}::text IN ({listed})" if listed else "false"


def _in_force(person: Person) -> list[Assignment]:
    return [held for held in person.roles if not held.has_expired]


def _may_read(person: Person) -> bool:
    return any(
        permission.startswith("analytics:read:")
        for held in _in_force(person)
        for permission in ROLES[held.role]
    )


def _subtree(people: People, roots: Iterable[str]) -> frozenset[str]:
    """The active organizations among the roots, and below them through active ones only."""
    known = {organization.id: organization for organization in people.organizations}
    wanted, found = set(roots), set()
    for name in known:
        at: str | None = name
        while at is not None and known[at].is_active:
            if at in wanted:
                found.add(name)
                break
            at = known[at].parent
    return frozenset(found)


def _practices(people: People, roots: Iterable[str]) -> frozenset[str]:
    return _held_by(people, _subtree(people, roots))


def _held_by(people: People, names: frozenset[str]) -> frozenset[str]:
    return frozenset(
        practice
        for organization in people.organizations
        if organization.id in names
        for practice in organization.practices
    )


def _door(people: People, person: Person, sample: Sample) -> frozenset[str] | None:
    """The organizations for which the data source exists; None for all."""
    if sample.door is None:
        return None
    keys = [held.organization for held in _in_force(person) if held.role in sample.door]
    if None in keys:
        return None
    return _subtree(people, {key for key in keys if key is not None})


def _rights(
    people: People, person: Person, sample: Sample, door: frozenset[str] | None
) -> list[_Right]:
    rights = []
    for held in _in_force(person):
        for permission in ROLES[held.role]:
            if not permission.startswith("analytics:read:"):
                continue
            kind = permission.rpartition(":")[2]
            if kind == "own" and sample.roles.provider is None:
                continue
            right = _right(people, person, sample, kind, held.organization, door)
            if sample.roles.practice is None and right.practices is not None:
                continue
            rights.append(right)
    return rights


def _right(
    people: People,
    person: Person,
    sample: Sample,
    kind: str,
    bound: str | None,
    door: frozenset[str] | None,
) -> _Right:
    places = []
    if kind != "all":
        places.append(_subtree(people, person.organizations))
    if bound is not None:
        places.append(_subtree(people, {bound}))
    if not places and door is None:
        return _Right(None, None, "true", is_own=False)
    inside = frozenset.intersection(*places) if places else None
    practices = None if inside is None else _held_by(people, inside)
    if door is not None:
        inside = door if inside is None else inside & door
        opened = _held_by(people, door)
        practices = opened if practices is None else practices & opened
    assert inside is not None
    assert practices is not None
    practice = sample.roles.practice
    if kind != "own":
        return _Right(inside, practices, some_of(practice, practices), is_own=False)
    pairs = []
    for place in sorted(practices):
        own = [each for where, each in person.providers if where is None or where == place]
        pairs.append(f"({some_of(practice, [place])} AND {some_of(sample.roles.provider, own)})")
    return _Right(inside, practices, " OR ".join(pairs) or "false", is_own=True)


def _needs_what_is_missing(sample: Sample, query: Query) -> bool:
    roles = sample.roles
    names_practices = query.practices is not None or query.organization is not None
    return (
        (names_practices and roles.practice is None)
        or (query.providers is not None and roles.provider is None)
        or ((query.start is not None or query.end is not None) and roles.date is None)
        or (query.measure is not None and roles.measure is None)
        or (query.frequency is not None and roles.frequency is None)
        or (query.aggregate not in (None, "count") and roles.value is None)
    )


def _names_what_is_outside(allowed: Nameable, query: Query) -> bool:
    named, practices, providers = query.organization, query.practices, query.providers
    return (
        (named is not None and named not in allowed.organizations)
        or _is_outside(practices, allowed.practices)
        or _is_outside(providers, allowed.providers)
    )


def _is_outside(named: Sequence[Any] | None, allowed: frozenset[str] | None) -> bool:
    return named is not None and allowed is not None and not set(map(str, named)) <= allowed
