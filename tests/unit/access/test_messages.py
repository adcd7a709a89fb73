"""Every refusal of `access`, word for word: what is wrong, what was expected, what to do.

Whoever reads one must not learn from it what exists; whoever changes one should mean to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from tests.support.access import INTEGER, NOW, TEXT, Request, ask, grant_of

from warmcube.access.grant import require_grant
from warmcube.access.ids import directory_id, holds, parse_id
from warmcube.access.narrow import narrow
from warmcube.access.permissions import parse_permission
from warmcube.errors import AccessDenied, WarmcubeError
from warmcube.model.schema import ColumnType, Kind

SMALLINT, BIGINT, UUIDS = (
    ColumnType(Kind.SMALLINT),
    ColumnType(Kind.BIGINT),
    ColumnType(Kind.UUID),
)

RECORDS: dict[str, Any] = {
    "roles": {
        "admin": ["analytics:read:all"],
        "analyst": ["analytics:read:organization"],
        "provider": ["analytics:read:own"],
    },
    "organizations": [{"id": "north", "practices": [101, 102]}, {"id": "south"}],
    "users": [
        {"id": "root", "roles": ["admin"]},
        {"id": "ana", "roles": ["analyst"], "organizations": ["north"]},
        {"id": "pat", "roles": ["provider"], "organizations": ["north"], "provider": 5},
    ],
}
INTEGERS = (
    "the column is integer; write an integer from -2147483648 to 2147483647, "
    "as a number or as the digits that it prints as, such as 114"
)
TEXTS = (
    "the column is text; write text that isn't empty and has no NUL and no lone surrogate; "
    "leave the field out for no filter"
)
UUIDS_WANTED = (
    "the column is uuid; write it in lower case with hyphens, "
    "such as 6f1c9b1e-0d4e-4f3a-9b7e-2a5c8d1e0f42"
)
OUTSIDE = (
    "is outside what you may read of data source 1; name only your own, or leave the filter out"
)
PERMISSIONS = (
    "analytics:read:all, analytics:read:organization, analytics:read:own, "
    "analytics:export:all, analytics:export:organization, analytics:export:own, "
    "cache:read:all, cache:manage:all, directory:read:all, directory:manage:all, "
    "dashboards:embed:organization"
)


def _ask(user: str, purpose: Any = "read", **asked: Any) -> Callable[[], Any]:
    return lambda: ask(grant_of(RECORDS, user), Request(purpose=purpose, **asked))


def _mismatch(**types: Any) -> Callable[[], Any]:
    given = {"practice_type": INTEGER, "provider_type": INTEGER, **types}
    return lambda: narrow(
        grant_of(RECORDS, "root"), datasource=Request().datasource, now=NOW, **given
    )


CASES: list[tuple[Callable[[], Any], str]] = [
    # ids of requests
    (lambda: parse_id("x", INTEGER), f"id 'x' can't be read: {INTEGERS}"),
    (lambda: parse_id(1.5, INTEGER, name="provider"), f"provider 1.5 can't be read: {INTEGERS}"),
    (lambda: parse_id(None, INTEGER), f"id None can't be read: {INTEGERS}"),
    (lambda: parse_id([1], INTEGER), f"id a list can't be read: {INTEGERS}"),
    (
        lambda: parse_id(1 << 300, INTEGER),
        f"id an integer of 301 bits can't be read: {INTEGERS}",
    ),
    (
        lambda: parse_id("1" * 90, INTEGER),
        f"id '{'1' * 79}… can't be read: {INTEGERS}",
    ),
    (
        lambda: parse_id(1 << 15, SMALLINT),
        (
            "id 32768 can't be read: the column is smallint; "
            "write an integer from -32768 to 32767, "
            "as a number or as the digits that it prints as, such as 114"
        ),
    ),
    (
        lambda: parse_id("", BIGINT),
        (
            "id '' can't be read: the column is bigint; "
            "write an integer from -9223372036854775808 to 9223372036854775807, "
            "as a number or as the digits that it prints as, such as 114"
        ),
    ),
    (lambda: parse_id("X", UUIDS), f"id 'X' can't be read: {UUIDS_WANTED}"),
    (lambda: parse_id(5, UUIDS), f"id 5 can't be read: {UUIDS_WANTED}"),
    (
        lambda: parse_id(5, TEXT),
        "id 5 can't be read: the column is text; write it as text, in quotes",
    ),
    (lambda: parse_id(True, TEXT), f"id True can't be read: {TEXTS}"),
    (lambda: parse_id("", TEXT), f"id '' can't be read: {TEXTS}"),
    (
        lambda: parse_id(UUID(int=1), TEXT),
        f"id UUID('00000000-0000-0000-0000-000000000001') can't be read: {TEXTS}",
    ),
    (lambda: holds("x", ColumnType(Kind.DATE)), "a date column can't hold ids"),
    # the directory
    (
        lambda: directory_id(1.5),
        "1.5 can't be an id; write an integer of 64 bits, or text that isn't empty",
    ),
    (
        lambda: directory_id(""),
        "'' can't be an id; write an integer of 64 bits, or text that isn't empty",
    ),
    (
        lambda: parse_permission("analytics:read"),
        f"there is no permission 'analytics:read'; write one of {PERMISSIONS}",
    ),
    (lambda: parse_permission(""), "'' can't be a permission; write text that isn't empty"),
    (lambda: parse_permission(5), "5 can't be a permission; write text that isn't empty"),
    # what a request names
    (
        _ask("root", organization=""),
        (
            "organization '' can't be read; write the organization's id as text, "
            "or leave it out for no filter"
        ),
    ),
    (
        _ask("root", practices=101),
        (
            "practices 101 can't be read; write a list of ids, [] for none of them, "
            "or leave it out for no filter"
        ),
    ),
    (
        _ask("root", providers="5"),
        (
            "providers '5' can't be read; write a list of ids, [] for none of them, "
            "or leave it out for no filter"
        ),
    ),
    (_ask("root", practices=["x"]), f"practice 'x' can't be read: {INTEGERS}"),
    (_ask("root", providers=["x"]), f"provider 'x' can't be read: {INTEGERS}"),
    (
        _ask("root", organization="north", has_practice=False),
        (
            "the data source has no practice column, so an organization can't be named; "
            "leave the filter out"
        ),
    ),
    (
        _ask("root", practices=[1], has_practice=False),
        "the data source has no practice column, so practices can't be named; leave the filter out",
    ),
    (
        _ask("root", providers=[1], has_provider=False),
        "the data source has no provider column, so providers can't be named; leave the filter out",
    ),
    (_ask("ana", practices=[101, 7, 301]), f"practice '301' {OUTSIDE}"),
    (_ask("ana", organization="south"), f"organization 'south' {OUTSIDE}"),
    (_ask("pat", providers=[5, 6]), f"provider '6' {OUTSIDE}"),
    # what a grant is worth
    (
        _ask("ana", purpose="export"),
        "user 'ana' may not export data source 1; ask whoever keeps the directory",
    ),
    (
        _ask("pat", has_provider=False),
        "user 'pat' may not read data source 1; ask whoever keeps the directory",
    ),
    (
        _ask("ana", door=frozenset({"admin"})),
        "there is no data source 1; name the id of one that you may use",
    ),
    (
        lambda: grant_of(RECORDS, "eve"),
        "user 'eve' may not read anything here; ask whoever keeps the directory",
    ),
    (
        lambda: require_grant(5, NOW),
        "a grant is needed, not int; get one from authorize()",
    ),
    (
        lambda: require_grant(grant_of(RECORDS, "ana"), NOW.replace(year=2027)),
        "the grant of 'ana' held until 2026-01-01T12:01:00+00:00; authorise anew",
    ),
    # a caller's mistakes
    (
        _mismatch(practice_type=None),
        "types are given for exactly the role columns that the data source has",
    ),
    (
        _mismatch(purpose="sell"),
        "a purpose is one of read, export, embed, not 'sell'",
    ),
]


@pytest.mark.parametrize(("act", "message"), CASES, ids=range(len(CASES)))
def test_a_refusal_says_this_and_no_more(act: Callable[[], Any], message: str) -> None:
    """The whole text of each."""
    with pytest.raises((WarmcubeError, ValueError)) as caught:
        act()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (_ask("ana", practices=[7]), "practice outside the scope"),
        (_ask("ana", organization="south"), "organization outside the scope"),
        (_ask("pat", providers=[6]), "provider outside the scope"),
        (_ask("ana", purpose="export"), "no permission to export this data source"),
        (_ask("pat", has_provider=False), "no permission to read this data source"),
        (lambda: require_grant(None, NOW), "no grant"),
        (lambda: grant_of(RECORDS, "eve"), "unknown user"),
    ],
)
def test_the_reason_is_for_the_audit(act: Callable[[], Any], reason: str) -> None:
    """It names the rule, and nothing of the request."""
    with pytest.raises(AccessDenied) as caught:
        act()
    assert caught.value.reason == reason
