"""A service over the facts of `tests.support.caches`, warm."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from tests.support.caches import TABLE, execute, make_cache
from tests.support.dashboards import SAMPLE
from tests.support.leaks import LeakScan
from tests.support.services import open_client

from warmcube.dashboard.render import GivenDashboards


@pytest.fixture(scope="module")
def facts(postgres_module_db: str) -> str:
    """A database with the table."""
    execute(postgres_module_db, TABLE)
    return postgres_module_db


@pytest.fixture
async def opened(
    tmp_path: Path, redis_url: str, facts: str
) -> AsyncIterator[tuple[httpx.AsyncClient, FastAPI]]:
    """A client and the application that it talks to."""
    settings = make_cache(tmp_path, redis_url, facts, access=ACCESS).settings
    dashboards = GivenDashboards(SAMPLE)
    async with open_client(settings, LeakScan(PRACTICES), dashboards=dashboards) as (client, app):
        await app.state.service.cache.warm(1)
        yield client, app


@pytest.fixture
def client(opened: tuple[httpx.AsyncClient, FastAPI]) -> httpx.AsyncClient:
    """A client of a warm service."""
    return opened[0]


@pytest.fixture
def app(opened: tuple[httpx.AsyncClient, FastAPI]) -> FastAPI:
    """The application."""
    return opened[1]


PRACTICES = {
    "root": None,
    "north": (101, 102, 103),
    "exporter": (101, 102, 103),
    "provider": (101, 102, 103),
}
ACCESS = """
[roles]
super_admin = [
  "analytics:read:all", "analytics:export:all", "cache:manage:all", "directory:read:all",
]
watcher = ["analytics:read:own", "cache:read:all"]
org_analyst = ["analytics:read:organization"]
org_exporter = [
    "analytics:read:organization", "analytics:export:organization", "dashboards:embed:organization"
]
provider = ["analytics:read:own"]

[[organizations]]
id = "north"
name = "North Group"
practices = [101, 102]
[[organizations]]
id = "north-east"
parent = "north"
practices = [103]
[[organizations]]
id = "south"
practices = [110]

[[users]]
id = "root"
roles = ["super_admin"]
[[users]]
id = "watcher"
roles = ["watcher"]
[[users]]
id = "north"
roles = ["org_analyst"]
organizations = ["north"]
[[users]]
id = "exporter"
roles = ["org_exporter"]
organizations = ["north"]
[[users]]
id = "provider"
roles = ["provider"]
organizations = ["north"]
provider = 3
"""
