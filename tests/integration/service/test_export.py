"""Files over HTTP: whole, for those who may export, or visibly broken."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI
from tests.integration.service.conftest import ACCESS
from tests.integration.service.test_query import VISIBLE
from tests.support.caches import execute, make_cache, select
from tests.support.leaks import LeakScan
from tests.support.services import as_user, open_client, query_of

from warmcube.service.defects import BrokenOff

FORMATS = ("csv", "parquet", "arrow", "jsonl")


def expected(url: str, user: str) -> Counter[tuple[object, ...]]:
    """Practice, provider, value and note of a user's rows, as text."""
    return Counter(
        select(
            url,
            "SELECT practice_uid::text, provider_uid::text, measure_value::text, note "
            f"FROM ih.facts WHERE {VISIBLE[user]} AND measure = 'Charges' "
            "AND frequency = 'Monthly'",
        )
    )


def told(response: httpx.Response, kind: str) -> Counter[tuple[object, ...]]:
    """The same of a file."""
    rows: list[dict[str, Any]]
    if kind == "csv":
        rows = [
            {name: text or None for name, text in row.items()}
            for row in csv.DictReader(io.StringIO(response.text))
        ]
    elif kind == "parquet":
        rows = pq.read_table(io.BytesIO(response.content)).to_pylist()
    elif kind == "arrow":
        rows = pa.ipc.open_stream(response.content).read_all().to_pylist()
    else:
        rows = [json.loads(line, parse_float=str) for line in response.text.splitlines()]
    names = ("practice_uid", "provider_uid", "measure_value", "note")
    return Counter(
        tuple(None if row[name] is None else str(row[name]) for name in names) for row in rows
    )


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("user", "sees"), [("root", "root"), ("exporter", "north")])
async def test_a_file_holds_the_rows_of_whoever_may_export(
    client: httpx.AsyncClient, facts: str, kind: str, user: str, sees: str
) -> None:
    """In every format, and with where it comes from in a header."""
    answered = await client.post("/api/export", json=query_of(format=kind), headers=as_user(user))
    assert answered.status_code == 200
    assert told(answered, kind) == expected(facts, sees)
    assert json.loads(answered.headers["warmcube-meta"])["origin"] == "store"
    assert answered.headers["cache-control"] == "no-store"
    assert answered.headers["content-disposition"].startswith('attachment; filename="answer.')


@pytest.mark.parametrize("user", ["north", "provider", "watcher", "nobody"])
async def test_reading_is_not_exporting(client: httpx.AsyncClient, user: str) -> None:
    """Who may only read is denied, with one problem and no byte of a file."""
    for path in ("/api/export", "/api/query"):
        answered = await client.post(path, json=query_of(format="csv"), headers=as_user(user))
        assert (answered.status_code, answered.json()["status"]) == (403, 403)


async def test_more_rows_than_an_answer_may_have(
    client: httpx.AsyncClient, app: FastAPI, facts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer beyond ``[limits] rows`` is an error that names the limit; an export has them."""
    judgements = app.state.service.cache._parts.answerer._judgements
    monkeypatch.setattr(judgements, "_limits", type(judgements._limits)(rows=10))
    refused = await client.post("/api/query", json=query_of(), headers=as_user("root"))
    assert refused.status_code == 422
    assert "[limits] rows" in refused.json()["detail"]
    whole = await client.post("/api/export", json=query_of(format="csv"), headers=as_user("root"))
    assert told(whole, "csv") == expected(facts, "root")


async def test_what_a_spreadsheet_would_compute(
    tmp_path: Path, redis_url: str, postgres_db: str
) -> None:
    """A text that begins like a formula gets an apostrophe, unless the file is for a program."""
    execute(
        postgres_db,
        "CREATE TABLE public.f AS SELECT 'm' measure, 1 practice_uid, 1 provider_uid, "
        "'f' frequency, DATE '2024-01-01' date_index, -2.5::numeric(5,2) measure_value, note "
        "FROM unnest(ARRAY['=1+1', '+1', '-1', '@a', E'\\tx', E'\\rx', 'a=1']) note",
    )
    made = make_cache(tmp_path, redis_url, postgres_db, access=ACCESS, table="public.f")
    ask = {"datasource": 1, "measure": "m", "frequency": "f", "format": "csv"}
    async with open_client(made.settings, LeakScan({"root": None})) as (client, _):
        safe = await client.post("/api/export", json=ask, headers=as_user("root"))
        same = await client.post("/api/query", json=ask, headers=as_user("root"))
        plain = await client.post(
            "/api/export", json={**ask, "spreadsheet": False}, headers=as_user("root")
        )
        wrong = await client.post(
            "/api/export",
            json={**ask, "format": "arrow", "spreadsheet": True},
            headers=as_user("root"),
        )
    texts = {"=1+1", "+1", "-1", "@a", "\tx", "\rx"}
    for response, notes in (
        (safe, {f"'{text}" for text in texts} | {"a=1"}),
        (same, {f"'{text}" for text in texts} | {"a=1"}),
        (plain, texts | {"a=1"}),
    ):
        rows = list(csv.DictReader(io.StringIO(response.text, newline="")))
        assert {row["note"] for row in rows} == notes
        assert {row["measure_value"] for row in rows} == {"-2.50"}  # a number is no formula
    assert wrong.status_code == 422
    assert "spreadsheet" in wrong.json()["detail"]


async def test_a_file_that_breaks_off_looks_broken(
    opened: tuple[httpx.AsyncClient, FastAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the right ends in the middle, the connection breaks: no part is taken for the whole."""
    _, app = opened
    cache = app.state.service.cache
    begin = cache.export_stream

    async def small(*args: Any, **more: Any) -> Any:
        stream = await begin(*args, **{**more, "chunk_rows": 5})
        pieces = 0
        require_due = stream._watch.require_due

        async def once() -> None:
            nonlocal pieces
            pieces += 1
            if pieces > 2:
                await cache.invalidate(1)
            await require_due()

        object.__setattr__(stream._watch, "require_due", once)
        return stream

    monkeypatch.setattr(cache, "export_stream", small)
    transport = httpx.ASGITransport(app)  # which raises what breaks a real connection
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with pytest.raises(BrokenOff):
            await client.post("/api/export", json=query_of(format="csv"), headers=as_user("root"))


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (query_of(format="xml"), "csv, parquet, arrow, jsonl"),
        (query_of(format="rows"), "csv, parquet, arrow, jsonl"),
        (query_of(spreadsheet=1), "true or false"),
        (query_of(decimals="string"), "decimals"),
        ([], "an object"),
    ],
)
async def test_wrong_exports(client: httpx.AsyncClient, body: Any, part: str) -> None:
    """Each is a 422 that says what was expected."""
    answered = await client.post("/api/export", json=body, headers=as_user("root"))
    assert answered.status_code == 422
    assert part in answered.json()["detail"]
