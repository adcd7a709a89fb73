"""A service in a process of its own, as a program: ``python -m tests.support.web CONFIG``.

It prints its URL once it answers, believes whatever name a request bears, and ends in order at
SIGTERM.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import uvicorn
from tests.support.services import as_user, identify_by_name

from warmcube.config import load
from warmcube.service.app import create_app

__all__ = ["Web", "web"]

ROOT = Path(__file__).parents[2]


class Web(httpx.Client):
    """A client of a service in another process, asking as root.

    Args:
        process: it.
        url: where it answers.
    """

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        super().__init__(base_url=url, headers=as_user("root"), timeout=30)
        self.process = process

    def admin(self, method: str, path: str, **more: object) -> httpx.Response:
        """Ask an admin route."""
        return self.request(method, f"/api/admin/analytics/cache{path}", **more)  # type: ignore[arg-type]


@contextlib.contextmanager
def web(config: Path) -> Iterator[Web]:
    """A service as a process, ended with the context if it hasn't ended before."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.web", str(config)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, "the service didn't start"
        with Web(process, url) as client:
            yield client
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)
        if process.stdout is not None:
            process.stdout.close()


async def _serve(config: str) -> None:
    app = create_app(load(config, {}), identify_by_name)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
    listener = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listener]))

    def stop() -> None:
        app.state.service.drain()
        server.should_exit = True

    while not server.started and not serving.done():  # noqa: ASYNC110 (uvicorn has no event)
        await asyncio.sleep(0.01)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    await serving


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
