"""Every route, asked with tokens that count and with tokens that don't."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from fastapi import FastAPI
from tests.support.caches import make_cache, select
from tests.support.leaks import LeakScan
from tests.support.services import path_of, query_of
from tests.support.tokens import SECRET, bad_credentials, secret_file, section, signed

from warmcube.service.app import create_app

from .conftest import ACCESS, PRACTICES

OPEN = {"/healthz", "/readyz", "/metrics"}
"""Paths that ask for no user."""


GOOD = {user: signed(sub=user) for user in ("root", "watcher", "north", "exporter", "provider")}
UNKNOWN = signed(sub="nobody")
BOASTING = signed(sub="north", roles=["super_admin"], scope="analytics:read:all", user="root")
BAD = bad_credentials("root")


class Route(NamedTuple):
    """What can be asked."""

    method: str
    path: str


def routes_of(app: FastAPI) -> list[Route]:
    """All that the document of an application lists, but for what is open."""
    return [
        Route(method.upper(), path_of(path))
        for path, methods in app.openapi()["paths"].items()
        for method in methods
        if path not in OPEN
    ]


@pytest.fixture
async def opened(
    tmp_path: Path, redis_url: str, facts: str
) -> AsyncIterator[tuple[httpx.AsyncClient, FastAPI]]:
    """A service with tokens of its own issuer, warm, and a client that looks for leaks."""
    keys = section('["HS256"]', secret_file(tmp_path))
    settings = make_cache(tmp_path, redis_url, facts, access=ACCESS, more=keys).settings
    app = create_app(settings)
    visible = {GOOD[user]: practices for user, practices in PRACTICES.items()}
    scan = LeakScan({**visible, BOASTING: PRACTICES["north"]}, secrets=[SECRET.decode()])
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport, base_url="http://test", event_hooks={"response": [scan]}
        ) as client,
    ):
        await app.state.service.cache.warm(1)
        yield client, app


async def ask(client: httpx.AsyncClient, route: Route, authorization: str | None) -> httpx.Response:
    """What a route answers, with or without a token; the body is that of a query."""
    heads = {} if authorization is None else {"Authorization": authorization}
    body = query_of() if route.method == "POST" else None
    return await client.request(route.method, route.path, json=body, headers=heads)


@pytest.mark.parametrize("kind", BAD)
async def test_no_route_is_open(opened: tuple[httpx.AsyncClient, FastAPI], kind: str) -> None:
    """Whatever is asked without a token that counts, the answer is 401, and says nothing else."""
    client, app = opened
    routes = routes_of(app)
    assert Route("POST", "/api/query") in routes
    for route in routes:
        answered = await ask(client, route, BAD[kind])
        assert answered.status_code == 401, (route, answered.text)
        assert answered.headers["content-type"] == "application/problem+json"
        assert answered.headers["cache-control"] == "no-store"
        challenge = answered.headers["www-authenticate"]
        assert challenge.startswith("Bearer")
        assert ("invalid_token" in challenge) == (kind != "missing"), challenge
        problem = answered.json()
        assert problem.keys() == {"type", "title", "status", "detail"}
        if BAD[kind]:
            assert str(BAD[kind])[-12:] not in answered.text


@pytest.mark.parametrize("user", [*GOOD, "nobody"])
async def test_tokens_that_count(opened: tuple[httpx.AsyncClient, FastAPI], user: str) -> None:
    """Who asks is known: what they may is the directory's to say, and never the token's."""
    client, app = opened
    for route in routes_of(app):
        answered = await ask(client, route, GOOD.get(user, UNKNOWN))
        assert answered.status_code not in (401, 500), (route, answered.text)
        if user == "nobody":
            assert answered.status_code == 403, (route, answered.text)


async def test_a_token_gives_its_users_rows(
    opened: tuple[httpx.AsyncClient, FastAPI], facts: str
) -> None:
    """Those of the directory's user, whatever roles the token claims."""
    client, _ = opened
    expected = Counter(
        practice
        for (practice,) in select(
            facts,
            "SELECT practice_uid FROM ih.facts WHERE practice_uid IN (101, 102, 103) "
            "AND measure = 'Charges' AND frequency = 'Monthly'",
        )
    )
    assert expected
    for authorization in (GOOD["north"], BOASTING):
        answered = await client.post(
            "/api/query",
            json=query_of(format="columns"),
            headers={"Authorization": authorization},
        )
        assert answered.status_code == 200
        assert Counter(answered.json()["columns"]["practice_uid"]) == expected
