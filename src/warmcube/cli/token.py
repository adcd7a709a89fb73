"""``warmcube token``: a bearer token, for development and for programs."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from warmcube.authn.issue import issue_token
from warmcube.cli.console import plain, say
from warmcube.cli.known_user import unknown_note
from warmcube.cli.state import integer, not_empty, run, state_of

__all__ = ["token"]

_YEAR = 366 * 24 * 60


def token(
    context: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", parser=not_empty, help="For whom.")],
    minutes: Annotated[
        int,
        typer.Option(parser=integer, metavar="N", help="How long it counts; at most a year."),
    ] = 60,
) -> None:
    """Print a bearer token for a user.

    It is signed with the key_file of the first [[auth.keys]] with HS256. Whoever has it is that
    user for the service, so it belongs into no log and no chat.
    """
    if not 0 < minutes <= _YEAR:
        raise typer.BadParameter(f"--minutes {minutes}: expected 1 to {_YEAR}")
    settings = state_of(context).open_cache().settings
    say(issue_token(settings, user, int(time.time()), minutes * 60))
    note = run(unknown_note(settings, user))
    if note is not None:
        sys.stderr.write(f"{plain(note)}\n")  # stdout is the token's alone
