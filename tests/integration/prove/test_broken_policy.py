"""Whichever part of the policy is broken by hand, the isolation kit finds it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

import pytest

import warmcube.access.decide
import warmcube.access.directory
import warmcube.access.narrow
import warmcube.access.standing
import warmcube.directory.authoriser
import warmcube.query.read
import warmcube.source.slice
from warmcube import AnalyticsCache
from warmcube.access.decide import decide
from warmcube.access.narrow import narrow
from warmcube.access.reach import EVERYTHING
from warmcube.cli.prove import exit_status
from warmcube.entry.codec import decode_ids
from warmcube.errors import AccessDenied
from warmcube.model.columns import Table
from warmcube.model.scope import ALL, Box, Scope
from warmcube.prove.report import Report
from warmcube.query.entries import Entries
from warmcube.query.known import choose
from warmcube.query.plan import LookupPlan, plan_lookup
from warmcube.query.result import Meta

pytestmark = pytest.mark.no_cover  # repeats for long what other tests cover

Prove: TypeAlias = Callable[..., Awaitable[Report]]
Patch: TypeAlias = pytest.MonkeyPatch


def everybody_sees_everything(patch: Patch) -> None:
    """Every right is the right to everything."""
    patch.setattr(warmcube.access.decide, "_reach", lambda *_: EVERYTHING)


def own_is_the_organization(patch: Patch) -> None:
    """Rivals, line 2: `own` shows the whole organization."""
    patch.setattr(warmcube.access.decide, "_own_boxes", lambda _, practices: (Box(practices, ALL),))


def bindings_are_ignored(patch: Patch) -> None:
    """A provider bound to one practice is taken for the same person everywhere."""
    patch.setattr(
        warmcube.access.decide,
        "_own_boxes",
        lambda user, practices: (
            Box(practices, frozenset(each.provider for each in user.providers)),
        ),
    )


def limits_of_roles_are_ignored(patch: Patch) -> None:
    """A role that is held for one organization holds everywhere."""
    before = warmcube.access.decide._hold
    patch.setattr(
        warmcube.access.decide,
        "_hold",
        lambda directory, each: before(directory, replace(each, organization=None)),
    )


def roles_never_end(patch: Patch) -> None:
    """An assignment that has expired counts."""

    def decide_earlier(directory: Any, user: Any, now: datetime, **more: Any) -> Any:
        grant = decide(directory, user, datetime(2019, 1, 1, tzinfo=UTC), **more)
        object.__setattr__(grant, "decided_at", now)
        object.__setattr__(grant, "valid_until", now + more["lifetime"])
        return grant

    patch.setattr("warmcube.directory.authoriser.decide", decide_earlier)


def inactive_organizations_are_walked(patch: Patch) -> None:
    """What is inactive grants, and leads to what is below it."""

    def subtree(self: Any, organizations: Iterable[str]) -> frozenset[str]:
        found = set(organizations)
        while True:
            below = {
                name for name, each in self.organizations.items() if each.parent in found
            } - found
            if not below:
                return frozenset(found)
            found |= below

    patch.setattr(warmcube.access.directory.Directory, "subtree", subtree)


def the_door_is_open(patch: Patch) -> None:
    """The roles of a data source are ignored."""
    patch.setattr(warmcube.access.standing, "_inside", lambda *_: ALL)


def names_are_not_checked(patch: Patch) -> None:
    """Practices and providers of others are an empty answer, not a denial."""
    patch.setattr(warmcube.access.narrow, "_check_inside", lambda *_: None)


def filters_are_dropped(patch: Patch) -> None:
    """Rivals, line 3: what a request names is not applied."""
    patch.setattr(Scope, "intersect", lambda scope, *_: scope)


def an_empty_list_is_no_filter(patch: Patch) -> None:
    """Rivals, line 1: `[]` is everything."""
    before = warmcube.access.narrow._named
    patch.setattr(
        warmcube.access.narrow,
        "_named",
        lambda role, ids, of_column: before(role, ids or None, of_column),
    )


def the_super_admins_organization_is_dropped(patch: Patch) -> None:
    """The bug that all this began with."""

    def drop(grant: Any, **more: Any) -> Any:
        if any(right.reach.is_everything for right in grant.rights):
            more["organization"] = None
        return narrow(grant, **more)

    patch.setattr("warmcube.query.judge.narrow", drop)


def ids_are_guessed(patch: Patch) -> None:
    """An id of another type is read as though it were text."""
    patch.setattr(
        warmcube.access.narrow,
        "parse_ids",
        lambda values, *_, **__: frozenset(str(value).strip() for value in values),
    )


def denials_tell_what_exists(patch: Patch) -> None:
    """A practice of others is denied in other words than one that there isn't."""
    before = warmcube.access.narrow._outside

    def outside(role: str, named: str, datasource: Any) -> AccessDenied:
        denied = before(role, named, datasource)
        known = ("n1", "n2", "n:3", "s1", "free", "%7E")
        return AccessDenied(f"{denied} (it isn't yours)") if named in known else denied

    patch.setattr(warmcube.access.narrow, "_outside", outside)


def grants_of_others_count(patch: Patch) -> None:
    """Whoever made a grant, it is taken."""
    patch.setattr(warmcube.directory.authoriser.Authoriser, "_require_ours", lambda _, grant: grant)


def the_scope_allows_all(patch: Patch) -> None:
    """Members of index sets aren't held against the scope."""
    patch.setattr(Scope, "allows", lambda *_: True)


def whole_partitions_are_read(patch: Patch) -> None:
    """The lookup reads everything, whoever asks."""
    whole = LookupPlan(Scope((Box(ALL, ALL),)), whole=True)
    patch.setattr("warmcube.query.finder.plan_lookup", lambda *_: whole)


def everything_is_fetched_and_filtered_later(patch: Patch) -> None:
    """Rivals, line 4: the answer is right, but rows of others were fetched for it."""
    patch.setattr(
        "warmcube.query.giving.Meta", lambda **fields: Meta(**(fields | {"rows_fetched": 281_060}))
    )


def ids_are_exchanged(patch: Patch) -> None:
    """Rows of others appear under an id of one's own."""

    def plan(_: Scope, partition: Any) -> LookupPlan:
        return plan_lookup(Scope((Box(ALL, ALL),)), partition)

    patch.setattr("warmcube.query.finder.plan_lookup", plan)

    def decode(ids: Any, rows_of: Any, of_column: Any) -> Any:
        if any(each == "n1" for each in ids):
            ids = ["n1"] * len(ids)
        return decode_ids(ids, rows_of, of_column)

    patch.setattr("warmcube.query.read.decode_ids", decode)


def values_are_swapped(patch: Patch) -> None:
    """The reader gives the values in another order."""
    before = warmcube.query.read.decode

    def decode(*arguments: Any) -> Table:
        table = before(*arguments)
        columns = {
            name: replace(column, values=column.values[::-1]) if name == "note" else column
            for name, column in table.columns.items()
        }
        return Table(columns, table.rows)

    patch.setattr(warmcube.query.read, "decode", decode)


def values_are_of_everybody(patch: Patch) -> None:
    """Rivals, line 6: the values of a column are shown without regard to the user."""

    async def values(self: Any, datasource: int, column: str, grant: Any, **more: Any) -> Any:
        root = await self.authorize("root")
        return await before(self, datasource, column, root if datasource == 1 else grant, **more)

    before = AnalyticsCache.values
    patch.setattr(AnalyticsCache, "values", values)


def measures_are_of_everybody(patch: Patch) -> None:
    """The list of measures has those of which a user has no row."""

    async def measures(self: Any, datasource: int, grant: Any) -> Any:
        root = await self.authorize("root")
        return await before(self, datasource, root if datasource == 1 else grant)

    before = AnalyticsCache.measures
    patch.setattr(AnalyticsCache, "measures", measures)


def entries_are_lost(patch: Patch) -> None:
    """One entry of many is left out."""

    def lose(*arguments: Any) -> Sequence[Entries]:
        found = choose(*arguments)
        return [each.part(1, len(each.keys)) for each in found[:1]] + list(found[1:])

    patch.setattr("warmcube.query.finder.choose", lose)


def nobody_may_anything(patch: Patch) -> None:
    """Every request is denied, which is safe and of no use."""

    def deny(*_: Any, **__: Any) -> Any:
        raise AccessDenied("no")

    patch.setattr("warmcube.query.judge.narrow", deny)


def the_data_source_is_denied(patch: Patch) -> None:
    """A data source that shall not exist for somebody is denied to them instead."""

    def unknown(datasource: object) -> Exception:
        return AccessDenied(f"you may not read data source {datasource}")

    patch.setattr(warmcube.access.standing, "unknown_datasource", unknown)


def the_database_takes_no_scope(patch: Patch) -> None:
    """The fallback's SQL has no condition on practices and providers."""
    patch.setattr(warmcube.source.slice, "_inside", lambda *_: "TRUE")


@dataclass(frozen=True)
class Broken:
    """A way to break it, and what is found then."""

    how: Callable[[Patch], None]
    kind: str
    is_database: bool = False

    def __str__(self) -> str:
        return self.how.__name__


BROKEN = [
    Broken(everybody_sees_everything, "leaks"),
    Broken(own_is_the_organization, "leaks"),
    Broken(bindings_are_ignored, "leaks"),
    Broken(limits_of_roles_are_ignored, "leaks"),
    Broken(roles_never_end, "leaks"),
    Broken(inactive_organizations_are_walked, "leaks"),
    Broken(the_door_is_open, "leaks"),
    Broken(names_are_not_checked, "leaks"),
    Broken(filters_are_dropped, "leaks"),
    Broken(an_empty_list_is_no_filter, "leaks"),
    Broken(the_super_admins_organization_is_dropped, "leaks"),
    Broken(ids_are_guessed, "differences"),
    Broken(denials_tell_what_exists, "leaks"),
    Broken(grants_of_others_count, "leaks"),
    Broken(the_scope_allows_all, "leaks"),
    Broken(whole_partitions_are_read, "leaks"),
    Broken(everything_is_fetched_and_filtered_later, "leaks"),
    Broken(ids_are_exchanged, "leaks"),
    Broken(values_are_swapped, "differences"),
    Broken(values_are_of_everybody, "leaks"),
    Broken(measures_are_of_everybody, "leaks"),
    Broken(entries_are_lost, "losses"),
    Broken(nobody_may_anything, "losses"),
    Broken(the_data_source_is_denied, "differences"),
    Broken(the_database_takes_no_scope, "leaks", is_database=True),
    Broken(own_is_the_organization, "leaks", is_database=True),
]


@pytest.mark.parametrize("broken", BROKEN, ids=str)
async def test_it_is_found(broken: Broken, prove_it: Prove, monkeypatch: Patch) -> None:
    """The proof fails, with what was to be found, and its words hold no value of a row."""
    broken.how(monkeypatch)
    report = await prove_it(is_database=broken.is_database)
    assert getattr(report.total, broken.kind) > 0, report.verdict
    assert exit_status(report) == 1
    assert not report.is_clean
    assert "note of" not in str(report.as_json())


@pytest.mark.parametrize("is_database", [False, True])
async def test_unbroken(prove_it: Prove, *, is_database: bool) -> None:
    """As it is, nothing is found, by the same cases."""
    report = await prove_it(is_database=is_database)
    assert report.findings == []
    assert exit_status(report) == 0
