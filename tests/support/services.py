"""Services on real servers, asked in this process, by whoever a test says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.requests import Request
from tests.support.dashboards import SAMPLE
from tests.support.leaks import LeakScan

from warmcube.authn.identity import Identity
from warmcube.config import Settings
from warmcube.errors import Unauthenticated
from warmcube.service.app import create_app

__all__ = ["as_user", "identify_by_name", "open_client", "path_of", "query_of"]


async def identify_by_name(request: Request) -> Identity:
    """Believes whatever name a request bears: for tests of what comes after."""
    name = request.headers.get("authorization", "").removeprefix("Test ")
    if not name:
        raise Unauthenticated("a token is needed")
    return Identity(user=name, actor="test", method="token")


def as_user(name: str, **headers: str) -> dict[str, str]:
    """The headers of a request by a user."""
    return {"Authorization": f"Test {name}", **headers}


@asynccontextmanager
async def open_client(
    settings: Settings, scan: LeakScan, **options: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, FastAPI]]:
    """A client of an application that has started, whose every response is looked through."""
    app = create_app(settings, identify_by_name, **options)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport, base_url="http://localhost", event_hooks={"response": [scan]}
        ) as client,
    ):
        yield client, app


def path_of(template: str) -> str:
    """A path that there is: of the data source, the column and the dashboard of most tests."""
    names = {"id": "1", "column": "note", "dashboard": SAMPLE.id, "chart": SAMPLE.charts[0].id}
    names["user"] = "north"
    for name, value in names.items():
        template = template.replace(f"{{{name}}}", value)
    return template


def query_of(**fields: Any) -> dict[str, Any]:
    """The query of most tests, with some fields changed."""
    return {"datasource": 1, "measure": "Charges", "frequency": "Monthly", **fields}
