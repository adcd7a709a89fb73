"""``/api/query``: the rows of whoever asks, in every form, compared with SQL."""

from __future__ import annotations

import io
import json
from collections import Counter
from decimal import Decimal
from typing import Any

import httpx
import pyarrow as pa
import pytest
from fastapi import FastAPI
from tests.support.caches import select
from tests.support.services import as_user, query_of

VISIBLE = {
    "root": "TRUE",
    "north": "practice_uid IN (101, 102, 103)",
    "provider": "practice_uid IN (101, 102, 103) AND provider_uid = 3",
    "watcher": "FALSE",
}


def expected(url: str, user: str) -> Counter[tuple[object, ...]]:
    """What SQL gives a user of the query's partition."""
    return Counter(
        select(
            url,
            "SELECT practice_uid, provider_uid, date_index::text, measure_value::text, note "
            f"FROM ih.facts WHERE {VISIBLE[user]} AND measure = 'Charges' "
            "AND frequency = 'Monthly'",
        )
    )


def told(rows: list[dict[str, Any]]) -> Counter[tuple[object, ...]]:
    """The same of an answer's rows."""
    return Counter(
        (
            row["practice_uid"],
            row["provider_uid"],
            row["date_index"],
            row["measure_value"],
            row["note"],
        )
        for row in rows
    )


@pytest.mark.parametrize("user", VISIBLE)
@pytest.mark.parametrize("form", ["rows", "columns", "arrow"])
async def test_each_user_gets_exactly_their_rows(
    client: httpx.AsyncClient, facts: str, user: str, form: str
) -> None:
    """Whatever the form, the rows are SQL's."""
    answered = await client.post("/api/query", json=query_of(format=form), headers=as_user(user))
    assert answered.status_code == 200
    if form == "arrow":
        rows = pa.ipc.open_stream(answered.content).read_all().to_pylist()
        rows = [
            {
                **row,
                "date_index": row["date_index"] and str(row["date_index"]),
                "measure_value": row["measure_value"] and str(row["measure_value"]),
            }
            for row in rows
        ]
        meta = json.loads(answered.headers["Warmcube-Meta"])
    else:
        data = answered.json()
        meta = data["meta"]
        rows = data.get("rows")
        if form == "columns":
            columns = data["columns"]
            values = zip(*columns.values(), strict=True)
            rows = [dict(zip(columns, row, strict=True)) for row in values]
    assert told(rows) == expected(facts, user)
    assert meta["rows"] == len(rows)
    assert meta["rows_fetched"] == len(rows)


async def test_decimals_as_numbers(client: httpx.AsyncClient, facts: str) -> None:
    """A choice: numbers with all their digits, exact for who reads them as decimals."""
    answered = await client.post(
        "/api/query", json=query_of(decimals="number"), headers=as_user("root")
    )
    values = [
        row["measure_value"] for row in json.loads(answered.text, parse_float=Decimal)["rows"]
    ]
    sums = select(
        facts,
        "SELECT sum(measure_value)::text FROM ih.facts "
        "WHERE measure = 'Charges' AND frequency = 'Monthly'",
    )
    assert str(sum(value for value in values if value is not None)) == sums[0][0]


async def test_the_get_twin_revalidates(client: httpx.AsyncClient) -> None:
    """The same rights and the same snapshot: 304; another's tag, form or coding: another answer."""
    query = {"q": json.dumps(query_of(format="columns"))}
    first = await client.get("/api/query", params=query, headers=as_user("north"))
    assert first.status_code == 200
    assert first.headers["cache-control"] == "private, no-cache"
    assert first.headers["vary"] == "Authorization, Cookie, Accept, Accept-Encoding"
    tag = {"If-None-Match": first.headers["etag"]}
    again = await client.get("/api/query", params=query, headers=as_user("north", **tag))
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    for headers in (
        as_user("root", **tag),
        as_user("provider", **tag),
        as_user("north", **tag, **{"Accept-Encoding": "identity"}),
    ):
        other = await client.get("/api/query", params=query, headers=headers)
        assert other.status_code == 200
        assert other.headers["etag"] != first.headers["etag"]
    for changed in (query_of(), query_of(format="columns", start="2024-01-02")):
        other = await client.get(
            "/api/query", params={"q": json.dumps(changed)}, headers=as_user("north", **tag)
        )
        assert other.status_code == 200
    denied = await client.get("/api/query", params=query, headers=as_user("nobody", **tag))
    assert denied.status_code == 403


@pytest.mark.parametrize("coding", ["gzip", "zstd", "identity"])
async def test_codings(client: httpx.AsyncClient, facts: str, coding: str) -> None:
    """Compressed as asked, and the same rows."""
    headers = as_user("root", **{"Accept-Encoding": coding})
    answered = await client.post("/api/query", json=query_of(), headers=headers)
    assert answered.headers.get("content-encoding", "identity") == coding
    assert told(answered.json()["rows"]) == expected(facts, "root")


async def test_files_need_the_export_permission(client: httpx.AsyncClient, facts: str) -> None:
    """CSV and Parquet leave the house: who may only read is denied."""
    for form in ("csv", "parquet"):
        denied = await client.post(
            "/api/query", json=query_of(format=form), headers=as_user("north")
        )
        assert denied.status_code == 403
        allowed = await client.post(
            "/api/query", json=query_of(format=form), headers=as_user("exporter")
        )
        assert allowed.status_code == 200
        assert "attachment" in allowed.headers["content-disposition"]
    table = pa.parquet.read_table(io.BytesIO(allowed.content))
    assert table.num_rows == sum(expected(facts, "north").values())


@pytest.mark.parametrize(
    ("body", "status", "part"),
    [
        (b"{", 400, "isn't JSON"),
        (b"\xff", 400, "UTF-8"),
        (b"[]", 422, "expected an object"),
        (b'{"datasource": 1, "datasource": 2}', 422, "twice"),
        (b'{"datasource": 1, "practise": [1]}', 422, "practise"),
        (b'{"datasource": "1"}', 422, "whole number"),
        (b'{"datasource": 9}', 404, "no data source 9"),
        (b'{"datasource": NaN}', 422, "NaN"),
        (b'{"datasource": 1, "measure": ""}', 422, "isn't empty"),
        (b'{"datasource": 1, "format": "xml"}', 422, "rows, columns, arrow, csv, parquet"),
        (b'{"datasource": 1, "format": "arrow", "explain": true}', 422, "explain"),
        (b'{"datasource": 1, "explain": 1}', 422, "true or false"),
        (b'{"datasource": 1, "where": ' + b"[" * 20 + b"]" * 20 + b"}", 422, "[limits] depth"),
        (b'{"a": ' + b"[" * 300_000 + b"]" * 300_000 + b"}", 422, "[limits] depth"),
        (b'{"practices": [' + b"1," * 600_000 + b"1]}", 413, "[limits] body"),
        (
            json.dumps(query_of(practices=list(range(10_001)))).encode(),
            422,
            "[limits] list",
        ),
        (json.dumps(query_of(start="2024-02-30")).encode(), 422, "2024-02-30"),
        (json.dumps(query_of(practices=["11x"])).encode(), 422, "11x"),
        (json.dumps(query_of(practices=[999])).encode(), 403, "999"),
        (
            json.dumps(query_of(where=[{"column": "note", "op": "is", "value": 1}])).encode(),
            422,
            "'is'",
        ),
        (
            json.dumps(query_of(where=[{"column": "nope", "op": "eq", "value": 1}])).encode(),
            422,
            "nope",
        ),
    ],
)
async def test_bad_input(client: httpx.AsyncClient, body: bytes, status: int, part: str) -> None:
    """The right status, one shape, a sentence that helps."""
    headers = as_user("north", **{"Content-Type": "application/json"})
    answered = await client.post("/api/query", content=body, headers=headers)
    problem = answered.json()
    assert (answered.status_code, problem["status"]) == (status, status)
    assert answered.headers["content-type"] == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "detail"}
    assert part in problem["detail"]


async def test_an_empty_list_is_nothing(client: httpx.AsyncClient) -> None:
    """``[]`` is none of them, over HTTP as anywhere."""
    answered = await client.post("/api/query", json=query_of(practices=[]), headers=as_user("root"))
    assert (answered.status_code, answered.json()["rows"]) == (200, [])


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/api/query?q=", "empty"),
        ("/api/query", "missing"),
        ("/api/query?q={}&q={}", "twice"),
        ("/api/query?q={}&x=1", "no parameter"),
        ("/api/query?q=%ff", "UTF-8"),
        ("/api/datasources?x=1", "there are none here"),
        ("/api/datasources/01/measures", "whole number"),
    ],
)
async def test_strict_parameters(client: httpx.AsyncClient, path: str, part: str) -> None:
    """Unknown, empty and doubled parameters are errors."""
    answered = await client.get(path, headers=as_user("north"))
    assert answered.status_code == 422
    assert part in answered.json()["detail"]


@pytest.mark.parametrize("path", ["/api/query", "/api/query/batch", "/api/export"])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Content-Type", ("application/json", "text/plain")),
        ("Content-Encoding", ("identity", "gzip")),
    ],
)
async def test_a_header_that_says_two_things(
    client: httpx.AsyncClient, path: str, name: str, values: tuple[str, str]
) -> None:
    """What stands in front may have gone by the other one."""
    once = {"Content-Type": "application/json"} if name == "Content-Encoding" else {}
    headers = [*as_user("root", **once).items(), *((name, value) for value in values)]
    answered = await client.post(path, content=json.dumps(query_of()), headers=headers)
    assert answered.status_code == 400
    assert answered.json()["detail"] == f"the header {name.lower()} is given twice; give it once"


async def test_an_unknown_field_is_told_in_a_few_words(client: httpx.AsyncClient) -> None:
    """However long its name is."""
    narrowing = json.dumps({"x" * 5000: 1})
    answered = await client.get(
        "/api/datasources/1/values/note", params={"q": narrowing}, headers=as_user("north")
    )
    assert answered.status_code == 422
    assert "unknown field" in answered.json()["detail"]
    assert len(answered.content) < 500


async def test_the_wrong_type_and_nobody(client: httpx.AsyncClient) -> None:
    """415, 401, 404 and 405 have the same shape."""
    wrong = await client.post("/api/query", content=b"{}", headers=as_user("north"))
    nobody = await client.post("/api/query", json=query_of())
    nowhere = await client.get("/api/nowhere", headers=as_user("north"))
    deleted = await client.delete("/api/query", headers=as_user("north"))
    found = [answer.json()["status"] for answer in (wrong, nobody, nowhere, deleted)]
    assert found == [415, 401, 404, 405]
    assert nobody.headers["www-authenticate"].startswith("Bearer")
    assert wrong.headers["x-content-type-options"] == "nosniff"


async def test_lists_are_the_callers(client: httpx.AsyncClient) -> None:
    """Data sources, measures, values and organizations under the grant."""
    sources = await client.get("/api/datasources", headers=as_user("north"))
    assert [each["id"] for each in sources.json()["datasources"]] == [1]
    measures = await client.get("/api/datasources/1/measures", headers=as_user("north"))
    assert {"measure": "Charges", "frequency": "Weekly"} in measures.json()["measures"]
    practices = await client.get(
        "/api/datasources/1/values/practice_uid",
        params={"q": json.dumps({"measure": "Charges", "frequency": "Monthly"})},
        headers=as_user("north"),
    )
    assert practices.json()["values"] == [101, 102, 103]
    notes = await client.get(
        "/api/datasources/1/values/note",
        params={
            "q": json.dumps({"measure": "Charges", "frequency": "Monthly", "practices": [103]})
        },
        headers=as_user("north"),
    )
    assert notes.json()["values"] == ["note of practice 103"]
    organizations = await client.get("/api/organizations", headers=as_user("north"))
    assert organizations.json()["organizations"] == [
        {"id": "north", "name": "North Group", "parent": None},
        {"id": "north-east", "name": "north-east", "parent": "north"},
    ]
    everything = await client.get("/api/organizations", headers=as_user("root"))
    assert len(everything.json()["organizations"]) == 3


async def test_a_defect_is_told_without_its_traceback(
    client: httpx.AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 in the shape of all errors, under the same headers; what it was is in the log only."""

    async def fail(*_: object) -> None:
        raise ZeroDivisionError("secret of the inside")

    monkeypatch.setattr(app.state.service.cache, "query", fail)
    answered = await client.post("/api/query", json=query_of(), headers=as_user("north"))
    assert (answered.status_code, answered.json()["status"]) == (500, 500)
    assert "secret" not in answered.text
    assert answered.headers["x-content-type-options"] == "nosniff"
