"""``warmcube password``: give somebody a password to sign in with, or take it away."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated, Final

import typer

from warmcube.audit.events import PasswordChanged
from warmcube.authn.credentials import CredentialsFile
from warmcube.authn.passwords import LONGEST, Hasher, flaw_of
from warmcube.authn.sign_in import open_sessions
from warmcube.cli.console import say
from warmcube.cli.known_user import unknown_note
from warmcube.cli.state import not_empty, operator, run, state_of
from warmcube.engine import AnalyticsCache
from warmcube.errors import ConfigError

__all__ = ["password"]

_LINE: Final = 4 * LONGEST


def password(
    context: typer.Context,
    user: Annotated[
        str, typer.Argument(parser=not_empty, metavar="USER", help="The id in the directory.")
    ],
    remove: Annotated[
        bool, typer.Option("--remove", help="Take the password away instead.")
    ] = False,
) -> None:
    """Set the password with which USER signs in; asks for it, or reads one line of stdin.

    All sessions of USER end.
    """
    cache = state_of(context).open_cache()
    path = cache.settings.credentials_path
    if path is None:
        raise ConfigError(
            "no passwords are kept here: add a table [auth.local] to the configuration first"
        )
    credentials = CredentialsFile(path)
    if remove:
        if not credentials.remove(user):
            say(f"{user} has no password here, and had none")
            return
        say(f"{user} has no password any more")
    else:
        kept = _hashed(_asked())
        credentials.put(user, kept)
        say(f"{user} has a new password")
    run(_end_sessions(cache, user, removed=remove))


def _asked() -> str:
    """A password that was typed twice, or came down a pipe once."""
    if not sys.stdin.isatty():
        text = sys.stdin.readline(_LINE).rstrip("\r\n")
    else:
        text = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != text:
            raise typer.BadParameter("the two passwords differ; try again")
    flaw = flaw_of(text)
    if flaw is not None:
        raise typer.BadParameter(f"the password can't be used: {flaw}")
    return text


def _hashed(text: str) -> str:
    hasher = Hasher()
    try:
        return hasher.hash(text)
    finally:
        hasher.close()


async def _end_sessions(cache: AnalyticsCache, user: str, *, removed: bool) -> None:
    note = await unknown_note(cache.settings, user)
    if note is not None:
        say(note)
    async with cache:
        cache.note(PasswordChanged(actor=operator(), subject=user, removed=removed))
        ended = await open_sessions(cache.settings, cache.store).end_all(user)
    if ended:
        say(f"{ended} session{'s' if ended > 1 else ''} ended")
