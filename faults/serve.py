"""The service in a process of its own: ``python -m faults.serve CONFIG``.

It believes whatever name stands in a token, and prints its address when it listens.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import uvicorn
from starlette.requests import Request

from warmcube.authn.identity import Identity
from warmcube.config import load
from warmcube.errors import Unauthenticated
from warmcube.service.app import create_app

__all__ = ["ROOT", "begin_service", "token_of"]

ROOT: Final = Path(__file__).parents[1]
_TOKEN: Final = "token-of-"


def token_of(user: str) -> str:
    """The token of a user."""
    return f"{_TOKEN}{user}"


def begin_service(config: Path) -> tuple[subprocess.Popen[str], str]:
    """Start it; its process and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "faults.serve", str(config)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it tells of faults that are meant
        text=True,
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    if not url:
        raise RuntimeError("the service has not started")
    return process, url


async def _identify(request: Request) -> Identity:
    header = request.headers.get("authorization", "")
    if not header.startswith(f"Bearer {_TOKEN}"):
        raise Unauthenticated("a token is needed")
    return Identity(user=header.removeprefix(f"Bearer {_TOKEN}"), actor="faults", method="token")


def _serve(file: str) -> None:
    app = create_app(load(file, os.environ), _identify)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)  # noqa: T201
        config = uvicorn.Config(app, log_level="critical")
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    _serve(sys.argv[1])
