"""``/api/query/batch``: many questions, each with its own answer or problem, in one read."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.integration.service.test_query import VISIBLE, expected, told
from tests.support.caches import select
from tests.support.services import as_user, query_of


async def ask(client: httpx.AsyncClient, user: str, *queries: Any, **form: Any) -> httpx.Response:
    """Send a batch."""
    return await client.post(
        "/api/query/batch", json={"queries": list(queries), **form}, headers=as_user(user)
    )


@pytest.mark.parametrize("user", VISIBLE)
async def test_each_has_its_own_answer(client: httpx.AsyncClient, facts: str, user: str) -> None:
    """Rows and sums, both SQL's, of one snapshot."""
    answered = await ask(
        client, user, query_of(), query_of(aggregate="sum", group_by=["date_index"])
    )
    rows, sums = answered.json()["answers"]
    assert told(rows["rows"]) == expected(facts, user)
    assert {(row["date_index"], row["sum"]) for row in sums["rows"]} == set(
        select(
            facts,
            "SELECT date_index::text, sum(measure_value)::text FROM ih.facts "
            f"WHERE {VISIBLE[user]} AND measure = 'Charges' AND frequency = 'Monthly' "
            "GROUP BY 1",
        )
    )
    assert rows["meta"]["snapshot"] == sums["meta"]["snapshot"]


async def test_each_has_its_own_problem(client: httpx.AsyncClient, facts: str) -> None:
    """A wrong or forbidden question doesn't take the others down, and keeps its place."""
    answered = await ask(
        client,
        "north",
        query_of(practices=[110]),
        query_of(practise=1),
        query_of(),
        {**query_of(), "datasource": 9},
        format="columns",
    )
    assert answered.status_code == 200
    denied, wrong, right, unknown = answered.json()["answers"]
    assert [each["problem"]["status"] for each in (denied, wrong, unknown)] == [403, 422, 404]
    assert len(right["columns"]["note"]) == sum(expected(facts, "north").values())


@pytest.mark.parametrize(
    ("body", "status", "part"),
    [
        ({}, 422, "queries is missing"),
        ({"queries": query_of()}, 422, "a list"),
        ({"queries": [query_of()], "format": "csv"}, 422, "rows or columns"),
        ({"queries": [query_of()], "limit": 1}, 422, "unknown field"),
        ({"queries": [query_of()] * 101}, 422, "[limits] batch"),
        ({"queries": [query_of()] * 10_000}, 422, "[limits] batch"),
        ([query_of()], 422, "an object"),
    ],
)
async def test_wrong_batches(client: httpx.AsyncClient, body: Any, status: int, part: str) -> None:
    """The right status, and what was expected."""
    answered = await client.post("/api/query/batch", json=body, headers=as_user("north"))
    assert (answered.status_code, answered.json()["status"]) == (status, status)
    assert part in answered.json()["detail"]


async def test_no_questions_have_no_answers(client: httpx.AsyncClient) -> None:
    """An empty list is none, here as in the library, and only for those who may ask."""
    for user, status in (("north", 200), ("stranger", 403)):
        answered = await client.post(
            "/api/query/batch", json={"queries": []}, headers=as_user(user)
        )
        assert answered.status_code == status
        if status == 200:
            assert answered.json() == {"answers": []}


async def test_too_large_answers(
    client: httpx.AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More bytes than ``[limits] answer`` are an error that names it, never a part."""
    limits = app.state.service.settings.limits
    object.__setattr__(limits, "answer", 1000)
    try:
        batch = await ask(client, "root", query_of())
        single = await client.post("/api/query", json=query_of(), headers=as_user("root"))
    finally:
        object.__setattr__(limits, "answer", 256_000_000)
    for answered in (batch, single):
        assert answered.status_code == 422
        assert "[limits] answer" in json.loads(answered.content)["detail"]
