"""``warmcube explain-access``: why a user may read what they may read."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from warmcube.access.explained import ExplainedGrant, explain_grant
from warmcube.audit.events import Granted, denial
from warmcube.audit.request import Request
from warmcube.cli.console import say, say_error, stdout
from warmcube.cli.render_access import access_tree
from warmcube.cli.state import STDERR, not_empty, operator, run, state_of
from warmcube.config import Settings, load
from warmcube.directory.authoriser import Authoriser
from warmcube.errors import AccessDenied
from warmcube.opening import open_directory, open_trail

__all__ = ["explain_access"]


def explain_access(
    context: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", parser=not_empty, help="The user's id.")],
    organization: Annotated[
        str | None,
        typer.Option(
            metavar="O", parser=not_empty, help="Only what a filter by this organization leaves."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Explain a user's rights, from roles to practices.

    For whoever keeps the directory: it shows all that the user's grant rests on, and says why a
    denied user is denied. Needs neither the store nor the data.
    """
    settings = load(state_of(context).config, os.environ)
    try:
        explained = run(_explain(settings, user, organization))
    except AccessDenied as error:
        if error.reason:
            say_error(f"denied: {error.reason}")
        raise
    if as_json:
        say(json.dumps(explained.as_json(), indent=2, ensure_ascii=False))
    else:
        stdout().print(access_tree(explained))


async def _explain(settings: Settings, user: str, organization: str | None) -> ExplainedGrant:
    trail = open_trail(settings, stdout=STDERR)
    authoriser = Authoriser(open_directory(settings))
    request = Request(action="explain", organization=organization)
    try:
        grant = await authoriser.authorize(user, actor=operator())
        explained = explain_grant(grant, settings.datasources, organization)
        await trail.record(
            Granted(actor=operator(), subject=user, request=request, directory=grant.version)
        )
    except AccessDenied as error:
        trail.note(denial(error, actor=operator(), subject=user, request=request))
        raise
    else:
        return explained
    finally:
        await authoriser.aclose()
        await trail.close()
