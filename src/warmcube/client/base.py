"""What both clients are made of."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Generic, TypedDict, TypeVar

import httpx

from warmcube.client.address import Token, is_loopback, service_url, token_source
from warmcube.client.exchange import Reach
from warmcube.model.request import Filter, Null

__all__ = ["Base", "Narrowing"]

_H = TypeVar("_H", httpx.Client, httpx.AsyncClient)


class Narrowing(TypedDict, total=False):
    """What the values of a column may be narrowed by: fields of a `Query`."""

    measure: str | int | Null | None
    frequency: str | int | Null | None
    organization: str | None
    practices: Sequence[Any] | None
    providers: Sequence[Any] | None
    start: date | str | None
    end: date | str | None
    where: Sequence[Filter]


class Base(Generic[_H]):
    """What both clients are made of."""

    _http_class: type[_H]

    def __init__(
        self,
        url: str,
        *,
        token: Token | None = None,
        token_file: str | Path | None = None,
        timeout: float = 30.0,
        allow_plain_http: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        address = service_url(url, allow_plain_http=allow_plain_http)
        is_near = is_loopback(address.host)
        self._reach = Reach(
            address, token_source(token, token_file), timeout, is_compressed=not is_near
        )
        self._http: _H = self._http_class(
            verify=True if tls is None else tls,
            follow_redirects=False,
            # A proxy of the environment would read what goes through it in plain text.
            trust_env=address.scheme == "https" and not is_near,
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._reach.url}>"
