"""Which users a proof asks as, where there are too many for all."""

from __future__ import annotations

import random
from collections.abc import Sequence

from warmcube.prove.records import Person, Records

__all__ = ["choose_users"]


def choose_users(records: Records, most: int, random: random.Random) -> Sequence[str]:
    """At most so many users, of every sort of rights as long as that goes, in the order of ids."""
    sorts: dict[object, list[str]] = {}
    for user in random.sample(sorted(records.people), len(records.people)):
        sorts.setdefault(_sort(records.people[user]), []).append(user)
    chosen: list[str] = []
    while len(chosen) < min(most, len(records.people)):
        for users in sorts.values():
            if users and len(chosen) < most:
                chosen.append(users.pop())
    return sorted(chosen)


def _sort(person: Person) -> object:
    """What makes the rights of two users alike, whatever organizations they are in."""
    return (
        person.is_active,
        tuple(
            sorted(
                (held.role, held.organization is None, held.ends is None) for held in person.roles
            )
        ),
        min(2, len(person.organizations)),
        min(2, len(person.providers)),
        any(practice is not None for practice, _ in person.providers),
    )
