"""A service in a process of its own, on a loopback port.

``python -m tests.support.apart FILE`` serves the configuration in a file, believes whatever name
stands in a token, and prints its port when it listens.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.requests import Request

from warmcube.authn.identity import Identity
from warmcube.config import load
from warmcube.errors import Unauthenticated
from warmcube.service.app import create_app

__all__ = ["served", "token_of"]

_ROOT = Path(__file__).parents[2]
_TOKEN = "Bearer token-of-"


def token_of(user: str) -> str:
    """The token with which the service believes that a user asks."""
    return f"token-of-{user}"


@contextmanager
def served(file: Path, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """The address of a service that runs meanwhile.

    Args:
        file: its configuration.
        environment: what of it comes from the environment.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.apart", str(file)],
        cwd=_ROOT,
        env=os.environ | {"PYTHONPATH": f"{_ROOT / 'src'}:{_ROOT}"} | dict(environment or {}),
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            assert port, "the service has not started"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


async def _identify(request: Request) -> Identity:
    header = request.headers.get("authorization", "")
    if not header.startswith(_TOKEN):
        raise Unauthenticated("a token is needed")
    return Identity(user=header.removeprefix(_TOKEN), actor="test", method="token")


def _serve(file: str) -> None:
    app = create_app(load(file, os.environ), _identify)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        print(listening.getsockname()[1], flush=True)  # noqa: T201 - what the tests wait for
        config = uvicorn.Config(app, log_level="warning")
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    _serve(sys.argv[1])
