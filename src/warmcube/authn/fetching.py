"""JSON from an identity provider: bounded in size and time, without redirects."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from warmcube.errors import IdentityUnavailable

__all__ = ["Fetcher", "is_loopback", "is_trustworthy"]

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine."""
    try:
        return urlsplit(url).hostname in _LOOPBACK
    except ValueError:
        return False


def is_trustworthy(url: object) -> bool:
    """Whether nobody on the way can change what a URL answers: https, or loopback."""
    if not isinstance(url, str) or not url.isascii() or not url.isprintable():
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url))


class Fetcher:
    """Asks the servers of an identity provider.

    Args:
        seconds: for one answer, its arrival included.
        most: bytes of one answer.
    """

    def __init__(self, *, seconds: float = 10.0, most: int = 1_000_000) -> None:
        self._seconds = seconds
        self._most = most
        self._client = httpx.AsyncClient(
            follow_redirects=False,
            timeout=seconds,
            limits=httpx.Limits(max_connections=20),
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        )

    async def json(
        self,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """The status and the object that a URL answers with.

        Args:
            url: https, or loopback.
            form: what to POST; None for a GET.
            headers: to send.

        Raises:
            IdentityUnavailable: no answer in time, a redirect, too much, or no JSON object.
        """
        place = _place(url)
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._client.stream(
                    "GET" if form is None else "POST", url, data=form, headers=headers
                ) as response,
            ):
                content = await self._content(response, place)
        except (httpx.HTTPError, TimeoutError) as error:
            raise IdentityUnavailable(
                f"the identity provider can't be reached at {place}: {type(error).__name__}"
            ) from error
        if response.is_redirect:
            raise IdentityUnavailable(
                f"the identity provider redirects {place}, which isn't followed"
            )
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise IdentityUnavailable(
                f"the identity provider answers {place} with status {response.status_code} and no "
                "JSON object"
            )
        return response.status_code, found

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _content(self, response: httpx.Response, place: str) -> bytes:
        content = bytearray()
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > self._most:
                raise IdentityUnavailable(
                    f"the identity provider answers {place} with more than {self._most:,} bytes"
                )
        return bytes(content)


def _place(url: str) -> str:
    """A URL for messages, without its query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
