"""``/api/dashboards`` and rendering over HTTP: SQL's numbers, for whoever may see them."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI
from tests.integration.service.test_query import VISIBLE
from tests.support.caches import select
from tests.support.dashboards import chart_of, dashboard_of
from tests.support.services import as_user

from warmcube.audit.events import AuditEvent, Exported
from warmcube.dashboard.render import GivenDashboards

RENDER = "/api/admin/analytics/dashboard/sample/render"
CHARTS = "/api/admin/analytics/dashboard/sample/charts"
YEAR = {"start": "2024-01-01", "end": "2024-12-31"}


@pytest.mark.parametrize("user", VISIBLE)
async def test_the_numbers_are_sqls(client: httpx.AsyncClient, facts: str, user: str) -> None:
    """Of a line over dates, a bar of each practice, and a number: values and totals."""
    answered = await client.post(RENDER, json={"filters": YEAR}, headers=as_user(user))
    assert answered.status_code == 200
    given = {chart["id"]: chart["facets"][0] for chart in answered.json()["charts"]}
    rows = (
        f"FROM ih.facts WHERE {VISIBLE[user]} AND measure = 'Charges' AND frequency = 'Monthly' "
        "AND date_index BETWEEN '2024-01-01' AND '2024-12-31'"
    )
    for chart, column, order in (
        ("by-date", "date_index", "1"),
        ("by-practice", "practice_uid", "2::numeric DESC NULLS LAST, practice_uid"),
    ):
        expected = select(
            facts,
            f"SELECT {column}::text, sum(measure_value)::text {rows} GROUP BY {column} "
            f"ORDER BY {order.replace('2::numeric', 'sum(measure_value)')}",
        )
        facet = given[chart]
        keys = [None if each["key"] is None else str(each["key"]) for each in facet["labels"]]
        assert list(zip(keys, facet["series"][0]["values"], strict=True)) == expected
    ((total,),) = select(facts, f"SELECT sum(measure_value)::text {rows}")
    assert given["total"]["series"][0]["values"] == [total]
    assert {facet["series"][0]["total"] for facet in given.values()} == {total}


async def test_dashboards_are_listed_and_described(client: httpx.AsyncClient) -> None:
    """What there is, and what its filter bar offers."""
    listed = await client.get("/api/dashboards", headers=as_user("north"))
    assert listed.json() == {
        "dashboards": [
            {"id": "sample", "title": "Sample", "description": None, "datasource": 1, "charts": 3}
        ]
    }
    described = (await client.get("/api/dashboards/sample", headers=as_user("north"))).json()
    assert [chart["id"] for chart in described["charts"]] == ["by-date", "by-practice", "total"]
    assert [each["id"] for each in described["offers"]["organizations"]] == ["north", "north-east"]


@pytest.mark.parametrize(
    ("path", "body", "status", "part"),
    [
        (RENDER, {"filters": {"regoin": 1}}, 422, "unknown field 'regoin'"),
        (RENDER, {"filter": {}}, 422, "unknown field 'filter'"),
        (RENDER, {"filters": []}, 422, "expected an object"),
        (RENDER, {"filters": {"preset": "x"}}, 422, "there is no date preset 'x'"),
        (RENDER, {"filters": {"preset": ""}}, 422, "filters.preset is ''"),
        (RENDER, {"filters": {"preset": "all", "start": "2024-01-01"}}, 422, "both a preset"),
        (RENDER, {"filters": {"start": "2024-02-30"}}, 422, "filters.start"),
        (RENDER, {"filters": {"start": "20240101"}}, 422, "filters.start"),
        (RENDER, {"filters": {"start": 20240101}}, 422, "filters.start"),
        (RENDER, {"filters": {"start": "2024-02-01", "end": "2024-01-01"}}, 422, "is after end"),
        (RENDER, {"filters": {"practices": 101}}, 422, "a list of ids"),
        (RENDER, {"filters": {"practices": [""]}}, 422, "filters.practices"),
        (RENDER, {"filters": {"practices": [True]}}, 422, "filters.practices"),
        (RENDER, {"filters": {"practices": [1.5]}}, 422, "filters.practices"),
        (RENDER, {"filters": {"practices": ["0101"]}}, 422, "practice '0101' can't be read"),
        (RENDER, {"filters": {"where": []}}, 422, "filters.where"),
        (RENDER, {"filters": {"where": {"note": "x"}}}, 422, "a list of values"),
        (RENDER, {"filters": {"where": {"note": [[]]}}}, 422, "plain values"),
        (RENDER, {"filters": {"where": {"date_index": ["x"]}}}, 422, "date_index"),
        (RENDER, {"filters": {"where": {"x": ["x"]}}}, 422, "no column 'x'"),
        (RENDER, {"filters": {"time_zone": "Mars"}}, 422, "IANA name"),
        (RENDER, {"charts": "total"}, 422, "a list of the ids of charts"),
        (RENDER, {"charts": ["x"]}, 422, "no chart 'x'"),
        (RENDER.replace("sample", "x"), {}, 404, "no dashboard 'x'"),
        (f"{CHARTS}/x/rows", {}, 422, "no chart 'x'"),
        (f"{CHARTS}/total/rows", {"label": 1}, 422, 'expected {"key"'),
        (f"{CHARTS}/total/rows", {"label": {"key": []}}, 422, "plain values"),
        (f"{CHARTS}/total/rows", {"label": {"keys": 1}}, 422, "label is"),
        (f"{CHARTS}/total/rows", {"series": 1}, 422, "the id of a series"),
        (f"{CHARTS}/total/rows", {"period": "x"}, 422, "period is 'x'"),
        (f"{CHARTS}/total/rows", {"limit": -1}, 422, "limit is -1"),
        (f"{CHARTS}/total/rows", {"order_by": [1]}, 422, "order_by is"),
        (f"{CHARTS}/total/rows", {"format": "csv"}, 422, "rows or columns"),
        (f"{CHARTS}/total/rows", {"x": 1}, 422, "unknown field 'x'"),
        (f"{CHARTS}/total/data", {"format": "arrow"}, 422, "format is 'arrow'"),
        (f"{CHARTS}/total/data", {"spreadsheet": 1}, 422, "true or false"),
        (f"{CHARTS}/total/data", {"format": "parquet", "spreadsheet": True}, 422, "leave it out"),
        (f"{CHARTS}/x/data", {}, 422, "no chart 'x'"),
    ],
)
async def test_what_is_wrong_is_said(
    client: httpx.AsyncClient, path: str, body: Any, status: int, part: str
) -> None:
    """With its place, the value, and what was expected."""
    answered = await client.post(path, json=body, headers=as_user("exporter"))
    assert (answered.status_code, answered.json()["status"]) == (status, status)
    assert part in answered.json()["detail"]


@pytest.mark.parametrize("user", VISIBLE)
async def test_the_rows_behind_a_chart_are_those_of_the_query_beside_them(
    client: httpx.AsyncClient, user: str
) -> None:
    """Sent to ``/api/query``, it gives the same rows."""
    body = {
        "filters": {**YEAR, "where": {"provider": [None, 3]}},
        "label": {"keys": ["2024-01-02", "2024-01-03"]},
        "order_by": ["date_index", "-measure_value"],
        "limit": 5,
    }
    answered = await client.post(f"{CHARTS}/by-date/rows", json=body, headers=as_user(user))
    assert answered.status_code == 200
    rows = answered.json()
    assert rows["dropped"] == []
    again = await client.post("/api/query", json=rows["query"], headers=as_user(user))
    assert again.json()["rows"] == rows["rows"]
    assert {row["date_index"] for row in rows["rows"]} <= {"2024-01-02", "2024-01-03"}
    assert len(rows["rows"]) == (0 if user == "watcher" else 5)


@pytest.mark.parametrize("user", ["root", "exporter"])
async def test_figures_leave_as_a_file(client: httpx.AsyncClient, facts: str, user: str) -> None:
    """CSV and Parquet hold what SQL says."""
    rows = (
        f"FROM ih.facts WHERE {VISIBLE.get(user, VISIBLE['north'])} AND measure = 'Charges' AND "
        "frequency = 'Monthly' AND date_index BETWEEN '2024-01-01' AND '2024-12-31'"
    )
    expected = select(
        facts, f"SELECT date_index::text, sum(measure_value)::text {rows} GROUP BY 1 ORDER BY 1"
    )
    body = {"filters": YEAR, "format": "csv"}
    answered = await client.post(f"{CHARTS}/by-date/data", json=body, headers=as_user(user))
    assert answered.status_code == 200
    assert answered.headers["content-disposition"] == 'attachment; filename="by-date.csv"'
    header, *lines = list(csv.reader(io.StringIO(answered.text)))
    assert header == ["date_index", "Charges"]
    assert [tuple(line) for line in lines] == expected
    body = {"filters": YEAR, "format": "parquet"}
    answered = await client.post(f"{CHARTS}/by-date/data", json=body, headers=as_user(user))
    table = pq.read_table(io.BytesIO(answered.content))
    assert [(str(row["date_index"]), str(row["Charges"])) for row in table.to_pylist()] == expected


async def test_figures_leave_for_exporters_alone_and_are_audited(
    client: httpx.AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each question of the chart is an export; whoever may only read gets none, drawn or not."""
    noted: list[AuditEvent] = []
    trail = app.state.service.cache._parts.trail

    async def record(event: AuditEvent) -> None:
        noted.append(event)

    monkeypatch.setattr(trail, "record", record)
    answered = await client.post(f"{CHARTS}/total/data", json={}, headers=as_user("north"))
    assert (answered.status_code, noted) == (403, [])
    answered = await client.post(
        f"{CHARTS}/total/data", json={"filters": YEAR}, headers=as_user("exporter")
    )
    assert answered.status_code == 200
    (exported,) = noted
    assert isinstance(exported, Exported)
    assert (exported.subject, exported.phase, exported.outcome) == ("exporter", "begin", "allowed")


async def test_too_large_answers(client: httpx.AsyncClient, app: FastAPI) -> None:
    """More bytes than ``[limits] answer`` are an error that names it, never a part."""
    limits = app.state.service.settings.limits
    object.__setattr__(limits, "answer", 10)
    try:
        for path in (RENDER, f"{CHARTS}/by-date/data", f"{CHARTS}/by-date/rows"):
            answered = await client.post(path, json={"filters": YEAR}, headers=as_user("root"))
            assert answered.status_code == 422
            assert "[limits] answer" in answered.json()["detail"]
    finally:
        object.__setattr__(limits, "answer", 256_000_000)


async def test_many_figures_are_encoded_alike(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the event loop or on it."""
    few = await client.post(RENDER, json={"filters": YEAR}, headers=as_user("root"))
    monkeypatch.setattr("warmcube.service.routes.dashboards._LARGE", 0)
    many = await client.post(RENDER, json={"filters": YEAR}, headers=as_user("root"))
    assert [chart["facets"] for chart in few.json()["charts"]] == [
        chart["facets"] for chart in many.json()["charts"]
    ]


async def test_what_a_link_names_of_others_is_told(client: httpx.AsyncClient) -> None:
    """In the answer, in the link's own words."""
    body = {"filters": {**YEAR, "practices": ["101", "110"]}}
    answered = (await client.post(RENDER, json=body, headers=as_user("north"))).json()
    assert answered["dropped"] == [
        {
            "filter": "practices",
            "value": "110",
            "why": "practice '110' is outside what you may read, so it is left out",
        }
    ]
    assert answered["filters"]["practices"] == ["101"]
    rows = await client.post(f"{CHARTS}/total/rows", json=body, headers=as_user("north"))
    assert rows.json()["dropped"] == answered["dropped"]


async def test_a_broken_chart_has_its_problem(
    client: httpx.AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its place in a page; as the answer where it is all that was asked for."""
    broken = GivenDashboards(dashboard_of(chart_of("broken", group_by="x"), chart_of("right")))
    monkeypatch.setattr(app.state.service.renderer, "_library", broken)
    path = RENDER.replace("sample", "board")
    answered = (await client.post(path, json={}, headers=as_user("root"))).json()
    first, second = answered["charts"]
    assert (first["error"]["status"], first["error"]["type"]) == (
        422,
        "urn:warmcube:problem:unknown-column",
    )
    assert first["facets"] == []
    assert second["error"] is None
    data = path.replace("render", "charts/broken/data")
    alone = await client.post(data, json={}, headers=as_user("exporter"))
    assert (alone.status_code, alone.json()["type"]) == (422, first["error"]["type"])
