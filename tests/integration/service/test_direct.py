"""The short way of ``POST /api/query`` and the routed one: the same answers."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.support.services import as_user, query_of

BODIES: list[tuple[bytes, dict[str, str]]] = [
    *(
        (json.dumps(query_of(**fields)).encode(), as_user(user))
        for user in ("root", "north", "provider")
        for fields in (
            {"format": "columns"},
            {"practices": [101], "decimals": "number"},
            {"practices": [110]},
            {"format": "csv"},
            {"limit": 0, "explain": True},
        )
    ),
    (b"{", as_user("root")),
    (b"{}", as_user("nobody")),
    (b"{}", {}),
    (b'{"datasource": 7}', as_user("root")),
]


def shape(response: httpx.Response) -> tuple[Any, ...]:
    """All of a response but what tells the time, or which tier was warmer."""
    headers = {
        n: v for n, v in response.headers.items() if n not in ("warmcube-meta", "x-request-id")
    }
    if "json" not in response.headers["content-type"]:
        return response.status_code, headers, response.content
    data = response.json()
    data.pop("meta", None)
    data.pop("explain", None)
    headers.pop("content-length")
    return response.status_code, headers, data


@pytest.mark.parametrize(("body", "headers"), BODIES)
async def test_both_ways_answer_alike(
    client: httpx.AsyncClient, app: FastAPI, body: bytes, headers: dict[str, str]
) -> None:
    """Rows, errors and headers are the same, whichever way a request took."""
    # Whether an answer is large enough to be compressed hangs on its timings.
    headers = {**headers, "Content-Type": "application/json", "Accept-Encoding": "identity"}
    direct = await client.post("/api/query", content=body, headers=headers)
    # Under a prefix the short way isn't taken.
    transport = httpx.ASGITransport(app, root_path="/elsewhere", raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as other:
        routed = await other.post("/api/query", content=body, headers=headers)
    assert shape(direct) == shape(routed)
