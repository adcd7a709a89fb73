"""The shared nouns."""

import pytest

from warmcube.model.request import NULL
from warmcube.model.schema import Column, ColumnType, Kind, Schema
from warmcube.model.scope import ALL, NOTHING, Box, Scope


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
