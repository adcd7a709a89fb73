"""Questions that a user may ask: their own rows, and parts of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final, TypeAlias

from warmcube.model.request import AGGREGATES, Filter
from warmcube.prove.case import Case, Scene
from warmcube.prove.predicate import Door
from warmcube.prove.witness import Narrowing

__all__ = ["READS", "Maker", "as_values", "measures"]

Maker: TypeAlias = Callable[[Scene, random.Random], Case | None]
"""Makes a case for a scene; None where there is nothing to try."""

_MOST_NAMED: Final = 8


def everything(scene: Scene, random: random.Random) -> Case | None:
    """All of one's rows."""
    del random
    return scene.case("read: everything")


def whole(scene: Scene, random: random.Random) -> Case | None:
    """All of one's rows, counted by practice and provider."""
    del random
    roles = scene.datasource.roles
    groups = [column for column in (roles.practice, roles.provider) if column is not None]
    return scene.case(
        "read: counts by practice and provider", is_counted=True, aggregate="count", group_by=groups
    )


def some_practices(scene: Scene, random: random.Random) -> Case | None:
    """Rows of practices within the right."""
    named = _sample(scene.shown_practices(), random, scene.list_limit)
    if not named:
        return None
    return scene.case(
        "read: practices named", Narrowing(practices=frozenset(named)), practices=named
    )


def some_providers(scene: Scene, random: random.Random) -> Case | None:
    """Rows of providers."""
    named = _sample(scene.shown_providers(), random, scene.list_limit)
    if not named or not all(map(scene.view.may_name_provider, named)):
        return None
    return scene.case(
        "read: providers named", Narrowing(providers=frozenset(named)), providers=named
    )


def some_days(scene: Scene, random: random.Random) -> Case | None:
    """Rows of a range of days."""
    days = scene.witness.days
    if not days:
        return None
    first, last = sorted(random.choices(days, k=2))
    return _in_window(scene, random, "read: range of days", days=(first, last))


def days_and_practices(scene: Scene, random: random.Random) -> Case | None:
    """Rows of practices within a range of days."""
    days, named = scene.witness.days, _sample(scene.shown_practices(), random, scene.list_limit)
    if not days or not named:
        return None
    first, last = sorted(random.choices(days, k=2))
    return scene.case(
        "read: practices and days",
        Narrowing(practices=frozenset(named), days=(first, last)),
        practices=named,
        start=first,
        end=last.isoformat(),
    )


def an_organization(scene: Scene, random: random.Random) -> Case | None:
    """Rows of an organization that may be named, whoever asks."""
    if scene.datasource.roles.practice is None:
        return None
    view = scene.view
    known = sorted(filter(view.may_name_organization, view.records.organizations))
    if view.door is not Door.OPEN or not known:
        return None
    named = random.choice(known)
    return scene.case("read: organization named", Narrowing(organization=named), organization=named)


def an_organization_counted(scene: Scene, random: random.Random) -> Case | None:
    """The same, counted by practice."""
    roles, view = scene.datasource.roles, scene.view
    if roles.practice is None or view.door is not Door.OPEN:
        return None
    known = sorted(filter(view.may_name_organization, view.records.organizations))
    if not known:
        return None
    named = random.choice(known)
    groups = [column for column in (roles.practice, roles.provider) if column is not None]
    return scene.case(
        "read: organization counted by practice",
        Narrowing(organization=named),
        is_counted=True,
        organization=named,
        aggregate="count",
        group_by=groups,
    )


def a_total(scene: Scene, random: random.Random) -> Case | None:
    """An aggregate, by nothing or by some columns."""
    value = scene.datasource.roles.value
    forms = scene.witness.forms
    is_number = value is not None and (forms[value].is_exact or forms[value].is_float)
    functions: Sequence[str] = AGGREGATES if is_number else ("count", "min", "max")
    function = random.choice(functions if value is not None else ("count",))
    groups = random.sample(sorted(forms), random.choice((0, 1, 1, 2)) % (len(forms) + 1))
    return _in_window(
        scene, random, f"read: {function} by group", aggregate=function, group_by=groups
    )


def a_practice_by_condition(scene: Scene, random: random.Random) -> Case | None:
    """Rows of a practice that a condition names, or leaves out."""
    column = scene.datasource.roles.practice
    shown = scene.shown_practices()
    if column is None or not shown:
        return None
    named = random.choice(shown)
    if random.random() < 0.5:
        return scene.case(
            "read: practice by condition",
            Narrowing(where=lambda practice, _: practice == named),
            where=[Filter(column, "eq", named)],
        )
    return scene.case(
        "read: other practices by condition",
        Narrowing(where=lambda practice, _: practice is not None and practice != named),
        where=[Filter(column, "neq", named)],
    )


def no_provider(scene: Scene, random: random.Random) -> Case | None:
    """Rows without a provider, or with one."""
    column = scene.datasource.roles.provider
    if column is None:
        return None
    is_null = random.random() < 0.5
    return scene.case(
        "read: rows without a provider" if is_null else "read: rows with a provider",
        Narrowing(where=lambda _, provider: (provider is None) is is_null),
        where=[Filter(column, "is_null" if is_null else "not_null")],
    )


def measures(scene: Scene) -> Case:
    """The measures that the user has rows of: every user is asked as for them once."""
    return replace(scene.case("read: measures"), is_inventory=True)


def as_values(case: Case, scene: Scene, random: random.Random) -> Case:
    """The same question, but for the values of some column in the place of rows."""
    roles, query = scene.datasource.roles, case.query
    if query.aggregate is not None or query.order_by:
        return case
    # Of the measures and the frequencies, those of every partition are given.
    columns = [each for each in scene.witness.forms if each not in (roles.measure, roles.frequency)]
    ids = [each for each in (roles.practice, roles.provider) if each is not None]
    column = random.choice(ids if ids and random.random() < 0.5 else columns)
    return replace(case, column=column, kind=f"{case.kind}, values")


def _in_window(scene: Scene, random: random.Random, kind: str, **more: Any) -> Case | None:
    """A question about the rows that are compared: of a large partition those of some practices."""
    days: tuple[date, date] | None = more.pop("days", None)
    if days is not None:
        more |= {"start": days[0].isoformat(), "end": days[1]}
    if scene.witness.window is None:
        return scene.case(kind, Narrowing(days=days), **more)
    named = _sample(scene.shown_practices(), random, scene.list_limit)
    if not named:
        return None
    return scene.case(
        kind, Narrowing(practices=frozenset(named), days=days), practices=named, **more
    )


def _sample(ids: Sequence[str], random: random.Random, limit: int) -> list[str]:
    most = min(len(ids), _MOST_NAMED, limit)
    return random.sample(ids, random.randint(1, most)) if most else []


READS: Final[Sequence[Maker]] = (
    everything,
    whole,
    some_practices,
    some_providers,
    some_days,
    days_and_practices,
    an_organization,
    an_organization_counted,
    a_total,
    a_total,
    a_practice_by_condition,
    no_provider,
)
