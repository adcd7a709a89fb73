"""What the isolation kit expects, against cases worked out by hand from the rules of access."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from warmcube.prove.predicate import Door, Ground, View, literal, view_of
from warmcube.prove.records import HeldRole, Organization, Person, Records

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
EVERYWHERE = Ground()

ROWS = [
    (practice, provider)
    for practice in ("1", "2", "3", "4", "5", "6", None)
    for provider in ("a", "b", None)
]


def person(*roles: str | HeldRole, at: str = "", who: str = "", active: bool = True) -> Person:
    """Somebody: ``who="a 2:b"`` is provider a anywhere, and b in practice 2."""
    return Person(
        roles=tuple(HeldRole(each) if isinstance(each, str) else each for each in roles),
        organizations=frozenset(at.split()),
        providers=frozenset(
            (practice or None, provider)
            for practice, _, provider in (f":{each}"[1:].rpartition(":") for each in who.split())
        ),
        is_active=active,
    )


def records(**people: Person) -> Records:
    """A directory: top > north (1) > coast (2); top > shut (3, inactive) > beneath (4); south."""
    return Records(
        roles={
            "admin": frozenset({"analytics:read:all", "other:thing"}),
            "analyst": frozenset({"analytics:read:organization"}),
            "provider": frozenset({"analytics:read:own"}),
            "exporter": frozenset({"analytics:export:all"}),
            "typo": frozenset({"analytics:read:all", " Analytics:read:alll"}),
        },
        organizations={
            "top": Organization(),
            "north": Organization(parent="top", practices=frozenset({"1"})),
            "coast": Organization(parent="north", practices=frozenset({"2"})),
            "shut": Organization(parent="top", practices=frozenset({"3"}), is_active=False),
            "beneath": Organization(parent="shut", practices=frozenset({"4"})),
            "south": Organization(parent="top", practices=frozenset({"1", "5"})),
            "none": Organization(),
            "a": Organization(parent="b", practices=frozenset({"6"})),
            "b": Organization(parent="a"),
        },
        people=people,
    )


def view(who: Person, ground: Ground = EVERYWHERE) -> View:
    """What one person sees."""
    return view_of(records(who=who), "who", ground, NOW)


def select(sql: str) -> list[tuple[str | None, ...]]:
    """What a statement gives."""
    with closing(duckdb.connect(":memory:")) as connection:
        rows: list[tuple[str | None, ...]] = connection.execute(sql).fetchall()
        return rows


def seen(who: Person, ground: Ground = EVERYWHERE) -> set[tuple[str | None, str | None]]:
    """The rows that one person sees, by both ways to say it, which must say the same."""
    found = view(who, ground)
    by_row = {row for row in ROWS if found.sees(*row)}
    values = ", ".join(
        f"({'NULL' if p is None else literal(p)}, {'NULL' if v is None else literal(v)})"
        for p, v in ROWS
    )
    sql = f"SELECT p, v FROM (VALUES {values}) t(p, v) WHERE {found.sql('p', 'v')}"
    assert set(select(sql)) == by_row
    return by_row


def rows_of(*practices: str) -> set[tuple[str | None, str | None]]:
    """All rows of some practices."""
    return {row for row in ROWS if row[0] in practices}


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        (person("admin"), set(ROWS)),
        (person("admin", at="north"), set(ROWS)),
        (person("analyst", at="north"), rows_of("1", "2")),
        (person("analyst", at="coast south"), rows_of("1", "2", "5")),
        (person("analyst", at="top"), rows_of("1", "2", "5")),
        (person("analyst", at="shut"), set()),
        (person("analyst", at="beneath"), rows_of("4")),
        (person("analyst", at="none"), set()),
        (person("analyst"), set()),
        (person("provider", at="north", who="a"), {("1", "a"), ("2", "a")}),
        (person("provider", at="north"), set()),
        (person("provider", who="a"), set()),
        (person("provider", at="north", who="2:b"), {("2", "b")}),
        (person("provider", at="north", who="5:b"), set()),
        (person("provider", at="north", who="2:b a"), {("1", "a"), ("2", "a"), ("2", "b")}),
        (person(HeldRole("admin", "north")), rows_of("1", "2")),
        (person(HeldRole("admin", "shut")), set()),
        (person(HeldRole("analyst", "coast"), at="north"), rows_of("2")),
        (person(HeldRole("analyst", "top"), at="coast"), rows_of("2")),
        (person(HeldRole("analyst", "south"), at="north"), set()),
        (
            person(HeldRole("analyst", "coast"), HeldRole("provider", "south"), at="top", who="a"),
            rows_of("2") | {("1", "a"), ("5", "a")},
        ),
        (person(HeldRole("admin", None, NOW + timedelta(seconds=1))), set(ROWS)),
    ],
)
def test_rows(who: Person, expected: set[tuple[str | None, str | None]]) -> None:
    """Scopes, subtrees, inactive organizations, bound providers, limited roles: row by row."""
    assert view(who).door is Door.OPEN
    assert seen(who) == expected


@pytest.mark.parametrize(
    "who",
    [
        person(),
        person("exporter"),
        person("nothing"),
        person("admin", active=False),
        person(HeldRole("admin", None, NOW)),
        person("typo"),
        person("admin", HeldRole("typo", None, NOW - timedelta(days=1))),
        person("admin", at="a"),
        person("admin", HeldRole("analyst", "b")),
    ],
)
def test_no_grant(who: Person) -> None:
    """No right in force, inactive, ended, or touched by a mistake: denied before anything else."""
    assert view(who).door is Door.NO_GRANT
    assert seen(who) == set()


def test_nobody() -> None:
    """Somebody who isn't there is denied."""
    assert view_of(records(), "who", EVERYWHERE, NOW).door is Door.NO_GRANT


def test_the_door() -> None:
    """A data source with roles doesn't exist for others; a limited role opens only so far."""
    ground = Ground(roles=frozenset({"analyst"}))
    assert view(person("admin"), ground).door is Door.UNKNOWN
    assert seen(person("admin", "analyst"), ground) == set(ROWS)
    assert seen(person("admin", HeldRole("analyst", "coast")), ground) == rows_of("2")
    assert view(person("admin", HeldRole("analyst", "shut")), ground).door is Door.UNKNOWN
    ended = HeldRole("analyst", None, NOW)
    assert view(person("admin", ended), ground).door is Door.UNKNOWN
    limited = view(person("admin", HeldRole("analyst", "coast")), ground)
    assert limited.may_name_organization("coast")
    assert not limited.may_name_organization("north")
    assert not limited.may_name_practice("1")


def test_missing_columns() -> None:
    """Without a practice only an unlimited right counts, and without a provider no own one."""
    bare = Ground(has_practice=False)
    assert view(person("admin"), bare).door is Door.OPEN
    for who in (person("analyst", at="top"), person(HeldRole("admin", "top")), person("provider")):
        assert view(who, bare).door is Door.NO_RIGHT
    no_provider = Ground(has_provider=False)
    assert view(person("provider", at="top", who="a"), no_provider).door is Door.NO_RIGHT
    assert seen(person("provider", "analyst", at="coast", who="a"), no_provider) == rows_of("2")
    behind = Ground(roles=frozenset({"analyst"}), has_practice=False)
    assert view(person("admin", HeldRole("analyst", "top")), behind).door is Door.NO_RIGHT


def test_what_may_be_named() -> None:
    """Organizations that are active and within the right, their practices, one's own providers."""
    admin = view(person("admin"))
    names = [*records().organizations, "nowhere"]
    assert {each for each in names if admin.may_name_organization(each)} == {
        "top",
        "north",
        "coast",
        "beneath",
        "south",
        "none",
    }
    assert admin.may_name_practice("any")
    own = view(person("provider", at="north", who="2:b"))
    assert {each for each in names if own.may_name_organization(each)} == {"north", "coast"}
    assert own.practices == {"1", "2"}
    assert own.may_name_provider("b")
    assert not own.may_name_provider("a")
    both = view(person("provider", "analyst", at="north", who="b"))
    assert both.may_name_provider("a")


def test_below_an_organization() -> None:
    """A filter by an organization means it and what active ones lead to."""
    admin = view(person("admin"))
    below = {each for each in "123456" if admin.is_below("top", each)}
    assert below == {"1", "2", "5"}
    assert not admin.is_below("shut", "3")
    assert not admin.is_below("top", None)


def test_when_it_changes() -> None:
    """The first role that ends is the end of what is expected."""
    soon, later = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    who = person(HeldRole("admin", None, later), HeldRole("analyst", None, soon))
    assert view(who).changes == soon
    assert view(person("admin")).changes is None


def test_literals() -> None:
    """A quote is doubled; what no database can hold is refused."""
    assert literal("it's") == "'it''s'"
    assert select(f"SELECT {literal(chr(92) + chr(39) + ';--')}") == [("\\';--",)]
    for text in ("a\0", "\ud800"):
        with pytest.raises(ValueError, match=r"NUL|surrogates"):
            literal(text)
