"""``warmcube serve``: the HTTP API."""

from __future__ import annotations

import dataclasses
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from warmcube.authn.connect import require_authentication
from warmcube.cli.console import say
from warmcube.cli.state import integer, not_empty, state_of
from warmcube.config import Settings, load

__all__ = ["serve"]

_MOST_WORKERS = 256


def serve(
    context: typer.Context,
    host: Annotated[
        str | None,
        typer.Option(
            parser=not_empty, metavar="H", help="The address to listen on; else [service] host."
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(parser=integer, metavar="P", help="The port, 0 for any; else [service] port."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            parser=integer, metavar="N", help="Processes behind it; else [service] workers."
        ),
    ] = None,
) -> None:
    """Answer queries over HTTP.

    Prints the URL as soon as it answers; everything else that happens is a line of JSON on standard
    error. Ctrl-C or SIGTERM let requests that run come to their end; a second Ctrl-C doesn't.
    """
    if port is not None and port > 65535:
        raise typer.BadParameter(f"--port {port}: expected 0 to 65535")
    if workers is not None and not 0 < workers <= _MOST_WORKERS:
        raise typer.BadParameter(f"--workers {workers}: expected 1 to {_MOST_WORKERS}")
    settings = load(state_of(context).config, os.environ)
    given = {"host": host, "port": port, "workers": workers}
    section = settings.service.model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )
    settings = dataclasses.replace(settings, service=section)

    # Loading the libraries of the service takes a while, which other commands needn't wait for.
    from warmcube.service.app import create_app  # noqa: PLC0415
    from warmcube.service.serve import serve as serve_until_told  # noqa: PLC0415
    from warmcube.service.server.logs import log_to_stderr  # noqa: PLC0415

    require_authentication(settings)
    log_to_stderr()
    with tempfile.TemporaryDirectory(prefix="warmcube-metrics-") as folder:
        build = partial(
            create_app,
            processes=section.workers,
            metrics_folder=Path(folder),
            access_log=sys.stderr.fileno(),
        )
        serve_until_told(settings, build, partial(_announce, settings))


def _announce(settings: Settings, url: str) -> None:
    """Where it answers, and where its pages are; at once, also to a pipe."""
    say(f"warmcube answers on {url} (Ctrl-C stops it)")
    if settings.has_sign_in:
        say(f"people sign in on {settings.service.public_url or url}/sign-in")
    else:
        say(
            "there are no pages, since nobody can sign in: for that add [auth.local] or "
            "[auth.oidc] (see docs/how-to/use-the-pages.md)"
        )
    sys.stdout.flush()
