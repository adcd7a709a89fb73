"""Metrics at a port of their own, and behind a token."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.service.conftest import ACCESS, PRACTICES
from tests.support.caches import make_cache
from tests.support.leaks import LeakScan
from tests.support.scraping import Scrape
from tests.support.services import as_user, open_client, query_of

from warmcube.config import Settings
from warmcube.errors import ConfigError

TOKEN = "0123456789abcdef0123456789abcdef"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.fixture
def token(tmp_path: Path) -> str:
    """The line that configures a token."""
    path = tmp_path / "token"
    path.write_text(TOKEN)
    path.chmod(0o600)
    return f'metrics_token_file = "{path}"\n'


def settings_of(folder: Path, store: str, source: str, section: str) -> Settings:
    """A service whose section says more."""
    more = f"[service]\n{section}\n"
    return make_cache(folder, store, source, access=ACCESS, more=more).settings


async def test_a_port_of_its_own(tmp_path: Path, redis_url: str, facts: str) -> None:
    """There are the figures and nothing else, and none at the other port."""
    port = free_port()
    settings = settings_of(tmp_path, redis_url, facts, f"metrics_port = {port}")
    async with (
        open_client(settings, LeakScan(PRACTICES)) as (client, _),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as scraper,
    ):
        await client.post("/api/query", json=query_of(), headers=as_user("root"))
        assert (await client.get("/metrics")).status_code == 404
        told = await scraper.get("/metrics")
        assert told.status_code == 200
        assert told.headers["content-type"].startswith("text/plain")
        assert Scrape(told.text).of("misses_total") == {("1", "cold"): 1}
        open_metrics = await scraper.get(
            "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
        )
        assert open_metrics.headers["content-type"].startswith("application/openmetrics-text")
        assert open_metrics.text.endswith("# EOF\n")
        for path in ("/", "/healthz", "/api/query", "/metrics?a=b", "/metrics/x"):
            assert (await scraper.get(path)).status_code == 404
        assert (await scraper.post("/metrics")).status_code == 404
        long = await scraper.get("/metrics", headers={"X-Long": "x" * 20_000})
        assert long.status_code == 431


async def test_several_processes_share_the_port(tmp_path: Path, redis_url: str, facts: str) -> None:
    """Whichever is asked, it tells the figures of both."""
    port, folder = free_port(), tmp_path / "figures"
    settings = settings_of(tmp_path, redis_url, facts, f"metrics_port = {port}")
    async with (
        open_client(settings, LeakScan(PRACTICES), metrics_folder=folder) as (one, _),
        open_client(settings, LeakScan(PRACTICES), metrics_folder=folder) as (two, _),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as scraper,
    ):
        for client in (one, two, two):
            await client.post("/api/query", json=query_of(), headers=as_user("root"))
        for _ in range(10):
            told = Scrape((await scraper.get("/metrics")).text)
            assert told.of("misses_total") == {("1", "cold"): 3}


async def test_who_says_nothing_holds_up_nobody(tmp_path: Path, redis_url: str, facts: str) -> None:
    """Connections are bounded; beyond that they are closed, and the service ends all the same."""
    port = free_port()
    settings = settings_of(tmp_path, redis_url, facts, f"metrics_port = {port}")
    async with open_client(settings, LeakScan(PRACTICES)) as (client, _):
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(32)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        assert (await client.get("/healthz")).status_code == 200
        first_reader, first = silent[0]
        first.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await first_reader.readline()) == b"HTTP/1.1 200 OK\r\n"
    for _, each in [*silent, (reader, writer)]:
        each.close()


async def test_a_port_that_is_taken(tmp_path: Path, redis_url: str, facts: str) -> None:
    """Is a clear error when the service starts."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = settings_of(tmp_path, redis_url, facts, f"metrics_port = {port}")
        with pytest.raises(ConfigError, match=rf"can't listen on 127.0.0.1 port {port}"):
            async with open_client(settings, LeakScan(PRACTICES)):
                pass


async def test_a_token_at_the_services_port(
    tmp_path: Path, redis_url: str, facts: str, token: str
) -> None:
    """The answer without it is a problem like any other."""
    section = f'host = "0.0.0.0"\n{token}'
    settings = settings_of(tmp_path, redis_url, facts, section)
    async with open_client(settings, LeakScan(PRACTICES, [TOKEN])) as (client, _):
        denied = await client.get("/metrics", headers=as_user("root"))
        assert denied.status_code == 401
        assert denied.headers["content-type"] == "application/problem+json"
        assert denied.headers["www-authenticate"].startswith("Bearer")
        told = await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert told.status_code == 200
        assert Scrape(told.text).of("store_up") == {(): 1}


async def test_a_token_at_its_own_port(
    tmp_path: Path, redis_url: str, facts: str, token: str
) -> None:
    """Both may be asked for; a file that can't be used any more lets nobody in."""
    port = free_port()
    settings = settings_of(tmp_path, redis_url, facts, f"metrics_port = {port}\n{token}")
    bearer: dict[str, Any] = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        open_client(settings, LeakScan(PRACTICES)),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as scraper,
    ):
        assert (await scraper.get("/metrics")).status_code == 401
        assert (await scraper.get("/metrics", headers=bearer)).status_code == 200
        (tmp_path / "token").unlink()
        assert (await scraper.get("/metrics", headers=bearer)).status_code == 503


async def test_off_loopback_without_either(tmp_path: Path, redis_url: str, facts: str) -> None:
    """There is nothing at the path."""
    settings = settings_of(tmp_path, redis_url, facts, 'host = "0.0.0.0"')
    async with open_client(settings, LeakScan(PRACTICES)) as (client, _):
        assert (await client.get("/metrics")).status_code == 404
