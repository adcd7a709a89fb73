"""Every route and every role: who gets what, and that the page says it so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import pytest
from fastapi import FastAPI
from starlette.routing import Route as AnyRoute
from tests.support.services import query_of

from .test_tokens import BAD, GOOD, UNKNOWN, opened

__all__ = ["opened"]

PAGE: Final = Path(__file__).parents[3] / "docs/reference/security.md"
ROLES: Final = {
    "super admin": GOOD["root"],
    "figures only": GOOD["watcher"],
    "exporter": GOOD["exporter"],
    "analyst": GOOD["north"],
    "provider": GOOD["provider"],
    "unknown user": UNKNOWN,
}
CACHE: Final = "/api/admin/analytics/cache"
BATCH: Final = {"queries": [query_of()]}
Q: Final = {"q": json.dumps(query_of())}


class Asked(NamedTuple):
    """A request to a route, and what each role gets, in the order of `ROLES`."""

    method: str
    path: str
    statuses: tuple[int, int, int, int, int, int]
    body: Any = None
    parameters: dict[str, str] | None = None
    note: str = ""


EVERYBODY: Final = (200, 200, 200, 200, 200, 403)
EXPORTERS: Final = (200, 403, 200, 403, 403, 403)
READERS: Final = (200, 200, 403, 403, 403, 403)
MANAGERS: Final = (200, 403, 403, 403, 403, 403)
FILE: Final = query_of(format="csv")
TABLE: Final = (
    Asked("POST", "/api/query", EVERYBODY, query_of()),
    Asked("POST", "/api/query", EXPORTERS, FILE, note="csv, parquet"),
    Asked(
        *("POST", "/api/query", (200, 403, 403, 403, 403, 403), query_of(practices=[110])),
        note="another's practice",
    ),
    Asked("GET", "/api/query", EVERYBODY, parameters=Q),
    Asked("GET", "/api/query", EXPORTERS, parameters={"q": json.dumps(FILE)}, note="csv, parquet"),
    Asked("POST", "/api/query/batch", EVERYBODY, BATCH),
    Asked("POST", "/api/export", EXPORTERS, query_of()),
    Asked("GET", "/api/datasources", EVERYBODY),
    Asked("GET", "/api/datasources/{id}/measures", EVERYBODY),
    Asked(
        *("GET", "/api/datasources/{id}/values/{column}", EVERYBODY),
        parameters={"q": json.dumps({"measure": "Charges", "frequency": "Monthly"})},
    ),
    Asked("GET", "/api/organizations", EVERYBODY),
    Asked("GET", f"{CACHE}/stats", READERS),
    Asked("GET", f"{CACHE}/health", READERS),
    Asked("GET", f"{CACHE}/warming/status", READERS),
    Asked("GET", f"{CACHE}/warming/events", (204, 204, 403, 403, 403, 403)),
    Asked("POST", f"{CACHE}/warm", (202, 403, 403, 403, 403, 403), {"datasource": 1}),
    Asked("POST", f"{CACHE}/invalidate", MANAGERS, {"datasource": 1}),
)
OPEN: Final = {"/healthz", "/readyz", "/metrics", "/api/openapi.json"}
"""Anybody may ask these; /metrics only on loopback, unless it has a token or a port of its own."""


async def ask(client: httpx.AsyncClient, asked: Asked, authorization: str | None) -> int:
    """The status of what is asked."""
    answered = await client.request(
        asked.method,
        asked.path.replace("{id}", "1").replace("{column}", "note"),
        json=asked.body,
        params=asked.parameters,
        headers={} if authorization is None else {"Authorization": authorization},
    )
    if answered.status_code >= 400:
        problem = answered.json()
        assert problem["status"] == answered.status_code
    return answered.status_code


def routes_of(app: Any) -> set[tuple[str, str]]:
    """Methods and paths of every route that an application has, in the document or not."""
    found: set[tuple[str, str]] = set()
    for route in app.routes:
        inner = getattr(route, "original_router", None) or getattr(route, "app", None)
        if isinstance(route, AnyRoute):
            found |= {(method, route.path) for method in route.methods or ()}
        elif inner is not None and hasattr(inner, "routes"):
            found |= routes_of(inner)
    return found


async def test_no_route_is_forgotten(opened: tuple[httpx.AsyncClient, FastAPI]) -> None:
    """A new route turns this red until it stands in the table, with who may use it."""
    _, app = opened
    known = {(asked.method, asked.path) for asked in TABLE}
    found = {each for each in routes_of(app) if each[1] not in OPEN and each[0] != "HEAD"}
    assert len(found) > 10
    assert found == known


@pytest.mark.parametrize("role", ROLES)
async def test_each_role_gets_what_the_table_says(
    opened: tuple[httpx.AsyncClient, FastAPI], role: str
) -> None:
    """With a good token; a role may what the directory says, route by route."""
    client, app = opened
    place = list(ROLES).index(role)
    for asked in TABLE:
        status = await ask(client, asked, ROLES[role])
        assert status == asked.statuses[place], (asked.method, asked.path, asked.note)
    await app.state.service.close()  # the warm that was started


@pytest.mark.parametrize("kind", BAD)
async def test_bad_credentials_are_refused_by_all(
    opened: tuple[httpx.AsyncClient, FastAPI], kind: str
) -> None:
    """Before anything of the request is looked at."""
    client, _ = opened
    for asked in TABLE:
        assert await ask(client, asked, BAD[kind]) == 401, asked.path


def rows() -> list[str]:
    """The table as the page has it."""
    head = f"| request | {' | '.join(ROLES)} |"
    line = "|---|" + "---|" * len(ROLES)
    body = [
        f"| `{asked.method} {asked.path}`{f' ({asked.note})' if asked.note else ''} | "
        f"{' | '.join(map(str, asked.statuses))} |"
        for asked in TABLE
    ]
    return [head, line, *body]


def test_the_page_has_the_table() -> None:
    """Row for row; and names each kind of credentials that is refused."""
    page = PAGE.read_text(encoding="utf-8")
    section = page.partition("## Who may what")[2].partition("\n## ")[0]
    table = re.findall(r"^\|.*\|$", section, re.MULTILINE)
    assert table == rows()
    for kind in BAD:
        assert f"| {kind} |" in page
