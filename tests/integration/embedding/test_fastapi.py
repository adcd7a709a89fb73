"""The API inside somebody else's application, with that application's own authentication."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Header, HTTPException
from tests.support.caches import TABLE, execute, make_cache, select
from tests.support.services import as_user, identify_by_name
from tests.support.serving import serving

from warmcube import AccessDenied, AnalyticsCache
from warmcube.client import Client, Query
from warmcube.errors import NotUsable
from warmcube.fastapi import router
from warmcube.service.app import create_app

BODIES = [
    b'{"datasource": 1, "measure": "Charges", "frequency": "Monthly", "colour": 1}',
    b'{"datasource": 1, "datasource": 1}',
    b'{"datasource": "1"}',
    b"nonsense",
    b'{"datasource": 7}',
    b'{"datasource": 1, "measure": "Charges", "frequency": "Monthly", "practices": [110]}',
    b'{"datasource": 1, "measure": "Charges", "frequency": "Monthly", "practices": []}',
    b'{"datasource": 1, "where": ' + b"[" * 16 + b"]" * 16 + b"}",
    b"[" + b" " * 1_000_001 + b"]",
]


def session(x_session: Annotated[str | None, Header()] = None) -> str | None:
    """The application's own way to know who asks."""
    if x_session == "forged":
        raise HTTPException(418, "the application's own words")
    return x_session


def current_user(found: Annotated[str | None, Depends(session)]) -> Any:
    """A dependency that depends on another."""
    return 7 if found == "seven" else found


@pytest.fixture
def cache(tmp_path: Path, redis_url: str, postgres_db: str) -> AnalyticsCache:
    """A cache that isn't open yet."""
    execute(postgres_db, TABLE)
    return make_cache(tmp_path, redis_url, postgres_db)


def embedded(cache: AnalyticsCache, **options: Any) -> FastAPI:
    """An application with a route of its own, and the API below a prefix."""
    app = FastAPI(**options)

    @app.get("/own")
    def own() -> str:
        return "own"

    app.include_router(router(cache, user=current_user), prefix="/analytics")
    return app


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that has started."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield client


async def ask(client: httpx.AsyncClient, user: str | None, body: bytes) -> httpx.Response:
    """Post a query's body as a user."""
    headers = {"Content-Type": "application/json"} | ({"X-Session": user} if user else {})
    return await client.post("/analytics/api/query", content=body, headers=headers)


async def test_each_user_gets_their_rows(cache: AnalyticsCache, postgres_db: str) -> None:
    """Whom the application names is who asks; the cache lives as long as the application."""
    body = (
        b'{"datasource": 1, "measure": "Charges", "frequency": "Monthly", "format": "columns",'
        b' "group_by": ["practice_uid"], "aggregate": "count", "order_by": ["practice_uid"]}'
    )
    async with running(embedded(cache)) as client:
        assert cache.is_open
        found = {user: (await ask(client, user, body)).json() for user in ("north", "root")}
        assert (await client.get("/own")).json() == "own"
        assert (
            await client.get("/analytics/api/organizations", headers={"X-Session": "north"})
        ).json()["organizations"][0]["id"] == "north"
    assert not cache.is_open
    for user, where in (("north", "practice_uid IN (101, 102, 103)"), ("root", "TRUE")):
        rows = select(
            postgres_db,
            "SELECT practice_uid, count(measure_value) FROM ih.facts WHERE measure = 'Charges' "
            f"AND frequency = 'Monthly' AND {where} GROUP BY 1 ORDER BY 1",
        )
        columns = found[user]["columns"]
        assert list(zip(columns["practice_uid"], columns["count"], strict=True)) == rows


async def test_who_asks_is_the_applications_word(cache: AnalyticsCache) -> None:
    """Nobody, a stranger, and what the application itself refuses or gets wrong."""
    body = b'{"datasource": 1, "measure": "Charges", "frequency": "Monthly"}'
    async with running(embedded(cache)) as client:
        nobody = await ask(client, None, body)
        assert (nobody.status_code, nobody.json()["type"]) == (
            401,
            "urn:warmcube:problem:unauthenticated",
        )
        stranger = await ask(client, "stranger", body)
        assert (stranger.status_code, stranger.json()["title"]) == (403, "This isn't allowed")
        forged = await ask(client, "forged", body)
        assert (forged.status_code, forged.json()) == (
            418,
            {"detail": "the application's own words"},
        )
        assert (await ask(client, "seven", body)).status_code == 500
        missing = await client.get("/analytics/nothing")
        assert missing.json() == {"detail": "Not Found"}


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
async def test_it_is_as_strict_as_the_service(
    cache: AnalyticsCache, tmp_path: Path, body: bytes
) -> None:
    """Status and problem are what the service answers to the same."""
    async with running(embedded(cache)) as client:
        ours = await ask(client, "north", body)
    service = create_app(cache.settings, identify_by_name)
    async with running(service) as client:
        headers = as_user("north") | {"Content-Type": "application/json"}
        theirs = await client.post("/api/query", content=body, headers=headers)
    assert (ours.status_code, ours.headers["content-type"]) == (
        theirs.status_code,
        theirs.headers["content-type"],
    )
    if ours.status_code != 200:
        assert ours.json() == theirs.json()


async def test_a_cache_that_the_application_opens_is_left_to_it(cache: AnalyticsCache) -> None:
    """It is neither opened twice nor closed too early."""
    states = []

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with cache:
            yield
            states.append(cache.is_open)

    async with running(embedded(cache, lifespan=lifespan)) as client:
        assert (await ask(client, "north", BODIES[6])).status_code == 200
        with pytest.raises(NotUsable, match="open already"):
            await cache.__aenter__()
    assert states == [True]
    assert not cache.is_open


def test_the_client_works_below_a_prefix(cache: AnalyticsCache, postgres_db: str) -> None:
    """With the prefix in its URL; the application here believes tokens to be names."""

    def bearer(authorization: Annotated[str, Header()]) -> str:
        return authorization.removeprefix("Bearer ")

    app = FastAPI()
    app.include_router(router(cache, user=bearer), prefix="/analytics")
    with serving(app) as url, Client(f"{url}/analytics", token="north") as client:
        result = client.query(Query(datasource=1, measure="Charges", frequency="Monthly"))
        assert (
            len(result)
            == select(
                postgres_db,
                "SELECT count(*) FROM ih.facts WHERE measure = 'Charges' AND frequency = 'Monthly' "
                "AND practice_uid IN (101, 102, 103)",
            )[0][0]
        )
    with (
        serving(app) as url,
        Client(f"{url}/analytics", token="stranger") as client,
        pytest.raises(AccessDenied),
    ):
        client.datasources()
