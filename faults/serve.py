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

from faults.processes import ROOT, command, environment
from warmcube.authn.identity import Identity
from warmcube.config import load
from warmcube.errors import Unauthenticated
from warmcube.service.app import create_app

__all__ = ["begin_service", "end_service", "token_of"]

_TOKEN: Final = "token-of-"


def token_of(user: str) -> str:
    """The token of a user."""
    return f"{_TOKEN}{user}"


def begin_service(config: Path, *, skew: float = 0) -> tuple[subprocess.Popen[str], str]:
    """Start it; its process and its address.

    Args:
        config: the configuration.
        skew: seconds that its clock is ahead.
    """
    process = subprocess.Popen(
        command("faults.serve", config, skew=skew),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it tells of faults that are meant
        text=True,
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    if not url:
        raise RuntimeError("the service has not started")
    return process, url


def end_service(process: subprocess.Popen[str]) -> None:
    """End it."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


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
