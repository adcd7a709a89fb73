"""The closed sets of reasons for which somebody is denied, or gets nothing."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from warmcube.access.narrow import Narrowed
from warmcube.errors import (
    AccessDenied,
    DirectoryError,
    TooManyAttempts,
    Unauthenticated,
    UnknownDashboard,
    UnknownDatasource,
    WarmcubeError,
)
from warmcube.model.request import Query

__all__ = ["BLOCKED", "DenialReason", "EmptyReason", "denial_reason", "empty_reason"]


class DenialReason(StrEnum):
    """Why somebody was denied: what `AccessDenied.reason` says, as one of few."""

    UNKNOWN_USER = "unknown user"
    INACTIVE_USER = "inactive user"
    DEFECT = "defect in the directory"
    NO_PERMISSION = "no read permission in force"
    NO_READ = "no permission to read this data source"
    NO_EXPORT = "no permission to export this data source"
    NO_EMBED = "no permission to embed this data source"
    NO_CACHE = "no permission for the cache"
    NO_DIRECTORY = "no permission for the directory"
    NO_ROWS = "no permission to read every row"
    UNKNOWN_DATASOURCE = "unknown data source"
    UNKNOWN_DASHBOARD = "unknown dashboard"
    ORGANIZATION_OUTSIDE = "organization outside the scope"
    PRACTICE_OUTSIDE = "practice outside the scope"
    PROVIDER_OUTSIDE = "provider outside the scope"
    NO_GRANT = "no grant"
    FOREIGN_GRANT = "foreign grant"
    OUTDATED_GRANT = "grant outdated"
    CROSS_SITE = "cross-site request"
    WRONG_CREDENTIALS = "wrong user or password"
    TOO_MANY_ATTEMPTS = "too many attempts"
    PROVIDER_LOGIN = "login at the identity provider"
    EMBED_TOKEN = "token of an embed"  # noqa: S105 - it names a reason
    DIRECTORY_UNREADABLE = "directory unreadable"
    OTHER = "other"


BLOCKED: Final = frozenset(
    {
        DenialReason.ORGANIZATION_OUTSIDE,
        DenialReason.PRACTICE_OUTSIDE,
        DenialReason.PROVIDER_OUTSIDE,
    }
)
"""Somebody named what isn't theirs."""


class EmptyReason(StrEnum):
    """Why a grant came to nothing."""

    NAMED_NOTHING = "an empty list was named"
    NO_PRACTICES = "no practices"
    NO_PROVIDER = "no provider of one's own"
    NOTHING_LEFT = "nothing is both granted and named"


def denial_reason(error: WarmcubeError) -> tuple[DenialReason, str | None]:
    """Which of the reasons an error stands for, and what it says beyond that."""
    if isinstance(error, UnknownDatasource):
        return DenialReason.UNKNOWN_DATASOURCE, None
    if isinstance(error, UnknownDashboard):
        return DenialReason.UNKNOWN_DASHBOARD, None
    if isinstance(error, DirectoryError):
        return DenialReason.DIRECTORY_UNREADABLE, str(error)
    if isinstance(error, Unauthenticated | TooManyAttempts):
        return _not_signed_in(error)
    text = error.reason if isinstance(error, AccessDenied) else type(error).__name__
    known, _, detail = text.partition(": ")
    try:
        return DenialReason(known), detail or None
    except ValueError:
        return DenialReason.OTHER, text or None


def _not_signed_in(
    error: Unauthenticated | TooManyAttempts,
) -> tuple[DenialReason, str | None]:
    if isinstance(error, TooManyAttempts):
        return DenialReason.TOO_MANY_ATTEMPTS, None
    if error.code == "password":
        return DenialReason.WRONG_CREDENTIALS, None
    if error.code.startswith("embed-"):
        return DenialReason.EMBED_TOKEN, error.code.removeprefix("embed-")
    if error.code == "oidc":
        return DenialReason.PROVIDER_LOGIN, str(error)
    return DenialReason.OTHER, error.code


def empty_reason(query: Query, narrowed: Narrowed) -> EmptyReason:
    """Why a narrowed grant without a box has none."""
    for named in (query.practices, query.providers):
        if named is not None and len(named) == 0:
            return EmptyReason.NAMED_NOTHING
    nothing: frozenset[str] = frozenset()
    if all(reason.practices == nothing for reason in narrowed.reasons):
        return EmptyReason.NO_PRACTICES
    if all(nothing in (reason.practices, reason.providers) for reason in narrowed.reasons):
        return EmptyReason.NO_PROVIDER
    return EmptyReason.NOTHING_LEFT
