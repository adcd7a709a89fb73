"""Random organizations and users, as ``access.toml`` and for the oracle."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.support.tables_samples import PRACTICES, PROVIDERS
from tests.support.tables_values import ids

from warmcube.model.schema import Kind

__all__ = ["ROLES", "Assignment", "Organization", "People", "Person", "make_people"]

ROLES: Final = {
    "super_admin": ("analytics:read:all", "cache:manage:all"),
    "org_analyst": ("analytics:read:organization", "analytics:export:organization"),
    "provider": ("analytics:read:own",),
    "both": ("analytics:read:own", "analytics:read:organization", "billing:pay:all"),
    "guest": ("billing:pay:all",),
    "exporter": ("analytics:export:all", "directory:read:all"),
    "nothing": (),
}

_ORGANIZATIONS: Final = 14
_USERS: Final = 40
_KINDS: Final = (Kind.INTEGER, Kind.BIGINT, Kind.TEXT, Kind.UUID)
_ODD: Final = ("00101", "+5", " 101", "1e2", "A" * 8 + "-0000" * 3 + "-" + "0" * 12)
"""Ids that only a column of text can hold."""


@dataclass(frozen=True, slots=True)
class Organization:
    """One node; practices as text, whatever their type."""

    id: str
    parent: str | None
    practices: tuple[str, ...]
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Assignment:
    """A role of a user; `expires` is a moment long past or far off, or None."""

    role: str
    organization: str | None = None
    expires: str | None = None

    @property
    def has_expired(self) -> bool:
        return self.expires is not None and self.expires < "2001"


@dataclass(frozen=True, slots=True)
class Person:
    """One user. `providers` are pairs of practice, or None for any, and provider."""

    id: str
    roles: tuple[Assignment, ...] = ()
    organizations: tuple[str, ...] = ()
    providers: tuple[tuple[str | None, str], ...] = ()
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class People:
    """All of them."""

    organizations: tuple[Organization, ...]
    users: tuple[Person, ...]

    def toml(self) -> str:
        """The file ``access.toml``."""
        lines = ["[roles]"]
        lines += [f"{name} = {_list(map(_text, held))}" for name, held in ROLES.items()]
        for organization in self.organizations:
            lines += ["[[organizations]]", f"id = {_text(organization.id)}"]
            if organization.parent is not None:
                lines.append(f"parent = {_text(organization.parent)}")
            lines.append(f"practices = {_list(map(_id, organization.practices))}")
            if not organization.is_active:
                lines.append("active = false")
        for user in self.users:
            lines += ["[[users]]", f"id = {_text(user.id)}"]
            lines.append(f"roles = {_list(map(_assignment, user.roles))}")
            lines.append(f"organizations = {_list(map(_text, user.organizations))}")
            lines += _bindings(user.providers)
            if not user.is_active:
                lines.append("active = false")
        return "\n".join(lines) + "\n"


def make_people(random: Random) -> People:
    """A random tree, and users of every kind in it."""
    organizations = _make_organizations(random)
    names = [organization.id for organization in organizations]
    users = [
        Person("root", (Assignment("super_admin"),)),
        Person("north", (Assignment("org_analyst"),), ("north",), (((None, "5")),)),
        Person("own", (Assignment("provider"),), ("north", "south"), _some_providers(random, 60)),
        Person("nobody", (Assignment("org_analyst"),), ("empty",)),
        Person("lost", (Assignment("provider"),), ("north",)),
        Person("closed", (Assignment("org_analyst"),), ("closed",)),
        Person("orphan", (Assignment("org_analyst"),), ("below",)),
        Person("gone", (Assignment("super_admin"),), is_active=False),
        Person("expired", (Assignment("super_admin", None, "2000-01-01T00:00:00Z"),)),
        Person("exporter", (Assignment("exporter"),), ("north",)),
        Person("guest", (Assignment("guest"), Assignment("org_analyst", "south")), ("south",)),
        Person("roleless", (), ("north",), ((None, "5"),)),
        Person(
            "split",
            (Assignment("org_analyst", "north"), Assignment("provider", "south")),
            ("north", "south"),
            _some_providers(random, 20),
        ),
        Person("regional", (Assignment("super_admin", "south"),)),
        Person("stranger", (Assignment("org_analyst", "south"),), ("north",)),
    ]
    users += [_make_user(random, f"user {number}", names) for number in range(len(users), _USERS)]
    return People(tuple(organizations), tuple(users))


def _make_organizations(random: Random) -> list[Organization]:
    """A few that are always there, and more below them; practices in every type."""
    by_kind = [ids("practice", kind, PRACTICES) for kind in _KINDS]
    shares = [[text for text in column if text] for column in zip(*by_kind, strict=True)]
    random.shuffle(shares)

    def practices(count: int) -> tuple[str, ...]:
        found = [text for share in random.sample(shares, count) for text in share]
        if random.random() < 0.3:
            found.append(random.choice(_ODD))
        return tuple(dict.fromkeys(found))

    made = [
        Organization("root", None, practices(1)),
        Organization("north", "root", practices(3)),
        Organization("south", "root", practices(2)),
        Organization("empty", "north", ()),
        Organization("closed", "south", practices(2), is_active=False),
        Organization("below", "closed", practices(2)),
        Organization('"odd": {name}\n', "below", practices(1)),
    ]
    while len(made) < _ORGANIZATIONS:
        parent = random.choice([None, *(organization.id for organization in made)])
        is_active = random.random() < 0.85
        made.append(
            Organization(f"org {len(made)}", parent, practices(random.randint(0, 2)), is_active)
        )
    random.shuffle(made)
    return made


def _some_providers(random: Random, most: int) -> tuple[tuple[str | None, str], ...]:
    found: dict[tuple[str | None, str], None] = {}
    for _ in range(random.randint(1, most)):
        kind = random.choice(_KINDS)
        provider = random.choice(ids("provider", kind, PROVIDERS))
        kind = random.choice([kind] * 9 + [Kind.TEXT])
        practice = random.choice(ids("practice", kind, PRACTICES))
        is_bound = random.random() < 0.4 and practice
        if provider:
            found[practice if is_bound else None, provider] = None
    return tuple(found)


def _make_user(random: Random, name: str, organizations: Sequence[str]) -> Person:
    roles: dict[tuple[str, str | None], Assignment] = {}
    for _ in range(random.choice([0, 1, 1, 1, 2, 2, 3])):
        role = random.choice(
            ["super_admin", "org_analyst", "org_analyst", "provider", "provider", "both", *ROLES]
        )
        where = random.choice(organizations) if random.random() < 0.4 else None
        if role == "super_admin" and random.random() < 0.7:
            where = random.choice(organizations)
        expires = random.choice(["2000-01-01T00:00:00Z", *["2999-01-01T00:00:00Z", None, None] * 3])
        roles[role, where] = Assignment(role, where, expires)
    return Person(
        name,
        tuple(roles.values()),
        tuple(random.sample(organizations, random.choice([0, 1, 1, 2, 3]))),
        _some_providers(random, 50) if random.random() < 0.8 else (),
        random.random() < 0.96,
    )


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _id(text: str) -> str:
    """An integer where it prints the same, so that both forms are in the file."""
    is_integer = text.lstrip("-").isascii() and text.lstrip("-").isdigit()
    return text if is_integer and str(int(text)) == text else _text(text)


def _list(items: Iterable[str]) -> str:
    return f"[{', '.join(items)}]"


def _assignment(held: Assignment) -> str:
    if held.organization is None and held.expires is None:
        return _text(held.role)
    fields = [f"role = {_text(held.role)}"]
    if held.organization is not None:
        fields.append(f"organization = {_text(held.organization)}")
    if held.expires is not None:
        fields.append(f"expires = {held.expires}")
    return f"{{{', '.join(fields)}}}"


def _bindings(providers: Sequence[tuple[str | None, str]]) -> list[str]:
    if not providers:
        return []
    if len(providers) == 1 and providers[0][0] is None:
        return [f"provider = {_id(providers[0][1])}"]
    bound = [
        f"provider = {_id(provider)}"
        if practice is None
        else f"practice = {_id(practice)}, provider = {_id(provider)}"
        for practice, provider in providers
    ]
    return [f"providers = {_list(f'{{{fields}}}' for fields in bound)}"]
