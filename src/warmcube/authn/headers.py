"""The headers of a request, as ASGI hands them over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

__all__ = ["Headers", "cookies_named", "values_of"]

Headers: TypeAlias = Iterable[tuple[bytes, bytes]]
"""Names in lower case, and values; a name may come several times."""


def values_of(headers: Headers, name: bytes) -> list[bytes]:
    """All values of one header."""
    return [value for found, value in headers if found == name]


def cookies_named(headers: Headers, name: str) -> list[str]:
    """The values of all cookies with one name; a browser may send several."""
    pairs = (
        pair.strip().partition(b"=")
        for value in values_of(headers, b"cookie")
        for pair in value.split(b";")
    )
    return [value.decode("latin-1") for found, _, value in pairs if found == name.encode()]
