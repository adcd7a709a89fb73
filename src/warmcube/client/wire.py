"""What travels: queries as JSON, answers and problems back from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import orjson

from warmcube.client.columns import column_of, table_of_stream, type_of
from warmcube.errors import (
    AccessDenied,
    AuditError,
    DirectoryError,
    IdentityUnavailable,
    InProgress,
    InvalidFilter,
    InvalidQuery,
    InvalidRequest,
    LimitExceeded,
    MissingRole,
    Overloaded,
    QueryTimeout,
    RollbackRefused,
    ServiceError,
    SourceUnavailable,
    StoreUnavailable,
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
from warmcube.model.columns import Table
from warmcube.model.request import NULL, Filter, Order, Query
from warmcube.query.result import Meta, Result

__all__ = [
    "error_of",
    "json_of",
    "lacking",
    "meta_of",
    "packed",
    "query_fields",
    "read_json",
    "read_plain_json",
    "result_of_columns",
    "result_of_stream",
    "table_of",
]

_PLAIN: Final = (str, bool, type(None))


def query_fields(query: Query) -> dict[str, Any]:
    """A query's fields as JSON values; what is not given is left out.

    Raises:
        InvalidQuery: it holds a value that JSON has no form for.
    """
    found = {}
    for field in fields(Query):
        value = getattr(query, field.name)
        if value is not None and not (value == () and field.default == ()):
            found[field.name] = json_of(value)
    return found


def json_of(value: Any) -> Any:
    """A value of a query as JSON can hold it, exactly.

    Raises:
        InvalidQuery: it can't.
    """
    if isinstance(value, _PLAIN):
        return value
    for kinds, convert in _CONVERTERS:
        if isinstance(value, kinds):
            return convert(value)
    raise InvalidQuery(
        f"the query holds a {type(value).__name__}; expected text, a number, a date, a UUID, or a "
        "list of such"
    )


def _float(value: float) -> Any:
    return value if value - value == 0 else json_of(Decimal(value))


def _decimal(value: Decimal) -> Any:
    return orjson.Fragment(str(value)) if value.is_finite() else str(value)


def _object(value: Filter | Order) -> dict[str, Any]:
    return {each.name: json_of(getattr(value, each.name)) for each in fields(value)}


_CONVERTERS: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    (type(NULL), lambda _: {"null": True}),
    (int, lambda value: orjson.Fragment(str(int(value)))),
    (float, _float),
    (Decimal, _decimal),
    (date | datetime, lambda value: value.isoformat()),
    (UUID, str),
    (Filter | Order, _object),
    (list | tuple | set | frozenset, lambda value: [json_of(item) for item in value]),
)


def packed(value: Mapping[str, Any]) -> bytes:
    """A request's body."""
    try:
        return orjson.dumps(value)
    except TypeError:  # half of a surrogate pair
        raise InvalidQuery("the query holds text that isn't Unicode; UTF-8 can't hold it") from None


def read_json(body: bytes) -> Any:
    """An answer's JSON, with exact numbers.

    Raises:
        ServiceError: it is none.
    """
    return _loaded(body, parse_float=Decimal, parse_int=_integer)


def read_plain_json(body: bytes) -> Any:
    """An answer's JSON, with numbers as Python has them.

    Raises:
        ServiceError: it is none.
    """
    return _loaded(body)


def _loaded(body: bytes, **options: Any) -> Any:
    try:
        return json.loads(body, **options)
    except (ValueError, RecursionError):
        raise ServiceError("the service's answer isn't JSON; is this warmcube's address?") from None


def _integer(text: str) -> int | float:
    return -0.0 if text == "-0" else int(text)


def result_of_stream(body: bytes, meta: str | None) -> Result:
    """The answer of an Arrow stream, and of the header that goes with it.

    Raises:
        ServiceError: they aren't an answer.
    """
    if meta is None:
        raise ServiceError("the service's answer has no Warmcube-Meta; is a proxy in between?")
    return Result(table_of_stream(body), meta_of(read_json(meta.encode())))


def result_of_columns(answer: Any) -> Result:
    """The answer of a JSON object in the form ``columns``.

    Raises:
        ServiceError: it isn't one.
    """
    try:
        names = [(each["name"], each["type"]) for each in answer["schema"]]
        columns, meta = answer["columns"], answer["meta"]
        given = [(name, kind, columns[name]) for name, kind in names]
    except (KeyError, TypeError) as error:
        raise lacking(error) from None
    return Result(table_of(given), meta_of(meta))


def table_of(columns: Iterable[tuple[str, str, Sequence[Any]]]) -> Table:
    """A table of named columns, each with its type and its values in JSON.

    Raises:
        ServiceError: they aren't equally long, or a value isn't of its type.
    """
    found = {name: column_of(type_of(kind), values) for name, kind, values in columns}
    lengths = {len(column) for column in found.values()}
    if len(lengths) > 1:
        raise ServiceError("the service's columns aren't equally long; nothing of it is used")
    return Table(found, lengths.pop() if lengths else 0)


def meta_of(told: Any) -> Meta:
    """Where an answer comes from.

    Raises:
        ServiceError: it doesn't say so.
    """
    try:
        as_of = told["as_of"]
        return Meta(
            origin=told["origin"],
            snapshot=told["snapshot"],
            as_of=None if as_of is None else datetime.fromisoformat(as_of),
            entries=told["entries"],
            rows_fetched=told["rows_fetched"],
            rows=told["rows"],
            timings={step: float(took) for step, took in told["timings"].items()},
            stale=told["stale"],
            notes=tuple(told["notes"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise lacking(error) from None


def lacking(error: Exception) -> ServiceError:
    """That an answer isn't as this client expects."""
    return ServiceError(
        f"the service's answer isn't of this client's form ({type(error).__name__}: {error}); "
        "use the version of warmcube that the service has"
    )


def error_of(
    status: int, problem: Mapping[str, Any], retry_after: float | None = None
) -> WarmcubeError:
    """The library's error for a problem of the service.

    Args:
        status: of HTTP.
        problem: its members; none where the answer had none.
        retry_after: seconds, by the header of that name; what the problem says is more exact.
    """
    detail = problem.get("detail")
    said = detail if isinstance(detail, str) else f"the service answered with status {status}"
    slug = str(problem.get("type", "")).rpartition(":")[2]
    if slug in _IN_PROGRESS:
        return _in_progress(_IN_PROGRESS[slug], said, problem, retry_after)
    if slug in _BY_SLUG:
        return _BY_SLUG[slug](said)
    if status == 401:
        return Unauthenticated(said, code="refused")
    if status in (429, 503):
        told = problem.get("retry_after", retry_after)
        is_number = isinstance(told, int | float | Decimal)
        kind = TooManyAttempts if status == 429 else Overloaded
        return kind(said, retry_after=max(0.0, float(told)) if is_number else 1.0)
    if status in _UNREADABLE and problem:
        return InvalidRequest(said, status=status)
    return (_BY_STATUS if problem else {}).get(status, ServiceError)(said)


def _in_progress(
    kind: type[InProgress],
    said: str,
    problem: Mapping[str, Any],
    retry_after: float | None,
) -> WarmcubeError:
    return kind(
        said,
        by=str(problem.get("by", "somebody")),
        since=problem.get("since"),
        job=problem.get("job"),
        retry_after=1.0 if retry_after is None else retry_after,
    )


_IN_PROGRESS: Final[Mapping[str, type[InProgress]]] = {
    "warm-in-progress": WarmInProgress,
    "verify-in-progress": VerifyInProgress,
}
_UNREADABLE: Final = (400, 406, 408, 413, 415)
_BY_STATUS: Final[Mapping[int, type[WarmcubeError]]] = {
    403: AccessDenied,
    409: WarmError,
    422: InvalidQuery,
}
_BY_SLUG: Final[Mapping[str, type[WarmcubeError]]] = {
    "unknown-datasource": UnknownDatasource,
    "unknown-dashboard": UnknownDashboard,
    "unknown-job": UnknownJob,
    "unknown-column": UnknownColumn,
    "missing-role": MissingRole,
    "invalid-filter": InvalidFilter,
    "limit-exceeded": LimitExceeded,
    "warm-failed": WarmError,
    "rollback-refused": RollbackRefused,
    "directory-unavailable": DirectoryError,
    "audit-unavailable": AuditError,
    "identity-unavailable": IdentityUnavailable,
    "store-unavailable": StoreUnavailable,
    "unanswerable": SourceUnavailable,
    "query-timeout": QueryTimeout,
}
