"""Services in which people can sign in, and browsers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import argon2
import httpx
import pytest
from tests.support.caches import make_cache
from tests.support.services import identify_by_name

from warmcube.authn.credentials import CredentialsFile
from warmcube.service.app import create_app

PASSWORD = "correct horse battery"
ORIGIN = "http://127.0.0.1:8080"

Open = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture
def credentials(tmp_path: Path) -> CredentialsFile:
    """The passwords of north and root, hashed cheaply."""
    kdf = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    file = CredentialsFile(tmp_path / "credentials.toml")
    for user in ("north", "root"):
        file.put(user, kdf.hash(PASSWORD.encode()))
    return file


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Closes the services and browsers that were opened."""
    async with AsyncExitStack() as opened:
        yield opened


@pytest.fixture
def open_browser(
    tmp_path: Path, redis_url: str, credentials: CredentialsFile, stack: AsyncExitStack
) -> Open:
    """Opens a browser on a service of its own, all on one store and one file of credentials."""

    async def opened(
        more: str = "[auth.local]\n", origin: str = ORIGIN, address: str = "192.0.2.1"
    ) -> httpx.AsyncClient:
        source = f"duckdb://{tmp_path}/none.duckdb"
        settings = make_cache(tmp_path, redis_url, source, more=more).settings
        app = create_app(settings, identify_by_name)
        await stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 40_000))
        return await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url=origin)
        )

    return opened


@pytest.fixture
async def browser(open_browser: Open) -> httpx.AsyncClient:
    """A browser on a service with local users."""
    return await open_browser()


async def sign_in(
    browser: httpx.AsyncClient, user: str = "north", password: str = PASSWORD
) -> httpx.Response:
    """What a page of the service gets when somebody signs in."""
    return await browser.post(
        "/api/session",
        content=json.dumps({"user": user, "password": password}),
        headers={
            "Origin": str(browser.base_url).rstrip("/"),
            "Content-Type": "application/json",
        },
    )
