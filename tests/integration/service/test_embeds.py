"""Dashboards in other sites, over HTTP: what is shown, for how long, and what never is.

Viewers here have a token and nothing else; what they may see is computed by SQL.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from fastapi import FastAPI
from tests.support.embeds import (
    ASKED,
    BOARDS,
    BY_DATE,
    FIXED,
    NORTH,
    VISIBLE,
    YEAR,
    condition_of,
    look,
    mint,
    settings_of,
    shown,
    sums,
)
from tests.support.leaks import LeakScan
from tests.support.services import as_user, open_client

from warmcube.dashboard.render import GivenDashboards


@pytest.fixture
async def opened(
    tmp_path: Path, redis_url: str, facts: str
) -> AsyncIterator[tuple[httpx.AsyncClient, FastAPI]]:
    """A warm service, and a client of it."""
    settings = settings_of(tmp_path, redis_url, facts)
    scan, boards = LeakScan(VISIBLE), GivenDashboards(*BOARDS)
    async with open_client(settings, scan, dashboards=boards) as (client, app):
        await app.state.service.cache.warm(1)
        yield client, app


@pytest.fixture
def client(opened: tuple[httpx.AsyncClient, FastAPI]) -> httpx.AsyncClient:
    """A client of the service."""
    return opened[0]


@pytest.mark.parametrize(
    ("user", "condition"),
    [
        ("ana", NORTH),
        ("bob", f"practice_uid = 110 AND {BY_DATE}"),
        ("part", f"practice_uid = 103 AND {BY_DATE}"),
        ("provider", f"provider_uid = 3 AND {NORTH}"),
        ("everything", NORTH),
    ],
)
async def test_what_may_be_read_and_embedded_is_shown(
    client: httpx.AsyncClient, facts: str, user: str, condition: str
) -> None:
    """SQL's numbers, of rows that lie in both rights."""
    made = await mint(client, user, filters=YEAR)
    expected = sums(facts, condition)
    assert expected
    assert await shown(client, made["token"]) == expected


async def test_an_embed_is_told_once(client: httpx.AsyncClient) -> None:
    """Its id, its token, its end, and where it is shown; the token stands behind the #."""
    made = await mint(client, filters=YEAR, seconds=60)
    assert made.keys() == {"id", "token", "expires_at", "url"}
    assert made["url"] == f"/embed/sample#token={made['token']}"
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", made["id"])
    listed = await client.get("/api/embeds", headers=as_user("ana"))
    (embed,) = listed.json()["embeds"]
    assert embed == {
        "id": made["id"],
        "user": "ana",
        "dashboard": "sample",
        "filters": {
            "preset": None,
            **YEAR,
            "organization": None,
            "practices": None,
            "providers": None,
            "where": {},
            "time_zone": None,
        },
        "issued_at": embed["issued_at"],
        "expires_at": made["expires_at"],
    }
    assert made["token"] not in listed.text


async def test_answers_are_as_the_document_says(client: httpx.AsyncClient) -> None:
    """Of minting, of the list and of a look."""
    document = (await client.get("/api/openapi.json")).json()
    made = await mint(client, filters={**YEAR, "where": {"note": [None]}}, seconds=60)
    listed = await client.get("/api/embeds", headers=as_user("ana"))
    looked = await look(client, made["token"])
    for path, method, status, answer in (
        ("/api/dashboards/{dashboard}/embed", "post", "201", made),
        ("/api/embeds", "get", "200", listed.json()),
        ("/api/embed/{dashboard}/render", "post", "200", looked.json()),
    ):
        described = document["paths"][path][method]["responses"][status]
        jsonschema.validate(answer, described["content"]["application/json"]["schema"])
    assert looked.json()["filters"] == {
        **dict.fromkeys(("preset", "organization", "practices", "providers", "time_zone")),
        **YEAR,
        "where": {},
    }
    assert {chart["drill"]["dashboard"] for chart in looked.json()["charts"]} == {None}


@pytest.mark.parametrize("seconds", [0, -1, 3601, 1.5, "60", True, 10**30])
async def test_it_lasts_for_an_hour_at_most(client: httpx.AsyncClient, seconds: Any) -> None:
    """Another length is an error, and not another length."""
    answered = await client.post(
        "/api/dashboards/sample/embed", json={"seconds": seconds}, headers=as_user("ana")
    )
    assert answered.status_code == 422
    assert "expected a whole number from 1 to 3600" in answered.json()["detail"]


@pytest.mark.parametrize(
    ("user", "filters", "status"),
    [
        ("reader", {}, 403),
        ("root", {}, 403),
        ("nobody", {}, 403),
        ("ana", {"practices": [110]}, 403),
        ("ana", {"practices": [101, 999]}, 403),
        ("ana", {"organization": "south"}, 403),
        ("ana", {"organization": "gone"}, 403),
        ("part", {"practices": [101]}, 403),
        ("part", {"organization": "north"}, 403),
        ("provider", {"providers": [4]}, 403),
        ("everything", {"practices": [110]}, 403),
        ("ana", {"practices": ["x"]}, 422),
        ("ana", {"practices": "101"}, 422),
        ("ana", {"where": {"nothing": [1]}}, 422),
        ("ana", {"where": {"measure_value": ["x"]}}, 422),
        ("ana", {"preset": "whenever"}, 422),
        ("ana", {"start": "2024-13-01"}, 422),
        ("ana", {"role": "root"}, 422),
        ("ana", [], 422),
    ],
)
async def test_nobody_embeds_what_isnt_theirs(
    client: httpx.AsyncClient, user: str, filters: Any, status: int
) -> None:
    """A right to read is none to embed, and what is outside of both is refused, not dropped."""
    answered = await client.post(
        "/api/dashboards/sample/embed", json={"filters": filters}, headers=as_user(user)
    )
    assert answered.status_code == status, answered.text
    listed = await client.get("/api/embeds?everyone=true", headers=as_user("root"))
    assert listed.json() == {"embeds": []}


async def test_nobody_embeds_a_dashboard_that_they_dont_see(client: httpx.AsyncClient) -> None:
    """One with other roles is like one that isn't there."""
    told = set()
    for dashboard in ("analysts", "analystz"):
        answered = await client.post(
            f"/api/dashboards/{dashboard}/embed", json={}, headers=as_user("part")
        )
        assert answered.status_code == 404
        told.add(answered.text.replace("analystz", "analysts"))
    assert len(told) == 1
    await mint(client, "ana", "analysts")


@pytest.mark.parametrize(("fixed", "condition"), FIXED, ids=lambda each: str(each)[:40])
async def test_viewers_narrow_and_never_widen(
    client: httpx.AsyncClient, facts: str, fixed: dict[str, Any], condition: str
) -> None:
    """Whatever field the page sends: it is refused, or gives a part of what is fixed."""
    made = await mint(client, filters=fixed)
    has_dates = fixed.keys() & {"start", "end"}
    dates = BY_DATE if has_dates else "true"
    whole = f"practice_uid IN (101, 102, 103) AND ({condition}) AND {dates}"
    seen = 0
    for asked in ASKED:
        is_dated = has_dates or asked.keys() & {"start", "end", "preset"}
        filters = asked if is_dated else {**asked, "preset": "all"}
        answered = await look(client, made["token"], filters)
        if answered.status_code != 200:
            assert answered.status_code in (403, 422), (asked, answered.text)
            continue
        seen += 1
        expected = sums(facts, f"{whole} AND {condition_of(asked)}")
        assert await shown(client, made["token"], filters) == expected, asked
    assert seen >= 10
