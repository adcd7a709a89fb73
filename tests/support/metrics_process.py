"""One process of a service, which does what it reads as lines of JSON, and says what came of it.

Run as ``python -m tests.support.metrics_process CONFIG FOLDER``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx
from tests.support.services import as_user, identify_by_name, query_of

from warmcube.config import load
from warmcube.service.app import create_app


async def _run(config: str, folder: str) -> None:
    app = create_app(load(Path(config), {}), identify_by_name, metrics_folder=Path(folder))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        while line := await asyncio.to_thread(sys.stdin.readline):
            sys.stdout.write(json.dumps(await _do(client, app, **json.loads(line))) + "\n")
            sys.stdout.flush()


async def _do(client: httpx.AsyncClient, app: Any, what: str, **more: Any) -> Any:
    if what == "scrape":
        return (await client.get("/metrics")).text
    if what == "warm":
        return (await app.state.service.cache.warm(1)).rows
    user = more.pop("user")
    answered = await client.post("/api/query", json=query_of(**more), headers=as_user(user))
    return answered.status_code


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:]))
