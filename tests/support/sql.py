"""Reading through one connection that is kept: opening one takes ten times as long as asking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from adbc_driver_postgresql import dbapi

__all__ = ["forget", "reading"]

_kept: dict[str, Any] = {}
"""At most one connection, by its URL: others would be counted, or in the way, elsewhere."""


@contextmanager
def reading(url: str) -> Iterator[Any]:
    """A cursor on a database that is read, each statement by itself.

    What is wrong ends the connection, so that nobody goes on with it.
    """
    if url not in _kept:
        forget()
        _kept[url] = dbapi.connect(url, autocommit=True)
    try:
        with _kept[url].cursor() as cursor:
            yield cursor
    except BaseException:
        forget()
        raise


def forget() -> None:
    """Close the connection: types that are made now, or a server that ends, are not for it."""
    while _kept:
        _, connection = _kept.popitem()
        with suppress(Exception):
            connection.close()
