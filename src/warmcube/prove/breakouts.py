"""Ways to see more than one may, tried one after the other.

Each says what has to become of it: denied, an error about the query, or nothing but what SQL has
under the user's right for exactly what was named.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, Final

from warmcube.model.request import NULL, Filter
from warmcube.prove.canonical import Form
from warmcube.prove.case import Case, Scene, Wanted
from warmcube.prove.oddities import FORGED, UNREADABLE, confusions, is_id, made_up
from warmcube.prove.predicate import Door
from warmcube.prove.reads import Maker
from warmcube.prove.witness import Narrowing

__all__ = ["BREAKOUTS"]


def foreign_practice(scene: Scene, random: random.Random) -> Case | None:
    """A practice that there is, and isn't the user's."""
    known = {practice for practice, _ in scene.witness.pairs if practice}
    form = _form(scene, "practice")
    is_number = form is Form.INTEGER
    # What the column can't hold is an error instead.
    greatest = max([9_999, *(abs(int(each)) for each in known)]) if is_number else 0
    known |= {
        each
        for each in scene.view.records.ways_up
        if is_id(each, form) and (not is_number or abs(int(each)) <= greatest)
    }
    foreign = sorted(each for each in known if not scene.view.may_name_practice(each))
    return _outside(scene, random, "practice", "a practice of others", foreign)


def foreign_among_own(scene: Scene, random: random.Random) -> Case | None:
    """One of others among one's own."""
    known = sorted({practice for practice, _ in scene.witness.pairs if practice})
    foreign = [each for each in known if not scene.view.may_name_practice(each)]
    own = [each for each in known if scene.view.may_name_practice(each)]
    if not foreign or not own:
        return None
    named = random.choice(foreign)
    return scene.refused(
        "break out: a practice of others among one's own",
        Wanted.DENIED,
        words="practice",
        named=named,
        practices=random.sample([named, random.choice(own)], 2),
    )


def no_such_practice(scene: Scene, random: random.Random) -> Case | None:
    """A practice that there isn't."""
    form = _form(scene, "practice")
    known = {practice for practice, _ in scene.witness.pairs} | set(scene.view.records.ways_up)
    return _unknown_id(scene, random, "practice", made_up(form, known, random))


def foreign_provider(scene: Scene, random: random.Random) -> Case | None:
    """A provider whose rows one doesn't see."""
    if scene.datasource.roles.provider is None:
        return None
    shown = set(scene.shown_providers())
    foreign = sorted({who for _, who in scene.witness.pairs if who} - shown)
    if not foreign:
        return None
    named = random.choice(foreign)
    kind = "break out: a provider of others"
    if not scene.view.may_name_provider(named):
        return scene.refused(kind, Wanted.DENIED, words="provider", named=named, providers=[named])
    return scene.case(kind, Narrowing(providers=frozenset([named])), providers=[named])


def no_such_provider(scene: Scene, random: random.Random) -> Case | None:
    """A provider that there isn't."""
    form = _form(scene, "provider")
    known = {who for _, who in scene.witness.pairs}
    known |= {who for _, who in scene.view.person.providers}
    return _unknown_id(scene, random, "provider", made_up(form, known, random))


def foreign_organization(scene: Scene, random: random.Random) -> Case | None:
    """An organization that one mustn't filter by: of others, inactive, or none at all."""
    if scene.datasource.roles.practice is None:
        return None
    records = scene.view.records
    forbidden = [
        each for each in records.organizations if not scene.view.may_name_organization(each)
    ]
    inactive = [each for each in forbidden if not records.organizations[each].is_active]
    of_others = [each for each in forbidden if records.organizations[each].is_active]
    families = [
        ("an organization of others", of_others),
        ("an inactive organization", inactive),
        ("an organization that there isn't", _no_organizations(scene)),
    ]
    kind, names = random.choice([family for family in families if family[1]])
    named = random.choice(sorted(names))
    return scene.refused(
        f"break out: {kind}",
        Wanted.DENIED,
        words="organization",
        named=named,
        organization=named,
        **random.choice([{}, {"aggregate": "count"}]),
    )


def empty_list(scene: Scene, random: random.Random) -> Case | None:
    """``[]`` is none of them, and never "all"."""
    role = _role(scene, random)
    if role is None:
        return None
    empty: Any = random.choice([[], ()])
    return scene.case(
        f"break out: an empty list of {role}s",
        _narrowing(role, frozenset()),
        **_named(role, empty),
    )


def condition_on_others(scene: Scene, random: random.Random) -> Case | None:
    """A condition that names others' ids only narrows: it is no right, and no error."""
    role = _role(scene, random)
    if role is None:
        return None
    place = 0 if role == "practice" else 1
    known = _known(scene, place)
    if not known:
        return None
    named = frozenset(random.sample(known, min(len(known), random.randint(1, 4))))
    if random.random() < 0.5:
        condition = Filter(_column(scene, role), "in", sorted(named))
        where = _among(place, named)
    else:
        one = random.choice(sorted(named))
        condition = Filter(_column(scene, role), "eq", one)
        where = _among(place, frozenset([one]))
    return scene.case(
        f"break out: a condition on {role}s of others", Narrowing(where=where), where=[condition]
    )


def condition_on_null(scene: Scene, random: random.Random) -> Case | None:
    """Rows without a practice are for those alone who see everything."""
    column = scene.datasource.roles.practice
    if column is None:
        return None
    del random
    return scene.case(
        "break out: rows without a practice",
        Narrowing(where=lambda practice, _: practice is None),
        where=[Filter(column, "is_null")],
    )


def confused_id(scene: Scene, random: random.Random) -> Case | None:
    """One's own id in a form that isn't the column's."""
    role = _role(scene, random)
    if role is None:
        return None
    place = 0 if role == "practice" else 1
    known = _known(scene, place)
    if not known:
        return None
    own = random.choice(known)
    wrong = random.choice(confusions(own, _form(scene, role)))
    return scene.refused(
        f"break out: a {role} of another type",
        Wanted.INVALID,
        **_named(role, random.choice([[wrong], [own, wrong]])),
    )


def confused_list(scene: Scene, random: random.Random) -> Case | None:
    """Something in the place of a list."""
    role = _role(scene, random)
    if role is None:
        return None
    wrong: Any = random.choice(["101", "", 101, 0, False, True, 1.0, {"id": 101}, b"101", object()])
    return scene.refused(f"break out: no list of {role}s", Wanted.INVALID, **_named(role, wrong))


def confused_organization(scene: Scene, random: random.Random) -> Case | None:
    """Something in the place of an organization's id."""
    if scene.datasource.roles.practice is None:
        return None
    wrong: Any = random.choice([5, 0, True, False, 1.0, "", [], ["north"], b"north", *UNREADABLE])
    return scene.refused(
        "break out: an organization of another type", Wanted.INVALID, organization=wrong
    )


def forged_id(scene: Scene, random: random.Random) -> Case | None:
    """A text that would be a key, SQL or a pattern, as an id."""
    role = _role(scene, random)
    if role is None:
        return None
    forged = random.choice((*FORGED, *UNREADABLE))
    if not is_id(forged, _form(scene, role)):
        return scene.refused(
            f"break out: a forged {role}", Wanted.INVALID, **_named(role, [forged])
        )
    return _unknown_id(scene, random, role, forged, f"break out: a forged {role}")


def forged_name(scene: Scene, random: random.Random) -> Case | None:
    """A text that would be a key, SQL or a pattern, as a measure or a frequency."""
    roles = scene.datasource.roles
    name = random.choice(["measure", "frequency"])
    column = roles.measure if name == "measure" else roles.frequency
    forged = random.choice((*FORGED, *UNREADABLE, ""))
    kind = f"break out: a forged {name}"
    if column is None:
        return scene.refused(kind, Wanted.INVALID, **{name: forged})
    form = scene.witness.forms[column]
    is_readable = form is Form.TEXT and forged not in UNREADABLE
    if not is_readable and not is_id(forged, form):
        return scene.refused(kind, Wanted.INVALID, **{name: forged})
    measure, frequency = scene.witness.partition
    asked = (forged, frequency) if name == "measure" else (measure, forged)
    if asked in scene.witness.others:
        return None
    return scene.case(kind, is_empty=True, **_asked(name, forged))


def confused_name(scene: Scene, random: random.Random) -> Case | None:
    """Something in the place of a measure, or none at all."""
    roles = scene.datasource.roles
    name = random.choice(["measure", "frequency"])
    if (roles.measure if name == "measure" else roles.frequency) is None:
        return None
    wrong: Any = random.choice([None, True, 1.5, [], ["Charges"], b"Charges", {"null": True}])
    return scene.refused(f"break out: a {name} of another type", Wanted.INVALID, **{name: wrong})


def forged_condition(scene: Scene, random: random.Random) -> Case | None:
    """SQL and patterns as a condition's column or operator, to group by or to order by."""
    forged = random.choice(FORGED[:-1])
    some = next(iter(scene.witness.forms))
    if forged in scene.witness.forms:
        return None
    asked: Mapping[str, Any] = random.choice(
        [
            {"where": [Filter(forged, "eq", "1")]},
            {"where": [Filter(some, forged, "1")]},
            {"aggregate": "count", "group_by": [forged]},
            {"aggregate": forged},
            {"order_by": [forged]},
        ]
    )
    return scene.refused("break out: a forged condition", Wanted.INVALID, **asked)


def forged_value(scene: Scene, random: random.Random) -> Case | None:
    """SQL and patterns as a condition's value are texts that no row has."""
    forged = random.choice(FORGED[:-1])
    texts = [name for name, form in scene.witness.forms.items() if form is Form.TEXT]
    if not texts or scene.witness.window is not None:
        return None
    column = random.choice(texts)
    if forged in scene.witness.distinct(column):
        return None
    return scene.case(
        "break out: a forged value",
        Narrowing(where=lambda *_: False),
        where=[Filter(column, "eq", forged)],
    )


def no_such_datasource(scene: Scene, random: random.Random) -> Case | None:
    """Another data source than any."""
    wrong: Any = random.choice(
        [2_147_483_646, -1, "1", str(scene.datasource.id), True, 1.0, None, "*", "{ds:1}"]
    )
    wanted = Wanted.DENIED if scene.view.door is Door.NO_GRANT else Wanted.UNKNOWN
    return Case(
        kind="break out: a data source that there isn't",
        query=scene.query(datasource=wrong),
        wanted=wanted,
        words="data source",
        named=wrong,
    )


def null_partition(scene: Scene, random: random.Random) -> Case | None:
    """NULL as a name, where there are no such rows, is none of them."""
    roles = scene.datasource.roles
    del random
    if None in (roles.measure, roles.frequency) or (None, None) in scene.witness.others:
        return None
    return scene.case(
        "break out: NULL in the place of names", is_empty=True, measure=NULL, frequency=NULL
    )


def no_column(scene: Scene, random: random.Random) -> Case | None:
    """An id where the table has no such column."""
    roles = scene.datasource.roles
    lacking: Mapping[str, Any] = {
        **({"practices": ["101"], "organization": "north"} if roles.practice is None else {}),
        **({"providers": ["5"]} if roles.provider is None else {}),
    }
    if not lacking:
        return None
    name = random.choice(sorted(lacking))
    return scene.refused(
        "break out: an id without a column", Wanted.INVALID, **{name: lacking[name]}
    )


def _unknown_id(
    scene: Scene, random: random.Random, role: str, named: str, kind: str | None = None
) -> Case | None:
    if _column(scene, role) is None:
        return None
    kind = kind or f"break out: a {role} that there isn't"
    view = scene.view
    may = view.may_name_practice if role == "practice" else view.may_name_provider
    if view.door is Door.OPEN and not may(named):
        return _outside(scene, random, role, kind.removeprefix("break out: "), [named])
    return scene.case(kind, _narrowing(role, frozenset([named])), **_named(role, [named]))


def _outside(
    scene: Scene, random: random.Random, role: str, kind: str, ids: Sequence[str]
) -> Case | None:
    """An id that mustn't be named; the same words for each, whether there is such a one or not."""
    if not ids:
        return None
    named = random.choice(ids)
    given: Any = named
    if _form(scene, role) is Form.INTEGER and random.random() < 0.5:
        given = int(named)
    return scene.refused(
        f"break out: {kind}",
        Wanted.DENIED,
        words=role,
        named=named,
        **_named(role, [given]),
    )


def _no_organizations(scene: Scene) -> list[str]:
    known = scene.view.records.organizations
    some = ["no such organization", *FORGED, *(f" {each}" for each in known)]
    return [each for each in some if each not in known]


def _known(scene: Scene, place: int) -> list[str]:
    """The practices (0) or the providers (1) that there are, and that can be named."""
    return sorted({text for pair in scene.witness.pairs if (text := pair[place])})


def _named(role: str, ids: Any) -> dict[str, Any]:
    return {f"{role}s": ids}


def _asked(name: str, value: Any) -> dict[str, Any]:
    return {name: value}


def _narrowing(role: str, ids: frozenset[str]) -> Narrowing:
    return Narrowing(practices=ids) if role == "practice" else Narrowing(providers=ids)


def _role(scene: Scene, random: random.Random) -> str | None:
    there = [role for role in ("practice", "provider") if _column(scene, role) is not None]
    return random.choice(there) if there else None


def _column(scene: Scene, role: str) -> Any:
    roles = scene.datasource.roles
    return roles.practice if role == "practice" else roles.provider


def _form(scene: Scene, role: str) -> Form:
    column = _column(scene, role)
    return Form.TEXT if column is None else scene.witness.forms[column]


def _among(place: int, named: frozenset[str]) -> Any:
    return lambda practice, provider: (practice, provider)[place] in named


BREAKOUTS: Final[Sequence[Maker]] = (
    foreign_practice,
    foreign_practice,
    foreign_among_own,
    no_such_practice,
    foreign_provider,
    no_such_provider,
    foreign_organization,
    foreign_organization,
    empty_list,
    condition_on_others,
    condition_on_null,
    confused_id,
    confused_id,
    confused_list,
    confused_organization,
    forged_id,
    forged_name,
    confused_name,
    forged_condition,
    forged_value,
    no_such_datasource,
    null_partition,
    no_column,
)
