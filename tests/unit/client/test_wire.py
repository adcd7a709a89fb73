"""Queries as they travel mean the same where they arrive; answers that are none are refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from warmcube import errors
from warmcube.client import calls
from warmcube.client.wire import (
    error_of,
    packed,
    query_fields,
    read_json,
    result_of_columns,
    result_of_stream,
)
from warmcube.errors import InvalidQuery, ServiceError, WarmcubeError
from warmcube.model.request import NULL, Filter, Order, Query
from warmcube.query.parse import query_from_json
from warmcube.service.problems import problem_of

SOME = UUID("00000000-0000-0000-0000-000000000007")


def test_a_query_arrives_as_it_was() -> None:
    """Exact numbers, dates, NULL, and lists that are empty; what isn't given isn't sent."""
    query = Query(
        datasource=1,
        measure=NULL,
        frequency="Monthly",
        practices=[],
        providers=(1, "2", SOME),
        start=date(2024, 1, 1),
        end="2024-12-31",
        where=[
            Filter("a", "eq", Decimal("1.10")),
            Filter("b", "in", (1.5, 10**30, True, None)),
            Filter("c", "between", [datetime(2024, 1, 1, tzinfo=UTC), date(2024, 2, 1)]),
            Filter("d", "in", [float("nan"), Decimal("-Infinity"), float("inf")]),
            Filter("e", "is_null"),
        ],
        order_by=["-a", Order("b", descending=True)],
        limit=5,
    )
    assert query_from_json(packed(query_fields(query))) == Query(
        datasource=1,
        measure=NULL,
        frequency="Monthly",
        practices=[],
        providers=[1, "2", str(SOME)],
        start="2024-01-01",
        end="2024-12-31",
        where=[
            Filter("a", "eq", Decimal("1.10")),
            Filter("b", "in", [Decimal("1.5"), 10**30, True, None]),
            Filter("c", "between", ["2024-01-01T00:00:00+00:00", "2024-02-01"]),
            Filter("d", "in", ["NaN", "-Infinity", "Infinity"]),
            Filter("e", "is_null"),
        ],
        order_by=["-a", Order("b", descending=True)],
        limit=5,
    )
    assert query_fields(Query(datasource=1)).keys() == {"datasource"}


@pytest.mark.parametrize("value", [object(), b"x", {"a": 1}, 1j])
def test_what_json_has_no_form_for_is_refused(value: Any) -> None:
    """The message names the type, not the value."""
    with pytest.raises(InvalidQuery, match=f"holds a {type(value).__name__};"):
        query_fields(Query(datasource=1, where=[Filter("a", "eq", value)]))


def test_half_a_surrogate_pair_is_refused() -> None:
    """UTF-8 has no form for it."""
    with pytest.raises(InvalidQuery, match="isn't Unicode"):
        calls.ask(Query(datasource=1, measure="\ud800"))


PUBLIC = [
    errors.AccessDenied("x"),
    errors.UnknownDatasource("x"),
    errors.UnknownColumn("x"),
    errors.MissingRole("x"),
    errors.InvalidFilter("x"),
    errors.InvalidQuery("x"),
    errors.LimitExceeded("x"),
    errors.InvalidRequest("x", status=413),
    errors.Unauthenticated("x", code="refused"),
    errors.Overloaded("x", retry_after=7.5),
    errors.QueryTimeout("x"),
    errors.TooManyAttempts("x", retry_after=7.5),
    errors.WarmInProgress("x", by="ana", since="2024-01-01T00:00:00Z", job="1-0", retry_after=3),
    errors.VerifyInProgress("x", by="ana", since="2024-01-01T00:00:00Z", job="1-0", retry_after=3),
    errors.UnknownDashboard("x"),
    errors.UnknownJob("x"),
    errors.WarmError("x"),
]
BEHIND = [
    errors.DirectoryError("secret"),
    errors.AuditError("secret"),
    errors.IdentityUnavailable("secret"),
    errors.StoreUnavailable("secret"),
    errors.SourceUnavailable("secret"),
]


@pytest.mark.parametrize("error", PUBLIC + BEHIND, ids=lambda error: type(error).__name__)
def test_an_error_arrives_as_it_was(error: WarmcubeError) -> None:
    """In its class; in its own words where they are for whoever asks."""
    problem = problem_of(error)
    back = error_of(problem.status, problem.as_json(), float(problem.headers.get("Retry-After", 1)))
    assert type(back) is type(error)
    assert str(back) == ("x" if error in PUBLIC else problem.detail)
    for name in ("status", "by", "since", "job", "code"):
        assert getattr(back, name, None) == getattr(error, name, None)
    if error in PUBLIC:
        assert getattr(back, "retry_after", None) == getattr(error, "retry_after", None)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.Unauthenticated),
        (403, ServiceError),
        (404, ServiceError),
        (413, ServiceError),
        (429, errors.TooManyAttempts),
        (500, ServiceError),
        (503, errors.Overloaded),
    ],
)
def test_a_status_without_a_problem_is_a_guess(status: int, kind: type[WarmcubeError]) -> None:
    """Only what it can't but mean is said."""
    assert type(error_of(status, {})) is kind


META = (
    '{"origin": "store", "snapshot": "1", "as_of": null, "entries": 0, "rows_fetched": 0,'
    ' "rows": 0, "stale": false, "notes": [], "timings": {}}'
)


def test_answers_that_are_none_are_refused() -> None:
    """Instead of an AttributeError somewhere."""
    wrong: list[Any] = [None, [], {}, {"schema": [], "columns": {}}, {"schema": [{}]}]
    for told in wrong:
        with pytest.raises(ServiceError):
            result_of_columns(told)
    with pytest.raises(ServiceError, match="equally long"):
        result_of_columns(
            {
                "schema": [{"name": name, "type": "integer"} for name in "ab"],
                "columns": {"a": [1], "b": []},
                "meta": read_json(META.encode()),
            }
        )
    with pytest.raises(ServiceError, match="Warmcube-Meta"):
        result_of_stream(b"", None)
    with pytest.raises(ServiceError, match="isn't JSON"):
        read_json(b"<html>")
    for call in (calls.list_datasources(), calls.list_organizations(), calls.list_measures(1)):
        with pytest.raises(ServiceError, match="isn't of this client's form"):
            call.read(b"{}", None)  # type: ignore[arg-type]
    with pytest.raises(ServiceError, match="1 answers to 2 queries"):
        calls.ask_many([Query(datasource=1)] * 2).read(b'{"answers": [{}]}', None)  # type: ignore[arg-type]


def test_each_query_of_a_batch_has_its_answer_or_its_error() -> None:
    """In the order of the queries."""
    body = (
        '{"answers": [{"columns": {"a": [1]}, "schema": [{"name": "a", "type": "integer"}],'
        f' "meta": {META}}}, {{"problem": {{"type": "urn:warmcube:problem:denied",'
        ' "status": 403, "detail": "no"}}]}'
    )
    first, second = calls.ask_many([Query(datasource=1)] * 2).read(body.encode(), None)  # type: ignore[arg-type]
    assert not isinstance(first, WarmcubeError)
    assert first.rows() == [{"a": 1}]
    assert isinstance(second, errors.AccessDenied)
    assert str(second) == "no"
