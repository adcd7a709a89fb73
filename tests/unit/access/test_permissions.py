"""The list of permissions is closed under our prefixes."""

from __future__ import annotations

import pytest

from warmcube.access.permissions import (
    PERMISSIONS,
    Action,
    Permission,
    ScopeKind,
    parse_permission,
)
from warmcube.errors import DirectoryError


def test_the_list() -> None:
    """These permissions there are, and no others."""
    assert set(PERMISSIONS) == {
        "analytics:read:all",
        "analytics:read:organization",
        "analytics:read:own",
        "analytics:export:all",
        "analytics:export:organization",
        "analytics:export:own",
        "cache:read:all",
        "cache:manage:all",
        "directory:read:all",
        "directory:manage:all",
        "dashboards:embed:organization",
    }
    assert all(str(parse_permission(text)) == text for text in PERMISSIONS)
    assert parse_permission("analytics:read:own") == Permission(Action.READ, ScopeKind.OWN)


def test_which_speak_of_rows() -> None:
    """Reading, exporting and embedding reach to some rows; the others hold everywhere."""
    assert {text for text, each in PERMISSIONS.items() if not each.has_rows} == {
        "cache:read:all",
        "cache:manage:all",
        "directory:read:all",
        "directory:manage:all",
    }


@pytest.mark.parametrize("text", ["billing:read", "x", "analytic:read:all", "analyticsx", ":"])
def test_permissions_of_other_applications(text: str) -> None:
    """What stands under a prefix that isn't ours is allowed and means nothing."""
    assert parse_permission(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "analytics:read:al",
        "analytics:read:All",
        "analytics:read",
        "analytics",
        "analytics:",
        "analytics:write:all",
        "analytics:read:all ",
        " analytics:read:all",
        "Analytics:read:all",
        "ANALYTICS :read:all",
        "analytics:read:all:x",
        "cache:read:own",
        "cache:drop:all",
        "directory:read",
        "dashboards:embed:all",
    ],
)
def test_a_typo_is_a_defect(text: str) -> None:
    """A mistake under one of our prefixes is refused, with the whole list."""
    with pytest.raises(DirectoryError, match=r"there is no permission .* analytics:read:own"):
        parse_permission(text)


@pytest.mark.parametrize("value", [None, "", 1, True, ["analytics:read:all"]])
def test_a_permission_is_text(value: object) -> None:
    """Anything else is refused."""
    with pytest.raises(DirectoryError, match="can't be a permission"):
        parse_permission(value)
