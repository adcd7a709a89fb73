"""Connections to Postgres for what ADBC can't do: LISTEN, and statements with parameters.

Tables of measures are read through ADBC (`warmcube.source`); the directory and the audit, which are
small, go through psycopg. None of its types but its connection leaves this package.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import psycopg

from warmcube.postgres.url import PostgresUrl

__all__ = ["DRIVER_ERRORS", "Session", "open_session", "tell"]

Session: TypeAlias = psycopg.AsyncConnection[tuple[object, ...]]

DRIVER_ERRORS: Final = (psycopg.Error, OSError, TimeoutError)
"""What psycopg raises, and what asyncio does on its way to the server."""


async def open_session(url: PostgresUrl) -> Session:
    """A connection of one's own, which commits every statement unless told otherwise.

    Raises:
        psycopg.Error: it can't be opened; see `tell`.
    """
    # Prepared statements are lost on the way through a pooler.
    return await psycopg.AsyncConnection.connect(url.uri, autocommit=True, prepare_threshold=None)


def tell(error: BaseException, url: PostgresUrl) -> str:
    """What a driver's error says, on one line, without the secrets of the URL."""
    message = getattr(getattr(error, "diag", None), "message_primary", None) or str(error)
    if isinstance(error, TimeoutError) and not message:
        message = "it didn't answer in time"
    return url.without_secrets(" ".join(message.split()))
