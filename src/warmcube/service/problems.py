"""The one shape of all errors: problem details, RFC 9457.

What a client can mend is said in the error's own words, which hold no secret and nothing that the
asker may not know. What is broken behind the service is said in fixed words; the log has the rest,
under the request's id.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from warmcube.errors import (
    AccessDenied,
    AuditError,
    DirectoryError,
    IdentityUnavailable,
    InvalidFilter,
    InvalidQuery,
    InvalidRequest,
    LimitExceeded,
    MissingRole,
    Overloaded,
    QueryTimeout,
    RollbackRefused,
    SourceError,
    StoreError,
    TooManyAttempts,
    Unauthenticated,
    UnknownColumn,
    UnknownDashboard,
    UnknownDatasource,
    UnknownJob,
    VerifyInProgress,
    WarmcubeError,
    WarmError,
    WarmInProgress,
)

__all__ = ["MEDIA_TYPE", "Problem", "error_response", "problem_of", "problem_response"]

_LOG: Final = logging.getLogger("warmcube")
MEDIA_TYPE: Final = "application/problem+json"
_URN: Final = "urn:warmcube:problem:"
_TITLES: Final[Mapping[int, tuple[str, str]]] = {
    400: ("malformed", "The request can't be read"),
    401: ("unauthenticated", "Who asks isn't known"),
    403: ("denied", "This isn't allowed"),
    404: ("not-found", "There is no such thing"),
    405: ("method-not-allowed", "The resource has no such method"),
    406: ("not-acceptable", "The answer has no such form"),
    408: ("slow-request", "The request took too long to arrive"),
    409: ("conflict", "Something else is under way"),
    413: ("too-large", "The request is too large"),
    415: ("unsupported-media-type", "The request has another form than expected"),
    421: ("misdirected", "The request is meant for another host"),
    422: ("invalid", "The request asks for what can't be"),
    429: ("too-many-requests", "Too much is asked"),
    431: ("too-large-head", "The request's headers are too large"),
    500: ("internal", "The service has a defect"),
    503: ("unavailable", "The service can't answer now"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem, before it is written.

    Attributes:
        status: of HTTP.
        detail: one or more sentences for whoever asked.
        slug: what kind it is; the last part of its ``type``.
        headers: to send with it.
        more: further members.
    """

    status: int
    detail: str
    slug: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The members, as RFC 9457 names them."""
        slug, title = _TITLES.get(self.status, _TITLES[500])
        return {
            "type": _URN + (self.slug or slug),
            "title": title,
            "status": self.status,
            "detail": self.detail,
            **self.more,
        }


def problem_response(problem: Problem) -> Response:
    """A problem as the answer to a request."""
    return Response(
        orjson.dumps(problem.as_json()),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **problem.headers},
    )


def error_response(request: Request, error: WarmcubeError) -> Response:
    """An error as the answer to a request; what is broken behind the service is logged."""
    problem = problem_of(error)
    request.state.problem = type(error).__name__
    if isinstance(error, Unauthenticated):
        request.state.problem += f" ({error.code})"
    if problem.status >= 500:
        _LOG.warning("%s: %s", type(error).__name__, error)
    return problem_response(problem)


def problem_of(error: WarmcubeError) -> Problem:
    """What an error is to a client of the API."""
    for kind, make in _KINDS:
        if isinstance(error, kind):
            problem: Problem = make(error)
            return problem
    return Problem(status=500, detail="the service failed; its log says why, under the request id")


def _told(status: int, slug: str | None = None) -> Any:
    """A problem in the error's own words."""
    return lambda error: Problem(status=status, detail=str(error), slug=slug)


def _behind(what: str, slug: str) -> Any:
    """A problem behind the service, in fixed words: addresses aren't for everybody."""
    detail = f"{what}; try again, and if it lasts, tell whoever runs this service"
    return lambda _error: Problem(
        status=503, detail=detail, slug=slug, headers={"Retry-After": "1"}
    )


def _unauthenticated(error: Unauthenticated) -> Problem:
    challenge = 'Bearer realm="warmcube"'
    if error.code != "missing":
        challenge += ', error="invalid_token"'
    return Problem(status=401, detail=str(error), headers={"WWW-Authenticate": challenge})


def _later(status: int, slug: str | None = None) -> Any:
    """A problem that time mends."""
    return lambda error: Problem(
        status=status,
        detail=str(error),
        slug=slug,
        headers={"Retry-After": str(max(1, ceil(error.retry_after)))},
        more={"retry_after": error.retry_after},
    )


def _in_progress(slug: str) -> Any:
    """A problem of whoever comes second; it says who was first."""
    return lambda error: Problem(
        status=409,
        detail=str(error),
        slug=slug,
        headers={"Retry-After": str(max(1, ceil(error.retry_after)))},
        more={"by": error.by, "since": error.since, "job": error.job},
    )


def _request(error: InvalidRequest) -> Problem:
    return Problem(status=error.status, detail=str(error))


_KINDS: Final[tuple[tuple[type[WarmcubeError], Any], ...]] = (
    (Unauthenticated, _unauthenticated),
    (AccessDenied, _told(403)),
    (UnknownDatasource, _told(404, "unknown-datasource")),
    (UnknownDashboard, _told(404, "unknown-dashboard")),
    (UnknownJob, _told(404, "unknown-job")),
    (InvalidRequest, _request),
    (LimitExceeded, _told(422, "limit-exceeded")),
    (UnknownColumn, _told(422, "unknown-column")),
    (MissingRole, _told(422, "missing-role")),
    (InvalidFilter, _told(422, "invalid-filter")),
    (InvalidQuery, _told(422)),
    (Overloaded, _later(503, "overloaded")),
    (QueryTimeout, _told(503, "query-timeout")),
    (TooManyAttempts, _later(429)),
    (WarmInProgress, _in_progress("warm-in-progress")),
    (VerifyInProgress, _in_progress("verify-in-progress")),
    (WarmError, _told(409, "warm-failed")),
    (RollbackRefused, _told(409, "rollback-refused")),
    (DirectoryError, _behind("the directory of users can't be read", "directory-unavailable")),
    (AuditError, _behind("what is answered has to be audited, and can't be", "audit-unavailable")),
    (
        IdentityUnavailable,
        _behind("the identity provider can't be asked", "identity-unavailable"),
    ),
    (StoreError, _behind("the store can't be reached", "store-unavailable")),
    (SourceError, _behind("neither the cache nor the database could answer", "unanswerable")),
)
