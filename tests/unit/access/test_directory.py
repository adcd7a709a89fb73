"""The directory: its tree, and that it can't be changed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from warmcube.access.directory import Directory, Organization, User


def _directory(*organizations: Organization) -> Directory:
    return Directory(
        version="1",
        roles={},
        organizations={each.id: each for each in organizations},
        users={},
    )


TREE = _directory(
    Organization(id="root", practices=frozenset({"1"})),
    Organization(id="north", parent="root", practices=frozenset({"2", "3"})),
    Organization(id="east", parent="north", practices=frozenset({"3"})),
    Organization(id="closed", parent="root", active=False, practices=frozenset({"4"})),
    Organization(id="under", parent="closed", practices=frozenset({"5"})),
)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (["root"], {"root", "north", "east"}),
        (["north"], {"north", "east"}),
        (["east"], {"east"}),
        (["closed"], set()),
        (["under"], {"under"}),
        (["root", "under"], {"root", "north", "east", "under"}),
        (["gone"], set()),
        ([], set()),
    ],
)
def test_subtree(start: list[str], expected: set[str]) -> None:
    """What lies below, as far as active organizations lead."""
    assert TREE.subtree(start) == expected


def test_a_loop_ends() -> None:
    """A tree that isn't one is walked once, even if nobody checked it."""
    loop = _directory(
        Organization(id="a", parent="b"),
        Organization(id="b", parent="a"),
        Organization(id="c", parent="c"),
    )
    assert loop.subtree(["a"]) == {"a", "b"}
    assert loop.subtree(["c"]) == {"c"}


def test_a_deep_tree() -> None:
    """Depth is no limit."""
    deep = _directory(
        Organization(id="0"),
        *(Organization(id=str(n), parent=str(n - 1)) for n in range(1, 20_000)),
    )
    assert len(deep.subtree(["0"])) == 20_000


def test_practices() -> None:
    """Practices of exactly these organizations, each once."""
    assert TREE.practices_of(["north", "east"]) == {"2", "3"}
    assert TREE.practices_of([]) == frozenset()


def test_it_is_frozen() -> None:
    """Neither the directory nor what it was made of can change it."""
    roles: dict[str, Any] = {"r": ()}
    directory = Directory(version="1", roles=roles, organizations={}, users={})
    roles["s"] = ()
    assert set(directory.roles) == {"r"}
    with pytest.raises(TypeError):
        directory.users["u"] = None  # type: ignore[index]
    with pytest.raises(TypeError):
        directory.organizations["o"] = None  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        directory.version = "2"  # type: ignore[misc]


def test_what_a_record_leaves_out() -> None:
    """An organization or user of whom only the id is known has no name, and is active."""
    assert Organization(id="a") == Organization(
        id="a", name="", parent=None, practices=frozenset(), active=True
    )
    assert User(id="a") == User(
        id="a", name="", roles=(), organizations=(), providers=(), active=True
    )


def test_a_directory_shows_what_it_was_made_of() -> None:
    """And not what was worked out from that for speed."""
    directory = Directory(version="1", roles={}, organizations={}, users={})
    assert "_children" not in repr(directory)
    assert "version='1'" in repr(directory)
