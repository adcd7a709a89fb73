"""``/healthz`` and ``/readyz``: whether the process lives and can answer, and why it can't."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.service.conftest import ACCESS, PRACTICES
from tests.support.caches import make_cache
from tests.support.leaks import LeakScan
from tests.support.services import as_user, open_client, query_of

from warmcube.config import Settings
from warmcube.embedded import EmbeddedRedis
from warmcube.readiness import Part

NO_DATABASE = "postgresql://nobody:password-4711@127.0.0.1:1/none"
UNNEEDED = {"ready": True, "why": "it isn't needed at present"}
WELL = {"ready": True, "why": None}
DATABASE_GONE = {
    "ready": False,
    "why": "it can't be reached, and not everything can be answered from the store",
}


async def readiness(client: httpx.AsyncClient) -> tuple[int, Any]:
    """What is told of the parts."""
    answered = await client.get("/readyz")
    told = answered.json()
    assert told["ready"] == (answered.status_code == 200)
    assert answered.headers["cache-control"] == "no-store"
    assert (await client.get("/healthz")).json() == {"alive": True}
    for secret in ("4711", "127.0.0.1", "unix:", "/tmp", ".sock"):
        assert secret not in answered.text
    return answered.status_code, told["parts"]


async def told_of(settings: Settings, *, warm: bool = False, stop: Any = None) -> tuple[int, Any]:
    """What a service tells of itself."""
    async with open_client(settings, LeakScan(PRACTICES)) as (client, app):
        if warm:
            await app.state.service.cache.warm(1)
        if stop is not None:
            stop()
        return await readiness(client)


async def test_a_warm_service(client: httpx.AsyncClient) -> None:
    """Needs no database."""
    assert await readiness(client) == (
        200,
        {"store": WELL, "directory": WELL, "database": UNNEEDED, "audit": WELL},
    )


async def test_a_cold_one(tmp_path: Path, redis_url: str, facts: str) -> None:
    """Needs its database."""
    settings = make_cache(tmp_path, redis_url, facts, access=ACCESS).settings
    assert await told_of(settings) == (
        200,
        {"store": WELL, "directory": WELL, "database": WELL, "audit": WELL},
    )


async def test_without_the_database(tmp_path: Path, redis_url: str) -> None:
    """A cold service without it isn't ready."""
    settings = make_cache(tmp_path, redis_url, NO_DATABASE, access=ACCESS).settings
    assert await told_of(settings) == (
        503,
        {"store": WELL, "directory": WELL, "database": DATABASE_GONE, "audit": WELL},
    )


async def test_a_table_that_is_not_there(tmp_path: Path, redis_url: str, facts: str) -> None:
    """Is told, but it is no reason to take the other data sources away too."""
    made = make_cache(tmp_path, redis_url, facts, access=ACCESS, table="ih.missing")
    status, parts = await told_of(made.settings)
    assert status == 200
    assert parts["database"] == {"ready": True, "why": "it lacks a table that is configured"}


async def test_without_the_store(
    tmp_path: Path, redis_factory: Callable[..., EmbeddedRedis], facts: str
) -> None:
    """Not ready, though the database could answer: it would have to answer everything."""
    server = redis_factory()
    settings = make_cache(tmp_path, server.url, facts, access=ACCESS).settings
    status, parts = await told_of(settings, warm=True, stop=server.stop)
    assert (status, parts["store"]) == (503, {"ready": False, "why": "it can't be reached"})
    assert parts["database"] == WELL


async def test_a_disabled_cache(
    tmp_path: Path, redis_factory: Callable[..., EmbeddedRedis], facts: str
) -> None:
    """Needs no store."""
    server = redis_factory()
    made = make_cache(
        tmp_path, server.url, facts, access=ACCESS, environment={"CACHE_ENABLED": "false"}
    )
    status, parts = await told_of(made.settings, stop=server.stop)
    assert (status, parts["store"]["ready"], parts["database"]) == (200, True, WELL)


async def test_without_the_directory(tmp_path: Path, redis_url: str, facts: str) -> None:
    """Nobody's rights are known, so nobody can be answered."""
    settings = make_cache(tmp_path, redis_url, facts, access="[roles]\nbroken").settings
    status, parts = await told_of(settings)
    assert (status, parts["directory"]) == (503, {"ready": False, "why": "it can't be read"})


async def test_a_directory_that_went_bad(tmp_path: Path, redis_url: str, facts: str) -> None:
    """While the last good one counts, that is told, and answers are given."""
    settings = make_cache(tmp_path, redis_url, facts, access=ACCESS).settings

    async with open_client(settings, LeakScan(PRACTICES)) as (client, _):
        body = query_of()
        assert (await client.post("/api/query", json=body, headers=as_user("root"))).is_success
        (tmp_path / "access.toml").write_text("broken")
        status, parts = await readiness(client)
        assert (await client.post("/api/query", json=body, headers=as_user("root"))).is_success
    assert (status, parts["directory"]) == (
        200,
        {"ready": True, "why": "it has defects, or couldn't be read lately"},
    )


async def until(
    condition: Callable[[tuple[Part, ...]], bool], look: Callable[[], Awaitable[tuple[Part, ...]]]
) -> None:
    """Look until the parts are so."""
    async with asyncio.timeout(30):
        while not condition(await look()):  # noqa: ASYNC110 - nothing tells of a change
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("required", [True, False])
async def test_an_audit_that_fails(
    tmp_path: Path, redis_url: str, facts: str, required: bool
) -> None:
    """Keeps a service from being ready where it is required, until it works again."""
    folder = tmp_path / "audit"
    more = f'[audit]\npath = "{folder}/audit.jsonl"\nrequired = {str(required).lower()}\n'
    settings = make_cache(tmp_path, redis_url, facts, access=ACCESS, more=more).settings
    folder.write_text("in the way")
    async with open_client(settings, LeakScan(PRACTICES)) as (client, app):
        look = app.state.service.cache.readiness._look  # as it is, not as it was a second ago
        body = query_of()
        answered = await client.post("/api/query", json=body, headers=as_user("root"))
        assert answered.status_code == (503 if required else 200)
        await until(lambda parts: Part("audit") not in parts, look)
        status, parts = await readiness(client)
        assert (status, parts["audit"]) == (
            503 if required else 200,
            {"ready": not required, "why": "its sink takes nothing at present"},
        )
        folder.unlink()
        await until(lambda parts: Part("audit") in parts, look)


async def test_a_service_that_is_to_end(client: httpx.AsyncClient, app: Any) -> None:
    """Gets no new requests, and still answers those that come."""
    app.state.service.is_draining = True
    assert await readiness(client) == (
        503,
        {"service": {"ready": False, "why": "it is shutting down"}},
    )
    answered = await client.post("/api/query", json=query_of(), headers=as_user("root"))
    assert answered.status_code == 200


async def test_a_flood_of_probes_reaches_no_server(client: httpx.AsyncClient, app: Any) -> None:
    """The parts are looked at once, however many ask."""
    looks: list[str] = []
    store = app.state.service.cache.store
    now_ms = store.now_ms

    async def counting() -> int:
        looks.append("store")
        found: int = await now_ms()
        return found

    store.now_ms = counting
    told = [await client.get("/readyz") for _ in range(50)]
    assert {each.status_code for each in told} == {200}
    assert 1 <= len(looks) <= 3  # a slow machine may need more than a second
