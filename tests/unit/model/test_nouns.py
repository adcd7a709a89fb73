"""The shared nouns."""

from typing import Any

import pytest

from warmcube.model.request import NULL
from warmcube.model.schema import Column, ColumnType, Kind, Schema
from warmcube.model.scope import ALL, NOTHING, Box, Ids, Scope, intersect_ids


def test_no_restriction_and_nothing_are_different_types() -> None:
    """Whatever is empty, it is never "all"."""
    empty: frozenset[str] = frozenset()
    assert not isinstance(ALL, frozenset)
    assert Box(empty, ALL).is_empty
    assert Box(ALL, empty).is_empty
    assert not Box(ALL, ALL).is_empty
    assert Scope.of([Box(empty, ALL)]) == NOTHING
    assert NOTHING.is_empty
    assert not NOTHING.is_everything
    assert Scope.of([Box(ALL, ALL)]).is_everything


def test_a_box_allows_null_only_where_nothing_is_restricted() -> None:
    """A set of ids never includes NULL."""
    box = Box(frozenset({"1"}), ALL)
    assert box.allows("1", None)
    assert not box.allows(None, None)
    assert not box.allows("2", "1")
    assert Scope.of([box, Box(ALL, frozenset({"5"}))]).allows(None, "5")


IDS = (ALL, frozenset[str](), frozenset({"1"}), frozenset({"1", "2"}))
ROWS = [(practice, provider) for practice in ("1", "2", "3", None) for provider in ("1", "2", None)]


def is_among(value: str | None, ids: Ids) -> bool:
    """What it means for a value to pass a filter."""
    return ids is ALL or value in [*ids]


@pytest.mark.parametrize("practices", IDS)
@pytest.mark.parametrize("providers", IDS)
def test_a_box_is_both_of_its_conditions(practices: Ids, providers: Ids) -> None:
    """A row lies inside if its practice and its provider do, and a box of nothing is empty."""
    box = Box(practices, providers)
    inside = [row for row in ROWS if is_among(row[0], practices) and is_among(row[1], providers)]
    assert [row for row in ROWS if box.allows(*row)] == inside
    assert box.is_empty == (not inside)
    assert Scope.of([box]).boxes == ((box,) if inside else ())
    assert Scope.of([box]).is_everything == (inside == ROWS)
    assert Scope.of([box]).is_empty == (not inside)


@pytest.mark.parametrize("practices", IDS)
@pytest.mark.parametrize("providers", IDS)
def test_what_is_left_passes_both(practices: Ids, providers: Ids) -> None:
    """A scope under two filters is what it was, less what they hold back."""
    scope = Scope.of([Box(frozenset({"1", "3"}), ALL), Box(ALL, frozenset({"2"}))])
    left = scope.intersect(practices, providers)
    assert [row for row in ROWS if left.allows(*row)] == [
        row
        for row in ROWS
        if scope.allows(*row) and is_among(row[0], practices) and is_among(row[1], providers)
    ]


@pytest.mark.parametrize("left", IDS)
@pytest.mark.parametrize("right", IDS)
def test_ids_intersect(left: Ids, right: Ids) -> None:
    """No restriction gives way to any; the rest is what both have."""
    both = intersect_ids(left, right)
    assert (both is ALL) == (left is ALL and right is ALL)
    assert [value for value in ("1", "2", "3") if is_among(value, both)] == [
        value for value in ("1", "2", "3") if is_among(value, left) and is_among(value, right)
    ]


def test_null_is_never_among_ids() -> None:
    """Not even if somebody put it there."""
    forged: Any = frozenset({None, "1"})
    assert not Box(forged, ALL).allows(None, "1")
    assert not Box(ALL, forged).allows("1", None)
    assert Box(forged, forged).allows("1", "1")


def test_a_scope_has_no_empty_and_no_repeated_boxes() -> None:
    """In the order in which they came."""
    one, other = Box(frozenset({"1"}), ALL), Box(ALL, frozenset({"1"}))
    assert Scope.of([other, one, Box(ALL, frozenset()), other]).boxes == (other, one)
    assert not Scope.of([one, other]).is_everything
    assert Scope.of([one, Box(ALL, ALL)]).is_everything
    assert not NOTHING.allows("1", "1")
    assert not NOTHING.allows(None, None)


def test_filters_only_narrow() -> None:
    """Intersecting never adds rows; "ALL" is no filter."""
    scope = Scope.of([Box(frozenset({"1", "2"}), ALL), Box(ALL, frozenset({"5"}))])
    assert scope.intersect(ALL, ALL) == scope
    assert scope.intersect(frozenset(), ALL) == NOTHING
    assert scope.intersect(frozenset({"2", "3"}), frozenset({"5"})).boxes == (
        Box(frozenset({"2"}), frozenset({"5"})),
        Box(frozenset({"2", "3"}), frozenset({"5"})),
    )


def test_sentinels_name_themselves() -> None:
    """In a message or a log it is clear what was meant."""
    assert (repr(ALL), repr(NULL)) == ("ALL", "NULL")


def test_a_schema_finds_its_columns() -> None:
    """By exact name."""
    schema = Schema((Column("a", ColumnType(Kind.NUMERIC, 12, 2)),))
    assert str(schema["a"].type) == "numeric(12,2)"
    assert str(ColumnType(Kind.NUMERIC)) == "numeric"
    assert str(ColumnType(Kind.DOUBLE)) == "double precision"
    assert "a" in schema
    assert "A" not in schema
    with pytest.raises(KeyError):
        schema["A"]
