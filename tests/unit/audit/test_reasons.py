"""`warmcube.audit.reasons`: every denial and every empty grant has one of few reasons."""

from __future__ import annotations

import ast
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.access import NOW, Request, ask, grant_of

import warmcube
from warmcube import AccessDenied, Query, WarmcubeError
from warmcube.access.grant import require_grant
from warmcube.audit.reasons import DenialReason, EmptyReason, denial_reason, empty_reason
from warmcube.errors import (
    DirectoryError,
    TooManyAttempts,
    Unauthenticated,
    UnknownDashboard,
    UnknownDatasource,
)

RECORDS: dict[str, Any] = {
    "roles": {
        "analyst": ["analytics:read:organization"],
        "provider": ["analytics:read:own"],
        "idle": ["cache:read:all"],
    },
    "organizations": [{"id": "north", "practices": [1]}, {"id": "new", "practices": []}],
    "users": [
        {"id": "ana", "roles": ["analyst"], "organizations": ["north"]},
        {"id": "paul", "roles": ["provider"], "organizations": ["north"], "provider": 7},
        {"id": "lost", "roles": ["provider"], "organizations": ["north"]},
        {"id": "new", "roles": ["analyst"], "organizations": ["new"]},
        {"id": "gone", "roles": ["analyst"], "active": False},
        {"id": "idle", "roles": ["idle"]},
    ],
}


def denied(user: str, **request: Any) -> tuple[DenialReason, str | None]:
    """The reason for which a user's request is denied."""
    with pytest.raises((AccessDenied, UnknownDatasource)) as caught:
        ask(grant_of(RECORDS, user), Request(**request))
    return denial_reason(caught.value)


@pytest.mark.parametrize(
    ("user", "request_", "reason"),
    [
        ("nemo", {}, DenialReason.UNKNOWN_USER),
        ("gone", {}, DenialReason.INACTIVE_USER),
        ("idle", {}, DenialReason.NO_PERMISSION),
        ("ana", {"organization": "south"}, DenialReason.ORGANIZATION_OUTSIDE),
        ("ana", {"practices": [9]}, DenialReason.PRACTICE_OUTSIDE),
        ("paul", {"providers": [9]}, DenialReason.PROVIDER_OUTSIDE),
        ("paul", {"has_provider": False}, DenialReason.NO_READ),
        ("ana", {"purpose": "export"}, DenialReason.NO_EXPORT),
        ("ana", {"door": frozenset({"x"})}, DenialReason.UNKNOWN_DATASOURCE),
    ],
)
def test_denials_have_their_reason(
    user: str, request_: dict[str, Any], reason: DenialReason
) -> None:
    """What access says is one of the reasons, with nothing left over."""
    assert denied(user, **request_) == (reason, None)


@pytest.mark.parametrize(
    ("grant", "reason"),
    [(None, DenialReason.NO_GRANT), ("outdated", DenialReason.OUTDATED_GRANT)],
)
def test_grants_that_are_none(grant: str | None, reason: DenialReason) -> None:
    """Neither something else nor an old one."""
    with pytest.raises(AccessDenied) as caught:
        require_grant(grant and grant_of(RECORDS, "ana"), NOW + timedelta(days=1))
    assert denial_reason(caught.value) == (reason, None)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            AccessDenied("x", reason="directory unreadable: gone"),
            (DenialReason.DIRECTORY_UNREADABLE, "gone"),
        ),
        (AccessDenied("x", reason="new: thing"), (DenialReason.OTHER, "new: thing")),
        (AccessDenied("x"), (DenialReason.OTHER, None)),
        (DirectoryError("no file"), (DenialReason.DIRECTORY_UNREADABLE, "no file")),
        (UnknownDashboard("x"), (DenialReason.UNKNOWN_DASHBOARD, None)),
        (TooManyAttempts("x", retry_after=1), (DenialReason.TOO_MANY_ATTEMPTS, None)),
        (Unauthenticated("x", code="password"), (DenialReason.WRONG_CREDENTIALS, None)),
        (Unauthenticated("x", code="embed-expired"), (DenialReason.EMBED_TOKEN, "expired")),
        (Unauthenticated("no nonce", code="oidc"), (DenialReason.PROVIDER_LOGIN, "no nonce")),
        (Unauthenticated("x", code="several_cookies"), (DenialReason.OTHER, "several_cookies")),
        (WarmcubeError("secret"), (DenialReason.OTHER, "WarmcubeError")),
    ],
)
def test_reasons_that_nobody_foresaw(
    error: WarmcubeError, told: tuple[DenialReason, str | None]
) -> None:
    """They are told as detail, so that the set stays closed."""
    assert denial_reason(error) == told


def test_no_reason_in_the_code_is_left_out() -> None:
    """Whoever denies for a new reason is reminded to list it."""
    found = set()
    for file in Path(warmcube.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("AccessDenied", "_denied"):
                values = [keyword.value for keyword in node.keywords if keyword.arg == "reason"]
                values += node.args[1:]
                found |= {v.value for v in values if isinstance(v, ast.Constant)}
    assert "unknown user" in found
    assert [text for text in found if denial_reason(AccessDenied("", reason=str(text)))[1]] == []


@pytest.mark.parametrize(
    ("user", "named", "reason"),
    [
        ("ana", {"practices": []}, EmptyReason.NAMED_NOTHING),
        ("ana", {"providers": []}, EmptyReason.NAMED_NOTHING),
        ("new", {}, EmptyReason.NO_PRACTICES),
        ("lost", {}, EmptyReason.NO_PROVIDER),
        ("paul", {"practices": [1], "providers": []}, EmptyReason.NAMED_NOTHING),
        ("both", {"organization": "new"}, EmptyReason.NOTHING_LEFT),
    ],
)
def test_empty_grants_have_their_reason(
    user: str, named: dict[str, Any], reason: EmptyReason
) -> None:
    """Why a grant without a box has none."""
    both = {"id": "both", "roles": ["analyst"], "organizations": ["north", "new"]}
    records = RECORDS | {"users": [*RECORDS["users"], both]}
    narrowed = ask(grant_of(records, user), Request(**named))
    assert narrowed.scope.is_empty
    assert empty_reason(Query(datasource=1, **named), narrowed) is reason
