"""That the comparison with row-level security would find what it is there to find.

Each test breaks one thing that the isolation of users hangs on, as a mistake would, and the trial
has to report it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

import pytest
from tests.support.rls_trial import DirectoryKind, Place, open_trial

from warmcube.access import decide, narrow, standing
from warmcube.access.directory import Directory, ProviderBinding, User
from warmcube.access.grant import Grant, HeldRole
from warmcube.directory import authoriser
from warmcube.fallback.database import DatabaseRead
from warmcube.model.columns import Table
from warmcube.model.scope import ALL, Box, Scope
from warmcube.query import finder
from warmcube.query.entries import Entries
from warmcube.query.known import Sets, choose
from warmcube.query.plan import LookupPlan

pytestmark = pytest.mark.no_cover  # repeats for long what other tests cover

Break: TypeAlias = Callable[[pytest.MonkeyPatch], None]

WORLDS: Final = 10
CASES: Final = 200


def _an_empty_list_is_no_filter(patch: pytest.MonkeyPatch) -> None:
    named = narrow._named
    patch.setattr(narrow, "_named", lambda role, ids, kind: named(role, ids or None, kind))


def _names_outside_arent_refused(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(narrow, "_check_inside", lambda *_: None)


def _an_organization_is_no_filter(patch: pytest.MonkeyPatch) -> None:
    below = narrow._below
    patch.setattr(narrow, "_below", lambda *given: replace(below(*given), practices=ALL))


def _own_without_a_provider_is_all(patch: pytest.MonkeyPatch) -> None:
    own = decide._own_boxes

    def boxes(user: User, practices: frozenset[str]) -> tuple[Box, ...]:
        return own(user, practices) if user.providers else (Box(practices, ALL),)

    patch.setattr(decide, "_own_boxes", boxes)


def _providers_are_bound_to_nothing(patch: pytest.MonkeyPatch) -> None:
    own = decide._own_boxes

    def boxes(user: User, practices: frozenset[str]) -> tuple[Box, ...]:
        bare = tuple(ProviderBinding(None, each.provider) for each in user.providers)
        return own(replace(user, providers=bare), practices)

    patch.setattr(decide, "_own_boxes", boxes)


def _roles_hold_everywhere(patch: pytest.MonkeyPatch) -> None:
    hold = decide._hold

    def everywhere(*given: Any) -> HeldRole:
        return replace(hold(*given), organizations=ALL)

    patch.setattr(decide, "_hold", everywhere)


def _roles_never_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("warmcube.access.record.Record.moment", lambda *_: None)


def _inactive_organizations_are_walked_through(patch: pytest.MonkeyPatch) -> None:
    def subtree(directory: Directory, organizations: Iterable[str]) -> frozenset[str]:
        found = set(organizations)
        for _ in directory.organizations:
            found |= {each.id for each in directory.organizations.values() if each.parent in found}
        return frozenset(found)

    patch.setattr(Directory, "subtree", subtree)


def _only_roots_count(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        Directory,
        "subtree",
        lambda directory, named: frozenset(named) & directory.active_organizations,
    )


def _doors_are_open(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(standing, "_inside", lambda *_: ALL)


def _rights_dont_unite(patch: pytest.MonkeyPatch) -> None:
    effective = standing._effective
    patch.setattr(standing, "_effective", lambda *given: effective(*given)[:1])


def _grants_outlive_the_directory(patch: pytest.MonkeyPatch) -> None:
    async def renew(_: object, grant: Grant) -> Grant:
        return grant

    patch.setattr(authoriser.Authoriser, "renew", renew)


def _members_outside_are_fetched(patch: pytest.MonkeyPatch) -> None:
    def all_of_them(looked_up: LookupPlan, sets: Sets) -> Sequence[Entries]:
        return choose(replace(looked_up, scope=Scope((Box(ALL, ALL),))), sets)

    patch.setattr(finder, "choose", all_of_them)


def _a_missing_practice_is_anybodys(patch: pytest.MonkeyPatch) -> None:
    allows = Box.allows

    def too_much(box: Box, practice: str | None, provider: str | None) -> bool:
        return practice is None or allows(box, practice, provider)

    patch.setattr(Box, "allows", too_much)


def _the_database_gives_everything(patch: pytest.MonkeyPatch) -> None:
    fetch = DatabaseRead.fetch

    async def all_of_it(read: DatabaseRead, partition: Any, _: Scope, columns: Any) -> Table:
        return await fetch(read, partition, Scope((Box(ALL, ALL),)), columns)

    patch.setattr(DatabaseRead, "fetch", all_of_it)


BREAKS: Final[tuple[Break, ...]] = (
    _an_empty_list_is_no_filter,
    _names_outside_arent_refused,
    _an_organization_is_no_filter,
    _own_without_a_provider_is_all,
    _providers_are_bound_to_nothing,
    _roles_hold_everywhere,
    _roles_never_end,
    _inactive_organizations_are_walked_through,
    _only_roots_count,
    _doors_are_open,
    _rights_dont_unite,
    _grants_outlive_the_directory,
    _members_outside_are_fetched,
    _a_missing_practice_is_anybodys,
    _the_database_gives_everything,
)


@pytest.mark.parametrize("damage", BREAKS, ids=lambda damage: damage.__name__.strip("_"))
async def test_the_trial_finds(
    damage: Break, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in one place is reported as a difference, within a few hundred cases."""
    damage(monkeypatch)
    tally: Counter[str] = Counter()
    kinds: tuple[DirectoryKind, ...] = ("file", "database")
    for number in range(WORLDS):
        seed, kind = f"damage {number}", kinds[number % 2]
        async with open_trial(place, "mixed", seed, kind, tally) as trial:
            await trial.run(CASES)
        if trial.wrong:
            return
    pytest.fail(f"no difference was found: {tally}")
